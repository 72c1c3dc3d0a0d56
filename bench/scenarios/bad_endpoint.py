"""Two of three endpoints go bad, against the same gateway that does not call them."""

from bench.gateway import at, gateway
from bench.measure import Figure, Result, Run, chosen, posted
from bench.processes import memory_mib
from bench.traffic import Traffic, peer

FIGURES = (
    Figure(label="deliveries to the third / without the two", name="ratio", at_least=0.9),
    Figure(label="ingest / without the two", name="ingest_ratio", at_least=0.9),
    Figure(label="peak memory, MiB", name="memory_peak_mib", at_most=160),
)
BAD = ("workflow", "alerting")
ANSWERS = {"/workflow": "hang", "/alerting": "broken"}
IMPATIENT = ("timeout: 2s", "breaker: {delay: 1s}")
"""So that within a round the two are tried, given up, and probed."""
EVENTS = 6_000
PAIRS = 2
"""In a round: the ratio is close to 1, and what else the machine does must not decide it."""
WARM_UP = 1_500


def bad_endpoint(run: Run) -> Result:
    """Fan-out 3; one endpoint hangs, one answers 500, the third is well.

    The baseline has the two paused: the same deliveries are stored in both, and only what it costs to
    try the two in vain makes the difference. Were all three well, more would be sent, and the
    gateway with two bad ones would pass for the faster. To resume them closes their breakers, so that
    every round has all of it: failures, breakers that open, probes.
    """
    events = run.scaled(EVENTS)
    with peer() as loading, gateway(at(loading.port), more=IMPATIENT) as target:
        traffic = Traffic(loading, target.port)

        def without() -> dict:
            target.pause(*BAD)
            return posted(target, traffic, events, 1, answers=ANSWERS)

        def with_both() -> dict:
            target.resume(*BAD)
            return posted(target, traffic, events, 1, answers=ANSWERS)

        target.pause(*BAD)
        traffic.post(run.scaled(WARM_UP), 1, answers=ANSWERS)
        rounds = [
            {
                "ratio": got["deliveries_per_second"] / expected["deliveries_per_second"],
                "ingest_ratio": got["events_per_second"] / expected["events_per_second"],
                "cpu_ratio": got["cpu_ms_per_event"] / expected["cpu_ms_per_event"],
                **chosen(got, "deliveries_per_second", "events_per_second", "cpu_ms_per_event"),
                **chosen(got, "answer_p50_ms", "answer_p99_ms"),
                **chosen(expected, "answer_p50_ms", "answer_p99_ms", prefix="without_"),
            }
            for expected, got in run.pairs(without, with_both, each_round=PAIRS)
        ]
        peak = memory_mib(target.pid)
    once = {"memory_peak_mib": peak, "peer_share": loading.busiest}
    return Result("bad_endpoint", FIGURES, rounds, once)
