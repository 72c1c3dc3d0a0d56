"""Sending again in bulk: what two calls, a reload and a deletion do to it."""

import asyncio
from dataclasses import replace

import pytest

from gateway.core.bulk import Action
from gateway.core.errors import Conflict
from gateway.core.model import SECOND
from gateway.core.routes import Routes, indexed
from gateway.flows.audit import Audit
from gateway.flows.bulk import Bulk
from gateway.flows.erase import Erase
from gateway.flows.know import Know
from tests.flows.test_deliver import arrive
from tests.flows.test_turns import KEYED, a_route, numbered, routes_of, sent
from tests.kit.build import an_event, some_routes

FAST, SLOW = (1000, SECOND), (1, SECOND)


def bulk_of(flows) -> Bulk:
    return Bulk(
        store=flows.store.bulk, look_up=flows.store, know=Know(flows.store), lanes=flows.lanes,
        routes=lambda: flows.routes, clock=flows.clock,
        audit=Audit(flows.store, flows.clock, flows.telemetry), telemetry=flows.telemetry,
    )  # fmt: skip


async def paused(make_flows, routes: Routes | None = None):
    """Flows that send nothing, so that what is scheduled stays so."""
    flows = make_flows(routes or some_routes(({}, "cms")))
    for lane in flows.lanes:
        await flows.operate.pause(lane.endpoint.name)
    return flows


async def cancelled(flows, count: int) -> None:
    for _ in range(count):
        await arrive(flows)
    for row in await flows.store.deliveries({"limit": 500}):
        await flows.operate.cancel(row["id"], "by hand")


async def test_a_subject_that_was_sent_again_can_be_forgotten_with_its_name(make_flows):
    flows = await paused(make_flows)
    await arrive(flows, an_event(subject="customer/4711"), an_event(subject="customer/47"))
    flows.clock.advance(1)
    for name, subject in (("op_1", "customer/4711"), ("op_2", "customer/47")):
        await bulk_of(flows).go_on(Action.REPLAY, name, {"subject": subject}, FAST)
    common = {"clock": flows.clock, "telemetry": flows.telemetry}
    erasing = Erase(store=flows.store, plans=flows.store, audit=flows.store, **common)
    await erasing.erase("customer/4711", "")
    filters = [(await bulk_of(flows).operation(name)).filter for name in ("op_1", "op_2")]
    assert [each["subject"] for each in filters] == ["erased", "customer/47"]
    assert "customer/4711" not in str(await flows.store.audit({}))
    assert "customer/4711" not in str(await flows.seen("audit.written"))


async def test_an_event_that_was_erased_keeps_no_other_from_being_replayed(make_flows):
    flows = await paused(make_flows)
    gone, left = an_event(subject="person/1"), an_event(subject="license/1")
    await arrive(flows, gone, left)
    await flows.store.erase([gone.event_id], flows.clock.now())
    flows.clock.advance(1)
    progress = await bulk_of(flows).go_on(Action.REPLAY, "op_1", {}, FAST)
    assert [each["code"] for each in progress.failures] == ["event-erased"]
    assert (progress.operation.done, progress.operation.made) == (1, 1)


async def test_two_calls_at_once_put_nothing_back_twice(make_flows):
    flows = await paused(make_flows)
    await cancelled(flows, 3)
    bulk, sought = bulk_of(flows), {"state": "cancelled"}
    results = await asyncio.gather(
        *(bulk.go_on(Action.REDELIVER, "op_1", sought, FAST) for _ in range(2)),
        return_exceptions=True,
    )
    assert [type(each) for each in results].count(Conflict) <= 1
    assert (await bulk.operation("op_1")).done == 3
    (begun,) = [e for e in await flows.store.audit({}) if "begun" in e["object"]]
    assert begun["who"] == "local"


async def test_two_calls_at_once_route_no_event_twice(make_flows):
    flows = await paused(make_flows)
    for _ in range(3):
        await arrive(flows)
    flows.clock.advance(1)
    bulk = bulk_of(flows)
    await asyncio.gather(
        *(bulk.go_on(Action.REPLAY, "op_1", {}, FAST) for _ in range(3)), return_exceptions=True
    )
    while (await bulk.go_on(Action.REPLAY, "op_1", None, FAST)).operation.finished_at is None:
        pass
    assert len(await flows.store.deliveries({})) == 6


