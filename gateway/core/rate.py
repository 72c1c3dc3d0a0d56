"""Rates: token buckets, which allow a bounded burst, and a pace, which allows none."""

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
        wait = _wait(full_at, self._burst, now)
        if not wait:
            self._full_at = full_at
        return wait


class TokenBuckets:
    """A token bucket for each key, in bounded memory.

    Of each only the moment is kept at which it is full again. When *most* are kept, those that were
    not used since the last time are forgotten, which is as if they were full.
    """

    __slots__ = ("_burst", "_full_at", "_interval", "_most", "_older")

    def __init__(self, rate: int, per: Micros = SECOND, *, most: int = 50_000) -> None:
        self._interval = per / rate
        self._burst = per
        self._most = most
        self._full_at: dict[str, float] = {}
        self._older: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at) + len(self._older)

    def take(self, key: str, now: Micros) -> Micros:
        """Take a token of this key, as `TokenBucket.take` does."""
        before = self._full_at.get(key)
        if before is None:
            before = self._older.get(key, 0)
        full_at = max(before, now) + self._interval
        wait = _wait(full_at, self._burst, now)
        if not wait:
            if len(self._full_at) >= self._most:
                self._full_at, self._older = {}, self._full_at
            self._full_at[key] = full_at
        return wait


def _wait(full_at: float, burst: Micros, now: Micros) -> Micros:
    wait = full_at - burst - now
    return ceil(wait) if wait > 1e-6 else 0  # less is rounding


TOLERANCE: Micros = 10_000
"""By so much an attempt may be early, so that those that a busy machine begins late are made up for."""

SLACK: Micros = 60 * SECOND
"""Who asks may have looked at the clock so long ago: it was not set back."""


class Pace:
    """Allows *rate* beginnings in each *per*, evenly spaced: a token bucket that holds one token.

    It is the generic cell rate algorithm (ITU-T I.371): only the moment is kept at which the next
    one is due. In no window does it allow more than `(window + TOLERANCE) / interval + 1`. Time is the
    wall clock's, so that what began before a restart counts after it; a clock that is set back costs
    one interval at most, and up to SLACK.
    """

    __slots__ = ("_due_at", "interval")

    def __init__(self, rate: int, per: Micros) -> None:
        self.interval: Micros = -(-per // rate)
        self._due_at: Micros = 0

    def wait(self, now: Micros) -> Micros:
        """How long until one may begin; 0: now. Who comes just then is neither too early nor late."""
        if now >= self._due_at - TOLERANCE:
            return 0
        latest = now + self.interval + TOLERANCE
        if self._due_at > latest + SLACK:  # the clock was set back
            self._due_at = latest
        return self._due_at - TOLERANCE // 2 - now

    def take(self, now: Micros) -> None:
        """One begins now. To be called where `wait` is 0."""
        self._due_at = max(self._due_at, now) + self.interval

    def began(self, at: Micros) -> None:
        """One has begun then, if not earlier, and may have done so as early as it could."""
        self._due_at = max(self._due_at, at + self.interval + TOLERANCE)

    def most_within(self, window: Micros) -> int:
        """How many may begin within that time, at least one."""
        return window // self.interval + 1
