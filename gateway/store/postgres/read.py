"""Reading from PostgreSQL: on a few connections of its own, which cannot write."""

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache

import asyncpg

from gateway.core.errors import StoreUnavailable
from gateway.core.postgres_url import PostgresUrl
from gateway.core.retention import Room
from gateway.store.listing import Dialect
from gateway.store.postgres.database import Session, placed, text_of
from gateway.store.reading import LookUp
from gateway.store.steps import Row
from gateway.store.vault import Vault

placed_once = lru_cache(maxsize=512)(placed)

OF_READERS = {
    "default_transaction_read_only": "on",
    "enable_hashjoin": "on",  # what people ask for may be anything
    "enable_mergejoin": "on",
    "plan_cache_mode": "auto",
}


class Reader(LookUp):
    """So many connections at most, each made when it is needed."""

    dialect = Dialect(
        "strpos",
        "all_deliveries",
        "finished_deliveries",
        "unfinished_deliveries",
        "= ANY (ARRAY({}))",
    )

    def __init__(
        self,
        url: PostgresUrl,
        vault: Vault,
        *,
        name: str,
        most: int,
        failed: Callable[[StoreUnavailable], None],
    ) -> None:
        super().__init__(vault)
        self._failed = failed
        """Hears that the database cannot be reached: nobody else may notice, where no event comes."""
        sessions = [Session(url, name, settings=OF_READERS) for _ in range(most)]
        self._all = sessions
        self._free: asyncio.LifoQueue[Session] = asyncio.LifoQueue()
        for session in sessions:
            self._free.put_nowait(session)

    async def close(self) -> None:
        """Let go of the connections."""
        for session in self._all:
            await session.close()

    async def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """See `LookUp.rows`."""
        text = placed_once(sql)
        session = await self._free.get()
        try:
            return await session.run(lambda work: work.rows(text, parameters), "cannot read")
        except StoreUnavailable as error:
            if not isinstance(
                error.__cause__, asyncpg.QueryCanceledError
            ):  # a slow question is no more than that
                self._failed(error)
            raise
        finally:
            self._free.put_nowait(session)

    def text(self, name: str) -> str:
        """See `LookUp.text`."""
        return text_of(name)

    async def run(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        """See `LookUp.run`."""
        return await self.rows(text_of(name), parameters)

    async def room(self) -> Room:
        """How much is stored; what is free in its files the database uses by itself."""
        ((size,),) = await self.run("measure")
        return Room(int(size), 0)
