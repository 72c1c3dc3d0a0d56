"""What the last hour was like, minute by minute: for whoever looks, without a time-series database.

It is kept in memory, and begins with the process. Noting an attempt is an addition in a minute that is already
there; the rest happens when somebody asks.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from gateway.core.errors import StoreUnavailable
from gateway.core.model import SECOND, Attempt, Delivery, Micros, Receipt
from gateway.core.retry import Decision, Finish, GiveUp
from gateway.flows.backlog import Backlog
from gateway.flows.loop import Loop
from gateway.ports import Clock
from gateway.telemetry import Telemetry

MINUTE = 60 * SECOND
MINUTES = 60
"""So many are kept."""

BOUNDS = tuple(1000 * 2 ** (i / 2) for i in range(34))
"""Microseconds, each √2 times the one before, to a minute and a half: a percentile is right to a fifth of itself."""


def _no_durations() -> "array[int]":
    return array("I", bytes(4 * (len(BOUNDS) + 1)))


@dataclass(slots=True)
class Minute:
    """What happened in one minute."""

    received: int = 0
    """Events that were kept."""
    delivered: int = 0
    failed: int = 0
    """Attempts that did not deliver, also those that will be made again."""
    dead: int = 0
    waiting: int | None = None
    """Deliveries that waited when they were counted; None: nobody did."""
    durations: "array[int]" = field(default_factory=_no_durations)
    """How many attempts took how long, by BOUNDS."""


NOTHING = Minute()


class Hour:
    """The last minutes in which anything was noted."""

    __slots__ = ("_current", "_minutes", "_noted")

    def __init__(self) -> None:
        self._minutes: dict[int, Minute] = {}
        self._current = -1
        self._noted = NOTHING
        """The minute that was asked for last: it nearly always is again."""

    def at(self, minute: int) -> Minute:
        """That minute, to note something in."""
        if minute != self._current:
            self._current, self._noted = minute, self._found(minute)
        return self._noted

    def _found(self, minute: int) -> Minute:
        found = self._minutes.get(minute)
        if found is None:
            found = self._minutes[minute] = Minute()
            for old in [m for m in self._minutes if m <= minute - MINUTES]:
                del self._minutes[old]
        return found

    def until(self, minute: int) -> list[Minute]:
        """The minutes up to this one, oldest first; empty ones where nothing was noted."""
        return [self._minutes.get(m, NOTHING) for m in range(minute - MINUTES + 1, minute + 1)]


class History:
    """Listens to telemetry, and counts what waits once a minute."""

    def __init__(self, backlog: Backlog, clock: Clock, telemetry: Telemetry) -> None:
        self._backlog = backlog
        self._clock = clock
        self._all = Hour()
        self._endpoints: defaultdict[str, Hour] = defaultdict(Hour)
        self._begun = False
        self.loop = Loop("history", self._step, clock, telemetry)
        telemetry.listen(self, "attempt.recorded", "events.kept")

    def __call__(self, name: str, fields: dict[str, Any]) -> None:
        """Note one report."""
        if name == "attempt.recorded":
            self._attempt(**fields)
        elif name == "events.kept" and fields["came"]:
            receipts: Sequence[Receipt] = fields["receipts"]
            self._all.at(self._minute()).received += sum(not each.duplicate for each in receipts)

    def overall(self) -> list[Minute]:
        """The last hour of the whole gateway."""
        return self._all.until(self._minute())

    def of(self, endpoint: str) -> list[Minute]:
        """The last hour of that endpoint."""
        hour = self._endpoints.get(endpoint)
        return [NOTHING] * MINUTES if hour is None else hour.until(self._minute())

    def _attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        minute = (attempt.started_at + attempt.duration) // MINUTE
        place = bisect_left(BOUNDS, attempt.duration)
        of_all, of_endpoint = self._all.at(minute), self._endpoints[delivery.endpoint].at(minute)
        of_all.durations[place] += 1
        of_endpoint.durations[place] += 1
        if isinstance(decision, Finish):
            of_all.delivered += 1
            of_endpoint.delivered += 1
        else:
            dead = isinstance(decision, GiveUp)
            for noted in (of_all, of_endpoint):
                noted.failed += 1
                noted.dead += dead

    def _minute(self) -> int:
        return self._clock.now() // MINUTE

    async def _step(self) -> Micros | None:
        if not self._begun:  # there is a whole minute to count in
            self._begun = True
            return self._next_minute()
        try:
            await self._backlog.look()
        except StoreUnavailable:  # then nobody knows
            return self._next_minute()
        self._note_waiting(self._backlog.waiting)
        return self._next_minute()

    def _note_waiting(self, waiting: Mapping[str, int]) -> None:
        minute = self._minute()
        self._all.at(minute).waiting = sum(waiting.values())
        for endpoint in waiting.keys() | self._endpoints.keys():
            self._endpoints[endpoint].at(minute).waiting = waiting.get(endpoint, 0)

    def _next_minute(self) -> Micros:
        return (self._minute() + 1) * MINUTE


def percentile(minutes: Iterable[Minute], share: float) -> float | None:
    """How many seconds that *share* of the attempts took at most, about; None: there were none."""
    counts: list[int] = [sum(each) for each in zip(*(m.durations for m in minutes), strict=True)]
    sought = share * sum(counts)
    if not sought:
        return None
    so_far = 0
    for (lower, upper), count in zip(pairwise((0.0, *BOUNDS, BOUNDS[-1])), counts, strict=True):
        if count and so_far + count >= sought:
            return (lower + (upper - lower) * (sought - so_far) / count) / SECOND
        so_far += count
    return BOUNDS[-1] / SECOND
