"""Moving from SQLite to PostgreSQL: all of it arrives, once, and is gone on with."""

import asyncio
import random
import re
import shutil
import sqlite3
from contextlib import closing

import asyncpg
import pytest
import pytest_asyncio

from gateway.core.access import AuditEntry
from gateway.core.errors import (
    Conflict,
    MoveRefused,
    SchemaTooNew,
    StoreInUse,
    StoreUnavailable,
    StoreUnusable,
)
from gateway.core.model import (
    SECOND,
    BodyForm,
    CallRecord,
    Confirmation,
    Failure,
    LaneMark,
    Switch,
    Withheld,
    parse_delivery_id,
)
from gateway.core.retention import DAY
from gateway.core.retry import Finish, GiveUp, RetryAt
from gateway.store.moving import source as moved_from
from gateway.store.moving import target as moved_to
from gateway.store.moving.move import compare, move
from gateway.store.moving.tables import BYTES, TABLES
from gateway.store.moving.target import Target
from gateway.store.postgres import PostgresStore
from gateway.store.sqlite import SqliteStore
from tests.kit.build import (
    ENCRYPTION_KEY,
    EVIDENCE_KEY,
    NOW,
    a_delivery,
    a_lease,
    an_arrival,
    an_event,
)
from tests.kit.stores import raw
from tests.store.test_bulk import an_entry, an_operation
from tests.store.test_contract import a_refusal, an_attempt, an_unreadable
from tests.store.test_evidence import everything
from tests.store.test_plans import a_plan
from tests.store.test_register import told
from tests.store.test_turns import a_turn, kept, kept_together

ODD = "a\0b \ufdd0 ü"
"""What PostgreSQL's text cannot hold as it is."""
BINARY = bytes(range(256))
LATER = NOW + 600 * SECOND


def quiet(*_told) -> None:
    """Nobody is told how far it is."""


async def fill(store) -> None:
    """Store something of every kind."""
    await store.append([an_arrival(an_event(key="key-1", data={"odd": ODD, "pad": "x" * 100}))])
    spliced = an_event(received_at=NOW - DAY, subject=ODD)
    spliced.splice, spliced.body = b'{"mapped":1}', BINARY
    own = an_arrival(
        spliced, to=(), withheld=[Withheld("w", "shadow", ODD)], firings={"a-route": ODD},
        confirmations=[Confirmation("a-route", LATER, "late")],
        failures=[Failure("f", "expression-failed", ODD, to_inbox=True)],
        plans=[a_plan(LATER, key=ODD)], learned=[told(ODD, {"odd": ODD, "n": 1})],
    )  # fmt: skip
    own.routed.deliveries += [
        a_delivery(spliced, n=n, form=BodyForm.OWN, body=BINARY, lease=a_lease()) for n in range(3)
    ]
    await store.append([own, an_arrival(an_event(received_at=NOW - 3 * DAY), to=())])
    delivered, dead, _still_leased = own.deliveries
    call = CallRecord(method="GET", url="http://x/", status=200, reason=ODD, duration=1)
    delivered_attempt = an_attempt(excerpt=ODD, calls=[call], reason=ODD)
    delivered_attempt.lane = LaneMark(begun_at=NOW)
    await store.begin_act(delivered, ODD, NOW)
    await store.record(delivered, delivered_attempt, Finish(ODD))
    await store.record(dead, an_attempt(), GiveUp(f"http-500: {ODD}"))
    retried = an_arrival(leased=True)
    await store.append([retried])
    await store.record(retried.deliveries[0], an_attempt(), RetryAt(LATER, "http-500"))
    # One is under way, one waits for its key, one for that one; one has made way for a newer one.
    await kept(store, *(a_turn(key="q", endpoint="queue", leased=True) for _ in range(2)))
    await kept(store, *(a_turn(slot="s", settle=9, longest=99, endpoint="slots") for _ in range(2)))
    await kept_together(store, a_turn(endpoint="first"), a_turn(endpoint="last", expires_at=LATER))
    await _fill_others(store)


async def _fill_others(store) -> None:
    person = an_arrival(an_event(key="person", subject="person/1"))
    await store.append([person])
    await store.erase([person.event.event_id], NOW + 5)
    await store.keep(an_unreadable(BINARY))
    await store.keep_refusals([a_refusal(body=BINARY)], most=9, most_bytes=1 << 20)
    entry = AuditEntry(id="aud_0", at=NOW, who=ODD, address="", action="pause", object="pager")
    await store.set_endpoint("pager", Switch("paused", ODD), NOW, entry)
    await store.note_told("late", NOW)
    await store.note_position("feed", "page-2")
    await store.bulk.begin(an_operation(), an_entry())


