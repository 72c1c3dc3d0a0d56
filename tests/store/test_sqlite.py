"""What is SQLite's own: its file, its lock, its settings, its failures."""

import asyncio
import contextlib
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from importlib.resources import files

import pytest

from gateway.core.errors import (
    BodyCorrupt,
    DiskFull,
    SchemaTooNew,
    StoreBroken,
    StoreInUse,
    StoreUnavailable,
    StoreUnusable,
)
from gateway.core.retry import Finish
from gateway.store.lock import lock_path, read_note
from gateway.store.sqlite import SqliteStore, database, read
from gateway.store.sqlite.database import (
    log_path,
    powers_of_two,
    remove_empty_log,
    statement,
)
from gateway.store.sqlite.read import Reader
from tests.kit.build import NOW, a_lease, an_arrival, an_event
from tests.store.test_contract import an_attempt


@pytest.fixture
def store(sqlite_store):
    return sqlite_store


SECOND_PROCESS = """
import asyncio, sys
from importlib.resources import files
from pathlib import Path
from gateway.store.sqlite import SqliteStore
asyncio.run(SqliteStore.open(Path(sys.argv[1])))
"""


async def test_a_second_process_is_turned_away_and_told_who_has_it(store, tmp_path):
    store.lock.note(admin="http://127.0.0.1:8081")
    child = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", SECOND_PROCESS, str(store.path)],
        capture_output=True,
        text=True,
    )
    assert f"in use by process {os.getpid()}" in child.stderr
    assert "StoreInUse" in child.stderr


async def test_the_same_process_cannot_open_it_twice_either(store):
    with pytest.raises(StoreInUse):
        await SqliteStore.open(store.path)


async def test_the_note_is_read_while_the_lock_is_held_and_not_after(tmp_path):
    path = tmp_path / "gateway.db"
    assert read_note(path) is None
    store = await SqliteStore.open(path)
    store.lock.note(admin="http://x")
    assert read_note(path) == {"pid": os.getpid(), "admin": "http://x"}
    await store.close()
    assert read_note(path) is None
    assert lock_path(path).exists()


async def test_only_the_owner_reads_what_senders_sent(store):
    await store.append([an_arrival()])
    for suffix in ("", "-wal", "-shm"):
        file = store.path.with_name(store.path.name + suffix)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


async def test_everything_is_in_the_file_after_a_clean_end(tmp_path):
    path = tmp_path / "gateway.db"
    store = await SqliteStore.open(path)
    arrival = an_arrival()
    await store.append([arrival])
    await store.close()
    assert not path.with_name("gateway.db-wal").exists()
    reopened = await SqliteStore.open(path)
    assert (await reopened.event(arrival.event.event_id)).body == arrival.event.body
    await reopened.close()


async def test_durability_is_full_and_checkpoints_are_the_writers_own(store):
    connection = store._writer._connection
    pragmas = {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0, "auto_vacuum": 2}
    for name, value in pragmas.items():
        assert connection.execute(f"PRAGMA {name}").fetchone() == (value,)


async def test_the_log_is_copied_back_as_it_grows(store):
    body = b"x" * 100_000
    for i in range(120):
        arrival = an_arrival(an_event(key=f"k{i}"))
        arrival.event.body = body
        await store.append([arrival])
    wal = store.path.with_name("gateway.db-wal").stat().st_size
    assert wal < 9_000_000 < store.path.stat().st_size + wal


async def test_a_folder_that_cannot_be_made_is_named_with_the_cure(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="--database"):
        await SqliteStore.open(tmp_path / "file" / "gateway.db")


async def test_a_file_that_is_no_database_is_named_with_the_cure(tmp_path):
    path = tmp_path / "gateway.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(StoreUnavailable, match="SQLITE_NOTADB") as caught:
        await SqliteStore.open(path)
    assert "--database" in caught.value.cure
    assert read_note(path) is None  # the lock was let go


async def test_a_database_of_a_newer_gateway_is_refused(tmp_path):
    path = tmp_path / "gateway.db"
    (await SqliteStore.open(path)).lock.release()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(SchemaTooNew):
        await SqliteStore.open(path)


