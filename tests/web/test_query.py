"""Queries, asked and answered over real sockets, of a scripted endpoint."""

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
import pytest_asyncio

from gateway.testing import Gateway

KEY, TOKEN, OTHER = "key-of-getty-0123456789", "portal-token-0123456789", "other-token-0123456789"
ROUTES = """\
version: 1
endpoints:
  getty:
    url: https://api.example.com/getty
    auth: {header: {name: Api-Key, value: {env: GETTY_KEY}}}
    timeout: 5s
queries:
  images:
    endpoint: getty
    path: /v3/search
    parameters: [phrase, page, "orientations[]"]
    fixed: {fields: "id,title"}
    callers: [{env: OLD_TOKEN, until: 2020-01-01T00:00:00Z}, {env: PORTAL_TOKEN}]
    cache: 10m
    stale: 1h
    max_answer: 100KiB
  open:
    endpoint: getty
    parameters: [phrase]
    callers: anyone
    origins: ["https://portal.example.com"]
"""
OPEN = "queries: {open: {endpoint: getty, callers: anyone, cache: 1h}}\n"
FOUND = {"images": [{"id": 1}]}
PAGE = "https://portal.example.com"


@pytest_asyncio.fixture
async def gateway(tmp_path, monkeypatch) -> AsyncIterator[Gateway]:
    monkeypatch.setenv("GETTY_KEY", KEY)
    monkeypatch.setenv("PORTAL_TOKEN", TOKEN)
    monkeypatch.setenv("OLD_TOKEN", OTHER)
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    async with Gateway(path) as running:
        yield running


async def ask(
    gateway: Gateway,
    path: str = "images?phrase=cat",
    token: str | None = TOKEN,
    method: str = "GET",
    **headers: str,
) -> tuple[int, dict[str, str], bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    url = f"{gateway.service.public_url}/q/{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=sent) as answer,
    ):
        found = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, found, await answer.read()


def code(body: bytes) -> str:
    return orjson.loads(body)["code"]


async def test_what_is_asked_is_asked_of_the_endpoint_with_its_key_and_answered(gateway):
    getty = gateway.endpoint("getty").reply(
        json=FOUND, headers={"content-type": "application/json", "x-quota": "3", "set-cookie": "a"}
    )
    status, headers, body = await ask(
        gateway, "images?phrase=caf%C3%A9&orientations=a&orientations=b"
    )
    (call,) = getty.received
    assert (call.method, call.path) == ("GET", "/v3/search")
    assert call.query == {"phrase": "café", "orientations": "a", "fields": "id,title"}
    assert call.headers["api-key"] == KEY
    assert "authorization" not in call.headers
    assert (status, orjson.loads(body)) == (200, FOUND)
    assert headers["content-type"] == "application/json"
    assert headers["cache-status"] == "rights-gateway; fwd=miss"
    assert headers["cache-control"] == "private, max-age=600"
    assert not {"x-quota", "set-cookie"} & headers.keys()


async def test_the_same_is_answered_again_without_the_endpoint_until_it_is_no_longer_fresh(gateway):
    getty = gateway.endpoint("getty").reply(json=FOUND).reply(json={"images": []})
    await ask(gateway, "images?phrase=cat&page=2")
    gateway.clock.advance(60)
    status, headers, body = await ask(gateway, "images?page=2&phrase=cat")
    assert (status, orjson.loads(body)) == (200, FOUND)
    assert (headers["age"], headers["cache-control"]) == ("60", "private, max-age=540")
    assert headers["cache-status"] == "rights-gateway; hit; ttl=540"
    assert len(getty.received) == 1
    gateway.clock.advance(540)
    _, _, body = await ask(gateway, "images?page=2&phrase=cat")
    assert orjson.loads(body) == {"images": []}


async def test_who_has_the_answer_already_hears_so(gateway):
    gateway.endpoint("getty").reply(json=FOUND)
    _, headers, _ = await ask(gateway)
    status, again, body = await ask(gateway, if_none_match=headers["etag"])
    assert (status, again["etag"], body) == (304, headers["etag"], b"")


async def test_head_has_the_same_headers_and_no_body(gateway):
    gateway.endpoint("getty").reply(json=FOUND)
    status, headers, body = await ask(gateway, method="HEAD")
    assert (status, body) == (200, b"")
    assert headers["content-length"] == str(len(orjson.dumps(FOUND)))


