"""What goes out on the wire, and what never does."""

import pytest

from gateway.core.model import Accepted, Refused
from tests.kit.raw import answers, raw_server
from tests.sender.behaviours import head
from tests.sender.conftest import OK, a_call, reason_of


async def sent(sender, **more) -> bytes:
    """What a server got of a call."""
    async with raw_server(answers(OK)) as server:
        outcome = await sender.send(a_call(server.url(), **more))
        assert isinstance(outcome, Accepted)
        return server.requests[0]


async def test_the_request_is_what_was_asked_for_and_little_else(sender):
    headers = {"content-type": "application/json", "webhook-id": "dlv_1"}
    top, _, body = (await sent(sender, headers=headers)).partition(b"\r\n\r\n")
    lines = top.decode().lower().split("\r\n")
    assert lines[0] == "post /hook http/1.1"
    names = sorted(line.partition(":")[0] for line in lines[1:])
    assert names == sorted(
        ["host", "user-agent", "accept", "content-type", "webhook-id", "content-length"]
    )
    assert body == b'{"a":1}'


async def test_the_body_is_sent_byte_for_byte(sender):
    body = bytes(range(256)) * 100
    assert (await sent(sender, body=body)).endswith(b"\r\n\r\n" + body)


async def test_the_values_of_headers_are_sent_as_they_are(sender):
    value = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1a,x"
    assert f"webhook-signature: {value}\r\n".encode() in await sent(
        sender, headers={"webhook-signature": value}
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
async def test_a_method_is_sent_as_it_is(sender, method):
    assert (await sent(sender, method=method)).startswith(f"{method} /hook HTTP/1.1\r\n".encode())


async def test_an_empty_body_has_a_length_of_zero(sender):
    request = await sent(sender, body=b"")
    assert b"\r\ncontent-length: 0\r\n" in request.lower()


@pytest.mark.parametrize("tail", ["/a%2Fb?c=%20d&e=%25", "/a;b=c//d/", "/?q", "/a'(b)*!"])
async def test_a_path_is_sent_as_it_is_written(sender, tail):
    async with raw_server(answers(OK)) as server:
        await sender.send(a_call(f"http://127.0.0.1:{server.port}{tail}"))
        assert server.requests[0].startswith(f"POST {tail} HTTP/1.1\r\n".encode())


# -- what is not followed, kept or used ----------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(sender, status):
    async with raw_server(answers(OK)) as elsewhere:
        location = b"location: %b" % elsewhere.url().encode()
        answer = head(location, b"content-length: 0", status=b"%d X" % status)
        async with raw_server(answers(answer)) as server:
            outcome = await sender.send(a_call(server.url()))
        assert isinstance(outcome, Refused)
        assert outcome.response.status == status
        assert elsewhere.connections == 0


async def test_a_redirect_to_itself_is_not_followed(sender):
    async with raw_server(
        answers(*[head(b"location: /hook", b"content-length: 0", status=b"307 X")] * 2)
    ) as server:
        assert isinstance(await sender.send(a_call(server.url())), Refused)
        assert len(server.requests) == 1


async def test_cookies_are_neither_kept_nor_sent(sender):
    cookie = head(b"set-cookie: session=1; path=/", b"content-length: 0")
    async with raw_server(answers(cookie, OK)) as server:
        for _ in range(2):
            await sender.send(a_call(server.url()))
        assert b"cookie" not in server.requests[1].lower()


async def test_the_environments_proxy_is_not_used(sender, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    assert await sent(sender)


# -- what is no request --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"x-title": "a\r\nx-admin: yes"}},
        {"headers": {"x-title": "a\nx-admin: yes"}},
        {"headers": {"x-title": "a\x00b"}},
        {"headers": {"x-title\r\nx-admin": "yes"}},
        {"headers": {"transfer-encoding": "chunked"}},
        {"headers": {"content-length": "3"}},
        {"headers": {"expect": "100-continue"}},
        {"method": "GET /admin HTTP/1.1\r\nx: y\r\n\r\nPOST"},
    ],
)
async def test_a_request_that_would_be_two_or_would_wait_is_never_sent(sender, more):
    async with raw_server(answers(OK)) as server:
        outcome = await sender.send(a_call(server.url(), **more))
        assert reason_of(outcome) == "request-invalid"
        assert server.connections == 0


@pytest.mark.parametrize(
    "tail", ["/a b", "/a\r\nx: y", "/#x", "\\@evil.example/", "/" + "x" * 2048]
)
async def test_a_url_that_may_be_read_in_two_ways_is_never_called(sender, tail):
    async with raw_server(answers(OK)) as server:
        outcome = await sender.send(a_call(f"http://127.0.0.1:{server.port}{tail}"))
        assert reason_of(outcome) == "request-invalid"
        assert server.connections == 0


@pytest.mark.parametrize(
    "url", ["http://", "http://[", "gopher://127.0.0.1/", "http://127.0.0.1:99999/", ""]
)
async def test_a_url_that_is_none_is_no_crash(sender, url):
    assert reason_of(await sender.send(a_call(url))) == "request-invalid"
