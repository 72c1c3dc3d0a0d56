"""One HTTP connection: uvicorn's, made fit for the open internet.

uvicorn parses requests, runs the application and writes its answers. It has no deadline for a head
or a body, takes headers without end, and answers what it cannot parse in plain text. All of that is
here: limits (`Limits` has them), deadlines (`Door` looks after them), and refusals as problem
details, each of which ends its connection, after the answers to the requests before it.

A request is in its *head* from its first byte to the end of its headers, then in its *body* until
that is whole, then unanswered until the application has answered. The parser is llhttp, which by
itself refuses what request smuggling needs: two lengths, a length beside chunks, folded headers,
bare line feeds.
"""

import asyncio
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.core.errors import (
    GatewayError,
    HeadersTooLarge,
    Misdirected,
    Overloaded,
    RequestMalformed,
    RequestTooSlow,
    UrlTooLong,
)
from gateway.web.door import NEVER, Door
from gateway.web.errors import PROBLEM, answer, identified
from gateway.web.hosts import name_in

HEALTH_CHECKS = (b"/livez", b"/readyz")
"""May be asked under any name: load balancers ask by address."""
BESIDE_TEXT = len(b": \r\n")


class Connection(HttpToolsProtocol):
    """A connection of the listener whose limits *door* has."""

    def __init__(self, door: Door, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._door = door
        self.deadline = NEVER
        self.write_by = NEVER
        self._now = 0.0
        self._in_head = False
        self._in_body = False
        self._body_by = NEVER
        self._heard = False
        """Whether the client has sent anything."""
        self._served = False
        """Whether a request of it has begun."""
        self._upgrading = False
        self._unanswered = 0
        self._size = 0
        """Of what is being read now."""
        self._head_bytes = 0
        """At most so large is what has come of the head."""
        self._trailers = 0
        self._trailer_bytes = 0
        self._held = 0
        """Bytes of bodies that it counts for."""
        self._head = b""
        """Of an answer whose body has not begun."""
        self._refusal: GatewayError | None = None
        """What ends it, once the requests before are answered."""
        self._leaving = False

    # -- the connection ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request; refuse it where there are too many."""
        super().connection_made(transport)
        if self.client is not None and self.client[0].startswith("::ffff:"):
            self.client = (self.client[0][7:], self.client[1])  # IPv4, at a socket for both
        self._now = self.loop.time()
        self.deadline = self._now + self._door.limits.head_seconds
        most = self._door.limits.connections
        if len(self.connections) > most and not self._door.make_room(self._watched()):
            refusal = Overloaded("all connections are taken", cure="try again in a moment")
            # `_refuse` tells only of those that have said something.
            self._door.refused(identified(refusal))
            self._refuse(refusal)
            if len(self.connections) > most + self._door.limits.lingering:
                transport.close()

    def _watched(self) -> set["Connection"]:
        return cast("set[Connection]", self.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what it held."""
        self.deadline = self.write_by = NEVER
        self.pipeline.clear()
        self._release()
        super().connection_lost(exc)
        self.cycle = None  # type: ignore[assignment]  # they hold each other, and what was read

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for a truth value
        """Answer what came whole before the client ended its side; else there is nobody to answer."""
        if self._leaving or self._in_head or self._in_body or not self._unanswered:
            return False
        self.cycle.keep_alive = False
        return True

    @property
    def idle(self) -> bool:
        """Whether it is between two requests."""
        return self._served and not (
            self._in_head or self._in_body or self._unanswered or self._leaving
        )

    def expire(self) -> None:
        """Say what took too long, and end."""
        self._now = self.loop.time()
        if self._leaving or self._now >= self.write_by:
            self.transport.abort()
        elif self._in_body:
            cure = "send the body at once, or over a faster line"
            self._refuse(RequestTooSlow("the body did not come in time", cure=cure))
        elif not self.idle:
            cure = "send the headers right after connecting"
            self._refuse(RequestTooSlow("the headers did not come in time", cure=cure))
        else:
            self.leave()

    def shutdown(self) -> None:
        """End it when the gateway does: at once, or after the answer that it waits for."""
        if self._leaving:
            self.transport.close()
        else:
            super().shutdown()

    # -- what comes in -----------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read on; refuse what is no HTTP, and what is more than the limits allow."""
        if self._refusal is not None or self._leaving:
            return
        self._now = self.loop.time()
        self._heard = True
        self._size = len(data)
        was_in_head = self._in_head
        if was_in_head:
            self._head_bytes += self._size
        try:
            self._feed(data)
        except httptools.HttpParserCallbackError as error:
            self._refuse(_reason(error))
        except httptools.HttpParserError:
            self._refuse(_malformed("it is no HTTP/1.1"))
        else:
            if was_in_head and self._in_head:
                self._check_head()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            # The parser leaves all that follows the head to the other protocol. Java's client asks
            # for h2c beside each first request, and it may be refused by not answering that
            # (RFC 9110 §7.8): so the same request is parsed without the wish.
            self._upgrading = False
            head = self._head_without_upgrade()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(head + data[error.args[0] :])

    def _head_without_upgrade(self) -> bytes:
        kept = [each for each in self.headers if each[0] not in (b"connection", b"upgrade")]
        kept.append((b"connection", b"close"))
        lines = b"".join(b"%b: %b\r\n" % header for header in kept)
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (self.parser.get_method(), self.url, lines)

    def _check_head(self) -> None:
        """The parser tells of a header only when it is whole: what is not may not grow for ever."""
        limits = self._door.limits
        if self._head_bytes > limits.header_bytes + limits.url_bytes:
            self._refuse(_too_large(limits.headers, limits.header_bytes))

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        limits = self._door.limits
        if self._unanswered >= limits.pipelined:
            raise Overloaded("too many requests wait for answers on this connection", cure="wait")
        self._in_head = True
        self._head_bytes = self._size
        self._trailers = self._trailer_bytes = 0
        self.deadline = NEVER if self.pipeline else self._now + limits.head_seconds

    def on_url(self, url: bytes) -> None:
        """A part of the URL."""
        self.url += url
        most = self._door.limits.url_bytes
        if len(self.url) > most:
            raise UrlTooLong(f"the URL is longer than {most} bytes", cure="post to /in/{source}")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer: that may not become a header (RFC 9110 §6.5.1), and is dropped."""
        if not self._in_head:
            self._trailers += 1
            self._trailer_bytes += len(name) + len(value) + BESIDE_TEXT
            self._check_size(self._trailers, self._trailer_bytes)
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def _check_size(self, count: int, size: int) -> None:
        limits = self._door.limits
        if count > limits.headers or size > limits.header_bytes:
            raise _too_large(limits.headers, limits.header_bytes)

    def on_headers_complete(self) -> None:
        """The head is whole: the application begins, or the request queues behind another."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _malformed("it is for a proxy")
            self._upgrading = True
            return
        limits = self._door.limits
        if len(self.headers) > limits.headers or self._head_bytes > limits.header_bytes:
            # What was read may hold more than this head, or the URL.
            size = sum(len(name) + len(value) + BESIDE_TEXT for name, value in self.headers)
            self._check_size(len(self.headers), size)
        self._check_host()
        self._check_coding()
        super().on_headers_complete()
        self._served = True
        self._in_head, self._in_body = False, True
        self._unanswered += 1
        # What it closes is not always read to the end: `close` below sees to that.
        self.cycle.transport = cast("asyncio.Transport", self)
        if self.expect_100_continue:
            # Answered without `100 Continue`, the client may send the body or not: who could tell
            # what comes next? So only once the body is there the connection is kept.
            self.cycle.keep_alive = False
        self._await_body()

    def _check_host(self) -> None:
        """RFC 9112 §3.2: exactly one; HTTP/1.0 knew none."""
        named = [value for name, value in self.headers if name == b"host"]
        if len(named) > 1 or (not named and self.parser.get_http_version() != "1.0"):
            raise _malformed("it has to name one host")
        hosts = self._door.limits.hosts
        if hosts and not self.url.startswith(HEALTH_CHECKS):
            host = named[0] if named else b""
            if not self.url.startswith(b"/"):  # the absolute form says it itself (§3.2.2)
                host = httptools.parse_url(self.url).host or b""
            if name_in(host.decode("latin-1")) not in hosts:
                raise Misdirected("this host is not served here", cure="use the gateway's own URL")

    def _check_coding(self) -> None:
        """RFC 9112 §6.1: what is not `chunked` alone would have to be undone; HTTP/1.0 knew none."""
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        if codings and (
            [each.strip().lower() for each in codings] != [b"chunked"]
            or self.parser.get_http_version() == "1.0"
        ):
            raise _malformed("the only transfer coding is `chunked`")

    def _await_body(self) -> None:
        limits = self._door.limits
        self._body_by = NEVER if self.pipeline else self._now + limits.body_seconds
        self.deadline = min(self._now + limits.gap_seconds, self._body_by)
        if self.pipeline:  # it is not read while others are before it
            self.deadline = NEVER

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self.cycle.response_complete:
            return
        door = self._door
        self._held += len(body)
        door.in_flight += len(body)
        if door.in_flight > door.limits.in_flight_bytes:
            raise Overloaded("too much is being received", cure="try again in a moment")
        if not self.pipeline:
            self.deadline = min(self._now + door.limits.gap_seconds, self._body_by)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._upgrading:
            return
        self._in_body = False
        self.deadline = NEVER
        if self.expect_100_continue:
            version = self.parser.get_http_version()
            self.cycle.keep_alive = version != "1.0" and self.parser.should_keep_alive()
        if self.cycle.response_complete:
            self._rest()
        super().on_message_complete()

    # -- what goes out -----------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """One request is answered: go on with the next, wait for one, or end."""
        self.server_state.total_requests += 1
        self._write_head()
        self._release()
        self._unanswered -= 1
        if self._leaving or self.transport.is_closing():
            return
        if self._refusal is not None and not self._unanswered:
            self._end_refused(self._refusal)
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            self._go_on()
        else:
            self._rest()

    def _go_on(self) -> None:
        """Give what is next to be read its time, now that it is."""
        self._now = self.loop.time()
        if self._refusal is not None:
            return
        if self._in_body:
            self._await_body()
        elif self._in_head:
            self.deadline = self._now + self._door.limits.head_seconds

    def _rest(self) -> None:
        if not (self._in_head or self._in_body or self._unanswered):
            self.deadline = self.loop.time() + self._door.limits.keep_alive_seconds

    def _release(self) -> None:
        self._door.in_flight -= self._held
        self._held = 0

    def pause_writing(self) -> None:
        """The client does not take our answers: not for long."""
        super().pause_writing()
        self.write_by = self.loop.time() + self._door.limits.write_seconds

    def resume_writing(self) -> None:
        """It does."""
        super().resume_writing()
        self.write_by = NEVER

    def _refuse(self, error: GatewayError) -> None:
        """Read no further, and say why: after the answers to the requests before this one."""
        self._refusal = error
        error.__traceback__ = None  # its frames hold what was being read
        self.deadline = NEVER
        if self._heard:
            self._door.refused(identified(error))
        if self._in_body:
            cycle = self.cycle
            if cycle.response_started:  # it was answered before it was read, and that is all
                self.leave()
                return
            cycle.disconnected = True
            cycle.message_event.set()
            self._unanswered -= 1
            if self.pipeline and self.pipeline[0][0] is cycle:
                self.pipeline.popleft()
        if not self._unanswered:
            self._end_refused(error)

    def _end_refused(self, error: GatewayError) -> None:
        self.write(_written(error))
        self.leave()

    def leave(self) -> None:
        """Close it: at once, or, where a request was not read to its end, after a moment."""
        if self._leaving or self.transport.is_closing():
            return
        self._write_head()
        self._leaving = True
        self._release()
        self._forget()
        self.deadline = self.loop.time() + self._door.limits.linger_seconds
        if (self._refusal is not None or self._in_body) and self.transport.can_write_eof():
            self.flow.resume_reading()
            self.transport.write_eof()
        else:
            self.transport.close()

    def _forget(self) -> None:
        """Let go of what was read: a connection that lingers is to cost no memory."""
        self.parser = None  # type: ignore[assignment]  # as uvicorn does in the end
        if self.cycle is not None:
            self.cycle.body = bytearray()

    # -- what uvicorn's cycle takes for its transport ------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send to the client, if it is still there: uvicorn tells that only the latest request.

        The head of an answer waits for the start of its body: one call of the system for both.
        """
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1"):
            self._head = data
            return
        if not self.transport.is_closing():
            self.transport.write(data)

    def _write_head(self) -> None:
        """Send a head that nothing follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """End after this answer."""
        self.leave()

    def is_closing(self) -> bool:
        """Whether nothing more is sent."""
        return self._leaving or self.transport.is_closing()


def _reason(error: httptools.HttpParserCallbackError) -> GatewayError:
    """What a callback raised; where it was not one of ours, the URL or the host is not readable."""
    why = error.__context__
    return why if isinstance(why, GatewayError) else _malformed("its first line is not readable")


def _malformed(what: str) -> RequestMalformed:
    return RequestMalformed(f"the request is malformed: {what}", cure="send HTTP/1.1 (RFC 9112)")


def _too_large(count: int, size: int) -> HeadersTooLarge:
    return HeadersTooLarge(
        f"the headers are more than {count}, or larger than {size} bytes", cure="send fewer"
    )


def _written(error: GatewayError) -> bytes:
    """An answer that ends its connection, as bytes."""
    status, headers, body = answer(error)
    headers = [
        *(header for header in headers if header[0] != b"connection"),
        PROBLEM,
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return STATUS_LINE[status] + lines + b"\r\n" + body
