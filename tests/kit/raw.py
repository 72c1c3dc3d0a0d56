"""A server that says exactly what it is told to, byte for byte, over a real socket."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Say = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Where it is, and what it was sent."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/hook"


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request, its body included."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return head + await reader.readexactly(int(value))
    return head


@asynccontextmanager
async def raw_server(say: Say, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """A server that answers each connection by *say*; closed, with its connections, in the end."""
    server = RawServer()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await say(_Recording(reader, server, server.connections), writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Recording:
    """A reader that notes whole requests; `number` says the how manieth connection it reads."""

    def __init__(self, reader: asyncio.StreamReader, server: RawServer, number: int) -> None:
        self._reader = reader
        self._server = server
        self.number = number

    async def request(self) -> bytes:
        request = await read_request(self._reader)
        self._server.requests.append(request)
        return request

    async def head(self) -> None:
        """Read a request's head, and leave its body where it is."""
        await self._reader.readuntil(b"\r\n\r\n")

    async def some(self) -> bytes:
        """Read whatever comes next; nothing at the end."""
        return await self._reader.read(1024)


def answers(*answers: bytes) -> Say:
    """Answer one request after the other with these bytes, then close."""

    async def say(reader, writer):
        for answer in answers:
            await reader.request()
            writer.write(answer)
            await writer.drain()

    return say