async def test_an_inbox_from_before_there_were_refusals_stays_as_it_was(tmp_path):
    path = tmp_path / "gateway.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for step in database._migrations()[:2]:
            connection.executescript(step.read_text())
        connection.execute(
            "INSERT INTO inbox VALUES ('inb_1', 's', 'invalid-json', 'x', ?, '', x'616263', NULL)",
            (NOW,),
        )
        connection.execute("PRAGMA user_version = 2")
        connection.commit()
    store = await SqliteStore.open(path)
    (entry,) = await store.inbox({"refused": 0})
    assert (entry["id"], entry["body"], entry["refused"]) == ("inb_1", "abc", False)
    assert "outcome" not in entry
    await store.close()


async def test_what_waited_for_others_before_they_were_written_as_ranges_still_goes(tmp_path):
    path = tmp_path / "gateway.db"
    store = await SqliteStore.open(path)
    await store.append([an_arrival(to=("cms", "workflow", "alerting"))])
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for n, after in enumerate(
            ('[[0,"a b",true],[3,"c",false]]', '[[0,4,"cms",true]]'), start=1
        ):
            connection.execute("UPDATE deliveries SET after = ? WHERE n = ?", (after, n))
        connection.execute("ALTER TABLE events DROP COLUMN routes")
        for table in (
            "evidence_chains",
            "evidence_links",
            "evidence_places",
            "plans",
            "planned_for",
            "own_secrets",
            "acts",
            "positions",
            "register",
            "register_fields",
        ):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DROP INDEX deliveries_ended_newest")
        connection.execute("PRAGMA user_version = 9")
        connection.commit()
    await (await SqliteStore.open(path)).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT after FROM deliveries ORDER BY n").fetchall()
    assert found == [(None,), ('[[0,0,"a b",true],[3,3,"c",false]]',), ('[[0,4,"cms",true]]',)]


async def test_migrations_run_once(tmp_path):
    path = tmp_path / "gateway.db"
    for _ in range(2):
        store = await SqliteStore.open(path)
        await store.append([an_arrival()])
        await store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (2,)


async def test_a_full_disk_keeps_nothing_and_says_so_and_goes_on_when_there_is_room(store):
    connection = store._writer._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    big = [an_arrival(an_event(data={"x": "y" * 50_000})) for _ in range(3)]
    results = await asyncio.gather(*(store.append([a]) for a in big), return_exceptions=True)
    assert all(isinstance(r, DiskFull) for r in results)
    assert "the disk is full" in str(results[0])
    assert await store.events({}) == []
    connection.execute("PRAGMA max_page_count = 1000000")
    (receipt,) = await store.append([big[0]])
    assert not receipt.duplicate


async def test_a_changed_byte_is_noticed_when_the_event_is_read(store):
    arrival = an_arrival()
    await store.append([arrival])
    _flip(store, arrival.event.event_id)
    with pytest.raises(BodyCorrupt):
        await store.event(arrival.event.event_id)


async def test_a_corrupt_event_is_not_sent_but_dead_and_its_neighbours_go_on(store):
    reports = []
    store._telemetry.listen(lambda name, fields: reports.append((name, fields)))
    arrivals = [an_arrival(), an_arrival()]
    await store.append(arrivals)
    _flip(store, arrivals[0].event.event_id)
    claimed = await store.claim("cms", [a_lease(), a_lease()], NOW)
    assert [d.event.event_id for d in claimed] == [arrivals[1].event.event_id]
    (dead,) = await store.deliveries({"state": "dead"})
    assert dead["reason"].startswith("body-corrupt")
    assert reports == [("delivery.corrupt", {"delivery": dead["id"], "endpoint": "cms"})]


async def test_what_cannot_be_read_back_breaks_the_store_whoever_finds_it(store):
    await store.append([an_arrival()])
    changes = []
    store.on_change = lambda: changes.append(store.failure)
    store._writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = store.path.stat().st_size
    with store.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    with pytest.raises(StoreBroken, match="restore a backup"):
        await store.events({})
    assert [type(each) for each in changes] == [StoreBroken]


