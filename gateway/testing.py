"""For people who write routes and handlers: a whole gateway against a scripted server, in a test.

    async def test_an_expired_licence_takes_the_page_offline() -> None:
        async with Gateway("routes.yaml") as gateway:
            gateway.endpoint("cms").reply(200, {"id": 5, "status": "publish"}).reply(200)
            await gateway.send("getty", {"type": "license.expired", "data": {"placements": […]}})
            calls = await gateway.endpoint("cms").calls(2)
            assert calls[1].json() == {"status": "draft"}

The gateway is the real one, on a database of its own; only its endpoints' URLs are the scripted
server's, and its clock is moved by hand, so that a retry in two hours takes no time.

Without a gateway, `matches` and `Matcher` try patterns on decoded JSON, `verify` a sender's description
on a request, and `may_dial` asks which addresses would be called.
"""

import asyncio
import contextlib
import math
import os
import secrets
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp import web
from pydantic_core import PydanticCustomError

from gateway.clock import SystemClock
from gateway.config.document import Document
from gateway.config.faults import shaped
from gateway.config.part import Part, Surroundings
from gateway.config.secrets import SecretBook
from gateway.config.settings import Settings
from gateway.config.shapes import SourceShape
from gateway.config.urls import public_url
from gateway.config.verifiers import VerifierBuilder
from gateway.core.egress import EgressPolicy, allowed_network, classify
from gateway.core.errors import ConfigError, Problem
from gateway.core.grammar import (
    LARGEST_INT,
    SMALLEST_INT,
    Fault,
    PatternCompiler,
    PatternInvalid,
)
from gateway.core.index import Index
from gateway.core.model import SECOND, DeliveryId, Json, Micros
from gateway.core.retry import Finish, GiveUp
from gateway.core.verifying import Inbound, Sending
from gateway.service import Service
from gateway.web.server import listen

__all__ = [
    "Gateway",
    "ManualClock",
    "Matcher",
    "ReceivedCall",
    "ScriptedEndpoint",
    "ScriptedServer",
    "matches",
    "may_dial",
    "verify",
]

ANYWHERE = ("127.0.0.1", 0)
LOOK_AGAIN_SECONDS = 0.1
A_DAY: Micros = 86_400 * SECOND


class Matcher:
    """Many patterns, by name, as the `match` of routes has them. Raises ConfigError where one is faulty.

    *lists* are what `in:` may name.
    """

    def __init__(
        self, patterns: Mapping[str, Json], *, lists: Mapping[str, list[Json]] | None = None
    ) -> None:
        compiler = PatternCompiler(lists)
        problems: list[Problem] = []
        compiled = []
        for name, pattern in patterns.items():
            try:
                compiled.append(compiler.compile(pattern))
            except PatternInvalid as error:
                problems += [_problem(name, fault) for fault in error.faults]
        if problems:
            raise ConfigError(problems)
        self._names = list(patterns)
        self._index = Index(compiled)

    def match(self, event: Mapping[str, Json]) -> set[str]:
        """The names of the patterns that *event*, decoded JSON, satisfies.

        Raises EventTooWide where its arrays are beyond measure (docs/errors.md).
        """
        if _has_large(event):
            event = _as_decoded(event)
        return {self._names[number] for number in self._index.match(event)}


def matches(
    pattern: Json, event: Mapping[str, Json], *, lists: Mapping[str, list[Json]] | None = None
) -> bool:
    """Whether *event*, decoded JSON, satisfies *pattern*. Raises ConfigError where that is faulty."""
    return bool(Matcher({"match": pattern}, lists=lists).match(event))


def verify(
    verify_config: Mapping[str, Json],
    *,
    secrets: list[str],
    headers: Mapping[str, str],
    body: bytes,
    now: int,
    method: str = "POST",
    url: str = "",
) -> str:
    """What verification says of a request: `ok`, or why not (docs/errors.md).

    *verify_config* is what stands under `verify:` of a source, without its `secrets`, which are given
    as texts here; times may be seconds as numbers. *url* is the one that the sender was given, query included; *now* is in seconds.
    Raises ConfigError where the description or a secret is faulty.
    """
    references = {f"SECRET_{i}": text for i, text in enumerate(secrets)}
    described: Json = _with_durations(verify_config)
    if secrets:
        described["secrets"] = [{"env": name} for name in references]
    around = Surroundings(
        SecretBook(references), EgressPolicy(), lambda _name, _arguments: "", public_url=""
    )
    part = Part(Document("verify"), Path(), around)
    shape, problems = shaped(SourceShape, {"verify": described}, part.document, ())
    if shape is None or problems:
        raise ConfigError(problems)
    base, _, query = url.partition("?")
    try:
        public_url(base or NOWHERE)
    except PydanticCustomError as error:
        what = error.message()
        problem = Problem(
            file="url", line=0, column=0, code="url", what=what, cure="write all of it"
        )
        raise ConfigError([problem]) from None
    verifier = VerifierBuilder(base or NOWHERE).build(shape.verify, part)
    faults = [problem for problem in part.problems if problem.severity == "error"]
    if verifier is None or faults:
        raise ConfigError(faults)
    pairs = [(name.lower().encode(), _header_bytes(value)) for name, value in headers.items()]
    names = [name for name, _ in pairs]
    request = Inbound(
        method,
        dict(pairs),
        frozenset(name for name in names if names.count(name) > 1),
        body,
        now * SECOND,
        target=f"{urlsplit(base).path}?{query}".encode() if query else urlsplit(base).path.encode(),
    )
    return verifier.verify(request).outcome


