"""A gateway that runs, with its receiver, and the commands that talk to it."""

import shutil
from pathlib import Path

import pytest

from bench.processes import free_port
from tests.kit.process import GatewayProcess

ROOT = Path(__file__).parents[2]


def copy_example(folder: Path) -> None:
    """Put the example routes and the handlers there."""
    shutil.copy(ROOT / "routes.yaml", folder)
    shutil.copytree(
        ROOT / "handlers", folder / "handlers", ignore=shutil.ignore_patterns("__pycache__")
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with the example routes and the handlers."""
    copy_example(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One gateway for a module, with a sample receiver on a port of its own."""
    home = tmp_path_factory.mktemp("running")
    port = free_port()
    text = (ROOT / "routes.yaml").read_text().replace("127.0.0.1:8090", f"127.0.0.1:{port}")
    (home / "routes.yaml").write_text(text)
    gateway = GatewayProcess(home, "--sample-receiver", f"127.0.0.1:{port}").start()
    yield gateway
    gateway.stop()


def pytest_collection_modifyitems(items):
    """Commands are processes: on a busy machine, a test that starts several takes its time."""
    for item in items:
        if item.path.parent == Path(__file__).parent and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(90))
