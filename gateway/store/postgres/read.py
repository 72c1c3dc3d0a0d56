"""Reading from PostgreSQL: on a few connections of its own, which cannot write."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache

from gateway.core.retention import Room
from gateway.store.postgres.database import Session, placed, text_of
from gateway.store.reading import LookUp
from gateway.store.steps import Row
from gateway.store.vault import Vault

placed_once = lru_cache(maxsize=512)(placed)

OF_READERS = {
    "default_transaction_read_only": "on",
    "enable_seqscan": "on",  # what people ask for may be anything
    "enable_hashjoin": "on",
    "enable_mergejoin": "on",
    "plan_cache_mode": "auto",
}


class Reader(LookUp):
    """So many connections at most, each made when it is needed."""

    all_deliveries = "all_deliveries"

    def __init__(self, url: str, vault: Vault, *, name: str, most: int) -> None:
        super().__init__(vault)
        sessions = [Session(url, name, **OF_READERS) for _ in range(most)]
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
        finally:
            self._free.put_nowait(session)

    def text(self, name: str) -> str:
        """See `LookUp.text`."""
        return text_of(name)

    async def run(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        """See `LookUp.run`."""
        return await self.rows(text_of(name), parameters)

    async def room(self) -> Room:
        """How large the database is; what is free in its files it uses by itself."""
        ((size,),) = await self.rows("SELECT pg_database_size(current_database())")
        return Room(int(size), 0)
