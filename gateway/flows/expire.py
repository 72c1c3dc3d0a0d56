"""Ending deliveries that are too late to matter, also those that no claim comes to: of a paused lane, say."""

from gateway.core.model import SECOND, Micros
from gateway.flows.loop import Loop
from gateway.ports import Clock, LeaseStore
from gateway.telemetry import Telemetry

EVERY = 10 * SECOND
AT_A_TIME = 500
"""So many in one commit: events are taken between two of them."""


class Expire:
    """Looks for expired deliveries now and then."""

    def __init__(self, *, store: LeaseStore, clock: Clock, telemetry: Telemetry) -> None:
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self.loop = Loop("expire", self._step, clock, telemetry)

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        expired = await self._store.expire(now, AT_A_TIME)
        if expired:
            self._telemetry.emit("deliveries.expired", count=expired)
        return now if expired == AT_A_TIME else now + EVERY
