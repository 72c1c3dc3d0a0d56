"""Stores of every engine: opened again and again on the same database, and looked into past their verbs."""

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

from gateway.store.postgres import PostgresStore
from gateway.store.postgres.database import placed
from gateway.store.sqlite import SqliteStore
from tests.kit.postgres import Postgres


async def raw(store: SqliteStore | PostgresStore, sql: str, *given: Any) -> list[tuple]:
    """Run a statement as it is, where the store writes."""
    if isinstance(store, SqliteStore):
        return store._writer._connection.execute(sql, given).fetchall()
    return await store._rest.run(lambda work: work.rows(placed(sql), given))


class Database(Protocol):
    """A database that outlives the stores that open it."""

    async def open(self):
        """A store on it."""

    async def remove(self) -> None:
        """Leave nothing of it."""


class OnSqlite:
    """A file."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()

    async def open(self) -> SqliteStore:
        return await SqliteStore.open(Path(self._folder.name) / "gateway.db")

    async def remove(self) -> None:
        self._folder.cleanup()


class OnPostgres:
    """A database of the server that runs."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._url: str | None = None

    async def open(self) -> PostgresStore:
        if self._url is None:
            assert Postgres.running is not None, "ask for the fixture `postgres`"
            self._url = await self._stack.enter_async_context(Postgres.running.database())
        return await PostgresStore.open(self._url)

    async def remove(self) -> None:
        await self._stack.aclose()
