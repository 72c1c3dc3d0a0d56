"""Putting deliveries whose lease ran out back on schedule."""

from gateway.core.model import SECOND, Micros
from gateway.flows.claim import Claim
from gateway.flows.lanes import CLOCK_OFF, OUT_OF_TOUCH, Lanes
from gateway.flows.loop import Loop
from gateway.flows.record import Recorder
from gateway.ports import Clock, LeaseStore
from gateway.telemetry import Telemetry

EVERY = 10 * SECOND
UNSURE = frozenset({"store", "outcomes", OUT_OF_TOUCH, CLOCK_OFF})
"""While lanes are held for one of these, nobody can say which leases of others have ended."""
SETTLES = 5 * SECOND
"""Once a store is back that others write to as well, so long they have to record what they held."""


class Reclaim:
    """Looks for expired leases now and then."""

    def __init__(
        self,
        *,
        store: LeaseStore,
        lanes: Lanes,
        claim: Claim,
        recorder: Recorder,
        clock: Clock,
        telemetry: Telemetry,
        shared: bool = False,
    ) -> None:
        """With *shared*, other nodes have leases in the store."""
        self._shared = shared
        self._not_before = clock.now() + SETTLES if shared else 0
        self._store = store
        self._recorder = recorder
        self._lanes = lanes
        self._claim = claim
        self._clock = clock
        self._telemetry = telemetry
        self.loop = Loop("reclaim", self._step, clock, telemetry)

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        if self._shared and self._lanes.held_by & UNSURE:
            self._not_before = now + SETTLES
        if now < self._not_before:
            return min(self._not_before, now + SECOND)
        if "store" not in self._lanes.held_by:  # it would only fail
            # Outcomes that wait to be written must not have their leases taken from under them.
            reclaimed = await self._store.reclaim(now, self._recorder.tokens())
            if reclaimed:
                self._telemetry.emit("leases.reclaimed", count=reclaimed)
                await self._claim.refresh()
        return now + EVERY
