"""Writing down what attempts learned, and holding on to it while the store cannot.

An outcome that is not recorded would be an attempt made again. So while any waits to be written that
the store has once failed to write, no lane begins a new attempt: what waits is bounded by the lanes'
places. Nor does reclaiming take the lease of one that waits: it would be lost, and made again.
"""

import asyncio
import logging
from itertools import chain
from typing import TypeAlias

from gateway.core.errors import LeaseLost, StoreUnavailable
from gateway.core.model import SECOND, Attempt, Delivery, Micros
from gateway.core.retry import Decision, Park, RetryAt
from gateway.flows.lanes import Lanes
from gateway.flows.loop import Loop
from gateway.ports import Clock, RecordStore
from gateway.telemetry import Telemetry

AGAIN_AFTER = SECOND

Outcome: TypeAlias = tuple[Delivery, Attempt, Decision]


class Recorder:
    """Hands outcomes to the store, and tells the lanes when to come back."""

    def __init__(
        self,
        store: RecordStore,
        lanes: Lanes,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._clock = clock
        self._telemetry = telemetry
        self._under_way: dict[asyncio.Future[None], Outcome] = {}
        self._unrecorded: list[Outcome] = []
        self.loop = Loop("record", self._again, clock, telemetry)

    def record(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Have the outcome written with the next commit; does not wait for it."""
        future = asyncio.ensure_future(self._store.record(delivery, attempt, decision))
        self._under_way[future] = (delivery, attempt, decision)
        future.add_done_callback(self._done)

    async def flush(self) -> int:
        """Wait until what was handed over is committed or has failed; how much has failed."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        return len(self._unrecorded)

    async def finish(self) -> None:
        """Write down what can be; say of how many outcomes nothing will be known."""
        if await self.flush():
            await self._again()
        if self._unrecorded:
            self._telemetry.emit("outcomes.lost", count=len(self._unrecorded))

    def tokens(self) -> list[int]:
        """The leases of all whose outcome is not yet written down."""
        outcomes = chain(self._under_way.values(), self._unrecorded)
        return [delivery.lease.token for delivery, _, _ in outcomes if delivery.lease is not None]

    def _done(self, future: "asyncio.Future[None]") -> None:
        outcome = self._under_way.pop(future)
        delivery, attempt, decision = outcome
        error = None if future.cancelled() else future.exception()
        if error is None:
            if isinstance(decision, RetryAt):
                self._lanes.note_due(delivery.endpoint, decision.due_at)
            elif isinstance(decision, Park):
                self._lanes.note_due(delivery.endpoint, attempt.started_at)
            self._telemetry.emit(
                "attempt.recorded", delivery=delivery, attempt=attempt, decision=decision
            )
        elif isinstance(error, LeaseLost):
            self._telemetry.emit("lease.lost", delivery=delivery.id, endpoint=delivery.endpoint)
        elif isinstance(error, StoreUnavailable):
            self._unrecorded.append(outcome)
            if "outcomes" not in self._lanes.held_by:
                self._lanes.hold("outcomes")
                self.loop.wake()
        else:
            # Our own fault: keep the rest going. The lease runs out, and the delivery is made again.
            logging.getLogger(__name__).error(
                "the outcome of %s could not be recorded", delivery.id, exc_info=error
            )

    async def _again(self) -> Micros | None:
        """Try once more with all that could not be written; when all is, let the lanes go on."""
        if not self._unrecorded:
            return None
        outcomes, self._unrecorded = self._unrecorded, []
        for outcome in outcomes:
            self.record(*outcome)
        if await self.flush():
            return self._clock.now() + AGAIN_AFTER
        self._lanes.let_go("outcomes")
        return None
