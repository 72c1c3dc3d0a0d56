"""Letting go, in SQLite's own terms: whole events, by index, and the room in the file given back."""

import asyncio
from dataclasses import replace

import pytest

from gateway.core.access import AuditEntry
from gateway.core.model import BodyForm, InboxEntry, Withheld
from gateway.core.retention import DAY, Retention, horizon
from gateway.core.retry import Finish, GiveUp
from gateway.store.sqlite.database import log_path, statement
from gateway.store.sqlite.writer import CHECKPOINT_BYTES
from tests.kit.build import NOW, a_delivery, a_lease, an_arrival, an_event
from tests.store.test_bulk import an_entry, an_operation
from tests.store.test_contract import an_attempt

MIB = 1024 * 1024
TABLES = ("events", "deliveries", "attempts", "withheld", "inbox", "firings", "audit")
LATER = NOW + 1000 * DAY
EVERYTHING = horizon(Retention(), {}, LATER, too_large=True)


def rows(store) -> dict[str, int]:
    connection = store._writer._connection
    return {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES
    }


async def a_finished_event(store, *, decision=None, **more):
    """An event with a delivery that has ended, and something of all that may belong to it."""
    arrival = an_arrival(
        an_event(**more), leased=True, withheld=[Withheld("other", "shadow", "to cms")]
    )
    await store.append([arrival])
    for delivery in arrival.deliveries:
        await store.record(delivery, an_attempt(), decision or Finish())
    return arrival.event


async def test_an_event_goes_with_all_that_belongs_to_it(store):
    event = await a_finished_event(store)
    other = await a_finished_event(store)
    assert await store.prune([event.event_id]) == 1
    assert rows(store) == dict.fromkeys(TABLES, 0) | {
        "events": 1, "deliveries": 1, "attempts": 1, "withheld": 1,
    }  # fmt: skip
    assert await store.event(other.event_id) is not None


@pytest.mark.parametrize("leased", [True, False])
async def test_an_event_with_work_to_do_is_not_pruned_even_by_name(store, leased):
    """It may have been redelivered after it was examined."""
    arrival = an_arrival(to=("cms", "pager"))
    arrival.deliveries[0].lease = a_lease() if leased else None
    await store.append([arrival])
    before = rows(store)
    assert await store.prune([arrival.event.event_id]) == 0
    assert rows(store) == before


async def test_what_decides_about_an_event_is_told(store):
    done = await a_finished_event(store)
    dead = await a_finished_event(store, decision=GiveUp("http-500"))
    waiting, nothing = an_arrival(), an_arrival(to=())
    await store.append([waiting, nothing])
    first, second, third, fourth = await store.examine("", EVERYTHING, 10)
    assert (first.id, first.rows, first.unfinished, first.dead) == (done.event_id, 2, False, False)
    assert first.ended_at == NOW + 1500
    assert (second.id, second.dead) == (dead.event_id, True)
    assert (third.unfinished, third.unmatched, third.ended_at) == (True, False, None)
    assert (fourth.unfinished, fourth.unmatched) == (False, True)


async def test_a_page_goes_on_behind_the_last_and_ends_before_what_is_too_young(store):
    names = [(await a_finished_event(store, received_at=NOW + i * DAY)).event_id for i in range(4)]
    before = horizon(Retention(), {}, NOW + 10 * DAY, too_large=False)
    page = await store.examine("", before, 2)
    assert [event.id for event in page] == names[:2]
    page = await store.examine(page[-1].id, before, 2)
    assert [event.id for event in page] == names[2:3]


async def test_a_key_is_told_only_where_it_may_still_count(store):
    old = await a_finished_event(store, key="a", received_at=NOW)
    young = await a_finished_event(store, key="b", received_at=NOW + 5 * DAY)
    before = horizon(Retention(), {}, NOW + 6 * DAY, too_large=True)
    assert [(e.id, e.source) for e in await store.examine("", before, 10)] == [
        (old.event_id, None),
        (young.event_id, "getty"),
    ]


async def test_the_inbox_the_audit_log_and_what_fired_go_by_age(store):
    entry = InboxEntry(
        id="", source="getty", code="x", detail="", received_at=NOW, content_type="", body=b"{}"
    )
    for moment in (NOW, NOW + 200 * DAY):
        name = f"{moment // 1000:012x}000000000000"
        entry.id = f"inb_{name}"
        await store.keep(entry)
        audit = {"at": moment, "who": "local", "address": "", "action": "pause", "object": "cms"}
        await store.note(AuditEntry(id=f"aud_{name}", **audit))
        event = an_event(received_at=moment)
        await store.append([an_arrival(event, firings={"a-route": str(moment)})])
    keep = Retention(inbox=100 * DAY, audit=100 * DAY, once=100 * DAY)
    before = horizon(keep, {}, NOW + 200 * DAY, too_large=False)
    kinds = ("inbox", "once", "audit", "operations")
    assert await store.count_others(before) == dict.fromkeys(kinds, 1) | {"operations": 0}
    assert await store.prune_others(before, 10) == dict.fromkeys(kinds, 1) | {"operations": 0}
    assert await store.prune_others(before, 10) == dict.fromkeys(kinds, 0)
    left = rows(store)
    assert (left["inbox"], left["audit"], left["firings"]) == (1, 1, 1)


async def test_operations_go_with_the_dead_letters_once_they_have_ended(store):
    for i, finished_at in enumerate([NOW, NOW + DAY, None]):
        operation = replace(an_operation(f"op_{i}"), finished_at=finished_at)
        await store.bulk.begin(operation, an_entry(f"aud_{i}"))
        await store.bulk.redeliver(operation, [])
    before = horizon(Retention(dead=90 * DAY), {}, NOW + 90 * DAY + 1, too_large=False)
    assert (await store.count_others(before))["operations"] == 1
    assert (await store.prune_others(before, 10))["operations"] == 1
    assert sorted(each.id for each in await store.bulk.operations(9)) == ["op_1", "op_2"]
    assert (await store.prune_others(EVERYTHING, 10))["operations"] == 1
    assert [each.id for each in await store.bulk.operations(9)] == ["op_2"]


async def test_no_more_goes_in_one_commit_than_was_said(store):
    for i in range(5):
        moment = NOW + i
        event = an_event(received_at=moment)
        await store.append([an_arrival(event, firings={"a-route": str(i)})])
    assert (await store.prune_others(EVERYTHING, 3))["once"] == 3
    assert rows(store)["firings"] == 2


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


async def test_a_delivery_with_a_body_of_its_own_goes_too(store):
    event = an_event()
    arrival = an_arrival(event, to=())
    arrival.routed.deliveries.append(
        a_delivery(event, form=BodyForm.OWN, body=b"{}", lease=a_lease())
    )
    await store.append([arrival])
    await store.record(arrival.deliveries[0], an_attempt(), Finish())
    assert await store.prune([event.event_id]) == 1
    assert rows(store)["deliveries"] == 0
