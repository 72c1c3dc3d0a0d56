"""Making planned events when they are due.

A batch of them is taken, kept with all their deliveries in one commit, and then let go of. A crash on the way leads
here again: what was kept already is a duplicate then. Of several nodes one takes each.
"""

from collections.abc import Sequence
from typing import Any

from gateway.core.derived import OWN_SOURCE
from gateway.core.errors import StoreBehind
from gateway.core.model import FOREVER, SECOND, InboxEntry, Micros
from gateway.core.plans import DuePlan, event_of
from gateway.flows.keep import Keep
from gateway.flows.loop import Loop
from gateway.ports import AppendStore, Clock, PlanStore
from gateway.telemetry import Telemetry

AT_A_TIME = 100
TAKEN = 60 * SECOND
"""So long it takes to make a batch, whatever comes; after a crash it is made again."""
EVERY = 10 * SECOND
"""Another node may have planned something, and not be there any more."""


class MakePlanned:
    """Makes the events that rules have planned."""

    def __init__(
        self,
        *,
        store: PlanStore,
        inbox: AppendStore,
        keep: Keep,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._keep = keep
        self._clock = clock
        self._telemetry = telemetry
        self.loop = Loop("plans", self._step, clock, telemetry)
        telemetry.listen(self._hear_kept, "events.kept")
        telemetry.listen(self._hear_attempt, "attempt.recorded")
        telemetry.listen(self._hear_answer, "question.answered")

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        due = await self._store.take_plans(now, now + TAKEN, AT_A_TIME)
        if due:
            try:
                await self._make(due, now)
            except StoreBehind:
                return now + SECOND
        if len(due) == AT_A_TIME:
            return now
        following = await self._store.next_plan()
        if following is None:
            return now + EVERY
        # What was due and is not ours is being made elsewhere, or was when that ended.
        return min(following, now + EVERY) if following > now else now + SECOND

    async def _make(self, due: Sequence[DuePlan], now: Micros) -> None:
        events = []
        for each in due:
            if each.missed:
                self._telemetry.emit(
                    "plan.missed", plan=each.id, planner=each.planner, key=each.key
                )
            elif each.made is None:
                await self._inbox.keep(_corrupt(each, now))
            else:
                events.append(event_of(each, event_id=self._keep.new_id(), now=now))
        if events:
            await self._keep.keep(events, FOREVER)
        await self._store.end_plans([each.id for each in due])

    def _hear_kept(self, _name: str, fields: dict[str, Any]) -> None:
        if any(each.routed.plans or each.routed.replies for each in fields["arrivals"]):
            self.loop.wake()

    def _hear_attempt(self, _name: str, fields: dict[str, Any]) -> None:
        if fields["attempt"].plans:
            self.loop.wake()

    def _hear_answer(self, _name: str, _fields: dict[str, Any]) -> None:
        self.loop.wake()


def _corrupt(due: DuePlan, now: Micros) -> InboxEntry:
    """What the inbox is told of a planned event whose bytes are not those that were stored."""
    return InboxEntry(
        id=f"inb_{due.id[4:]}",
        source=OWN_SOURCE,
        code="body-corrupt",
        detail=f"what {due.planner} planned for {due.key} cannot be read, and is not made: restore a backup",
        received_at=now,
        content_type="",
        body=b"",
    )
