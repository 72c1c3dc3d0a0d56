"""Spans for OpenTelemetry: one where an event is taken in, one for each attempt, made of what telemetry tells.

Their ids are those that endpoints were told (core/tracing.py), so nothing is carried along for them: not in
memory, not in the database. Names and attributes follow the semantic conventions for HTTP and messaging
(https://opentelemetry.io/docs/specs/semconv/). What is exported, where to, and how much waits at most is said by the
variables of OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_BSP_…`).
"""

import os
from collections.abc import Sequence
from threading import Thread
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway.core.model import Arrival, Attempt, Delivery, Event, Receipt
from gateway.core.retry import Decision, Finish
from gateway.core.tracing import (
    PARENT,
    parsed,
    span_of_attempt,
    span_of_event,
    trace_of_event,
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
        elif name == "attempt.recorded":
            self._attempt(**fields)

    def close(self) -> None:
        """Export what waits, for a moment: a collector that does not answer keeps no gateway. Blocks."""
        closing = Thread(target=self._processor.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSING_SECONDS)

    def _kept(
        self,
        source: str,
        arrivals: Sequence[Arrival],
        receipts: Sequence[Receipt],
        **_came: bool,
    ) -> None:
        now = self._clock.now()
        for arrival, receipt in zip(arrivals, receipts, strict=True):
            if not receipt.duplicate:
                event = arrival.event
                self._end(
                    event,
                    f"receive {source}",
                    SpanKind.CONSUMER,
                    span_of_event(event.event_id),
                    None,
                    (event.received_at, now),
                    {
                        "messaging.operation.type": "receive",
                        "messaging.destination.name": source,
                        "messaging.message.id": event.event_id,
                        "cloudevents.event_id": event.id,
                        "cloudevents.event_type": event.type,
                    },
                )

    def _attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        event, number = delivery.event, attempt.number
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
            event,
            f"send {delivery.endpoint}",
            SpanKind.CLIENT,
            span_of_attempt(delivery.id, number),
            span_of_event(event.event_id),
            (attempt.started_at, attempt.started_at + attempt.duration),
            attributes,
            failed=failed,
            after=span_of_attempt(delivery.id, number - 1) if number > 1 else None,
        )

    def _end(  # noqa: PLR0913  # what a span is made of
        self,
        event: Event,
        name: str,
        kind: SpanKind,
        span: str,
        parent: str | None,
        times: tuple[int, int],
        attributes: dict[str, str | int],
        *,
        failed: bool = False,
        after: str | None = None,
    ) -> None:
        """Hand over a span that has ended, below its *parent* or else the sender's; *after* is the span that it repeats."""
        context = parsed(event.attributes.get(PARENT))
        if context is None:
            trace = trace_of_event(event.event_id)
        elif context.sampled:
            trace, parent = context.trace, parent or context.span
        else:
            return
        self._processor.on_end(
            ReadableSpan(
                name=name,
                context=_context(trace, span),
                parent=None if parent is None else _context(trace, parent),
                resource=self._resource,
                attributes=attributes,
                links=[] if after is None else [Link(_context(trace, after))],
                kind=kind,
                status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
                start_time=times[0] * NANO,
                end_time=times[1] * NANO,
            )
        )


def _context(trace: str, span: str) -> SpanContext:
    return SpanContext(
        int(trace, 16), int(span, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
