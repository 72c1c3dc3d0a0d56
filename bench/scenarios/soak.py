"""For minutes on PostgreSQL at a steady rate: do claims take longer in time, does what is dead pile up?"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path

import asyncpg

from bench.gateway import CONCURRENCY, ENDPOINTS, at, gateway
from bench.load import percentile
from bench.measure import Figure, Result, Run, chosen
from bench.postgres import database, server
from bench.processes import NODE_CORES
from bench.traffic import Traffic, peer
from gateway.core.postgres_url import PostgresUrl

FLAT = 1.5
FIGURES = (
    Figure(label="claim p50, last third / first third", name="claim_p50_growth", at_most=FLAT),
    Figure(label="claim p99, last third / first third", name="claim_p99_growth", at_most=FLAT),
    Figure(label="most dead rows, last third / first third", name="dead_growth", at_most=FLAT),
    Figure(label="table and indexes, last third / first third", name="size_growth", at_most=FLAT),
)
NODES = 2
WINDOWS = 15
LOOKS = 20
"""So often is the table looked at in a window."""
OUTAGES = 10
"""So often in a window one endpoint begins to answer 500 …"""
OUTAGE = 0.1
"""… and so much of the time it does."""
FAILING = "alerting"
RETRIES = ("retry: {first: 1s, factor: 1.5, longest: 10s, attempts: 30}", "breaker: {delay: 1s}")
"""So that what fails in a window is claimed in it, again and again."""
WARM_UP = 1_500

LOOK = """
SELECT (SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'deliveries'),
       (SELECT autovacuum_count FROM pg_stat_user_tables WHERE relname = 'deliveries'),
       pg_table_size('deliveries'), pg_indexes_size('deliveries'),
       (pg_current_wal_insert_lsn() - '0/0')::bigint
"""


@dataclass(frozen=True)
class Look:
    """The table of what is to be done, at a moment."""

    dead: int
    vacuums: int
    table_bytes: int
    index_bytes: int
    wal_bytes: int


def soak(run: Run) -> Result:
    """Two nodes on PostgreSQL for minutes, at a steady rate, while one of three endpoints fails now and then.

    The windows of time are its rounds: how long claims took, and what the table of what is to be done was
    like. It is flat if nothing of that is more than half as much again in the last third as in the first.
    """
    seconds = run.minutes * 60 * run.scale
    window = seconds / WINDOWS
    with (
        tempfile.TemporaryDirectory() as home,
        peer() as loading,
        server() as running,
        database(running, "bench_soak") as url,
        ExitStack() as stack,
    ):
        notes = [Path(home) / f"claims-{number}" for number in range(NODES)]
        gateways = [
            stack.enter_context(
                gateway(
                    at(loading.port),
                    more=RETRIES,
                    concurrency=CONCURRENCY * NODES,
                    store=url,
                    core=core,
                    command=("-m", "bench.watched", str(note)),
                )
            )
            for core, note in zip(islice(cycle(NODE_CORES), NODES), notes, strict=True)
        ]
        traffic = Traffic(loading, *(each.port for each in gateways))
        traffic.post(run.scaled(WARM_UP), len(ENDPOINTS))
        began = time.time()
        traffic.begin(
            max(WINDOWS, int(run.per_second * seconds)),
            len(ENDPOINTS),
            per_second=run.per_second,
            outage={
                "path": f"/{FAILING}",
                "every": window / OUTAGES,
                "lasts": window / OUTAGES * OUTAGE,
            },
        )
        looks = asyncio.run(_watched(url, run, began, window))
        got = traffic.end()
        version = running.version
        claims = _by_window(notes, began, window)
    return Result(
        "soak",
        FIGURES,
        [_round(looks[n], claims[n], window) for n in range(WINDOWS)],
        {
            **growths(looks, claims),
            "minutes": seconds / 60,
            "per_second": run.per_second,
            **chosen(got, "answer_p50_ms", "answer_p99_ms", "delivery_p50_ms", "delivery_p99_ms"),
            "postgres_version": version,
            "peer_share": loading.busiest,
        },
    )


async def _watched(url: PostgresUrl, run: Run, began: float, window: float) -> list[list[Look]]:
    """What was seen in each window; the last look is the first of the next."""
    connection = await asyncpg.connect(url.text)
    looks = [[Look(*await connection.fetchrow(LOOK))]]
    for number in range(WINDOWS):
        run.say(f"{number + 1} of {WINDOWS}")
        for look in range(1, LOOKS + 1):
            due = began + (number + look / LOOKS) * window
            await asyncio.sleep(max(0, due - time.time()))
            looks[-1].append(Look(*await connection.fetchrow(LOOK)))
        looks.append([looks[-1][-1]])
    await connection.close()
    return looks[:WINDOWS]


def _by_window(notes: Sequence[Path], began: float, window: float) -> list[list[float]]:
    """The milliseconds of each window's claims, in their order of size."""
    claims: list[list[float]] = [[] for _ in range(WINDOWS)]
    for note in notes:
        for line in note.read_text().splitlines():
            moment, seconds = map(float, line.split())
            number = int((moment - began) // window)
            if 0 <= number < WINDOWS:
                claims[number].append(seconds * 1e3)
    return [sorted(each) for each in claims]


def _round(looks: Sequence[Look], claims: Sequence[float], seconds: float) -> dict[str, float]:
    """The figures of a window."""
    took = {f"claim_p{each}_ms": percentile(claims, each) for each in (50, 99)} if claims else {}
    return {
        "claims_per_second": len(claims) / seconds,
        **took,
        "dead_rows": max(each.dead for each in looks),
        "table_kib": max(each.table_bytes for each in looks) / 1024,
        "index_kib": max(each.index_bytes for each in looks) / 1024,
        "vacuums": looks[-1].vacuums - looks[0].vacuums,
        "wal_kib_per_second": (looks[-1].wal_bytes - looks[0].wal_bytes) / 1024 / seconds,
    }


def growths(looks: Sequence[Sequence[Look]], claims: Sequence[Sequence[float]]) -> dict[str, float]:
    """How many times as much it was in the last third as in the first."""
    third = WINDOWS // 3
    early, late = (list(chain(*each)) for each in (looks[:third], looks[-third:]))
    first, last = (sorted(chain(*each)) for each in (claims[:third], claims[-third:]))
    if not first or not last:
        raise SystemExit("nothing was claimed: soak for longer, or at a higher rate")
    return {
        **{
            f"claim_p{each}_growth": percentile(last, each) / percentile(first, each)
            for each in (50, 99)
        },
        "dead_growth": max(each.dead for each in late) / max(1, *(each.dead for each in early)),
        "size_growth": max(each.table_bytes + each.index_bytes for each in late)
        / max(each.table_bytes + each.index_bytes for each in early),
    }
