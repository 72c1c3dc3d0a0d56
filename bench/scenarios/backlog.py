"""A million deliveries wait for a dead endpoint, against the same gateway without them."""

import tempfile
from pathlib import Path

from bench.fill import fill
from bench.gateway import at, database, gateway
from bench.measure import Figure, Result, Run, chosen, posted
from bench.processes import free_port, memory_mib
from bench.traffic import Traffic, peer

FIGURES = (
    Figure(label="deliveries to the others / without it", name="ratio", at_least=0.9),
    Figure(label="ingest / without it", name="ingest_ratio", at_least=0.9),
    Figure(label="start, s", name="seconds_to_ready", at_most=2),
    Figure(label="peak memory, MiB", name="memory_peak_mib", at_most=160),
)
WAITING = 1_000_000
DEAD = "alerting"
EACH = 3
"""Deliveries to it of an event, as `each:` makes them."""
EVENTS = 4_000
PAIRS = 2
"""In a round: the ratio is close to 1, and what else the machine does must not decide it."""
WARM_UP = 1_500


def backlog(run: Run) -> Result:
    """Ingest and two live endpoints, while 1,000,000 deliveries wait for a dead third.

    Two gateways with the same routes take turns; the third endpoint is dead in both. They differ in
    what is in the database when they start.
    """
    events, kept = run.scaled(EVENTS), run.scaled(WAITING) // EACH + 1
    with tempfile.TemporaryDirectory() as name, peer() as loading:
        urls = at(loading.port) | {DEAD: f"http://127.0.0.1:{free_port()}/"}
        live = len(urls) - 1
        fill(
            database(Path(name)),
            kept,
            [DEAD] * EACH,
            lambda n: run.say(f"{n:,} of {kept:,} events are kept"),
        )
        with gateway(urls, home=Path(name)) as full, gateway(urls) as empty:
            at_rest = memory_mib(full.pid, "VmRSS")
            ours, theirs = Traffic(loading, full.port), Traffic(loading, empty.port)
            ours.post(run.scaled(WARM_UP), live)
            theirs.post(run.scaled(WARM_UP), live)
            rounds = [
                {
                    "ratio": got["deliveries_per_second"] / expected["deliveries_per_second"],
                    "ingest_ratio": got["events_per_second"] / expected["events_per_second"],
                    "cpu_ratio": got["cpu_ms_per_event"] / expected["cpu_ms_per_event"],
                    **chosen(got, "deliveries_per_second", "events_per_second", "cpu_ms_per_event"),
                    **chosen(got, "answer_p50_ms", "answer_p99_ms"),
                    **chosen(expected, "answer_p50_ms", "answer_p99_ms", prefix="without_"),
                }
                for expected, got in run.pairs(
                    lambda: posted(empty, theirs, events, live),
                    lambda: posted(full, ours, events, live),
                    each_round=PAIRS,
                )
            ]
            once = {
                "seconds_to_ready": full.seconds_to_ready,
                "without_seconds_to_ready": empty.seconds_to_ready,
                "memory_at_rest_mib": at_rest,
                "memory_peak_mib": memory_mib(full.pid),
                "without_memory_peak_mib": memory_mib(empty.pid),
                "peer_share": loading.busiest,
            }
    return Result("backlog", FIGURES, rounds, once)
