"""One, two and four gateways on PostgreSQL, against one on SQLite, and against one on PostgreSQL."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice

from bench.gateway import CONCURRENCY, ENDPOINTS, Gateway, at, gateway
from bench.measure import Figure, Result, Run, chosen, posted
from bench.postgres import Server, account, database, server
from bench.processes import LOOK_EVERY_SECONDS, NODE_CORES, START_SECONDS
from bench.traffic import Peer, Traffic, peer

FIGURES = (
    Figure(label="deliveries, one node / SQLite", name="ratio"),
    Figure(label="CPU an event, gateway and database / SQLite", name="cpu_ratio"),
    Figure(label="deliveries, two nodes / one", name="two_ratio"),
    Figure(label="deliveries, four nodes / one", name="four_ratio"),
    Figure(label="CPU of the database an event, four nodes / one", name="four_database_cpu_ratio"),
)
COUNTS = {"one": 1, "two": 2, "four": 4}
"""How many nodes there are beside each other."""
EVENTS = 6_000
WARM_UP = 1_500


@dataclass(frozen=True)
class Nodes:
    """Gateways on one database, and their server."""

    gateways: Sequence[Gateway]
    server: Server

    def cpu_seconds(self) -> float:
        """What the gateways have used so far."""
        return sum(each.cpu_seconds() for each in self.gateways)

    def wait_for_shares(self) -> None:
        """Wait until each has its part of every endpoint: the first one had all, and gives it up by and by."""
        until = time.monotonic() + START_SECONDS
        while any(each.shares() != dict.fromkeys(ENDPOINTS, CONCURRENCY) for each in self.gateways):
            if time.monotonic() > until:
                raise SystemExit("the nodes have not shared the endpoints evenly")
            time.sleep(LOOK_EVERY_SECONDS)


def nodes(run: Run) -> Result:
    """In and out at once on PostgreSQL: one node beside SQLite, two and four nodes beside one."""
    with peer() as loading, server() as running:
        rounds = [
            {
                "ratio": one["deliveries_per_second"] / sqlite["deliveries_per_second"],
                "cpu_ratio": (one["cpu_ms_per_event"] + one["database_cpu_ms_per_event"])
                / sqlite["cpu_ms_per_event"],
                "two_ratio": two["deliveries_per_second"] / one["deliveries_per_second"],
                "four_ratio": four["deliveries_per_second"] / one["deliveries_per_second"],
                "four_database_cpu_ratio": four["database_cpu_ms_per_event"]
                / one["database_cpu_ms_per_event"],
                **chosen(sqlite, "deliveries_per_second", "cpu_ms_per_event", prefix="sqlite_"),
                **chosen(one, *one, prefix="one_"),
                **chosen(two, *two, prefix="two_"),
                **chosen(four, *four, prefix="four_"),
            }
            for sqlite, one, two, four in run.turns(
                lambda: _on_sqlite(run, loading),
                *(partial(_on_postgres, run, loading, running, count) for count in COUNTS.values()),
            )
        ]
        once = {"postgres_version": running.version, "peer_share": loading.busiest}
    return Result("nodes", FIGURES, rounds, once)


def _on_sqlite(run: Run, loading: Peer) -> dict[str, float]:
    with gateway(at(loading.port)) as target:
        traffic = Traffic(loading, target.port)
        traffic.post(run.scaled(WARM_UP), len(ENDPOINTS))
        got = posted(target, traffic, run.scaled(EVENTS), len(ENDPOINTS))
    return chosen(got, "deliveries_per_second", "cpu_ms_per_event")


def _on_postgres(run: Run, loading: Peer, running: Server, count: int) -> dict[str, float]:
    """What so many nodes got through, and what an event cost them and the database.

    Rows and log are counted once the nodes have stopped: connections tell what they did now and then, and
    when they end. The warm-up is in them; processor time is of what was measured alone.
    """
    with database(running, f"bench_{count}") as url:
        with ExitStack() as stack:
            gateways = [
                stack.enter_context(
                    gateway(at(loading.port), concurrency=CONCURRENCY * count, store=url, core=core)
                )
                for core in islice(cycle(NODE_CORES), count)
            ]
            target, traffic = Nodes(gateways, running), Traffic(loading, *(each.port for each in gateways))  # fmt: skip
            target.wait_for_shares()
            before = account(url)
            traffic.post(run.scaled(WARM_UP), len(ENDPOINTS))
            used = running.cpu_seconds()
            got = posted(target, traffic, run.scaled(EVENTS), len(ENDPOINTS))
            used = running.cpu_seconds() - used
        after = account(url)
    return {
        **chosen(got, "deliveries_per_second", "cpu_ms_per_event"),
        "database_cpu_ms_per_event": used / run.scaled(EVENTS) * 1e3,
        **after.each(before, run.scaled(WARM_UP) + run.scaled(EVENTS)),
    }
