"""How much waits for each endpoint, and since when, for whoever watches from outside.

The store has to count that, and counting a million takes it a second. So it counts when it is asked, and
only if the last count is some time ago: the longer it took, the longer that one stands.
"""

import asyncio

from gateway.core.model import SECOND, Json, Micros, rfc3339_moment
from gateway.ports import Clock, LookUpStore

STANDS = 10 * SECOND
"""A count is not repeated within this."""
SHARE = 20
"""Nor within so many times what it took: at most a twentieth of the time is spent on counting …"""
QUICK = SECOND // 50
"""… unless it takes less than this."""


class Backlog:
    """What the store counted last."""

    def __init__(self, store: LookUpStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._counting = asyncio.Lock()
        self._counted_at: Micros | None = None
        self._took: Micros = 0
        self._due: dict[str, Micros | None] = {}
        self.stats: dict[str, Json] = {}
        """All of it: see `LookUpStore.stats`."""
        self.waiting: dict[str, int] = {}
        """For each endpoint for which anything does, how many deliveries wait."""
        self.dead: dict[str, int] = {}
        """And how many are dead letters."""

    async def look(self, stands: Micros = STANDS) -> None:
        """Have the store count, unless it did so within *stands* or lately. Raises StoreUnavailable."""
        async with self._counting:
            began = self._clock.monotonic()
            long = SHARE * self._took if self._took > QUICK else 0
            stands_until = (self._counted_at or 0) + max(stands, long)
            if self._counted_at is not None and began < stands_until:
                return
            stats = await self._store.stats()
            self._counted_at, self._took = began, self._clock.monotonic() - began
        self.stats = stats
        self.waiting = {name: each["count"] for name, each in stats["scheduled"].items()}
        self.dead = {name: each["count"] for name, each in stats["dead"].items()}
        self._due = {
            name: each["first_at"] and rfc3339_moment(each["first_at"])
            for name, each in stats["scheduled"].items()
        }

    def overdue(self) -> dict[str, float]:
        """For how many seconds the oldest that waits for each endpoint has been due; 0: none is yet."""
        now = self._clock.now()
        return {
            name: 0.0 if due_at is None else max(0, now - due_at) / SECOND
            for name, due_at in self._due.items()
        }