def _with_durations(description: Mapping[str, Json]) -> Json:
    """A description in which `tolerance` and `future` are written as a routes file has them."""
    return {
        name: _with_durations(value)
        if isinstance(value, dict)
        else f"{value}s"
        if name in ("tolerance", "future") and type(value) is int
        else value
        for name, value in description.items()
    }


NOWHERE = "https://gateway.invalid/"


def _header_bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


def may_dial(address: str, allow: Sequence[str] = ()) -> str:
    """Why the gateway does not call *address*, whatever the port; empty where it does.

    *allow* are the ranges that `--egress-allow` would name. Raises ValueError where one is none.
    """
    return classify(address, [allowed_network(each) for each in allow]).reason


def _as_decoded(value: Json) -> Json:
    """A decoded event as the gateway would have decoded it: beyond 64 bits, a number is a double."""
    if isinstance(value, dict):
        return {name: _as_decoded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_decoded(each) for each in value]
    return _as_double(value) if _is_large(value) else value


def _as_double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _has_large(event: Json) -> bool:
    stack = [event]
    while stack:
        each = stack.pop()
        if isinstance(each, (dict, list)):
            stack.extend(each.values() if isinstance(each, dict) else each)
        elif _is_large(each):
            return True
    return False


def _is_large(value: Json) -> bool:
    return isinstance(value, int) and not SMALLEST_INT <= value <= LARGEST_INT


def _problem(name: str, fault: Fault) -> Problem:
    place = ".".join(map(str, (name, *fault.place)))
    return Problem(file=place, line=0, column=0, code=fault.code, what=fault.what, cure=fault.cure)


