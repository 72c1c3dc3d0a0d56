"""Just enough HTTP/1.1, on uvloop Protocols, not to be the limit of what is measured.

Requests and answers have a content-length; nothing else is met here.
"""

import asyncio
from collections.abc import Callable

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BROKEN = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nno"


class Messages(asyncio.Protocol):
    """Cuts what arrives into messages."""

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


class Receiver(Messages):
    """An endpoint for each path: what it answers is looked up when a request comes; None is never."""

    def __init__(
        self, answer: Callable[[bytes], bytes | None], received: Callable[[bytes], None]
    ) -> None:
        super().__init__()
        self._answer = answer
        self._received = received

    def message(self, message: bytes) -> None:
        answer = self._answer(message[5 : message.find(b" ", 5)])
        if answer is OK:
            self._received(message)
        if answer is not None:
            self.transport.write(answer)


def _length(head: bytes) -> int:
    """The content-length in a head."""
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 : head.find(b"\r\n", at)]) if at >= 0 else 0
