"""Faults under a real gateway. `make faults` runs them; with SEED the same chance, with ROUNDS longer."""

import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.chance import ROUNDS, SEED
from tests.faults.run import SECRET, Run
from tests.faults.several import Several
from tests.kit.postgres import Postgres
from tests.kit.process import free_ports
from tests.kit.sink import Sinks


def pytest_report_header() -> str:
    """Said at the start, so that a run can be repeated."""
    return f"faults: SEED={SEED} ROUNDS={ROUNDS or '(default)'}"


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """The chance of this test: the same for the same seed, whatever runs beside it."""
    return random.Random(f"{SEED} {request.node.nodeid}")


@pytest.fixture
def rounds() -> int:
    """How often to repeat what is left to chance; 0: as often as there is time for by default."""
    return ROUNDS


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than the database's."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    assert folder.stat().st_dev != tmp_path.stat().st_dev
    yield folder
    shutil.rmtree(folder)


@pytest_asyncio.fixture
async def run(tmp_path: Path, apart: Path, dice: random.Random) -> AsyncIterator[Run]:
    """A gateway with two endpoints that note what they get."""
    sinks = await Sinks(cms=SECRET, pager=SECRET).start()
    with (apart / "acks").open("w") as log:
        made = Run(tmp_path, log, sinks, dice)
        yield made
        made.process.stop()
    await sinks.stop()


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A PostgreSQL of its own, which can be killed; on loopback, so that its network can be cut."""
    (port,) = free_ports(1)
    made = Postgres(listen_addresses="127.0.0.1", port=str(port))
    yield made
    made.remove()


@pytest_asyncio.fixture
async def several(
    tmp_path: Path, apart: Path, dice: random.Random, server: Postgres
) -> AsyncIterator[Several]:
    """Gateways on that database, with two endpoints; none yet."""
    await server.execute("CREATE DATABASE gateway")
    sinks = await Sinks(cms=SECRET, pager=SECRET).start()
    with (apart / "acks").open("w") as log:
        made = Several(tmp_path, log, sinks, dice, server.url("gateway"))
        yield made
        made.stop()
    await sinks.stop()
