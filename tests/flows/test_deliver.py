"""The way out: attempts, retries, parking, draining."""

import asyncio

import pytest

from gateway.core.calls import PreparedCall
from gateway.core.egress import LOOPBACK, EgressPolicy
from gateway.core.errors import (
    ExpressionFailed,
    RetryLater,
    Skip,
    StoreUnavailable,
    Undeliverable,
)
from gateway.core.model import SECOND, Accepted, BodyForm, Refused, Response, Unreachable
from gateway.core.oauth2 import ClientCredentials
from gateway.core.retry import EGRESS_DENIED, Failures, RetryPolicy
from gateway.core.routes import EndpointConfig
from gateway.core.secret import Key, Secret
from gateway.core.sendable import url_fault
from gateway.flows.deliver import header_text
from gateway.flows.lanes import FEWEST_PLACES, MOST_BYTES
from gateway.flows.reclaim import SETTLES, Reclaim
from gateway.sender.aiohttp import AiohttpSender
from tests.flows.conftest import ScriptedSender
from tests.kit.build import NOW, a_delivery, an_arrival, an_event, some_routes
from tests.kit.raw import answers, raw_server

TOKENS = ClientCredentials(
    token_url="https://tokens.example.com/", client_id="gateway", client_secret="t-1"
)
QUICK = RetryPolicy((5 * SECOND, 60 * SECOND))


def endpoint(name: str = "cms", **more) -> EndpointConfig:
    return EndpointConfig(name=name, url=f"http://127.0.0.1:9/{name}", retry=QUICK, **more)


def to_cms(**more):
    return some_routes(({}, "cms"), cms=endpoint(**more))


async def arrive(flows, *events):
    source = flows.ingest.source("getty")
    return await flows.keep.keep(list(events) or [an_event()], source.dedupe_window)


async def test_an_event_is_delivered_as_it_arrives(make_flows):
    flows = make_flows(to_cms())
    event = an_event()
    await arrive(flows, event)
    await flows.seen("attempt.recorded")
    (call,) = flows.sender.calls
    assert (call.method, call.url, call.body) == ("POST", "http://127.0.0.1:9/cms", event.envelope)
    assert await flows.states() == {"cms": "delivered"}


@pytest.mark.parametrize(
    ("more", "form"),
    [
        ({"handler": "h:f"}, BodyForm.EVENT),
        ({}, BodyForm.CALL),
        ({"oauth2": TOKENS}, BodyForm.EVENT),
    ],
    ids=["a handler's call", "a call of a route", "a post that needs a token"],
)
async def test_only_plain_posts_go_by_the_sender_for_posts(make_flows, more, form):
    async def handler(event, endpoint):
        return await endpoint.post(json={})

    flows = make_flows(to_cms(**more), handlers={"h:f": handler}, caller=ScriptedSender())
    arrival = an_arrival()
    body = PreparedCall("PUT", "/x").packed() if form is BodyForm.CALL else None
    arrival.routed.deliveries[:] = [a_delivery(arrival.event, form=form, body=body)]
    await flows.store.append([arrival])
    await flows.claim.refresh()
    await flows.seen("attempt.recorded")
    assert flows.caller.calls
    assert not flows.sender.calls


class BrokenSender(ScriptedSender):
    """Raises what no sender may."""

    async def send(self, call):
        raise OverflowError("cannot convert")


async def test_a_fault_of_our_own_counts_as_an_attempt_and_is_not_made_for_ever(
    make_flows, clock, caplog
):
    flows = make_flows(to_cms(), sender=BrokenSender())
    event = an_event()
    await arrive(flows, event)
    for number, wait in enumerate((5, 60, 0), start=1):
        await flows.seen("attempt.recorded", number)
        clock.advance(wait)
    assert await flows.states() == {"cms": "dead"}
    attempts = await flows.store.attempts(event.event_id, 0)
    assert [(each["outcome"], each["reason"]) for each in attempts] == [
        ("raised", "attempt-broken")
    ] * 3
    assert "OverflowError" in caplog.text


