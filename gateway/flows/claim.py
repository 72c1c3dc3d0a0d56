"""Taking leases on deliveries that are due: retries, backlog, and what expired leases gave back."""

import asyncio
from collections.abc import Iterable

from gateway.core.model import SECOND, Micros
from gateway.flows.deliver import Deliver
from gateway.flows.lanes import LEASE_MARGIN, MOST_BYTES, Lane, Lanes
from gateway.flows.loop import Loop
from gateway.ports import Clock, LeaseStore, NodeStore
from gateway.telemetry import Telemetry

MOST_AT_ONCE = 500
"""So many are claimed together; a wide lane claims again at once. It is one short statement."""

LOOK_EVERY = SECOND // 2
"""How often to look for what other nodes have put on schedule."""


class Claim:
    """Fills lanes from the store, each as far as it has places, all in one commit."""

    def __init__(
        self,
        *,
        lanes: Lanes,
        store: LeaseStore,
        deliver: Deliver,
        clock: Clock,
        telemetry: Telemetry,
        nodes: NodeStore | None = None,
    ) -> None:
        """With *nodes*, others claim from the same store, and put on schedule what nobody tells us of."""
        self._nodes = nodes
        self._look_at: Micros = 0
        self._lanes = lanes
        self._store = store
        self._deliver = deliver
        self._clock = clock
        self.loop = Loop("claim", self._step, clock, telemetry)
        lanes.wake = self.loop.wake
        store.on_ready = self._note_all
        self._exhausted = False
        """Whether a lane was left with nothing due, so that only the store knows when something is."""

    async def refresh(self) -> None:
        """Learn from the store when each lane's next delivery is due.

        Where there are other nodes, only what is due now is noted: what is due later one of them has put
        on schedule, and knows of. All would come for it at the same moment, and all but one for nothing.
        """
        due: Iterable[tuple[str, Micros]] = (await self._store.next_due()).items()
        if self._nodes is not None:
            now = self._clock.now()
            due = [(endpoint, due_at) for endpoint, due_at in due if due_at <= now]
        self._note_all(due)

    def _note_all(self, due: Iterable[tuple[str, Micros]]) -> None:
        for endpoint, due_at in due:
            self._lanes.note_due(endpoint, due_at)

    async def _step(self) -> Micros | None:
        if self._lanes.held_by:
            return None  # whoever holds them lets go, and wakes us
        self._deliver.resume()
        now = self._clock.now()
        claimable = [lane for lane in self._lanes if lane.claimable(now)]
        await asyncio.gather(*(self._claim(lane, now) for lane in claimable))
        # If something was exhausted, it was by this step, or by one that failed afterwards.
        if self._exhausted or (self._nodes is not None and now >= self._look_at):
            await self.refresh()
            self._exhausted = False
            self._look_at = now + round(LOOK_EVERY * (1 + 0.3 * self._clock.chance()))
        now = self._clock.now()
        if any(lane.claimable(now) for lane in self._lanes):
            return now
        # A lane that is due but full is not waited for: it wakes us when it has places.
        later = [lane.due_at for lane in self._lanes if lane.is_open and lane.due_at is not None]
        if self._nodes is not None:
            later.append(self._look_at)
        return min((due_at for due_at in later if due_at > now), default=None)

    async def _may_probe(self, lane: Lane, now: Micros) -> bool:
        """Whether the probe of an open breaker is ours to make, where several nodes have its lane."""
        if self._nodes is None or lane.breaker.is_closed:
            return True
        until = now + lane.endpoint.timeout + LEASE_MARGIN
        if await self._nodes.take_probe(lane.endpoint.name, now, until):
            return True
        lane.breaker.put_off(until)
        self._deliver.watch(lane)
        return False

    async def _claim(self, lane: Lane, now: Micros) -> None:
        """Claim what the lane has places for."""
        if not await self._may_probe(lane, now):
            return
        wanted = min(lane.claimable(now), MOST_AT_ONCE)
        lane.reserved += wanted
        leases = [lane.lease(self._lanes.next_token(), now) for _ in range(wanted)]
        due_at, lane.due_at = lane.due_at, None
        try:
            deliveries = await self._store.claim(
                lane.endpoint.name, leases, now, MOST_BYTES - lane.held_bytes
            )
        except BaseException:
            lane.reserved -= wanted
            lane.due_at = due_at
            raise
        lane.reserved -= wanted - len(deliveries)
        lane.held_bytes += sum(delivery.size_bytes for delivery in deliveries)
        self._deliver.begin(deliveries, now)
        if len(deliveries) == wanted:  # there may be more
            self._lanes.note_due(lane.endpoint.name, now)
        else:
            self._exhausted = True
