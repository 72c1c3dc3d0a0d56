"""Which sender takes what, and the one that is imported when it is called."""

import asyncio
import socket
import subprocess
import sys

import pytest

from gateway.core.egress import LOOPBACK, EgressPolicy
from gateway.core.model import Unreachable
from gateway.sender.lean import LeanSender
from gateway.sender.own import OwnAddresses
from gateway.sender.senders import AiohttpWhenCalled, make_senders
from tests.sender.conftest import a_call, reason_of


@pytest.mark.parametrize(("only_aiohttp", "post"), [(False, LeanSender), (True, AiohttpWhenCalled)])
async def test_plain_posts_go_by_the_lean_sender_unless_it_is_not_wanted(only_aiohttp, post):
    senders = make_senders(
        EgressPolicy(), OwnAddresses(), user_agent="x", only_aiohttp=only_aiohttp
    )
    assert type(senders.post) is post
    assert type(senders.call) is AiohttpWhenCalled
    await senders.close()


@pytest.mark.parametrize("which", ["post", "call"])
async def test_both_keep_to_the_policy_and_off_the_gateways_own_listeners(which):
    own = OwnAddresses()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        own.note([listener])
        port = listener.getsockname()[1]
        senders = make_senders(
            EgressPolicy(allow=LOOPBACK), own, user_agent="x", only_aiohttp=False
        )
        sender = getattr(senders, which)
        called = await sender.send(a_call(f"http://127.0.0.1:{port}/"))
        denied = await sender.send(a_call("http://10.0.0.1/"))
        await senders.close()
    assert "(own-address)" in called.detail
    assert reason_of(denied) == "egress-denied"


async def test_of_several_first_calls_one_makes_the_sender():
    sender = AiohttpWhenCalled(EgressPolicy(), OwnAddresses(), "x")
    made = set()

    async def send() -> Unreachable:
        outcome = await sender.send(a_call("http://10.0.0.1/"))
        made.add(sender._sender)
        return outcome

    outcomes = await asyncio.gather(*(send() for _ in range(5)))
    await sender.close()
    assert {reason_of(outcome) for outcome in outcomes} == {"egress-denied"}
    assert len(made) == 1


def test_a_gateway_starts_without_aiohttp():
    code = "import gateway.service, sys; print('aiohttp' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