class ManualClock:
    """A clock that stands still until it is moved; its chances are all even."""

    def __init__(self, now: Micros | None = None) -> None:
        self._now = SystemClock().now() if now is None else now
        self._wake: list[Callable[[], None]] = []

    def now(self) -> Micros:
        """The wall clock, in microseconds."""
        return self._now

    def monotonic(self) -> Micros:
        """The same."""
        return self._now

    def chance(self) -> float:
        """No jitter."""
        return 0.0

    def on_jump(self, wake: Callable[[], None]) -> None:
        """Call *wake* whenever the clock is moved."""
        self._wake.append(wake)

    def advance(self, seconds: float) -> None:
        """Move the clock, and wake whoever waits for a moment that may have come."""
        self._now += round(seconds * SECOND)
        for wake in self._wake:
            wake()


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """A request that a scripted endpoint received."""

    method: str
    path: str
    """Below the endpoint's URL."""
    query: dict[str, str]
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    def json(self) -> Json:
        """The body, decoded."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    reset: bool = False
    hang: bool = False


class ScriptedEndpoint:
    """What one endpoint answers, call by call: first what was scripted, then 200."""

    def __init__(self) -> None:
        self._script: deque[_Reply] = deque()
        self._received: list[ReceivedCall] = []
        self._changed = asyncio.Event()

    def reply(
        self,
        status: int = 200,
        json: Json = None,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Answer the next call so."""
        content = body if json is None else orjson.dumps(json)
        self._script.append(_Reply(status, content, headers))
        return self

    def reset(self) -> Self:
        """Break the connection at the next call, without an answer."""
        self._script.append(_Reply(reset=True))
        return self

    def hang(self) -> Self:
        """Never answer the next call."""
        self._script.append(_Reply(hang=True))
        return self

    @property
    def received(self) -> list[ReceivedCall]:
        """The calls so far."""
        return self._received

    async def calls(self, count: int) -> list[ReceivedCall]:
        """The calls, once there are so many."""
        while len(self._received) < count:
            self._changed.clear()
            await self._changed.wait()
        return self._received

    async def answer(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """Note a call, and answer it as scripted."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self._received.append(
            ReceivedCall(request.method, path, dict(request.query), headers, body)
        )
        self._changed.set()
        reply = self._script.popleft() if self._script else _Reply()
        if reply.hang:
            await asyncio.Event().wait()
        if reply.reset and request.transport is not None:
            request.transport.abort()
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)


class ScriptedServer:
    """A real HTTP server on a free port, with an endpoint below each name."""

    def __init__(self) -> None:
        self._endpoints: dict[str, ScriptedEndpoint] = {}
        self._runner: web.ServerRunner | None = None
        self.url = ""

    def endpoint(self, name: str) -> ScriptedEndpoint:
        """The endpoint at `/name`."""
        return self._endpoints.setdefault(name, ScriptedEndpoint())

    async def start(self) -> None:
        """Listen."""
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await self._runner.setup()
        sock = listen(ANYWHERE, "test")
        await web.SockSite(self._runner, sock).start()
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"

    async def stop(self) -> None:
        """Break off what hangs, and close."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        name, _, path = request.path.removeprefix("/").partition("/")
        return await self.endpoint(name).answer(request, f"/{path}" if path else "")


class Gateway:
    """A gateway that runs by the routes file at *routes*, as an async context manager.

    *settings* are what `gateway.toml` may hold.
    """

    def __init__(self, routes: str | os.PathLike[str], **settings: Any) -> None:
        self._routes = Path(routes)
        self._settings = settings
        self._stack = contextlib.AsyncExitStack()
        self._server = ScriptedServer()
        self._waiting: dict[DeliveryId, str] = {}
        """Deliveries that have not ended, and their endpoints."""
        self._settled = asyncio.Event()
        self._session: aiohttp.ClientSession
        self.clock = ManualClock()
        self.service: Service

    async def __aenter__(self) -> Self:
        """Start it, and the scripted server."""
        await self._server.start()
        self._stack.push_async_callback(self._server.stop)
        try:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            settings = Settings(
                routes=self._routes,
                listen=ANYWHERE,
                admin=ANYWHERE,
                **{
                    "database": folder / "gateway.db",
                    "grace": "0s",
                    "ballast": "0",
                    **self._settings,
                },
            )
            self.service = await Service.open(
                settings, clock=self.clock, stand_in=lambda name: f"{self._server.url}/{name}"
            )
            self.service.telemetry.listen(self._report)
            await self.service.start()
            self._stack.push_async_callback(self.service.stop)
            self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything."""
        await self._stack.aclose()

    def endpoint(self, name: str) -> ScriptedEndpoint:
        """What stands in for that endpoint."""
        return self._server.endpoint(name)

    async def send(self, source: str, event: dict[str, Json] | bytes) -> dict[str, Json]:
        """Post *event* as that source would, signed; the gateway's answer with its `status`.

        A dict without `specversion` becomes a CloudEvent, its `id` and `source` made up if missing.
        Raises ConfigError when the routes file has no such source.
        """
        found = self.service.routes.sources.get(source)
        if found is None:
            raise ConfigError([]) from KeyError(source)
        body = event if isinstance(event, bytes) else orjson.dumps(_cloud_event(event))
        content_type = (
            "application/cloudevents+json" if b'"specversion"' in body else "application/json"
        )
        headers = found.verifier.sign(
            Sending(
                body,
                self.clock.now(),
                request_id=f"msg_{secrets.token_hex(8)}",
                target=f"/in/{source}".encode(),
            )
        )
        return await self.post(source, body, {**headers, "content-type": content_type})

    async def post(self, source: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Json]:
        """Post exactly this; the gateway's answer with its `status`."""
        url = f"{self.service.public_url}/in/{source}"
        async with self._session.post(url, data=body, headers=headers) as answer:
            content = await answer.read()
            fields = orjson.loads(content) if content else {}
            return {"status": answer.status, **fields}

    async def settled(self) -> None:
        """Return once every delivery has ended, or waits at an endpoint that takes no attempts.

        Moves the clock where nothing is under way, so that only a retry can be waited for: to when it
        is due, for an endpoint may say how long after the first attempt it wants another one.
        """
        while any(self.service.takes(endpoint) for endpoint in self._waiting.values()):
            self._settled.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    await self._settled.wait()
            if self.service.at_rest and not self._settled.is_set():
                await self._forget_ended()
                due_at = self.service.due_at
                wait = A_DAY if due_at is None else max(0, due_at - self.clock.now())
                self.clock.advance(wait / SECOND)

    async def _forget_ended(self) -> None:
        """Wait no more for what has ended without an attempt: superseded, expired, or cancelled."""
        for name in tuple(self._waiting):
            if not await self.service.is_to_be_sent(name):
                self._waiting.pop(name, None)

    def _report(self, name: str, fields: dict[str, Any]) -> None:
        if name == "events.kept":
            for arrival, receipt in zip(fields["arrivals"], fields["receipts"], strict=True):
                if not receipt.duplicate:
                    self._waiting.update({d.id: d.endpoint for d in arrival.deliveries})
        elif name == "attempt.recorded":
            if isinstance(fields["decision"], (Finish, GiveUp)):
                self._waiting.pop(fields["delivery"].id, None)
            self._settled.set()


def _cloud_event(event: dict[str, Json]) -> dict[str, Json]:
    made_up = {"specversion": "1.0", "id": f"test-{secrets.token_hex(8)}", "source": "/test"}
    return {**made_up, "datacontenttype": "application/json", **event}
