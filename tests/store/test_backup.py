"""Copies: whole, of one moment, private, and never in the place of something else."""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys

import pytest

from gateway.core.errors import BackupFailed, SchemaTooNew, StoreUnavailable
from gateway.store.sqlite import SqliteStore, backup, database
from gateway.store.sqlite.backup import back_up, back_up_before_migration
from tests.kit.build import ENCRYPTION_KEY, NOW, an_arrival, an_event
from tests.store.test_encryption import MARK, fill

OLD_SCHEMA = 2


@pytest.fixture
async def plain(tmp_path):
    """A store in a folder of its own."""
    opened = await SqliteStore.open(tmp_path / "data" / "gateway.db")
    yield opened
    await opened.close()


def count(path, table: str = "events") -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


async def test_a_copy_has_all_that_was_committed_and_opens_as_a_database(plain, tmp_path):
    arrivals = [an_arrival() for _ in range(20)]
    await plain.append(arrivals)
    copied = back_up(plain.path, tmp_path / "copy.db")
    assert (copied.schema, copied.size_bytes > 20_000) == (database.known_schema(), True)
    restored = await SqliteStore.open(tmp_path / "copy.db")
    found = await restored.event(arrivals[7].event.event_id)
    assert found.body == arrivals[7].event.body
    (vacuum,) = restored._writer._connection.execute("PRAGMA auto_vacuum").fetchone()
    assert vacuum == 2  # a copy gives room back as the first does
    await restored.close()


async def test_a_copy_made_while_events_come_is_of_one_moment(plain, tmp_path):
    """Of each commit all or nothing: two events each, and as many deliveries."""
    told: list[int] = []

    async def pour() -> None:
        while not told:
            pairs = [[an_arrival(), an_arrival()] for _ in range(50)]
            await asyncio.gather(*(plain.append(pair) for pair in pairs))

    async def copy() -> None:
        while await asyncio.to_thread(count, plain.path) < 1000:
            pass
        for i in range(3):
            await asyncio.to_thread(back_up, plain.path, tmp_path / f"copy-{i}.db")
        told.append(1)

    await asyncio.gather(pour(), copy())
    counts = [count(tmp_path / f"copy-{i}.db") for i in range(3)]
    assert 1000 <= counts[0] <= counts[1] <= counts[2] < count(plain.path)
    for i in range(3):
        assert counts[i] % 2 == 0
        assert counts[i] == count(tmp_path / f"copy-{i}.db", "deliveries")


async def test_only_its_owner_may_read_a_copy(plain, tmp_path):
    before = os.umask(0)
    try:
        back_up(plain.path, tmp_path / "copy.db")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600