async def filled(path, keys=()) -> None:
    """A SQLite file with something of every kind, and a log, as a gateway that was killed leaves it."""
    elsewhere = path.with_name("elsewhere")
    store = await SqliteStore.open(elsewhere / path.name, keys, evidence=EVIDENCE_KEY)
    await fill(store)
    for file in elsewhere.glob("gateway.db*"):
        if not file.name.endswith((".lock", "-shm")):
            shutil.copy(file, path.parent)
    await store.close()


@pytest_asyncio.fixture
async def path(tmp_path):
    """A SQLite file with something of every kind."""
    await filled(tmp_path / "gateway.db")
    return tmp_path / "gateway.db"


@pytest_asyncio.fixture
async def url(postgres):
    """An empty database, without a schema."""
    async with postgres.database(empty=True) as url:
        yield url


@pytest.fixture
def small_pages(monkeypatch):
    """Pages of two rows, so that there are several of each table."""
    monkeypatch.setattr(moved_from, "PAGE_ROWS", 2)


async def ask(url, sql: str, *given) -> list[tuple]:
    connection = await asyncpg.connect(url.text)
    try:
        return [tuple(row) for row in await connection.fetch(sql, *given)]
    finally:
        await connection.close()


async def questions(store) -> dict:
    """What a store answers about everything in it."""
    events = await store.events({"limit": 100})
    deliveries = await store.deliveries({"limit": 100})
    return {
        "events": [await store.shown_event(event["id"]) for event in events],
        "deliveries": deliveries,
        "attempts": [await store.attempts(*parse_delivery_id(d["id"])) for d in deliveries],
        "acts": [await store.acts_between(event["id"], 0, 9) for event in events],
        "withheld": [await store.withheld(event["id"]) for event in events],
        "inbox": await store.inbox({"limit": 100}),
        "refused": await store.inbox({"limit": 100, "refused": True}),
        "audit": await store.audit({"limit": 100}),
        "lanes": await store.lanes(),
        "endpoints": await store.endpoint_states(),
        "operations": await store.bulk.operations(100),
        "confirmations": await store.due_confirmations(LATER, 100),
        "register": await store.register_entries({"collection": "license"}),
        "plans": await store.plans({}),
        "secret": await store.own_secret("callbacks", b"another"),
        "due": await store.take_plans(LATER, LATER + 1, 10),
        "told": await store.told_till("late"),
        "next": await store.next_due(),
        "stats": await store.stats(),
        "evidence": await everything(store),
    }


@pytest.mark.parametrize("keys", [[], [ENCRYPTION_KEY]], ids=["plain", "encrypted"])
async def test_a_store_answers_about_everything_as_it_did_before(tmp_path, url, small_pages, keys):
    path = tmp_path / "gateway.db"
    await filled(path, keys)
    before = await SqliteStore.open(path, keys)
    assert await before.own_secret("callbacks", b"ours") == b"ours"
    await before.close()
    moved = await move(path, url, quiet)
    assert moved.differing == []
    assert [name for name, of_it in moved.source.items() if of_it.rows == 0] == (
        [] if keys else ["data_keys"]
    )
    before = await SqliteStore.open(path, keys)
    await before.reclaim(LATER + DAY)
    after = await PostgresStore.open(url, keys)
    try:
        assert await questions(after) == await questions(before)
    finally:
        await before.close()
        await after.close()


async def test_what_was_due_is_claimed_and_recorded_and_what_had_come_is_a_duplicate(path, url):
    await move(path, url, quiet)
    store = await PostgresStore.open(url)
    try:
        claimed = await store.claim("cms", [a_lease() for _ in range(9)], LATER)
        assert len(claimed) == 3  # one never tried, one that was under way, one to be tried again
        for delivery in claimed:
            await store.record(delivery, an_attempt(delivery.attempts + 1), Finish())
        again = an_arrival(an_event(key="key-1"))
        (receipt,) = await store.append([again])
        assert (receipt.duplicate, receipt.event_id != again.event.event_id) == (True, True)
        (refired,) = await store.append([an_arrival(firings={"a-route": ODD})])
        assert refired.fired_before == {"a-route"}
        (first,) = await store.claim("queue", [a_lease() for _ in range(9)], LATER)
        await store.record(first, an_attempt(), Finish())
        (second,) = await store.claim("queue", [a_lease() for _ in range(9)], LATER)
        assert second.event.event_id > first.event.event_id
    finally:
        await store.close()


async def test_of_a_key_that_came_again_after_its_window_the_latest_counts(tmp_path, url):
    store = await SqliteStore.open(tmp_path / "gateway.db")
    for i in range(3):
        event = an_event(key="again", received_at=NOW + i * DAY)
        await store.append([an_arrival(event, since=NOW + i * DAY)])
    await store.close()
    assert (await move(tmp_path / "gateway.db", url, quiet)).differing == []
    assert await ask(url, "SELECT event_id, received_at FROM event_keys") == [
        (event.event_id, NOW + 2 * DAY)
    ]


