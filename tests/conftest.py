"""What every test may ask for."""

import asyncio
import gc
import io
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from gateway.logs import Form, set_up_logging
from gateway.store.sqlite import SqliteStore
from gateway.testing import Gateway, ManualClock
from tests.kit.build import NOW
from tests.kit.leaks import nothing_leaks  # noqa: F401  # asked for by all
from tests.kit.postgres import Postgres

# A ballast is 16 MiB in the folder of each test that starts a gateway; its own tests ask for one.
os.environ.setdefault("GATEWAY_BALLAST", "0")

settings.register_profile("suite", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("suite")

MOST_WORKERS = 16
"""Each reads all files of tests first, and may start a PostgreSQL of its own."""


def pytest_xdist_auto_num_workers() -> int:
    """Two for each processor: half of the time a test waits, for a disk, a socket or another process."""
    return min(2 * (os.cpu_count() or 1), MOST_WORKERS)


gc.disable()  # until all tests are collected


def pytest_collection_finish() -> None:
    """Tests that are collected stay: until all are, it is vain to look for garbage among them."""
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: at the end nobody waits for it alone."""
    items.sort(key=lambda item: "test_bench" not in item.nodeid)


@pytest.fixture(autouse=True)
def _settings_of_this_process():
    """A service tunes its process; a test's process outlives it."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)
    gc.unfreeze()


@pytest.fixture
def log_to(monkeypatch) -> Iterator[Callable[..., io.StringIO]]:
    """Have everything logged, at debug, in a form; where it goes."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def log_to(form: Form, redact: Callable[[str], str] = str) -> io.StringIO:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        set_up_logging(form, "debug", redact)
        return stream

    yield log_to
    root.handlers = handlers
    root.setLevel(level)  # not `root.level`: loggers remember what they are enabled for


@pytest.fixture
def logged(log_to) -> Callable[[], list[dict]]:
    """What is logged, line by line, from now on."""
    stream = log_to("json")
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still until it is moved."""
    return ManualClock(NOW)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, for as long as the tests of this process run."""
    server = Postgres.running = Postgres()
    yield server
    Postgres.running = None
    server.remove()


@pytest_asyncio.fixture(params=["sqlite"])
async def store(request, tmp_path) -> AsyncIterator[SqliteStore]:
    """An empty store, on every engine."""
    opened = await SqliteStore.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()


ROUTES = """\
version: 1
sources:
  getty:
    verify: {preset: standard-webhooks, secrets: [{env: GETTY_SECRET}]}
  open:
    verify: none
    max_body: 1KiB
    ack: 200
  quiet:
    verify: none
    ack: 204
  slow:
    verify: none
    rate: 1/h
endpoints:
  cms:
    url: https://cms.example.com/hook
    sign: {secrets: [{env: CMS_SECRET}]}
    retry: {schedule: [5s, 1m]}
  pager:
    url: https://pager.example.com/
    sign: none
    retry: {schedule: []}
    breaker: off
routes:
  - {name: to-cms, match: {type: [{prefix: license.}]}, to: [cms]}
  - {name: to-pager, match: {type: license.expired}, to: [pager]}
"""


@pytest.fixture
def routes_file(tmp_path) -> Path:
    """A routes file with a signed source, an open one, and two endpoints."""
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    return path


@pytest_asyncio.fixture
async def gateway(routes_file) -> AsyncIterator[Gateway]:
    """All of it, in this process, against a scripted server."""
    async with Gateway(routes_file) as running:
        yield running


@pytest.fixture
def seen() -> Callable[..., object]:
    """Wait until a gateway has reported something so often."""

    async def seen(gateway: Gateway, name: str, count: int = 1) -> list[dict]:
        found: list[dict] = []
        enough = asyncio.Event()

        def listen(reported: str, fields: dict) -> None:
            if reported == name:
                found.append(fields)
                if len(found) >= count:
                    enough.set()

        gateway.service.telemetry.listen(listen)
        await enough.wait()
        return found

    return seen
