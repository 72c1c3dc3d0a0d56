"""Nothing that was acknowledged is lost, however the process ends.

I1 every acknowledged event reaches every matched endpoint; I3 duplicates only where a kill explains
them; I4 every attempt carries the same bytes, with a signature that verifies.
"""

import asyncio
import os
import random
import signal

import pytest

EVENTS, KILLS = 5000, 10


@pytest.mark.timeout(120)
async def test_kill_9_at_random_moments_loses_nothing_that_was_acknowledged(process, sinks, sender):
    process.start()
    ids = [f"e-{i}" for i in range(EVENTS)]
    dice = random.Random(7)
    moments = sorted(dice.sample(range(100, EVENTS - 100), KILLS))

    async def murder() -> None:
        for moment in moments:
            await sender.acked_at_least(moment)
            await asyncio.to_thread(process.kill)
            await asyncio.to_thread(process.start)

    await asyncio.gather(sender.flow(f"{process.url}/in/getty", ids), murder())
    assert sender.acked == set(ids)
    await sinks.all_took(sender.acked)
    for sink in sinks.by_name.values():
        assert sink.wrong_signatures == 0
        assert all(len(bodies) == 1 for bodies in sink.bodies.values())
        twice = sum(count - 1 for count in sink.taken.values())
        # At most what was under way at a kill is sent again: the lane's places, each time.
        assert twice <= KILLS * 32
        assert max(sink.taken.values()) <= 1 + KILLS


@pytest.mark.timeout(60)
async def test_sigterm_under_load_ends_well_and_loses_nothing(process, sinks, sender):
    process.start()
    ids = [f"e-{i}" for i in range(600)]

    async def end_once() -> int:
        await sender.acked_at_least(200)
        code = await asyncio.to_thread(process.terminate)
        await asyncio.to_thread(process.start)
        return code

    _, code = await asyncio.gather(sender.flow(f"{process.url}/in/getty", ids), end_once())
    assert code == 0
    await sinks.all_took(set(ids))
    for sink in sinks.by_name.values():
        assert max(sink.taken.values()) == 1  # a clean end explains no duplicate


@pytest.mark.timeout(60)
async def test_a_second_sigint_ends_it_at_once(process, sinks, sender):
    process.flags = ("--grace", "60s")
    process.start()
    hanging = asyncio.Event()
    sinks["cms"].receive = lambda _request: _hang(hanging)
    await sender.flow(f"{process.url}/in/getty", ["e-1"])
    await hanging.wait()
    os.kill(process.pid, signal.SIGINT)
    await asyncio.to_thread(process.said, "shutting down")
    assert await asyncio.to_thread(process.terminate, signal.SIGINT) == 0


async def _hang(begun: asyncio.Event):
    begun.set()
    await asyncio.Event().wait()
