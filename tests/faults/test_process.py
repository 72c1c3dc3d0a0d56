"""What happens to the process itself: a second one, signals, few descriptors, little memory."""

import asyncio
import contextlib
import os
import signal

import pytest

from tests.faults.run import Run
from tests.kit.steps import moment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


async def test_a_second_process_on_the_database_ends_at_once_and_the_first_goes_on(run: Run):
    await run.start()
    async with run.load(200):
        second = await asyncio.to_thread(run.process.run, "serve", "--listen", "127.0.0.1:0")
    assert second.returncode == 75, second.stderr
    assert f"in use by process {run.pid}" in second.stderr
    await run.drained()
    run.check()


async def test_sigterm_under_load_with_slow_endpoints_ends_well_each_time(run: Run, rounds):
    receive = run.sinks["cms"].receive

    async def slowly(request):
        await moment(run.dice.uniform(0, 1))
        return await receive(request)

    run.sinks["cms"].receive = slowly
    await run.start()
    async with run.load(100):
        for _ in range(rounds or 3):
            await moment(run.dice.uniform(0.2, 1))
            assert await run.terminate() == 0
            await run.start()
    await run.drained()
    run.check()


async def test_endpoints_that_outlast_the_grace_and_a_kill_lose_nothing(run: Run):
    """SIGTERM, again SIGTERM, which ends the waiting; and SIGTERM, then SIGKILL, as supervisors do."""
    receive, slow = run.sinks["cms"].receive, asyncio.Event()

    async def never(request):
        await slow.wait()
        return await receive(request)

    run.process.flags = ("--grace", "60s")
    run.timeout = "60s"
    run.sinks["cms"].receive = never
    await run.start()
    await run.post(20)
    for number in (signal.SIGTERM, signal.SIGKILL):
        said = len(run.process.lines)
        os.kill(run.pid, signal.SIGTERM)
        await asyncio.to_thread(run.process.said, "shutting down", said)
        os.kill(run.pid, number)
        assert await run.ended() == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        await run.start()
    slow.set()
    await run.drained()
    run.check()


async def test_reloads_of_good_and_faulty_files_under_load_change_nothing_for_events(
    run: Run, rounds
):
    await run.start()
    routes = run.folder / "routes.yaml"
    good = routes.read_text()
    async with run.load(200):
        for i in range(rounds or 20):
            said = len(run.process.lines)
            faulty = run.dice.random() < 0.5
            routes.write_text(good.replace("to: [cms", "to: [cmz") if faulty else f"{good}# {i}\n")
            os.kill(run.pid, signal.SIGHUP)
            word = "the routes file is faulty" if faulty else "new routes are in force"
            await asyncio.to_thread(run.process.said, word, said)
    assert run.sender.refused == {}
    await run.drained()
    run.check()


async def test_sighup_while_it_starts_does_not_end_it(run: Run):
    note = run.database.with_name("gateway.db.lock")
    starting = asyncio.create_task(run.start())
    while not note.exists():
        await moment(0.001)
    while not starting.done():
        os.kill(run.process.child.pid, signal.SIGHUP)
        await moment(0.005)
    await starting
    await run.post(20)
    await run.drained()
    run.check()


async def test_few_descriptors_are_told_of_and_everything_recovers(run: Run):
    run.process.before = ("sh", "-c", 'ulimit -n 128; exec "$0" "$@"')
    await run.start()
    run.process.said("few file descriptors")
    await run.post(20)
    host, port = run.process.public.split(":")
    opened = []
    with contextlib.suppress(OSError):
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(300)]
    heard = []
    for reader, writer in opened:
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(0.02):
                heard.append(await reader.readline())
        writer.close()
    assert any(b"503" in line for line in heard)
    await run.until_ready()
    await run.post(20)
    await run.drained()
    run.check()
