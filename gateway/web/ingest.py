"""The public listener: `POST /in/{source}` as a raw ASGI callable, and what else is asked there.

Raw, because the hot path is here: a Starlette route costs as much again as all of it.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import orjson

from gateway.core.egress import within
from gateway.core.errors import (
    AddressNotAllowed,
    BodyTooLarge,
    Draining,
    EncodingUnsupported,
    GatewayError,
    HandshakeFailed,
    MethodNotAllowed,
    PathUnknown,
    RequestRefused,
    UnknownSource,
)
from gateway.core.handshake import Answered
from gateway.core.routes import Source
from gateway.core.tracing import STATE_HEADER, combined
from gateway.core.verifying import Inbound
from gateway.flows.admit import Admit
from gateway.flows.handshake import Handshakes
from gateway.flows.ingest import Ingest, Received
from gateway.flows.publish import Publish
from gateway.flows.refusals import Head
from gateway.web.callback import MOST_BYTES, CallbackDoor
from gateway.web.errors import PROBLEM, Headers, answer, identified
from gateway.web.query import QueryDoor

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")
KEY_SET: Headers = [
    (b"content-type", b"application/jwk-set+json"),
    (b"cache-control", b"public, max-age=300"),
]
"""Five minutes: so long before it signs, a new key has to be published."""
UNKNOWN = "(unknown)"
"""What stands for the name of a source that there is not, in logs and metrics."""
NO_REPEATS: frozenset[bytes] = frozenset()


class Disconnected(Exception):
    """The sender went away before its request was whole: there is nobody to answer."""


class PublicApp:
    """Receives webhooks; *ready* says whether the gateway can keep what it is given."""

    def __init__(
        self,
        ingest: Ingest,
        handshakes: Handshakes,
        admit: Admit,
        publish: Publish,
        queries: QueryDoor,
        callbacks: CallbackDoor,
        *,
        ready: Callable[[], bool],
    ) -> None:
        self._ingest = ingest
        self._handshakes = handshakes
        self._admit = admit
        self._publish = publish
        self._queries = queries
        self._callbacks = callbacks
        self._ready = ready
        self.draining = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers: Headers
        try:
            status, headers, body = await self._answer(scope, receive)
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001  # web/errors.py knows what to make of it
            status, headers, body = answer(error)
            headers = [PROBLEM, *headers]
        if status in (204, 304):
            body = b""
        else:
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> tuple[int, Headers, bytes]:
        path: bytes = scope["raw_path"]
        if path.startswith(b"/in/"):
            return await self._receive(path[4:], scope, receive)
        if path in (b"/livez", b"/readyz"):
            if scope["method"] not in ("GET", "HEAD"):
                raise MethodNotAllowed("this is a health check", allow="GET, HEAD")
            ready = path == b"/livez" or (self._ready() and not self.draining)
            return (
                200 if ready else 503,
                [JSON],
                b'{"status":"ok"}' if ready else b'{"status":"unavailable"}',
            )
        if path == b"/.well-known/webhook-keys.json":
            if scope["method"] not in ("GET", "HEAD"):
                raise MethodNotAllowed("these are public keys", allow="GET, HEAD")
            return 200, list(KEY_SET), self._publish.key_set()
        if path.startswith(b"/q/"):
            name = path[3:].decode("latin-1")
            return await self._queries.ask(name, scope, draining=self.draining)
        if path.startswith(b"/callback/"):
            return await self._call_back(path[10:].decode("latin-1"), scope, receive)
        raise PathUnknown("there is nothing at this path", cure="post to /in/{source}")

    async def _call_back(
        self, token: str, scope: Message, receive: Receive
    ) -> tuple[int, Headers, bytes]:
        announced = dict(scope["headers"]).get(b"content-length")
        body = await _read_body(receive, MOST_BYTES, announced)
        return await self._callbacks.answer(token, scope, body, draining=self.draining)

    async def _receive(
        self, name: bytes, scope: Message, receive: Receive
    ) -> tuple[int, Headers, bytes]:
        if self.draining:
            raise Draining("the gateway is shutting down", cure="send it again")
        peer, proxied = self._admit.address(
            scope["client"][0] if scope["client"] else "", scope["headers"]
        )
        source = self._ingest.source(name.decode("latin-1"))
        try:
            self._admit.count(peer)
            if source is None:
                cure = "check the last part of the URL"
                raise UnknownSource("there is no such source", cure=cure)
            return await self._receive_from(source, scope, receive, peer, proxied=proxied)
        except GatewayError as error:
            identified(error)
            if source is None:
                self._ingest.refused(UNKNOWN, error)
            else:
                head = Head(scope["method"], scope["headers"], peer)
                self._ingest.refused(source.name, error, head)
            raise

    async def _receive_from(
        self, source: Source, scope: Message, receive: Receive, peer: str, *, proxied: bool
    ) -> tuple[int, Headers, bytes]:
        method = scope["method"]
        if method != "POST" and method not in source.handshake_methods:
            allow = ", ".join(["POST", *source.handshake_methods])
            raise MethodNotAllowed("webhooks are posted", allow=allow)
        if source.networks and not within(peer, source.networks):
            raise AddressNotAllowed("this source takes nothing from that address")
        self._ingest.check_room()  # before the body is read: it is memory
        pairs = scope["headers"]
        headers = dict(pairs)
        repeated = NO_REPEATS if len(headers) == len(pairs) else _repeated(pairs)
        if STATE_HEADER in repeated:
            headers[STATE_HEADER] = combined(pairs)
        if b"content-encoding" in headers:
            _check_encoding(source, headers, repeated)
        body = await _read_body(receive, source.body_bytes, headers.get(b"content-length"))
        target, query = scope["raw_path"], scope["query_string"]
        request = Inbound(
            method,
            headers,
            repeated,
            body,
            self._ingest.now(),
            target=target + b"?" + query if query else target,
            peer=peer,
            proxied=proxied,
        )
        try:
            if source.handshakes:
                answered = await self._handshakes.shake(source, request)
                if answered is not None:
                    return _answered(answered)
                if method != "POST":
                    raise HandshakeFailed("this is no handshake that the source knows")
            received = await self._ingest.receive(source, request)
        except RequestRefused as error:
            error.body = body
            raise
        return source.ack, [JSON], _acknowledgement(received)


def _answered(answered: Answered) -> tuple[int, Headers, bytes]:
    """A handshake's answer: what it echoes is data, whatever a browser would like to see in it."""
    headers = [(name.lower().encode(), value.encode()) for name, value in answered.headers]
    if answered.content is None:
        return answered.status, headers, b""
    headers.append((b"x-content-type-options", b"nosniff"))
    if answered.is_json:
        return answered.status, [JSON, *headers], orjson.dumps(answered.content)
    return answered.status, [TEXT, *headers], answered.content.encode()


