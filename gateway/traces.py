"""Spans for OpenTelemetry: one where an event is taken in or replayed, one for each attempt, made of what telemetry tells.

Their ids are those that endpoints were told (core/tracing.py), so nothing is carried along for them: not in
memory, not in the database. Names and attributes follow the semantic conventions for HTTP and messaging
(https://opentelemetry.io/docs/specs/semconv/). What is exported, where to, and how much waits at most is said by the
variables of OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`).

Whatever is made of an event is sampled or not as one. A replay, which may come days later, begins a trace that is
linked to its event's, as OpenTelemetry wants it of work that something else has set off.
"""

import os
from collections.abc import Sequence
from threading import Thread
from typing import Any

from opentelemetry.context import Context as Around
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision as Sampled
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from gateway.core.model import Arrival, Attempt, Delivery, Event, Micros, Receipt
from gateway.core.retry import Decision, Finish
from gateway.core.tracing import (
    PARENT,
    Context,
    above_attempts,
    attempted,
    parsed,
    received,
    replay_of,
)
from gateway.ports import Clock

NAME = "rights-gateway"
OF_RESOURCE = "OTEL_RESOURCE_ATTRIBUTES"
CLOSING_SECONDS = 3
NANO = 1000
"""Of a microsecond."""


class Traces:
    """Listens to telemetry, and hands spans to whoever exports them, in a thread of its own."""

    def __init__(self, version: str, clock: Clock, processor: SpanProcessor | None = None) -> None:
        self._clock = clock
        self._processor = processor or BatchSpanProcessor(OTLPSpanExporter())
        self._sampler = TracerProvider(shutdown_on_exit=False).sampler  # reads OTEL_TRACES_SAMPLER
        # What OpenTelemetry's variables say wins over what is given here, but not over its own default.
        named = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get(
            OF_RESOURCE, ""
        )
        ours = {"service.version": version, **({} if named else {"service.name": NAME})}
        self._resource = Resource.create(ours)

    def __call__(self, name: str, fields: dict[str, Any]) -> None:
        """Make spans of one report."""
        if name == "events.kept":
            self._kept(**fields)
        elif name == "events.replayed":
            self._replayed(**fields)
        elif name == "attempt.recorded":
            self._attempt(**fields)

    def samples(self, event: Event) -> bool:
        """Whether the spans of an event are kept: the same whenever it is asked, and by whichever node."""
        sender, around = parsed(event.attributes.get(PARENT)), Around()
        if sender is not None:
            around = set_span_in_context(NonRecordingSpan(_context(sender, is_remote=True)), around)
        trace = int(received(event, sampled=False).trace, 16)
        decision = self._sampler.should_sample(around, trace, "receive").decision
        return decision is Sampled.RECORD_AND_SAMPLE

    def close(self, seconds: float) -> None:
        """Export what waits, within so many *seconds* and a moment: a collector that hangs keeps no gateway. Blocks."""
        closing = Thread(target=self._processor.shutdown, daemon=True)
        closing.start()
        closing.join(max(0.0, min(seconds, CLOSING_SECONDS)))

    def _kept(
        self,
        source: str,
        arrivals: Sequence[Arrival],
        receipts: Sequence[Receipt],
        **_came: bool,
    ) -> None:
        now = self._clock.now()
        for arrival, receipt in zip(arrivals, receipts, strict=True):
            event = arrival.event
            if not receipt.duplicate and self.samples(event):
                self._end(
                    f"receive {source}",
                    SpanKind.CONSUMER,
                    received(event, sampled=True),
                    parsed(event.attributes.get(PARENT)),
                    (event.received_at, now),
                    {"messaging.operation.type": "receive", **_of_event(event)},
                )

    def _replayed(self, events: Sequence[Event], at: Micros) -> None:
        now = self._clock.now()
        for event in events:
            if self.samples(event):
                self._end(
                    f"replay {event.source}",
                    SpanKind.PRODUCER,
                    replay_of(event.event_id, at, sampled=True),
                    None,
                    (at, now),
                    {"messaging.operation.type": "create", **_of_event(event)},
                    repeats=received(event, sampled=True),
                )

    def _attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        if not self.samples(delivery.event):
            return
        number = attempt.number
        attributes: dict[str, str | int] = {
            "messaging.operation.type": "send",
            "messaging.destination.name": delivery.endpoint,
            "messaging.message.id": delivery.id,
            "gateway.route": delivery.route,
            "http.request.resend_count": number - 1,
        }
        if attempt.status is not None:
            attributes["http.response.status_code"] = attempt.status
        failed = not isinstance(decision, Finish)
        if failed:
            attributes["error.type"] = attempt.reason or str(attempt.status or attempt.outcome)
        self._end(
            f"send {delivery.endpoint}",
            SpanKind.CLIENT,
            attempted(delivery, number, sampled=True),
            above_attempts(delivery, sampled=True),
            (attempt.started_at, attempt.started_at + attempt.duration),
            attributes,
            failed=failed,
            repeats=_repeated(delivery, number),
        )

    def _end(  # noqa: PLR0913  # what a span is made of
        self,
        name: str,
        kind: SpanKind,
        span: Context,
        parent: Context | None,
        times: tuple[Micros, Micros],
        attributes: dict[str, str | int],
        *,
        failed: bool = False,
        repeats: Context | None = None,
    ) -> None:
        """Hand over a span that has ended, with a link to the one that it *repeats*."""
        self._processor.on_end(
            ReadableSpan(
                name=name,
                context=_context(span),
                parent=None if parent is None else _context(parent),
                resource=self._resource,
                attributes=attributes,
                links=[] if repeats is None else [Link(_context(repeats))],
                kind=kind,
                status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
                start_time=times[0] * NANO,
                end_time=times[1] * NANO,
            )
        )


def _of_event(event: Event) -> dict[str, str | int]:
    return {
        "messaging.destination.name": event.source,
        "messaging.message.id": event.event_id,
        "cloudevents.event_id": event.id,
        "cloudevents.event_type": event.type,
    }


def _repeated(delivery: Delivery, number: int) -> Context | None:
    """What an attempt repeats: the one before it, or else what its event's replay repeats."""
    if number > 1:
        return attempted(delivery, number - 1, sampled=True)
    return None if delivery.replayed_at is None else received(delivery.event, sampled=True)


def _context(context: Context, *, is_remote: bool = False) -> SpanContext:
    flags = TraceFlags(context.flags)
    return SpanContext(
        int(context.trace, 16), int(context.span, 16), is_remote=is_remote, trace_flags=flags
    )
