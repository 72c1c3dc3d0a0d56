"""What lies between a client and a server: a relay that can go silent, or slow."""

import asyncio
import contextlib
from typing import Self

from tests.kit.steps import moment

CHUNK_BYTES = 64 * 1024


class Relay:
    """Passes on what comes, both ways, on loopback.

    While it is silent nothing arrives any more, in either direction and on connections new and old, and
    nobody is told so. What was said meanwhile arrives when that is over, as from a network that heals.
    """

    def __init__(self, port: int) -> None:
        self._beyond = port
        self.delay = 0.0
        """Seconds for which each piece is held back."""
        self._passes = asyncio.Event()
        self._passes.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def silence(self) -> None:
        """Let nothing through."""
        self._passes.clear()

    def heal(self) -> None:
        """Let through what comes, and what has come."""
        self._passes.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            await self._passes.wait()
            there, beyond = await asyncio.open_connection("127.0.0.1", self._beyond)
            with contextlib.closing(beyond):
                ways = self._pass_on(reader, beyond), self._pass_on(there, writer)
                _, left = await asyncio.wait(
                    [asyncio.create_task(way) for way in ways],
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for each in left:
                    each.cancel()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(CHUNK_BYTES):
                if self.delay:
                    await moment(self.delay)
                await self._passes.wait()
                writer.write(piece)
                await writer.drain()
