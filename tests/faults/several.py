"""Several gateways on one PostgreSQL that things happen to; events are posted to any of them that is there."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TextIO, TypeAlias

import aiohttp
from aiohttp import web

from gateway.core.model import SECOND, Micros
from gateway.core.postgres_url import PostgresUrl
from tests.faults.run import SECRET, Scene
from tests.kit.process import GatewayProcess
from tests.kit.sink import Sinks, now
from tests.kit.steps import moment

Receive: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

REFUSED_WITHIN = 5.5
"""Seconds within which a sender hears that its event is not taken: five, and what a busy machine adds."""


class Node(GatewayProcess):
    """One of them, in a folder of its own; what it sends says so."""

    def __init__(self, folder: Path, name: str, url: PostgresUrl, urls: dict[str, str]) -> None:
        (folder / name).mkdir(parents=True)
        places = {f"URL_{each.upper()}": f"{at}?node={name}" for each, at in urls.items()}
        environment = {"SHARED": SECRET, **places}
        super().__init__(
            folder / name, "--grace", "5s", "--database", url.text, environment=environment
        )
        self.name = name
        self.is_away = False
        """Whether a load balancer would have noticed that it does not answer."""

    @property
    def ingest(self) -> str:
        """Where events are posted to it."""
        return f"{self.url}/in/getty"

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.child is not None and self.child.poll() is None


class Several(Scene):
    """All of them; `check` holds them together to every promise."""

    def __init__(
        self, folder: Path, log: TextIO, sinks: Sinks, dice: random.Random, url: PostgresUrl
    ) -> None:
        super().__init__(folder, log, sinks, dice)
        self.database = url
        self._places = self.urls
        self.urls = {name: f"{{env: URL_{name.upper()}}}" for name in self._places}
        self.nodes: list[Node] = []
        self.under_way: Counter[str] = Counter()
        """Of each node, how many requests are at endpoints that answer slowly."""

    def add(self, count: int = 1, url: PostgresUrl | None = None) -> list[Node]:
        """So many more, which find the database at *url*."""
        first = len(self.nodes)
        self.nodes += [
            Node(self.folder, f"n{first + i}", url or self.database, self._places)
            for i in range(count)
        ]
        return self.nodes[first:]

    @property
    def ingest(self) -> str:
        """Where the next event is posted: to any that is there."""
        there = [node for node in self.nodes if node.alive and not node.is_away]
        return self.dice.choice(there or self.nodes).ingest

    @property
    def alive(self) -> bool:
        """Whether any is there."""
        return any(node.alive and not node.is_away for node in self.nodes)

    # -- their lives -------------------------------------------------------------------------------

    async def start(self, *nodes: Node) -> None:
        """Start these, or all, and return when they serve."""
        self.write_routes()
        routes = (self.folder / "routes.yaml").read_text()
        chosen = nodes or self.nodes
        for node in chosen:
            (node.folder / "routes.yaml").write_text(routes)
        await asyncio.gather(*(asyncio.to_thread(node.start) for node in chosen))
        for node in chosen:
            self.note_start(node.pid)

    async def kill(self, node: Node) -> None:
        """kill -9: what it had under way is attempted again, once its leases have ended."""
        self.weigh()
        os.kill(node.pid, signal.SIGKILL)
        await asyncio.to_thread(node._wait)
        self.interrupted(now())

    async def terminate(self, node: Node) -> int:
        """Ask one to end, and wait until it has; its exit code."""
        self.weigh()
        return await asyncio.to_thread(node.terminate)

    def interrupted(self, since: Micros) -> None:
        """From then on until now attempts were cut off, or could not be recorded."""
        self.interruptions.append((since, now() + SECOND))

    def weigh(self) -> int:
        """Look at how much memory any of them has had at most; bytes that they have together now."""
        return sum(self.weigh_process(node.pid) for node in self.nodes if node.alive)

    def stop(self) -> None:
        """End them all."""
        for node in self.nodes:
            with contextlib.suppress(ProcessLookupError):
                if node.alive:
                    os.kill(node.pid, signal.SIGCONT)
            node.stop()

    async def answer_slowly(self, receive: Receive, request: web.BaseRequest) -> web.StreamResponse:
        """As an endpoint, take some time before anything is noted or answered."""
        node = request.query["node"]
        self.under_way[node] += 1
        try:
            await moment(self.dice.uniform(0.02, 0.1))
        finally:
            self.under_way[node] -= 1
        return await receive(request)

    async def has_under_way(self, node: Node) -> None:
        """Wait until one has attempts under way at endpoints that answer slowly."""
        while not self.under_way[node.name]:
            await moment(0.01)

    async def taken_over(self, node: Node, since: Micros) -> None:
        """Wait until others have made again what one had under way then."""

        def made(*, by_it: bool) -> set[str]:
            found = (each for each in self.arrivals if (each.node == node.name) is by_it)
            return {each.delivery for each in found if each.at > since}

        while not made(by_it=True) & made(by_it=False):
            await moment(0.1)

    # -- what they say -----------------------------------------------------------------------------

    async def until_ready(self, status: int = 200, nodes: Iterable[Node] = ()) -> None:
        """Wait until health checks answer so, of all that run."""
        chosen = list(nodes) or [node for node in self.nodes if node.alive]
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for node in chosen:
                while await _status(session, f"{node.url}/readyz") != status:
                    await moment(0.05)

    async def answer(self, node: Node) -> tuple[int, float, str | None]:
        """How one answers a post: status, seconds, `Retry-After`."""
        (event,) = self.ids(1)
        seen: list[tuple[int, str | None]] = []

        async def note(_session: object, _context: object, ended: object) -> None:
            response = ended.response
            seen.append((response.status, response.headers.get("retry-after")))

        tracing = aiohttp.TraceConfig()
        tracing.on_request_end.append(note)
        began = now()
        async with aiohttp.ClientSession(trace_configs=[tracing]) as session:
            await self.sender.post(session, node.ingest, event)
        status, retry_after = seen[0] if seen else (0, None)
        return status, (now() - began) / SECOND, retry_after


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(url) as got:
            return got.status
    return 0
