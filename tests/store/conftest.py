"""The contract of stores holds whether or not what they keep is encrypted."""

import pytest_asyncio

from gateway.store.sqlite import SqliteStore
from tests.kit.build import ENCRYPTION_KEY


@pytest_asyncio.fixture(params=["sqlite", "sqlite-encrypted"])
async def store(request, tmp_path):
    """An empty store, on every engine, plain and encrypted."""
    keys = [ENCRYPTION_KEY] if request.param.endswith("encrypted") else []
    opened = await SqliteStore.open(tmp_path / "gateway.db", keys)
    yield opened
    await opened.close()
