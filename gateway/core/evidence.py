"""Evidence: what was received, who was told, when, and with which answer, so that a change of it shows.

An *entry* tells of one event: that it was received, or which attempts at its deliveries were made. It holds
no body, only SHA-256 digests. What may be about a person, the subject and the URLs that hold what an event
said, stands beside the entry, which holds its digest: it can be erased, and the entry stays what it was.

The entries of one commit are one *link*: the digests of the entries, and of the link before. Links of one
process, or of one stream of its commits, are a *chain*; a chain begins with the last links of those that it
found. So nothing can be taken out of the middle, or changed, and no chain be cut off once another has begun.
Once a second a link is signed: whoever can write to the database and has not the key can make no chain.

A *bundle* shows links, and some of their entries; of the others only digests. Every entry has a salt, so
that nobody finds out by guessing what is behind a digest.

Texts that are digested are canonical JSON (RFC 8785): objects, lists, texts, whole numbers, truths and nulls.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from gateway.core.model import SECOND, Json, Micros

FORMAT = 1
"""Of bundles."""
DIGEST_BYTES = 32
SIGNED_EVERY = SECOND
OF_LINK = b"gateway evidence link\n"
OF_BUNDLE = b"gateway evidence bundle\n"
OF_GAP = b"gateway evidence gap\n"
"""What stands before that which is signed: none of these can be taken for another."""


def canonical(value: Json) -> bytes:
    """JSON in the one form that is digested (RFC 8785, of what is used here)."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(text: bytes) -> bytes:
    """SHA-256."""
    return sha256(text).digest()


class Named(NamedTuple):
    """A link as a later chain names it."""

    chain: str
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """How a chain begins."""

    name: str
    begun_at: Micros
    key: str
    """The public key that signs its links, as it is written."""
    before: tuple[Named, ...]
    """The last links of chains that none had named so before."""

    @property
    def facts(self) -> dict[str, Json]:
        """What is digested, as a bundle has it."""
        return {
            "chain": self.name,
            "begun_at": self.begun_at,
            "key": self.key,
            "before": [[each.chain, each.seq, each.hash.hex()] for each in self.before],
        }

    @property
    def hash(self) -> bytes:
        """What its first link has for the link before."""
        return digest(canonical(self.facts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What one commit told."""

    chain: str
    seq: int
    """From 0."""
    at: Micros
    """When the latest happened that it tells of."""
    previous: bytes
    root: bytes
    """Of the digests of its entries, in their order."""
    count: int

    @property
    def facts(self) -> dict[str, Json]:
        """What is digested, as a bundle has it."""
        return {
            "chain": self.chain,
            "seq": self.seq,
            "at": self.at,
            "previous": self.previous.hex(),
            "root": self.root.hex(),
            "count": self.count,
        }

    @property
    def hash(self) -> bytes:
        """What the next link has for the link before: of its facts, canonical, written at once."""
        return digest(
            b'{"at":%d,"chain":"%b","count":%d,"previous":"%b","root":"%b","seq":%d}'
            % (
                self.at,
                self.chain.encode(),
                self.count,
                self.previous.hex().encode(),
                self.root.hex().encode(),
                self.seq,
            )
        )


def number_of_event(event_id: str) -> int:
    """What finds an event: of its name's millisecond and count as much as fits. Others may share it."""
    try:
        return int(event_id[4:16], 16) << 20 | int(event_id[16:28], 16) & 0xFFFFF
    except ValueError:
        return int.from_bytes(digest(event_id.encode())[:8]) >> 1


def root_of(leaves: Sequence[bytes]) -> bytes:
    """One digest of those of all entries of a link."""
    return digest(b"".join(leaves))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The first links of a chain, which were kept no longer: signed by who let them go."""

    chain: str
    until: int
    """The number of the last of them."""
    hash: bytes
    """Of that link."""
    at: Micros
    """Its moment."""
    let_go_at: Micros

    @property
    def facts(self) -> dict[str, Json]:
        """What is signed, as a bundle has it."""
        return {
            "chain": self.chain,
            "until": self.until,
            "hash": self.hash.hex(),
            "at": self.at,
            "let_go_at": self.let_go_at,
        }


# -- as it is kept ---------------------------------------------------------------------------------------


class KeptChain(NamedTuple):
    """A chain in a store."""

    number: int
    chain: Chain
    last: int
    """The number of its last link; -1: there is none any more."""
    gap: str | None
    """JSON: what was let go of, as a bundle has it."""


class KeptLink(NamedTuple):
    """A link in a store."""

    link: Link
    leaves: bytes
    """The digests of its entries, one after the other."""
    signature: bytes | None
