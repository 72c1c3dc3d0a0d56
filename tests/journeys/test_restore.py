"""Backups, taken under load and restored by the very lines of the documentation: paused, looked at, resumed."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.journeys.conftest import ROOT
from tests.kit.process import GatewayProcess
from tests.kit.sink import SignedSender, Sinks

SQLITE = ROOT / "docs/operations.md", "## Back up and restore"
POSTGRES = ROOT / "docs/deployment.md", "## Backup of PostgreSQL"
SOME = 40
"""Events, or deliveries, that come before the next thing happens."""

pytestmark = pytest.mark.timeout(90)


def lines(page: Path, heading: str) -> dict[str, str]:
    """The commands that a section tells, by their first word but for `gateway`."""
    section = page.read_text().partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", section, re.DOTALL | re.MULTILINE)
    found = [line.partition("  #")[0].strip() for line in "".join(blocks).splitlines()]
    return {line.removeprefix("gateway ").split()[0]: line for line in found}


def shell(command: str, folder: Path, *programs: Path) -> None:
    """Run a line, with programs of these folders."""
    path = os.pathsep.join(map(str, (*programs, Path(sys.executable).parent, os.environ["PATH"])))
    told = subprocess.run(
        command, shell=True, cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert told.returncode == 0, f"{command}: {told.stderr}"


@dataclass
class Rehearsal:
    """A gateway under load, of which a copy is made, and that is lost."""

    process: GatewayProcess
    sender: SignedSender
    sinks: Sinks

    def tell(self, *command: str) -> str:
        """What a command of its operator says; exit codes are in it where they are no success."""
        told = self.process.call(*command, "--gateway", f"http://{self.process.admin}")
        return f"{told.stdout}{told.stderr}" + (
            f"exit {told.returncode}" if told.returncode else ""
        )

    @asynccontextmanager
    async def load(self):
        """Events come, one after the other, as long as it lasts."""
        names = [f"e-{i}" for i in range(100_000)]
        url = f"{self.process.url}/in/getty"
        flowing = asyncio.ensure_future(self.sender.flow(url, names, workers=3))
        yield
        flowing.cancel()
        with suppress(asyncio.CancelledError):
            await flowing

    async def delivered(self, endpoint: str) -> set[str]:
        """The webhook-ids of what is recorded as delivered."""
        query = {"endpoint": endpoint, "state": "delivered", "limit": "500"}
        async with (
            aiohttp.ClientSession(f"http://{self.process.admin}") as session,
            session.get("/api/v1/deliveries", params=query) as answer,
        ):
            return {each["id"] for each in (await answer.json())["items"]}

    async def __call__(self, copy: Callable[[], None], restore: Callable[[], None]) -> None:
        """Do what the documentation says, and count."""
        cms, pager, changed = self.sinks["cms"], self.sinks["pager"], self.sinks.changed
        await asyncio.to_thread(self.process.start)
        self.tell("pause", "pager")
        async with self.load():
            await changed.until(lambda: len(cms.taken) >= SOME)
            acknowledged, done = set(self.sender.acked), await self.delivered("cms")
            await asyncio.to_thread(copy)
            # What the copy has as scheduled is sent: it will be so once more.
            self.tell("resume", "pager")
            await changed.until(lambda: acknowledged <= pager.taken.keys())
            await asyncio.to_thread(self.process.kill)
        sent_before = {arrival.delivery for arrival in pager.arrivals}
        arrived = len(cms.arrivals), len(pager.arrivals)

        await asyncio.to_thread(restore)
        await asyncio.to_thread(self.process.start)
        assert "gateway resume --all" in self.tell("status")
        waiting = self.tell("deliveries", "--state", "scheduled", "--endpoint", "pager", "--json")
        assert json.loads(waiting)["items"]
        lost = sorted(self.sender.acked)  # or not: the sender cannot know
        await self.sender.flow(f"{self.process.url}/in/getty", lost)
        assert (len(cms.arrivals), len(pager.arrivals)) == arrived
        assert "deliveries begin" in self.tell("resume", "--all")
        await changed.until(lambda: len(cms.arrivals) > arrived[0])
        assert len(pager.arrivals) == arrived[1]  # paused by itself when the copy was made
        self.tell("resume", "pager")
        await changed.until(
            lambda: set(lost) <= {each.event for each in pager.arrivals[arrived[1] :]}
        )

        again = pager.arrivals[arrived[1] :]
        of_the_copy = [each for each in again if each.event in acknowledged]
        assert {each.event for each in of_the_copy} == acknowledged
        assert len(of_the_copy) == len(acknowledged)
        assert {each.delivery for each in of_the_copy} <= sent_before
        assert not done & {each.delivery for each in cms.arrivals[arrived[0] :]}
        assert {len(bodies) for sink in (cms, pager) for bodies in sink.bodies.values()} == {1}
        assert "exit 1" in self.tell("resume", "--all")
        assert "exit 2" in self.tell("resume")


@pytest.fixture
def rehearsal(process, sender, sinks):
    return Rehearsal(process, sender, sinks)


@pytest.mark.faults
async def test_a_copy_of_sqlite_made_under_load_is_restored_as_documented(
    rehearsal, process, tmp_path
):
    documented = lines(*SQLITE)
    data, copies = tmp_path / "data", tmp_path / "copies"
    copies.mkdir()

    def copy() -> None:
        shell(documented["backup"].replace("/backups", str(copies)), tmp_path)

    def restore() -> None:
        with (data / "gateway.db").open("r+b") as lost:
            lost.write(os.urandom(2**16))
        assert documented["cd"].startswith("cd /")
        shell(documented["mkdir"], data)
        assert (data / "lost" / "gateway.db-wal").exists()
        shell(documented["cp"].replace("/backups", str(copies)), data)
        process.flags = (*process.flags, *shlex.split(documented["serve"])[2:])

    await rehearsal(copy, restore)
    assert any(line.startswith("  PAUSED") for line in process.lines)
    process.said("started paused")
    made = process.call("backup", "copy.db", "--json")
    assert (made.returncode, json.loads(made.stdout)["file"]) == (0, "copy.db")
    assert process.call("backup", "copy.db").returncode == 2  # never over another


@pytest.mark.faults
async def test_a_dump_of_postgresql_made_under_load_is_restored_as_documented(
    rehearsal, process, postgres, tmp_path
):
    documented = lines(*POSTGRES)
    present = '"postgresql://gateway@host/gateway?service=gateway"'
    other = '"postgresql://gateway@host/restored?service=gateway"'
    async with postgres.database(empty=True) as url, postgres.database(empty=True) as restored:
        flags = process.flags
        process.flags = (*flags, "--database", url.text)

        def copy() -> None:
            command = documented["pg_dump"].replace(present, shlex.quote(url.text))
            shell(command, tmp_path, postgres.binaries)

        def restore() -> None:
            there = shlex.quote(restored.text)
            shell(documented["pg_restore"].replace(other, there), tmp_path, postgres.binaries)
            process.flags = (*flags, *shlex.split(documented["serve"].replace(other, there))[2:])

        await rehearsal(copy, restore)
        process.stop()
