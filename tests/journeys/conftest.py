"""Whole journeys: a real gateway, real sockets, real signals."""

import base64
import secrets
import shutil
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.process import GatewayProcess
from tests.kit.sink import SignedSender, Sinks

ROOT = Path(__file__).parents[2]


def _secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def pytest_collection_modifyitems(items):
    """A journey starts several processes: on a busy machine it takes its time."""
    for item in items:
        if item.path.parent == Path(__file__).parent and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(90))


@pytest_asyncio.fixture
async def sinks():
    """Two endpoints that verify and count."""
    started = await Sinks(cms=_secret(), pager=_secret()).start()
    yield started
    await started.stop()


@pytest.fixture
def sender():
    """Who signs as getty does."""
    return SignedSender(_secret())


@pytest.fixture
def process(tmp_path, sinks, sender):
    """A gateway that sends what getty posts to both sinks."""
    lines = [
        "version: 1",
        "sources: {getty: {verify: {preset: standard-webhooks, secrets: [{env: GETTY}]}}}",
        "endpoints:",
    ]
    for name in ("cms", "pager"):
        lines += [
            f"  {name}:",
            f"    url: {sinks.url}/{name}",
            f"    sign: {{secrets: [{{env: {name.upper()}}}]}}",
            "    retry: {schedule: [100ms, 200ms, 500ms, 1s, 2s, 4s]}",
            "    timeout: 3s",
        ]
    lines += ["routes:", "  - {name: all, match: {type: license.expiring}, to: [cms, pager]}"]
    (tmp_path / "routes.yaml").write_text("\n".join(lines) + "\n")
    environment = {name.upper(): sink.secret for name, sink in sinks.by_name.items()}
    environment["GETTY"] = sender.secret
    made = GatewayProcess(tmp_path, "--grace", "5s", environment=environment)
    yield made
    made.stop()


@pytest.fixture
def example(tmp_path):
    """A folder with the example routes and handlers."""
    shutil.copy(ROOT / "routes.yaml", tmp_path)
    shutil.copytree(ROOT / "handlers", tmp_path / "handlers")
    return tmp_path
