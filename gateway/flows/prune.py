"""Letting go of what retention no longer keeps: a little at a time, behind everything else.

The store is walked from its oldest event on. A step looks at a page of events, off the writer's queue,
and deletes those of them that nothing keeps, in commits of a few milliseconds; then it rests, so that
most of the writer's time stays everyone else's. What a walk has left in place (work to do, dead
letters, keys that count) it does not look at again until the next one that starts over.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from gateway.core.model import SECOND, EventId, Micros
from gateway.core.retention import Examined, Horizon, Retention, bytes_to_give_back, horizon
from gateway.flows.loop import Loop
from gateway.ports import Clock, TendStore
from gateway.telemetry import Telemetry

EVERY = 60 * SECOND
START_OVER_EVERY = 3600 * SECOND
"""Events that ended after a walk had passed them go so much later, at most."""

PAGE = 64
"""So many events are examined at once."""
MOST_ROWS = 512
"""So many rows are deleted in one commit, or one event's: about 5 ms."""
MOST_GIVEN_BACK = 128 * 4096
"""Bytes by which the file is made smaller in one commit, likewise."""
REST = 4
"""After each commit, so many times as long as it took."""


class Prune:
    """Walks now and then, and on request."""

    def __init__(
        self,
        *,
        store: TendStore,
        retention: Retention,
        windows: Callable[[], Mapping[str, Micros]],
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._retention = retention
        self._windows = windows
        self._clock = clock
        self._telemetry = telemetry
        self._after = ""
        self._start_over_at: Micros = 0
        self._gone: Counter[str] = Counter()
        self.loop = Loop("prune", self._step, clock, telemetry)

    async def _step(self) -> Micros | None:
        """Take one step of a walk; at its end, say what is gone."""
        now, began = self._clock.now(), self._clock.monotonic()
        if now >= self._start_over_at:
            self._after, self._start_over_at = "", now + START_OVER_EVERY
        before = await self.horizon()
        more = await self._prune_page(before) or await self._prune_others(before)
        more = more or await self._give_back()
        if more:
            return now + REST * (self._clock.monotonic() - began)
        await self._report()
        return now + EVERY

    async def horizon(self) -> Horizon:
        """What goes at this moment."""
        room = await self._store.room()
        too_large = room.used > self._retention.size_bytes
        return horizon(self._retention, self._windows(), self._clock.now(), too_large=too_large)

    async def _prune_page(self, before: Horizon) -> bool:
        """Delete what is to go of the next page of events; whether there was one."""
        page = await self._store.examine(self._after, before, PAGE)
        for batch in batches([event for event in page if before.lets_go(event)]):
            self._gone["events"] += await self._store.prune(batch)
        if page:
            self._after = page[-1].id
        return bool(page)

    async def _prune_others(self, before: Horizon) -> bool:
        gone = await self._store.prune_others(before, MOST_ROWS)
        self._gone.update(gone)
        return max(gone.values()) == MOST_ROWS

    async def _give_back(self) -> bool:
        spare = bytes_to_give_back(await self._store.room())
        if spare:
            await self._store.give_back(min(spare, MOST_GIVEN_BACK))
        return spare > 0

    async def _report(self) -> None:
        gone, self._gone = +self._gone, Counter()
        if gone:
            self._telemetry.emit("retention.pruned", **gone)
        room = await self._store.room()
        if room.used > self._retention.size_bytes:
            self._telemetry.emit(
                "retention.exceeded", used=room.used, retention_size=self._retention.size_bytes
            )


def batches(events: Sequence[Examined]) -> list[list[EventId]]:
    """Events that go in one commit each: no more than MOST_ROWS rows, or a single event."""
    made: list[list[EventId]] = []
    rows = MOST_ROWS
    for event in events:
        rows += 1 + event.rows
        if rows > MOST_ROWS:
            made.append([])
            rows = 1 + event.rows
        made[-1].append(event.id)
    return made