async def test_a_broken_writer_does_nothing_more(store):
    arrival = an_arrival()
    store._writer._broken = StoreBroken("a sync failed")
    with pytest.raises(StoreBroken):
        await store.append([arrival])
    assert isinstance(store.failure, StoreBroken)
    store._writer._broken = None
    assert await store.events({}) == []


async def test_a_probe_is_a_commit_that_changes_nothing(store):
    connection = store._writer._connection
    frames = "PRAGMA wal_checkpoint(PASSIVE)"
    before = connection.execute(frames).fetchone()
    schema = connection.execute("PRAGMA user_version").fetchone()
    await store.probe()
    assert connection.execute(frames).fetchone() != before  # it wrote, so it synced
    assert connection.execute("PRAGMA user_version").fetchone() == schema


async def test_the_log_that_a_killed_process_left_is_written_anew_before_anything_else(tmp_path):
    path = tmp_path / "gateway.db"
    store = await SqliteStore.open(path)
    arrival = an_arrival()
    await store.append([arrival])
    copy = tmp_path / "copy.db"  # as after kill -9
    copy.write_bytes(path.read_bytes())
    log_path(copy).write_bytes(log_path(path).read_bytes())
    await store.close()
    reopened = await SqliteStore.open(copy)
    assert log_path(copy).stat().st_size == 0
    assert (await reopened.event(arrival.event.event_id)).body == arrival.event.body
    await reopened.close()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_FULL", DiskFull),
        ("SQLITE_IOERR_SHMSIZE", DiskFull),
        ("SQLITE_IOERR_FSYNC", StoreBroken),
        ("SQLITE_IOERR_READ", StoreBroken),
        ("SQLITE_CORRUPT_INDEX", StoreBroken),
        ("SQLITE_NOTADB", StoreBroken),
        ("SQLITE_READONLY_DBMOVED", StoreUnusable),
        ("SQLITE_CANTOPEN", StoreUnusable),
        ("SQLITE_IOERR_WRITE", StoreUnavailable),
        ("SQLITE_BUSY", StoreUnavailable),
    ],
)
def test_what_sqlite_says_is_told_by_what_is_to_be_done(name, kind):
    error = sqlite3.OperationalError("no")
    error.sqlite_errorname = name
    with pytest.raises(StoreUnavailable) as caught, database.translated("cannot"):
        raise error
    assert type(caught.value) is kind
    assert caught.value.cure


def _flip(store, event_id) -> None:
    """Change one byte of a stored body, as a disk would."""
    connection = store._writer._connection
    (body,) = connection.execute("SELECT body FROM events WHERE id = ?", (event_id,)).fetchone()
    changed = body[:-1] + bytes([body[-1] ^ 1])
    connection.execute("UPDATE events SET body = ? WHERE id = ?", (changed, event_id))


PLANS = {
    "select_due": ["deliveries_due (endpoint=? AND priority=? AND due_at<?)"] * 3,
    "next_due": [
        "deliveries_due",  # its first row
        "deliveries_due (endpoint>?)",  # and the first of the rest
        "deliveries_due (endpoint=? AND priority=?)",
        "deliveries_due (endpoint=? AND priority=?)",
    ],
    "append_in_turn": [
        "deliveries_queue (endpoint=? AND key=? AND priority=? AND place>?)",
        "deliveries_in_flight (endpoint=? AND key=?)",
    ],
    "stand_at": ["PRIMARY KEY (event_id=? AND n=?)"],
    "take_turn": [
        "PRIMARY KEY (event_id=? AND n=?)",
        "deliveries_in_flight (endpoint=? AND key=?)",
        "deliveries_queue (endpoint=? AND key=? AND (priority,place,n)<(?,?,?))",
    ],
    "wait_if_not_first": [
        "PRIMARY KEY (event_id=? AND n=?)",
        "deliveries_in_flight (endpoint=? AND key=?)",
        "deliveries_queue (endpoint=? AND key=? AND (priority,place,n)<(?,?,?))",
    ],
    "let_head_go": [
        "PRIMARY KEY (event_id=? AND n=?)",
        "deliveries_queue (endpoint=? AND key=?)",
        "deliveries_in_flight (endpoint=? AND key=?)",
    ],
    "supersede_slot": ["deliveries_slots (slot=? AND (event_id,n)<(?,?))"],
    "states_of": ["PRIMARY KEY (event_id=?)"],
    "expire": [
        "PRIMARY KEY (event_id=? AND n=?)",
        "deliveries_expiring (expires_at>? AND expires_at<?)",
    ],
    "late_between": ["deliveries_late (late_at>? AND late_at<?)"],
    "reclaim_leases": ["deliveries_leased (lease_until<?)"],
    "due_confirmations": ["confirmations_due (due_at<?)"],
}
"""What each statement of the delivery engine looks at: ranges of an index, whatever the mix of states."""


