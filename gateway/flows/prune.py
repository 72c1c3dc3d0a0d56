"""Letting go of what retention no longer keeps: a little at a time, behind everything else.

The store is walked from its oldest event on. A step looks at a page of events, off the writer's queue,
and deletes those of them that nothing keeps, in commits of a few milliseconds; then it rests, so that
most of the writer's time stays everyone else's. What a walk has left in place (work to do, dead
letters, keys that count) it does not look at again until the next one that starts over.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.core.access import ALL, LOCAL, Caller
from gateway.core.errors import StoreUnavailable
from gateway.core.evidence_key import EvidenceKey
from gateway.core.model import SECOND, EventId, Micros
from gateway.core.retention import Examined, Horizon, Retention, Room, bytes_to_give_back, horizon
from gateway.flows.audit import Audit
from gateway.flows.loop import Loop
from gateway.ports import Clock, EvidenceStore, OperateStore, TendStore
from gateway.telemetry import Telemetry

EVERY = 60 * SECOND
START_OVER_EVERY = 3600 * SECOND
"""Events that ended after a walk had passed them go so much later, at most."""


class Pace(NamedTuple):
    """How much of the writer's time pruning takes."""

    page: int
    """So many events are examined at once."""
    rows: int
    """So many are deleted in one commit, or one event's."""
    rest: int
    """After each step, so many times as long as it took."""


GENTLE = Pace(page=64, rows=512, rest=4)
"""Some 3 ms a commit."""
HURRIED = Pace(page=256, rows=2048, rest=3)
"""Some 12 ms: where events come faster than a gentle walk lets go of them."""
BEHIND = 3600 * SECOND
"""What could have gone so long ago makes a walk hurry; and so does a database that is too large."""

MOST_GIVEN_BACK = 128 * 4096
"""Bytes by which the file is made smaller in one commit: some 3 ms."""

MEASURED_EVERY = 10 * SECOND
"""A store is measured so often while it is walked; at each step while it is too large."""

SLICE = SECOND
"""For so long a slice works that someone waits for."""


@dataclass(slots=True)
class Walk:
    """How far one has come, and what it has deleted."""

    after: str = ""
    gone: Counter[str] = field(default_factory=Counter)
    pace: Pace = GENTLE
    surplus: int | None = None
    """How many events are too many, whatever their age; None: they have not been counted yet."""


class Slice(NamedTuple):
    """What came of a part of a walk that someone asked for."""

    gone: Mapping[str, int]
    """By kind: `events`, `inbox`, `once`, `audit`, `operations`, `evidence`."""
    after: str | None
    """Where the next slice begins; None: this was the last."""


