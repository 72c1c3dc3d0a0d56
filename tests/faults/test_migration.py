"""A migration is killed: the next start completes it, and the copy made before it is whole."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.sqlite import database
from tests.faults.chance import SECONDS
from tests.faults.machine import faulty
from tests.faults.run import Run

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS)]

EVENTS = 50
AT_A_STATEMENT = """
import os, signal, sys
from pathlib import Path
from gateway.store.sqlite import database
from gateway.store.sqlite.backup import back_up_before_migration
path, left = Path(sys.argv[1]), int(sys.argv[2])
back_up_before_migration(path)
connection = database.connect(path)
def step(_statement):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
connection.set_trace_callback(step)
database.migrate(connection)
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database of the first schema, with events that wait."""
    path = tmp_path / "old.db"
    with closing(database.connect(path)) as connection:
        connection.executescript(database._migrations()[0].read_text(encoding="utf-8"))
        for i in range(EVENTS):
            connection.execute(
                "INSERT INTO events VALUES (?, 'getty', NULL, 'x', NULL, 0, '', ?, x'', NULL, 0, 0, x'', 1)",
                (f"evt_{i:024}", b'{"id": "old"}'),
            )
            connection.execute(
                "INSERT INTO deliveries VALUES (?, 0, 'all', 'gone', 'scheduled', 'event',"
                " NULL, NULL, 0, 0, 0, NULL, NULL, 0, NULL, NULL)",
                (f"evt_{i:024}",),
            )
        connection.execute("PRAGMA user_version = 1")
    return path


def statements(path: Path) -> int:
    """How many statements its migration has."""
    seen: list[str] = []
    with closing(database.connect(path)) as connection:
        connection.set_trace_callback(seen.append)
        database.migrate(connection)
    return len(seen)


def put_in_place(old: Path, path: Path) -> None:
    """Have the old database there, and nothing else beside it."""
    path.parent.mkdir(exist_ok=True)
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    shutil.copy(old, path)


def look(path: Path) -> tuple[str, int, int]:
    """Whether it is sound, its schema, and how many events with a delivery it has."""
    with closing(sqlite3.connect(path)) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        (count,) = connection.execute(
            "SELECT count(*) FROM events JOIN deliveries ON events.id = event_id"
        ).fetchone()
    return sound, schema, count


def copy_is_whole(path: Path) -> None:
    """Where the copy has its name, nothing of it is missing."""
    copy = path.with_name(f"{path.name}.schema-1")
    assert not copy.exists() or look(copy) == ("ok", 1, EVENTS)


async def test_a_migration_killed_at_any_statement_is_completed(old: Path, tmp_path: Path):
    shutil.copy(old, counted := tmp_path / "counted.db")
    path, count = tmp_path / "gateway.db", statements(counted)
    assert count > 50
    for at in range(1, count + 1):
        put_in_place(old, path)
        child = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", AT_A_STATEMENT, str(path), str(at)], check=False
        )
        assert child.returncode == -signal.SIGKILL
        assert path.with_name("gateway.db.schema-1").exists()
        copy_is_whole(path)
        with closing(database.connect(path)) as connection:
            database.migrate(connection)
        assert look(path) == ("ok", database.known_schema(), EVENTS)


async def test_a_start_killed_at_a_write_of_its_migration_is_completed_by_the_next(
    run: Run, old: Path, rounds
):
    """At each of the first writes with ROUNDS; by default at some."""
    writes = range(1, rounds + 1) if rounds else run.dice.sample(range(1, 60), 4)
    for at in writes:
        put_in_place(old, run.database)
        run.process.before = faulty("pwrite64", f"signal=KILL:when={at}")
        try:
            await run.start()
        except AssertionError:
            await run.ended()
            copy_is_whole(run.database)
            run.process.before = ()
            await run.start()
        copy_is_whole(run.database)
        os.kill(run.pid, signal.SIGKILL)
        await run.ended()
        assert look(run.database) == ("ok", database.known_schema(), EVENTS)


async def test_a_database_of_a_newer_gateway_is_refused_and_left_alone(run: Run, old: Path):
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f"PRAGMA user_version = {database.known_schema() + 1}")
    put_in_place(old, run.database)
    run.write_routes()
    ended = await asyncio.to_thread(run.process.run, "serve", "--listen", "127.0.0.1:0")
    assert ended.returncode == 78, ended.stderr
    assert "run the newer gateway" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert look(run.database) == ("ok", database.known_schema() + 1, EVENTS)
