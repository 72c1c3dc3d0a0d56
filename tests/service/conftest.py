"""A gateway against Getty's API as it behaves, over real sockets; its clock stands still."""

import asyncio
import os

import pytest_asyncio

from gateway.config.settings import Settings
from gateway.service import Service
from gateway.testing import ManualClock
from tests.kit.getty import KEY, SECRET, FakeGetty

ANYWHERE = ("127.0.0.1", 0)


@pytest_asyncio.fixture
async def getty():
    fake = await FakeGetty().start()
    yield fake
    await fake.stop()


@pytest_asyncio.fixture
async def serve(tmp_path, getty):
    """Start a gateway that polls Getty; its clock stands still."""
    started = []

    async def serve(routes: str) -> Service:
        (tmp_path / "routes.yaml").write_text(routes.format(url=getty.url))
        settings = Settings(
            routes=tmp_path / "routes.yaml", database=tmp_path / "gateway.db", listen=ANYWHERE,
            admin=ANYWHERE, grace="0s", ballast="0", paused=True,
        )  # fmt: skip
        environment = {**os.environ, "GETTY_API_KEY": KEY, "GETTY_API_SECRET": SECRET}
        clock = ManualClock()
        service = await Service.open(settings, environment=environment, clock=clock)
        service.clock, service.reports = clock, []
        service.heard = asyncio.Event()

        def hear(name, fields):
            service.reports.append((name, fields))
            service.heard.set()

        service.telemetry.listen(hear)
        await service.start()
        started.append(service)
        return service

    yield serve
    for service in started:
        await service.stop()