async def test_the_page_that_another_call_has_done_is_a_conflict(make_flows, monkeypatch):
    flows = await paused(make_flows)
    await cancelled(flows, 3)
    bulk, sought, ended = bulk_of(flows), {"state": "cancelled"}, flows.store.bulk.ended

    async def ended_meanwhile(*given):
        monkeypatch.undo()
        await bulk.go_on(Action.REDELIVER, "op_1", sought, FAST)
        return await ended(*given)

    monkeypatch.setattr(flows.store.bulk, "ended", ended_meanwhile)
    with pytest.raises(Conflict, match="another call"):
        await bulk.go_on(Action.REDELIVER, "op_1", sought, FAST)
    assert (await bulk.operation("op_1")).done == 3


async def test_an_event_that_was_deleted_meanwhile_fails_alone(make_flows, monkeypatch):
    flows = await paused(make_flows)
    first, second = an_event(), an_event()
    await arrive(flows, first, second)
    events = flows.store.bulk.events

    async def deleted_after(*given):
        page = await events(*given)
        connection = flows.store._writer._connection
        connection.execute("DELETE FROM events WHERE id = ?", (first.event_id,))
        return page

    monkeypatch.setattr(flows.store.bulk, "events", deleted_after)
    flows.clock.advance(1)
    progress = await bulk_of(flows).go_on(Action.REPLAY, "op_1", {}, FAST)
    assert (progress.operation.done, progress.operation.failed) == (1, 1)
    assert [failure["code"] for failure in progress.failures] == ["not-found"]


async def test_a_replay_goes_by_the_routes_in_force_at_each_page(make_flows):
    flows = await paused(make_flows, some_routes(({}, "cms"), ({"type": "other"}, "pager")))
    for _ in range(6):
        await arrive(flows)
    flows.clock.advance(1)
    bulk = bulk_of(flows)
    first = await bulk.go_on(Action.REPLAY, "op_1", {}, (1, SECOND))
    assert (first.operation.done, first.operation.made) == (5, 5)
    flows.routes = some_routes(({}, "cms"), ({}, "pager"))
    flows.clock.advance(first.wait / SECOND)
    last = await bulk.go_on(Action.REPLAY, "op_1", None, FAST)
    assert (last.operation.done, last.operation.made) == (6, 7)


async def test_a_route_that_sends_nothing_to_the_endpoint_does_not_fire(make_flows):
    flows = await paused(make_flows, some_routes(({}, "cms"), ({}, "pager")))
    event = an_event()
    await arrive(flows, event)
    flows.clock.advance(1)
    once = [replace(route, once=lambda _scope: "a-value") for route in flows.routes.routes]
    flows.routes = indexed(
        sources=flows.routes.sources, endpoints=flows.routes.endpoints, routes=once
    )
    progress = await bulk_of(flows).go_on(Action.REPLAY, "op_1", {"endpoint": "cms"}, FAST)
    assert progress.operation.made == 1
    rows = await flows.store._reader.rows("SELECT route, event_id FROM firings")
    assert rows == [("route-0", event.event_id)]


async def test_an_endpoint_that_left_the_file_is_told_with_its_group(make_flows):
    flows = await paused(make_flows)
    await cancelled(flows, 1)
    flows.lanes._lanes.clear()
    (group,) = (await bulk_of(flows).groups({"state": "cancelled"}))["groups"]
    assert (group["endpoint_state"], group["reason"]) == ("gone", "by hand")


async def test_what_is_replayed_takes_the_place_of_its_event(make_flows):
    flows = make_flows(routes_of(a_route("updates", KEYED)))
    await arrive(flows, numbered("1"))
    await flows.seen("attempt.recorded", 1)
    flows.clock.advance(1)
    await flows.operate.pause("cms")
    await bulk_of(flows).go_on(Action.REPLAY, "op_1", {}, SLOW)
    await arrive(flows, numbered("2"))
    flows.clock.advance(60)
    await flows.operate.resume("cms")
    await flows.seen("attempt.recorded", 3)
    assert sent(flows) == ["1", "1", "2"]
