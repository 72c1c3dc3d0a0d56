"""Nothing that was acknowledged is lost when the process is asked to end.

What kills do to it is in tests/faults.
"""

import asyncio
import os
import signal

import pytest


@pytest.mark.faults
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
