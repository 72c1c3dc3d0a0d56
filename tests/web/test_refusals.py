"""Why was my webhook refused? What the inbox says, over real sockets."""

import asyncio
import base64
import hashlib

import aiohttp
import orjson
import pytest

from gateway.core.errors import StoreUnavailable
from tests.web.test_ingest import EVENT, JSON, a_post, raw

SIGNED = {
    "webhook-id": "m-1",
    "webhook-timestamp": "1795000000",
    "webhook-signature": "v1,c2VjcmV0",
}
CSV, BROTLI = {"content-type": "text/csv"}, {**JSON, "content-encoding": "br"}


async def inbox(gateway, **query) -> list[dict]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{gateway.service.admin_url}/api/v1/inbox", params=query) as answer,
    ):
        return orjson.loads(await answer.read())["items"]


async def refuse(gateway, source, body, headers, *, then="refusals.kept") -> dict:
    """Post what is refused; the answer, once the refusal is kept."""
    reported = asyncio.Event()
    gateway.service.telemetry.listen(lambda name, _fields: reported.set() if name == then else None)
    answer = await gateway.post(source, body, headers)
    await reported.wait()
    return answer


@pytest.mark.parametrize(
    ("source", "body", "headers", "code", "outcome", "kept"),
    [
        ("getty", b"{}", JSON, "verification-failed", "missing_header", "{}"),
        ("getty", b"{}", JSON | SIGNED, "verification-failed", "stale_timestamp", "{}"),
        ("getty", b"", JSON, "empty-body", None, ""),
        ("open", b"{", JSON, "invalid-json", None, "{"),
        ("open", b"a,b", CSV, "media-type-unsupported", None, "a,b"),
        ("open", b"{}", BROTLI, "content-encoding-unsupported", None, None),
        ("open", b"x" * 2000, JSON, "body-too-large", None, None),
    ],
)
async def test_a_refused_request_to_a_source_is_in_the_inbox(
    gateway, source, body, headers, code, outcome, kept
):
    gateway.clock._now = 1_795_003_600_000_000
    answer = await refuse(gateway, source, body, headers)
    assert answer["code"] == code
    (entry,) = await inbox(gateway)
    assert (entry["source"], entry["code"], entry["outcome"]) == (source, code, outcome)
    assert (entry["peer"], entry["method"]) == ("127.0.0.1", "POST")
    assert (entry["refused"], entry["body"]) == (True, kept or "")
    known = (None, None) if kept is None else (len(body), hashlib.sha256(body).hexdigest())
    assert (entry["body_bytes"], entry["sha256"]) == known
    assert await inbox(gateway, refused="false") == []


async def test_no_secret_of_a_refused_request_is_kept(gateway):
    secrets = {"authorization": "Bearer s3cret-1", "cookie": "a=s3cret-2", "x-token": "s3cret-3",
               "webhook-signature": "v1," + base64.b64encode(b"s3cret-4").decode()}  # fmt: skip
    await refuse(gateway, "getty", b"{}", JSON | SIGNED | secrets)
    (entry,) = await inbox(gateway)
    kept = orjson.dumps(entry).decode()
    assert "s3cret" not in kept
    assert base64.b64encode(b"s3cret-4").decode() not in kept
    assert ["authorization", "<redacted, 15 bytes>"] in entry["headers"]
    assert ["webhook-id", "m-1"] in entry["headers"]


async def test_what_its_answer_explains_or_nobody_asked_for_is_not_kept(gateway):
    await gateway.post("nobody", b"{}", JSON)
    await raw(gateway, a_post("/in/open", b"{}", method="DELETE"))
    statuses = [(await gateway.post("slow", orjson.dumps(EVENT), JSON))["status"] for _ in range(3)]
    assert statuses == [202, 429, 429]
    await refuse(gateway, "getty", b"{}", JSON)
    assert [entry["source"] for entry in await inbox(gateway)] == ["getty"]


async def test_one_entry_is_shown_whole_and_filters_narrow(gateway):
    await refuse(gateway, "getty", b"{}", JSON)
    await refuse(gateway, "open", b"{", JSON)
    (entry,) = await inbox(gateway, outcome="missing_header")
    assert [e["code"] for e in await inbox(gateway, source="open")] == ["invalid-json"]
    base = f"{gateway.service.admin_url}/api/v1/inbox"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/{entry['id']}") as answer:
            assert orjson.loads(await answer.read()) == entry
        async with session.get(f"{base}/inb_0") as answer:
            assert answer.status == 404


async def test_a_store_that_cannot_write_changes_nothing_for_the_sender(gateway, monkeypatch):
    async def fail(*_arguments):
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(gateway.service._store, "_change", fail)
        answer = await refuse(gateway, "getty", b"{}", JSON, then="refusals.lost")
        assert answer["status"] == 401
    assert (await refuse(gateway, "getty", b"{}", JSON))["status"] == 401
    assert len(await inbox(gateway)) == 1
