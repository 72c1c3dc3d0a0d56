"""Letting go, in SQLite's own terms: by index, and the room in the file given back."""

import asyncio

import pytest

from gateway.core.retry import Finish
from gateway.store.sqlite.database import log_path, statement
from gateway.store.sqlite.writer import CHECKPOINT_BYTES
from tests.kit.build import NOW, an_arrival, an_event
from tests.store.test_contract import an_attempt

MIB = 1024 * 1024


@pytest.fixture
def store(sqlite_store):
    return sqlite_store


async def test_what_may_go_is_found_by_indexes(store):
    def plan(name: str, *parameters) -> list[str]:
        connection = store._writer._connection
        found = connection.execute(f"EXPLAIN QUERY PLAN {statement(name)}", parameters)
        return [row[3] for row in found]

    examined = plan("examine_events", "", "evt_1", 64, "evt_0")
    assert (
        "SEARCH events USING COVERING INDEX sqlite_autoindex_events_1 (id>? AND id<?)" in examined
    )
    assert any("SEARCH d USING PRIMARY KEY (event_id=?)" in step for step in examined)
    whole = [step for step in examined if step.startswith("SCAN")]
    assert whole == ["SCAN page"]  # the page itself
    for name, index in (
        ("prune_inbox", "SEARCH inbox USING COVERING INDEX sqlite_autoindex_inbox_1 (id<?)"),
        ("prune_audit", "SEARCH audit USING PRIMARY KEY (id<?)"),
        ("prune_firings", "SEARCH firings USING COVERING INDEX firings_by_time (fired_at<?)"),
    ):
        assert index in plan(name, "" if name != "prune_firings" else NOW, 10)
    deleting = plan("prune_events", "[]")
    assert [step for step in deleting if step.startswith("SCAN")] == [
        "SCAN json_each VIRTUAL TABLE INDEX 1:"
    ]


async def fill(store, count: int) -> list[str]:
    """Store so many finished events of some 10 KB each; their names."""
    arrivals = [
        an_arrival(an_event(data={"pad": "x" * 10_000}, received_at=NOW + i * 1000), leased=True)
        for i in range(count)
    ]
    await asyncio.gather(*(store.append([arrival]) for arrival in arrivals))
    done = (
        store.record(delivery, an_attempt(), Finish())
        for arrival in arrivals
        for delivery in arrival.deliveries
    )
    await asyncio.gather(*done)
    return [arrival.event.event_id for arrival in arrivals]


async def test_the_room_that_was_taken_is_given_back(store):
    names = await fill(store, 500)
    full = await store.room()
    await store.prune(names)
    pruned = await store.room()
    assert (pruned.used + pruned.free, pruned.free > 4_000_000) == (sum(full), True)
    await store.give_back(1_000_000)
    assert 0 <= sum(pruned) - 1_000_000 - sum(await store.room()) < 100_000
    await store.give_back(pruned.free)
    assert (await store.room()).free == 0
    store._writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert store.path.stat().st_size < sum(full) / 4
    assert store._writer._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_the_file_becomes_smaller_while_room_is_given_back_and_nothing_else_happens(store):
    await store.prune(await fill(store, 800) + await fill(store, 800))
    before = store.path.stat().st_size
    log = log_path(store.path).stat().st_size
    while (await store.room()).free > 4 * MIB:
        await store.give_back(MIB // 2)
    assert store.path.stat().st_size < before - 6 * MIB
    assert log_path(store.path).stat().st_size <= log + CHECKPOINT_BYTES


async def test_the_log_shrinks_after_a_burst(store):
    """A reader that stays keeps the log from being used anew; when it is gone, the log is cut."""
    connection = store._writer._connection
    limit = 2_000_000
    connection.execute(f"PRAGMA journal_size_limit = {limit}")
    await store.append([an_arrival()])
    reader = store._reader
    await reader.rows("BEGIN")
    await reader.rows("SELECT count(*) FROM events")
    await fill(store, 1500)
    burst = log_path(store.path).stat().st_size
    assert burst > 5 * limit
    await reader.rows("COMMIT")
    await fill(store, 500)
    await fill(store, 1)
    assert log_path(store.path).stat().st_size < burst / 2
