"""What every sender makes of a server's behaviour, over real sockets."""

import asyncio
import gzip
import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.core.egress import LOOPBACK, EgressPolicy
from gateway.core.model import SECOND, Accepted, Call, Refused, Unreachable
from gateway.sender.aiohttp import AiohttpSender
from gateway.web.server import listen
from tests.kit.raw import answers, raw_server

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(params=["aiohttp"])
async def sender(request):
    made = AiohttpSender(EgressPolicy(allow=LOOPBACK), user_agent="gateway-tests")
    yield made
    await made.close()


def a_call(url: str, *, seconds: float = 5, **more) -> Call:
    fields = {"method": "POST", "headers": {"content-type": "application/json"}, "body": b'{"a":1}'}
    return Call(**{**fields, "url": url, "timeout": round(seconds * SECOND), **more})


async def sent_to(sender, say, *, seconds: float = 5, **more):
    async with raw_server(say) as server:
        return await sender.send(a_call(server.url(), seconds=seconds, **more)), server


# -- answers ---------------------------------------------------------------------------------------


async def test_the_request_is_what_was_asked_for_and_little_else(sender):
    headers = {"content-type": "application/json", "webhook-id": "dlv_1"}
    _, server = await sent_to(sender, answers(OK), headers=headers)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /hook http/1.1"
    names = {line.partition(":")[0] for line in lines[1:]}
    assert names == {"host", "user-agent", "accept", "content-type", "webhook-id", "content-length"}
    assert body == b'{"a":1}'


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_is_accepted(sender, status):
    answer = b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status
    outcome, _ = await sent_to(sender, answers(answer))
    assert isinstance(outcome, Accepted)
    assert outcome.response.status == status


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 410, 429, 500, 503, 599])
async def test_everything_else_is_refused(sender, status):
    answer = b"HTTP/1.1 %d X\r\ncontent-length: 0\r\nretry-after: 7\r\n\r\n" % status
    outcome, _ = await sent_to(sender, answers(answer))
    assert isinstance(outcome, Refused)
    assert (outcome.response.status, outcome.response.headers["retry-after"]) == (status, "7")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(sender, status):
    async with raw_server(answers(OK)) as elsewhere:
        location = b"location: %b\r\n" % elsewhere.url().encode()
        answer = b"HTTP/1.1 %d X\r\n%bcontent-length: 0\r\n\r\n" % (status, location)
        outcome, _ = await sent_to(sender, answers(answer))
        assert isinstance(outcome, Refused)
        assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ],
)
async def test_an_answer_may_be_framed_in_any_way_that_http_has(sender, answer):
    outcome, _ = await sent_to(sender, answers(answer))
    assert isinstance(outcome, Accepted)
    assert outcome.response.body == b"ok"


async def test_an_answer_that_comes_before_the_body_was_read_counts(sender):
    async def say(reader, writer):
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()

    outcome, _ = await sent_to(sender, say, body=b"x" * 100)
    assert isinstance(outcome, (Refused, Unreachable))


async def test_a_compressed_answer_is_not_unpacked(sender):
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    outcome, _ = await sent_to(sender, answers(head + bomb))
    assert outcome.response.body == bomb[: 64 * 1024]


async def test_at_most_64_kib_of_an_endless_answer_is_read(sender):
    async def say(reader, writer):
        await reader.request()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    outcome, _ = await sent_to(sender, say)
    assert isinstance(outcome, Accepted)
    assert len(outcome.response.body) == 64 * 1024


async def test_cookies_are_neither_kept_nor_sent(sender):
    cookie = b"HTTP/1.1 200 OK\r\nset-cookie: session=1; path=/\r\ncontent-length: 0\r\n\r\n"
    async with raw_server(answers(cookie, OK)) as server:
        for _ in range(2):
            await sender.send(a_call(server.url()))
        assert b"cookie" not in server.requests[1].lower()


async def test_a_connection_is_used_again(sender):
    async with raw_server(answers(OK, OK, OK)) as server:
        for _ in range(3):
            assert isinstance(await sender.send(a_call(server.url())), Accepted)
        assert server.connections == 1


# -- no answer -------------------------------------------------------------------------------------


def reason_of(outcome) -> str:
    assert isinstance(outcome, Unreachable), outcome
    assert outcome.detail
    return outcome.reason


async def test_nobody_listens(sender):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outcome = await sender.send(a_call(f"http://127.0.0.1:{port}/"))
    assert reason_of(outcome) == "connection-refused"


async def _close(_reader, _writer):
    pass


async def _close_after_request(reader, _writer):
    await reader.request()


async def _reset_after_request(reader, writer):
    await reader.request()
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _half_a_head(reader, writer):
    await reader.request()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-le")
    await writer.drain()


async def _half_a_body(reader, writer):
    await reader.request()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
    await writer.drain()


async def _half_a_chunk(reader, writer):
    await reader.request()
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf")
    await writer.drain()


