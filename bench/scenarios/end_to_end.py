"""In and out at once, against the bare libraries for either."""

from bench.bare import Bare, posts_per_second, starlette
from bench.gateway import ENDPOINTS, at, gateway
from bench.measure import Figure, Result, Run, chosen, posted
from bench.processes import cpu_seconds, memory_mib
from bench.traffic import Traffic, peer

FIGURES = (
    Figure(label="deliveries / posts of a bare aiohttp loop", name="ratio", at_least=0.6),
    Figure(label="CPU an event / a bare Starlette request", name="cpu_ratio", at_most=8.7),
    Figure(label="peak memory, MiB", name="memory_peak_mib", at_most=160),
)
EVENTS = 6_000
WARM_UP = 1_500
REQUESTS = 20_000


def end_to_end(run: Run) -> Result:
    """Signed, recorded deliveries while ingesting, fan-out 3."""
    fan_out, events = len(ENDPOINTS), run.scaled(EVENTS)
    with peer() as loading, gateway(at(loading.port)) as target, starlette() as bare:
        ours, theirs = Traffic(loading, target.port), Traffic(loading, bare.port)
        ours.post(run.scaled(WARM_UP), fan_out)
        theirs.post(run.scaled(WARM_UP))
        rounds = [
            {
                "ratio": got["deliveries_per_second"] / expected["posts_per_second"],
                "cpu_ratio": got["cpu_ms_per_event"] / expected["cpu_ms_per_request"],
                "aiohttp_posts_per_second": expected["posts_per_second"],
                "cpu_ms_per_starlette_request": expected["cpu_ms_per_request"],
                **chosen(got, "deliveries_per_second", "cpu_ms_per_event"),
                **chosen(got, "answer_p50_ms", "answer_p99_ms"),
            }
            for expected, got in run.pairs(
                lambda: _bare(theirs, bare, loading.port, run.scaled(REQUESTS)),
                lambda: posted(target, ours, events, fan_out),
            )
        ]
        peak = memory_mib(target.pid)
    once = {"memory_peak_mib": peak, "peer_share": loading.busiest}
    return Result("end_to_end", FIGURES, rounds, once)


def _bare(theirs: Traffic, bare: Bare, receiver_port: int, requests: int) -> dict[str, float]:
    """How fast aiohttp posts, and what a Starlette request costs."""
    posts = posts_per_second(receiver_port, requests)
    used = cpu_seconds(bare.pid)
    theirs.post(requests)
    used = cpu_seconds(bare.pid) - used
    return {"posts_per_second": posts, "cpu_ms_per_request": used / requests * 1e3}
