"""What an operator asks for."""

import asyncio

import pytest

from gateway.core.access import Caller, Scope
from gateway.core.errors import Changed, Conflict, NotFound
from gateway.core.model import SECOND, Switch
from gateway.core.retry import RetryPolicy
from gateway.core.routes import EndpointConfig
from gateway.flows.lanes import Lanes
from tests.flows.test_deliver import _turns, arrive, to_cms
from tests.kit.build import NOW, an_event, some_routes


async def dead_letter(make_flows):
    cms = EndpointConfig(name="cms", url="http://127.0.0.1:9/cms", retry=RetryPolicy(()))
    flows = make_flows(some_routes(({}, "cms"), cms=cms))
    flows.sender.answers(500)
    await arrive(flows)
    await flows.seen("attempt.recorded")
    (row,) = await flows.store.deliveries({"state": "dead"})
    return flows, row["id"]


async def test_a_dead_letter_is_redelivered_under_the_same_id(make_flows):
    flows, name = await dead_letter(make_flows)
    await flows.operate.redeliver(name)
    await flows.seen("attempt.recorded", 2)
    first, second = flows.sender.calls
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == name
    assert await flows.states() == {"cms": "delivered"}


async def test_what_was_delivered_is_not_redelivered_but_replayed(make_flows):
    flows, name = await dead_letter(make_flows)
    await flows.operate.redeliver(name)
    await flows.seen("attempt.recorded", 2)
    with pytest.raises(Conflict, match="replay its event"):
        await flows.operate.redeliver(name)


@pytest.mark.parametrize("name", ["dlv_0_0", "nonsense", "evt_1", ""])
async def test_an_unknown_delivery_is_not_found(make_flows, name):
    flows = make_flows(to_cms())
    for do in (flows.operate.redeliver(name), flows.operate.cancel(name, "by hand")):
        with pytest.raises(NotFound):
            await do


async def test_a_replayed_event_makes_new_deliveries_by_todays_routes(make_flows):
    flows = make_flows(some_routes(({"type": "other"}, "cms")))
    event = an_event()
    await arrive(flows, event)
    flows.routes = some_routes(({}, "cms"))
    names, failures = await flows.operate.replay(event.event_id)
    assert (len(names), failures) == (1, [])
    await flows.seen("attempt.recorded")
    assert flows.sender.calls[0].headers["webhook-id"] == names[0]


async def test_a_second_replay_is_a_new_delivery(make_flows):
    flows = make_flows(to_cms())
    event = an_event()
    await arrive(flows, event)
    (first,), _ = await flows.operate.replay(event.event_id)
    (second,), _ = await flows.operate.replay(event.event_id)
    assert first != second
    await flows.seen("attempt.recorded", 3)


async def test_an_unknown_event_is_not_replayed(make_flows):
    with pytest.raises(NotFound):
        await make_flows(to_cms()).operate.replay("evt_0")


async def test_a_scheduled_delivery_is_cancelled_and_never_sent(make_flows, clock):
    flows = make_flows(to_cms())
    await flows.operate.pause("cms")
    await arrive(flows)
    (row,) = await flows.store.deliveries({})
    await flows.operate.cancel(row["id"], "by hand")
    await flows.operate.resume("cms")
    clock.advance(10_000)
    await _turns()
    assert flows.sender.calls == []
    with pytest.raises(Conflict, match="only what is scheduled"):
        await flows.operate.cancel(row["id"], "again")


async def test_an_unknown_endpoint_is_not_found(make_flows):
    flows = make_flows(to_cms())
    for do in (flows.operate.pause("nope"), flows.operate.resume("nope")):
        with pytest.raises(NotFound):
            await do


async def test_an_endpoint_that_left_the_file_cannot_be_resumed(make_flows):
    flows = make_flows(to_cms())
    flows.lanes.configure({})
    with pytest.raises(Conflict, match=r"not in routes\.yaml"):
        await flows.operate.resume("cms")


async def test_closed_lanes_are_closed_after_a_restart_but_blocked_ones_are_tried_again(
    make_flows, store
):
    routes = some_routes(({}, "paused"), ({}, "disabled"), ({}, "blocked"), ({}, "open"))
    for name in ("paused", "disabled", "blocked"):
        await store.set_endpoint(name, Switch(name, "because"), NOW)
    await store.set_endpoint("left-the-file", Switch("paused", "because"), NOW)
    flows = make_flows(routes)
    await flows.operate.restore_lanes()
    assert {lane["name"]: lane["state"] for lane in flows.operate.endpoints()} == {
        "paused": "paused", "disabled": "disabled", "blocked": "open", "open": "open",
    }  # fmt: skip
    assert "blocked" not in await store.endpoint_states()


async def test_endpoints_are_shown_as_their_lanes_are(make_flows):
    flows = make_flows(to_cms(owner="web-team", concurrency=3))
    (shown,) = flows.operate.endpoints()
    assert (shown["name"], shown["state"], shown["owner"], shown["concurrency"]) == (
        "cms", "open", "web-team", 3,
    )  # fmt: skip


def test_lease_tokens_are_never_given_out_twice():
    lanes = Lanes(7 * SECOND)
    assert len({lanes.next_token() for _ in range(1000)}) == 1000


async def test_of_two_who_pause_an_endpoint_that_both_knew_as_open_one_is_told_of_the_other(
    make_flows,
):
    flows = make_flows(to_cms())

    def as_open(endpoint) -> bool:
        return endpoint["state"] == "open"

    ann, bob = (Caller(name, frozenset(Scope)) for name in ("ann", "bob"))
    done = await asyncio.gather(
        flows.operate.pause("cms", ann, "an upgrade", as_open),
        flows.operate.pause("cms", bob, "a test", as_open),
        return_exceptions=True,
    )
    (told,) = [each for each in done if each is not None]
    assert isinstance(told, Changed)
    first, reason = ("ann", "an upgrade") if done[0] is None else ("bob", "a test")
    assert f"cms is paused ({reason}), by {first} at 20" in str(told)
    assert flows.lanes["cms"].reason == reason
