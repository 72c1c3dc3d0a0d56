"""The other side of the wire, fast enough not to be the limit: a load and a receiver on uvloop.

Both speak just enough HTTP/1.1 for what they meet here: requests and answers with a content-length.
"""

import asyncio
import time
from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def _length(head: bytes) -> int:
    """The content-length in a head."""
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 : head.find(b"\r\n", at)]) if at >= 0 else 0


class _Messages(asyncio.Protocol):
    """Cuts what arrives into messages, and counts their bytes."""

    def __init__(self) -> None:
        self._buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            total = end + 4 + _length(self._buffer[: end + 2])
            if len(self._buffer) < total:
                return
            message, self._buffer = self._buffer[:total], self._buffer[total:]
            self.message(message)

    def message(self, message: bytes) -> None:
        raise NotImplementedError


class Receiver(_Messages):
    """Answers 200 to everything."""

    def __init__(self, received: Callable[[bytes], None]) -> None:
        super().__init__()
        self._received = received

    def message(self, message: bytes) -> None:
        self.transport.write(OK)
        self._received(message)


class _Sender(_Messages):
    """One connection that sends its next request when it has the answer to the last."""

    def __init__(self, load: "Load") -> None:
        super().__init__()
        self._load = load
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.next()

    def message(self, message: bytes) -> None:
        self._load.answered(message[9:12], time.perf_counter() - self._sent_at)
        self.next()

    def next(self) -> None:
        request = self._load.next(self)
        if request is not None:
            self._sent_at = time.perf_counter()
            self.transport.write(request)


class Load:
    """Sends every request once, over so many connections, at most *window* ahead of `finished`."""

    def __init__(self, requests: list[bytes], window: int) -> None:
        self._requests: Iterator[bytes] = iter(requests)
        self._total = len(requests)
        self._window = window
        self._held: list[_Sender] = []
        self.sent = 0
        self.finished = 0
        self.statuses: dict[str, int] = {}
        self.latencies: list[float] = []
        self.all_answered = asyncio.Event()

    async def run(self, port: int, connections: int) -> None:
        """Send them all, and wait for every answer."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(lambda: _Sender(self), "127.0.0.1", port)
        await self.all_answered.wait()

    def next(self, sender: _Sender) -> bytes | None:
        """The next request, unless too many are unfinished: then the sender waits."""
        if self.sent - self.finished >= self._window:
            self._held.append(sender)
            return None
        request = next(self._requests, None)
        if request is not None:
            self.sent += 1
        return request

    def finish(self, count: float) -> None:
        """So much more of the work behind the requests has been done."""
        self.finished += count  # type: ignore[assignment]
        while self._held and self.sent - self.finished < self._window:
            self._held.pop().next()

    def answered(self, status: bytes, seconds: float) -> None:
        """Note an answer."""
        name = status.decode()
        self.statuses[name] = self.statuses.get(name, 0) + 1
        self.latencies.append(seconds)
        if len(self.latencies) == self._total:
            self.all_answered.set()
