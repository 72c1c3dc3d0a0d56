"""The disk fails under a real gateway: full, slow, read-only, out of descriptors, lying, corrupt.

Faults are injected into the running process with strace, or are real: a small file system in memory.
Each test ends with what was promised: all that was acknowledged is delivered, and what was delivered
and recorded is not attempted again.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.kit.process import GatewayProcess
from tests.kit.sink import SignedSender, Sinks

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
MIB = 1024 * 1024


@pytest_asyncio.fixture
async def sinks() -> AsyncIterator[Sinks]:
    started = await Sinks(cms=SECRET).start()
    yield started
    await started.stop()


@pytest.fixture
def sender() -> SignedSender:
    return SignedSender(SECRET)


@pytest.fixture
def process(tmp_path: Path, sinks: Sinks) -> Iterator[GatewayProcess]:
    (tmp_path / "routes.yaml").write_text(
        f"""\
version: 1
sources:
  getty: {{verify: {{preset: standard-webhooks, secrets: [{{env: SHARED}}]}}}}
endpoints:
  cms:
    url: {sinks.url}/cms
    sign: {{secrets: [{{env: SHARED}}]}}
    retry: {{schedule: [100ms, 500ms, 1s, 2s, 4s, 8s]}}
    timeout: 3s
routes:
  - {{name: all, match: {{type: license.expiring}}, to: [cms]}}
"""
    )
    environment = {"SHARED": SECRET, "GATEWAY_BALLAST": "1MiB", "GATEWAY_DISK_RESERVE": "1MiB"}
    made = GatewayProcess(tmp_path, "--grace", "5s", environment=environment)
    yield made
    made.stop()


def needs(what: str, *, there: bool) -> None:
    """Skip where the machine cannot do it; where all is asked for, fail."""
    if there:
        return
    if os.environ.get("TEST_TOOLS") == "required":
        pytest.fail(f"{what} is needed")
    pytest.skip(f"{what} is needed")


@contextlib.asynccontextmanager
async def injected(process: GatewayProcess, call: str, fault: str) -> AsyncIterator[None]:
    """While it lasts, each such system call of the gateway meets the fault."""
    needs("strace, as root", there=shutil.which("strace") is not None and os.geteuid() == 0)
    tracer = await asyncio.create_subprocess_exec(
        "strace", "-f", "-p", str(process.pid), "-e", f"trace={call}", "-e", f"inject={call}:{fault}",
        stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert tracer.stderr is not None
    while b"attached" not in (line := await tracer.stderr.readline()):
        assert line, "strace could not attach"
    draining = asyncio.create_task(tracer.stderr.read())
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            tracer.send_signal(signal.SIGINT)
        await tracer.wait()
        await draining


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own in that folder."""
    needs("to be root", there=os.geteuid() == 0)
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False
    )
    needs("the right to mount", there=done.returncode == 0)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


async def answer(process: GatewayProcess, path: str = "/readyz") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(process.url + path) as got:
        return got.status, await got.json()


async def refusal(process: GatewayProcess, sender: SignedSender) -> tuple[int, str]:
    """How a post that is not taken is answered: status and code."""
    codes: list[tuple[int, str]] = []

    async def note(_session: Any, _context: Any, ended: Any) -> None:
        codes.append(
            (ended.response.status, (await ended.response.json(content_type=None))["code"])
        )

    tracing = aiohttp.TraceConfig()
    tracing.on_request_end.append(note)
    async with aiohttp.ClientSession(trace_configs=[tracing]) as session:
        assert not await sender.post(session, f"{process.url}/in/getty", "refused")
    return codes[0]


async def until_ready(process: GatewayProcess, status: int = 200) -> None:
    """Wait until its health check answers so."""
    while (await answer(process))[0] != status:
        await _moment()


async def _moment() -> None:
    """What a health check of a load balancer lies apart, in small."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.Event().wait()


def resident(process: GatewayProcess) -> int:
    """Bytes of memory that the gateway has."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


async def settled(process: GatewayProcess, sinks: Sinks, sender: SignedSender) -> None:
    """All that was acknowledged has been delivered, and is recorded so."""
    await sinks.all_took(sender.acked)
    while "scheduled" in (states := await _states(process)) or "leased" in states:
        await _moment()


async def _states(process: GatewayProcess) -> set[str]:
    url = f"http://{process.admin}/api/v1/deliveries?limit=500"
    async with aiohttp.ClientSession() as session, session.get(url) as got:
        return {each["state"] for each in (await got.json())["items"]}


