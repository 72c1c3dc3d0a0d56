"""The contract of stores holds on every engine, whether or not what they keep is encrypted."""

import pytest
import pytest_asyncio

from gateway.store.postgres import PostgresStore
from gateway.store.sqlite import SqliteStore
from tests.kit.build import ENCRYPTION_KEY

ENGINES = (
    "sqlite",
    "sqlite-encrypted",
    "postgres",
    # What encrypts is one code for both: CI runs these with `make faults`, as a database for each takes its time.
    pytest.param("postgres-encrypted", marks=pytest.mark.faults),
)


@pytest_asyncio.fixture(params=ENGINES)
async def store(request, tmp_path):
    """An empty store, on every engine, plain and encrypted."""
    keys = [ENCRYPTION_KEY] if request.param.endswith("encrypted") else []
    if request.param.startswith("sqlite"):
        opened = await SqliteStore.open(tmp_path / "gateway.db", keys)
        yield opened
        await opened.close()
        return
    postgres = request.getfixturevalue("postgres")
    async with postgres.database() as url:
        opened = await PostgresStore.open(url, keys)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(params=[[], [ENCRYPTION_KEY]], ids=["plain", "encrypted"])
async def sqlite_store(request, tmp_path):
    """An empty store on SQLite, for what is its own."""
    opened = await SqliteStore.open(tmp_path / "gateway.db", request.param)
    yield opened
    await opened.close()
