"""Keys: texts that senders and expressions make, which are compared and looked up, and never read."""

from hashlib import sha256

LONGEST = 256
"""Characters. Indexes of databases hold no entries of any length: PostgreSQL's end at 2,704 bytes."""


def bounded(key: str) -> str:
    """A key as it is kept: a long one by its SHA-256, so that whoever makes it cannot make it too long."""
    if len(key) <= LONGEST:
        return key
    return f"sha256:{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
