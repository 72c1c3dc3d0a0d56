"""The way in."""

import asyncio
from dataclasses import replace

import orjson
import pytest

from gateway.config.expressions import Expressions
from gateway.core.errors import (
    BodyEmpty,
    BodyMalformed,
    ExpressionFailed,
    RateLimited,
    StoreUnavailable,
    VerificationFailed,
)
from gateway.core.model import SECOND
from gateway.core.routes import EventCase, Routes, Source
from gateway.core.schemes.credentials import TokenVerifier
from gateway.core.secret import Key
from gateway.core.verifying import Inbound, NoVerifier
from tests.flows.test_deliver import Broken
from tests.kit.build import NOW, some_routes

TOKEN = TokenVerifier((Key(b"t0ken"),))
EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/s",
    "type": "license.expiring",
    "data": {"a": 1},
}


def routes_with(**source) -> Routes:
    fields = {"name": "getty", "verifier": TOKEN, **source}
    routes = some_routes(({"type": "license.expiring"}, "cms"))
    return replace(routes, sources={"getty": Source(**fields)})


def request(
    body: bytes | dict, *, token: str = "t0ken", content_type: str = "application/json"
) -> Inbound:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {b"content-type": content_type.encode(), b"authorization": f"Bearer {token}".encode()}
    return Inbound("POST", headers, frozenset(), content, NOW)


async def receive(flows, *arguments, **more):
    return await flows.ingest.receive(flows.ingest.source("getty"), request(*arguments, **more))


async def test_a_kept_event_has_a_receipt_and_its_deliveries_are_begun(make_flows):
    flows = make_flows(routes_with())
    received = await receive(flows, EVENT)
    (receipt,) = received.receipts
    assert (receipt.duplicate, received.several) == (False, False)
    assert (await flows.store.event(receipt.event_id)).id == "e-1"
    await flows.seen("attempt.recorded")


async def test_an_unmatched_event_is_kept_all_the_same(make_flows):
    flows = make_flows(routes_with())
    await receive(flows, {**EVENT, "type": "nobody.cares"})
    (event,) = await flows.store.events({"unmatched": 1})
    assert event["type"] == "nobody.cares"


async def test_a_request_that_proves_nothing_changes_nothing(make_flows):
    flows = make_flows(routes_with())
    with pytest.raises(VerificationFailed) as caught:
        await receive(flows, EVENT, token="wrong")
    assert caught.value.outcome == "bad_signature"
    assert "bad_signature" not in str(caught.value)
    assert await flows.store.events({}) == []
    assert flows.sender.calls == []


async def test_a_duplicate_is_acknowledged_and_not_delivered_again(make_flows):
    flows = make_flows(routes_with())
    first = await receive(flows, EVENT)
    again = await receive(flows, EVENT)
    assert again.receipts[0].duplicate
    assert again.receipts[0].event_id == first.receipts[0].event_id
    await flows.seen("attempt.recorded")
    assert len(await flows.store.deliveries({})) == 1
    assert flows.lanes["cms"].held == 0


async def test_a_batch_is_one_commit_with_a_receipt_each(make_flows):
    flows = make_flows(routes_with())
    body = orjson.dumps([{**EVENT, "id": f"e-{i}"} for i in (1, 2, 1)])
    received = await receive(flows, body, content_type="application/cloudevents-batch+json")
    assert received.several
    assert [r.duplicate for r in received.receipts] == [False, False, True]


async def test_a_batch_of_one_still_answers_as_a_batch(make_flows):
    flows = make_flows(routes_with())
    received = await receive(
        flows, orjson.dumps([EVENT]), content_type="application/cloudevents-batch+json"
    )
    assert received.several


async def test_what_is_proven_but_unreadable_goes_to_the_inbox(make_flows):
    flows = make_flows(routes_with())
    received = await receive(flows, b'{"no json')
    (entry,) = await flows.store.inbox({})
    assert entry["id"] == received.receipts[0].event_id
    assert (entry["code"], entry["body"]) == ("invalid-json", '{"no json')
    assert await flows.store.events({}) == []


async def test_a_failing_mapping_goes_to_the_inbox_with_what_failed(make_flows):
    mapping = EventCase(type=Expressions(["body", "headers"]).template("${body.kind}"))
    flows = make_flows(routes_with(cases=(mapping,)))
    await receive(flows, {"a": 1})
    (entry,) = await flows.store.inbox({})
    assert entry["code"] == "expression-failed"
    assert "kind" in entry["detail"]


async def test_what_is_neither_proven_nor_readable_is_refused(make_flows):
    flows = make_flows(routes_with(verifier=NoVerifier(), verified=False))
    with pytest.raises(BodyMalformed):
        await receive(flows, b"{")
    assert await flows.store.inbox({}) == []


async def test_an_empty_body_is_refused(make_flows):
    flows = make_flows(routes_with())
    with pytest.raises(BodyEmpty):
        await receive(flows, b"")


async def test_a_source_that_is_too_fast_is_told_when_to_come_back(make_flows, clock):
    flows = make_flows(routes_with(rate=(2, SECOND)))
    for i in range(2):
        await receive(flows, {**EVENT, "id": f"e-{i}"})
    with pytest.raises(RateLimited) as caught:
        await receive(flows, EVENT)
    assert caught.value.retry_after_seconds == 1
    clock.advance(1)
    await receive(flows, EVENT)


async def test_when_the_store_fails_nothing_is_acknowledged_and_no_place_is_lost(make_flows):
    flows = make_flows(routes_with())
    broken = Broken(flows.store)
    with pytest.raises(StoreUnavailable):
        await receive(flows, EVENT)
    assert flows.lanes["cms"].held == 0
    broken.mend()
    assert not (await receive(flows, EVENT)).receipts[0].duplicate


async def test_new_routes_count_from_the_next_request_on(make_flows):
    flows = make_flows(routes_with())
    flows.ingest.use(routes_with(verifier=NoVerifier()))
    await receive(flows, EVENT, token="wrong")
    assert len(await flows.store.events({})) == 1


async def test_many_requests_at_once_share_commits(make_flows):
    flows = make_flows(routes_with())
    batches = []
    commit = flows.store._commits._committer._commit
    flows.store._commits._committer._commit = lambda ops: (batches.append(len(ops)), commit(ops))[1]
    await asyncio.gather(*(receive(flows, {**EVENT, "id": f"e-{i}"}) for i in range(100)))
    assert len(batches) < 20
    await flows.seen("attempt.recorded", 100)


async def test_a_failed_template_is_noted_and_the_event_is_kept(make_flows):
    def fails(_variables):
        raise ExpressionFailed("`event.data.x`: there is no x")

    routes = routes_with()
    cms = routes.endpoints["cms"]
    flows = make_flows(replace(routes, endpoints={"cms": replace(cms, render=fails)}))
    await receive(flows, EVENT)
    (entry,) = await flows.store.inbox({"code": "expression-failed"})
    assert "there is no x" in entry["detail"]
    assert len(await flows.store.events({})) == 1


async def test_the_longest_id_of_a_sender_makes_a_key_that_an_index_can_hold(make_flows):
    flows = make_flows(routes_with())
    body = {**EVENT, "id": "\U0001f5dd" * 1000}
    first = await receive(flows, body, content_type="application/cloudevents+json")
    again = await receive(flows, body, content_type="application/cloudevents+json")
    (event,) = await flows.store.events({})
    assert event["key"].startswith("sha256:")
    assert (first.receipts[0].duplicate, again.receipts[0].duplicate) == (False, True)
