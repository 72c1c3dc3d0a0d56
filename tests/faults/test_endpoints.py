"""Endpoints misbehave, all at once, and the others get everything as if nothing was."""

import asyncio
import contextlib
import gzip
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.processes import free_port
from tests.faults.chance import SECONDS
from tests.faults.run import MIB, Run
from tests.kit.authority import CertificateAuthority
from tests.kit.raw import Say, raw_server
from tests.kit.steps import hang, hear, hear_some, moment, say, script
from tests.sender.behaviours import HTTP, head

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS)]

EVENTS = 20
GIB = 1024 * MIB


def squeezed(size_bytes: int) -> bytes:
    """So many zeros, as gzip writes them."""
    packer, block = gzip.zlib.compressobj(9, wbits=31), b"\0" * MIB
    return b"".join(packer.compress(block) for _ in range(size_bytes // MIB)) + packer.flush()


async def a_gibibyte(_reader, writer):
    writer.write(head(b"content-length: %d" % GIB))
    for _ in range(GIB // MIB):
        writer.write(b"\0" * MIB)
        await writer.drain()


def later(value: bytes) -> Say:
    """429, and for how long."""
    answer = head(b"retry-after: " + value, b"content-length: 0", status=b"429 Too Many Requests")
    return script(hear, say(answer), hang)


def worse() -> dict[str, Say]:
    """What a gateway meets beyond the contract of a sender."""
    bomb = squeezed(GIB // 4)
    bomb_head = head(b"content-encoding: gzip", b"content-length: %d" % len(bomb))
    return {
        "a GiB": script(hear, a_gibibyte),
        "a bomb": script(hear, say(bomb_head + bomb), hang),
        "a loop": script(hear, say(head(b"location: /hook", b"content-length: 0", status=b"302 X")), hang),
        "gone": script(hear, say(head(b"content-length: 0", status=b"410 Gone")), hang),
        "later": later(b"1"),
        "a date": later(b"Fri, 31 Dec 2099 23:59:59 GMT"),
        "a year": later(b"31536000"),
        "garbage": later(b"soon, \xff"),
    }  # fmt: skip


@contextlib.asynccontextmanager
async def beside(run: Run, says: dict[str, Say]) -> AsyncIterator[None]:
    """Have an endpoint of each kind beside the good ones."""
    async with contextlib.AsyncExitStack() as stack:
        for i, say_so in enumerate(says.values()):
            server = await stack.enter_async_context(raw_server(say_so))
            add(run, f"bad-{i}", server.url())
        yield


def add(run: Run, name: str, url: str, *keys: str, timeout: str = "1s") -> None:
    """Send everything there too; without a breaker, which would hold it off.

    The good ones have more time: what all of these cost is not to make them late.
    """
    run.urls[name], run.timeouts[name] = url, timeout
    run.keys[name] = ["breaker: off", *keys]


async def all_told(run: Run) -> None:
    """Every event to every endpoint, to its end; the good ones took each of them once."""
    await run.start()
    await run.post(EVENTS)
    await run.drained()
    run.check()
    for name in ("cms", "pager"):
        assert dict(run.sinks[name].taken) == dict.fromkeys(run.sender.acked, 1)
    assert (await run.terminate()) == 0


@pytest.fixture
def impatient(run: Run) -> Run:
    run.schedule, run.timeout = (0.1, 0.2), "15s"
    return run


async def test_whatever_endpoints_answer_breaks_no_promise(impatient: Run, rounds):
    plain = {each.name: each.does for each in HTTP if not each.call.keys() - {"seconds"}}
    some = plain if rounds else dict(impatient.dice.sample(sorted(plain.items()), 30))
    async with beside(impatient, {**some, **worse()}):
        add(impatient, "refused", f"http://127.0.0.1:{free_port()}/hook")
        await all_told(impatient)


async def test_whatever_certificates_endpoints_show_breaks_no_promise(
    impatient: Run, tmp_path: Path
):
    ours = CertificateAuthority(tmp_path / "ours")
    trusted = f"tls: {{ca: {{file: {ours.path}}}}}"
    answer = script(hear, say(head(b"content-length: 0")))
    past = datetime(2021, 1, 1, tzinfo=UTC)
    async with (
        raw_server(answer, ours.server(until=past)) as expired,
        raw_server(answer, ours.server()) as good,
        raw_server(script(hear_some, say(b"HTTP/1.1 400 X\r\n\r\n"))) as plain,
    ):
        add(impatient, "expired", expired.url("https"), trusted)
        add(impatient, "stranger", good.url("https"))
        add(impatient, "other-host", good.url("https").replace("127.0.0.1", "localhost"), trusted)
        add(impatient, "no-tls", plain.url("https"))
        await all_told(impatient)
        assert good.requests == expired.requests == plain.requests == []


async def test_an_endpoint_that_hangs_slows_no_other(run: Run):
    """The good endpoints' speed beside one that hangs, and beside the same one paused, in one run.

    The load is one that the machine can bear: attempts cost their share of a processor, also those that
    fail, and where there is no more of it every delivery takes longer.
    """
    run.schedule, run.timeout = (0.1, 0.2), "300ms"
    async with raw_server(hang) as bad:
        add(run, "bad", bad.url(), timeout=run.timeout)
        await run.start()
        speeds: dict[str, float] = {}
        async with run.load(100):
            for command in ("pause", "resume"):
                await order(run, command)
                speeds[command] = await speed(run)
        assert speeds["resume"] >= 0.9 * speeds["pause"], speeds
        await order(run, "pause")  # what is left for it would take minutes
        await run.drained()
        run.check()


async def order(run: Run, command: str) -> None:
    done = await asyncio.to_thread(run.process.run, command, "bad")
    assert done.returncode == 0, done.stderr


async def speed(run: Run) -> float:
    """Deliveries a second that a good endpoint takes."""
    began, before = time.monotonic(), len(run.sinks["cms"].arrivals)
    await moment(5)
    return (len(run.sinks["cms"].arrivals) - before) / (time.monotonic() - began)