@pytest.mark.parametrize(
    ("say", "reasons"),
    [
        (_close, {"connection-lost"}),
        (_close_after_request, {"connection-lost"}),
        (_reset_after_request, {"connection-lost"}),
        (_half_a_head, {"connection-lost"}),
        (_half_a_body, {"response-broken"}),
        (_half_a_chunk, {"response-broken"}),
    ],
)
async def test_a_connection_that_breaks_is_no_answer(sender, say, reasons):
    outcome, _ = await sent_to(sender, say)
    assert reason_of(outcome) in reasons


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"\x00\x01\x02\r\n\r\n",
     b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"],
)  # fmt: skip
async def test_garbage_is_no_answer(sender, answer):
    outcome, _ = await sent_to(sender, answers(answer))
    assert reason_of(outcome) in {"response-malformed", "response-broken", "connection-lost"}


async def _hang(reader, _writer):
    await reader.request()
    await asyncio.Event().wait()


async def _drip_head(reader, writer):
    await reader.request()
    for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await _tick()


async def _drip_body(reader, writer):
    await reader.request()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await _tick()


async def _tick() -> None:
    """A moment, as a slow server takes it."""
    try:
        async with asyncio.timeout(0.02):
            await asyncio.Event().wait()
    except TimeoutError:
        pass


@pytest.mark.parametrize("say", [_hang, _drip_head, _drip_body])
async def test_the_whole_attempt_has_one_limit_however_the_time_is_spent(sender, say):
    loop = asyncio.get_running_loop()
    began = loop.time()
    outcome, _ = await sent_to(sender, say, seconds=0.3)
    assert reason_of(outcome) == "timeout"
    assert loop.time() - began < 3


async def test_a_name_that_does_not_exist(sender):
    outcome = await sender.send(a_call("http://does-not-exist.invalid/"))
    assert reason_of(outcome) == "dns-failed"


@pytest.mark.parametrize(
    "url", ["http://", "http://[", "gopher://127.0.0.1/", "http://127.0.0.1:99999/"]
)
async def test_a_url_that_is_none_is_no_crash(sender, url):
    assert reason_of(await sender.send(a_call(url)))


# -- TLS -------------------------------------------------------------------------------------------


async def test_a_certificate_that_nobody_vouches_for_is_refused(sender, self_signed):
    async with raw_server(answers(OK), tls=self_signed) as server:
        outcome = await sender.send(a_call(server.url("https")))
    assert reason_of(outcome) == "tls-certificate"


async def test_a_server_that_speaks_no_tls_is_no_answer(sender):
    async def plain(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with raw_server(plain) as server:
        outcome = await sender.send(a_call(server.url("https")))
    assert reason_of(outcome) in {"tls-failed", "connection-lost"}


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory) -> ssl.SSLContext:
    """A certificate of our own making for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


# -- egress ----------------------------------------------------------------------------------------


@pytest.fixture(params=["aiohttp"])
async def strict(request):
    made = AiohttpSender(EgressPolicy(), user_agent="gateway-tests")
    yield made
    await made.close()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0177.0.0.1",
    ],
)
async def test_no_spelling_of_loopback_is_dialled_when_it_is_denied(strict, host):
    async with raw_server(answers(OK)) as server:
        outcome = await strict.send(a_call(f"http://{host}:{server.port}/hook"))
        assert reason_of(outcome)
        assert server.connections == 0


async def test_a_denied_address_is_named_with_the_flag_that_allows_it(strict):
    outcome = await strict.send(a_call("http://127.0.0.1:9/"))
    assert outcome == Unreachable(
        "egress-denied",
        "127.0.0.1 port 9 (denied-range 127.0.0.0/8); allow it with --egress-allow 127.0.0.0/8",
    )


async def test_metadata_is_denied_with_no_flag_to_allow_it():
    sender = AiohttpSender(EgressPolicy(allow=(ip_network("0.0.0.0/0"),)), user_agent="x")
    outcome = await sender.send(a_call("http://169.254.169.254/latest/meta-data"))
    assert outcome == Unreachable(
        "egress-denied",
        "169.254.169.254 port 80 (metadata-or-unspecified); no flag allows this address",
    )
    await sender.close()


async def test_a_name_that_leads_to_a_denied_address_is_denied_as_that(strict):
    outcome = await strict.send(a_call("http://localhost:9/"))
    assert reason_of(outcome) == "egress-denied"


async def test_the_environments_proxy_is_not_used(sender, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    outcome, _ = await sent_to(sender, answers(OK))
    assert isinstance(outcome, Accepted)


# -- names and their addresses -------------------------------------------------------------------------


class FakeResolver(AbstractResolver):
    """Says of every name what it is told to say next; the last answer stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not addresses:
            raise OSError("no such name")
        return [
            {"hostname": host, "host": each, "port": port, "proto": 0, "flags": 0,
             "family": socket.AF_INET6 if ":" in each else socket.AF_INET}
            for each in addresses
        ]  # fmt: skip

    async def close(self):
        pass


JUST_127_0_0_1 = EgressPolicy(allow=(ip_network("127.0.0.1/32"),))
"""The rest of loopback stands for what is denied: it is there to be reached."""


