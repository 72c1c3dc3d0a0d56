"""The process is killed: at random moments, and at every step to the disk."""

import pytest

from tests.faults.chance import SECONDS
from tests.faults.machine import faulty
from tests.faults.run import Run
from tests.kit.steps import moment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS)]


async def test_kill_9_at_random_moments_under_load_breaks_no_promise(run: Run, rounds):
    await run.start()
    async with run.load(500):
        for _ in range(rounds or 12):
            await moment(run.dice.uniform(0.05, 1.5))
            await run.kill()
            await run.start()
    await run.drained()
    run.check()


@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
async def test_kill_9_at_a_step_to_the_disk_breaks_no_promise(run: Run, rounds, call):
    """At each of the first 200 with ROUNDS=200; by default at the first and at some others."""
    steps = range(1, rounds + 1) if rounds else [1, *run.dice.sample(range(2, 200), 3)]
    await run.start()
    async with run.load(200):
        await run.kill()
        for step in steps:
            run.process.before = faulty(call, f"signal=KILL:when={step}")
            await run.start_doomed()
        run.process.before = ()
        await run.start()
    await run.drained()
    run.check()
