"""One of several nodes: its shares, what others have closed, and what it says of those that differ."""

import asyncio
from dataclasses import replace

import pytest

from gateway.core.breaker import BreakerPolicy
from gateway.core.errors import StoreUnavailable
from gateway.core.model import SECOND, LaneMark, Refused, Response, received_at
from gateway.core.nodes import Around, Held, Node, shares
from gateway.core.retry import RetryAt, RetryPolicy
from gateway.core.routes import EndpointConfig
from gateway.flows.lanes import CLOCK_OFF, OUT_OF_TOUCH
from gateway.flows.nodes import Nodes
from tests.flows.test_deliver import arrive
from tests.kit.build import NOW, a_lease, an_arrival, an_event, some_routes
from tests.store.test_contract import an_attempt


class Others:
    """What the nodes tell each other, where only one of them is real."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.held = []
        self.states = {}
        self.marks = {}
        self.skew = 0
        self.takes = lambda: None
        self.beats = []
        self.left = []
        self.fails = False
        self.gives_probes = True
        self.asked = asyncio.Event()

    async def beat(self, beat):
        if self.fails:
            raise StoreUnavailable("the database is away")
        self.beats.append(beat)
        self.takes()
        nodes = [beat.node, *self.nodes]
        granted = shares(beat.node.id, beat.lanes, [node.id for node in nodes], self.held)
        return Around(beat.node.seen_at - self.skew, nodes, granted, self.states, self.marks)

    async def leave(self, node):
        self.left.append(node)

    async def take_probe(self, _endpoint, _now, _until):
        self.asked.set()
        return self.gives_probes


def a_node(name: str, routes: str = "r1") -> Node:
    return Node(id=name, name=name, version="1", routes=routes, started_at=NOW, seen_at=NOW)


@pytest.fixture
def others():
    return Others()


@pytest.fixture
def join(make_flows, others, clock):
    """Make flows that are one node of several, and how it takes part."""

    def join(**more):
        given = {"concurrency": 4, "retry": RetryPolicy((5 * SECOND,) * 9), **more}
        cms = EndpointConfig(name="cms", url="http://127.0.0.1:9/cms", **given)
        flows = make_flows(some_routes(({}, "cms"), cms=cms), nodes=others)
        nodes = Nodes(
            store=others, lanes=flows.lanes, deliver=flows.deliver, keep=flows.keep,
            node=a_node("here"), clock=clock, telemetry=flows.telemetry,
        )  # fmt: skip
        return flows, nodes

    return join


async def test_a_node_begins_nothing_before_it_has_heard_what_it_may(join):
    flows, nodes = join()
    await arrive(flows, an_event())
    assert flows.lanes.held_by == {OUT_OF_TOUCH}
    await nodes.beat()
    await flows.seen("attempt.recorded")


async def test_a_node_has_no_more_under_way_than_its_share(join, others):
    flows, nodes = join()
    others.nodes, others.held = [a_node("there")], [Held("cms", "there", 2)]
    await nodes.beat()
    flows.sender.may_answer.clear()
    await arrive(flows, *(an_event() for _ in range(6)))
    await flows.sender.called(2)
    assert flows.lanes["cms"].running == 2
    flows.sender.may_answer.set()
    await flows.seen("attempt.recorded", 6)
    assert flows.sender.most_under_way == 2


async def test_an_endpoint_that_is_another_nodes_gets_nothing_from_here(join, others):
    flows, nodes = join(rate=(100, SECOND))
    others.nodes = [a_node("there")]
    others.held = [Held("cms", "there", 1)]
    await nodes.beat()
    await arrive(flows, an_event())
    assert flows.lanes["cms"].places == 0
    assert await flows.states() == {"cms": "scheduled"}
    others.nodes, others.held = [], []  # it is gone, and this node has what was its
    await nodes.beat()
    await flows.seen("attempt.recorded")


async def test_what_is_paused_elsewhere_is_paused_here_and_resumed_with_it(join, others):
    flows, nodes = join()
    await nodes.beat()
    others.states = {"cms": {"state": "paused", "reason": "nightly work", "changed_at": "…"}}
    await nodes.beat()
    lane = flows.lanes["cms"]
    assert (lane.state, lane.reason) == ("paused", "nightly work")
    await arrive(flows, an_event())
    others.states = {}
    await nodes.beat()
    assert lane.is_open
    await flows.seen("attempt.recorded")


async def test_why_it_is_paused_is_known_here_as_it_is_known_elsewhere(join, others):
    flows, nodes = join()
    for reason in ("nightly work", "an upgrade"):
        others.states = {"cms": {"state": "paused", "reason": reason, "changed_at": "…"}}
        await nodes.beat()
        assert flows.lanes["cms"].reason == reason


async def test_what_is_paused_here_is_not_opened_by_a_beat_that_does_not_know_of_it(join):
    flows, nodes = join()
    await nodes.beat()
    flows.deliver.close_lane(flows.lanes["cms"], "disabled", "it answered 410")
    await nodes.beat()
    assert flows.lanes["cms"].state == "disabled"


async def test_a_breaker_that_opened_elsewhere_is_open_here_until_it_closes_there(join, others):
    flows, nodes = join(breaker=BreakerPolicy(failures=3, delay=30 * SECOND, longest=100 * SECOND))
    await nodes.beat()
    open_mark = LaneMark(
        begun_at=0, held_until=0, since=NOW, probe_at=NOW + 30 * SECOND, probes=0, reason="http-500"
    )
    others.marks = {"cms": open_mark}
    await nodes.beat()
    assert not flows.lanes["cms"].breaker.is_closed
    assert flows.lanes["cms"].wait(NOW) == 30 * SECOND
    (closed,) = await flows.seen("endpoint.closed")
    assert (closed["state"], closed["reason"]) == ("breaker", "http-500")
    others.marks = {"cms": replace(open_mark, since=0, probe_at=0)}
    await nodes.beat()
    assert flows.lanes["cms"].breaker.is_closed
    assert [report["was"] for report in await flows.seen("endpoint.opened")] == ["breaker"]


async def test_only_one_node_makes_the_probe(join, others, clock):
    flows, nodes = join(breaker=BreakerPolicy(failures=1, delay=30 * SECOND, longest=100 * SECOND))
    await nodes.beat()
    flows.sender.script.append(Refused(Response(status=500)))
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded")
    others.gives_probes = False
    lane = flows.lanes["cms"]
    clock.advance(lane.wait(clock.now()) / SECOND)
    await others.asked.wait()
    assert len(flows.sender.calls) == 1
    others.gives_probes = True
    clock.advance(lane.wait(clock.now()) / SECOND)
    await flows.seen("attempt.recorded", 2)


async def test_a_node_that_cannot_tell_of_itself_stops(join, others, monkeypatch):
    monkeypatch.setattr("gateway.flows.nodes.IN_TOUCH", 0)
    flows, nodes = join()
    await nodes.beat()
    others.fails = True
    with pytest.raises(StoreUnavailable):
        await nodes.beat()
    await flows.seen("node.out_of_touch")
    assert OUT_OF_TOUCH in flows.lanes.held_by
    others.fails = False
    monkeypatch.setattr("gateway.flows.nodes.IN_TOUCH", 60 * SECOND)
    await nodes.beat()
    assert OUT_OF_TOUCH not in flows.lanes.held_by


async def test_nodes_that_go_by_other_routes_are_told_of_once(join, others):
    flows, nodes = join()
    others.nodes = [a_node("there", routes="r2")]
    await nodes.beat()
    await nodes.beat()
    assert [fields for name, fields in flows.reports if name == "nodes.differ"] == [
        {"routes": "r1", "others": ["there: r2"]}
    ]
    assert nodes.gauges()["gateway_nodes_differ"] == 1
    nodes.use("r2")
    await nodes.beat()
    assert nodes.gauges()["gateway_nodes_differ"] == 0
    assert others.beats[-1].node.routes == "r2"
    assert len([name for name, _ in flows.reports if name == "nodes.differ"]) == 1


async def test_a_node_whose_clock_is_off_says_so_and_begins_nothing(join, others):
    flows, nodes = join()
    others.skew = 3 * SECOND
    await nodes.beat()
    assert nodes.skew == 3 * SECOND
    assert ("clock.off", {"microseconds": 3 * SECOND}) in flows.reports
    assert flows.lanes.held_by == {CLOCK_OFF}
    others.skew = 0
    await nodes.beat()
    assert not flows.lanes.held_by


async def test_events_are_named_by_the_databases_clock(join, others):
    flows, nodes = join()
    others.skew = SECOND
    await nodes.beat()
    assert received_at(flows.keep.new_id()) == NOW - SECOND
    others.skew = -SECOND
    await nodes.beat()
    assert received_at(flows.keep.new_id()) == NOW + SECOND


async def test_names_do_not_go_back_when_a_clock_is_found_to_be_ahead(join, others):
    flows, nodes = join()
    before = flows.keep.new_id()
    others.skew = SECOND
    await nodes.beat()
    assert flows.keep.new_id() > before


async def test_a_clock_is_not_told_more_exactly_than_the_beat_was_quick(join, others, clock):
    _, nodes = join()
    others.takes = lambda: clock.advance(0.2)
    for skew, known in (
        (-0.1, 0),  # as when the database read its clock halfway
        (1.5, 1.5), (1.4, 1.5), (1.2, 1.4), (0, 0.2), (0.05, 0.2), (-1, -0.8),
    ):  # fmt: skip
        others.skew = round(skew * SECOND)
        await nodes.beat()
        assert nodes.skew == round(known * SECOND)


async def test_a_node_that_leaves_gives_up_what_it_holds(join, others):
    _, nodes = join()
    await nodes.beat()
    await nodes.leave()
    assert others.left == ["here"]


async def test_a_node_comes_for_what_another_has_put_on_schedule_once_it_is_due(join, clock):
    flows, nodes = join()
    await flows.store.append([an_arrival()])
    (delivery,) = await flows.store.claim("cms", [a_lease()], NOW)
    later = NOW + 5 * SECOND
    await flows.store.record(delivery, an_attempt(), RetryAt(later, "http-500"))
    await nodes.beat()
    await flows.claim.refresh()
    assert flows.lanes["cms"].due_at is None
    clock.advance(6)
    await flows.seen("attempt.recorded")