@pytest.mark.parametrize("token", [None, "", "wrong", OTHER, KEY])
async def test_who_shows_no_token_that_is_valid_hears_nothing(gateway, token):
    status, headers, body = await ask(gateway, token=token)
    assert (status, code(body)) == (401, "caller-unknown")
    assert headers["www-authenticate"] == 'Bearer realm="queries"'
    assert gateway.endpoint("getty").received == []


async def test_who_is_turned_away_stands_in_the_log_without_what_was_shown(gateway, logged):
    await ask(gateway, token="a-wrong-token-0123")
    (line,) = [each for each in logged() if each["level"] == "warning"]
    assert (line["query"], line["outcome"]) == ("images", "caller-unknown")
    assert "a-wrong-token-0123" not in str(logged())


async def test_why_an_endpoint_gave_no_answer_stands_in_the_log(gateway, logged):
    gateway.endpoint("getty").reply(401)
    await ask(gateway, "images?phrase=what-was-asked")
    (line,) = [each for each in logged() if each["level"] == "warning"]
    assert (line["query"], line["endpoint"], line["reason"]) == ("images", "getty", "http-401")
    assert "what-was-asked" not in str(line)


async def test_two_tokens_at_once_are_none(gateway):
    headers = [("authorization", f"Bearer {TOKEN}")] * 2
    url = f"{gateway.service.public_url}/q/images"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    "query",
    ["q=1", "phrase=a&phrase=b", "phrase=%ff", "phrase=" + "a" * 1025, "fields=all", "orientations[]=a"],
)  # fmt: skip
async def test_parameters_that_are_not_allowed_are_refused_with_those_that_are(gateway, query):
    status, _, body = await ask(gateway, f"images?{query}")
    assert (status, code(body)) == (400, "parameter-invalid")
    assert gateway.endpoint("getty").received == []


async def test_the_refusal_lists_what_may_be_sent_and_repeats_nothing(gateway):
    _, _, body = await ask(gateway, "images?secret-word=1")
    detail = orjson.loads(body)["detail"]
    assert "orientations, page, phrase" in detail
    assert "secret-word" not in detail


async def test_a_query_that_is_not_there_is_a_path_that_is_not_there(gateway):
    answers = [await ask(gateway, path) for path in ("nope", "images/x", "../nowhere")]
    for status, _, body in answers:
        problem = orjson.loads(body)
        del problem["instance"]
        assert status == 404
        assert problem == {
            "type": "urn:rights-gateway:problem:not-found",
            "title": "Not found",
            "status": 404,
            "detail": "there is nothing at this path; post to /in/{source}",
            "code": "not-found",
        }


async def test_other_methods_are_refused(gateway):
    for method in ("POST", "DELETE", "OPTIONS"):
        status, headers, body = await ask(gateway, method=method)
        assert (status, headers["allow"], code(body)) == (405, "GET, HEAD", "method-not-allowed")


@pytest.mark.parametrize(
    ("upstream", "status", "problem"),
    [
        (400, 502, "upstream-failed"),
        (401, 502, "upstream-failed"),
        (302, 502, "upstream-failed"),
        (500, 502, "upstream-failed"),
        (429, 429, "upstream-limited"),
        (503, 503, "upstream-unavailable"),
        (504, 504, "upstream-timeout"),
    ],
)
async def test_an_endpoint_that_fails_is_told_by_its_status_alone(
    gateway, upstream, status, problem
):
    headers = {"location": "/elsewhere", "x-key": KEY}
    gateway.endpoint("getty").reply(upstream, body=f"your key {KEY}".encode(), headers=headers)
    got, headers, body = await ask(gateway)
    told = orjson.loads(body)
    assert (got, told["code"], told["upstream_status"]) == (status, problem, upstream)
    assert KEY not in str(headers) + body.decode()
    assert "your key" not in body.decode()
    assert headers["cache-control"] == "no-store"
    assert ("retry-after" in headers) == (upstream in (429, 503))


async def test_an_endpoint_that_cannot_be_reached_is_told_without_a_status(gateway):
    gateway.endpoint("getty").reset()
    status, _, body = await ask(gateway)
    told = orjson.loads(body)
    assert (status, told["code"], told["upstream_status"]) == (502, "upstream-failed", None)


async def test_a_stale_answer_stands_in_while_the_endpoint_fails(gateway):
    gateway.endpoint("getty").reply(json=FOUND).reply(500).reply(500)
    await ask(gateway)
    gateway.clock.advance(700)
    status, headers, body = await ask(gateway)
    assert (status, orjson.loads(body)) == (200, FOUND)
    assert headers["cache-control"] == "private, max-age=0"
    assert headers["cache-status"] == (
        'rights-gateway; fwd=stale; fwd-status=500; ttl=-100; detail="500"'
    )
    gateway.clock.advance(3600)
    status, _, _ = await ask(gateway)
    assert status == 502


