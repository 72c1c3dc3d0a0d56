"""Being one of several nodes: telling the others that it is there, and doing as they know.

With every beat a node learns its share of each endpoint (core/nodes.py), which endpoints others have
paused, disabled or blocked, and what their breakers have learned. A node that cannot tell that it is
there begins nothing: the others count on that once they take over its shares.
"""

import asyncio
from collections.abc import Mapping, Sequence

from gateway.core.model import SECOND, Json, LaneMark, Micros, rfc3339
from gateway.core.nodes import (
    BEAT_EVERY,
    IN_TOUCH,
    MOST_SKEW,
    Around,
    Beat,
    LaneNeed,
    Node,
)
from gateway.flows.deliver import Deliver
from gateway.flows.keep import Keep
from gateway.flows.lanes import CLOCK_OFF, LEASE_MARGIN, OUT_OF_TOUCH, Lane, Lanes
from gateway.flows.loop import Loop
from gateway.ports import Clock, NodeStore
from gateway.telemetry import Telemetry


class Nodes:
    """This node's part in all of them."""

    def __init__(
        self,
        *,
        store: NodeStore,
        lanes: Lanes,
        deliver: Deliver,
        keep: Keep,
        node: Node,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._deliver = deliver
        self._keep = keep
        self._clock = clock
        self._telemetry = telemetry
        self.node = node
        self.around: Sequence[Node] = [node]
        """All nodes that are there, this one included."""
        self.lost: Sequence[Node] = ()
        self.skew: Micros = 0
        """By how much this node's clock is ahead of the database's, as far as that can be told."""
        self._told_of: tuple[object, ...] = ()
        """What was last said of nodes that differ."""
        self._states: Mapping[str, Mapping[str, Json]] = {}
        self._marks: Mapping[str, LaneMark] = {}
        self._limit: asyncio.TimerHandle | None = None
        self.loop = Loop("nodes", self._step, clock, telemetry)
        lanes.share()
        lanes.hold(OUT_OF_TOUCH)

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        await self.beat()
        return now + round(BEAT_EVERY * (1 + 0.2 * self._clock.chance()))

    async def beat(self) -> None:
        """Tell that it is there, and do as the others know."""
        began, now = asyncio.get_running_loop().time(), self._clock.now()
        sent = self._clock.monotonic()
        around = await self._store.beat(Beat(self.node_at(now), self._needs()))
        self._stay_in_touch(began)
        self.around, self.lost = around.nodes, around.lost
        self._read_clock(now - around.now, self._clock.monotonic() - sent)
        self._heed_clock()
        self._follow(around)
        self._tell_differences()

    def _needs(self) -> dict[str, LaneNeed]:
        """What it tells of its lanes: of those that begin nothing only what is still under way."""
        held_by = self._lanes.held_by
        idle, in_touch = bool(held_by - {OUT_OF_TOUCH}), OUT_OF_TOUCH not in held_by
        return {
            lane.endpoint.name: _need(lane, in_touch=in_touch)
            for lane in self._lanes
            if lane.running or not (idle or lane.state == "gone")
        }

    def node_at(self, now: Micros) -> Node:
        """This node, as it is then."""
        node = self.node
        return Node(node.id, node.name, node.version, node.routes, node.started_at, now)

    def use(self, routes: str) -> None:
        """Other routes files are in force from now on, with that fingerprint."""
        node = self.node
        self.node = Node(node.id, node.name, node.version, routes, node.started_at, 0)
        self.loop.wake()

    def shown(self) -> list[dict[str, Json]]:
        """All nodes that are there, or went without a word lately, as the API shows them; the oldest first."""
        return [
            {
                "id": node.id,
                "name": node.name,
                "this": node.id == self.node.id,
                "lost": node in self.lost,
                "version": node.version,
                "routes": node.routes,
                "started_at": rfc3339(node.started_at),
                "seen_at": rfc3339(node.seen_at),
            }
            for node in (*self.around, *self.lost)
        ]

    def gauges(self) -> dict[str, float]:
        """The same in numbers, by the names of the metrics."""
        return {
            "gateway_nodes": len(self.around),
            "gateway_nodes_lost": len(self.lost),
            "gateway_nodes_differ": len({node.routes for node in self.around}) > 1,
            "gateway_node_clock_ahead_seconds": self.skew / SECOND,
        }

    async def leave(self) -> None:
        """Give up all shares, and be one no more."""
        if self._limit is not None:
            self._limit.cancel()
        await self._store.leave(self.node.id)

    def _stay_in_touch(self, since: float) -> None:
        """Begin attempts until some time after the beat that began then, unless another follows."""
        loop = asyncio.get_running_loop()
        if self._limit is not None:
            self._limit.cancel()
        self._limit = loop.call_at(since + IN_TOUCH / SECOND, self._lose_touch)
        if OUT_OF_TOUCH in self._lanes.held_by:
            self._lanes.let_go(OUT_OF_TOUCH)

    def _lose_touch(self) -> None:
        self._lanes.hold(OUT_OF_TOUCH)
        self._telemetry.emit("node.out_of_touch")

    def _read_clock(self, ahead: Micros, took: Micros) -> None:
        """Learn the skew, by how much the clock was *ahead* when a beat was sent that *took* so long.

        The database read its own at some moment of that. What agrees with what is known changes nothing.
        """
        self.skew = min(max(self.skew, ahead), ahead + took)
        self._keep.ahead = self.skew

    def _heed_clock(self) -> None:
        """Begin nothing while the clock is off: leases and retries of all nodes are moments."""
        if abs(self.skew) > MOST_SKEW:
            self._lanes.hold(CLOCK_OFF)
        elif CLOCK_OFF in self._lanes.held_by:
            self._lanes.let_go(CLOCK_OFF)

    # -- what the others know ----------------------------------------------------------------------

    def _follow(self, around: Around) -> None:
        for lane in self._lanes:
            name = lane.endpoint.name
            lane.share_in(around.shares.get(name, 0))
            mark = around.marks.get(name)
            if mark is not None and mark != self._marks.get(name):
                was_closed = lane.breaker.is_closed
                lane.follow(mark)
                if lane.breaker.is_closed != was_closed:
                    self._deliver.tell_breaker(lane)
            if around.states.get(name) != self._states.get(name):
                self._follow_state(lane, around.states.get(name))
        self._states, self._marks = around.states, around.marks
        self._deliver.fit_lanes()
        self._lanes.wake()

    def _follow_state(self, lane: Lane, state: Mapping[str, Json] | None) -> None:
        """Close or open a lane as someone has done elsewhere, or here."""
        if lane.state == "gone":
            return
        if state is None:
            if not lane.is_open:
                was = lane.standing
                lane.reopen()
                self._telemetry.emit("endpoint.opened", endpoint=lane.endpoint.name, was=was)
        elif lane.switch != (state["state"], state["reason"]):
            self._deliver.close_lane(lane, state["state"], state["reason"])

    def _tell_differences(self) -> None:
        """Say loudly, once, that nodes go by different routes, or that a clock is off."""
        here = self.node.routes
        others = [node for node in self.around if node.routes != here]
        is_off = CLOCK_OFF in self._lanes.held_by
        differing = (tuple((node.name, node.routes) for node in others), is_off)
        if differing == self._told_of:
            return
        self._told_of = differing
        if others:
            self._telemetry.emit(
                "nodes.differ",
                routes=here,
                others=[f"{node.name}: {node.routes}" for node in others],
            )
        if is_off:
            self._telemetry.emit("clock.off", microseconds=self.skew)


def _need(lane: Lane, *, in_touch: bool) -> LaneNeed:
    endpoint = lane.endpoint
    return LaneNeed(
        concurrency=endpoint.concurrency,
        whole=endpoint.rate is not None,
        using=max(lane.running, lane.width) if in_touch else lane.running,
        holds=IN_TOUCH + endpoint.timeout + LEASE_MARGIN,
        begun_at=lane.begun_at,
    )
