"""Where no sender calls: what the policy denies, however it is spelled, and the gateway itself."""

import socket
from ipaddress import ip_network

import pytest

from gateway.core.egress import EgressPolicy
from gateway.core.model import Accepted, Unreachable
from gateway.web.server import listen
from tests.kit.raw import answers, raw_server
from tests.sender.conftest import OK, a_call, reason_of


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


async def test_metadata_is_denied_with_no_flag_to_allow_it(make):
    sender = make(EgressPolicy(allow=(ip_network("0.0.0.0/0"),)))
    outcome = await sender.send(a_call("http://169.254.169.254/latest/meta-data"))
    assert outcome == Unreachable(
        "egress-denied",
        "169.254.169.254 port 80 (metadata-or-unspecified); no flag allows this address",
    )


async def test_a_name_that_leads_to_a_denied_address_is_denied_as_that(strict):
    outcome = await strict.send(a_call("http://localhost:9/"))
    assert reason_of(outcome) == "egress-denied"


# -- names and their addresses -------------------------------------------------------------------------


JUST_127_0_0_1 = EgressPolicy(allow=(ip_network("127.0.0.1/32"),))
"""The rest of loopback stands for what is denied: it is there to be reached."""


@pytest.fixture
async def resolving(make):
    """Make senders for which names have these addresses, asked once after the other; the last stay."""

    def resolving(*addresses: list[str], policy: EgressPolicy = JUST_127_0_0_1):
        waiting = list(addresses)

        def names(_name: str) -> list[str]:
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]

        return make(policy, names=names)

    return resolving


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


async def test_a_name_that_does_not_exist(sender):
    outcome = await sender.send(a_call("http://does-not-exist.invalid/"))
    assert reason_of(outcome) == "dns-failed"


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
        async with raw_server(answers(OK)) as server:
            assert isinstance(await sender.send(a_call(server.url())), Accepted)
        outcome = await sender.send(a_call(f"http://127.0.0.1:{own.getsockname()[1]}/"))
        assert reason_of(outcome) == "connection-refused"


async def test_a_wildcard_stands_for_the_addresses_of_this_machine_only(sender):
    with listen(("0.0.0.0", 0), "test") as own:  # what is bound so is the question
        sender.own.note([own])
        port = own.getsockname()[1]
        assert sender.own.hold("127.0.0.9", port)
        assert sender.own.hold("::ffff:127.0.0.1", port)
        assert not sender.own.hold("192.0.2.1", port)
        assert not sender.own.hold("127.0.0.1", port - 1)
