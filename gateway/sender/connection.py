"""Connections that aiohttp keeps, and what it would not notice on them.

It takes whatever arrives on a kept connection between two requests as the answer to the second; it
reads heads, and what stands between the chunks of a body, without an end; it forgets an answer that has
something behind it in the same segment, and a body that it could not read on with. Each of these is a
server that can mislead or hold us, so all of it is mended here, at the bytes.
"""

import asyncio
import re
import select
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

from gateway.sender.limits import IDLE_SECONDS, LONGEST_ANSWER, LONGEST_HEAD

_END_OF_HEAD = re.compile(rb"\n\r?\n")


class Connection(ResponseHandler):
    """One connection, with one request at a time on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.begun = 0
        """How many requests were, the present one included."""
        self.heard = 0
        """Bytes that came since the request began."""
        self.more_bytes = 0
        """So many more than LONGEST_ANSWER may come: the request asked for a long answer."""
        self._answered = False
        """Whether the head of the answer is whole."""
        self._poll: select.poll | None = None
        """Asks about the socket; made when it is first used again."""

    @property
    def is_stale(self) -> bool:
        """Whether it was kept for this request, which then got not a byte of an answer."""
        return self.begun > 1 and self.heard == 0

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer: no bytes that nobody asked for, no end."""
        return not (self.should_close or self._has_begun_another_answer() or self._is_readable())

    def begin(self) -> None:
        """From here on, what comes is the answer to the next request."""
        self.begun += 1
        self.heard = 0
        self._answered = False

    def data_received(self, data: bytes) -> None:
        """Pass on what belongs to the answer: head by head, then the body."""
        # Before the first request begins, what comes is kept for it; no data are aiohttp's way to say
        # that there is room for what it has not parsed yet.
        if self._parser is None or not data:
            super().data_received(data)
            return
        at = 0
        while at < len(data) and not self._answered and self._exception is None:
            # A head is passed on alone. aiohttp drops what it has read of a segment that it cannot
            # read to its end, so an answer would be lost by what some servers write behind it.
            end = _END_OF_HEAD.search(data, at)
            begun, at = at, end.end() if end else len(data)
            self._pass_on(data[begun:at], LONGEST_HEAD, "the head of the answer has no end")
        if at < len(data) and self._exception is None:
            if self._payload is None or self._payload.is_eof():
                self.force_close()  # more than the answer: it is not read, and nothing after it
            else:
                most = LONGEST_ANSWER + self.more_bytes
                self._pass_on(data[at:], most, "the answer has no end")

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take a head that aiohttp has read."""
        message, _ = data
        self._answered = message.code >= 200 or message.code == 101
        super().feed_data(data, size)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Fail, and with it the body that is being read: aiohttp would let its reader wait."""
        super().set_exception(exc, *cause)
        self._break_body(exc)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End. A body that lasts to the end of its connection is whole only if that was a clean one."""
        if exc is not None:
            self._break_body(exc)
        super().connection_lost(exc)

    def _pass_on(self, data: bytes, most: int, otherwise: str) -> None:
        self.heard += len(data)
        if self.heard <= most:
            super().data_received(data)
        else:
            self.set_exception(HttpProcessingError(message=otherwise))
            if self.transport is not None:
                self.transport.close()

    def _break_body(self, error: BaseException) -> None:
        body = self._payload
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError(f"the body broke off: {error}"))

    def _has_begun_another_answer(self) -> bool:
        """Whether the parser, which knows best where an answer ends, was in the midst of another."""
        try:
            return self._parser is None or self._parser.feed_eof() is not None
        except HttpProcessingError:
            return True

    def _is_readable(self) -> bool:
        """Whether something has come that the event loop has not read yet."""
        if self._poll is None:
            if self.transport is None:
                return True
            self._poll = select.poll()
            self._poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))


class Connector(aiohttp.TCPConnector):
    """Keeps connections, and asks of each that a request could have whether it *fits*: a new one does."""

    def __init__(self, fits: Callable[[Connection], bool], **more: Any) -> None:
        super().__init__(keepalive_timeout=IDLE_SECONDS, **more)
        self._fits = fits
        made: type[ResponseHandler] = Connection
        self._factory = partial(made, loop=self._loop)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's
    ) -> aiohttp.connector.Connection:
        """One that fits, on which the request has begun; those that do not are closed."""
        while True:
            taken = await super().connect(req, traces, timeout)
            connection = taken.protocol
            if isinstance(connection, Connection) and self._fits(connection):
                connection.begin()
                return taken
            taken.close()
