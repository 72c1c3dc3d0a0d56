"""What every test may ask for."""

import gc
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from gateway.store.sqlite import SqliteStore
from gateway.testing import ManualClock
from tests.kit.build import NOW

settings.register_profile("suite", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _settings_of_this_process():
    """A service tunes its process; a test's process outlives it."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)
    gc.unfreeze()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still until it is moved."""
    return ManualClock(NOW)


@pytest_asyncio.fixture(params=["sqlite"])
async def store(request, tmp_path) -> AsyncIterator[SqliteStore]:
    """An empty store, on every engine."""
    opened = await SqliteStore.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()
