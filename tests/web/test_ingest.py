"""The public listener, over real sockets."""

import asyncio
import base64
import gzip
import hmac
import random
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from gateway.config.secrets import read_development_secrets
from gateway.core.errors import StoreBehind
from gateway.core.verifying import Sending
from gateway.testing import Gateway
from tests.flows.test_deliver import Broken

EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/s",
    "type": "license.expired",
    "data": {"a": 1},
}
JSON = {"content-type": "application/json"}


async def raw(
    gateway, request: bytes, *, bodiless: bool = False
) -> tuple[bytes, dict[str, str], bytes]:
    """Exactly these bytes to the public listener; status line, headers and body of the answer."""
    host, port = gateway.service.public_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, *lines = head.strip().split("\r\n")
    headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    length = 0 if bodiless else int(headers.get("content-length", "0"))
    body = await reader.readexactly(length)
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


async def test_when_nothing_can_be_kept_nothing_is_acknowledged(gateway, seen):
    broken = Broken(gateway.service._store)
    answer = await raw(gateway, a_post(body=orjson.dumps(EVENT)))
    assert problem(answer) == ("503", "storage-unavailable")
    assert answer[1]["retry-after"] == "30"
    assert b"disk" not in answer[2]
    broken.mend()
    await seen(gateway, "store.recovered")
    assert (await gateway.post("open", orjson.dumps(EVENT), JSON))["status"] == 200


async def test_our_own_mistake_is_500_and_tells_nothing(gateway, caplog):
    def fails(*_):
        raise RuntimeError("secret details")

    gateway.service._ingest.receive = fails
    answer = await raw(gateway, a_post())
    assert problem(answer) == ("500", "internal-error")
    assert b"secret details" not in answer[2]
    assert "secret details" in caplog.text


async def test_without_memory_a_sender_is_asked_to_come_back(gateway):
    def fails(*_):
        raise MemoryError

    gateway.service._ingest.receive = fails
    answer = await raw(gateway, a_post())
    assert problem(answer) == ("503", "overloaded")
    assert answer[1]["retry-after"] == "1"


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


async def test_what_cannot_be_kept_is_refused_before_its_body_is_there(gateway):
    def behind():
        raise StoreBehind("too much waits")

    gateway.service._intake._store.check_room = behind
    host, port = gateway.service.public_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /in/open HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"503" in head
    assert b"retry-after: 5" in head
    assert b"storage-behind" in await reader.readuntil(b"}")
    writer.close()
    await writer.wait_closed()


async def test_readiness_follows_the_store(gateway, seen):
    broken = Broken(gateway.service._store)
    await raw(gateway, a_post(body=orjson.dumps(EVENT)))
    status, _, _ = await raw(gateway, a_post("/readyz", b"", method="GET"))
    assert b"503" in status
    status, _, _ = await raw(gateway, a_post("/livez", b"", method="GET"))
    assert b"200" in status
    broken.mend()
    await seen(gateway, "store.recovered")  # nobody had to send anything
    status, _, _ = await raw(gateway, a_post("/readyz", b"", method="GET"))
    assert b"200" in status


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


# -- what sources may say of their bodies --------------------------------------------------------------


def routes_with(tmp_path, sources: str) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(f"version: 1\nsources:\n{sources}")
    return path


SIGNED = "verify: {preset: standard-webhooks, secrets: [{env: GETTY_SECRET}]}"
PACKED = gzip.compress(orjson.dumps(EVENT))


@pytest_asyncio.fixture
async def varied(tmp_path) -> AsyncIterator[Gateway]:
    """A gateway with sources that say something of their bodies."""
    sources = f"""\
  open: {{verify: none}}
  lenient: {{verify: none, strict_json: false}}
  signed: {{{SIGNED}}}
  strict: {{{SIGNED}, strict_json: true}}
  rejecting: {{{SIGNED}, on_unreadable: reject}}
  packed: {{{SIGNED}, content_encoding: gzip, max_body: 100KiB}}
  limited: {{{SIGNED}, rate: 1/h}}
"""
    async with Gateway(routes_with(tmp_path, sources)) as running:
        yield running