@pytest.mark.parametrize("name", PLANS)
async def test_the_engine_looks_at_ranges_of_an_index_and_at_nothing_else(store, name):
    text = statement(name)
    places = dict.fromkeys(re.findall(r":(\w+)", text), 1) or (1,) * text.count("?")
    if "?1" in text:
        places = (1, 1)
    plan = store._writer._connection.execute(f"EXPLAIN QUERY PLAN {text}", places).fetchall()
    looks = [row[3] for row in plan if row[3].startswith(("SEARCH", "SCAN"))]
    looks = [
        look
        for look in looks
        if not re.fullmatch(
            r"SCAN (waiting|each|3 CONSTANT ROWS|json_each .*|\(subquery-\d\))", look
        )
    ]
    found = [re.sub(r"^.* USING (COVERING )?(INDEX )?", "", look) for look in looks]
    assert found == PLANS[name], plan


async def test_counting_what_waits_does_not_look_into_the_table(store):
    plan = store._writer._connection.execute(f"EXPLAIN QUERY PLAN {statement('stats')}").fetchall()
    assert ["COVERING" in row[3] for row in plan if "deliveries_due" in row[3]] == [True]
    assert ["COVERING" in row[3] for row in plan if "deliveries_waiting" in row[3]] == [True]


async def test_looking_for_duplicates_uses_an_index(store):
    plan = store._writer._connection.execute(
        f"EXPLAIN QUERY PLAN {statement('find_duplicates')}", ("getty", "k")
    ).fetchall()
    assert any("events_by_key (source=? AND key=?)" in row[3] for row in plan)


async def test_reading_does_not_wait_for_the_writer(store):
    arrival = an_arrival()
    await store.append([arrival])
    store._writer._connection.execute("BEGIN IMMEDIATE")
    try:
        assert len(await store.events({})) == 1
    finally:
        store._writer._connection.execute("ROLLBACK")


