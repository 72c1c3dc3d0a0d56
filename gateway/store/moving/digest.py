"""How many rows a table has, and what they come to: the same for the same rows, in whatever order.

Engines sort text differently once what PostgreSQL cannot hold is written as something else. So the digests
of the rows are added up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from gateway.store.steps import Row

SIZE = 1 << 256


@dataclass(slots=True)
class Digest:
    """Of the rows so far."""

    rows: int = 0
    total: int = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Take more rows in. Whole numbers, texts, bytes and nothing look the same from every engine."""
        for row in rows:
            self.rows += 1
            self.total += int.from_bytes(sha256(repr(row).encode()).digest())
        self.total %= SIZE

    @property
    def hex(self) -> str:
        """What the rows come to."""
        return self.total.to_bytes(32).hex()
