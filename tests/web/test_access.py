"""The door of the admin listener: names, origins, tokens, scopes."""

import asyncio
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from gateway.config.settings import Settings
from gateway.config.tokens import add_token
from gateway.core.access import Scope
from gateway.service import Service
from gateway.testing import ScriptedServer
from gateway.web.access import AdminGuard

HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
EVENT = {"type": "license.expired", "data": {"name": "s3nsitive"}}


@pytest.fixture
async def call(gateway):
    """Call the admin API: status, code where there is one, headers."""
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:

        async def call(method="GET", path="/version", **headers):
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            async with session.request(method, path, headers=headers) as answer:
                told = await answer.json(content_type=None)
                return answer.status, told.get("code"), answer.headers

        yield call


# -- names and origins -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:8081", "[::1]", "[::1]:8081"],
)
async def test_loopback_is_answered_by_any_of_its_names(call, host):
    assert (await call(host=host))[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8081", "10.0.0.1", "[::1",
     "[::2]", "localhost:80:80", "localhost:x", ":8081", "user@localhost", "[::1]x"],
)  # fmt: skip
async def test_another_name_is_not_answered(call, host):
    """A name that an attacker owns can be made to resolve to this machine: DNS rebinding."""
    for path in ("/version", "/api/v1/events", "/nope"):
        status, code, headers = await call(path=path, host=host)
        assert (status, code) == (421, "misdirected")
        assert HEADERS.items() <= dict(headers).items() or headers["cache-control"] == "no-store"


@pytest.mark.parametrize("admin", ["0.0.0.0", "::"])
def test_the_address_that_means_all_of_them_is_no_name_to_call_by(admin):
    assert AdminGuard(None, [admin, "Gateway"])._hosts == {"gateway"}


async def test_no_name_or_two_are_not_answered(gateway):
    for hosts in ("", "Host: localhost\r\nHost: localhost\r\n"):
        request = f"GET /version HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"
        place = urlsplit(gateway.service.admin_url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(request.encode())
        answer = await reader.read()
        writer.close()
        assert answer.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400"))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": "https://evil.example", "sec_fetch_site": "same-origin"},
    ],
)
async def test_a_page_of_another_origin_changes_nothing(call, gateway, headers):
    status, code, _ = await call("POST", "/api/v1/endpoints/cms/pause", **headers)
    assert (status, code) == (403, "cross-origin")
    assert gateway.service.takes("cms")


async def test_who_comes_by_plain_http_from_elsewhere_is_told_what_a_browser_does_not(gateway):
    url = f"{gateway.service.admin_url}/api/v1/endpoints/cms/pause"
    async with aiohttp.request("POST", url, headers={"origin": "null"}) as answer:
        detail = (await answer.json(content_type=None))["detail"]
    assert "open the page by https" in detail
    async with aiohttp.request("POST", url, headers={"origin": "https://evil.example"}) as answer:
        detail = (await answer.json(content_type=None))["detail"]
    assert "a page of another origin" in detail


async def test_programs_and_pages_of_its_own_may_change_things(call, gateway):
    own = gateway.service.admin_url
    for headers in ({}, {"origin": own}, {"origin": own, "sec_fetch_site": "same-origin"}):
        assert (await call("POST", "/api/v1/endpoints/cms/pause", **headers))[0] == 200


async def test_reading_is_not_bound_to_an_origin_but_no_page_may_read_the_answer(call):
    status, _, headers = await call(origin="https://evil.example", sec_fetch_site="cross-site")
    assert status == 200
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["/version", "/metrics", "/nope", "/api/v1/events/evt_0"])
async def test_every_answer_says_what_a_browser_must_not_do_with_it(gateway, path):
    async with (
        aiohttp.ClientSession(gateway.service.admin_url) as session,
        session.get(path) as answer,
    ):
        shown = {name.lower(): value for name, value in answer.headers.items()}
        assert HEADERS.items() <= shown.items()


# -- scopes ------------------------------------------------------------------------------------------


@pytest.fixture
async def guarded(routes_file, tmp_path):
    """A service whose admin API wants tokens, and one token for each scope."""
    server = ScriptedServer()
    await server.start()
    file = tmp_path / "tokens"
    tokens = {
        " ".join(scopes): add_token(file, "-".join(scopes), frozenset(map(Scope, scopes)))
        for scopes in (("read",), ("read", "payload"), ("operate",), ("admin",))
    }
    settings = Settings(
        routes=routes_file, database=tmp_path / "data" / "gateway.db", admin_token_file=file,
        listen=("127.0.0.1", 0), admin=("127.0.0.1", 0), admin_host="Gateway.internal,other",
    )  # fmt: skip
    service = await Service.open(settings, stand_in=lambda name: f"{server.url}/{name}")
    await service.start()
    service.test_server = server
    yield service, tokens, file
    await service.stop()
    await server.stop()


async def ask(service, token, path, method="GET", **headers):
    headers = {**headers, **({"authorization": f"Bearer {token}"} if token else {})}
    async with (
        aiohttp.ClientSession(service.admin_url) as session,
        session.request(method, path, headers=headers) as answer,
    ):
        content = await answer.read()
        return answer.status, content


