"""One connection of the lean sender: a request out, an answer back, one after the other (RFC 9112).

What arrives is read by httptools, which is llhttp, the parser of Node.js. What it does not ask is asked
here: how long a head and a body may be, whether something stands behind an answer, and what an end of
the connection means at each moment.
"""

import asyncio
import re
import select

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.core.model import Accepted, Call, Outcome, Refused, Response, Unreachable
from gateway.sender.limits import LONGEST_ANSWER, LONGEST_HEAD, LONGEST_RESPONSE
from gateway.sender.reasons import (
    CONNECTION_LOST,
    RESPONSE_BROKEN,
    RESPONSE_MALFORMED,
    TIMEOUT,
    with_cure,
)

SWITCHING_PROTOCOLS = 101
LARGE_BODY_BYTES = 16 * 1024
"""What is longer is not copied to stand behind its head."""

MOST_HEADERS = 128

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

CLOSED = "the server closed the connection"


class _Ended(Exception):
    """Ends the parser's work: what comes is not to be read."""


class Answer:
    """An answer as far as it has come; the parser tells it what it reads."""

    __slots__ = (
        "_chunks", "_fault", "_head_only", "_headers_left", "_interim", "_length", "_parser",
        "headers", "heard", "keeps", "status", "whole",
    )  # fmt: skip

    def __init__(self, *, head_only: bool) -> None:
        self._parser = HttpResponseParser(self)
        # Lines that end with a bare line feed, or go on in the next: who receives an answer is to take
        # them (RFC 9112 §2.2, §5.2). `on_header` asks what the parser then does not.
        self._parser.set_dangerous_leniencies(
            lenient_optional_cr_before_lf=True, lenient_headers=True
        )
        self._head_only = head_only
        """Whether it has no body whatever its head says: that to HEAD."""
        self._chunks: list[bytes] = []
        self._length = 0
        self._interim = False
        self._headers_left = MOST_HEADERS
        self._fault = ""
        """What is wrong with it, where the parser does not say."""
        self.heard = 0
        """Bytes of it, and of interim answers before it."""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.whole = False
        self.keeps = False
        """Whether the connection may be used again."""

    @property
    def has_head(self) -> bool:
        """Whether its head is whole."""
        return self.status > 0

    @property
    def enough(self) -> bool:
        """Whether all of it that is wanted is here."""
        return self.whole or self._length > LONGEST_RESPONSE

    @property
    def lasts_to_the_end(self) -> bool:
        """Whether its body ends with the connection (RFC 9112 §6.3, 8)."""
        chunked = self.headers.get("transfer-encoding", "").lower().endswith("chunked")
        return not chunked and "content-length" not in self.headers

    @property
    def body(self) -> bytes:
        """Its body, or the start of one that is too long."""
        return b"".join(self._chunks)[:LONGEST_RESPONSE]

    def outcome(self) -> Outcome:
        """What it says: a 2xx is a success."""
        response = Response(status=self.status, headers=self.headers, body=self.body)
        return Accepted(response) if response.ok else Refused(response)

    def let_go(self) -> None:
        """Let go of the parser, which holds on to this: else both would wait for the cycle collector."""
        del self._parser

    def feed(self, data: bytes) -> str:
        """Read on: what is wrong with it, if something is."""
        most = LONGEST_ANSWER if self.has_head else LONGEST_HEAD
        room = most - self.heard
        fault = self._feed(data[:room])
        if fault or self.enough or len(data) <= room:
            return fault
        if most == LONGEST_HEAD and self.has_head:
            return self.feed(data[room:])
        return "the answer has no end" if self.has_head else "the head of the answer has no end"

    def _feed(self, data: bytes) -> str:
        self.heard += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            pass
        except HttpParserError as error:
            if not self.whole:
                return self._fault or str(error)
            self.keeps = False
        return ""

    # -- what the parser tells ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a head: an interim one may have been before it, but no answer."""
        if self.whole:
            raise _Ended
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header: of a repeated one, the last."""
        text = value.decode("utf-8", "surrogateescape").strip(" \t")
        self._headers_left -= 1
        if self._headers_left < 0:
            self._reject("the answer has too many headers")
        if not text.isprintable() and _CONTROL.search(text):
            self._reject("a header of the answer holds a control character")
        self.headers[name.lower().decode("latin-1")] = text

    def _reject(self, fault: str) -> None:
        self._fault = fault
        raise _Ended

    def on_headers_complete(self) -> None:
        """End a head: that of the answer, or an interim one."""
        status = self._parser.get_status_code()
        self._interim = status < 200 and status != SWITCHING_PROTOCOLS
        if not self._interim:
            self.status = status
            self.whole = self._head_only

    def on_body(self, data: bytes) -> None:
        """Note a piece of the body, as long as it is wanted."""
        if not self.enough:
            self._chunks.append(data)
            self._length += len(data)

    def on_message_complete(self) -> None:
        """Be whole, unless it was an interim one."""
        if not self._interim and not self.whole:
            self.whole = True
            self.keeps = self._parser.should_keep_alive()


class Connection(asyncio.Protocol):
    """One connection, with one request at a time on it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        """None until it is connected, and after its end."""
        self._answer: Answer | None = None
        """To the request that is under way, if one is."""
        self._told: asyncio.Future[Outcome] | None = None
        """What comes of it."""
        self._early = b""
        """What came before the first request had been written."""
        self._poll: select.poll | None = None
        """Asks about the socket; made when it is first used again."""
        self._begun = 0
        """How many requests were, the present one included."""
        self.is_stale = False
        """Whether it was kept for its last request, and ended without a byte of an answer."""
        self.kept_at = 0.0
        """When it was last put aside, by the loop's clock."""

    async def exchange(self, head: bytes, call: Call, seconds: float) -> Outcome:
        """Send *call*, whose *head* is given as it is written, and wait so long at most for what comes of it.

        Afterwards the connection is closed, unless `is_open` says that it may be used again.
        """
        self._begun += 1
        transport = self._transport
        if transport is None or transport.is_closing():
            self.is_stale = self._begun > 1
            return Unreachable(CONNECTION_LOST, CLOSED)
        self._answer = Answer(head_only=call.method == "HEAD")
        told: asyncio.Future[Outcome] = self._loop.create_future()
        self._told = told
        timer = self._loop.call_later(seconds, self._time_is_over)
        body = call.body
        if len(body) > LARGE_BODY_BYTES:
            transport.writelines((head, body))
        else:
            transport.write(head + body)
        if self._early:
            self.data_received(self._early)
        try:
            return await told
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            timer.cancel()

    @property
    def is_open(self) -> bool:
        """Whether another request may go out on it."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def _is_sending(self) -> bool:
        """Whether something of a request has not gone out yet."""
        return self._transport is not None and bool(self._transport.get_write_buffer_size())

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer: no bytes that nobody asked for, no end."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def close(self) -> None:
        """End; at once where something of a request has not gone out yet."""
        transport = self._transport
        if transport is None:
            return
        if self._is_sending:
            transport.abort()
        else:
            transport.close()

    # -- what the event loop tells -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be connected."""
        self._transport = transport  # type: ignore[assignment]  # asyncio's own types say no more

    def data_received(self, data: bytes) -> None:
        """Read on in the answer."""
        answer = self._answer
        if answer is None:
            if self._begun:
                self.close()  # nobody has asked for this
            else:
                self._early += data
            return
        fault = answer.feed(data)
        if answer.enough:
            self._end(answer.outcome())
            if not answer.keeps or self._is_sending:
                self.close()
        elif fault:
            self._fail(RESPONSE_BROKEN if answer.has_head else RESPONSE_MALFORMED, fault)

    def eof_received(self) -> bool:
        """Take the end of what the server says as that of the connection, what it was to hear too."""
        self.close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Be cut off: only an answer that lasts to the end of its connection is whole now."""
        self._transport = None
        answer = self._answer
        if answer is None:
            return
        told = with_cure(str(exc) or type(exc).__name__, exc) if exc else CLOSED
        if not answer.has_head:
            self.is_stale = self._begun > 1 and not answer.heard
            self._end(Unreachable(CONNECTION_LOST, told))
        elif answer.lasts_to_the_end and exc is None:
            self._end(answer.outcome())
        else:
            self._end(Unreachable(RESPONSE_BROKEN, f"the body broke off: {told}"))

    # -- the end of an exchange --------------------------------------------------------------------

    def _time_is_over(self) -> None:
        self._fail(TIMEOUT, "no whole answer came in time")

    def _fail(self, reason: str, detail: str) -> None:
        self._end(Unreachable(reason, detail))
        self.close()

    def _end(self, outcome: Outcome) -> None:
        if self._answer is not None:
            self._answer.let_go()
            self._answer = None
        if self._told is not None and not self._told.done():
            self._told.set_result(outcome)
