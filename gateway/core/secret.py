"""Secrets as values that never print."""

from dataclasses import dataclass, field

from gateway.core.model import Micros


@dataclass(frozen=True, slots=True)
class Key:
    """The bytes of a secret, and the moment from which it is no longer used (None: no such moment).

    Its representation shows neither; it compares by content.
    """

    material: bytes = field(repr=False)
    until: Micros | None = None

    def valid(self, now: Micros) -> bool:
        """Whether it may still be used at *now*."""
        return self.until is None or now < self.until
