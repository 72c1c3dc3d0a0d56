"""The PostgreSQL database that is moved into, and how far that has come.

Each page is written in one transaction with the key of its last row: wherever a move is cut off, it goes
on behind the last page that was committed.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import asyncpg
import orjson

from gateway.core.errors import MoveRefused, StoreInUse, StoreUnavailable
from gateway.core.model import Micros
from gateway.core.postgres_url import PostgresUrl
from gateway.store.moving.tables import TABLES, Table
from gateway.store.postgres.database import (
    MARK,
    Session,
    as_it_was,
    storable,
    translated,
)
from gateway.store.postgres.days import Days
from gateway.store.postgres.migrate import LOCK, PATIENT, migrate
from gateway.store.postgres.reach import connect
from gateway.store.steps import Row

NAME = "gateway move"
SETTINGS = {**PATIENT, "enable_seqscan": "on", "lock_timeout": "5s"}
MOVING = LOCK + 1
"""Advisory: of whoever moves."""

SHOWN = 60
"""So many characters of what is too long are shown."""
FETCHED = 2000
"""So many rows are compared at a time."""

READ_MOVE = "SELECT id, source, finished_at IS NOT NULL AS is_complete FROM moves"
BEGIN_MOVE = "INSERT INTO moves (id, source) VALUES ($1, $2)"
END_MOVE = "UPDATE moves SET finished_at = coalesce(finished_at, now())"
READ_POSITION = "SELECT position, rows FROM moved_tables WHERE name = $1"
NOTE_POSITION = """
INSERT INTO moved_tables (name, position, rows)
VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, rows = moved_tables.rows + excluded.rows
"""
SERVED = """
SELECT count(*)
FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'gateway %'
  AND application_name NOT IN ('gateway move', 'gateway migration')
"""
ANALYZE = f"ANALYZE {', '.join(table.name for table in TABLES)}"


class Move(NamedTuple):
    """What was begun."""

    id: str
    source: str
    is_complete: bool


class Position(NamedTuple):
    """How far a table has come."""

    after: Row = ()
    rows: int = 0


class Target:
    """Where it is moved to."""

    def __init__(self, connection: Any, days: Days) -> None:
        self._connection = connection
        self._days = days

    async def move(self) -> Move | None:
        """The move that was begun; None where the database is empty.

        Raises MoveRefused where it holds anything else, StoreInUse where a gateway serves it.
        """
        with _failing("cannot look into the database"):
            row = await self._connection.fetchrow(READ_MOVE)
            if row is not None:
                return Move(*row)
            if await self._connection.fetchval(SERVED):
                raise StoreInUse(
                    "a gateway serves the database that is to be moved into",
                    cure="stop it, and name an empty database",
                )
            for table in TABLES:
                if await self._connection.fetchval(f"SELECT EXISTS (SELECT FROM {table.name})"):  # noqa: S608
                    raise MoveRefused(
                        f"the database that is to be moved into holds something already, in {table.name}",
                        cure="name an empty one: CREATE DATABASE makes it",
                    )
            return None

    async def begin(self, name: str, source: str) -> None:
        """Note what is going to be moved, while no gateway can open the database."""
        with _failing("cannot begin"):
            async with self._connection.transaction():
                await self._connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                await self.move()
                await self._connection.execute(BEGIN_MOVE, name, source)

    async def make_days(self, moments: Iterable[Micros]) -> None:
        """Make the partitions of those days."""
        for moment in moments:
            await self._days.make(moment)

    async def position(self, table: Table) -> Position:
        """How far it has come."""
        with _failing("cannot read"):
            row = await self._connection.fetchrow(READ_POSITION, table.name)
        return Position() if row is None else Position(tuple(orjson.loads(row[0])), row[1])

    async def add(self, table: Table, page: Sequence[Row]) -> None:
        """Add the next rows of a table, all of them or none."""
        position = orjson.dumps(page[-1][: table.key]).decode()
        records = page
        if "\0" in (text := _text_in(page)) or MARK in text:
            records = [tuple(map(storable, row)) for row in page]
        with _failing(f"cannot write {table.name}"):
            try:
                async with self._connection.transaction():
                    await self._connection.copy_records_to_table(
                        table.name, records=records, columns=table.columns
                    )
                    await self._connection.execute(NOTE_POSITION, table.name, position, len(page))
            except asyncpg.ProgramLimitExceededError as error:
                raise _too_long(table, page, error) from None

    async def stay(self) -> None:
        """Keep the connection from being idle for long."""
        with _failing("cannot stay connected"):
            await self._connection.execute("SELECT 1")

    async def compared(self, table: Table) -> AsyncIterator[list[Row]]:
        """What a table's rows are compared by, as they were before they were stored."""
        with _failing(f"cannot read {table.name}"):
            async with self._connection.transaction(readonly=True):
                cursor = await self._connection.cursor(table.compare_target())
                while rows := await cursor.fetch(FETCHED):
                    yield _restored([tuple(row) for row in rows])

    async def analyze(self) -> None:
        """Have PostgreSQL learn what its tables hold now."""
        with _failing("cannot analyze"):
            await self._connection.execute(ANALYZE)

    async def end(self) -> None:
        """From now on, gateways may open the database."""
        with _failing("cannot end"):
            await self._connection.execute(END_MOVE)


@asynccontextmanager
async def reached(url: PostgresUrl) -> AsyncIterator[Target]:
    """A database with the present schema, for oneself as far as moving goes.

    Raises StoreUnavailable, StoreInUse where somebody else moves into it, or SchemaTooNew.
    """
    await migrate(url, None)
    with _failing(f"cannot reach {url}"):
        connection = await connect(url, NAME, SETTINGS)
    days = Days(Session(url, NAME))
    try:
        await _take(connection)
        yield Target(connection, days)
    finally:
        await days.session.close()
        connection.terminate()


async def _take(connection: Any) -> None:
    """Keep others from moving into it; one that was killed may take a moment to be gone."""
    with _failing("cannot begin"):
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", MOVING)
        except asyncpg.LockNotAvailableError:
            raise StoreInUse(
                "somebody else moves something into the database", cure="let that end first"
            ) from None


@contextmanager
def _failing(what: str) -> Iterator[None]:
    """Say of what the database cannot do that a move goes on when it is asked for again, not by itself."""
    try:
        with translated(what):
            yield
    except StoreInUse:
        raise
    except StoreUnavailable as error:
        cure = f"{error.cure.partition('; ')[0]}; then the same command goes on"
        raise type(error)(error.what, cure=cure) from error


def _restored(page: list[Row]) -> list[Row]:
    return [tuple(map(as_it_was, row)) for row in page] if MARK in _text_in(page) else page


def _too_long(table: Table, page: Sequence[Row], error: Exception) -> MoveRefused:
    """What to say of a key that is longer than PostgreSQL's indexes can hold; SQLite's hold any."""
    longest = max(page, key=lambda row: sum(len(str(part)) for part in row[: table.key]))
    name = " ".join(str(part)[:SHOWN] for part in longest[: table.key])
    return MoveRefused(
        f"PostgreSQL does not take a row of {table.name}, probably {name}: {error}",
        cure="move when retention has deleted it",
    )


def _text_in(page: Sequence[Row]) -> str:
    """All text of it: to look for what is rare in one go, and not in each of a hundred million values."""
    return "".join([value for row in page for value in row if type(value) is str])