PATHS = [
    ("GET", "/readyz", "read"), ("GET", "/version", "read"), ("GET", "/metrics", "read"),
    ("GET", "/api/v1/status", "read"), ("GET", "/api/v1/events", "read"),
    ("GET", "/api/v1/inbox", "read"), ("GET", "/api/v1/deliveries", "read"),
    ("GET", "/api/v1/routes/files", "read"), ("GET", "/api/v1/events/recorded", "payload"),
    ("POST", "/api/v1/endpoints/cms/pause", "operate"),
    ("POST", "/api/v1/endpoints/cms/resume", "operate"),
    ("POST", "/api/v1/events/evt_0/replay", "operate"),
    ("POST", "/api/v1/deliveries/dlv_0_0/redeliver", "operate"),
    ("POST", "/api/v1/deliveries/redeliver", "operate"),
    ("POST", "/api/v1/events/replay", "operate"),
    ("GET", "/api/v1/deliveries/groups", "read"), ("GET", "/api/v1/operations", "read"),
    ("GET", "/api/v1/operations/op_0", "read"),
    ("POST", "/api/v1/deliveries/dlv_0_0/cancel", "operate"), ("GET", "/api/v1/audit", "admin"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "scope"), PATHS)
async def test_each_path_wants_its_scope_and_admin_has_them_all(guarded, method, path, scope):
    service, tokens, _ = guarded
    assert (await ask(service, None, path, method))[0] == 401
    for scopes, token in tokens.items():
        status, content = await ask(service, token, path, method)
        if scope in scopes.split() or scopes == "admin":
            assert status in (200, 400, 404)  # there is nothing of that name, or no body
        else:
            assert (status, b"scope-missing" in content) == (403, True)
            assert f"lacks the scope {scope}".encode() in content


async def test_contents_are_left_out_without_the_scope_payload_and_the_answer_says_so(guarded):
    service, tokens, _ = guarded
    service.test_server.endpoint("pager").reply(500, body=b"s3nsitive answer")
    async with aiohttp.ClientSession(service.public_url) as session:
        for body in (EVENT, {"no": "type, s3nsitive"}):
            async with session.post("/in/open", json=body) as answer:
                assert answer.status in (200, 400)
    async with aiohttp.ClientSession(service.admin_url) as session:
        bearer = {"authorization": f"Bearer {tokens['admin']}"}
        async with session.get("/api/v1/events", headers=bearer) as answer:
            (event,) = (await answer.json())["items"]
        async with session.get(f"/api/v1/deliveries?event={event['id']}", headers=bearer) as answer:
            deliveries = [each["id"] for each in (await answer.json())["items"]]
    await service.test_server.endpoint("pager").calls(1)
    for path in (f"/api/v1/events/{event['id']}", *(f"/api/v1/deliveries/{d}" for d in deliveries)):
        assert b"s3nsitive" not in (await ask(service, tokens["read"], path))[1]
    _, shown = await ask(service, tokens["read"], f"/api/v1/events/{event['id']}")
    assert b'"left_out":{"fields":["data","body"],"scope":"payload"}' in shown
    _, shown = await ask(service, tokens["read payload"], f"/api/v1/events/{event['id']}")
    assert (b"s3nsitive" in shown, b"left_out" in shown) == (True, False)


async def test_a_name_of_the_settings_is_answered(guarded):
    service, tokens, _ = guarded
    for host, status in (("gateway.internal", 200), ("OTHER:80", 200), ("third", 421)):
        assert (await ask(service, tokens["read"], "/version", host=host))[0] == status


async def test_a_reload_takes_tokens_over_and_a_faulty_file_changes_nothing(guarded):
    service, tokens, file = guarded
    good = file.read_text()
    file.write_text("a-bare-token\n")
    await service.reload()
    assert (await ask(service, tokens["read"], "/version"))[0] == 200
    file.write_text("\n".join(line for line in good.splitlines() if not line.startswith("read ")))
    await service.reload()
    assert (await ask(service, tokens["read"], "/version"))[0] == 401
    assert (await ask(service, tokens["admin"], "/version"))[0] == 200
    _, audit = await ask(service, tokens["admin"], "/api/v1/audit?action=tokens")
    assert audit.count(b'"action":"tokens"') == 2
    assert audit.count(b'"outcome":"config-invalid"') == 1


async def test_a_change_that_a_token_may_not_make_is_in_the_audit_log(guarded):
    service, tokens, _ = guarded
    await ask(service, tokens["read"], "/api/v1/endpoints/cms/pause", "POST")
    await ask(service, tokens["read"], "/api/v1/audit")
    _, audit = await ask(service, tokens["admin"], "/api/v1/audit")
    (entry,) = orjson.loads(audit)["items"]
    assert (entry["who"], entry["address"]) == ("read", "127.0.0.1")
    assert (entry["action"], entry["object"]) == ("pause", "cms")
    assert entry["outcome"] == "scope-missing"


async def test_a_call_without_a_known_token_is_logged_with_its_address_and_not_audited(
    guarded, caplog
):
    service, tokens, _ = guarded
    for _ in range(20):
        await ask(service, "a-guess", "/api/v1/endpoints/cms/pause", "POST")
    lines = [each for each in caplog.records if "no token that is known" in each.message]
    assert {line.address for line in lines} == {"127.0.0.1"}
    assert 5 <= len(lines) < 15
    assert b'"items":[]' in (await ask(service, tokens["admin"], "/api/v1/audit"))[1]
