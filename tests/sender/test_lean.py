"""What is special to the lean sender."""

import asyncio
import gc

import pytest

from gateway.core.egress import LOOPBACK, EgressPolicy
from gateway.core.model import Accepted, Unreachable
from gateway.sender import lean
from gateway.sender.dial import Names
from gateway.sender.exchange import Answer
from gateway.sender.lean import LeanSender
from gateway.sender.target import Target, head_of, target_of
from tests.kit.raw import raw_server
from tests.kit.steps import hear, hear_out, say, script
from tests.sender.conftest import OK, a_call

# -- requests ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://a.example/x?y=1", Target(True, "a.example", 443, "/x?y=1", "a.example")),
        ("http://a.example:80", Target(False, "a.example", 80, "/", "a.example")),
        ("http://A.example:8080/", Target(False, "a.example", 8080, "/", "a.example:8080")),
        ("https://a.example?q", Target(True, "a.example", 443, "/?q", "a.example")),
        ("https://a.example./x", Target(True, "a.example.", 443, "/x", "a.example")),
        ("http://[::1]:81/x", Target(False, "::1", 81, "/x", "[::1]:81")),
    ],
)
def test_a_url_says_where_a_request_goes_and_what_it_asks_for(url, target):
    assert target_of(url) == target


def test_a_request_has_its_own_headers_before_the_usual_ones():
    target = target_of("https://a.example/x")
    headers = {"Host": "b.example", "User-Agent": "mine", "accept": "text/plain"}
    head = head_of("POST", target, headers, 2, "gateway").decode()
    assert head.splitlines()[1:-1] == [
        "Host: b.example", "User-Agent: mine", "accept: text/plain", "content-length: 2",
    ]  # fmt: skip


@pytest.mark.parametrize(("method", "said"), [("GET", False), ("HEAD", False), ("DELETE", True)])
def test_a_request_without_a_body_says_so_where_it_could_have_one(method, said):
    head = head_of(method, target_of("https://a.example/"), {}, 0, "gateway")
    assert (b"content-length: 0" in head) == said


# -- names ---------------------------------------------------------------------------------------------


class Asked:
    """A resolver that counts, and answers when it may."""

    def __init__(self) -> None:
        self.count = 0
        self.began = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.addresses = ["127.0.0.1"]

    async def __call__(self, _host: str, _port: int) -> list[str]:
        self.count += 1
        self.began.set()
        await self.may_answer.wait()
        return self.addresses


async def test_a_name_is_asked_for_once_by_all_who_wait_and_then_kept():
    asked = Asked()
    names = Names(asked, seconds=60)
    waiting = [asyncio.ensure_future(names.addresses("a.example", 80)) for _ in range(3)]
    await asked.began.wait()
    waiting[0].cancel()  # the others go on waiting
    asked.may_answer.set()
    assert await waiting[1] == await waiting[2] == ["127.0.0.1"]
    assert await names.addresses("a.example", 80) == ["127.0.0.1"]
    assert asked.count == 1


async def test_a_name_without_an_address_is_asked_for_again():
    asked = Asked()
    asked.may_answer.set()
    asked.addresses = []
    names = Names(asked, seconds=60)
    for _ in range(2):
        with pytest.raises(OSError, match="no address"):
            await names.addresses("a.example", 80)
    assert asked.count == 2


async def test_of_names_without_end_only_the_latest_are_kept():
    asked = Asked()
    asked.may_answer.set()
    names = Names(asked, seconds=60)
    for number in range(1030):
        await names.addresses(f"{number}.example", 80)
    await names.addresses("1029.example", 80)
    assert asked.count == 1030
    await names.addresses("0.example", 80)
    assert asked.count == 1031


async def test_a_name_that_is_still_asked_for_is_given_up_when_the_sender_closes():
    asked = Asked()
    names = Names(asked, seconds=60)
    waiting = asyncio.ensure_future(names.addresses("a.example", 80))
    await asked.began.wait()
    await names.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# -- connections ---------------------------------------------------------------------------------------


async def test_a_connection_that_is_not_used_for_a_while_is_closed(monkeypatch):
    monkeypatch.setattr(lean, "IDLE_SECONDS", 0.05)
    ended = asyncio.Event()

    async def until_it_ends(reader, writer):
        await hear_out(reader, writer)
        ended.set()

    sender = LeanSender(EgressPolicy(allow=LOOPBACK), user_agent="x")
    async with raw_server(script(hear, say(OK), until_it_ends)) as server:
        assert isinstance(await sender.send(a_call(server.url())), Accepted)
        await ended.wait()
    await sender.close()


async def test_a_connection_that_was_kept_for_too_long_is_not_used_again(monkeypatch):
    sender = LeanSender(EgressPolicy(allow=LOOPBACK), user_agent="x")
    async with raw_server(script(hear, say(OK), hear_out)) as server:
        assert isinstance(await sender.send(a_call(server.url())), Accepted)
        monkeypatch.setattr(lean, "IDLE_SECONDS", 0)
        assert not isinstance(await sender.send(a_call(server.url())), Unreachable)
        assert server.connections == 2
    await sender.close()


async def test_an_exchange_leaves_nothing_for_the_cycle_collector():
    sender = LeanSender(EgressPolicy(allow=LOOPBACK), user_agent="x")
    async with raw_server(script(*[hear, say(OK)] * 20)) as server:
        call = a_call(server.url())
        await sender.send(call)
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                await sender.send(call)
            assert not [each for each in gc.get_objects() if isinstance(each, Answer)]
        finally:
            gc.enable()
    await sender.close()
