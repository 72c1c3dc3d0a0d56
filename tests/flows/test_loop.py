"""The one background loop."""

import asyncio

import pytest

from gateway.core.errors import StoreUnavailable
from gateway.core.model import SECOND
from gateway.flows.loop import Loop
from gateway.telemetry import Telemetry


class Steps:
    """Steps that are counted, and do as scripted."""

    def __init__(self, *script) -> None:
        self.script = list(script)
        self.taken = 0
        self._changed = asyncio.Event()

    async def __call__(self):
        self.taken += 1
        self._changed.set()
        following = self.script.pop(0) if self.script else None
        if isinstance(following, Exception):
            raise following
        return following

    async def reach(self, count: int) -> None:
        while self.taken < count:
            self._changed.clear()
            await self._changed.wait()


@pytest.fixture
async def run(clock):
    loops, telemetry = [], Telemetry()

    def run(steps) -> Loop:
        loop = Loop("test", steps, clock, telemetry)
        loops.append(loop)
        loop.start()
        return loop

    run.telemetry = telemetry
    yield run
    for loop in loops:
        await loop.stop()


async def test_the_first_step_is_taken_at_once_and_the_next_when_woken(run):
    steps = Steps()
    loop = run(steps)
    await steps.reach(1)
    loop.wake()
    await steps.reach(2)
    assert steps.taken == 2


async def test_a_step_is_taken_at_the_moment_it_asked_for(run, clock):
    steps = Steps(clock.now() + 1000 * SECOND)
    run(steps)
    await steps.reach(1)
    clock.advance(1000)
    await steps.reach(2)


async def test_a_wake_during_a_step_is_not_lost(run):
    woken = asyncio.Event()

    async def step():
        if not woken.is_set():
            loop.wake()
            woken.set()
        else:
            again.set()

    again = asyncio.Event()
    loop = run(step)
    await again.wait()


async def test_a_step_that_fails_is_reported_and_taken_again(run, clock):
    steps, reports = Steps(RuntimeError("broken")), []
    run.telemetry.listen(lambda name, fields: reports.append((name, fields["error"])))
    run(steps)
    await steps.reach(1)
    clock.advance(1)
    await steps.reach(2)
    assert reports == [("loop.failed", "RuntimeError('broken')")]


async def test_a_stopped_loop_takes_no_step(run, clock):
    steps = Steps()
    loop = run(steps)
    await steps.reach(1)
    await loop.stop()
    loop.wake()
    clock.advance(100)
    await asyncio.to_thread(lambda: None)
    assert steps.taken == 1
    await loop.stop()


async def test_a_step_that_the_store_is_unavailable_for_is_tried_again_quietly(run, clock, caplog):
    steps = Steps(StoreUnavailable("the disk is full"))
    run(steps)
    await steps.reach(1)
    clock.advance(1)
    await steps.reach(2)
    assert caplog.messages == []
