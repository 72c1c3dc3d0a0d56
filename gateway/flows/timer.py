"""Lanes that have to wait for a moment, and the one timer that ends it.

A lane whose `wait` is not 0 is in here: it waits for the next token of its rate, for a probe, or for
the end of what its endpoint asked for. The timer sleeps until the first of those moments.
"""

from collections.abc import Callable

from gateway.core.model import Micros
from gateway.flows.lanes import AHEAD, Lane
from gateway.flows.loop import Loop
from gateway.ports import Clock
from gateway.telemetry import Telemetry


class Timer:
    """Calls *begin* with each lane that may go on: to begin what waits in it, or to have more claimed."""

    def __init__(self, begin: Callable[[Lane], None], clock: Clock, telemetry: Telemetry) -> None:
        self._begin = begin
        self._clock = clock
        self._lanes: set[Lane] = set()
        self._next_at: Micros | None = None
        """The moment of the next step, as far as it is planned."""
        self.loop = Loop("timer", self._step, clock, telemetry)

    def wait_for(self, lane: Lane, now: Micros) -> None:
        """Have *begin* called when the lane's wait, as it is now, is over."""
        self._lanes.add(lane)
        at = now + lane.acts_in(lane.wait(now))
        if self._next_at is None or at < self._next_at:
            self._next_at = at
            self.loop.wake()

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        self._next_at = now  # until the end of this step, nobody need wake us
        following: list[Micros] = []
        for lane in tuple(self._lanes):
            if lane.wait(now) <= AHEAD:
                self._begin(lane)
            wait = lane.wait(now)
            if wait == 0:
                self._lanes.discard(lane)
            else:
                following.append(now + lane.acts_in(wait))
        self._next_at = min(following, default=None)
        return self._next_at
