"""What happens to the process itself: a second one, signals, few descriptors, little memory."""

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.faults.chance import SECONDS
from tests.faults.machine import needs
from tests.faults.run import MIB, Run
from tests.kit.steps import moment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS)]


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


# -- little memory ---------------------------------------------------------------------------------


async def test_after_the_kernel_killed_it_for_memory_nothing_is_lost(run: Run, rounds):
    with memory_group(f"gateway-faults-{os.getpid()}") as (group, limit):
        for _ in range(rounds or 2):
            limit(None)
            run.process.before = ("sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$0" "$@"')
            await run.start()
            async with run.load(100):
                await moment(run.dice.uniform(0.5, 1))
                limit(MIB)
                large = [asyncio.create_task(post_large(run)) for _ in range(32)]
                assert await run.ended() == -signal.SIGKILL
                await asyncio.gather(*large)
                run.process.before = ()
                await run.start()
            await run.drained()
            await run.terminate()
    run.check()


@contextlib.contextmanager
def memory_group(name: str) -> Iterator[tuple[Path, Callable[[int | None], None]]]:
    """A control group, and how to limit its memory to so much more than its processes have."""
    first = Path("/sys/fs/cgroup/memory")
    one = first.is_dir()
    group = (first if one else Path("/sys/fs/cgroup")) / name
    try:
        group.mkdir()
    except OSError:
        needs("the right to make control groups", there=False)
    knob, held = ("memory.limit_in_bytes", "rss ") if one else ("memory.max", "anon ")

    def limit(more_bytes: int | None) -> None:
        if more_bytes is None:
            (group / knob).write_text("-1" if one else "max")
            return
        stat = (group / "memory.stat").read_text()
        most = int(stat.split(held)[1].split()[0]) + more_bytes
        while True:
            try:
                (group / knob).write_text(str(most))
            except OSError:  # what the kernel itself uses for it counts too
                most += more_bytes
            else:
                return

    try:
        yield group, limit
    finally:
        group.rmdir()


async def test_out_of_memory_it_goes_on_or_ends_and_never_stays_dead(run: Run, rounds):
    await run.start()
    for _ in range(rounds or 3):
        left = run.dice.randrange(16 * MIB)
        resource.prlimit(run.pid, resource.RLIMIT_AS, (virtual(run.pid) + left,) * 2)
        large = [asyncio.create_task(post_large(run)) for _ in range(16)]
        await asyncio.gather(*large)
        await lives(run)
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.pid, signal.SIGKILL)
        # A library in C++ that gets no memory aborts the process: that is an end as good as any.
        assert await run.ended() in {70, -signal.SIGABRT, -signal.SIGKILL}
        await run.start()
    await run.post(20)
    await run.drained()
    run.check()


def virtual(pid: int) -> int:
    """Bytes of memory that a process has mapped."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


async def post_large(run: Run) -> None:
    """Post a megabyte that no source verifies, in time or not at all."""
    timeout = aiohttp.ClientTimeout(total=10)
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(run.ingest, data=b"x" * (MIB - 1)) as got,
        ):
            await got.read()


async def lives(run: Run) -> None:
    """It takes an event soon, or else it has ended."""
    (event,) = run.ids(1)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        for _ in range(200):
            if await run.sender.post(session, run.ingest, event) or not run.alive:
                return
            await moment(0.05)
    pytest.fail("it runs, and takes nothing")
