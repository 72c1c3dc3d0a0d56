"""Making planned events when they are due.

A batch of them is taken, kept with all their deliveries in one commit, and then let go of. A crash on the way leads
here again: what was kept already is a duplicate then. Of several nodes one takes each.
"""

from collections.abc import Sequence
from typing import Any

from gateway.core.errors import StoreBehind
from gateway.core.model import FOREVER, SECOND, Event, Micros
from gateway.core.plans import DuePlan, event_of
from gateway.flows.keep import Keep
from gateway.flows.loop import Loop
from gateway.ports import Clock, PlanStore
from gateway.telemetry import Telemetry

AT_A_TIME = 100
TAKEN = 60 * SECOND
"""So long it takes to make a batch, whatever comes; after a crash it is made again."""
EVERY = 10 * SECOND
"""Another node may have planned something, and not be there any more."""


class MakePlanned:
    """Makes the events that rules have planned."""

    def __init__(self, *, store: PlanStore, keep: Keep, clock: Clock, telemetry: Telemetry) -> None:
        self._store = store
        self._keep = keep
        self._clock = clock
        self._telemetry = telemetry
        self.loop = Loop("plans", self._step, clock, telemetry)
        telemetry.listen(self._hear_kept, "events.kept")
        telemetry.listen(self._hear_attempt, "attempt.recorded")

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
        return now + EVERY if following is None else min(following, now + EVERY)

    async def _make(self, due: Sequence[DuePlan], now: Micros) -> None:
        events = [event for each in due if (event := self._event(each, now)) is not None]
        if events:
            await self._keep.keep(events, FOREVER)
        await self._store.end_plans([each.id for each in due])

    def _event(self, due: DuePlan, now: Micros) -> Event | None:
        """The event that was planned; None where there is none to be made of it."""
        if due.missed:
            self._telemetry.emit("plan.missed", plan=due.id, planner=due.planner, key=due.key)
            return None
        if due.made is None:
            self._telemetry.emit("plan.corrupt", plan=due.id, planner=due.planner, key=due.key)
            return None
        return event_of(due, event_id=self._keep.new_id(), now=now)

    def _hear_kept(self, _name: str, fields: dict[str, Any]) -> None:
        if any(arrival.routed.plans for arrival in fields["arrivals"]):
            self.loop.wake()

    def _hear_attempt(self, _name: str, fields: dict[str, Any]) -> None:
        if fields["attempt"].plans:
            self.loop.wake()