NO_JSON = {
    "NaN": b'{"type":"x","a":NaN}', "Infinity": b'{"type":"x","a":-Infinity}',
    "beyond a double": b'{"type":"x","a":1e400}', "no UTF-8": b'{"type":"\xff"}',
    "overlong UTF-8": b'{"type":"\xc0\xaf"}', "an encoded surrogate": b'{"type":"\xed\xa0\x80"}',
    "a lone surrogate": b'{"type":"\\ud800"}', "a byte order mark": b'\xef\xbb\xbf{"type":"x"}',
    "UTF-16": '{"type":"x"}'.encode("utf-16"), "trailing data": b'{"type":"x"}{}',
    "a comment": b'{"type":"x"}//', "a trailing comma": b'{"type":"x",}',
    "a control character": b'{"type":"\x01"}', "a leading zero": b'{"type":"x","a":01}',
}  # fmt: skip


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
async def test_what_only_lenient_parsers_take_is_no_json(varied, body):
    assert problem(await raw(varied, a_post(body=body))) == ("400", "invalid-json")
    assert (await varied.send("signed", body))["id"].startswith("inb_")


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"x","type":"y"}',
        b'{"type":"x","data":[{"a":1,"\\u0061":2}]}',
        b'{"type" : "x" , "data":{"b":{"c":1,"c":1}}}',
    ],
)
async def test_a_key_that_is_there_twice_is_refused_where_the_source_is_strict(varied, body):
    assert problem(await raw(varied, a_post(body=body))) == ("400", "duplicate-key")
    assert (await varied.post("lenient", body, JSON))["id"].startswith("evt_")
    assert (await varied.send("signed", body))["id"].startswith("evt_")
    assert (await varied.send("strict", body))["id"].startswith("inb_")


async def test_the_same_key_in_two_objects_is_no_repetition(varied):
    body = b'{"type":"x","data":[{"a":1},{"a":":\\":"}],"a":{"a":{}}}'
    assert (await varied.post("open", body, JSON))["status"] == 202


async def test_json_nests_as_deep_as_is_allowed_and_no_deeper(varied):
    def nested(depth):
        return b'{"type":"x","data":' + b"[" * depth + b"]" * depth + b"}"

    assert (await varied.post("open", nested(63), JSON))["status"] == 202
    assert problem(await raw(varied, a_post(body=nested(64)))) == ("400", "json-too-deep")
    assert problem(await raw(varied, a_post(body=nested(5000)))) == ("400", "invalid-json")


async def test_brackets_in_text_are_no_nesting(varied):
    body = orjson.dumps({"type": "x", "data": ["[" * 100, '\\"' + "{" * 100, [[], {}] * 100]})
    assert (await varied.post("open", body, JSON))["status"] == 202


async def test_an_unreadable_body_is_refused_where_its_source_wants_that(varied):
    answer = await varied.send("rejecting", b"{")
    assert (answer["status"], answer["code"]) == (400, "invalid-json")
    assert await varied.service._store.inbox({"refused": False}) == []


async def send_packed(gateway, body: bytes, encoding: str = "gzip", source: str = "packed"):
    verifier = gateway.service.routes.sources[source].verifier
    headers = verifier.sign(Sending(body, gateway.clock.now(), request_id="msg_1"))
    return await gateway.post(source, body, {**headers, **JSON, "content-encoding": encoding})


async def test_a_compressed_body_is_verified_as_it_came_and_then_unpacked(varied):
    answer = await send_packed(varied, PACKED)
    event = await varied.service._store.event(answer["id"])
    assert (answer["status"], event.id) == (202, "e-1")


async def test_who_is_not_verified_has_nothing_unpacked(varied):
    headers = {**JSON, "content-encoding": "gzip"}
    bomb = gzip.compress(bytes(50_000_000))
    assert (await varied.post("packed", bomb, headers))["code"] == "verification-failed"


@pytest.mark.parametrize(
    "content",
    [bytes(200 * 1024), b'{"type":"x","pad":"' + random.Random(1).randbytes(90_000).hex().encode()],
    ids=["a bomb", "more than max_body"],
)
async def test_what_unpacks_to_too_much_is_refused(varied, content):
    answer = await send_packed(varied, gzip.compress(content))
    assert (answer["status"], answer["code"]) == (413, "body-too-large")


@pytest.mark.parametrize(
    "body", [b"no gzip", PACKED[:-9], PACKED + PACKED, PACKED + b"x"],
    ids=["none", "cut off", "two", "more"],
)  # fmt: skip
async def test_what_is_no_gzip_goes_to_the_inbox_with_its_bytes(varied, body):
    answer = await send_packed(varied, body)
    (entry,) = await varied.service._store.inbox({})
    assert (answer["status"], entry["id"], entry["code"]) == (202, answer["id"], "invalid-gzip")


