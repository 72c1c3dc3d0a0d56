"""Counts and durations for Prometheus. Labels come from configuration only, never from events.

Counting is adding to a number in a dict; all the rest happens when Prometheus asks.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from gateway.core.breaker import BreakerState
from gateway.core.histogram import MOMENTS, Histogram
from gateway.core.model import SECOND, Arrival, Attempt, Delivery, Receipt, Routed
from gateway.core.retry import Decision, Finish, GiveUp

ATTEMPTS = (*MOMENTS, 10, 20)
DELIVERIES = (*MOMENTS[2:], 10, 30, 60, 300, 1800, 7200, 86400)
"""Bounds in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked at each scrape."""

    lanes: Callable[[], list[dict[str, Any]]]
    """The endpoints, as the API shows them."""
    file_in_force: Callable[[], bool]
    """Whether the routes file as it is now is in force."""
    store: Callable[[], dict[str, Any]]
    """How the store fares, as the API shows it."""
    commits: Callable[[], Mapping[str, tuple[Histogram, Histogram]]]
    """For each stream of commits the seconds that they took, and of how many operations they were."""
    lag: Histogram
    """How many seconds the event loop took to turn."""
    waiting: Callable[[], dict[str, int]]
    overdue: Callable[[], dict[str, float]]
    dead: Callable[[], dict[str, int]]
    """By endpoint: how much waits, for how many seconds the oldest has been due, and how much is dead."""
    nodes: Callable[[], dict[str, float]] = dict
    """How many there are, how many are lost, and whether they differ; empty: there are no others."""


class Metrics(Collector):
    """Listens to telemetry, and asks for the rest when it is asked."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._corrupt: Counter[tuple[str]] = Counter()
        self._events: Counter[tuple[str, str]] = Counter()
        self._misfits: Counter[tuple[str]] = Counter()
        self._routes: Counter[tuple[str, str]] = Counter()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._room: dict[str, int] = {}
        self._pruned: Counter[str] = Counter()
        self._durations: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(ATTEMPTS))
        """For each endpoint, how long attempts took."""
        self._ways: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(DELIVERIES))
        """For each endpoint, how long it was from an event to the end of its delivery."""
        self._late: Counter[str] = Counter()
        self._polls: Counter[tuple[str, str]] = Counter()
        self._queries: Counter[tuple[str, str]] = Counter()
        self._fetched: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(ATTEMPTS))
        """For each query, how long its endpoint took."""
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def __call__(self, name: str, fields: dict[str, Any]) -> None:
        """Count one report."""
        if name == "attempt.recorded":
            self._attempt(**fields)
        elif name == "events.kept":
            self._kept(**fields)
        elif name == "deliveries.late":
            self._late[fields["endpoint"]] += fields["count"]
        elif name in ("source.polled", "poll.failed"):
            self._polls[fields["source"], fields["outcome"]] += 1
        elif name == "event.refused":
            self._events[fields["source"], fields["code"]] += 1
        elif name in ("event.ignored", "event.unreadable"):
            self._events[fields["source"], name.removeprefix("event.")] += 1
        elif name == "retention.pruned":
            self._pruned.update(fields)
        elif name == "store.measured":
            self._room = fields
        elif name == "event.misfit":
            self._misfits[fields["source"],] += fields["count"]
        elif name.startswith("query."):
            self._query(name, fields)
        elif name == "delivery.corrupt":
            self._corrupt[(fields["endpoint"],)] += 1
            self._ended[fields["endpoint"], "dead"] += 1

    def _kept(
        self, source: str, arrivals: list[Arrival], receipts: list[Receipt], **_came: bool
    ) -> None:
        for arrival, receipt in zip(arrivals, receipts, strict=True):
            if receipt.duplicate:
                outcome = "duplicate"
            else:
                outcome = "accepted" if arrival.routed.matched else "unmatched"
                self._routed(arrival.routed)
            self._events[source, outcome] += 1

    def _routed(self, routed: Routed) -> None:
        for route in routed.matched:
            self._routes[route, "matched"] += 1
        for withheld in routed.withheld:
            self._routes[withheld.route, withheld.reason] += 1
        for failure in routed.failures:
            self._routes[failure.route, "failed"] += 1

    def routes(self) -> dict[str, dict[str, int]]:
        """What each route has done since the start: how often it matched, withheld, and failed."""
        counts: dict[str, dict[str, int]] = {}
        for (route, what), count in self._routes.items():
            counts.setdefault(route, {})[what] = count
        return counts

    def _query(self, name: str, fields: dict[str, Any]) -> None:
        if name == "query.answered":
            self._queries[fields["query"], fields["outcome"]] += 1
        elif name == "query.fetched":
            self._fetched[fields["query"]].observe(fields["duration"] / SECOND)

    def _attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        endpoint = delivery.endpoint
        self._attempts[endpoint, attempt.outcome] += 1
        self._durations[endpoint].observe(attempt.duration / SECOND)
        if isinstance(decision, Finish):
            self._ended[endpoint, "delivered"] += 1
            ended_at = attempt.started_at + attempt.duration
            self._ways[endpoint].observe((ended_at - delivery.event.received_at) / SECOND)
        elif isinstance(decision, GiveUp):
            self._ended[endpoint, "dead"] += 1

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now."""
        yield _counter(
            "gateway_events_received",
            "Requests by what became of them.",
            ("source", "outcome"),
            self._events,
        )
        yield _counter(
            "gateway_events_misfit",
            "Events that were kept although their data do not fit their type.",
            ("source",),
            self._misfits,
        )
        yield _counter(
            "gateway_route_events",
            "Events by route: matched, withheld (shadow, once, nothing), or with an expression that failed.",
            ("route", "outcome"),
            self._routes,
        )
        yield _counter(
            "gateway_attempts", "Attempts by outcome.", ("endpoint", "outcome"), self._attempts
        )
        yield _counter(
            "gateway_deliveries",
            "Deliveries by how they ended.",
            ("endpoint", "outcome"),
            self._ended,
        )
        yield _counter(
            "gateway_polls", "Sources asked, by what came.", ("source", "outcome"), self._polls
        )
        late = CounterMetricFamily(
            "gateway_deliveries_late", "Deliveries that have become late.", labels=["endpoint"]
        )
        for endpoint, count in self._late.items():
            late.add_metric([endpoint], count)
        yield late
        pruned = CounterMetricFamily(
            "gateway_pruned",
            "What retention has deleted: events, and entries of the inbox, of `once` and of the audit log.",
            labels=["kind"],
        )
        for kind, count in self._pruned.items():
            pruned.add_metric([kind], count)
        yield pruned
        room = GaugeMetricFamily(
            "gateway_database_bytes",
            "How large the database is: what is used of it, and what is free in it; a minute old at most.",
            labels=["kind"],
        )
        for kind, size in self._room.items():
            room.add_metric([kind], size)
        yield room
        yield _histogram(
            "gateway_attempt_duration_seconds",
            "How long attempts took.",
            "endpoint",
            self._durations.items(),
        )
        yield _histogram(
            "gateway_delivery_duration_seconds",
            "How long it was from when an event came until it was delivered.",
            "endpoint",
            self._ways.items(),
        )
        yield _counter(
            "gateway_queries",
            "Queries by how they were answered: fetched, collapsed, hit, stale, or by the code of an error.",
            ("query", "outcome"),
            self._queries,
        )
        yield _histogram(
            "gateway_query_duration_seconds",
            "How long endpoints took that queries ask.",
            "query",
            self._fetched.items(),
        )
        lanes = self._asked.lanes()
        yield from self._of_the_backlog([lane["name"] for lane in lanes])
        yield from self._of_the_store()
        yield from self._of_the_nodes()
        in_force = self._asked.file_in_force()
        yield GaugeMetricFamily(
            "gateway_routes_file_in_force",
            "1 while the routes file as it is now is in force, 0 while it is faulty.",
            value=in_force,
        )
        running = GaugeMetricFamily(
            "gateway_attempts_running", "Attempts under way.", labels=["endpoint"]
        )
        is_open = GaugeMetricFamily(
            "gateway_endpoint_open", "1 while the endpoint takes attempts.", labels=["endpoint"]
        )
        breaker = GaugeMetricFamily(
            "gateway_endpoint_breaker",
            "1 for the state that the endpoint's breaker is in, 0 for the others.",
            labels=["endpoint", "state"],
        )
        for lane in lanes:
            running.add_metric([lane["name"]], lane["running"])
            closed = lane["breaker"] not in (BreakerState.OPEN, BreakerState.PROBING)
            is_open.add_metric([lane["name"]], lane["state"] == "open" and closed)
            for state in BreakerState:
                if lane["breaker"] != "off":
                    breaker.add_metric([lane["name"], state], lane["breaker"] == state)
        yield running
        yield is_open
        yield breaker

    def _of_the_nodes(self) -> Iterator[Metric]:
        texts = {
            "gateway_nodes": "Gateways on this database that are there.",
            "gateway_nodes_lost": "Gateways that went without a word in the last hour.",
            "gateway_nodes_differ": "1 while nodes go by different routes files, 0 while by the same.",
            "gateway_node_clock_ahead_seconds": "By how much this node's clock is ahead of the database's.",
        }
        for name, value in self._asked.nodes().items():
            yield GaugeMetricFamily(name, texts[name], value=value)

    def _of_the_store(self) -> Iterator[Metric]:
        yield _counter(
            "gateway_deliveries_corrupt",
            "Deliveries that are dead because their stored bytes have changed.",
            ("endpoint",),
            self._corrupt,
        )
        store = self._asked.store()
        gauges: tuple[tuple[str, str, float], ...] = (
            (
                "gateway_store_available",
                "1 while events can be kept, 0 while they are refused for the store or its disk.",
                store["state"] == "ok",
            ),
            (
                "gateway_store_waiting",
                "Operations that wait to be committed.",
                store["waiting"],
            ),
            (
                "gateway_store_waited_seconds",
                "For how long the oldest of them has waited.",
                store["waited_seconds"],
            ),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(name, text, value=value)
        if "free_bytes" in store:
            text = "Room on the disk of the database."
            yield GaugeMetricFamily("gateway_disk_free_bytes", text, value=store["free_bytes"])
            text = "1 while the ballast is in its place, or none is wanted."
            yield GaugeMetricFamily("gateway_disk_ballast", text, value=store["ballast"])
        commits = self._asked.commits().items()
        yield _histogram(
            "gateway_commit_duration_seconds",
            "How long commits took.",
            "stream",
            [(stream, seconds) for stream, (seconds, _) in commits],
        )
        yield _histogram(
            "gateway_commit_operations",
            "Of how many operations commits were.",
            "stream",
            [(stream, sizes) for stream, (_, sizes) in commits],
        )
        lag = HistogramMetricFamily(
            "gateway_loop_lag_seconds",
            "How long the event loop took to turn, four times a second.",
        )
        lag.add_metric([], _buckets(self._asked.lag), self._asked.lag.total)
        yield lag

    def _of_the_backlog(self, endpoints: list[str]) -> Iterator[Metric]:
        asked = self._asked
        gauges: tuple[tuple[str, str, Mapping[str, float]], ...] = (
            (
                "gateway_backlog_deliveries",
                "Deliveries that wait, for their time, their turn or their endpoint.",
                asked.waiting(),
            ),
            (
                "gateway_backlog_oldest_seconds",
                "For how long the oldest of them has been due.",
                asked.overdue(),
            ),
            ("gateway_dead_letters", "Deliveries that are dead.", asked.dead()),
        )
        for metric, text, values in gauges:
            family = GaugeMetricFamily(metric, text, labels=["endpoint"])
            for name in endpoints:
                family.add_metric([name], values.get(name, 0))
            yield family


def _histogram(
    name: str, text: str, label: str, found: Iterable[tuple[str, Histogram]]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=[label])
    for value, histogram in found:
        family.add_metric([value], _buckets(histogram), histogram.total)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, int]]:
    bounds = (*(str(float(bound)) for bound in histogram.bounds), "+Inf")
    return list(zip(bounds, histogram.cumulated(), strict=True))


def _counter(
    name: str,
    text: str,
    labels: tuple[str, ...],
    counts: Counter[tuple[str, str]] | Counter[tuple[str]],
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family
