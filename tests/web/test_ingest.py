"""The public listener, over real sockets."""

import asyncio
import base64
import hmac

import orjson
import pytest

from gateway.config.secrets import read_development_secrets
from tests.flows.test_deliver import Broken

EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/s",
    "type": "license.expired",
    "data": {"a": 1},
}
JSON = {"content-type": "application/json"}


async def raw(gateway, request: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Exactly these bytes to the public listener; status line, headers and body of the answer."""
    host, port = gateway.service.public_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, *lines = head.strip().split("\r\n")
    headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    writer.close()
    return status.encode(), headers, body


def a_post(
    path: str = "/in/open", body: bytes = b"{}", *headers: str, method: str = "POST"
) -> bytes:
    given = "".join(f"{h}\r\n" for h in headers)
    return (
        f"{method} {path} HTTP/1.1\r\nhost: x\r\n{given}content-length: {len(body)}\r\n\r\n".encode()
        + body
    )


def problem(answer) -> tuple[str, str]:
    status, headers, body = answer
    assert headers["content-type"] == "application/problem+json"
    fields = orjson.loads(body)
    assert set(fields) == {"type", "title", "status", "detail", "instance", "code"}
    assert fields["type"].endswith(fields["code"])
    assert str(fields["status"]) in status.decode()
    return status.decode().split(" ")[1], fields["code"]


async def test_a_signed_event_is_accepted_with_its_id(gateway):
    answer = await gateway.send("getty", EVENT)
    assert answer["status"] == 202
    assert answer["duplicate"] is False
    assert answer["id"].startswith("evt_")


async def test_a_duplicate_hears_the_first_id(gateway):
    first = await gateway.send("getty", EVENT)
    again = await gateway.send("getty", EVENT)
    assert again == {"status": 202, "id": first["id"], "duplicate": True}


async def test_a_batch_hears_of_each_event(gateway):
    body = orjson.dumps([{**EVENT, "id": str(i)} for i in (1, 2, 1)])
    content_type = {"content-type": "application/cloudevents-batch+json"}
    answer = await gateway.post("open", body, content_type)
    assert [e["duplicate"] for e in answer["events"]] == [False, False, True]


async def test_a_source_may_want_to_hear_another_status(gateway):
    assert (await gateway.post("open", orjson.dumps(EVENT), JSON))["status"] == 200
    assert await gateway.post("quiet", orjson.dumps(EVENT), JSON) == {"status": 204}


async def test_a_wrong_signature_is_refused_without_a_reason(gateway):
    body = orjson.dumps(EVENT)
    answer = await gateway.post("getty", body, {**JSON, "webhook-signature": "v1,AAAA"})
    assert (answer["status"], answer["code"]) == (401, "verification-failed")
    for word in ("missing", "header", "timestamp", "bad_signature"):
        assert word not in answer["detail"]


async def test_401_says_how_to_authenticate(gateway):
    _, headers, _ = await raw(gateway, a_post("/in/getty"))
    assert headers["www-authenticate"].startswith("Signature")


@pytest.mark.parametrize(
    "path", ["/in/nope", "/in/", "/in/getty/x", "/in/%67etty", "/in/getty%00", "/in/../in/open"]
)
async def test_an_unknown_source_is_not_found(gateway, path):
    assert problem(await raw(gateway, a_post(path))) == ("404", "unknown-source")


@pytest.mark.parametrize("path", ["/", "/in", "/api/v1/events", "/metrics", "/%2e%2e/in/open"])
async def test_nothing_else_lives_on_the_public_listener(gateway, path):
    assert problem(await raw(gateway, a_post(path))) == ("404", "not-found")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_webhooks_are_posted(gateway, method):
    answer = await raw(gateway, a_post(method=method))
    assert problem(answer) == ("405", "method-not-allowed")
    assert answer[1]["allow"] == "POST"


async def test_a_body_that_is_announced_too_large_is_not_read(gateway):
    request = b"POST /in/open HTTP/1.1\r\nhost: x\r\ncontent-length: 1025\r\n\r\n"
    answer = await raw(gateway, request)
    assert problem(answer) == ("413", "body-too-large")
    assert answer[1]["connection"] == "close"


async def test_a_body_that_grows_too_large_is_read_no_further(gateway):
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    request = b"POST /in/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 2
    assert problem(await raw(gateway, request)) == ("413", "body-too-large")


async def test_a_body_of_exactly_the_limit_is_read(gateway):
    body = b'{"type":"x","pad":"' + b"x" * (1024 - 21) + b'"}'
    assert len(body) == 1024
    assert (await gateway.post("open", body, JSON))["status"] == 200


async def test_a_body_in_chunks_is_one_body(gateway):
    request = (
        b"POST /in/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        b'8\r\n{"type":\r\n4\r\n"x"}\r\n0\r\n\r\n'
    )
    status, _, _ = await raw(gateway, request)
    assert b"200" in status


async def test_an_empty_body_is_refused(gateway):
    assert problem(await raw(gateway, a_post(body=b""))) == ("400", "empty-body")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
async def test_a_compressed_body_is_refused(gateway, encoding):
    answer = await raw(gateway, a_post("/in/open", b"{}", f"content-encoding: {encoding}"))
    assert problem(answer) == ("415", "content-encoding-unsupported")
    assert answer[1]["accept-encoding"] == "identity"


async def test_another_content_type_is_refused(gateway):
    answer = await raw(gateway, a_post("/in/open", b"<x/>", "content-type: text/xml"))
    assert problem(answer) == ("415", "media-type-unsupported")


@pytest.mark.parametrize("body", [b"{", b"\xff", b"NaN"])
async def test_an_unreadable_body_of_an_open_source_is_refused(gateway, body):
    assert problem(await raw(gateway, a_post(body=body))) == ("400", "invalid-json")


async def test_an_unreadable_body_that_is_proven_is_kept_for_a_person(gateway):
    answer = await gateway.send("getty", b'{"specversion" no json')
    assert (answer["status"], answer["id"][:4]) == (202, "inb_")


async def test_too_fast_is_told_when_to_come_back(gateway):
    assert (await gateway.post("slow", orjson.dumps(EVENT), JSON))["status"] == 202
    answer = await raw(gateway, a_post("/in/slow"))
    assert problem(answer) == ("429", "rate-limited")
    assert int(answer[1]["retry-after"]) == 3600


async def test_when_nothing_can_be_kept_nothing_is_acknowledged(gateway):
    broken = Broken(gateway.service._store)
    answer = await raw(gateway, a_post(body=orjson.dumps(EVENT)))
    assert problem(answer) == ("503", "storage-unavailable")
    assert answer[1]["retry-after"] == "30"
    assert b"disk" not in answer[2]
    broken.mend()
    assert (await gateway.post("open", orjson.dumps(EVENT), JSON))["status"] == 200


async def test_our_own_mistake_is_500_and_tells_nothing(gateway, caplog):
    def fails(*_):
        raise RuntimeError("secret details")

    gateway.service._ingest.receive = fails
    answer = await raw(gateway, a_post())
    assert problem(answer) == ("500", "internal-error")
    assert b"secret details" not in answer[2]
    assert "secret details" in caplog.text


async def test_a_sender_that_goes_away_mid_body_leaves_nothing(gateway):
    host, port = gateway.service.public_url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /in/open HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await gateway.post("open", orjson.dumps(EVENT), JSON))["status"] == 200
    assert len(await gateway.service._store.events({})) == 1


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_health_says_ok_and_no_more(gateway, path):
    status, _, body = await raw(gateway, a_post(path, b"", method="GET"))
    assert (status, body) == (b"HTTP/1.1 200 OK", b'{"status":"ok"}')


async def test_readiness_follows_the_store(gateway):
    gateway.service._lanes.hold("store")
    status, _, _ = await raw(gateway, a_post("/readyz", b"", method="GET"))
    assert b"503" in status
    status, _, _ = await raw(gateway, a_post("/livez", b"", method="GET"))
    assert b"200" in status
    gateway.service._lanes.let_go("store")


async def test_while_draining_senders_are_asked_to_come_back(gateway):
    gateway.service._public.draining = True
    answer = await raw(gateway, a_post())
    assert problem(answer) == ("503", "draining")
    assert answer[1]["connection"] == "close"
    assert b"503" in (await raw(gateway, a_post("/readyz", b"", method="GET")))[0]


async def test_the_raw_bytes_are_what_is_verified(gateway):
    key = base64.b64decode(_secret(gateway).removeprefix("whsec_"))
    body = b' {"type" :"license.expired" , "data":{"b":1.0,"a":[ ]}} '
    stamp = str(gateway.clock.now() // 1_000_000)
    mac = hmac.digest(key, f"msg_1.{stamp}.".encode() + body, "sha256")
    headers = {
        **JSON, "webhook-id": "msg_1", "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }  # fmt: skip
    answer = await gateway.post("getty", body, headers)
    assert answer["status"] == 202
    (call, *_) = await gateway.endpoint("pager").calls(1)
    assert b'"data":{"b":1.0,"a":[ ]}' in call.body


def _secret(gateway) -> str:
    return read_development_secrets(gateway.service.settings.development_secrets)["GETTY_SECRET"]
