"""Reading from SQLite: on connections of its own that cannot write.

Reads are short and paged: an open read keeps checkpoints from finishing, and the log grows.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite

from gateway.core.errors import StoreBroken
from gateway.core.listing import Listing
from gateway.core.retention import Room
from gateway.core.state import State
from gateway.store.listing import LOOKED_UP, UNFINISHED, Dialect, Walk, walk
from gateway.store.reading import LookUp
from gateway.store.sqlite.database import (
    PAGE_BYTES,
    bound,
    check_schema,
    log_path,
    remove_empty_log,
    statement,
    translated,
)
from gateway.store.steps import Row
from gateway.store.vault import OPEN, Vault

UNFINISHED_PARTS: Mapping[State, tuple[str, ...]] = {
    State.SCHEDULED: (
        "state = 'scheduled' AND waits_for IS NULL",
        "state = 'scheduled' AND waits_for IS NOT NULL",
    ),
    State.LEASED: ("state = 'leased'",),
}
"""In so many words, or SQLite does not see which index will do."""


class Reader(LookUp):
    """A read-only connection, opened at the first question; *broken* hears of what does not read back."""

    dialect = Dialect("instr", "deliveries", "deliveries", None, "IN ({})")

    def __init__(
        self, path: Path, vault: Vault = OPEN, broken: Callable[[StoreBroken], None] | None = None
    ) -> None:
        super().__init__(vault)
        self._broken = broken
        self._uri = f"{path.absolute().as_uri()}?mode=ro"
        self._opening: asyncio.Future[aiosqlite.Connection] | None = None

    async def close(self) -> None:
        """Close the connection."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        try:
            connection = await opening
        except sqlite3.Error:  # there is none
            return
        await connection.close()

    async def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """All rows of a statement that reads. Raises StoreUnavailable."""
        try:
            with translated("cannot read"):
                return await self._rows(sql, parameters)
        except StoreBroken as error:
            if self._broken is not None:
                self._broken(error)
            raise

    async def _rows(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        connection = await self._connected()
        return [tuple(row) for row in await connection.execute_fetchall(sql, parameters)]

    async def _connected(self) -> aiosqlite.Connection:
        """The connection: one, however many ask first, and whoever of them gives up meanwhile."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(aiosqlite.connect(self._uri, uri=True))
        opening = self._opening
        try:
            # Broken off, the driver would leave a thread behind that answers a loop which may be closed.
            return await asyncio.shield(opening)
        except sqlite3.Error:
            if self._opening is opening:
                self._opening = None
            raise

    def text(self, name: str) -> str:
        """See `LookUp.text`."""
        return statement(name)

    async def run(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        """See `LookUp.run`."""
        return await self.rows(statement(name), bound(parameters))

    async def _walk(self, listing: Listing, query: Mapping[str, Any]) -> Walk:
        """What is still to be done is in indexes of its own, in another order: if it is little, all of it is read."""
        state = query.get("state")
        if listing not in (Listing.EVENTS, Listing.DELIVERIES) or state not in UNFINISHED:
            return walk(listing, query, self.dialect)
        if "event" in query or "id" in query:
            return walk(listing, query, self.dialect)
        parts, parameters = list(UNFINISHED_PARTS[State(state)]), []
        if listing is Listing.DELIVERIES and "endpoint" in query:
            parts, parameters = [f"{part} AND endpoint = ?" for part in parts], [query["endpoint"]]
        counted = " UNION ALL ".join(f"SELECT 1 FROM deliveries WHERE {part}" for part in parts)  # noqa: S608
        ((count,),) = await self.rows(
            f"SELECT count(*) FROM (SELECT 1 FROM ({counted}) LIMIT {LOOKED_UP})",  # noqa: S608
            parameters * len(parts),
        )
        if count == LOOKED_UP:
            return walk(listing, query, self.dialect)
        rest = dict(query)
        if listing is Listing.EVENTS:
            del rest["state"]
        return walk(listing, rest, self.dialect).only_of(parts, parameters)

    async def schema(self) -> int:
        """The number of the last migration that the database has seen."""
        ((present,),) = await self.rows("PRAGMA user_version")
        return int(present)

    async def room(self) -> Room:
        """How much of the file is used, and how much is free."""
        ((pages,),) = await self.rows("PRAGMA page_count")
        ((free,),) = await self.rows("PRAGMA freelist_count")
        return Room((pages - free) * PAGE_BYTES, free * PAGE_BYTES)


@asynccontextmanager
async def reading(path: Path, keys: Sequence[bytes] = ()) -> AsyncIterator[Reader]:
    """A reader of a database that no gateway need have open; its folder is left as it was.

    *keys* are for one that is encrypted. Raises what `check_schema` raises for a database of another version.
    """
    had_log = log_path(path).exists()
    reader = Reader(path, Vault(keys))
    try:
        check_schema(await reader.schema())
        yield reader
    finally:
        await reader.close()
        if not had_log:
            remove_empty_log(path)