async def test_each_day_that_has_events_has_partitions(path, url):
    await move(path, url, quiet)
    found = await ask(url, "SELECT DISTINCT tableoid::regclass::text FROM events ORDER BY 1")
    assert found == [("events_20261115",), ("events_20261117",), ("events_20261118",)]
    assert await ask(url, "SELECT count(*) FROM ended_deliveries_default") == [(0,)]


# -- cut off, and gone on with ---------------------------------------------------------------------


class CutOff(Exception):
    """Where a move ends too early."""


def cut_off_at(page: int, monkeypatch, *, committed: bool = True) -> list:
    """Have a move end at that page, once it is written or just before; the pages that were."""
    add = Target.add
    written = []

    async def cut(self, table, rows):
        if len(written) + (not committed) < page:
            await add(self, table, rows)
            written.append(rows)
        if len(written) + (not committed) >= page:
            raise CutOff

    monkeypatch.setattr(Target, "add", cut)
    return written


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("page", [1, 2, 5, 6, 9, 12, 15, 20])
async def test_wherever_it_is_cut_off_it_goes_on_and_nothing_is_moved_twice(
    path, url, small_pages, monkeypatch, page, committed
):
    with monkeypatch.context() as here:
        before = cut_off_at(page, here, committed=committed)
        with pytest.raises(CutOff):
            await move(path, url, quiet)
    with pytest.raises(StoreUnusable, match="has been moved into the database yet"):
        await PostgresStore.open(url)
    with monkeypatch.context() as here:
        after = cut_off_at(1000, here)
        moved = await move(path, url, quiet)
    assert moved.differing == []
    assert len(before) == page - (not committed)
    assert sum(map(len, before + after)) == sum(of_it.rows for of_it in moved.source.values())
    await (await PostgresStore.open(url)).close()


async def test_a_connection_that_is_lost_is_told_with_what_to_do(
    path, url, small_pages, monkeypatch
):
    add = Target.add

    async def lose(self, table, page):
        if table.name == "attempts":
            await ask(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
                      moved_to.NAME)  # fmt: skip
        await add(self, table, page)

    with monkeypatch.context() as here:
        here.setattr(Target, "add", lose)
        with pytest.raises(StoreUnavailable, match="then the same command goes on"):
            await move(path, url, quiet)
    assert (await move(path, url, quiet)).differing == []


async def test_what_has_been_moved_is_not_moved_again(path, url):
    await move(path, url, quiet)
    again = await move(path, url, quiet)
    assert (again.target, again.differing) == (None, [])


async def test_it_does_not_go_on_from_a_file_that_holds_something_else_by_now(
    path, url, monkeypatch
):
    with monkeypatch.context() as here:
        cut_off_at(3, here)
        with pytest.raises(CutOff):
            await move(path, url, quiet)
    store = await SqliteStore.open(path)
    await store.note_told("late", NOW + 1, NOW)
    await store.close()
    with pytest.raises(MoveRefused, match="holds something else by now"):
        await move(path, url, quiet)


# -- compared --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("UPDATE events SET body = body || 'x' WHERE id = (SELECT max(id) FROM events)", "events"),
        ("DELETE FROM attempts WHERE n = 0", "attempts"),
        ("UPDATE deliveries SET due_at = due_at + 1 WHERE endpoint = 'queue'", "deliveries"),
        ("UPDATE firings SET value = value || '.'", "firings"),
    ],
)
async def test_a_difference_is_found_and_its_table_named(path, url, change, table):
    await move(path, url, quiet)
    assert (await compare(path, url, quiet)).differing == []
    await ask(url, change)
    assert (await compare(path, url, quiet)).differing == [table]


async def test_what_has_arrived_otherwise_is_opened_by_no_gateway(path, url, monkeypatch):
    add = Target.add

    async def spoil(self, table, page):
        await add(self, table, page[1:] if table.name == "inbox" else page)

    with monkeypatch.context() as here:
        here.setattr(Target, "add", spoil)
        assert (await move(path, url, quiet)).differing == ["inbox"]
    with pytest.raises(StoreUnusable):
        await PostgresStore.open(url)


async def test_only_what_has_been_moved_is_compared(path, url):
    with pytest.raises(Conflict, match="without --verify-only"):
        await compare(path, url, quiet)


# -- refused ---------------------------------------------------------------------------------------


async def test_a_database_that_holds_something_is_not_moved_into(path, url):
    store = await PostgresStore.open(url)
    await store.note_told("late", NOW)
    await raw(store, "SELECT 1")
    await store.close()
    await ask(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^gateway'",
    )
    with pytest.raises(MoveRefused, match="holds something already, in told"):
        await move(path, url, quiet)


