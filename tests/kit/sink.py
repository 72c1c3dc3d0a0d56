"""Endpoints that note what they get, for whoever counts afterwards; and a sender that notes its acks."""

import asyncio
import os
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple, TextIO

import aiohttp
import orjson
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.clock import SystemClock
from gateway.core.model import Micros
from gateway.web.server import listen

now = SystemClock().now


class Arrival(NamedTuple):
    """What a sink notes of a request, before it answers."""

    delivery: str
    endpoint: str
    event: str
    sha256: str
    verified: bool
    status: int
    at: Micros
    node: str = ""
    """Who sent it, where the URL that it was sent to says so."""


class Ack(NamedTuple):
    """What a sender notes of an event that was acknowledged, once it has read the answer."""

    event: str
    sha256: str
    sent_at: Micros
    read_at: Micros


class Signal:
    """Something that others wait on until what it changed is as they want it."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Let all who wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, so: Callable[[], bool]) -> None:
        """Wait until it is so."""
        while not so():
            await self._changed.wait()


@dataclass
class Sink:
    """An endpoint: what arrived under which webhook-id."""

    name: str
    secret: str
    changed: Signal
    answer: Callable[[web.BaseRequest], int] = lambda _request: 200
    bodies: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    """By webhook-id: one body each, if all attempts are alike."""
    taken: Counter[str] = field(default_factory=Counter)
    """By the event's id: how often it was taken with 2xx."""
    wrong_signatures: int = 0
    arrivals: list[Arrival] = field(default_factory=list)

    async def receive(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        try:
            Webhook(self.secret).verify(body, dict(request.headers), json_parse=False)
            verified = True
        except WebhookVerificationError:
            self.wrong_signatures += 1
            verified = False
        delivery, event = request.headers["webhook-id"], orjson.loads(body)["id"]
        self.bodies[delivery].add(body)
        status, digest = self.answer(request), sha256(body).hexdigest()
        node = request.query.get("node", "")
        self.arrivals.append(
            Arrival(delivery, self.name, event, digest, verified, status, now(), node)
        )
        if 200 <= status < 300:
            self.taken[event] += 1
            self.changed.notify()
        return web.Response(status=status)


class Sinks:
    """A server with a sink below each name."""

    def __init__(self, **secrets_by_name: str) -> None:
        self.changed = Signal()
        self.by_name = {
            name: Sink(name, secret, self.changed) for name, secret in secrets_by_name.items()
        }
        self._runner = web.ServerRunner(web.Server(self._receive), shutdown_timeout=0.1)
        self.url = ""

    def __getitem__(self, name: str) -> Sink:
        return self.by_name[name]

    async def start(self) -> "Sinks":
        await self._runner.setup()
        sock = listen(("127.0.0.1", 0), "test")
        await web.SockSite(self._runner, sock).start()
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        return self

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def all_took(self, events: set[str]) -> None:
        """Wait until every sink has taken all of these events."""
        await self.changed.until(
            lambda: all(events <= sink.taken.keys() for sink in self.by_name.values())
        )

    async def _receive(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self.by_name[request.path.strip("/")].receive(request)


class SignedSender:
    """Posts events as the PyPI library signs them, until each is acknowledged; notes who was.

    With a *log*, an acknowledgement counts only once it is on that disk.
    """

    def __init__(self, secret: str, log: TextIO | None = None) -> None:
        self.secret = secret
        self._log = log
        self.posted: dict[str, str] = {}
        """The digest of each body that was sent, by the event's id."""
        self.acks: list[Ack] = []
        self.deaf = False
        """Set at a power cut: what is read of an answer afterwards counts no more."""
        self._webhook = Webhook(secret)
        self.acked: set[str] = set()
        self.changed = Signal()
        self.refused: Counter[int] = Counter()
        self.slowest: Micros = 0
        """For how long a sender has waited, at most, to hear that its event is not taken."""

    async def post(
        self, session: aiohttp.ClientSession, url: str, event_id: str, **attributes: str
    ) -> bool:
        """One try; whether it was acknowledged."""
        event = {
            "specversion": "1.0", "id": event_id, "source": "/load", "type": "license.expiring",
            "datacontenttype": "application/json", "data": {"days_left": 7, "pad": "x" * 500},
            **attributes,
        }  # fmt: skip
        body = orjson.dumps(event)
        sent_at, name = now(), f"msg_{secrets.token_hex(8)}"
        signed_at = datetime.fromtimestamp(sent_at // 1_000_000, UTC)
        self.posted[event_id] = sha256(body).hexdigest()
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": name,
            "webhook-timestamp": str(int(signed_at.timestamp())),
            "webhook-signature": self._webhook.sign(name, signed_at, body.decode()),
        }
        try:
            async with session.post(url, data=body, headers=headers) as answer:
                await answer.read()
                if answer.status == 202:
                    self._acknowledged(Ack(event_id, self.posted[event_id], sent_at, now()))
                    return True
                self._refused(answer.status, sent_at)
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            self._refused(0, sent_at)
        return False

    def _acknowledged(self, ack: Ack) -> None:
        if self.deaf:
            return
        if self._log is not None:
            self._log.write(f"{ack.event} {ack.sha256}\n")
            self._log.flush()
            os.fsync(self._log.fileno())
        self.acks.append(ack)
        self.acked.add(ack.event)
        self.changed.notify()

    def _refused(self, status: int, sent_at: Micros) -> None:
        self.refused[status] += 1
        self.slowest = max(self.slowest, now() - sent_at)
        self.changed.notify()

    async def acked_at_least(self, count: int) -> None:
        """Wait until so many events are acknowledged."""
        await self.changed.until(lambda: len(self.acked) >= count)

    async def flow(self, url: str, ids: list[str], workers: int = 8) -> None:
        """Post them all, each again and again until it is acknowledged, as senders do."""
        waiting = list(reversed(ids))

        async def work(session: aiohttp.ClientSession) -> None:
            while waiting:
                event_id = waiting.pop()
                while not await self.post(session, url, event_id):
                    await _moment()

        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await asyncio.gather(*(work(session) for _ in range(workers)))


async def _moment() -> None:
    """What a sender waits before it tries again."""
    try:
        async with asyncio.timeout(0.05):
            await asyncio.Event().wait()
    except TimeoutError:
        pass
