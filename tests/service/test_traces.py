"""Spans, from the sender's to those of each attempt, at a receiver of OpenTelemetry's protocol."""

import asyncio

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway.testing import Gateway

JSON = {"content-type": "application/json"}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Takes spans by OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: dict[str, object] = {}
        self.services: set[str] = set()

    async def take(self, request: web.Request) -> web.Response:
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
    await runner.cleanup()


def attributes(span) -> dict:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


async def test_a_trace_goes_on_from_the_sender_through_each_attempt(routes_file, collector, seen):
    async with Gateway(routes_file, traces="otlp") as gateway:
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
    told = [call.headers["traceparent"].split("-") for call in calls]
    assert [(version, trace, flags) for version, trace, _, flags in told] == [
        ("00", TRACE, "01")
    ] * 2
    assert calls[0].headers["tracestate"] == "vendor=1"
    first, second = (collector.spans[span] for _, _, span, _ in told)
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
    async with Gateway(routes_file, traces="otlp") as gateway:
        header = {**JSON, "traceparent": f"00-{TRACE}-{SPAN}-00"}
        await gateway.post("open", b'{"type": "license.renewed", "data": {}}', header)
        (call,) = await gateway.endpoint("cms").calls(1)
        await gateway.settled()
    assert call.headers["traceparent"].endswith("-00")
    assert collector.spans == {}


async def test_an_event_without_a_context_begins_a_trace_of_its_own(routes_file, collector):
    async with Gateway(routes_file, traces="otlp") as gateway:
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
