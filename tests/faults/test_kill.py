"""The process is killed: at random moments, and at every step to the disk."""

import pytest

from tests.faults.run import Run
from tests.kit.steps import moment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]


async def test_kill_9_at_random_moments_under_load_breaks_no_promise(run: Run, rounds):
    await run.start()
    async with run.load(500):
        for _ in range(rounds or 12):
            await moment(run.dice.uniform(0.05, 1.5))
            await run.kill()
            await run.start()
    await run.drained()
    run.check()
