"""Tokens and client certificates in a whole gateway, against a server that wants both."""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import pytest
from aiohttp import BasicAuth, web

from gateway.config.settings import Settings
from gateway.core.model import Delivery
from gateway.service import Service
from gateway.web.server import listen
from tests.kit.authority import CertificateAuthority
from tests.kit.build import an_arrival

SECRET = "client-secret-that-nobody-may-see"
TOKEN = "token-that-nobody-may-see"
ROUTES = """\
version: 1
sources: {{getty: {{verify: none}}}}
endpoints:
  cms:
    url: {url}/hook
    sign: none
    auth: {{oauth2: {{token_url: "{url}/token", client_id: gateway, client_secret: {{file: secret}}, scope: a b}}}}
    tls: {{certificate: {{file: client.pem}}, key: {{file: client.key}}, ca: {{file: ca.pem}}}}
routes:
  - {{name: all, match: {{}}, to: [cms]}}
"""


@dataclass
class Guarded:
    """A server that lets in who has a certificate and a token of its own."""

    url: str = ""
    tokens: list[dict[str, list[str]]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    let_in: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        peer = request.get_extra_info("peercert")
        self.names.add(peer["subject"][0][0][1])
        if request.path == "/token":
            BasicAuth.decode(request.headers["authorization"])
            self.tokens.append(parse_qs((await request.read()).decode()))
            return web.json_response(
                {"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600}
            )
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        self.let_in += 1
        self.changed.set()
        return web.Response()

    async def lets_in(self, count: int) -> None:
        while self.let_in < count:
            self.changed.clear()
            await self.changed.wait()


@pytest.fixture
async def guarded(tmp_path):
    ca = CertificateAuthority(tmp_path)
    ca.issue("client")
    server = Guarded()
    runner = web.ServerRunner(web.Server(server.answer), shutdown_timeout=0.1)
    await runner.setup()
    sock = listen(("127.0.0.1", 0), "test")
    await web.SockSite(runner, sock, ssl_context=ca.server(wants_certificates=True)).start()
    server.url = f"https://127.0.0.1:{sock.getsockname()[1]}"
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "routes.yaml").write_text(ROUTES.format(url=server.url))
    yield server
    await runner.cleanup()


@pytest.fixture
async def service(guarded, tmp_path):
    anywhere = ("127.0.0.1", 0)
    settings = Settings(
        routes=tmp_path / "routes.yaml", database=tmp_path / "gateway.db",
        listen=anywhere, admin=anywhere, grace="0s",
    )  # fmt: skip
    made = await Service.open(settings)
    await made.start()
    yield made
    await made.stop()


async def delivered(service: Service, guarded: Guarded, count: int) -> list[Delivery]:
    arrival = an_arrival(to=())
    routed = [Delivery(arrival.event, n, "all", "cms") for n in range(count)]
    arrival.routed.deliveries[:] = routed
    await service._store.append([arrival])
    await service._claim.refresh()
    await guarded.lets_in(guarded.let_in + count)
    return routed


async def test_many_deliveries_at_once_are_let_in_by_one_token(service, guarded):
    await delivered(service, guarded, 20)
    assert guarded.tokens == [{"grant_type": ["client_credentials"], "scope": ["a b"]}]
    assert guarded.names == {"client"}


async def test_neither_secret_nor_token_is_written_down(service, guarded, capfd, tmp_path):
    reports: list[object] = []
    service.telemetry.listen(lambda name, fields: reports.append((name, fields)))
    await delivered(service, guarded, 1)
    await service.reload()
    told = [repr(reports), repr(service.routes.endpoints), *capfd.readouterr()]
    told += [file.read_bytes().decode("latin-1") for file in tmp_path.glob("gateway.db*")]
    for text in told:
        assert SECRET not in text
        assert TOKEN not in text
