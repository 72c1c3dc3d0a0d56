"""`/callback/{token}` over real sockets: what a browser, a mail scanner and a program meet."""

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
import pytest_asyncio

from gateway.testing import Gateway

ROUTES = """\
version: 1
sources:
  portal: {verify: none}
endpoints:
  tracker: {url: "https://tracker.example.com", sign: none}
  cms: {url: "https://cms.example.com", sign: none}
routes:
  - name: review
    match: {type: license.requested}
    to: [{endpoint: tracker, call: {json: "${callback}"}}]
    await:
      key: ${event.data.request_id}
      answers: {approve: license.approved, reject: license.rejected}
      within: 2d
      else: license.rejected
  - {name: outcome, match: {type: [license.approved, license.rejected]}, to: [cms]}
"""
REQUEST = {
    "specversion": "1.0", "id": "1", "source": "/portal", "type": "license.requested",
    "subject": "asset/<b>847</b>", "data": {"request_id": "req_1"},
}  # fmt: skip
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest_asyncio.fixture
async def gateway(tmp_path) -> AsyncIterator[Gateway]:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    async with Gateway(path) as running:
        yield running


@pytest_asyncio.fixture
async def links(gateway) -> dict[str, str]:
    """The links that the tracker was sent."""
    tracker = gateway.endpoint("tracker").reply(200)
    await gateway.send("portal", REQUEST)
    (call,) = await tracker.calls(1)
    found: dict[str, str] = call.json()
    return found


async def ask(url: str, method: str = "GET", **more) -> tuple[int, dict[str, str], bytes]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **more) as answer:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, headers, await answer.read()


async def made(gateway, count: int) -> list[dict]:
    """What became of it."""
    calls = await gateway.endpoint("cms").calls(count)
    await gateway.settled()
    assert len(gateway.endpoint("cms").received) == count
    return [call.json() for call in calls]


async def test_to_look_decides_nothing(gateway, links):
    for method in ("GET", "HEAD", "GET"):
        status, headers, body = await ask(links["approve"], method, headers=BROWSER)
        assert status == 200
    page = body.decode()
    assert '<form method="post">' in page
    assert '<button name="answer" value="approve">' in page
    assert "asset/&lt;b&gt;847&lt;/b&gt;" in page
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert await made(gateway, 0) == []


async def test_a_person_presses_the_button(gateway, links):
    form = {"answer": "reject", "by": "Ann", "reason": "too dear"}
    status, _, body = await ask(links["url"], "POST", headers=BROWSER, data=form)
    assert (status, "Your answer counts: reject" in body.decode()) == (200, True)
    (event,) = await made(gateway, 1)
    assert event["type"] == "license.rejected"
    assert event["data"]["decided_by"] == {"id": "Ann"}
    status, _, body = await ask(links["approve"], headers=BROWSER)
    assert (status, "This was answered: reject" in body.decode()) == (200, True)
    status, _, body = await ask(links["approve"], "POST", headers=BROWSER, data={})
    assert (status, "Answered before" in body.decode()) == (409, True)
    assert len(await made(gateway, 1)) == 1


async def test_a_program_posts_json(gateway, links):
    status, headers, body = await ask(links["url"])
    assert (status, headers["content-type"]) == (200, "application/json")
    assert orjson.loads(body)["answers"] == ["approve", "reject"]
    for decided in (True, False):
        status, _, body = await ask(links["url"], "POST", json={"answer": "approve", "by": "flow"})
        assert (status, orjson.loads(body)) == (200, {"answer": "approve", "decided": decided})
    status, headers, body = await ask(links["reject"], "POST")
    assert (status, headers["content-type"]) == (409, "application/problem+json")
    assert orjson.loads(body)["code"] == "question-answered"


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"json": {"answer": "maybe"}}, 400, "parameter-invalid"),
        ({"json": {}}, 400, "parameter-invalid"),
        ({"json": {"answer": 1}}, 400, "body-unreadable"),
        ({"json": ["approve"]}, 400, "body-unreadable"),
        ({"data": b"{", "headers": {"content-type": "application/json"}}, 400, "body-unreadable"),
        (
            {"data": b"[" * 9_000, "headers": {"content-type": "application/json"}},
            400,
            "body-unreadable",
        ),
        (
            {
                "data": b'{"answer": "approve", "answer": "reject"}',
                "headers": {"content-type": "application/json"},
            },
            400,
            "body-unreadable",
        ),
        ({"data": [("answer", "approve"), ("answer", "reject")]}, 400, "body-unreadable"),
        ({"data": b"x", "headers": {"content-type": "text/plain"}}, 415, "media-type-unsupported"),
        ({"json": {"answer": "a" * 20_000}}, 413, "body-too-large"),
    ],
)
async def test_what_is_no_answer_is_refused(gateway, links, given, status, code):
    found, _, body = await ask(links["url"], "POST", **given)
    assert (found, orjson.loads(body)["code"]) == (status, code)
    assert await made(gateway, 0) == []


async def test_other_methods_and_other_links_lead_nowhere(gateway, links):
    status, headers, _ = await ask(links["url"], "DELETE")
    assert (status, headers["allow"]) == (405, "GET, HEAD, POST")
    for method in ("GET", "POST"):
        status, _, body = await ask(f"{links['url']}x", method)
        assert (status, orjson.loads(body)["code"]) == (404, "not-found")
    status, _, body = await ask(f"{links['url']}x", headers=BROWSER)
    assert (status, b"<h1>Not found</h1>" in body) == (404, True)


async def test_links_outlast_a_restart(tmp_path):
    (tmp_path / "routes.yaml").write_text(ROUTES)
    database = str(tmp_path / "gateway.db")
    async with Gateway(tmp_path / "routes.yaml", database=database) as gateway:
        tracker = gateway.endpoint("tracker").reply(200)
        await gateway.send("portal", REQUEST)
        (call,) = await tracker.calls(1)
    path = call.json()["approve"].removeprefix(gateway.service.public_url)
    async with Gateway(tmp_path / "routes.yaml", database=database) as gateway:
        status, _, _ = await ask(f"{gateway.service.public_url}{path}", "POST")
        assert status == 200
        assert len(await made(gateway, 1)) == 1