async def test_another_encoding_hears_which_are_taken(varied):
    packed = await raw(varied, a_post("/in/packed", b"{}", "content-encoding: br"))
    assert problem(packed) == ("415", "content-encoding-unsupported")
    assert packed[1]["accept-encoding"] == "gzip, identity"
    twice = a_post("/in/packed", b"{}", "content-encoding: gzip", "content-encoding: identity")
    assert problem(await raw(varied, twice)) == ("415", "content-encoding-unsupported")


async def test_numbers_beyond_64_bits_go_out_as_they_came(gateway):
    body = b'{"type":"license.expired","data":{"n":123456789012345678901234567890,"f":0.10}}'
    assert (await gateway.send("getty", body))["status"] == 202
    (call, *_) = await gateway.endpoint("pager").calls(1)
    assert b'"data":{"n":123456789012345678901234567890,"f":0.10}' in call.body


# -- rates and addresses -------------------------------------------------------------------------------


async def test_a_stranger_cannot_use_up_the_rate_of_a_source(varied):
    for _ in range(3):
        assert (await varied.post("limited", b"{}", JSON))["status"] == 401
    assert (await varied.send("limited", EVENT))["status"] == 202
    assert (await varied.send("limited", EVENT))["status"] == 429


async def test_an_address_that_sends_too_much_is_refused_before_anything_else(routes_file):
    async with Gateway(routes_file, address_rate="2/m") as gateway:
        for _ in range(2):
            assert problem(await raw(gateway, a_post("/in/nope")))[0] == "404"
        answer = await raw(gateway, a_post("/in/nope"))
        assert problem(answer) == ("429", "rate-limited")
        assert int(answer[1]["retry-after"]) == 30
        gateway.clock.advance(30)
        assert (await gateway.post("open", orjson.dumps(EVENT), JSON))["status"] == 200


@pytest.mark.parametrize(
    ("trusted", "forwarded", "peer", "proxied"),
    [
        ("", "192.0.2.1", "127.0.0.1", False),
        ("127.0.0.1", "192.0.2.9, 192.0.2.1", "192.0.2.1", True),
        ("10.0.0.0/8", "192.0.2.1", "127.0.0.1", False),
    ],
)
async def test_the_address_is_that_which_trusted_proxies_vouch_for(
    routes_file, trusted, forwarded, peer, proxied
):
    async with Gateway(routes_file, trusted_proxy=trusted) as gateway:
        seen, receive = [], gateway.service._ingest.receive

        async def note(source, request):
            seen.append((request.peer, request.proxied))
            return await receive(source, request)

        gateway.service._ingest.receive = note
        headers = {**JSON, "x-forwarded-for": forwarded}
        assert (await gateway.post("open", orjson.dumps(EVENT), headers))["status"] == 200
        assert seen == [(peer, proxied)]


async def test_a_proxied_address_counts_by_itself(routes_file):
    async with Gateway(routes_file, address_rate="1/m", trusted_proxy="127.0.0.1") as gateway:
        for address, status in (("192.0.2.1", 404), ("192.0.2.2", 404), ("192.0.2.1", 429)):
            answer = await gateway.post("nope", b"{}", {"x-forwarded-for": address})
            assert answer["status"] == status


async def test_the_settings_of_the_listener_are_its_limits(routes_file):
    settings = {"max_connections": 7, "max_in_flight": "1MiB", "allowed_host": "a.example.com"}
    settings["public_url"] = "https://hooks.example.com/"
    async with Gateway(routes_file, **settings) as gateway:
        limits = gateway.service._servers[0].door.limits
        assert (limits.connections, limits.in_flight_bytes) == (7, 1024 * 1024)
        assert limits.hosts == {"a.example.com", "hooks.example.com"}
        assert problem(await raw(gateway, a_post())) == ("421", "misdirected")


@pytest.mark.parametrize(
    "path", ["/in/open%2F", "/in/open%2e", "/in/.", "/in//open", "/in/open/.."]
)
async def test_a_path_is_taken_as_it_is_written(gateway, path):
    assert problem(await raw(gateway, a_post(path))) == ("404", "unknown-source")


async def test_a_question_for_the_head_alone_is_not_allowed_either(gateway):
    answer = await raw(
        gateway,
        a_post(body=b"", method="HEAD").replace(b"content-length: 0\r\n", b""),
        bodiless=True,
    )
    assert (answer[0], answer[1]["allow"]) == (b"HTTP/1.1 405 Method Not Allowed", "POST")
