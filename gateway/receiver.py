"""A small HTTP server that shows what arrives, and whether its signature is right.

`gateway listen`, `gateway serve --sample-receiver` and `gateway demo` stand one beside the gateway, so
that a delivery can be seen arriving without any other system.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from gateway.config.verifiers import standard_webhooks
from gateway.core.ed25519 import PrivateKey
from gateway.core.model import SECOND, Micros
from gateway.core.routes import EndpointConfig
from gateway.core.secret import Key
from gateway.core.signing import SigningKey, sign
from gateway.core.verifying import Inbound
from gateway.web.server import Server, url

TOLERANCE = 300 * SECOND
"""How far a timestamp may be from now: what Standard Webhooks' libraries allow."""

Reply = Callable[["Arrived"], int]
"""The status to answer with."""


@dataclass(slots=True)
class Arrived:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    verdict: str
    """`ok`, another outcome of verification, or `unsigned`."""
    status: int = 0
    """What it was answered."""


class Receiver:
    """Listens on *sock*; *keys* are those that signatures may be made with."""

    def __init__(
        self,
        sock: socket.socket,
        keys: Iterable[SigningKey],
        show: Callable[[Arrived], None],
        reply: Reply,
        now: Callable[[], Micros],
    ) -> None:
        self.url = url(sock)
        self._sock = sock
        known = list(keys)
        self._verifier = standard_webhooks(tuple(key for key in known if isinstance(key, Key)))
        self._pairs = [key for key in known if isinstance(key, PrivateKey)]
        self._show = show
        self._reply = reply
        self._now = now
        self._server = Server(self._app)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to answer."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._sock]))
        await self._server.listening.wait()

    async def stop(self) -> None:
        """Close the listener."""
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.gather(self._serving, return_exceptions=True)

    async def _app(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        chunks = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        body, raw = b"".join(chunks), dict(scope["headers"])
        verdict = "unsigned"
        if b"webhook-signature" in raw:
            request = Inbound(scope["method"], raw, frozenset(), body, self._now())
            verdict = self._verifier.verify(request).outcome
            if verdict != "ok" and self._signed_with_a_pair(request):
                verdict = "ok"
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in raw.items()}
        path = scope["raw_path"].decode("latin-1")  # as sent: `%2F` is no slash
        if scope["query_string"]:
            path += "?" + scope["query_string"].decode("latin-1")
        arrived = Arrived(scope["method"], path, headers, body, verdict)
        arrived.status = self._reply(arrived)
        self._show(arrived)
        answer = b'{"received":true}' if arrived.status < 300 else b'{"received":false}'
        await send(
            {
                "type": "http.response.start",
                "status": arrived.status,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", b"%d" % len(answer)),
                ],
            }
        )
        await send({"type": "http.response.body", "body": answer})

    def _signed_with_a_pair(self, request: Inbound) -> bool:
        """Whether the gateway made one of the signatures with an ed25519 key.

        Such a signature is the same each time, so one that it would make now is one that it made.
        """
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in request.headers.items()
        }
        timestamp, now = headers.get("webhook-timestamp", ""), request.received_at
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
            return False
        moment = int(timestamp) * SECOND
        found = headers["webhook-signature"].split(" ")
        webhook_id = headers.get("webhook-id", "")
        return abs(now - moment) <= TOLERANCE and any(
            sign(webhook_id, moment, request.body, [key])["webhook-signature"] in found
            for key in self._pairs
            if key.valid(moment)
        )


def keys_of(endpoints: Iterable[EndpointConfig]) -> list[SigningKey]:
    """The keys that the deliveries of these endpoints are signed with, as Standard Webhooks does."""
    return [key for each in endpoints if each.signed_as is None for key in each.keys]
