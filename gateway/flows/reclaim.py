"""Putting deliveries whose lease ran out back on schedule.

Nodes that share a store look by turns, without knowing of each other more than how many they are: each the
more seldom the more there are, so that together they look about once a second.
"""

from collections.abc import Callable

from gateway.core.model import SECOND, Micros
from gateway.flows.claim import Claim
from gateway.flows.lanes import CLOCK_OFF, OUT_OF_TOUCH, Lanes
from gateway.flows.loop import Loop
from gateway.flows.record import Recorder
from gateway.ports import Clock, LeaseStore
from gateway.telemetry import Telemetry

EVERY = 10 * SECOND
TOGETHER_EVERY = SECOND
"""So often one of all nodes looks, where leases may be those of one that is dead."""
MOST_SELDOM = 25 * SECOND
"""A node that is alone all of a sudden looks by then; of a hundred, four a second do."""
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
        nodes: Callable[[], int] | None = None,
    ) -> None:
        """How many *nodes* have leases in the store, this one included; None: no other ever has."""
        self._nodes = nodes
        self._not_before = 0 if nodes is None else clock.now() + SETTLES
        self._store = store
        self._recorder = recorder
        self._lanes = lanes
        self._claim = claim
        self._clock = clock
        self._telemetry = telemetry
        self.loop = Loop("reclaim", self._step, clock, telemetry)

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        if self._nodes is not None and self._lanes.held_by & UNSURE:
            self._not_before = now + SETTLES
        if now < self._not_before:
            return min(self._not_before, now + SECOND)
        if "store" not in self._lanes.held_by:  # it would only fail
            # Outcomes that wait to be written must not have their leases taken from under them.
            reclaimed = await self._store.reclaim(now, self._recorder.tokens())
            if reclaimed:
                self._telemetry.emit("leases.reclaimed", count=reclaimed)
                await self._claim.refresh()
        return now + self._wait()

    def _wait(self) -> Micros:
        """Until this node looks again: at a moment that is not the others'."""
        if self._nodes is None:
            return EVERY
        return round(wait_among(self._nodes()) * (1 + 0.3 * self._clock.chance()))


def wait_among(nodes: int) -> Micros:
    """How long each of so many nodes waits, give or take a third."""
    return min(TOGETHER_EVERY * nodes, MOST_SELDOM)
