"""The disk fails under a real gateway: it cannot sync, is slow, full, read-only or corrupt.

Faults are injected into the running process with strace, or are real: a small file system in memory.
"""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from gateway.store.sqlite.database import PAGE_BYTES
from tests.faults.chance import SECONDS
from tests.faults.machine import fill, injected, remount, small_disk
from tests.faults.run import MIB, Run
from tests.kit.sink import now

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS)]


async def end_well(run: Run) -> None:
    """It goes on, and all that was acknowledged until now came through."""
    await run.until_ready()
    await run.post(20)
    await run.drained()
    run.check()


# -- the sync --------------------------------------------------------------------------------------


async def test_a_failed_sync_is_not_acknowledged_and_ends_the_process(run: Run):
    await run.start()
    await run.post(20)
    await run.drained()
    async with injected(run.pid, "fdatasync", "error=EIO"):
        begun = now()
        assert await run.refusal() == (503, "storage-broken")
        assert await run.ended() == 70
        run.unable.append((begun, now()))
    assert any("database cannot be relied on" in line for line in run.process.lines)
    assert run.database.with_name("gateway.db-wal").exists()  # it was not even closed
    await run.start()
    await end_well(run)


async def test_a_sync_that_fails_at_some_moment_under_load_loses_nothing(run: Run, rounds):
    await run.start()
    async with run.load(200):
        for _ in range(rounds or 3):
            async with injected(
                run.pid, "fdatasync", f"error=EIO:when={run.dice.randrange(1, 60)}"
            ):
                assert await run.ended() == 70
            await run.start()
    await end_well(run)


# -- a slow disk -----------------------------------------------------------------------------------


async def test_a_disk_that_is_a_little_slow_costs_time_and_loses_nothing(run: Run):
    await run.start()
    async with injected(run.pid, "fdatasync", "delay_enter=200000"):
        await run.post(60, workers=20)
    assert run.sender.refused == {}
    await end_well(run)


async def test_a_disk_that_hangs_is_told_of_at_once_and_memory_stays(run: Run):
    await run.start()
    await run.post(200)
    before = run.weigh()
    async with injected(run.pid, "fdatasync", "delay_enter=6000000"), aiohttp.ClientSession() as s:
        hanging = [
            asyncio.create_task(run.sender.post(s, run.ingest, event)) for event in run.ids(50)
        ]
        await run.until_ready(503)
        began = time.monotonic()
        assert await run.refusal() == (503, "storage-behind")
        for event in run.ids(1000):
            assert not await run.sender.post(s, run.ingest, event)
        assert time.monotonic() - began < 6  # some milliseconds each; none waited for the disk
        await asyncio.gather(*hanging)
    assert run.weigh() - before < 32 * MIB
    await end_well(run)


# -- a full disk -----------------------------------------------------------------------------------


async def test_a_full_disk_stops_ingest_keeps_every_promise_and_recovers(run: Run):
    with small_disk(run.database.parent, "16m"):
        await run.start()
        await run.post(50)
        await run.drained()
        ballast, filler = (run.database.with_name(name) for name in ("gateway.db.ballast", "x"))
        assert ballast.stat().st_size == MIB
        fill(filler)
        await run.until_ready(503)
        begun = now()
        assert await run.refusal() == (503, "disk-full")
        run.process.said("ballast is given up")
        assert not ballast.exists()
        run.unable.append((begun, now()))
        filler.unlink()
        await run.until_ready()
        assert ballast.stat().st_size == MIB
        await end_well(run)
        run.process.stop()


async def test_a_disk_that_its_own_events_fill_takes_them_again_when_it_is_enlarged(run: Run):
    run.process.environment["GATEWAY_BALLAST"] = "16MiB"  # more than a small disk gets
    with small_disk(run.database.parent, "9m"):
        await run.start()
        async with run.load(1000):
            await run.sender.changed.until(lambda: bool(run.sender.refused))
            assert set(run.sender.refused) == {503}
            await run.until_ready(503)
            remount(run.database.parent, "size=64m")
        assert len(run.sender.acked) > 500
        await end_well(run)
        run.process.stop()


@pytest.mark.parametrize("lack", ["ENOSPC", "EDQUOT"])
async def test_outcomes_that_found_no_room_are_recorded_later_and_not_made_again(
    run: Run, lack: str
):
    await run.start()
    await run.post(5)
    await run.drained()
    may_answer = asyncio.Event()
    held = hold(run, may_answer)
    await run.post(10)
    await run.sinks.changed.until(lambda: held.waiting >= 8)
    async with injected(run.pid, "pwrite64", f"error={lack}"):
        begun = now()
        may_answer.set()
        await run.until_ready(503)
        assert await run.refusal() == (503, "disk-full")
        run.unable.append((begun, now()))
    await end_well(run)


class Held:
    """How many requests a sink holds."""

    def __init__(self) -> None:
        self.waiting = 0


def hold(run: Run, may_answer: asyncio.Event) -> Held:
    """Have the sink answer only once it may."""
    sink, held = run.sinks["cms"], Held()
    receive = sink.receive

    async def later(request: Any) -> Any:
        held.waiting += 1
        run.sinks.changed.notify()
        await may_answer.wait()
        return await receive(request)

    sink.receive = later
    return held


# -- not writable ----------------------------------------------------------------------------------


async def test_a_read_only_disk_ends_the_start_and_says_why(run: Run):
    with small_disk(run.database.parent, "8m"):
        await run.start()
        await run.terminate()
        remount(run.database.parent, "ro")
        await cannot_start(run, "--database")


async def cannot_start(run: Run, cure: str) -> None:
    """It ends at once, with the exit code of a configuration that has to be mended, and says how."""
    ended = await asyncio.to_thread(run.process.run, "serve", "--listen", "127.0.0.1:0")
    assert ended.returncode == 78, ended.stderr
    assert cure in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_a_disk_that_becomes_read_only_is_refused_for_until_it_is_not(run: Run):
    await run.start()
    await run.post(5)
    await run.drained()
    async with injected(run.pid, "pwrite64", "error=EROFS"):
        begun = now()
        assert (await run.refusal())[0] == 503
        await run.until_ready(503)
        run.unable.append((begun, now()))
    await end_well(run)


# -- corrupt ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("from_page", [1, 8])
async def test_a_database_with_trashed_pages_ends_the_start_and_nothing_is_deleted(
    run: Run, from_page
):
    await run.start()
    await run.post(200)
    await run.drained()
    run.check()
    await run.terminate()
    size = trash(run, from_page)
    await cannot_start(run, "restore a backup")
    assert run.database.stat().st_size == size


def trash(run: Run, from_page: int) -> int:
    """Overwrite the database from that page on; how long it is."""
    size, kept = run.database.stat().st_size, from_page * PAGE_BYTES
    with run.database.open("r+b") as file:
        file.seek(kept)
        file.write(b"\xa5" * (size - kept))
    return size


async def test_pages_that_are_trashed_under_a_running_gateway_end_it_and_nothing_is_deleted(
    run: Run,
):
    await run.start()
    await run.post(200)
    await run.drained()
    await run.terminate()  # its log is in the database then
    await run.start()
    size = trash(run, 2)
    async with run.load(50):
        assert await run.ended(60) == 70
    assert any("database cannot be relied on" in line for line in run.process.lines)
    assert run.database.stat().st_size == size
    await cannot_start(run, "restore a backup")
