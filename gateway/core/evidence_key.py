"""The key of evidence: it signs links and bundles, and stands for subjects in the index of the database."""

from dataclasses import dataclass, field
from hashlib import blake2b

from gateway.core.ed25519 import PrivateKey, format_public
from gateway.core.evidence import digest


@dataclass(frozen=True, slots=True)
class EvidenceKey:
    """What is made of a seed of 32 bytes."""

    seed: bytes = field(repr=False)
    private: PrivateKey = field(init=False)
    _tags: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "private", PrivateKey(self.seed))
        object.__setattr__(self, "_tags", digest(b"gateway evidence subjects\n" + self.seed))

    @property
    def public(self) -> str:
        """Whoever has it can verify."""
        return format_public(self.private.public)

    def number_of_subject(self, subject: str) -> int:
        """What finds a subject: without the key nobody can tell whose it is, nor after it was erased."""
        found = blake2b(subject.encode(), key=self._tags, digest_size=8).digest()
        return int.from_bytes(found) >> 1
