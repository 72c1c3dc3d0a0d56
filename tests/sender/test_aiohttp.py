"""What is special to the sender on aiohttp."""

import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from gateway.core.egress import LOOPBACK, EgressPolicy
from gateway.core.model import Unreachable
from gateway.sender.aiohttp import AiohttpSender, _unreachable
from tests.kit.raw import answers, raw_server
from tests.sender.conftest import OK, a_call, reason_of, trusting


def test_a_server_that_wants_a_certificate_says_which_key_is_missing():
    alert = "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"
    outcome = _unreachable(aiohttp.ClientOSError(1, alert), secure=True)
    assert outcome.reason == "connection-lost"
    assert "`tls.certificate`" in outcome.detail


@pytest.fixture
async def sender():
    made = AiohttpSender(EgressPolicy(allow=LOOPBACK), user_agent="gateway-tests")
    yield made
    await made.close()


async def test_errors_do_not_show_objects_of_this_process(sender, ca):
    """aiohttp prints the context of a connection, with its place in memory."""
    context = ca.server(wants_certificates=True)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    for tls in (None, trusting(ca)):
        async with raw_server(answers(OK), tls=context) as server:
            outcome = await sender.send(a_call(server.url("https"), tls=tls))
        assert "object at" not in outcome.detail
        assert "ssl:" not in outcome.detail


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("most_bytes", "read"),
    [(None, 64 * 1024), (1000, 1000), (2 * MIB, 2 * MIB), (4 * MIB, 3 * MIB)],
)
async def test_as_much_of_an_answer_is_read_as_the_call_asks_for(sender, most_bytes, read):
    long = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (3 * MIB) + b"a" * 3 * MIB
    async with raw_server(answers(long)) as server:
        outcome = await sender.send(a_call(server.url(), most_bytes=most_bytes))
    assert outcome.response.body == b"a" * read


async def test_what_one_call_may_be_answered_is_not_the_next_one_s(sender):
    """Both are on one connection, which counts what comes."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    wasteful = head + b"1;%b\r\na\r\n" % (b"x" * 40) * 64 * 1024  # 3 MiB for 64 KiB
    long = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (2 * MIB) + b"a" * 2 * MIB
    async with raw_server(answers(long, wasteful)) as server:
        outcome = await sender.send(a_call(server.url(), most_bytes=3 * MIB))
        assert len(outcome.response.body) == 2 * MIB
        outcome = await sender.send(a_call(server.url()))
        assert (reason_of(outcome), server.connections) == ("response-broken", 1)


def test_an_error_that_nobody_has_named_is_told_by_its_kind():
    assert _unreachable(ValueError("x"), secure=False).reason == "failed"
    assert _unreachable(aiohttp.ClientError("x"), secure=False).detail == "ClientError: x"


@pytest.mark.parametrize(("secure", "reason"), [(True, "tls-failed"), (False, "connection-lost")])
def test_a_reset_before_anything_was_said_is_a_matter_of_tls_only_where_there_is_tls(
    secure, reason
):
    key = ConnectionKey("cms", 80, is_ssl=secure, ssl=True, proxy=None, proxy_auth=None,
                        proxy_headers_hash=None)  # fmt: skip
    outcome = _unreachable(aiohttp.ClientConnectorError(key, ConnectionResetError()), secure=secure)
    assert outcome == Unreachable(reason, "Cannot connect to host cms:80")
