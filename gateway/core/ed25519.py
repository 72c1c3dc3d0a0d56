"""Ed25519 keys: Standard Webhooks' asymmetric signatures (`v1a`), and their public parts.

A private key is written `whsk_` and the base64 of seed and public key, 64 bytes, as Svix's libraries
write it, or of the 32-byte seed alone; its public key is `whpk_` and 32 bytes.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme

Whoever has the public key can verify and cannot sign. It may be published: as a JSON Web Key (RFC 7517,
RFC 8037), whose `kid` is its thumbprint (RFC 7638).
"""

import base64
import binascii
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.core.model import Json, Micros

PRIVATE_PREFIX, PUBLIC_PREFIX = "whsk_", "whpk_"
SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key to sign with, and the moment from which it is no longer used (None: no such moment).

    Its representation shows the public part only.
    """

    seed: bytes = field(repr=False)
    until: Micros | None = None
    public: bytes = field(init=False)
    _private: Ed25519PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        object.__setattr__(self, "_private", private)
        object.__setattr__(self, "public", private.public_key().public_bytes_raw())

    def valid(self, now: Micros) -> bool:
        """Whether it may still be used at *now*."""
        return self.until is None or now < self.until

    def sign(self, content: bytes) -> bytes:
        """The signature of *content*, 64 bytes: the same each time."""
        return self._private.sign(content)


def parse_seed(text: str) -> bytes:
    """The seed of a `whsk_…` key.

    Raises ValueError, without the key in its message, when it is none, or when its public half is not
    that of its seed: signatures made with such a key can give the seed away.
    """
    try:
        material = base64.b64decode(
            _padded(text.strip().removeprefix(PRIVATE_PREFIX)), validate=True
        )
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64") from None
    seed, public = material[:SEED_BYTES], material[SEED_BYTES:]
    if len(seed) != SEED_BYTES or len(public) not in (0, SEED_BYTES):
        raise ValueError(f"it is {len(material)} bytes long, not 64, nor 32")
    if public and public != PrivateKey(seed).public:
        raise ValueError("its second half is not the public key of its first")
    return seed


def format_private(seed: bytes) -> str:
    """The `whsk_…` form of a key: its seed and its public key."""
    material = seed + PrivateKey(seed).public
    return PRIVATE_PREFIX + base64.b64encode(material).decode("ascii")


def format_public(public: bytes) -> str:
    """The `whpk_…` form of a public key."""
    return PUBLIC_PREFIX + base64.b64encode(public).decode("ascii")


def parse_public(text: str) -> bytes:
    """The public key that is written so. Raises ValueError."""
    key = base64.b64decode(text.removeprefix(PUBLIC_PREFIX), validate=True)
    if len(key) != SEED_BYTES:
        raise ValueError(f"it is {len(key)} bytes long, not {SEED_BYTES}")
    return key


def json_web_key(public: bytes) -> dict[str, Json]:
    """A public key as a JSON Web Key."""
    x = _base64url(public)
    # RFC 7638 §3.2: the required members alone, in this order, without spaces.
    thumbprint = sha256(b'{"crv":"Ed25519","kty":"OKP","x":"%b"}' % x.encode()).digest()
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": x,
        "kid": _base64url(thumbprint),
        "use": "sig",
        "alg": "EdDSA",
    }


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)
