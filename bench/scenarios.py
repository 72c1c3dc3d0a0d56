"""What is measured, and how: each round takes the bare library and the gateway right after each other.

So a noisy machine harms both, and the ratio of a round says more than either figure. What a scenario
reports is the median of its rounds. Figures are compared within a run, never between runs.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from bench.bare import posts_per_second, starlette
from bench.gateway import ENDPOINTS, KEY, gateway
from bench.match import WORKLOADS
from bench.processes import GATEWAY_CORE, Peer, cpu_seconds, memory_mib, peer, process

CONNECTIONS = 64
REQUESTS = 20_000
WITHOUT_LIMIT = 10**9
UNFINISHED_AT_MOST = 300
"""End to end, so many events wait for their deliveries at most: the gateway is full, not flooded."""


@dataclass
class Figure:
    """A figure that has a goal (docs/architecture.md, "Speed")."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )


@dataclass
class Result:
    """What a scenario found: the figures that have goals, and everything it measured."""

    scenario: str
    figures: list[Figure]
    measured: dict[str, float]


def ingest(rounds: int) -> Result:
    """Durable signed ingest with three matching routes, endpoints paused."""
    with peer() as loading, gateway(loading.port) as target, starlette() as bare:
        at_rest = memory_mib(target.pid, "VmRSS")
        for name in ENDPOINTS:
            target.post(f"/api/v1/endpoints/{name}/pause")
        ours, theirs = Load(loading, target.port), Load(loading, bare.port)
        ours.post(2_000)
        theirs.post(2_000)
        runs = []
        for _ in range(rounds):
            expected = theirs.post(REQUESTS)
            used = cpu_seconds(target.pid)
            got = ours.post(REQUESTS)
            used = cpu_seconds(target.pid) - used
            runs.append({
                "ratio": expected["seconds_answered"] / got["seconds_answered"],
                "events_per_second": REQUESTS / got["seconds_answered"],
                "starlette_requests_per_second": REQUESTS / expected["seconds_answered"],
                "cpu_ms_per_event": used / REQUESTS * 1e3,
                "p50_ms": got["p50_ms"],
                "p99_ms": got["p99_ms"],
            })  # fmt: skip
        peak = memory_mib(target.pid)
    measured = _medians(runs) | {"memory_at_rest_mib": at_rest, "memory_peak_mib": peak}
    figures = [
        Figure("events / requests of a bare Starlette route", measured["ratio"], at_least=0.7),
        Figure("memory at rest, MiB", at_rest, at_most=80),
        Figure("peak memory, MiB", peak, at_most=160),
    ]
    return Result("ingest", figures, measured)


def end_to_end(rounds: int) -> Result:
    """Signed, recorded deliveries while ingesting, fan-out 3."""
    fan_out, events = len(ENDPOINTS), 6_000
    with peer() as loading, gateway(loading.port) as target, starlette() as bare:
        ours, theirs = Load(loading, target.port), Load(loading, bare.port)
        ours.post(1_500, fan_out)
        theirs.post(2_000)
        runs = []
        for _ in range(rounds):
            posts = posts_per_second(loading.port, REQUESTS, CONNECTIONS)
            spent = cpu_seconds(bare.pid)
            theirs.post(REQUESTS)
            spent = (cpu_seconds(bare.pid) - spent) / REQUESTS
            used = cpu_seconds(target.pid)
            got = ours.post(events, fan_out)
            used = (cpu_seconds(target.pid) - used) / events
            deliveries = events * fan_out / got["seconds"]
            runs.append({
                "ratio": deliveries / posts,
                "deliveries_per_second": deliveries,
                "aiohttp_posts_per_second": posts,
                "cpu_ratio": used / spent,
                "cpu_ms_per_event": used * 1e3,
                "cpu_ms_per_starlette_request": spent * 1e3,
                "p50_ms": got["p50_ms"],
                "p99_ms": got["p99_ms"],
            })  # fmt: skip
        peak = memory_mib(target.pid)
    measured = _medians(runs) | {"memory_peak_mib": peak}
    figures = [
        Figure("deliveries / posts of a bare aiohttp loop", measured["ratio"], at_least=1.4),
        Figure("CPU an event / a bare Starlette request", measured["cpu_ratio"], at_most=3.7),
        Figure("peak memory, MiB", peak, at_most=160),
    ]
    return Result("end_to_end", figures, measured)


def match(rounds: int) -> Result:
    """Patterns against decoded events, by an index of 10, 1,000 and 100,000 of them."""
    found = {name: _matching(name, rounds) for name in (*WORKLOADS, "adversity")}
    measured = {
        f"{name}_{what}": value for name, all_of in found.items() for what, value in all_of.items()
    }
    few, many, most = "us_10", "us_1000", "us_100000"
    crowded = [found[name] for name in WORKLOADS if name != "keyed"]
    by_one = min(each["us_one_by_one"] / each[most] for each in crowded)
    memory = max(found[name]["bytes_a_pattern"] for name in WORKLOADS)
    figures = [
        Figure("keyed patterns, 100,000 / 10", found["keyed"][most] / found["keyed"][few], at_most=1.2),
        Figure("tenants' patterns, 100,000 / 1,000", found["tenant"][most] / found["tenant"][many], at_most=2),
        Figure("mixed patterns, 100,000 / 1,000", found["mixed"][most] / found["mixed"][many], at_most=2.5),
        Figure("one by one / index, 100,000", by_one, at_least=500),
        Figure("memory a pattern, KiB", memory / 1024, at_most=1.5),
    ]  # fmt: skip
    return Result("match", figures, {name: round(value, 4) for name, value in measured.items()})


def _matching(workload: str, rounds: int) -> dict[str, float]:
    """What a process of its own measured."""
    command = (sys.executable, "-m", "bench.match", workload, str(rounds))
    with process(*command, core=GATEWAY_CORE, stdout=subprocess.PIPE, text=True) as child:
        answer, _ = child.communicate()
    return json.loads(answer)


SCENARIOS: dict[str, Callable[[int], Result]] = {
    "ingest": ingest,
    "end_to_end": end_to_end,
    "match": match,
}


class Load:
    """Posts events to one port, none of them twice."""

    def __init__(self, peer: Peer, port: int) -> None:
        self._peer = peer
        self._port = port
        self._first = 0

    def post(self, count: int, fan_out: int = 0) -> dict:
        """Post so many, and wait until all are answered and each has made its deliveries."""
        answer = self._peer.order(
            count=count,
            first=self._first,
            port=self._port,
            key=KEY,
            path="/in/bench",
            fan_out=fan_out,
            window=UNFINISHED_AT_MOST if fan_out else WITHOUT_LIMIT,
            connections=CONNECTIONS,
        )
        self._first += count
        if answer["statuses"] != {"202": count}:
            raise SystemExit(f"not all {count} requests were answered 202: {answer['statuses']}")
        return answer


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(run[name] for run in runs), 4) for name in runs[0]}