async def test_an_outcome_and_its_attempt_are_one_commit(store):
    await store.append([an_arrival()])
    (claimed,) = await store.claim("cms", [a_lease()], NOW)
    connection = store._writer._connection
    connection.execute(
        "CREATE TRIGGER no BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    with pytest.raises(sqlite3.IntegrityError):
        await store.record(claimed, an_attempt(), Finish())
    (row,) = await store.deliveries({})
    assert row["state"] == "leased"
    assert store.path.exists()


@pytest.mark.parametrize("total", [0, 1, 2, 3, 5, 64, 100, 255, 256, 257, 1000])
def test_chunks_cover_everything_once_in_few_sizes(total):
    chunks = list(powers_of_two(total))
    covered = [i for start, size in chunks for i in range(start, start + size)]
    assert covered == list(range(total))
    assert {size for _, size in chunks} <= {1, 2, 4, 8, 16, 32, 64, 128, 256}


async def test_close_waits_for_what_was_submitted(tmp_path):
    store = await SqliteStore.open(tmp_path / "gateway.db")
    future = store.append([an_arrival()])
    await store.close()
    assert (await future)[0].duplicate is False


async def test_a_database_of_the_first_schema_is_brought_up_to_date(tmp_path):
    path = tmp_path / "gateway.db"
    first = files("gateway.store.sqlite") / "migrations" / "0001_events_and_deliveries.sql"
    with sqlite3.connect(path) as connection:
        connection.executescript(first.read_text() + "PRAGMA user_version = 1;")
        for name, deliveries in (("evt_1", 2), ("evt_2", 0)):
            connection.execute(
                "INSERT INTO events VALUES (?, 's', NULL, 't', NULL, 1, 'x', x'', x'', NULL, 0, 0, x'', ?)",
                (name, deliveries),
            )
        connection.execute(
            "INSERT INTO deliveries VALUES ('evt_1', 0, 'r', 'cms', 'scheduled', 'event', NULL, NULL,"
            " 0, 0, 1, NULL, NULL, 1, NULL, NULL)"
        )
    store = await SqliteStore.open(path)
    assert [event["id"] for event in await store.events({"unmatched": 1})] == ["evt_2"]
    (delivery,) = await store.deliveries({})
    assert (delivery["state"], delivery["target"]) == ("scheduled", None)
    await store.close()


async def test_a_page_of_recorded_events_is_found_by_the_primary_key(store):
    plan = store._writer._connection.execute(
        f"EXPLAIN QUERY PLAN {statement('read_recorded')}", ("evt_0", "evt_1", 500, 1 << 20)
    ).fetchall()
    steps = [row[3] for row in plan if "events" in row[3] or " e " in row[3]]
    assert steps == [
        "SEARCH events USING INDEX sqlite_autoindex_events_1 (id>? AND id<?)",
        "SEARCH e USING INDEX sqlite_autoindex_events_1 (id=?)",
    ]


async def test_between_two_pages_nothing_is_held_open(store):
    await store.append([an_arrival(), an_arrival()])
    (first,) = await store.recorded({"limit": 1})
    await store.append([an_arrival()])
    busy, _, _ = store._writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    assert len(await store.recorded({"cursor": first["id"]})) == 2


async def test_a_database_of_another_schema_is_not_read_as_if_it_were_ours():
    known = len(database._migrations())
    database.check_schema(known)
    with pytest.raises(SchemaTooNew):
        database.check_schema(known + 1)
    with pytest.raises(StoreUnavailable, match="brings it up to date"):
        database.check_schema(known - 1)


@pytest.fixture
def connections(monkeypatch):
    """The connections that readers make, each once something asks for it."""
    made, connect = [], read.aiosqlite.connect

    def note(*arguments, **options):
        made.append(connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(read.aiosqlite, "connect", note)
    return made


async def test_all_who_ask_a_reader_first_share_its_connection(store, connections):
    reader = Reader(store.path)
    assert await asyncio.gather(*(reader.events({}) for _ in range(3))) == [[], [], []]
    await reader.close()
    assert len(connections) == 1


async def test_a_reader_closes_what_is_being_connected_for_one_who_gave_up(
    store, connections, monkeypatch
):
    """Else the driver's thread answers a loop that may be closed by then."""
    may_connect, connect = threading.Event(), sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **o: may_connect.wait() and connect(*a, **o))
    reader = Reader(store.path)
    asking = asyncio.create_task(reader.events({}))
    asyncio.get_running_loop().call_soon(asking.cancel)  # it has begun by then, and waits
    with pytest.raises(asyncio.CancelledError):
        await asking
    closing = asyncio.create_task(reader.close())
    waits: list[bool] = []
    asyncio.get_running_loop().call_soon(
        lambda: (waits.append(not closing.done()), may_connect.set())
    )
    await closing
    assert waits == [True]
    (connection,) = connections
    await asyncio.to_thread(connection._thread.join, 5)
    assert not connection._thread.is_alive()


async def test_a_reader_that_could_not_connect_does_so_at_the_next_question(tmp_path):
    path = tmp_path / "gateway.db"
    reader = Reader(path)
    with pytest.raises(StoreUnavailable):
        await reader.events({})
    await (await SqliteStore.open(path)).close()
    assert await reader.events({}) == []
    await reader.close()


async def test_the_log_that_a_reader_makes_is_removed_and_one_in_use_is_not(tmp_path):
    path = tmp_path / "gateway.db"
    await (await SqliteStore.open(path)).close()
    reader = Reader(path)
    await reader.events({})
    await reader.close()
    assert log_path(path).exists()
    remove_empty_log(path)
    assert not log_path(path).exists()
    store = await SqliteStore.open(path)
    await store.append([an_arrival()])
    remove_empty_log(path)
    assert log_path(path).exists()
    await store.close()
