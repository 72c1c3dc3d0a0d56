"""Counts and durations for Prometheus. Labels come from configuration only, never from events."""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.core.model import SECOND, Arrival, Attempt, Delivery, Receipt
from gateway.core.retry import Decision, Finish, GiveUp

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class Metrics:
    """Listens to telemetry; *lanes* is asked at each scrape."""

    def __init__(self, lanes: Callable[[], list[dict[str, Any]]]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._events = Counter(
            "gateway_events_received",
            "Requests by what became of them; unmatched ones are accepted too.",
            ("source", "outcome"),
            registry=self._registry,
        )
        self._deliveries = Counter(
            "gateway_attempts",
            "Attempts by outcome.",
            ("endpoint", "outcome"),
            registry=self._registry,
        )
        self._ended = Counter(
            "gateway_deliveries_ended",
            "Deliveries by how they ended.",
            ("endpoint", "state"),
            registry=self._registry,
        )
        self._durations = Histogram(
            "gateway_attempt_duration_seconds",
            "How long attempts took.",
            ("endpoint",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._registry.register(_LaneGauges(lanes))
        self._bound: dict[tuple[Any, ...], Any] = {}

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def __call__(self, name: str, fields: dict[str, Any]) -> None:
        """Count one report."""
        if name == "attempt.recorded":
            self._attempt(**fields)
        elif name == "events.kept":
            self._kept(**fields)
        elif name in {"event.refused", "event.unreadable"}:
            outcome = "unreadable" if name == "event.unreadable" else fields["code"]
            self._child(self._events, fields["source"], outcome).inc()

    def _kept(self, source: str, arrivals: list[Arrival], receipts: list[Receipt]) -> None:
        for arrival, receipt in zip(arrivals, receipts, strict=True):
            if receipt.duplicate:
                outcome = "duplicate"
            else:
                outcome = "accepted" if arrival.deliveries else "unmatched"
            self._child(self._events, source, outcome).inc()

    def _attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        endpoint = delivery.endpoint
        self._child(self._deliveries, endpoint, attempt.outcome).inc()
        self._child(self._durations, endpoint).observe(attempt.duration / SECOND)
        if isinstance(decision, (Finish, GiveUp)):
            state = "delivered" if isinstance(decision, Finish) else "dead"
            self._child(self._ended, endpoint, state).inc()

    def _child(self, metric: Any, *labels: str) -> Any:
        """The metric with these labels, looked up once."""
        key = (metric, *labels)
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound[key] = metric.labels(*labels)
        return bound


class _LaneGauges(Collector):
    """What lanes are like at the moment of the scrape."""

    def __init__(self, lanes: Callable[[], list[dict[str, Any]]]) -> None:
        self._lanes = lanes

    def collect(self) -> Iterator[GaugeMetricFamily]:
        running = GaugeMetricFamily(
            "gateway_attempts_running", "Attempts under way.", labels=["endpoint"]
        )
        is_open = GaugeMetricFamily(
            "gateway_endpoint_open", "1 while the endpoint takes attempts.", labels=["endpoint"]
        )
        for lane in self._lanes():
            running.add_metric([lane["name"]], lane["running"])
            is_open.add_metric([lane["name"]], lane["state"] == "open")
        yield running
        yield is_open