def ids(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{i}" for i in range(count)]


# -- the sync --------------------------------------------------------------------------------------


async def test_a_failed_sync_is_not_acknowledged_and_ends_the_process(process, sender, sinks):
    process.start()
    url = f"{process.url}/in/getty"
    await sender.flow(url, ids("before", 20))
    await settled(process, sinks, sender)
    async with injected(process, "fdatasync", "error=EIO"):
        assert await refusal(process, sender) == (503, "storage-broken")
        assert await asyncio.to_thread(process.child.wait, 20) == 70
    assert any("database cannot be relied on" in line for line in process.lines)
    assert (process.folder / "data" / "gateway.db-wal").exists()  # it was not even closed
    process._wait()
    process.start()
    await sender.flow(f"{process.url}/in/getty", ids("after", 20))
    await settled(process, sinks, sender)
    assert all(sinks["cms"].taken[f"before-{i}"] == 1 for i in range(20))


# -- a slow disk -----------------------------------------------------------------------------------


async def test_a_disk_that_is_a_little_slow_costs_time_and_loses_nothing(process, sender, sinks):
    process.start()
    async with injected(process, "fdatasync", "delay_enter=200000"):
        await sender.flow(f"{process.url}/in/getty", ids("slow", 60), workers=20)
    assert sender.refused == {}
    await settled(process, sinks, sender)
    assert max(sinks["cms"].taken.values()) == 1


async def test_a_disk_that_hangs_is_told_of_at_once_and_memory_stays(process, sender, sinks):
    process.start()
    await sender.flow(f"{process.url}/in/getty", ids("warm", 200))
    before = resident(process)
    async with injected(process, "fdatasync", "delay_enter=6000000"), aiohttp.ClientSession() as s:
        url = f"{process.url}/in/getty"
        hanging = [asyncio.create_task(sender.post(s, url, f"hang-{i}")) for i in range(50)]
        await until_ready(process, 503)
        began = time.monotonic()
        assert await refusal(process, sender) == (503, "storage-behind")
        for i in range(1000):
            assert not await sender.post(s, url, f"more-{i}")
        assert time.monotonic() - began < 6  # some milliseconds each; none waited for the disk
        await asyncio.gather(*hanging)
    assert resident(process) - before < 32 * MIB
    await until_ready(process)
    await sender.flow(f"{process.url}/in/getty", ids("after", 20))
    await settled(process, sinks, sender)


# -- a full disk -----------------------------------------------------------------------------------


async def test_a_full_disk_stops_ingest_keeps_every_promise_and_recovers(process, sender, sinks):
    with mounted(process.folder / "data", "16m"):
        process.start()
        await sender.flow(f"{process.url}/in/getty", ids("before", 50))
        await settled(process, sinks, sender)
        ballast, filler = (process.folder / "data" / name for name in ("gateway.db.ballast", "x"))
        assert ballast.stat().st_size == MIB
        fill(filler)
        await until_ready(process, 503)
        assert await refusal(process, sender) == (503, "disk-full")
        process.said("ballast is given up")
        assert not ballast.exists()
        filler.unlink()
        await until_ready(process)
        assert ballast.stat().st_size == MIB
        await sender.flow(f"{process.url}/in/getty", ids("after", 50))
        await settled(process, sinks, sender)
        assert max(sinks["cms"].taken.values()) == 1
        process.stop()


async def test_a_disk_that_its_own_events_fill_takes_them_again_when_it_is_enlarged(
    process, sender, sinks
):
    process.environment = {
        "SHARED": SECRET,
        "GATEWAY_BALLAST": "16MiB",
    }  # more than a small disk gets
    data = process.folder / "data"
    with mounted(data, "8m"):
        process.start()
        url = f"{process.url}/in/getty"
        async with aiohttp.ClientSession() as session:

            async def pour(worker: int) -> None:
                i = 0
                while not sender.refused:
                    await sender.post(session, url, f"pour-{worker}-{i}")
                    i += 1

            await asyncio.gather(*(pour(worker) for worker in range(8)))
        assert set(sender.refused) == {503}
        assert len(sender.acked) > 500
        await until_ready(process, 503)
        assert await refusal(process, sender) == (503, "disk-full")
        remount(data, "size=32m")
        await until_ready(process)
        await sender.flow(url, ids("after", 20))
        await sinks.all_took(sender.acked)
        assert await none_left(process)
        assert max(sinks["cms"].taken.values()) == 1
        process.stop()


async def none_left(process: GatewayProcess) -> bool:
    """Wait until every delivery is recorded as delivered."""
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://{process.admin}/api/v1/stats") as got:
                stats = await got.json()
            async with session.get(f"http://{process.admin}/api/v1/deliveries?state=leased") as got:
                leased = (await got.json())["items"]
            if not stats["scheduled"] and not leased:
                return not stats["dead"]
            await _moment()


def fill(file: Path) -> None:
    """Leave no room on that disk."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while True:
            out.write(b"\0" * 4096)


async def test_outcomes_that_found_no_room_are_recorded_later_and_not_made_again(
    process, sender, sinks
):
    process.start()
    url = f"{process.url}/in/getty"
    await sender.flow(url, ids("before", 5))
    await settled(process, sinks, sender)
    may_answer = asyncio.Event()
    held = hold(sinks, may_answer)
    posting = asyncio.create_task(sender.flow(url, ids("held", 10)))
    await posting
    await held.changed.until(lambda: held.waiting >= 8)
    async with injected(process, "pwrite64", "error=ENOSPC"):
        may_answer.set()
        await until_ready(process, 503)
        assert await refusal(process, sender) == (503, "disk-full")
    await until_ready(process)
    await settled(process, sinks, sender)
    assert max(sinks["cms"].taken.values()) == 1


class Held:
    """How many requests a sink holds."""

    def __init__(self, changed: Any) -> None:
        self.waiting = 0
        self.changed = changed


def hold(sinks: Sinks, may_answer: asyncio.Event) -> Held:
    """Have the sink answer only once it may."""
    sink, held = sinks["cms"], Held(sinks.changed)
    receive = sink.receive

    async def later(request: Any) -> Any:
        held.waiting += 1
        sinks.changed.notify()
        await may_answer.wait()
        return await receive(request)

    sink.receive = later
    return held


# -- not writable ----------------------------------------------------------------------------------


async def test_a_read_only_disk_ends_the_start_and_says_why(process):
    with mounted(process.folder / "data", "8m"):
        process.start()
        process.terminate()
        remount(process.folder / "data", "ro")
        ended = await asyncio.to_thread(process.run, "serve", "--listen", "127.0.0.1:0")
        assert ended.returncode == 78, ended.stderr
        assert "--database" in ended.stderr
        assert "Traceback" not in ended.stderr


async def test_a_disk_that_becomes_read_only_is_refused_for_until_it_is_not(process, sender, sinks):
    process.start()
    await sender.flow(f"{process.url}/in/getty", ids("before", 5))
    async with injected(process, "pwrite64", "error=EROFS"):
        assert (await refusal(process, sender))[0] == 503
        await until_ready(process, 503)
    await until_ready(process)
    await sender.flow(f"{process.url}/in/getty", ids("after", 5))
    await settled(process, sinks, sender)
    assert max(sinks["cms"].taken.values()) == 1


# -- corrupt ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("from_page", [1, 8])
async def test_a_database_with_trashed_pages_ends_the_start_and_nothing_is_deleted(
    process, sender, sinks, from_page
):
    process.start()
    await sender.flow(f"{process.url}/in/getty", ids("before", 200))
    await settled(process, sinks, sender)
    process.terminate()
    database = process.folder / "data" / "gateway.db"
    whole = database.read_bytes()
    kept = whole[: from_page * 4096]
    database.write_bytes(kept + b"\xa5" * (len(whole) - len(kept)))
    ended = await asyncio.to_thread(process.run, "serve", "--listen", "127.0.0.1:0")
    assert ended.returncode == 78, ended.stderr
    assert "restore a backup" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert database.stat().st_size == len(whole)


# -- few descriptors -------------------------------------------------------------------------------


async def test_few_descriptors_are_told_of_and_everything_recovers(process, sender, sinks):
    process.before = ("sh", "-c", 'ulimit -n 128; exec "$0" "$@"')
    process.start()
    process.said("few file descriptors")
    await sender.flow(f"{process.url}/in/getty", ids("before", 20))
    host, port = process.public.split(":")
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
    await until_ready(process)
    await sender.flow(f"{process.url}/in/getty", ids("after", 20))
    await settled(process, sinks, sender)
    assert max(sinks["cms"].taken.values()) == 1
