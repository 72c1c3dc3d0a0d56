"""Telling of deliveries that take too long: once for each, with the endpoint that they are for."""

from gateway.core.model import SECOND, Micros
from gateway.flows.loop import Loop
from gateway.ports import Clock, LookUpStore, NoteStore
from gateway.telemetry import Telemetry

EVERY = 10 * SECOND
WHAT = "late"


class Late:
    """Looks now and then for what has become late since it last looked, over restarts too."""

    def __init__(
        self, *, look_up: LookUpStore, store: NoteStore, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._look_up = look_up
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._told_till: Micros = 0
        self.loop = Loop("late", self._step, clock, telemetry)

    async def counts(self) -> dict[str, int]:
        """How many unfinished deliveries are late, by endpoint."""
        late = await self._look_up.late_between(0, self._clock.now())
        return {endpoint: count for endpoint, (count, _, _) in late.items()}

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        noted = await self._look_up.told_till(WHAT)
        told_till = max(self._told_till, noted or 0)
        late = await self._look_up.late_between(told_till, now)
        # Of several nodes that look at once, the one that notes it first tells.
        if late and not await self._store.note_told(WHAT, now, noted):
            return self._clock.now()
        self._told_till = now
        for endpoint, (count, oldest, event) in late.items():
            self._telemetry.emit(
                "deliveries.late",
                endpoint=endpoint,
                count=count,
                oldest_seconds=(now - oldest) // SECOND,
                oldest_event=event,
            )
        return now + EVERY
