"""Ingest alone, against a route that keeps nothing."""

from bench.bare import starlette
from bench.gateway import ENDPOINTS, at, gateway
from bench.measure import Figure, Result, Run, chosen, posted
from bench.processes import memory_mib
from bench.traffic import Traffic, peer

FIGURES = (
    Figure(label="events / requests of a bare Starlette route", name="ratio", at_least=0.7),
    Figure(label="memory at rest, MiB", name="memory_at_rest_mib", at_most=80),
    Figure(label="peak memory, MiB", name="memory_peak_mib", at_most=160),
)
REQUESTS = 20_000
WARM_UP = 2_000


def ingest(run: Run) -> Result:
    """Durable signed ingest with three matching routes, endpoints paused."""
    requests = run.scaled(REQUESTS)
    with peer() as loading, gateway(at(loading.port)) as target, starlette() as bare:
        at_rest = memory_mib(target.pid, "VmRSS")
        target.pause(*ENDPOINTS)
        ours, theirs = Traffic(loading, target.port), Traffic(loading, bare.port)
        ours.post(run.scaled(WARM_UP))
        theirs.post(run.scaled(WARM_UP))
        rounds = [
            {
                "ratio": expected["seconds_answered"] / got["seconds_answered"],
                "starlette_requests_per_second": requests / expected["seconds_answered"],
                **chosen(got, "events_per_second", "cpu_ms_per_event"),
                **chosen(got, "answer_p50_ms", "answer_p99_ms"),
            }
            for expected, got in run.pairs(
                lambda: theirs.post(requests), lambda: posted(target, ours, requests)
            )
        ]
        peak = memory_mib(target.pid)
    once = {"memory_at_rest_mib": at_rest, "memory_peak_mib": peak, "peer_share": loading.busiest}
    return Result("ingest", FIGURES, rounds, once)
