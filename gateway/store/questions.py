"""How questions are put to a database, whatever they are about: what is read, and what of it has to be opened."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.listing import DEFAULT_LIMIT, LARGEST_LIMIT
from gateway.core.model import Json, rfc3339
from gateway.store.steps import Row
from gateway.store.vault import Vault

TIMES = frozenset(
    {
        "received_at",
        "due_at",
        "created_at",
        "finished_at",
        "started_at",
        "changed_at",
        "at",
        "expires_at",
        "late_at",
        "erased_at",
    }
)


class Questions:
    """Puts them. An engine says how statements are run."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """All rows of a statement that reads. Raises StoreUnavailable."""
        raise NotImplementedError

    def text(self, name: str) -> str:
        """The statement of that name, for one that is completed first."""
        raise NotImplementedError

    async def run(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        """All rows of the statement of that name. A list among the parameters is one parameter."""
        raise NotImplementedError

    async def opened(self, data_key: int | None, place: str, stored: bytes) -> bytes | None:
        """What was stored at *place*, as it was before it was sealed."""
        await self._learn(data_key)
        return self._vault.open(data_key, place, stored)

    async def _learn(self, data_key: int | None) -> None:
        """Have the vault know a data key: a reader learns those that it meets."""
        if data_key is not None and data_key not in self._vault:
            self._vault.unlock(
                [(number, text) for number, text in await self.run("read_data_keys")]
            )


def limit_of(query: Mapping[str, Any]) -> int:
    """How long a page is."""
    return min(int(query.get("limit", DEFAULT_LIMIT)), LARGEST_LIMIT)


def with_times(row: dict[str, Json]) -> dict[str, Json]:
    """A row with its moments as RFC 3339 writes them."""
    for name in TIMES & row.keys():
        if row[name] is not None:
            row[name] = rfc3339(row[name])
    return row