async def test_a_database_that_a_gateway_serves_is_not_moved_into(path, url):
    store = await PostgresStore.open(url)
    await store.probe()
    try:
        with pytest.raises(StoreInUse, match="a gateway serves"):
            await move(path, url, quiet)
    finally:
        await store.close()


async def test_two_do_not_move_at_once(path, url, tmp_path, monkeypatch):
    other = tmp_path / "other" / "gateway.db"
    other.parent.mkdir()
    await filled(other)
    monkeypatch.setitem(moved_to.SETTINGS, "lock_timeout", "100ms")
    begun, go_on = asyncio.Event(), asyncio.Event()
    add = Target.add

    async def wait(self, table, page):
        begun.set()
        await go_on.wait()
        await add(self, table, page)

    monkeypatch.setattr(Target, "add", wait)
    first = asyncio.create_task(move(path, url, quiet))
    await begun.wait()
    with pytest.raises(StoreInUse, match="somebody else"):
        await move(other, url, quiet)
    go_on.set()
    assert (await first).differing == []


async def test_a_file_that_a_gateway_serves_is_not_moved(path, url):
    store = await SqliteStore.open(path)
    try:
        with pytest.raises(StoreInUse, match="in use by process"):
            await move(path, url, quiet)
    finally:
        await store.close()


async def test_a_file_of_another_schema_is_not_moved(path, url):
    with closing(sqlite3.connect(path)) as connection:
        (known,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("PRAGMA user_version = 999")
        with pytest.raises(SchemaTooNew, match="schema 999"):
            await move(path, url, quiet)
        connection.execute(f"PRAGMA user_version = {known - 1}")
        with pytest.raises(StoreUnavailable, match="start `gateway serve` on it once"):
            await move(path, url, quiet)


async def test_a_database_of_a_newer_schema_is_not_moved_into(path, url):
    await (await PostgresStore.open(url)).close()
    await ask(url, "INSERT INTO gateway_schema VALUES (999, now())")
    with pytest.raises(SchemaTooNew, match="schema 999"):
        await move(path, url, quiet)


async def test_the_file_and_its_log_are_only_read(path, url):
    def content() -> dict:
        kept = (path, path.with_name("gateway.db-wal"))
        return {file.name: file.read_bytes() for file in kept}

    before = content()
    assert before["gateway.db-wal"]
    await move(path, url, quiet)
    assert content() == before


async def test_a_key_that_is_longer_than_an_index_of_postgres_takes_is_refused_with_its_table(
    tmp_path, url
):
    store = await SqliteStore.open(tmp_path / "gateway.db")
    key = "k" + random.Random(1).randbytes(4000).hex()
    await store.append([an_arrival(an_event(key=key))])
    await store.close()
    with pytest.raises(
        MoveRefused, match=r"a row of event_keys, probably getty k\w{59}: index row"
    ):
        await move(tmp_path / "gateway.db", url, quiet)


# -- all of it -------------------------------------------------------------------------------------

NOT_MOVED = {
    "deliveries": {"lease", "lease_until", "finished_at", "reason_code"},
    "ended_deliveries": {"lease", "lease_until", "waits_for", "reason_code"},
}
"""Nobody holds a lease, what has ended waits for nothing, what has not has no end, and one is computed."""
VIEWS = {"all_deliveries", "finished_deliveries", "unfinished_deliveries"}
OF_POSTGRES = {"gateway_schema", "moves", "moved_tables", "nodes", "shares"}


async def test_every_column_of_every_table_is_moved(path, url):
    await move(path, url, quiet)
    moved = {table.name: set(table.columns) for table in TABLES}
    with closing(sqlite3.connect(path)) as connection:
        names = [
            n for (n,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        there = {
            name: {row[1] for row in connection.execute(f"PRAGMA table_xinfo({name})")}
            for name in names if not name.startswith("sqlite_")
        }  # fmt: skip
    there["ended_deliveries"] = there["deliveries"]
    assert {name: columns - NOT_MOVED.get(name, set()) for name, columns in there.items()} == {
        name: columns for name, columns in moved.items() if name != "event_keys"
    }
    columns = await ask(
        url,
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns"
        " WHERE table_schema = 'public' AND is_generated = 'NEVER'",
    )
    of_target: dict[str, set[str]] = {}
    for table, column, kind in columns:
        if table in moved:
            assert (kind == "bytea") == (column in BYTES), f"{table}.{column}"
            of_target.setdefault(table, set()).add(column)
    of_target["deliveries"] -= {"lease", "lease_until"}
    assert of_target == moved
    tables = {re.sub(r"_(\d{8}|default)$", "", table) for table, _, _ in columns}
    assert tables - VIEWS - OF_POSTGRES == set(moved)