class Prune:
    """Walks now and then, and on request."""

    def __init__(  # noqa: PLR0913  # what it tends
        self,
        *,
        store: TendStore,
        audit: OperateStore,
        retention: Retention,
        windows: Callable[[], Mapping[str, Micros]],
        clock: Clock,
        telemetry: Telemetry,
        evidence: EvidenceStore | None = None,
        key: EvidenceKey | None = None,
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._audit = Audit(audit, clock, telemetry)
        self._retention = retention
        self._windows = windows
        self._paused = paused
        self._evidence = evidence
        self._key = key
        self._clock = clock
        self._telemetry = telemetry
        self._walk = Walk()
        self._start_over_at: Micros = 0
        self._too_large = False
        self._measure_at: Micros = 0
        self.loop = Loop("prune", self._step, clock, telemetry)

    async def on_request(self, after: str, by: Caller = LOCAL) -> Slice:
        """Do the next slice of a walk now, without a rest."""
        if not after:
            await self._audit.note(by, "prune", ALL)
        walk, began = Walk(after), self._clock.monotonic()
        more = True
        while more and self._clock.monotonic() - began < SLICE:
            more = await self._advance(walk)
        self._report(walk.gone)
        return Slice(walk.gone, walk.after if more else None)

    async def count(self, after: str) -> Slice:
        """What `on_request` would delete of the next slice by its age."""
        began, before = self._clock.monotonic(), self._horizon(too_large=False)
        events = 0
        while page := await self._store.examine(after, before, HURRIED.page):
            events += sum(before.lets_go(event) for event in page)
            after = page[-1].id
            if self._clock.monotonic() - began > SLICE:
                return Slice({"events": events}, after)
        return Slice({"events": events, **await self._store.count_others(before)}, None)

    async def _step(self) -> Micros | None:
        """Take one step of a walk; at its end, say what is gone."""
        now, began = self._clock.now(), self._clock.monotonic()
        if self._paused():
            return now + EVERY
        if now >= self._start_over_at:
            self._walk.after, self._start_over_at = "", now + START_OVER_EVERY
        try:
            if await self._advance(self._walk):
                return now + self._walk.pace.rest * (self._clock.monotonic() - began)
            self._report(self._walk.gone)
            self._walk.gone, self._walk.surplus = Counter(), None
            await self._measure()
        except StoreUnavailable as error:
            self._telemetry.emit("retention.failed", error=str(error))
        return now + EVERY

    async def _measure(self) -> None:
        """Say how large the store is, and when it is larger than it was to be."""
        room, most = await self._store.room(), self._retention.size_bytes
        self._telemetry.emit("store.measured", **room._asdict())
        used = await self._counted(room)
        if used > most:
            self._telemetry.emit("retention.exceeded", used=used, retention_size=most)

    def _horizon(self, *, too_large: bool) -> Horizon:
        """What goes at this moment."""
        return horizon(self._retention, self._windows(), self._clock.now(), too_large=too_large)

    async def _surplus(self) -> int:
        """How many events there are too many."""
        most = self._retention.events
        return 0 if most is None else max(0, await self._store.count_events() - most)

    async def _advance(self, walk: Walk) -> bool:
        """Take the next step; False: there was nothing left to do."""
        if walk.surplus is None:
            walk.surplus = await self._surplus()
        too_large = await self._is_too_large()
        before = self._horizon(too_large=too_large or walk.surplus > 0)
        most = walk.surplus if walk.surplus and not too_large else None
        may_drop = too_large or not (walk.after or most)
        return (
            (may_drop and await self._drop_day(walk, before))
            or await self._prune_page(walk, before, most)
            or await self._prune_others(walk, before)
            or await self._prune_evidence(walk)
            or await self._give_back()
        )

    async def _is_too_large(self) -> bool:
        """Whether more is stored than there was to be."""
        now = self._clock.monotonic()
        if self._too_large or now >= self._measure_at:
            room = await self._store.room()
            self._too_large = await self._counted(room) > self._retention.size_bytes
            self._measure_at = now + MEASURED_EVERY
        return self._too_large

    async def _drop_day(self, walk: Walk, before: Horizon) -> bool:
        """Delete the next day whole; whether there was one to look at."""
        dropped = await self._store.drop_days(before)
        walk.gone["events"] += dropped or 0
        return dropped is not None

    async def _prune_page(self, walk: Walk, before: Horizon, most: int | None) -> bool:
        """Delete what is to go of the next page of events, at most so many; whether there was one."""
        page = await self._store.examine(walk.after, before, walk.pace.page)
        going = [event for event in page if before.lets_go(event)][:most]
        for batch in batches(going, walk.pace.rows):
            walk.gone["events"] += await self._store.prune(batch)
        behind = bool(going) and going[0].received_at < before.latest - BEHIND
        walk.pace = HURRIED if behind else GENTLE
        if page:
            walk.after = going[-1].id if len(going) == most else page[-1].id
        walk.surplus = max(0, (walk.surplus or 0) - len(going)) if page else 0
        return bool(page)

    async def _prune_others(self, walk: Walk, before: Horizon) -> bool:
        gone = await self._store.prune_others(before, GENTLE.rows)
        walk.gone.update(gone)
        return max(gone.values()) == GENTLE.rows

    async def _prune_evidence(self, walk: Walk) -> bool:
        lasts = self._retention.evidence
        if lasts is None or self._evidence is None or self._key is None:
            return False
        now = self._clock.now()
        gone = await self._evidence.let_go(now - lasts, now, GENTLE.page, self._key)
        walk.gone["evidence"] += gone
        return gone > 0

    async def _counted(self, room: Room) -> int:
        """What `retention_size` is about: evidence is kept for a time of its own, however large it is."""
        beside = 0 if self._evidence is None else await self._evidence.size_bytes()
        return max(0, room.used - beside)

    async def _give_back(self) -> bool:
        spare = bytes_to_give_back(await self._store.room())
        if spare:
            await self._store.give_back(min(spare, MOST_GIVEN_BACK))
        return spare > 0

    def _report(self, gone: Counter[str]) -> None:
        if told := +gone:
            self._telemetry.emit("retention.pruned", **told)


def batches(events: Sequence[Examined], most: int) -> list[list[EventId]]:
    """Events that go in one commit each: no more than *most* rows, or a single event."""
    made: list[list[EventId]] = []
    rows = most
    for event in events:
        rows += 1 + event.rows
        if rows > most:
            made.append([])
            rows = 1 + event.rows
        made[-1].append(event.id)
    return made
