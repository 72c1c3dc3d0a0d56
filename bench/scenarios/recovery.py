"""A restart that finds much to do, against a loop that posts as much."""

import shutil
import tempfile
from pathlib import Path

from bench.bare import posts_per_second
from bench.fill import fill
from bench.gateway import ENDPOINTS, at, database, gateway
from bench.measure import Figure, Result, Run
from bench.processes import memory_mib
from bench.traffic import Peer, peer

FIGURES = (
    Figure(label="start, s", name="seconds_to_ready", at_most=2),
    Figure(label="deliveries / posts of a bare aiohttp loop", name="ratio"),
    Figure(label="peak memory, MiB", name="memory_peak_mib", at_most=160),
)
DUE = 100_000
POSTS = 20_000


def recovery(run: Run) -> Result:
    """A start that finds 100,000 deliveries due, until all are delivered."""
    events = run.scaled(DUE) // len(ENDPOINTS) + 1
    with tempfile.TemporaryDirectory() as name, peer() as loading:
        filled = database(Path(name))
        fill(filled, events, ENDPOINTS, lambda n: run.say(f"{n:,} of {events:,} events are kept"))
        rounds = [
            {
                "ratio": got["deliveries_per_second"] / expected["posts_per_second"],
                **expected,
                **got,
            }
            for expected, got in run.pairs(
                lambda: {"posts_per_second": posts_per_second(loading.port, run.scaled(POSTS))},
                lambda: _recovered(loading, filled, events * len(ENDPOINTS)),
            )
        ]
    return Result("recovery", FIGURES, rounds, {"peer_share": loading.busiest})


def _recovered(loading: Peer, filled: Path, due: int) -> dict[str, float]:
    """What a gateway took to deliver all that is in a copy of that database."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        database(home).parent.mkdir()
        shutil.copy(filled, database(home))
        loading.tell(count=due)
        with gateway(at(loading.port), home=home) as target:
            got = loading.answer()
            return {
                "seconds_to_ready": target.seconds_to_ready,
                "deliveries_per_second": due / got["seconds"],
                "cpu_ms_per_event": target.cpu_seconds() / due * len(ENDPOINTS) * 1e3,
                "memory_peak_mib": memory_mib(target.pid),
            }
