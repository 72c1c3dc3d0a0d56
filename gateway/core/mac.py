"""HMAC (RFC 2104) under keys that are used again and again.

`hmac.digest` works its key in each time, and lets go of Python's global lock, however short the content
is: the lock then is the writer thread's, four times an event, and has to be won back.
"""

import hashlib
from functools import lru_cache

_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def mac(key: bytes, content: bytes, name: str = "sha256") -> bytes:
    """The MAC of *content* under *key*, with the hash of that *name*."""
    inner, outer = _begun(key, name)
    within = inner.copy()
    within.update(content)
    around = outer.copy()
    around.update(within.digest())
    return around.digest()


@lru_cache(maxsize=256)
def _begun(key: bytes, name: str) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """The inner and the outer hash, with the key in them (RFC 2104 §4)."""
    size = hashlib.new(name).block_size
    if len(key) > size:
        key = hashlib.new(name, key).digest()
    padded = key.ljust(size, b"\0")
    return hashlib.new(name, padded.translate(_INNER)), hashlib.new(name, padded.translate(_OUTER))
