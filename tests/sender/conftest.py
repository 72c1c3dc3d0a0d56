"""Senders of every kind."""

import ssl

import pytest
import uvloop

from gateway.core.egress import EgressPolicy
from gateway.core.model import SECOND, Call, Tls, Unreachable
from tests.kit.authority import CertificateAuthority
from tests.sender.kinds import KINDS, LOOPBACK_ONLY, Names

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def pytest_asyncio_loop_factories(config, item):
    """The loop that `gateway serve` runs on: senders meet its transports, not those of asyncio."""
    return {"uvloop": uvloop.new_event_loop}


def a_call(url: str, *, seconds: float = 5, **more) -> Call:
    fields = {"method": "POST", "headers": {"content-type": "application/json"}, "body": b'{"a":1}'}
    return Call(**{**fields, "url": url, "timeout": round(seconds * SECOND), **more})


def reason_of(outcome) -> str:
    assert isinstance(outcome, Unreachable), outcome
    assert outcome.detail
    return outcome.reason


def trusting(authority: CertificateAuthority) -> Tls:
    """TLS that takes this authority's word, and no other's."""
    context = ssl.create_default_context(cafile=str(authority.path))
    return Tls(fingerprint=str(authority.path), context=context)


@pytest.fixture(params=list(KINDS))
async def make(request):
    """Make senders of a kind; they are closed in the end."""
    made = []

    def make(
        policy: EgressPolicy = LOOPBACK_ONLY,
        *,
        names: Names | None = None,
        connect_seconds: float = 5,
    ):
        made.append(KINDS[request.param](policy, names, connect_seconds))
        return made[-1]

    yield make
    for sender in made:
        await sender.close()


@pytest.fixture
async def sender(make):
    """A sender that may call this machine."""
    return make()


@pytest.fixture
async def strict(make):
    """A sender that may call public addresses over https only."""
    return make(EgressPolicy())


@pytest.fixture(scope="session")
def ca(tmp_path_factory) -> CertificateAuthority:
    """An authority that has vouched for two clients."""
    made = CertificateAuthority(tmp_path_factory.mktemp("ca"))
    made.issue("client")
    made.issue("other")
    return made
