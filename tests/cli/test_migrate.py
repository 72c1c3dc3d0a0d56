"""`gateway migrate`: what it says, how it ends, and that it can be killed."""

import asyncio
import json
import signal
import subprocess
import sys

import asyncpg
import pytest
import pytest_asyncio

from gateway.store.lock import Lock
from gateway.store.postgres import PostgresStore
from gateway.store.sqlite import SqliteStore
from tests.kit.build import NOW, a_lease, an_arrival, an_event

EVENTS = 2000


@pytest_asyncio.fixture
async def url(postgres):
    """An empty database, without a schema."""
    async with postgres.database(empty=True) as url:
        yield url


async def a_file(folder, events: int = 3) -> None:
    """A SQLite file with so many events of three deliveries each."""
    store = await SqliteStore.open(folder / "gateway.db")
    for start in range(0, events, 500):
        await store.append(
            [
                an_arrival(an_event(key=f"k{i}"), to=("a", "b", "c"))
                for i in range(start, min(start + 500, events))
            ]
        )
    await store.close()


def command(url, *more: str) -> list[str]:
    start = [sys.executable, "-m", "gateway", "migrate", "--from", "sqlite:///gateway.db"]
    return [*start, "--to", url.text, *more]


async def run(folder, url, *more: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run, command(url, *more), cwd=folder, capture_output=True, text=True, check=False
    )


async def test_what_was_moved_is_told_and_compared(tmp_path, url):
    await a_file(tmp_path)
    told = await run(tmp_path, url)
    assert told.returncode == 0, told.stderr
    assert "15 rows of gateway.db are in postgresql://gateway@" in told.stdout
    assert "moving deliveries: 9 of 9" in told.stderr
    assert "s3cret" not in told.stdout + told.stderr
    again = await run(tmp_path, url)
    assert (again.returncode, "has had all of gateway.db before" in again.stdout) == (0, True)
    compared = await run(tmp_path, url, "--verify-only", "--json")
    found = json.loads(compared.stdout)
    assert (found["compared"], found["differing"]) == (True, [])
    assert found["tables"]["deliveries"]["rows"] == 9


async def test_a_difference_is_told_with_its_table(tmp_path, url):
    await a_file(tmp_path)
    assert (await run(tmp_path, url)).returncode == 0
    connection = await asyncpg.connect(url.text)
    await connection.execute("DELETE FROM deliveries WHERE n = 1")
    await connection.close()
    told = await run(tmp_path, url, "--verify-only")
    assert (told.returncode, "deliveries differs" in told.stdout) == (1, True)


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGKILL, -9, b""), (signal.SIGINT, 130, b"the same command goes on")],
    ids=["kill -9", "Ctrl-C"],
)
@pytest.mark.faults
async def test_whatever_ends_it_in_the_middle_the_same_command_goes_on(
    tmp_path, url, number, code, words
):
    await a_file(tmp_path, EVENTS)
    child = await asyncio.create_subprocess_exec(
        *command(url), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    while not (line := await child.stderr.readline()).startswith(b"moving event_keys"):
        assert line
    child.send_signal(number)
    _, told = await child.communicate()
    assert (child.returncode, words in told, b"Traceback" in told) == (code, True, False)
    done = await run(tmp_path, url)
    assert done.returncode == 0, done.stderr
    assert f"{EVENTS * 5:,} rows" in done.stdout
    assert "moving events" not in done.stderr
    store = await PostgresStore.open(url)
    try:
        assert len(await store.claim("a", [a_lease() for _ in range(9)], NOW)) == 9
    finally:
        await store.close()


async def test_a_file_that_is_in_use_is_left_alone(tmp_path, url):
    await a_file(tmp_path)
    lock = Lock(tmp_path / "gateway.db")
    lock.note()
    try:
        told = await run(tmp_path, url)
    finally:
        lock.release()
    assert (told.returncode, "stop that one first" in told.stderr) == (75, True)


async def test_a_database_that_holds_something_is_refused(tmp_path, url):
    await a_file(tmp_path)
    assert (await run(tmp_path, url)).returncode == 0
    (tmp_path / "other").mkdir()
    await a_file(tmp_path / "other")
    told = await run(tmp_path / "other", url)
    assert (told.returncode, "move into another, empty database" in told.stderr) == (2, True)


@pytest.mark.parametrize(
    ("source", "target", "code", "words"),
    [
        ("sqlite:///gone.db", "postgresql://x/y", 1, "there is no database gone.db"),
        ("gone.db", "postgresql://x/y", 1, "an absolute path has four slashes"),
        ("postgresql://x/y", "sqlite:///data/gateway.db", 2, "only a SQLite file is moved"),
        ("gone.db", "sqlite:///other.db", 2, "no URL of a PostgreSQL database"),
    ],
)
def test_what_cannot_be_is_refused_at_once(tmp_path, source, target, code, words):
    told = subprocess.run(
        [sys.executable, "-m", "gateway", "migrate", "--from", source, "--to", target],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={"COLUMNS": "200"},
    )  # fmt: skip
    assert (told.returncode, words in told.stderr) == (code, True), told.stderr
