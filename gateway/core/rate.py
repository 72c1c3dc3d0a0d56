"""A token bucket: so many in a second, with a bounded burst."""

from math import ceil

from gateway.core.model import SECOND, Micros


class TokenBucket:
    """Allows *rate* events in each *per*, and at most that many at once.

    Time is the caller's: any clock that does not run backwards will do.
    """

    __slots__ = ("_burst", "_full_at", "_interval")

    def __init__(self, rate: int, per: Micros = SECOND) -> None:
        self._interval = per / rate
        self._burst = per
        self._full_at = float("-inf")

    def take(self, now: Micros) -> Micros:
        """Take one token: 0 when there was one, else how long until there will be (none is taken)."""
        full_at = max(self._full_at, now) + self._interval
        wait = full_at - self._burst - now
        if wait > 1e-6:  # less is rounding
            return ceil(wait)
        self._full_at = full_at
        return 0
