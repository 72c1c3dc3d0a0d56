"""The demonstration: a gateway, three receivers that verify, traffic, and a receiver that fails.

Everything is real but the events: the gateway is the one that `gateway serve` runs, on a database in a
temporary folder; senders sign, receivers verify, and all of it goes over sockets.
"""

import asyncio
import contextlib
import os
import random
import secrets
import socket
import tempfile
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from gateway.catalogue import sample
from gateway.clock import SystemClock
from gateway.config.settings import Settings
from gateway.core.model import Attempt, Delivery, Json, rfc3339
from gateway.core.retry import Decision, Finish, GiveUp, RetryAt
from gateway.core.verifying import Sending
from gateway.receiver import Arrived, Receiver, keys_of
from gateway.service import Service
from gateway.starter import starter_folder
from gateway.web.server import listen

RECEIVERS = ("cms", "workflow", "alerting")
FAILING = "alerting"
"""The receiver that fails for a while: the example retries there after 1, 5 and 30 seconds."""

OUTAGE_BEGINS, OUTAGE_LASTS = 0.25, 5.0
"""After this share of the traffic, for at most so many seconds."""

SETTLE_SECONDS = 60
ANYWHERE = ("127.0.0.1", 0)

YOURS = """
  yours:
    url: {env: YOUR_URL}
    sign: {secrets: [{env: YOUR_SECRET}]}
    retry: {schedule: [1s, 3s]}
"""
TO_YOURS = """
  - name: to-you
    match: {type: demo.finished}
    to: [yours]
"""


@dataclass(slots=True)
class Scene:
    """What there is to see."""

    sent: int = 0
    kept: int = 0
    promised: int = 0
    """Deliveries that the kept events were routed to."""
    unmatched: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    arrived: Counter[str] = field(default_factory=Counter)
    verified: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    failing: bool = False
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=8))

    @property
    def waiting(self) -> int:
        """Deliveries that have not ended."""
        return self.promised - self.ended.total()

    def summary(self) -> dict[str, Json]:
        """The numbers, for the end."""
        return {
            "events_sent": self.sent,
            "events_kept": self.kept,
            "events_unmatched": self.unmatched,
            "deliveries": self.promised,
            "delivered": self.ended["delivered"],
            "dead": self.ended["dead"],
            "attempts_refused": self.refused.total(),
            "signatures_verified": self.verified.total(),
            "signatures_wrong": self.arrived.total() - self.verified.total(),
        }


