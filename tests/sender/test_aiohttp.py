"""What is special to the sender on aiohttp."""

import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from gateway.core.egress import LOOPBACK, EgressPolicy
from gateway.core.model import Unreachable
from gateway.sender.aiohttp import AiohttpSender, _unreachable
from tests.kit.raw import answers, raw_server
from tests.sender.conftest import OK, a_call, trusting


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