@pytest.fixture
async def resolving():
    """Make senders that resolve names as told."""
    made = []

    def make(*answers: list[str], policy: EgressPolicy = JUST_127_0_0_1) -> AiohttpSender:
        sender = AiohttpSender(
            policy, user_agent="x", resolver=FakeResolver(*answers), name_seconds=0
        )
        made.append(sender)
        return sender

    yield make
    for sender in made:
        await sender.close()


async def test_of_a_names_addresses_only_the_allowed_one_is_dialled(resolving):
    sender = resolving(["127.0.0.2", "169.254.169.254", "127.0.0.1"])
    async with raw_server(answers(OK)) as server:
        outcome = await sender.send(a_call(f"http://name.example:{server.port}/"))
    assert isinstance(outcome, Accepted)


async def test_a_name_with_denied_addresses_only_is_denied(resolving):
    sender = resolving(["127.0.0.2", "10.0.0.1"])
    outcome = await sender.send(a_call("http://name.example:9/"))
    assert outcome.reason == "egress-denied"
    assert outcome.detail.startswith("127.0.0.2 port 9 (denied-range 127.0.0.0/8)")


async def test_an_allowed_address_that_does_not_answer_is_a_failure_not_a_denial(resolving):
    sender = resolving(["127.0.0.2", "127.0.0.1"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outcome = await sender.send(a_call(f"http://name.example:{port}/"))
    assert reason_of(outcome) in {"connection-refused", "connect-failed"}


async def test_a_name_that_is_bound_anew_to_a_denied_address_is_denied_when_it_is_dialled(
    resolving,
):
    sender = resolving(["127.0.0.1"], ["127.0.0.2"])
    once = OK.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
    async with raw_server(answers(once)) as server:
        url = f"http://name.example:{server.port}/"
        assert isinstance(await sender.send(a_call(url)), Accepted)
        assert reason_of(await sender.send(a_call(url))) == "egress-denied"
        assert server.connections == 1


async def test_a_connection_that_was_vetted_stays_where_it_is_whatever_its_name_becomes(resolving):
    sender = resolving(["127.0.0.1"], ["127.0.0.2"])
    async with raw_server(answers(OK, OK)) as server:
        url = f"http://name.example:{server.port}/"
        assert isinstance(await sender.send(a_call(url)), Accepted)
        assert isinstance(await sender.send(a_call(url)), Accepted)
        assert server.connections == 1


async def test_a_name_that_cannot_be_resolved_is_not_called(resolving):
    assert reason_of(await resolving([]).send(a_call("http://name.example:9/"))) == "dns-failed"


async def test_what_a_resolver_says_that_is_no_address_is_not_dialled(resolving):
    sender = resolving(["fe80::1%lo"])
    outcome = await sender.send(a_call("http://name.example:9/"))
    assert isinstance(outcome, Unreachable)


# -- the gateway itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0", "::"])
async def test_the_gateways_own_listeners_are_not_called_whatever_is_allowed(sender, bound):
    with listen((bound, 0), "test") as own:
        sender.own.note([own])
        outcome = await sender.send(a_call(f"http://127.0.0.1:{own.getsockname()[1]}/in/getty"))
    assert reason_of(outcome) == "egress-denied"
    assert "(own-address)" in outcome.detail
    assert "--egress" not in outcome.detail


async def test_of_a_denied_address_that_is_its_own_no_flag_is_named(strict):
    with listen(("127.0.0.1", 0), "test") as own:
        strict.own.note([own])
        port = own.getsockname()[1]
        outcome = await strict.send(a_call(f"http://127.0.0.1:{port}/in/getty"))
    what = f"127.0.0.1 port {port} (own-address); no flag allows this address"
    assert outcome == Unreachable("egress-denied", what)


async def test_other_ports_and_other_addresses_of_this_machine_are_called(sender):
    with listen(("127.0.0.2", 0), "test") as own:
        sender.own.note([own])
        outcome, _ = await sent_to(sender, answers(OK))
        assert isinstance(outcome, Accepted)
        outcome = await sender.send(a_call(f"http://127.0.0.1:{own.getsockname()[1]}/"))
        assert reason_of(outcome) == "connection-refused"


# -- what was computed from an event -------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"x-title": "a\r\nx-admin: yes"}},
        {"headers": {"x-title": "a\x00b"}},
        {"headers": {"transfer-encoding": "chunked"}},
        {"method": "GET /admin HTTP/1.1\r\nx: y\r\n\r\nPOST"},
    ],
)
async def test_a_request_that_would_be_two_is_never_sent(sender, more):
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


async def test_endless_headers_are_no_answer(sender):
    async def say(reader, writer):
        await reader.request()
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: y\r\n" * 1000)
            await writer.drain()

    outcome, _ = await sent_to(sender, say, seconds=3)
    assert reason_of(outcome) in {"response-malformed", "timeout"}


async def test_a_wildcard_stands_for_the_addresses_of_this_machine_only(sender):
    with listen(("0.0.0.0", 0), "test") as own:  # what is bound so is the question
        sender.own.note([own])
        port = own.getsockname()[1]
        assert sender.own.hold("127.0.0.9", port)
        assert sender.own.hold("::ffff:127.0.0.1", port)
        assert not sender.own.hold("192.0.2.1", port)
        assert not sender.own.hold("127.0.0.1", port - 1)
