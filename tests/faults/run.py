"""A gateway that things happen to: its process, who posts to it, its endpoints, and what they noted."""

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TextIO

import aiohttp

from gateway.core.model import SECOND
from tests.faults.checker import Evidence, Span, broken
from tests.faults.kept import Database, is_due
from tests.kit.process import GatewayProcess
from tests.kit.sink import Arrival, SignedSender, Sinks, now
from tests.kit.steps import moment

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
MIB = 1024 * 1024
SCHEDULE = (0.1, 0.5, 1, 2, 4, 8)
MOST_BYTES = 256 * MIB
WORKERS = 32
"""Connections that a load is posted over."""


def _processor_seconds(pid: int) -> float:
    """What a process has had of the processors: the same on a busy machine as on an idle one."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


SOON = 60 * SECOND
"""Longer than any delay of the schedules here."""


class Scene:
    """Who posts, and where it goes: what holds for one gateway and for several on one database."""

    database: Database
    """Where what they keep can be read past them."""

    def __init__(self, folder: Path, log: TextIO, sinks: Sinks, dice: random.Random) -> None:
        self.folder = folder
        self.sinks = sinks
        self.dice = dice
        self.sender = SignedSender(SECRET, log)
        self.urls = {name: f"{sinks.url}/{name}" for name in sinks.by_name}
        self.keys: dict[str, list[str]] = {}
        """What else the file says of an endpoint, line by line."""
        self.schedule = SCHEDULE
        self.timeout = "3s"
        self.timeouts: dict[str, str] = {}
        """Of endpoints that have another."""
        self.unable: list[Span] = []
        self.most_bytes = MOST_BYTES
        self.interruptions: list[Span] = []
        self._ready_seconds: list[float] = []
        self._peak_bytes = 0
        self._serial = 0

    @property
    def ingest(self) -> str:
        """Where the next event is posted."""
        raise NotImplementedError

    @property
    def alive(self) -> bool:
        """Whether anyone takes events."""
        raise NotImplementedError

    def weigh(self) -> int:
        """Look at how much memory was had at most; bytes that are had now."""
        raise NotImplementedError

    def weigh_process(self, pid: int) -> int:
        """The same of one process; none where it has just ended."""
        status = Path(f"/proc/{pid}/status").read_text()
        found = dict(re.findall(r"(VmHWM|VmRSS):\s+(\d+) kB", status))
        peak, present = (int(found.get(name, 0)) * 1024 for name in ("VmHWM", "VmRSS"))
        self._peak_bytes = max(self._peak_bytes, peak)
        return present

    def note_start(self, pid: int) -> None:
        """A process has just begun to serve."""
        self._ready_seconds.append(_processor_seconds(pid))

    def write_routes(self) -> None:
        """A file by which every event goes to every endpoint."""
        schedule = ", ".join(f"{round(wait * 1000)}ms" for wait in self.schedule)
        lines = [
            "version: 1",
            "sources: {getty: {verify: {preset: standard-webhooks, secrets: [{env: SHARED}]}}}",
            "endpoints:",
        ]
        for name, url in self.urls.items():
            lines += [
                f"  {name}:",
                f"    url: {url}",
                "    sign: {secrets: [{env: SHARED}]}",
                f"    retry: {{schedule: [{schedule}]}}",
                f"    timeout: {self.timeouts.get(name, self.timeout)}",
                *(f"    {line}" for line in self.keys.get(name, [])),
            ]
        to = ", ".join(self.urls)
        lines += [f"routes: [{{name: all, match: {{type: license.expiring}}, to: [{to}]}}]"]
        (self.folder / "routes.yaml").write_text("\n".join(lines) + "\n")

    # -- events ------------------------------------------------------------------------------------

    def ids(self, count: int) -> list[str]:
        """So many ids that never were."""
        first, self._serial = self._serial, self._serial + count
        return [f"e-{serial}" for serial in range(first, self._serial)]

    async def post(self, count: int, workers: int = 8) -> list[str]:
        """Post so many events until each is acknowledged; their ids."""
        posted = self.ids(count)
        await self.sender.flow(self.ingest, posted, workers)
        return posted

    async def refusal(self) -> tuple[int, str]:
        """How a post that is not taken is answered: status and code."""
        answers: list[tuple[int, str]] = []

        async def note(_session: Any, _context: Any, ended: Any) -> None:
            problem = await ended.response.json(content_type=None)
            answers.append((ended.response.status, problem["code"]))

        tracing = aiohttp.TraceConfig()
        tracing.on_request_end.append(note)
        async with aiohttp.ClientSession(trace_configs=[tracing]) as session:
            assert not await self.sender.post(session, self.ingest, *self.ids(1))
        return answers[0]

    @contextlib.asynccontextmanager
    async def load(self, rate: float) -> AsyncIterator[None]:
        """While it lasts, post so many events a second, whatever becomes of the gateway.

        Half of the senders try again until they hear that their event is kept, the other half give up:
        of their events some are kept, and nobody knows which.
        """
        over = asyncio.Event()
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            workers = [
                asyncio.create_task(self._work(session, WORKERS / rate, over, patient=i % 2 == 0))
                for i in range(WORKERS)
            ]
            try:
                yield
            finally:
                over.set()
                await asyncio.gather(*workers)

    async def _work(
        self, session: aiohttp.ClientSession, every: float, over: asyncio.Event, *, patient: bool
    ) -> None:
        due = time.monotonic() + self.dice.uniform(0, every)
        while not over.is_set():
            await moment(max(0, due - time.monotonic()))
            due = max(due + every, time.monotonic())
            (event,) = self.ids(1)
            while not await self.sender.post(session, self.ingest, event) and patient:
                if over.is_set() and not self.alive:
                    return
                await moment(0.05)

    @property
    def arrivals(self) -> list[Arrival]:
        """What the endpoints have noted."""
        return [each for sink in self.sinks.by_name.values() for each in sink.arrivals]

    # -- the end --------------------------------------------------------------------------------------

    async def drained(self) -> None:
        """Wait until no attempt is under way, and none is due soon."""
        while await asyncio.to_thread(is_due, self.database, now() + SOON):
            await moment(0.1)

    def _summary(self) -> str:
        arrived = sum(len(sink.arrivals) for sink in self.sinks.by_name.values())
        slowest = max(self._ready_seconds, default=0)
        return (
            f"{len(self.sender.posted)} posted, {len(self.sender.acked)} acknowledged, {arrived} arrivals,"
            f" {len(self.interruptions)} interruptions, slowest start {slowest:.1f} s,"
            f" peak {self._peak_bytes // MIB} MiB"
        )

    def broken(self) -> list[str]:
        """The promises that were not kept until now."""
        if self.alive:
            self.weigh()
        evidence = Evidence(
            database=self.database,
            posted=self.sender.posted,
            acks=self.sender.acks,
            arrivals=self.arrivals,
            endpoints=frozenset(self.urls),
            silent=frozenset(self.urls.keys() - self.sinks.by_name.keys()),
            schedule=self.schedule,
            ended_at=now(),
            interruptions=self.interruptions,
            unable=self.unable,
            ready_seconds=self._ready_seconds,
            peak_bytes=self._peak_bytes,
            most_bytes=self.most_bytes,
        )
        return broken(evidence)

    def check(self) -> None:
        """Every promise was kept, to the end of this run."""
        found = self.broken()
        print(self._summary())  # noqa: T201  # pytest shows it with -s, and where a promise was broken
        assert not found, "\n".join(found)
        assert self.sender.acked, "nothing was acknowledged: nothing was tested"


class Run(Scene):
    """One gateway, started as often as its test likes; `check` holds it to every promise."""

    def __init__(self, folder: Path, log: TextIO, sinks: Sinks, dice: random.Random) -> None:
        super().__init__(folder, log, sinks, dice)
        self.database = folder / "data" / "gateway.db"
        self.pid = 0
        self._ends: list[int] = []
        """Of processes after which none has served yet."""
        environment = {"SHARED": SECRET, "GATEWAY_BALLAST": "1MiB", "GATEWAY_DISK_RESERVE": "1MiB"}
        self.process = GatewayProcess(folder, "--grace", "5s", environment=environment)

    @property
    def ingest(self) -> str:
        """Where events are posted."""
        return f"{self.process.url}/in/getty"

    # -- its life ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the gateway, and return when it serves."""
        if not (self.folder / "routes.yaml").exists():
            self.write_routes()
        await asyncio.to_thread(self.process.start)
        self.pid = self.process.pid
        self.note_start(self.pid)
        self.interruptions += [(ended_at, now()) for ended_at in self._ends]
        self._ends.clear()

    async def start_doomed(self) -> None:
        """Start the gateway, though it may end before it serves; return when it has ended."""
        with contextlib.suppress(AssertionError):
            await self.start()
        await self.ended()

    async def ended(self, seconds: float = 20) -> int:
        """Wait until the process has ended by itself, or by what was done to it; its exit code."""
        self._ends.append(now())  # at the earliest
        assert self.process.child is not None
        code = await asyncio.to_thread(self.process.child.wait, seconds)
        await asyncio.to_thread(self.process._wait)
        return code

    async def kill(self) -> None:
        """kill -9."""
        self.weigh()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await self.ended()

    async def terminate(self) -> int:
        """Ask it to end, and wait until it has; its exit code."""
        self.weigh()
        return await asyncio.to_thread(self.process.terminate)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.child is not None and self.process.child.poll() is None

    # -- its end -----------------------------------------------------------------------------------

    async def until_ready(self, status: int = 200) -> None:
        """Wait until its health check answers so."""
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{self.process.url}/readyz") as got:
                    if got.status == status:
                        return
                await moment(0.05)

    def weigh(self) -> int:
        """Look at how much memory it has had at most; bytes that it has now, none where it has just ended."""
        return self.weigh_process(self.pid)
