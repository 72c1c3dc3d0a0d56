"""Each behaviour of a server has the outcome that the table says, within the call's time."""

import asyncio

import pytest

from gateway.core.model import Accepted, Refused, Unreachable
from tests.kit.raw import raw_server
from tests.sender.behaviours import HTTP, IN_HANDSHAKE, OVER_TLS, Answer
from tests.sender.conftest import a_call, trusting

A_LITTLE = 1.0
"""Seconds that an attempt may take beyond its time, on a busy machine."""


def each(behaviours):
    return pytest.mark.parametrize("behaviour", behaviours, ids=lambda each: each.name)


def told(outcome) -> Answer | str:
    """An outcome as the table has it, with every header there was."""
    if isinstance(outcome, Unreachable):
        assert outcome.detail, outcome
        return outcome.reason
    response = outcome.response
    assert isinstance(outcome, Accepted if 200 <= response.status < 300 else Refused)
    return Answer(response.status, response.body, dict(response.headers))


def fits(got: Answer | str, wanted: Answer | str) -> bool:
    if isinstance(got, str) or isinstance(wanted, str):
        return got == wanted
    same = (got.status, got.body) == (wanted.status, wanted.body)
    return same and wanted.headers.items() <= got.headers.items()


async def meet(sender, behaviour, scheme="http", context=None, **more):
    call = {"seconds": 5, **behaviour.call, **more}
    loop = asyncio.get_running_loop()
    async with raw_server(behaviour.does, tls=context) as server:
        began = loop.time()
        got = told(await sender.send(a_call(server.url(scheme), **call)))
        took = loop.time() - began
        assert any(fits(got, wanted) for wanted in behaviour.gives), got
        assert took < call["seconds"] + A_LITTLE
        assert server.connections <= 1  # 0: the time ran out before the server had its turn


@each(HTTP)
async def test_over_plain_http_a_behaviour_has_its_outcome(sender, behaviour):
    await meet(sender, behaviour)


@each(IN_HANDSHAKE)
async def test_in_a_handshake_a_behaviour_has_its_outcome(sender, behaviour):
    await meet(sender, behaviour, "https")


@each(OVER_TLS)
async def test_over_tls_a_behaviour_has_its_outcome(sender, behaviour, ca):
    await meet(sender, behaviour, "https", ca.server(), tls=trusting(ca))


def test_there_are_many_behaviours_and_no_name_is_used_twice():
    for behaviours in (HTTP, IN_HANDSHAKE, OVER_TLS):
        names = [behaviour.name for behaviour in behaviours]
        assert len(names) == len(set(names))
    assert len(HTTP + IN_HANDSHAKE + OVER_TLS) > 150
