"""What the log has of requests: enough to find one by what its sender was told, and no secret of it."""

import asyncio

import aiohttp
import orjson
import pytest

from tests.web.test_ingest import EVENT, JSON, raw

MARK = "s3nsitive"
SECRET = {
    "authorization": f"Bearer {MARK}", "x-api-key": MARK, "cookie": f"session={MARK}",
    "webhook-signature": f"v1,{MARK}", "webhook-id": f"msg_{MARK}", "webhook-timestamp": MARK,
}  # fmt: skip


def of(lines: list[dict], instance: str) -> dict:
    """The one line with this instance."""
    (line,) = [line for line in lines if line.get("instance") == instance]
    return line


@pytest.mark.parametrize(
    ("path", "body", "headers", "code"),
    [
        ("/in/getty", b"{}", JSON, "verification-failed"),
        ("/in/open", b"{", JSON, "invalid-json"),
        ("/in/nobody", b"{}", JSON, "unknown-source"),
        ("/in/open", b"x" * 2000, JSON, "body-too-large"),
    ],
)
async def test_what_a_sender_was_told_leads_to_the_line_of_the_log(
    gateway, logged, path, body, headers, code
):
    url = gateway.service.public_url + path
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        told = orjson.loads(await answer.read())
    line = of(logged(), told["instance"])
    assert (line["code"], line["level"]) == (code, "warning") == (told["code"], "warning")
    if code != "unknown-source":
        assert f"`gateway inbox {line['entry']}`" in line["event"]


async def test_so_it_is_with_what_is_no_http_and_with_the_admin_api(gateway, logged):
    _, _, body = await raw(gateway, b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
    told = orjson.loads(body)
    assert of(logged(), told["instance"])["code"] == "request-malformed"
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{gateway.service.admin_url}/api/v1/events/evt_none") as answer,
    ):
        told = orjson.loads(await answer.read())
    line = of(logged(), told["instance"])
    assert (line["code"], line["status"], line["level"]) == ("not-found", 404, "debug")


async def test_no_line_has_anything_of_what_a_request_or_an_answer_says(gateway, logged, seen):
    gateway.endpoint("pager").reply(500, body=MARK.encode(), headers={"x-secret": MARK})
    public, admin = gateway.service.public_url, gateway.service.admin_url
    event = EVENT | {"type": "license.expired", "subject": MARK, "data": {"p": MARK}}
    broken = b'{"p": "' + MARK.encode()
    sealed = {**JSON, "content-encoding": MARK}
    recorded = asyncio.ensure_future(seen(gateway, "attempt.recorded"))
    async with aiohttp.ClientSession(headers=SECRET) as session:
        for path in ("getty", "open", MARK):
            for body, headers in ((orjson.dumps(event), JSON), (broken, JSON), (b"{}", sealed)):
                url = f"{public}/in/{path}?token={MARK}&{MARK}=1"
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()
        for path in (
            MARK,
            f"api/v1/events?type={MARK}",
            f"api/v1/events?x={MARK}",
            f"api/v1/events/{MARK}",
        ):
            async with session.get(f"{admin}/{path}") as answer:
                await answer.read()
        async with session.post(f"{admin}/api/v1/endpoints/none/pause") as answer:
            await answer.read()
    await raw(gateway, f"GET /{MARK} HTTP/1.1\r\n{MARK}\r\n\r\n".encode())
    await recorded
    lines = logged()
    told = {line["event"].partition(":")[0] for line in lines}
    assert {"an event is kept", "a request was refused", "a delivery is dead"} <= told
    assert [line for line in lines if MARK in str(line)] == []
