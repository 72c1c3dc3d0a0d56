"""The power is cut: what was synced is there afterwards, and everything that was acknowledged was synced.

The cut and the sender are in one thread: an acknowledgement that it has noted was read before the cut.
What it reads afterwards it does not note, since no machine without power sends anything: a sync that was
under way at the cut may still come back as done, as nothing of the kind does on a real machine.
"""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.faults.chance import SECONDS
from tests.faults.machine import Ext4
from tests.faults.run import MIB, Run
from tests.kit.steps import moment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS)]

CANARIES = 10


@pytest.fixture
def disk(tmp_path: Path, run: Run):
    made = Ext4(tmp_path / "disk.img", run.database.parent)
    made.make(128 * MIB)
    yield made
    run.process.stop()
    made.remove()


async def cut_under_load(run: Run, disk: Ext4) -> None:
    """Cut the power at some moment, and power up again."""
    await moment(run.dice.uniform(0.2, 1.5))
    run.sender.deaf = True
    disk.cut()
    await run.kill()
    await asyncio.to_thread(disk.power_up)
    run.sender.deaf = False
    await run.start()


async def test_a_power_cut_loses_nothing_that_was_acknowledged(run: Run, disk: Ext4, rounds):
    await run.start()
    async with run.load(500):
        for _ in range(rounds or 6):
            await cut_under_load(run, disk)
    await run.drained()
    run.check()


async def test_without_a_sync_for_each_commit_it_would_lose_some(run: Run, disk: Ext4):
    run.process.before = (sys.executable, str(Path(__file__).with_name("unsynced.py")))
    await run.start()
    for _ in range(CANARIES):
        async with run.load(500):
            await cut_under_load(run, disk)
        await run.drained()
        if any(said.startswith("I1 acknowledged, and not kept") for said in run.broken()):
            return
    pytest.fail(f"{CANARIES} power cuts lost nothing without syncs: this test proves nothing")