def _check_encoding(
    source: Source, headers: dict[bytes, bytes], repeated: frozenset[bytes]
) -> None:
    """Leave `content-encoding` in *headers* only where the body is to be decompressed."""
    encoding = headers[b"content-encoding"].lower()
    if b"content-encoding" not in repeated:
        if encoding == b"identity":
            del headers[b"content-encoding"]
            return
        if source.gzip and encoding in (b"gzip", b"x-gzip"):  # RFC 9110 §8.4.1.3: the same
            return
    accept = "gzip, identity" if source.gzip else "identity"
    raise EncodingUnsupported(
        "the body is compressed, or so that its source does not take it",
        cure=f"send it with one of these: {accept}",
        accept=accept,
    )


def _repeated(pairs: list[tuple[bytes, bytes]]) -> frozenset[bytes]:
    names = [name for name, _ in pairs]
    return frozenset(name for name in names if names.count(name) > 1)


async def _read_body(receive: Receive, limit: int, announced: bytes | None) -> bytes:
    """The body, as long as it is not longer than that: the rest is not read."""
    if announced is not None and int(announced) > limit:  # the parser saw to it that it is a number
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _read_rest(receive, body, limit)
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def _read_rest(receive: Receive, first: bytes, limit: int) -> bytes:
    body, more = bytearray(first), True  # one piece of memory: many of any size would be scattered
    while more and len(body) <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _too_large(limit: int) -> GatewayError:
    return BodyTooLarge(f"the body is larger than {limit} bytes", cure="send less at once")


def _acknowledgement(received: Received) -> bytes:
    """What the sender hears: ids are ours and need no escaping."""
    if not received.receipts and not received.several:
        return b'{"ignored":true}'
    entries = [
        b'{"id":"%b","duplicate":%b}'
        % (receipt.event_id.encode(), b"true" if receipt.duplicate else b"false")
        for receipt in received.receipts
    ]
    return b'{"events":[%b]}' % b",".join(entries) if received.several else entries[0]