class Demo:
    """Runs the scene; *changed* is called whenever there is something new in it."""

    def __init__(self, *, seconds: float, rate: float, changed: Callable[[Scene], None]) -> None:
        self.scene = Scene()
        self._seconds = seconds
        self._rate = rate
        self._changed = changed
        self._settled = asyncio.Event()
        self._random = random.Random()  # noqa: S311  # for which event comes next
        self._yours: asyncio.Future[tuple[Attempt, Decision]] | None = None

    async def run(self, to: str | None) -> dict[str, Json]:
        """Begin, send, settle, and say what came of it; nothing is left behind, however it ends."""
        with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
            async with contextlib.AsyncExitStack() as stack:
                sockets = {name: listen(ANYWHERE, "demo") for name in RECEIVERS}
                service = await self._open(Path(folder), sockets, to)
                for name in RECEIVERS:
                    receiver = self._receiver(name, sockets[name], service)
                    await receiver.start()
                    stack.push_async_callback(receiver.stop)
                await service.start()
                stack.push_async_callback(service.stop)
                async with aiohttp.ClientSession() as session:
                    await self._send_traffic(session, service)
                    await self._settle()
                    result = self.scene.summary()
                    if to is not None:
                        result["yours"] = await self._send_yours(session, service)
                return result

    async def _open(
        self, folder: Path, sockets: dict[str, socket.socket], to: str | None
    ) -> Service:
        text = (starter_folder() / "routes.yaml").read_text(encoding="utf-8")
        environment = dict(os.environ)
        for name, sock in sockets.items():
            environment[f"{name.upper()}_URL"] = f"http://127.0.0.1:{sock.getsockname()[1]}/{name}"
        if to is not None:
            text = text.replace("\nendpoints:\n", f"\nendpoints:{YOURS}", 1)
            text = text.replace("\nroutes:\n", f"\nroutes:{TO_YOURS}", 1)
            environment["YOUR_URL"] = to
        (folder / "routes.yaml").write_text(text, encoding="utf-8")
        settings = Settings(
            routes=folder / "routes.yaml",
            database=folder / "gateway.db",
            listen=ANYWHERE,
            admin=ANYWHERE,
            egress_allow=() if to is None else _addresses(to),
            grace="2s",
            ballast="0",
        )
        service = await Service.open(settings, environment=environment)
        service.telemetry.listen(self._report)
        return service

    def _receiver(self, name: str, sock: socket.socket, service: Service) -> Receiver:
        keys = keys_of([service.routes.endpoints[name]])

        def reply(_arrived: Arrived) -> int:
            return 503 if self.scene.failing and name == FAILING else 200

        def show(arrived: Arrived) -> None:
            scene = self.scene
            scene.arrived[name] += 1
            scene.verified[name] += arrived.verdict == "ok"
            scene.refused[name] += arrived.status >= 300
            verdict = "signature ok" if arrived.verdict == "ok" else "SIGNATURE WRONG"
            scene.recent.append(
                f"--> {name:<9} {arrived.headers.get('ce-type', ''):<17} {verdict}  <-- {arrived.status}"
            )
            self._changed(self.scene)

        return Receiver(sock, keys, show, reply, SystemClock().now)

    # -- traffic -----------------------------------------------------------------------------------

    async def _send_traffic(self, session: aiohttp.ClientSession, service: Service) -> None:
        loop = asyncio.get_running_loop()
        began, count = loop.time(), max(1, round(self._seconds * self._rate))
        for number in range(count):
            elapsed = loop.time() - began
            fails_from = self._seconds * OUTAGE_BEGINS
            lasts = min(OUTAGE_LASTS, self._seconds / 3)
            self.scene.failing = fails_from <= elapsed < fails_from + lasts
            await self._send(session, service, self._event())
            await _until(began + (number + 1) / self._rate)
        self.scene.failing = False

    def _event(self) -> dict[str, Json]:
        """One of the events that such systems send, about one of many assets."""
        kinds = {
            "license.expiring": 30,
            "license.expired": 10,
            "license.renewed": 10,
            "asset.updated": 35,
            "terms.changed": 15,
        }
        (kind,) = self._random.choices(list(kinds), weights=list(kinds.values()))
        template = kind if kind in {"asset.updated", "terms.changed"} else "license.expiring"
        event = sample(template, SystemClock().now())
        event["type"] = kind
        asset = str(self._random.randrange(800_000_000, 1_300_000_000))
        text = orjson.dumps(event).replace(b"847116840", asset.encode())
        event = orjson.loads(text)
        if kind == "license.expiring":
            event["data"]["days_left"] = self._random.choice([30, 14, 7, 1])
        elif kind == "terms.changed":
            event["data"]["severity"] = self._random.choice(["tightened", "loosened"])
        return dict(event)

    async def _send(
        self, session: aiohttp.ClientSession, service: Service, event: dict[str, Json]
    ) -> None:
        body = orjson.dumps(event)
        source = service.routes.sources["getty"]
        headers = source.verifier.sign(
            Sending(body, SystemClock().now(), request_id=f"msg_{secrets.token_hex(8)}")
        )
        headers["content-type"] = "application/cloudevents+json"
        self.scene.sent += 1
        async with session.post(
            f"{service.public_url}/in/getty", data=body, headers=headers
        ) as answer:
            self.scene.kept += answer.status == 202

    async def _settle(self) -> None:
        """Wait until every delivery has ended, or for as long as anyone would watch."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                while self.scene.waiting > 0:
                    self._settled.clear()
                    await self._settled.wait()

    async def _send_yours(
        self, session: aiohttp.ClientSession, service: Service
    ) -> dict[str, Json]:
        """One delivery to the user's own URL, and how it went."""
        self._yours = asyncio.get_running_loop().create_future()
        now = SystemClock().now()
        event = {
            "specversion": "1.0",
            "id": f"demo-{secrets.token_hex(6)}",
            "source": "/gateway/demo",
            "type": "demo.finished",
            "time": rfc3339(now),
            "datacontenttype": "application/json",
            "data": self.scene.summary(),
        }
        await self._send(session, service, event)
        attempt, decision = await self._yours
        secret = orjson.loads(
            (service.settings.routes.parent / "development-secrets.json").read_bytes()
        )
        return {
            "url": service.routes.endpoints["yours"].url,
            "delivered": isinstance(decision, Finish),
            "status": attempt.status,
            "reason": getattr(decision, "reason", None) or attempt.excerpt,
            "secret": secret["YOUR_SECRET"],
        }

    # -- what the gateway reports ------------------------------------------------------------------

    def _report(self, name: str, fields: dict[str, Any]) -> None:
        if name == "events.kept":
            for arrival in fields["arrivals"]:
                self.scene.promised += len(arrival.deliveries)
                self.scene.unmatched += not arrival.deliveries
        elif name == "attempt.recorded":
            self._attempted(**fields)
        self._changed(self.scene)

    def _attempted(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        if isinstance(decision, (Finish, GiveUp)):
            self.scene.ended["delivered" if isinstance(decision, Finish) else "dead"] += 1
        elif isinstance(decision, RetryAt):
            self.scene.retried += 1
        ended = not isinstance(decision, RetryAt)
        if ended and delivery.endpoint == "yours" and self._yours is not None:
            self._yours.set_result((attempt, decision))
        self._settled.set()


async def _until(moment: float) -> None:
    """Return at that moment of the loop's clock."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(moment):
            await asyncio.Event().wait()


def _addresses(url: str) -> tuple[Any, ...]:
    """The addresses of a URL that the user named: that call, at least, is allowed."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(ip_network(str(place[0])) for *_, place in found)
