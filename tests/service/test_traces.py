"""Spans, from the sender's to those of each attempt, at a receiver of OpenTelemetry's protocol."""

import asyncio

import pytest
from aiohttp import web
from multidict import CIMultiDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway import traces
from gateway.core.bulk import Action
from gateway.core.model import SECOND
from gateway.testing import Gateway

EVENT = b'{"type": "license.renewed", "data": {}}'
JSON = {"content-type": "application/json"}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Takes spans by OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: dict[str, object] = {}
        self.services: set[str] = set()
        self.hangs = False
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.asked.set()
        if self.hangs:
            await self.go_on.wait()
        asked = ExportTraceServiceRequest.FromString(await request.read())
        for resource in asked.resource_spans:
            self.services |= {
                each.value.string_value
                for each in resource.resource.attributes
                if each.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans |= {span.span_id.hex(): span for span in scope.spans}
        return web.Response()


@pytest.fixture
async def collector(monkeypatch):
    made, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    yield made
    made.go_on.set()
    await runner.cleanup()


def attributes(span) -> dict:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def links(span) -> list[tuple[str, str]]:
    return [(each.trace_id.hex(), each.span_id.hex()) for each in span.links]


def told(call) -> list[str]:
    """Version, trace, span and flags."""
    return call.headers["traceparent"].split("-")


async def test_a_trace_goes_on_from_the_sender_through_each_attempt(routes_file, collector, seen):
    async with Gateway(routes_file, traces="otlp", grace="25s") as gateway:
        cms = gateway.endpoint("cms").reply(503).reply(200)
        recorded = asyncio.ensure_future(seen(gateway, "attempt.recorded"))
        event = b'{"type": "license.renewed", "data": {}}'
        answer = await gateway.post(
            "open",
            event,
            {**JSON, "traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"},
        )
        assert answer["status"] == 200
        await recorded
        gateway.clock.advance(10)
        calls = await cms.calls(2)
        await gateway.settled()
    heard = [told(call) for call in calls]
    assert [(version, trace, flags) for version, trace, _, flags in heard] == [
        ("00", TRACE, "01")
    ] * 2
    assert calls[0].headers["tracestate"] == "vendor=1"
    first, second = (collector.spans[span] for _, _, span, _ in heard)
    (received,) = (span for span in collector.spans.values() if span.name == "receive open")
    assert received.parent_span_id.hex() == SPAN
    assert first.parent_span_id == second.parent_span_id == received.span_id
    assert {span.trace_id.hex() for span in collector.spans.values()} == {TRACE}
    assert [link.span_id for link in second.links] == [first.span_id]
    assert (first.status.code, second.status.code) == (2, 0)
    assert attributes(first)["http.response.status_code"] == 503
    assert attributes(second)["http.request.resend_count"] == 1
    assert attributes(first)["error.type"] == "503"
    assert collector.services == {"rights-gateway"}


async def test_what_the_sender_does_not_sample_is_not_exported_and_passed_on_all_the_same(
    routes_file, collector
):
    async with Gateway(routes_file, traces="otlp", grace="25s") as gateway:
        header = {**JSON, "traceparent": f"00-{TRACE}-{SPAN}-00"}
        await gateway.post("open", b'{"type": "license.renewed", "data": {}}', header)
        (call,) = await gateway.endpoint("cms").calls(1)
        await gateway.settled()
    assert call.headers["traceparent"].endswith("-00")
    assert collector.spans == {}


async def test_an_event_without_a_context_begins_a_trace_of_its_own(routes_file, collector):
    async with Gateway(routes_file, traces="otlp", grace="25s") as gateway:
        for _ in range(2):
            await gateway.post("open", b'{"type": "license.renewed", "data": {}}', JSON)
        calls = await gateway.endpoint("cms").calls(2)
        await gateway.settled()
    assert all("traceparent" not in call.headers for call in calls)
    assert len(collector.spans) == 4
    assert len({span.trace_id for span in collector.spans.values()}) == 2


async def test_without_the_setting_a_context_goes_through_and_nothing_is_exported(
    routes_file, collector
):
    async with Gateway(routes_file) as gateway:
        header = {**JSON, "traceparent": f"00-{TRACE}-{SPAN}-01"}
        answer = await gateway.post("open", b'{"type": "license.renewed", "data": {}}', header)
        (call,) = await gateway.endpoint("cms").calls(1)
        await gateway.settled()
        await gateway.service._operate.replay(answer["id"])
        again = (await gateway.endpoint("cms").calls(2))[1]
    assert call.headers["traceparent"] == again.headers["traceparent"] == header["traceparent"]
    assert collector.spans == {}


async def test_a_replay_is_a_trace_of_its_own_with_links_to_what_it_repeats(
    routes_file, collector, seen
):
    header = {**JSON, "traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
    async with Gateway(routes_file, traces="otlp", grace="25s") as gateway:
        cms = gateway.endpoint("cms").reply(200).reply(503).reply(200)
        answer = await gateway.post("open", EVENT, header)
        await gateway.settled()
        gateway.clock.advance(3600)
        recorded = asyncio.ensure_future(seen(gateway, "attempt.recorded"))
        await gateway.service._operate.replay(answer["id"])
        await recorded
        recorded = asyncio.ensure_future(seen(gateway, "attempt.recorded"))
        gateway.clock.advance(10)
        calls = await cms.calls(3)
        await recorded
    (_, trace, first, _), (_, same, second, _) = told(calls[1]), told(calls[2])
    assert trace == same != TRACE
    assert "tracestate" not in calls[1].headers
    (received,) = (span for span in collector.spans.values() if span.name == "receive open")
    (replayed,) = (span for span in collector.spans.values() if span.name == "replay open")
    original = (TRACE, received.span_id.hex())
    assert replayed.trace_id.hex() == trace
    assert not replayed.parent_span_id
    assert links(replayed) == links(collector.spans[first]) == [original]
    assert links(collector.spans[second]) == [(trace, first)]
    for span in (first, second):
        assert collector.spans[span].parent_span_id == replayed.span_id
        assert collector.spans[span].trace_id.hex() == trace


async def test_each_event_of_a_replay_in_bulk_is_a_trace_of_its_own(routes_file, collector):
    header = {**JSON, "traceparent": f"00-{TRACE}-{SPAN}-01"}
    async with Gateway(routes_file, traces="otlp", grace="25s") as gateway:
        cms = gateway.endpoint("cms")
        answers = [await gateway.post("open", EVENT, header) for _ in range(2)]
        await gateway.settled()
        gateway.clock.advance(3600)
        await gateway.service._bulk.go_on(Action.REPLAY, "op", {"source": "open"}, (1000, SECOND))
        gateway.clock.advance(1)
        calls = (await cms.calls(4))[2:]
    replayed = {
        span.trace_id.hex(): span for span in collector.spans.values() if span.name == "replay open"
    }
    assert {attributes(span)["messaging.message.id"] for span in replayed.values()} == {
        answer["id"] for answer in answers
    }
    for _, trace, span, _ in map(told, calls):
        assert collector.spans[span].parent_span_id == replayed[trace].span_id
        assert links(collector.spans[span]) == links(replayed[trace]) != []


async def test_what_is_redelivered_links_to_the_attempt_before_it_in_the_same_trace(
    routes_file, collector, seen
):
    header = {**JSON, "traceparent": f"00-{TRACE}-{SPAN}-01"}
    async with Gateway(routes_file, traces="otlp", grace="25s") as gateway:
        pager = gateway.endpoint("pager").reply(503).reply(200)
        answer = await gateway.post("open", EVENT.replace(b"renewed", b"expired"), header)
        await gateway.settled()
        recorded = asyncio.ensure_future(seen(gateway, "attempt.recorded"))
        await gateway.service._operate.redeliver(answer["id"].replace("evt", "dlv") + "_1")
        await recorded
        calls = await pager.calls(2)
    (_, first_trace, first, _), (_, trace, again, _) = map(told, calls)
    assert trace == first_trace == TRACE
    assert links(collector.spans[again]) == [(TRACE, first)]


@pytest.mark.parametrize(
    ("sampler", "argument", "given", "passed_on", "spans"),
    [
        ("always_off", "", "01", "00", 0),
        ("always_on", "", "00", "01", 2),
        ("parentbased_always_off", "", "01", "01", 2),
        ("parentbased_always_off", "", None, None, 0),
        ("traceidratio", "0", "01", "00", 0),
        ("parentbased_traceidratio", "0", None, None, 0),
        ("parentbased_traceidratio", "1", None, None, 2),
    ],
)
async def test_the_sampler_has_its_say(  # noqa: PLR0917  # a row of the table
    routes_file, collector, monkeypatch, sampler, argument, given, passed_on, spans
):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    header = {} if given is None else {"traceparent": f"00-{TRACE}-{SPAN}-{given}"}
    async with Gateway(routes_file, traces="otlp", grace="25s") as gateway:
        await gateway.post("open", EVENT, {**JSON, **header})
        (call,) = await gateway.endpoint("cms").calls(1)
        await gateway.settled()
    assert len(collector.spans) == spans
    assert (told(call)[3] if "traceparent" in call.headers else None) == passed_on


CALLS = """\
version: 1
sources:
  open: {verify: none, ack: 200}
endpoints:
  tracker: {url: "https://tracker.example.com/", handler: hands.work:act}
  posts: {url: "https://posts.example.com/", sign: none}
routes:
  - name: all
    match: {type: [{prefix: license.}]}
    to: [tracker, {endpoint: posts, call: {method: PUT, path: "/posts/1"}}]
"""
ACT = """\
async def act(event, endpoint):
    await endpoint.get("item")
    return await endpoint.post("item", json={})
"""


async def test_calls_of_handlers_and_of_routes_carry_the_span_of_their_attempt(tmp_path, collector):
    (tmp_path / "hands").mkdir()
    (tmp_path / "hands" / "work.py").write_text(ACT)
    (tmp_path / "routes.yaml").write_text(CALLS)
    header = {**JSON, "traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
    async with Gateway(tmp_path / "routes.yaml", traces="otlp", grace="25s") as gateway:
        await gateway.post("open", EVENT, header)
        got, posted = await gateway.endpoint("tracker").calls(2)
        (put,) = await gateway.endpoint("posts").calls(1)
        await gateway.settled()
    assert got.headers["traceparent"] == posted.headers["traceparent"]
    assert got.headers["tracestate"] == put.headers["tracestate"] == "vendor=1"
    for call, name in ((got, "send tracker"), (put, "send posts")):
        assert collector.spans[told(call)[2]].name == name


async def test_a_state_in_several_headers_goes_on_as_one(gateway):
    header = CIMultiDict({**JSON, "traceparent": f"00-{TRACE}-{SPAN}-01"})
    header.add("tracestate", "b=1,c=2")
    header.add("tracestate", "a=3")
    await gateway.post("open", EVENT, header)
    (call,) = await gateway.endpoint("cms").calls(1)
    assert call.headers["tracestate"] == "b=1,c=2,a=3"


@pytest.mark.timeout(25)  # the library itself would wait for 30 s
@pytest.mark.parametrize(("grace", "longest"), [("25s", 0.1), ("0s", 3600)])
async def test_a_collector_that_hangs_holds_no_shutdown(
    routes_file, collector, monkeypatch, grace, longest
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
    monkeypatch.setattr(traces, "CLOSING_SECONDS", longest)
    collector.hangs = True
    async with Gateway(routes_file, traces="otlp", grace=grace) as gateway:
        await gateway.post("open", EVENT, JSON)
        await gateway.settled()
    await collector.asked.wait()
    assert collector.spans == {}
