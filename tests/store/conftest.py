"""The contract of stores holds on every engine, whether or not what they keep is encrypted."""

import pytest_asyncio

from gateway.store.postgres import PostgresStore
from gateway.store.sqlite import SqliteStore
from tests.kit.build import ENCRYPTION_KEY

ENGINES = ("sqlite", "sqlite-encrypted", "postgres", "postgres-encrypted")
PLAIN_ON_POSTGRES = {"test_turns", "test_prune"}
"""Order and age are no matter of what is encrypted; that it makes no difference to them shows on SQLite."""


def pytest_generate_tests(metafunc):
    if "store" in metafunc.fixturenames:
        plain = metafunc.module.__name__.rpartition(".")[2] in PLAIN_ON_POSTGRES
        engines = ENGINES[:-1] if plain else ENGINES
        metafunc.parametrize("store", engines, indirect=True)


@pytest_asyncio.fixture
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
