"""From a SQLite file to PostgreSQL: a gateway goes on with what it had."""

import asyncio
import signal

import pytest


@pytest.mark.faults
@pytest.mark.timeout(90)
async def test_what_a_killed_gateway_had_on_a_file_is_delivered_from_postgres_and_known_there(
    process, postgres, sinks, sender
):
    sinks["cms"].answer = lambda _request: 503
    process.start()
    ids = [f"e-{i}" for i in range(100)]
    await sender.flow(f"{process.url}/in/getty", ids)
    await asyncio.to_thread(process.kill)
    sinks["cms"].answer = lambda _request: 200
    async with postgres.database(empty=True) as url:
        moving = ("migrate", "--from", "sqlite:///data/gateway.db", "--to", url.text)
        told = await asyncio.to_thread(process.run, *moving)
        assert told.returncode == 0, told.stderr
        process.flags = (*process.flags, "--database", url.text)
        await asyncio.to_thread(process.start)
        await sender.flow(f"{process.url}/in/getty", ids)
        await sinks.all_took(set(ids))
        await asyncio.to_thread(process.terminate, signal.SIGTERM)
    assert set(sinks["cms"].taken.values()) == {1}
    assert sinks["cms"].wrong_signatures == 0
