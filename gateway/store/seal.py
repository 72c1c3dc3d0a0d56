"""AES-256-GCM. A file of its own, so that its library is loaded only where something is encrypted."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


class SealingKey:
    """A key of 32 bytes; what it seals is bound to a place, and opens nowhere else."""

    def __init__(self, material: bytes) -> None:
        self._key = AESGCM(material)

    def seal(self, plain: bytes, place: str, number: int | None = None) -> bytes:
        """The sealed bytes; their nonce is *number*, or a random one: never one of them twice."""
        nonce = secrets.token_bytes(NONCE_BYTES) if number is None else number.to_bytes(NONCE_BYTES)
        return nonce + self._key.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes | None:
        """The bytes that were sealed there with this key; None: these were not."""
        try:
            return self._key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            return None
