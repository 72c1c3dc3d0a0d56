"""Who may see and do what on the pages: sessions, cookies, forms, scopes."""

import re
from io import BytesIO

import aiohttp
import pytest

from gateway.config.tokens import add_token
from gateway.core.access import Scope
from gateway.core.model import SECOND
from gateway.testing import Gateway
from gateway.web.dashboard import session as sessions
from gateway.web.dashboard.session import IDLE, LONGEST

TOKENS = {"admin": ["admin"], "reader": ["read"], "operator": ["read", "payload", "operate"]}


@pytest.fixture
async def guarded(routes_file, tmp_path):
    """A gateway that wants tokens, and those of its users."""
    file = tmp_path / "tokens"
    tokens = {n: add_token(file, n, frozenset(map(Scope, scopes))) for n, scopes in TOKENS.items()}
    async with Gateway(routes_file, admin_token_file=file) as gateway:
        yield gateway, tokens, file


class Visitor:
    """A browser without a screen."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.session.get(path, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("location") or await answer.text()

    async def post(self, path: str, form: dict[str, str], **headers: str) -> tuple[int, str]:
        async with self.session.post(
            path, data=form, headers=headers, allow_redirects=False
        ) as answer:
            return answer.status, answer.headers.get("location") or await answer.text()

    async def log_in(self, token: str) -> "Visitor":
        assert (await self.post("/login", {"token": token}))[0] == 303
        return self

    async def csrf(self, path: str) -> str:
        _, page = await self.get(path)
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found is not None
        return found[1]


@pytest.fixture
async def visitor(guarded):
    async with aiohttp.ClientSession(
        guarded[0].service.admin_url, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as session:
        yield Visitor(session)


async def test_who_is_not_logged_in_is_asked_for_a_token_and_led_on(guarded, visitor):
    status, place = await visitor.get("/events?type=license.expired")
    assert (status, place) == (303, "/login?next=%2Fevents%3Ftype%3Dlicense.expired")
    assert (await visitor.post(place, {"token": "wrong"}))[0] == 401
    status, place = await visitor.post(place, {"token": guarded[1]["reader"]})
    assert (status, place) == (303, "/events?type=license.expired")
    assert (await visitor.get(place))[0] == 200


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_logging_in_leads_to_no_page_of_others(guarded, visitor, place):
    form = {"token": guarded[1]["reader"]}
    async with visitor.session.post(
        "/login", params={"next": place}, data=form, allow_redirects=False
    ) as answer:
        assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    ("scheme", "cookie"),
    [
        ("http", r"gateway=[\w-]{43}; HttpOnly; Path=/; SameSite=strict"),
        ("https", r"__Host-gateway=[\w-]{43}; HttpOnly; Path=/; SameSite=strict; Secure"),
    ],
)
async def test_the_cookie_is_bound_to_this_host_and_told_to_nobody(
    guarded, visitor, scheme, cookie
):
    origin = f"{scheme}://{visitor.session._base_url.authority}"
    async with visitor.session.post(
        "/login", data={"token": guarded[1]["reader"]}, headers={"origin": origin},
        allow_redirects=False,
    ) as answer:  # fmt: skip
        assert re.fullmatch(cookie, answer.headers["set-cookie"])
        assert answer.headers["cache-control"] == "no-store"


async def test_a_page_says_what_it_may_load_and_what_it_tells_others(guarded, visitor):
    await visitor.log_in(guarded[1]["reader"])
    async with visitor.session.get("/") as answer:
        assert answer.headers["content-security-policy"].startswith(
            "default-src 'none'; script-src"
        )
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        page = await answer.text()
    style = re.search(r'href="(/static/dashboard\.\w+\.css)"', page)[1]
    async with visitor.session.get(style) as answer:
        assert "immutable" in answer.headers["cache-control"]
    assert (await visitor.get("/static/dashboard.css"))[0] == 404


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        ({}, {}, 403),
        ({"csrf": "made up"}, {}, 403),
        ({"csrf": "é"}, {}, 403),
        ({"csrf": "right"}, {"origin": "https://evil.example"}, 403),
        ({"csrf": "right"}, {"sec-fetch-site": "cross-site"}, 403),
        ({"csrf": "right"}, {"sec-fetch-site": "same-site"}, 403),
        ({"csrf": "right"}, {"origin": "null"}, 403),
        ({"csrf": "right"}, {"origin": "null", "sec-fetch-site": "same-origin"}, 303),
        ({"csrf": "right"}, {}, 303),
    ],
)
async def test_a_form_of_another_page_changes_nothing(guarded, visitor, form, headers, status):
    gateway, tokens, _ = guarded
    await visitor.log_in(tokens["operator"])
    csrf = await visitor.csrf("/endpoints/cms")
    form = {name: csrf if value == "right" else value for name, value in form.items()}
    assert (await visitor.post("/endpoints/cms/pause", form, **headers))[0] == status
    assert gateway.service.takes("cms") is (status != 303)


async def test_the_token_of_another_session_is_none(guarded, visitor):
    await visitor.log_in(guarded[1]["operator"])
    others = await visitor.csrf("/endpoints/cms")
    await visitor.log_in(guarded[1]["operator"])
    assert (await visitor.post("/endpoints/cms/pause", {"csrf": others}))[0] == 403


async def test_a_reader_sees_no_contents_and_no_buttons_and_can_change_nothing(guarded, visitor):
    gateway, tokens, _ = guarded
    event = await gateway.send(
        "getty", {"type": "license.expired", "subject": "a", "data": {"x": "s3nsitive"}}
    )
    await gateway.settled()
    await visitor.log_in(tokens["reader"])
    for path in ("/", f"/events/{event['id']}", "/endpoints/cms", "/dead", "/inbox"):
        status, page = await visitor.get(path)
        assert (status, "s3nsitive" in page) == (200, False)
        assert re.findall(r"<button[^>]*>([^<]+)", page) in (["Log out"], ["Log out", "Search"])
    assert (await visitor.get(f"/events/{event['id']}/body"))[0] == 403
    assert (await visitor.get("/audit"))[0] == 403
    csrf = await visitor.csrf("/")
    for path in ("/endpoints/cms/pause", f"/events/{event['id']}/replay", "/dead/redeliver"):
        assert (await visitor.post(path, {"csrf": csrf}))[0] == 403
    await visitor.log_in(tokens["admin"])
    _, page = await visitor.get("/audit")
    assert page.count("scope-missing") == 3
    assert "reader" in page


async def test_what_is_done_on_a_page_is_audited_by_the_name_of_the_token(guarded, visitor):
    await visitor.log_in(guarded[1]["operator"])
    csrf = await visitor.csrf("/endpoints/cms")
    await visitor.post("/endpoints/cms/pause", {"csrf": csrf, "reason": "they move"})
    (entry,) = await guarded[0].service._store.audit({"action": "pause"})
    assert (entry["who"], entry["object"], entry["outcome"]) == ("operator", "cms", "done")


async def test_logging_out_ends_a_session_on_both_sides(guarded, visitor):
    await visitor.log_in(guarded[1]["reader"])
    kept = {each.key: each.value for each in visitor.session.cookie_jar}
    assert (await visitor.post("/logout", {}))[0] == 403
    csrf = await visitor.csrf("/")
    assert await visitor.post("/logout", {"csrf": csrf}) == (303, "/login")
    visitor.session.cookie_jar.update_cookies(kept)
    assert await visitor.get("/") == (303, "/login")


async def test_a_token_that_is_taken_away_ends_its_sessions(guarded, visitor):
    gateway, tokens, file = guarded
    await visitor.log_in(tokens["reader"])
    lines = [line for line in file.read_text().splitlines() if not line.startswith("reader ")]
    file.write_text("\n".join(lines))
    await gateway.service._reload_tokens()
    assert await visitor.get("/") == (303, "/login")


async def test_a_session_ends_when_nobody_uses_it_and_after_half_a_day(guarded, visitor):
    gateway, tokens, _ = guarded
    await visitor.log_in(tokens["reader"])
    for headers in ({}, {"x-live": "1"}):  # a page that refreshes itself is not used
        gateway.clock.advance(IDLE / SECOND - 1)
        assert (await visitor.get("/", **headers))[0] == 200
    gateway.clock.advance(2)
    assert (await visitor.get("/"))[0] == 303
    await visitor.log_in(tokens["reader"])
    for _ in range(LONGEST // (IDLE // 2)):
        gateway.clock.advance(IDLE / SECOND / 2)
        assert (await visitor.get("/"))[0] == 200
    gateway.clock.advance(1)
    assert (await visitor.get("/"))[0] == 303


async def test_where_no_token_is_needed_a_session_comes_by_itself_and_they_are_bounded(
    gateway, monkeypatch
):
    monkeypatch.setattr(sessions, "MOST", 3)
    async with aiohttp.ClientSession(
        gateway.service.admin_url, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as session:
        first = Visitor(session)
        csrf = await first.csrf("/endpoints/cms")
        assert (await first.get("/audit"))[0] == 200
        for strangers, done in ((2, True), (3, False)):
            for _ in range(strangers):
                async with aiohttp.request("GET", f"{gateway.service.admin_url}/routes") as answer:
                    assert "set-cookie" in answer.headers
            await first.post("/endpoints/cms/pause", {"csrf": csrf})
            assert gateway.service.takes("cms") is not done
            await gateway.service._operate.resume("cms")


@pytest.mark.parametrize(
    ("button", "page"),
    [
        ("/endpoints/cms/pause", "/endpoints/cms"),
        ("/dead/redeliver", "/dead"),
        ("/events/replay", "/events"),
        ("/inbox/read-again", "/inbox"),
        ("/resume", "/"),
        ("/routes", "/routes"),
    ],
)
async def test_where_no_token_is_needed_a_button_of_an_ended_session_leads_back_to_its_page(
    gateway, button, page
):
    async with aiohttp.ClientSession(
        gateway.service.admin_url, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as session:
        visitor = Visitor(session)
        assert await visitor.post(button, {"csrf": "of a gateway before"}) == (303, page)
        assert "The session had ended, and nothing was done" in (await visitor.get(page))[1]
        assert gateway.service.takes("cms")
        csrf = await visitor.csrf("/endpoints/cms")
        assert (await visitor.post("/endpoints/cms/pause", {"csrf": csrf}))[0] == 303
        assert not gateway.service.takes("cms")


@pytest.mark.parametrize(
    "path",
    [
        "/events?state=nonsense",
        "/events?unmatched=perhaps",
        "/events?cursor=inb_1",
        "/events?type=" + "x" * 1025,
        "/events?text=%00",
        "/events/%00",
        "/deliveries?cursor=evt_1",
        "/deliveries?since=yesterday",
        "/inbox?refused=perhaps",
        "/inbox?outcome=nonsense",
        "/audit?who=%00",
        "/dead?reason=%00",
        "/dead/redeliver?until=tomorrow",
        "/events/replay?unmatched=false",
        "/events/replay?type=%00",
    ],
)
async def test_what_the_api_would_refuse_an_address_of_a_page_may_not_say_either(gateway, path):
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:
        status, page = await Visitor(session).get(path)
        assert (status, "<h1>" in page) == (404 if path == "/events/%00" else 400, True)
        assert "gateway:" not in page


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/endpoints/cms/pause", {"reason": "x" * 501}, 400),
        ("/endpoints/cms/pause", {"reason": "\0"}, 400),
        ("/endpoints/cms/pause", {"reason": "x" * 500}, 303),
        ("/dead/redeliver", {"rate": "9" * 5000}, 400),
        ("/dead/redeliver", {"rate": "0"}, 400),
        ("/dead/redeliver", {}, 400),
        ("/dead/redeliver", {"rate": "5", "type": "x" * 1025}, 400),
        ("/dead/redeliver", {"rate": "5", "since": "then"}, 400),
        ("/dead/redeliver", {"rate": "5", "since": "2026-12-01T00:00"}, 303),
        ("/events/replay", {"rate": "5", "state": "dead"}, 400),
        ("/events/replay", {"rate": ""}, 400),
        ("/events/replay", {"rate": "5", "unmatched": "true"}, 303),
    ],
)
async def test_what_the_api_would_refuse_a_form_may_not_say_either(gateway, path, form, status):
    async with aiohttp.ClientSession(
        gateway.service.admin_url, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as session:
        visitor = Visitor(session)
        csrf = await visitor.csrf("/endpoints/cms")
        found, page = await visitor.post(path, {"csrf": csrf, **form})
        assert found == status
        assert len(page) < 10_000
        assert gateway.service.takes("cms") is (path != "/endpoints/cms/pause" or status != 303)


async def test_where_no_token_is_needed_nobody_is_asked_for_one(gateway):
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:
        assert await Visitor(session).get("/login") == (303, "/")


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a=1&" * 200, 400),
        ("application/x-www-form-urlencoded", b"event=" + b"x" * (2 * 1024 * 1024), 413),
        ("application/x-www-form-urlencoded", b"\xff=1", 400),
        ("application/x-www-form-urlencoded", b"csrf=%ff", 400),
    ],
)
async def test_what_is_no_form_is_refused_with_a_page_that_says_so(
    gateway, content_type, body, status
):
    async with aiohttp.ClientSession(
        gateway.service.admin_url, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as session:
        await Visitor(session).get("/")
        async with session.post(
            "/routes", data=BytesIO(body), headers={"content-type": content_type}
        ) as answer:
            assert (answer.status, answer.content_type) == (status, "text/html")
