"""Endpoints that note what they get, for whoever counts afterwards; and a sender that notes its acks."""

import asyncio
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
import orjson
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.web.server import listen


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

    secret: str
    changed: Signal
    answer: Callable[[web.BaseRequest], int] = lambda _request: 200
    bodies: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    """By webhook-id: one body each, if all attempts are alike."""
    taken: Counter[str] = field(default_factory=Counter)
    """By the event's id: how often it was taken with 2xx."""
    wrong_signatures: int = 0

    async def receive(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        try:
            Webhook(self.secret).verify(body, dict(request.headers), json_parse=False)
        except WebhookVerificationError:
            self.wrong_signatures += 1
        self.bodies[request.headers["webhook-id"]].add(body)
        status = self.answer(request)
        if 200 <= status < 300:
            self.taken[orjson.loads(body)["id"]] += 1
            self.changed.notify()
        return web.Response(status=status)


class Sinks:
    """A server with a sink below each name."""

    def __init__(self, **secrets_by_name: str) -> None:
        self.changed = Signal()
        self.by_name = {
            name: Sink(secret, self.changed) for name, secret in secrets_by_name.items()
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
    """Posts events as the PyPI library signs them, until each is acknowledged; notes who was."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self._webhook = Webhook(secret)
        self.acked: set[str] = set()
        self.changed = Signal()
        self.refused: Counter[int] = Counter()

    async def post(self, session: aiohttp.ClientSession, url: str, event_id: str) -> bool:
        """One try; whether it was acknowledged."""
        event = {
            "specversion": "1.0", "id": event_id, "source": "/load", "type": "license.expiring",
            "datacontenttype": "application/json", "data": {"days_left": 7, "pad": "x" * 500},
        }  # fmt: skip
        text = orjson.dumps(event).decode()
        now, name = datetime.now(UTC), f"msg_{secrets.token_hex(8)}"  # noqa: TID251  # a sender has a clock
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(name, now, text),
        }
        try:
            async with session.post(url, data=text.encode(), headers=headers) as answer:
                await answer.read()
                if answer.status == 202:
                    self.acked.add(event_id)
                    self.changed.notify()
                    return True
                self.refused[answer.status] += 1
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            self.refused[0] += 1
        return False

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
