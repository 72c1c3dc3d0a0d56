"""How long an event takes, at a load that leaves room, against the least that it can take."""

from bench.bare import commit_and_post
from bench.gateway import ENDPOINTS, at, gateway
from bench.measure import Figure, Result, Run, chosen, posted
from bench.processes import memory_mib
from bench.traffic import Traffic, peer

FIGURES = (
    Figure(label="received to read, p50 / one commit + one POST", name="p50_ratio", at_most=3),
    Figure(label="received to read, p99 / one commit + one POST", name="p99_ratio", at_most=15),
    Figure(label="peak memory, MiB", name="memory_peak_mib", at_most=160),
)
LOAD = 1 / 3
"""Of the peak of the same round."""
SECONDS = 10
EVENTS = 4_000
WARM_UP = 1_500
BARE = 1_000


def latency(run: Run) -> Result:
    """From when a request should be sent to when each endpoint has read it, at a third of the peak.

    Open loop, fan-out 3; the peak is what a closed loop gets through right before. Both percentiles are
    compared with the median of a FULL commit and a bare POST, one pair after the other.
    """
    fan_out = len(ENDPOINTS)
    with peer() as loading, gateway(at(loading.port)) as target:
        traffic = Traffic(loading, target.port)
        traffic.post(run.scaled(WARM_UP), fan_out)

        def at_a_third() -> dict:
            peak = traffic.post(run.scaled(EVENTS), fan_out)
            rate = run.scaled(EVENTS) / peak["seconds"] * LOAD
            count = max(1, int(rate * run.scaled(SECONDS)))
            got = posted(target, traffic, count, fan_out, per_second=rate)
            return got | {"per_second": rate}

        rounds = [
            {
                "p50_ratio": got["delivery_p50_ms"] / expected["p50_ms"],
                "p99_ratio": got["delivery_p99_ms"] / expected["p50_ms"],
                **chosen(got, "per_second", "cpu_ms_per_event"),
                **chosen(got, "answer_p50_ms", "answer_p99_ms"),
                **chosen(got, "delivery_p50_ms", "delivery_p99_ms"),
                **chosen(got, "send_late_p50_ms", "send_late_p99_ms"),
                **chosen(expected, "p50_ms", "p99_ms", prefix="commit_and_post_"),
            }
            for expected, got in run.pairs(
                lambda: commit_and_post(loading.port, run.scaled(BARE)), at_a_third
            )
        ]
        peak_memory = memory_mib(target.pid)
    once = {"memory_peak_mib": peak_memory, "peer_share": loading.busiest}
    return Result("latency", FIGURES, rounds, once)