async def test_the_key_is_taken_out_of_an_answer_that_echoes_it(gateway, logged):
    echo = f'{{"you sent":"{KEY}"}}'.encode()
    gateway.endpoint("getty").reply(body=echo, headers={"content-type": f"text/x; k={KEY}"})
    _, headers, body = await ask(gateway)
    assert body == b'{"you sent":"<secret>"}'
    assert KEY not in str(headers)
    assert KEY not in str(logged())


async def test_what_a_browser_could_run_is_shown_as_data(gateway):
    gateway.endpoint("getty").reply(body=b"<script>", headers={"content-type": "text/html"})
    _, headers, _ = await ask(gateway)
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


async def test_an_answer_is_as_long_as_the_query_allows_and_no_longer(gateway):
    gateway.endpoint("getty").reply(body=b"a" * 100 * 1024).reply(body=b"a" * (100 * 1024 + 1))
    status, _, body = await ask(gateway)
    assert (status, len(body)) == (200, 100 * 1024)
    status, _, body = await ask(gateway, "images?phrase=dog")
    assert (status, code(body)) == (502, "upstream-failed")


async def test_a_page_of_an_origin_that_is_listed_may_ask_and_no_other(gateway):
    gateway.endpoint("getty").reply(json=FOUND).reply(json=FOUND).reply(500)
    status, headers, _ = await ask(gateway, "open", None, "OPTIONS", origin=PAGE)
    assert (status, headers["access-control-allow-origin"]) == (204, PAGE)
    assert "authorization" in headers["access-control-allow-headers"]
    _, headers, _ = await ask(gateway, "open?phrase=a", None, origin=PAGE)
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["vary"] == "origin"
    _, headers, _ = await ask(gateway, "open?phrase=b", None, origin="https://evil.example.com")
    assert "access-control-allow-origin" not in headers
    status, headers, _ = await ask(gateway, "open?phrase=c", None, origin=PAGE)
    assert (status, headers["access-control-allow-origin"]) == (502, PAGE)
    _, headers, _ = await ask(gateway, token=None, origin=PAGE)
    assert "access-control-allow-origin" not in headers


async def test_a_token_that_is_rotated_lets_in_after_a_reload_and_the_answers_stay(
    gateway, monkeypatch
):
    getty = gateway.endpoint("getty").reply(json=FOUND).reply(json=FOUND)
    await ask(gateway)
    monkeypatch.setenv("PORTAL_TOKEN", "new-token-0123456789")
    await gateway.service.reload_routes()
    assert (await ask(gateway))[0] == 401
    status, headers, _ = await ask(gateway, token="new-token-0123456789")
    assert (status, len(getty.received)) == (200, 1)
    assert "; hit; " in headers["cache-status"]


async def test_another_key_of_the_endpoint_makes_what_is_kept_another_one_s(gateway, monkeypatch):
    getty = gateway.endpoint("getty").reply(json=FOUND).reply(json=FOUND)
    await ask(gateway)
    monkeypatch.setenv("GETTY_KEY", "another-key-of-getty")
    await gateway.service.reload_routes()
    await ask(gateway)
    assert [call.headers["api-key"] for call in getty.received] == [KEY, "another-key-of-getty"]


async def test_what_became_of_queries_is_counted(gateway):
    gateway.endpoint("getty").reply(json=FOUND)
    await ask(gateway)
    await ask(gateway)
    await ask(gateway, token=None)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{gateway.service.admin_url}/metrics") as answer,
    ):
        text = await answer.text()
    for outcome in ("fetched", "hit", "caller-unknown"):
        assert f'gateway_queries_total{{outcome="{outcome}",query="images"}} 1.0' in text
    assert 'gateway_query_duration_seconds_count{query="images"} 1.0' in text


async def test_an_address_that_asks_too_much_is_held_to_its_rate(tmp_path, monkeypatch):
    monkeypatch.setenv("GETTY_KEY", KEY)
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES[: ROUTES.index("queries:")] + OPEN)
    async with Gateway(path, address_rate="2/m") as running:
        running.endpoint("getty").reply(json=FOUND)
        assert [(await ask(running, "open", None))[0] for _ in range(3)] == [200, 200, 429]


async def test_a_gateway_that_shuts_down_takes_no_queries(gateway):
    gateway.service._public.draining = True
    status, _, body = await ask(gateway)
    assert (status, code(body)) == (503, "draining")