async def test_the_headers_say_what_it_is_and_who_signed(make_flows):
    flows = make_flows(to_cms(keys=(Key(b"k" * 32),), headers={"authorization": "Bearer x"}))
    event = an_event()
    await arrive(flows, event)
    await flows.seen("attempt.recorded")
    headers = flows.sender.calls[0].headers
    assert headers["content-type"] == "application/cloudevents+json"
    assert headers["webhook-id"] == f"dlv_{event.event_id[4:]}_0"
    assert headers["webhook-timestamp"] == str(NOW // SECOND)
    assert headers["webhook-signature"].startswith("v1,")
    assert (headers["ce-id"], headers["ce-type"]) == (event.id, event.type)
    assert headers["authorization"] == "Bearer x"


async def test_large_bodies_wait_in_the_store_and_not_in_memory(make_flows, clock):
    flows = make_flows(to_cms())
    lane = flows.lanes["cms"]
    large = {"a": "x" * (MOST_BYTES // 4)}
    flows.sender.may_answer.clear()
    flows.sender.answers(*[500] * 4)
    for _ in range(9):
        await arrive(flows, an_event(data=large))
    await flows.sender.called(4)
    assert (lane.held, len(flows.sender.calls)) == (4, 4)
    flows.sender.may_answer.set()
    await flows.seen("attempt.recorded", 9)
    assert await lane_is_empty(flows, lane)
    clock.advance(5)  # for the four that were refused
    await flows.seen("attempt.recorded", 13)
    assert flows.sender.most_under_way == 4
    assert await lane_is_empty(flows, lane)


async def lane_is_empty(flows, lane) -> bool:
    await _turns()
    return (lane.held, lane.held_bytes) == (0, 0)


async def test_a_body_larger_than_all_room_goes_alone(make_flows):
    flows = make_flows(to_cms())
    flows.sender.may_answer.clear()
    for _ in range(3):
        await arrive(flows, an_event(data={"a": "x" * (MOST_BYTES + 1)}))
    await flows.sender.called(1)
    flows.sender.may_answer.set()
    await flows.seen("attempt.recorded", 3)
    assert flows.sender.most_under_way == 1


async def test_what_waits_in_memory_and_is_returned_leaves_its_room(make_flows):
    flows = make_flows(to_cms(concurrency=1))
    flows.sender.may_answer.clear()
    await arrive(flows, an_event(), an_event(), an_event())
    await flows.sender.called(1)
    lane = flows.lanes["cms"]
    flows.deliver.close_lane(lane, "paused", "a test")
    flows.sender.may_answer.set()
    await flows.seen("attempt.recorded")
    assert await lane_is_empty(flows, lane)


async def test_a_failure_is_retried_with_the_same_bytes_and_a_fresh_signature(make_flows, clock):
    flows = make_flows(to_cms(keys=(Key(b"k" * 32),)))
    flows.sender.answers(500, 503, 200)
    await arrive(flows)
    for count, seconds in ((1, 5), (2, 60)):
        await flows.seen("attempt.recorded", count)
        clock.advance(seconds)
    await flows.seen("attempt.recorded", 3)
    first, second, third = flows.sender.calls
    assert first.body == second.body == third.body
    assert first.headers["webhook-id"] == third.headers["webhook-id"]
    stamps = {call.headers["webhook-timestamp"] for call in flows.sender.calls}
    assert len(stamps) == 3
    assert await flows.states() == {"cms": "delivered"}


async def test_a_retry_is_not_made_before_it_is_due(make_flows, clock):
    flows = make_flows(to_cms())
    flows.sender.answers(500)
    await arrive(flows)
    await flows.seen("attempt.recorded")
    clock.advance(4.9)
    await _turns()
    assert len(flows.sender.calls) == 1


async def _turns(count: int = 20) -> None:
    """Let the loop turn a few times, so that what would happen has happened."""
    for _ in range(count):
        await asyncio.to_thread(lambda: None)


async def test_after_the_last_attempt_it_is_dead_with_reason_and_excerpt(make_flows, clock):
    flows = make_flows(to_cms())
    for _ in range(3):
        flows.sender.script.append(Refused(Response(status=500, body=b"out of order")))
    await arrive(flows)
    for count, seconds in ((1, 5), (2, 60)):
        await flows.seen("attempt.recorded", count)
        clock.advance(seconds)
    await flows.seen("attempt.recorded", 3)
    (dead,) = await flows.store.deliveries({"state": "dead"})
    assert dead["reason"] == "http-500 (after 3 attempts)"
    attempts = await flows.store.attempts(dead["event_id"], 0)
    assert [a["number"] for a in attempts] == [1, 2, 3]
    assert attempts[-1]["excerpt"] == "out of order"


async def test_gone_disables_the_endpoint_and_parks_all_its_work(make_flows):
    flows = make_flows(to_cms(concurrency=1))
    flows.sender.answers(410)
    await arrive(flows, *(an_event() for _ in range(5)))
    await flows.seen("endpoint.closed")
    await flows.seen("attempt.recorded")
    await flows.deliver.drain(0)
    rows = await flows.store.deliveries({})
    assert {row["state"] for row in rows} == {"scheduled"}
    assert flows.lanes["cms"].state == "disabled"
    assert (await flows.store.endpoint_states())["cms"]["state"] == "disabled"
    assert len(flows.sender.calls) == 1


async def test_a_resumed_endpoint_gets_its_parked_work(make_flows):
    flows = make_flows(to_cms())
    flows.sender.answers(410)
    await arrive(flows)
    await flows.seen("attempt.recorded")
    await flows.operate.resume("cms")
    await flows.seen("attempt.recorded", 2)
    assert await flows.states() == {"cms": "delivered"}
    assert await flows.store.endpoint_states() == {}


async def test_a_denied_url_blocks_its_endpoint_and_costs_no_retries(make_flows, clock):
    flows = make_flows(to_cms())
    flows.sender.script.append(Unreachable(EGRESS_DENIED, "10.0.0.1 port 443"))
    await arrive(flows)
    await flows.seen("attempt.recorded")
    clock.advance(10_000)
    await _turns()
    assert (flows.lanes["cms"].state, len(flows.sender.calls)) == ("blocked", 1)


async def test_one_dead_endpoint_does_not_keep_another_waiting(make_flows):
    routes = some_routes(({}, "cms"), ({}, "pager"), cms=endpoint("cms"), pager=endpoint("pager"))
    flows = make_flows(routes)

    async def send(call):
        if call.url.endswith("/cms"):
            await asyncio.Event().wait()
        return await scripted(call)

    scripted, flows.sender.send = flows.sender.send, send
    await arrive(flows, *(an_event() for _ in range(FEWEST_PLACES * 3)))
    await flows.seen("attempt.recorded", FEWEST_PLACES * 3)
    rows = await flows.store.deliveries({"endpoint": "pager", "limit": 500})
    assert {row["state"] for row in rows} == {"delivered"}


async def test_concurrency_is_never_exceeded_and_everything_arrives(make_flows):
    flows = make_flows(to_cms(concurrency=3))
    flows.sender.may_answer.clear()
    await arrive(flows, *(an_event() for _ in range(FEWEST_PLACES * 4)))
    await _turns()
    flows.sender.may_answer.set()
    await flows.seen("attempt.recorded", FEWEST_PLACES * 4)
    assert flows.sender.most_under_way == 3
    assert len(flows.sender.calls) == FEWEST_PLACES * 4


async def test_what_found_no_place_is_claimed_when_places_come_free(make_flows):
    flows = make_flows(to_cms(concurrency=2))
    flows.sender.may_answer.clear()
    await arrive(flows, *(an_event() for _ in range(FEWEST_PLACES + 10)))
    states = [r["state"] for r in await flows.store.deliveries({"limit": 500})]
    assert (states.count("leased"), states.count("scheduled")) == (FEWEST_PLACES, 10)
    flows.sender.may_answer.set()
    await flows.seen("attempt.recorded", FEWEST_PLACES + 10)


async def test_a_paused_endpoint_is_not_called_and_goes_on_when_resumed(make_flows):
    flows = make_flows(to_cms())
    await flows.operate.pause("cms")
    await arrive(flows)
    await _turns()
    assert flows.sender.calls == []
    await flows.operate.resume("cms")
    await flows.seen("attempt.recorded")


async def test_a_pause_lets_attempts_under_way_finish_and_returns_what_waits(make_flows):
    flows = make_flows(to_cms(concurrency=1))
    flows.sender.may_answer.clear()
    await arrive(flows, an_event(), an_event(), an_event())
    await flows.operate.pause("cms")
    flows.sender.may_answer.set()
    await flows.seen("attempt.recorded")
    await flows.deliver.drain(0)
    states = sorted(r["state"] for r in await flows.store.deliveries({}))
    assert states == ["delivered", "scheduled", "scheduled"]


async def test_a_delivery_that_waited_out_its_lease_is_not_sent_on_it(make_flows, clock):
    flows = make_flows(to_cms(concurrency=1))
    flows.sender.may_answer.clear()
    await arrive(flows, an_event(), an_event())
    clock.advance(25)  # the lease of the second has 5 s left: too little for an attempt of 20 s
    flows.sender.may_answer.set()
    await flows.seen("attempt.recorded", 2)
    assert len(flows.sender.calls) == 2
    rows = await flows.store.deliveries({})
    assert {row["attempts"] for row in rows} == {1}


# -- how long, and what a success is ---------------------------------------------------------------


async def test_the_time_that_there_is_counts_from_the_first_attempt_of_all(make_flows, clock):
    policy = RetryPolicy((5 * SECOND, 60 * SECOND, 60 * SECOND), within=70 * SECOND)
    cms = EndpointConfig(name="cms", url="http://127.0.0.1:9/cms", retry=policy)
    flows = make_flows(some_routes(({}, "cms"), cms=cms))
    flows.sender.answers(500, 500, 500)
    await arrive(flows)
    for count, seconds in ((1, 5), (2, 60)):
        await flows.seen("attempt.recorded", count)
        clock.advance(seconds)
    await flows.seen("attempt.recorded", 3)
    (row,) = await flows.store.deliveries({})
    assert row["state"] == "dead"
    assert row["reason"] == "http-500 (after 3 attempts: no time is left for another)"


async def test_a_redelivery_has_all_its_time_again(make_flows, clock):
    policy = RetryPolicy((5 * SECOND,), within=60 * SECOND)
    cms = EndpointConfig(name="cms", url="http://127.0.0.1:9/cms", retry=policy)
    flows = make_flows(some_routes(({}, "cms"), cms=cms))
    flows.sender.answers(500, 500, 500, 200)
    await arrive(flows)
    await flows.seen("attempt.recorded")
    clock.advance(5)
    await flows.seen("attempt.recorded", 2)
    (dead,) = await flows.store.deliveries({"state": "dead"})
    clock.advance(3600)
    await flows.operate.redeliver(dead["id"])
    await flows.seen("attempt.recorded", 3)
    assert await flows.states() == {"cms": "scheduled"}
    clock.advance(5)
    await flows.seen("attempt.recorded", 4)
    assert await flows.states() == {"cms": "delivered"}


async def test_a_failure_that_is_not_to_be_retried_is_dead_at_once(make_flows):
    policy = RetryPolicy((5 * SECOND,), never=Failures(((400, 499),)))
    cms = EndpointConfig(name="cms", url="http://127.0.0.1:9/cms", retry=policy)
    flows = make_flows(some_routes(({}, "cms"), cms=cms))
    flows.sender.answers(422)
    await arrive(flows)
    await flows.seen("attempt.recorded")
    (row,) = await flows.store.deliveries({})
    assert (row["state"], row["reason"]) == (
        "dead",
        "http-422 (after 1 attempt: `retry` says that there is no other)",
    )


def applied(variables):
    """Whether the endpoint says that it did something."""
    return "applied" in variables["response"]["text"]


@pytest.mark.parametrize(("how", "status"), [("post", 409), ("call", 410), ("handler", 410)])
async def test_an_answer_that_the_endpoint_calls_no_success_is_attempted_again(
    make_flows, clock, how, status
):
    async def handler(event, endpoint):
        return await endpoint.post(json={})

    named = "h:f" if how == "handler" else None
    routes = to_cms(success=applied, handler=named)
    flows = make_flows(routes, handlers={"h:f": handler})
    flows.sender.script.append(Accepted(Response(status=200, body=b"nothing done")))
    flows.sender.script.append(Refused(Response(status=status, body=b"applied before")))
    arrival = an_arrival()
    if how == "call":
        body = PreparedCall("PUT", "/x").packed()
        arrival.routed.deliveries[:] = [a_delivery(arrival.event, form=BodyForm.CALL, body=body)]
    await flows.store.append([arrival])
    await flows.claim.refresh()
    await flows.seen("attempt.recorded")
    clock.advance(5)
    await flows.seen("attempt.recorded", 2)
    assert await flows.states() == {"cms": "delivered"}
    first, second = await flows.store.attempts(arrival.event.event_id, 0)
    assert (first["outcome"], first["status"]) == ("refused", 200)
    assert (first["reason"], first["excerpt"]) == ("not-successful", "nothing done")
    assert (second["outcome"], second["status"], second["reason"]) == ("accepted", status, None)


async def test_where_a_condition_fails_no_secret_is_in_the_reason(make_flows):
    def failing(variables):
        raise ExpressionFailed("it is s3cret-token, and no number")

    flows = make_flows(to_cms(success=failing))
    flows.deliver._redaction.know(["s3cret-token"])
    await arrive(flows)
    await flows.seen("attempt.recorded")
    (row,) = await flows.store.deliveries({})
    assert row["reason"] == "not-successful: it is <secret>, and no number"


# -- handlers --------------------------------------------------------------------------------------


def with_handler(make_flows, handler):
    return make_flows(to_cms(handler="handlers.x:f"), handlers={"handlers.x:f": handler})


async def outcome_of(make_flows, handler) -> dict:
    flows = with_handler(make_flows, handler)
    await arrive(flows)
    await flows.seen("attempt.recorded")
    (row,) = await flows.store.deliveries({})
    (attempt,) = await flows.store.attempts(row["event_id"], 0)
    return {**row, "attempt": attempt, "calls": flows.sender.calls}


async def test_a_handlers_response_is_the_outcome_and_its_calls_are_recorded(make_flows):
    async def handler(event, endpoint):
        await endpoint.get("/items/1", query={"a": "b c"})
        return await endpoint.patch("/items/1", json={"title": event.data["days_left"]})

    result = await outcome_of(make_flows, handler)
    assert result["state"] == "delivered"
    get, patch = result["calls"]
    assert (get.method, get.url) == ("GET", "http://127.0.0.1:9/cms/items/1?a=b+c")
    assert (patch.method, patch.body) == ("PATCH", b'{"title":14}')
    assert [c["method"] for c in result["attempt"]["calls"]] == ["GET", "PATCH"]


@pytest.mark.parametrize(
    ("raised", "state", "reason", "outcome"),
    [
        (Undeliverable("no such licence"), "dead", "no such licence", "hopeless"),
        (Skip("nothing to do"), "delivered", "nothing to do", "skipped"),
        (RetryLater("processing", after=5), "scheduled", "processing", "postponed"),
        (RetryLater(), "scheduled", "the handler asked to try later", "postponed"),
        (ValueError("no luck"), "scheduled", "handler-raised: ValueError: no luck", "raised"),
        (TimeoutError("db"), "scheduled", "handler-raised: TimeoutError: db", "raised"),
    ],
)
async def test_a_handlers_ways_of_ending(make_flows, raised, state, reason, outcome):
    async def handler(event, endpoint):
        raise raised

    result = await outcome_of(make_flows, handler)
    assert (result["state"], result["reason"]) == (state, reason)
    assert result["attempt"]["outcome"] == outcome


async def test_a_handler_has_so_long_for_all_of_its_calls(make_flows):
    async def handler(event, endpoint):
        await asyncio.Event().wait()

    flows = make_flows(
        to_cms(handler="handlers.x:f", timeout=1000), handlers={"handlers.x:f": handler}
    )
    await arrive(flows)
    (seen,) = await flows.seen("attempt.recorded")
    assert seen["attempt"].reason == "timeout"


async def test_each_call_has_a_key_of_its_own_that_stays_from_attempt_to_attempt(make_flows):
    async def handler(event, endpoint):
        await endpoint.post("/notices", json={"n": 1})
        await endpoint.post("/notices", json={"n": 2})
        raise RetryLater(after=0)

    flows = with_handler(make_flows, handler)
    await arrive(flows)
    await flows.seen("attempt.recorded", 2)
    keys = [call.headers["idempotency-key"] for call in flows.sender.calls]
    assert keys[:2] == keys[2:4]
    assert keys[0] != keys[1]
    (row,) = await flows.store.deliveries({})
    assert all(key.startswith(row["id"]) for key in keys)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("items/a b", "http://127.0.0.1:9/cms/items/a%20b"),
        ("/straße#x", "http://127.0.0.1:9/cms/stra%C3%9Fe%23x"),
        ("/a%2Fb?c=d&e=..", "http://127.0.0.1:9/cms/a%2Fb?c=d&e=.."),
        ("//evil.example/x", "http://127.0.0.1:9/cms/evil.example/x"),
    ],
)
async def test_a_path_is_encoded_where_it_has_to_be(make_flows, path, url):
    async def handler(event, endpoint):
        return await endpoint.get(path)

    result = await outcome_of(make_flows, handler)
    assert result["calls"][0].url == url


@pytest.mark.parametrize("path", ["/items/../admin", "..", "/a/./b"])
async def test_a_path_does_not_lead_out_of_the_endpoint(make_flows, path):
    async def handler(event, endpoint):
        return await endpoint.delete(path)

    result = await outcome_of(make_flows, handler)
    assert (result["state"], result["calls"]) == ("dead", [])
    assert "would lead out" in result["reason"]


async def test_nothing_is_sent_unsigned_when_every_secret_has_ended(make_flows):
    flows = make_flows(to_cms(keys=(Key(b"k" * 32, until=NOW),)))
    await arrive(flows)
    (seen,) = await flows.seen("attempt.recorded")
    assert seen["attempt"].reason == "secrets-ended"
    assert flows.sender.calls == []
    assert await flows.states() == {"cms": "scheduled"}


async def test_a_traceback_is_kept_for_the_operator(make_flows):
    async def handler(event, endpoint):
        raise KeyError("asset")

    result = await outcome_of(make_flows, handler)
    assert "Traceback" in result["attempt"]["excerpt"]
    assert "KeyError: 'asset'" in result["attempt"]["excerpt"]


async def test_a_handler_that_returns_no_response_is_told_so(make_flows):
    async def handler(event, endpoint):
        await endpoint.get()

    result = await outcome_of(make_flows, handler)
    assert result["reason"] == "handler-returned-no-response"
    assert "return the Response" in result["attempt"]["excerpt"]


async def test_a_call_without_an_answer_makes_the_attempt_unreachable(make_flows):
    async def handler(event, endpoint):
        return await endpoint.post("/x", json={})

    flows = with_handler(make_flows, handler)
    flows.sender.script.append(Unreachable("connection-refused", "nobody there"))
    await arrive(flows)
    await flows.seen("attempt.recorded")
    (row,) = await flows.store.deliveries({})
    assert (row["state"], row["reason"]) == ("scheduled", "connection-refused")


async def test_a_refused_call_is_retried_and_410_does_not_disable_the_endpoint(make_flows):
    async def handler(event, endpoint):
        return await endpoint.delete("/items/1")

    flows = with_handler(make_flows, handler)
    flows.sender.answers(410)
    await arrive(flows)
    await flows.seen("attempt.recorded")
    assert flows.lanes["cms"].is_open
    assert (await flows.store.deliveries({}))[0]["reason"] == "http-410"


@pytest.mark.parametrize("path", ["items", "/items", "//evil.example/items", "@evil.example"])
async def test_no_path_leads_a_handlers_call_to_another_host(make_flows, path):
    async def handler(event, endpoint):
        return await endpoint.get(path)

    result = await outcome_of(make_flows, handler)
    assert result["calls"][0].url.startswith("http://127.0.0.1:9/cms/")


@pytest.mark.parametrize(
    "path",
    ["..", "/../x", "/a/../../x", "/%2e%2e/x", "/.%2E/x", "/%252e%252e/x", "/..%2fx", "/a/..\\x",
     "/..%5cx", "/./x", "/..;/x", "/a/..;b=1/x", "/%25252e%25252e/x"],
)  # fmt: skip
async def test_no_spelling_of_dots_leads_a_handlers_call_out_of_its_endpoint(make_flows, path):
    async def handler(event, endpoint):
        return await endpoint.get(path)

    result = await outcome_of(make_flows, handler)
    assert result["state"] == "dead"
    assert result["calls"] == []


@pytest.mark.parametrize(
    "path",
    ["http://169.254.169.254/x", "/a\r\nHost: evil", "\\\\evil.example", "/\u3002\u3002/x", "/#x"],
)
async def test_whatever_else_a_path_holds_stays_one_path_of_its_endpoint(make_flows, path):
    async def handler(event, endpoint):
        return await endpoint.get(path)

    result = await outcome_of(make_flows, handler)
    url = result["calls"][0].url
    assert url.startswith("http://127.0.0.1:9/cms/")
    assert url_fault(url) == ""


async def test_a_denied_address_out_of_a_handler_is_dead_at_once(make_flows):
    async def handler(event, endpoint):
        return await endpoint.get("/x")

    flows = with_handler(make_flows, handler)
    flows.sender.script.append(Unreachable(EGRESS_DENIED, "10.0.0.1 port 80"))
    await arrive(flows)
    await flows.seen("attempt.recorded")
    (row,) = await flows.store.deliveries({})
    assert (row["state"], row["reason"]) == ("dead", "egress-denied: 10.0.0.1 port 80")
    assert flows.lanes["cms"].is_open


@pytest.mark.parametrize("value", ["a\r\nx-admin: yes", "a\x00b"])
async def test_a_header_out_of_an_event_that_would_be_two_is_dead_at_once_and_not_sent(
    make_flows, value
):
    async def handler(event, endpoint):
        return await endpoint.request("GET", "/x", headers={"x-title": event.data["title"]})

    async with raw_server(answers()) as server:
        sender = AiohttpSender(EgressPolicy(allow=LOOPBACK), user_agent="x")
        cms = EndpointConfig(name="cms", url=server.url(), retry=QUICK, handler="h:f")
        flows = make_flows(
            some_routes(({}, "cms"), cms=cms), handlers={"h:f": handler}, sender=sender
        )
        await arrive(flows, an_event(data={"title": value}))
        await flows.seen("attempt.recorded")
        await sender.close()
        assert server.connections == 0
    (row,) = await flows.store.deliveries({})
    assert row["state"] == "dead"
    assert row["reason"] == (
        "request-invalid: the value of the header 'x-title' has a line break or another control character"
    )


async def test_a_handlers_calls_are_signed_where_the_endpoint_signs(make_flows):
    async def handler(event, endpoint):
        return await endpoint.post(json={"a": 1})

    flows = make_flows(to_cms(handler="h:f", keys=(Key(b"k" * 32),)), handlers={"h:f": handler})
    await arrive(flows)
    await flows.seen("attempt.recorded")
    assert flows.sender.calls[0].headers["webhook-signature"].startswith("v1,")


async def test_a_handler_asks_for_secrets_by_name(make_flows):
    async def handler(event, endpoint):
        return await endpoint.post(json={"key": endpoint.secret("routing_key")})

    flows = make_flows(
        to_cms(handler="h:f", secrets={"routing_key": Secret("r-1")}), handlers={"h:f": handler}
    )
    await arrive(flows)
    await flows.seen("attempt.recorded")
    assert flows.sender.calls[0].body == b'{"key":"r-1"}'


async def test_a_secret_that_is_not_configured_makes_the_delivery_dead_with_the_cure(make_flows):
    async def handler(event, endpoint):
        return await endpoint.post(json={"key": endpoint.secret("routing_key")})

    result = await outcome_of(make_flows, handler)
    assert result["state"] == "dead"
    assert "add it under `secrets:`" in result["reason"]


# -- when the store fails --------------------------------------------------------------------------


async def test_outcomes_wait_while_the_store_fails_and_nothing_new_is_sent(make_flows, clock):
    flows = make_flows(to_cms(concurrency=1))
    flows.sender.may_answer.clear()
    await arrive(flows, *(an_event() for _ in range(5)))
    broken = Broken(flows.store)
    flows.sender.answer_one()  # its outcome cannot be recorded; the second attempt has begun by then
    await flows.seen("store.unavailable")
    flows.sender.may_answer.set()
    await _turns()
    assert len(flows.sender.calls) == 2
    broken.mend()
    clock.advance(1)
    await flows.seen("store.recovered")
    await flows.seen("attempt.recorded", 5)
    assert len(flows.sender.calls) == 5
    assert {r["state"] for r in await flows.store.deliveries({})} == {"delivered"}


class Broken:
    """A store whose commits fail until it is mended."""

    def __init__(self, store) -> None:
        self._group = store._commits._committer
        self._commit = self._group._commit
        self._group._commit = lambda operations: (
            [StoreUnavailable("the disk is full")] * len(operations)
        )

    def mend(self) -> None:
        self._group._commit = self._commit


async def test_a_lost_lease_drops_the_outcome(make_flows, clock):
    flows = make_flows(to_cms())
    flows.sender.may_answer.clear()
    await arrive(flows)
    await flows.store.reclaim(NOW + 10**12)
    flows.sender.may_answer.set()
    await flows.seen("lease.lost")
    (row,) = await flows.store.deliveries({})
    assert row["attempts"] == 0


# -- the end ---------------------------------------------------------------------------------------


async def test_draining_waits_for_attempts_under_way_and_begins_none(make_flows):
    flows = make_flows(to_cms(concurrency=1))
    flows.sender.may_answer.clear()
    await arrive(flows, an_event(), an_event())
    draining = asyncio.create_task(flows.deliver.drain(60 * SECOND))
    await _turns()
    assert not draining.done()
    flows.sender.may_answer.set()
    await draining
    assert sorted(r["state"] for r in await flows.store.deliveries({})) == [
        "delivered",
        "scheduled",
    ]
    assert len(flows.sender.calls) == 1


async def test_what_does_not_finish_in_time_goes_back_on_schedule(make_flows):
    flows = make_flows(to_cms())
    flows.sender.may_answer.clear()
    await arrive(flows)
    await flows.deliver.drain(0)
    (row,) = await flows.store.deliveries({})
    assert (row["state"], row["attempts"]) == ("scheduled", 0)


@pytest.mark.parametrize(
    ("nodes", "seconds"), [(None, 10), (1, 1), (3, 3), (20, 20), (100, 25), (1000, 25)]
)
async def test_nodes_look_by_turns_for_leases_that_have_ended(make_flows, clock, nodes, seconds):
    flows = make_flows()
    reclaim = Reclaim(
        store=flows.store, lanes=flows.lanes, claim=flows.claim, recorder=flows.recorder,
        clock=clock, telemetry=flows.telemetry, nodes=nodes and (lambda: nodes),
    )  # fmt: skip
    clock.advance(SETTLES / SECOND)
    wait = (await reclaim._step() - clock.now()) / SECOND
    assert 0.7 * seconds <= wait <= 1.3 * seconds


async def test_a_reclaimed_delivery_is_claimed_again(make_flows, clock):
    flows = make_flows(to_cms())
    flows.sender.may_answer.clear()
    await arrive(flows)
    lane = flows.lanes["cms"]
    assert lane.running == 1
    clock.advance(31)  # the lease is over; nobody recorded an outcome
    await flows.seen("leases.reclaimed")
    flows.sender.may_answer.set()
    await flows.seen("attempt.recorded")
    assert await flows.states() == {"cms": "delivered"}


@pytest.mark.parametrize(
    ("text", "written"),
    [("evt-1/a:b", "evt-1/a:b"), ("ä b", "%C3%A4%20b"), ('a"b%', "a%22b%25"), ("a\r\nb", "a%0D%0Ab"), ("€", "%E2%82%AC")],
)  # fmt: skip
def test_an_attribute_in_a_header_is_encoded_as_cloudevents_are(text, written):
    assert header_text(text) == written