async def test_a_file_that_is_there_is_left_as_it_is(plain, tmp_path):
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(BackupFailed, match="there already"):
        back_up(plain.path, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"
    assert not (tmp_path / "copy.db.part").exists()


async def test_a_file_that_appears_meanwhile_is_left_as_it_is(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(
        backup, "_check_copy", lambda part: part.with_name("copy.db").write_text("mine")
    )
    with pytest.raises(BackupFailed, match="there already"):
        back_up(plain.path, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


async def test_a_copy_that_is_not_sound_gets_no_name(plain, tmp_path, monkeypatch):
    check = backup._check_copy

    def spoil_and_check(part):
        with part.open("r+b") as file:
            file.seek(8192)
            file.write(b"\xff" * 4096)
        check(part)

    monkeypatch.setattr(backup, "_check_copy", spoil_and_check)
    with pytest.raises((BackupFailed, StoreUnavailable)):
        back_up(plain.path, tmp_path / "copy.db")
    assert list(tmp_path.glob("copy.db*")) == []


async def test_what_a_killed_backup_left_is_in_nobodys_way(plain, tmp_path):
    (tmp_path / "copy.db.part").write_bytes(b"half" * 10_000)
    back_up(plain.path, tmp_path / "copy.db")
    assert [file.name for file in tmp_path.glob("copy.db*")] == ["copy.db"]


async def test_two_do_not_write_one_copy(plain, tmp_path):
    with (
        backup._part(tmp_path / "copy.db"),
        pytest.raises(BackupFailed, match="being written"),
    ):
        back_up(plain.path, tmp_path / "copy.db")


async def test_where_there_is_no_room_it_is_said_before_anything_is_written(
    plain, tmp_path, monkeypatch
):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=4096))
    with pytest.raises(BackupFailed, match="4,096 free"):
        back_up(plain.path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db.part").exists()


async def test_a_folder_that_is_not_there_is_named(plain, tmp_path):
    with pytest.raises(BackupFailed, match="No such file"):
        back_up(plain.path, tmp_path / "gone" / "copy.db")


async def test_it_says_how_far_it_is(plain, tmp_path):
    for _ in range(40):
        await plain.append([an_arrival(an_event(data={"x": "y" * 50_000})) for _ in range(20)])
    told: list[tuple[int, int]] = []
    back_up(plain.path, tmp_path / "copy.db", progress=lambda *far: told.append(far))
    assert len(told) > 2
    assert told == sorted(told)


async def test_an_encrypted_database_stays_so_in_its_copy(tmp_path):
    store = await SqliteStore.open(tmp_path / "gateway.db", [ENCRYPTION_KEY])
    name = await fill(store)
    back_up(store.path, tmp_path / "copy.db")
    await store.close()
    assert MARK.encode() not in (tmp_path / "copy.db").read_bytes()
    restored = await SqliteStore.open(tmp_path / "copy.db", [ENCRYPTION_KEY])
    assert (await restored.event(name)).data == {"name": "s3nsitive, mapped"}
    await restored.close()


async def test_a_database_that_nobody_serves_is_copied_and_its_folder_left_as_it_was(tmp_path):
    folder = tmp_path / "data"
    store = await SqliteStore.open(folder / "gateway.db")
    await store.append([an_arrival()])
    await store.close()
    before = sorted(file.name for file in folder.iterdir())
    back_up(folder / "gateway.db", tmp_path / "copy.db")
    assert sorted(file.name for file in folder.iterdir()) == before
    assert count(tmp_path / "copy.db") == 1


# -- before a migration --------------------------------------------------------------------------------


def an_old_database(path, schema: int = OLD_SCHEMA, rows: int = 3) -> None:
    """A database as an earlier gateway left it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for step in database._migrations()[:schema]:
            connection.executescript(step.read_text())
        for i in range(rows):
            connection.execute(
                "INSERT INTO inbox (id, source, code, detail, received_at, content_type, body)"
                " VALUES (?, 's', 'invalid-json', 'x', ?, '', x'616263')",
                (f"inb_{i}", NOW),
            )
        connection.execute(f"PRAGMA user_version = {schema}")
        connection.commit()


def schema_of(path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


async def test_before_a_migration_a_copy_is_made_beside_the_database(tmp_path):
    path = tmp_path / "gateway.db"
    an_old_database(path)
    store = await SqliteStore.open(path)
    copy = tmp_path / f"gateway.db.schema-{OLD_SCHEMA}"
    assert (schema_of(copy), count(copy, "inbox")) == (OLD_SCHEMA, 3)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert len(await store.inbox({})) == 3
    await store.close()


async def test_a_database_that_is_new_or_up_to_date_is_not_copied(tmp_path):
    for _ in range(2):
        await (await SqliteStore.open(tmp_path / "gateway.db")).close()
    assert back_up_before_migration(tmp_path / "gateway.db") is None
    assert list(tmp_path.glob("*.schema-*")) == []


async def test_without_room_for_the_copy_nothing_is_migrated_unless_it_is_left_out(
    tmp_path, monkeypatch
):
    path = tmp_path / "gateway.db"
    an_old_database(path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=1))
    with pytest.raises(BackupFailed, match="--skip-backup"):
        await SqliteStore.open(path)
    assert schema_of(path) == OLD_SCHEMA
    await (await SqliteStore.open(path, skip_backup=True)).close()
    assert schema_of(path) == database.known_schema()
    assert list(tmp_path.glob("*.schema-*")) == []


async def test_of_copies_before_migrations_the_newest_stay(tmp_path):
    path = tmp_path / "gateway.db"
    for schema in (1, 2, 3, 4):
        path.unlink(missing_ok=True)
        an_old_database(path, schema)
        await (await SqliteStore.open(path)).close()
    copies = sorted(file.name for file in tmp_path.glob("*.schema-*"))
    assert copies == ["gateway.db.schema-3", "gateway.db.schema-4"]


async def test_a_copy_is_a_way_back_to_the_older_gateway(tmp_path):
    path = tmp_path / "gateway.db"
    an_old_database(path)
    await (await SqliteStore.open(path)).close()
    (tmp_path / f"gateway.db.schema-{OLD_SCHEMA}").rename(path)
    await (await SqliteStore.open(path)).close()  # and forward again
    assert (schema_of(path), count(path, "inbox")) == (database.known_schema(), 3)


KILLED_MIGRATION = """
import os, signal, sqlite3, sys
from pathlib import Path
from gateway.store.sqlite import database
connection = database.connect(Path(sys.argv[1]))
left = int(sys.argv[2])
def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0
connection.set_progress_handler(step, 20)
database.migrate(connection)
"""


@pytest.mark.parametrize("after", [1, 10, 40, 100])
async def test_a_migration_that_was_killed_is_done_at_the_next_start(tmp_path, after):
    path = tmp_path / "gateway.db"
    an_old_database(path, 1, rows=200)
    child = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED_MIGRATION, str(path), str(after)]
    )
    assert child.returncode == -signal.SIGKILL
    store = await SqliteStore.open(path)
    assert schema_of(path) == database.known_schema()
    assert len(await store.inbox({"limit": 500})) == 200
    await store.append([an_arrival()])
    await store.close()


async def test_a_database_of_a_newer_gateway_is_neither_copied_nor_touched(tmp_path):
    path = tmp_path / "gateway.db"
    await (await SqliteStore.open(path)).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(SchemaTooNew, match="schema 999"):
        await SqliteStore.open(path)
    assert list(tmp_path.glob("*.schema-*")) == []
