"""Whom a sender believes over TLS, and who it is there, against real servers."""

import asyncio
import ssl
from datetime import timedelta

import pytest

from gateway.config.document import Document
from gateway.config.endpoint_shapes import TlsShape
from gateway.config.part import Part, Surroundings
from gateway.config.secrets import SecretBook
from gateway.config.tls import build_tls
from gateway.core.egress import EgressPolicy
from gateway.core.model import Accepted, Tls, Unreachable
from tests.kit.authority import START, CertificateAuthority
from tests.kit.raw import answers, raw_server
from tests.sender.conftest import OK, a_call, reason_of, trusting


@pytest.fixture
def tls(ca):
    """How TLS is spoken, as routes.yaml says it; the files are the authority's."""

    def tls(**shape) -> Tls:
        around = Surroundings(SecretBook({}), EgressPolicy(), lambda _name, _arguments: "")
        part = Part(Document("routes.yaml"), ca.folder, around)
        made = build_tls(TlsShape.model_validate(shape), part)
        assert made is not None, part.problems
        return made

    return tls


CLIENT = {"certificate": {"file": "client.pem"}, "key": {"file": "client.key"}}
OTHER = {"certificate": {"file": "other.pem"}, "key": {"file": "other.key"}}
CA = {"ca": {"file": "ca.pem"}}


async def outcome_of(sender, context, identity, *, count=1):
    async with raw_server(answers(*[OK] * count), tls=context) as server:
        for _ in range(count):
            outcome = await sender.send(a_call(server.url("https"), tls=identity))
        return outcome, server


async def test_a_server_that_demands_a_certificate_is_shown_it(sender, ca, tls):
    outcome, _ = await outcome_of(sender, ca.server(wants_certificates=True), tls(**CLIENT, **CA))
    assert isinstance(outcome, Accepted)


async def test_certificate_and_key_may_stand_in_one_file(sender, ca, tls):
    both = (ca.folder / "client.pem").read_bytes() + (ca.folder / "client.key").read_bytes()
    (ca.folder / "both.pem").write_bytes(both)
    identity = tls(certificate={"file": "both.pem"}, **CA)
    outcome, _ = await outcome_of(sender, ca.server(wants_certificates=True), identity)
    assert isinstance(outcome, Accepted)


NOT_LET_IN = {
    ssl.TLSVersion.TLSv1_2: {"tls-failed", "connect-failed", "connection-lost"},
    # The handshake is over when the server looks at the certificate: it just closes (RFC 8446 §4.4.2.4).
    ssl.TLSVersion.TLSv1_3: {"connection-lost"},
}


@pytest.mark.parametrize("version", list(NOT_LET_IN))
async def test_without_its_certificate_such_a_server_is_no_answer(sender, ca, tls, version):
    context = ca.server(wants_certificates=True)
    context.minimum_version = context.maximum_version = version
    outcome, server = await outcome_of(sender, context, tls(**CA))
    assert isinstance(outcome, Unreachable)
    assert outcome.reason in NOT_LET_IN[version]
    assert server.requests == []


async def test_a_certificate_of_another_authority_is_not_taken(sender, ca, tls, tmp_path):
    stranger = CertificateAuthority(tmp_path)
    stranger.issue("client")
    strange = {
        "certificate": {"file": str(tmp_path / "client.pem")},
        "key": {"file": str(tmp_path / "client.key")},
    }
    context = ca.server(wants_certificates=True)
    outcome, server = await outcome_of(sender, context, tls(**strange, **CA))
    assert isinstance(outcome, Unreachable)
    assert server.requests == []


async def test_an_authority_of_ones_own_vouches_for_its_servers(sender, ca, tls):
    outcome, _ = await outcome_of(sender, ca.server(), tls(**CA))
    assert isinstance(outcome, Accepted)


async def test_an_authority_vouches_for_no_others(sender, ca, tls, tmp_path):
    stranger = CertificateAuthority(tmp_path)
    outcome, _ = await outcome_of(sender, stranger.server(), tls(**CA))
    assert outcome.reason == "tls-certificate"


async def test_no_authority_is_trusted_for_calls_that_do_not_name_it(sender, ca):
    outcome, _ = await outcome_of(sender, ca.server(), None)
    assert outcome.reason == "tls-certificate"
    assert outcome.detail.endswith("add `tls: {ca: {file: …}}`")


async def test_another_authority_does_not_mend_a_certificate_for_another_name(sender, ca, tls):
    async with raw_server(answers(OK), tls=ca.server()) as server:
        outcome = await sender.send(a_call(f"https://localhost:{server.port}/", tls=tls(**CA)))
    assert outcome.reason == "tls-certificate"
    assert "tls:" not in outcome.detail


async def test_any_certificate_will_do_where_nothing_is_verified(sender, ca, tls):
    outcome, _ = await outcome_of(sender, ca.server(), tls(verify=False))
    assert isinstance(outcome, Accepted)


async def test_a_connection_is_used_again_by_its_identity(sender, ca, tls):
    _, server = await outcome_of(sender, ca.server(), tls(**CA), count=3)
    assert server.connections == 1


async def test_identities_share_no_connection(sender, ca, tls):
    async with raw_server(answers(OK, OK), tls=ca.server(wants_certificates=True)) as server:
        for identity in (tls(**CLIENT, **CA), tls(**OTHER, **CA)):
            assert isinstance(
                await sender.send(a_call(server.url("https"), tls=identity)), Accepted
            )
        assert server.connections == 2
        async with asyncio.timeout(5):
            without = await sender.send(a_call(server.url("https"), tls=tls(**CA)))
        assert isinstance(without, Unreachable)


async def test_the_egress_policy_holds_for_every_identity(strict, ca, tls):
    outcome, server = await outcome_of(strict, ca.server(), tls(verify=False))
    assert outcome.reason == "egress-denied"
    assert server.connections == 0


async def test_identities_are_equal_whose_files_are(tls):
    assert tls(**CLIENT, **CA) == tls(**CLIENT, **CA)
    assert tls(**CLIENT, **CA) != tls(**OTHER, **CA)
    assert tls() != tls(verify=False)


# -- certificates that prove nothing -------------------------------------------------------------------


async def test_a_certificate_that_has_expired_is_refused(sender, tmp_path):
    authority = CertificateAuthority(tmp_path)
    expired = authority.server(until=START + timedelta(days=1))
    outcome, server = await outcome_of(sender, expired, trusting(authority))
    assert reason_of(outcome) == "tls-certificate"
    assert server.requests == []


async def test_a_certificate_that_vouches_for_itself_is_refused(sender, tmp_path):
    authority = CertificateAuthority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.path, authority.key_file())
    outcome, server = await outcome_of(sender, context, None)
    assert reason_of(outcome) == "tls-certificate"
    assert server.requests == []


async def test_plain_http_to_a_port_that_speaks_tls_is_no_answer(sender, ca):
    async with raw_server(answers(OK), tls=ca.server()) as server:
        outcome = await sender.send(a_call(server.url("http")))
    assert reason_of(outcome) in {"connection-lost", "response-malformed"}
    assert server.requests == []
