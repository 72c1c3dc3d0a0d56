"""Queries at work: one call for many, the rate, back-off, and what stands in."""

import asyncio

import pytest
import pytest_asyncio

from gateway.core.errors import (
    Overloaded,
    UpstreamFailed,
    UpstreamLimited,
    UpstreamTimedOut,
    UpstreamUnavailable,
)
from gateway.core.model import SECOND, Accepted, Refused, Response, Unreachable
from gateway.core.oauth2 import ClientCredentials
from gateway.core.queries import Query
from gateway.core.routes import EndpointConfig, Routes, indexed
from gateway.flows.query import Queries
from gateway.telemetry import Telemetry
from tests.flows.conftest import ScriptedSender

CACHED = {"cache": 60 * SECOND, "stale": 600 * SECOND}


def some(query: dict | None = None, **endpoint) -> Routes:
    getty = EndpointConfig(name="getty", url="https://api.example.com/v3?app=1", **endpoint)
    queries = [
        Query(name="images", endpoint="getty", path="/search", **(query or {})),
        Query(name="events", endpoint="getty", path="/events", **(query or {})),
    ]
    return indexed(
        sources={}, endpoints={"getty": getty}, routes=[], queries={q.name: q for q in queries}
    )


class Asker:
    """Queries with a scripted sender behind them."""

    def __init__(self, clock) -> None:
        self.sender = ScriptedSender()
        self.clock = clock
        self.queries = Queries(some(), self.sender, clock, Telemetry())

    def use(self, query: dict | None = None, **endpoint) -> None:
        self.queries.use(some(query, **endpoint))

    async def ask(self, asked: str = "phrase=cat", name: str = "images") -> str:
        """How it is answered."""
        return (await self.queries.answer(name, asked)).way

    def answers(self, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = Response(status=status, headers=named, body=b"{}")
        self.sender.script.append(Accepted(response) if response.ok else Refused(response))


@pytest_asyncio.fixture
async def asker(clock):
    asker = Asker(clock)
    yield asker
    await asker.queries.close()


async def test_the_call_is_a_get_below_the_endpoint_with_its_authentication(asker):
    asker.use({"most_bytes": 1000}, headers={"api-key": "k"}, timeout=3 * SECOND)
    await asker.ask("phrase=a%26b")
    (call,) = asker.sender.calls
    assert call.url == "https://api.example.com/v3/search?app=1&phrase=a%26b"
    assert (call.method, call.timeout, call.most_bytes) == ("GET", 3 * SECOND, 1001)
    assert call.headers == {"api-key": "k", "accept-encoding": "identity"}


async def test_many_who_ask_the_same_at_once_share_one_call(asker):
    asker.sender.may_answer.clear()
    asking = [asyncio.create_task(asker.ask()) for _ in range(20)]
    await asker.sender.called(1)
    asker.sender.may_answer.set()
    ways = await asyncio.gather(*asking)
    assert (len(asker.sender.calls), sorted(ways)) == (1, ["collapsed"] * 19 + ["fetched"])
    assert await asker.ask() == "fetched"  # nothing is kept: it is asked anew


async def test_who_goes_away_does_not_take_the_answer_from_others(asker):
    asker.sender.may_answer.clear()
    first, second = asyncio.create_task(asker.ask()), asyncio.create_task(asker.ask())
    await asker.sender.called(1)
    first.cancel()
    asker.sender.may_answer.set()
    assert await second == "collapsed"


async def test_more_than_the_endpoint_takes_at_once_are_turned_away(asker):
    asker.use(concurrency=2)
    asker.sender.may_answer.clear()
    asking = [asyncio.create_task(asker.ask(f"page={n}")) for n in range(2)]
    await asker.sender.called(2)
    with pytest.raises(Overloaded):
        await asker.ask("page=3")
    with pytest.raises(Overloaded):
        await asker.ask("page=3", "events")  # it is the endpoint's, whoever asks
    asker.sender.may_answer.set()
    await asyncio.gather(*asking)
    assert await asker.ask("page=3") == "fetched"


async def test_faster_than_the_rate_nothing_is_asked_and_stale_answers_stand_in(asker):
    asker.use({"rate": (2, SECOND), **CACHED})
    assert [await asker.ask(f"page={n}") for n in range(2)] == ["fetched"] * 2
    with pytest.raises(UpstreamLimited) as refused:
        await asker.ask("page=3")
    assert (refused.value.status, refused.value.retry_after_seconds) == (None, 1)
    asker.clock.advance(61)
    for _ in range(2):
        await asker.ask("page=9")
        await asker.ask("page=8")
    served = await asker.queries.answer("images", "page=1")
    assert (served.way, served.failure, served.held_back) == ("stale", "rate", True)
    assert len(asker.sender.calls) == 4


async def test_after_429_the_endpoint_is_left_alone_for_as_long_as_it_says(asker):
    asker.answers(429, retry_after="40")
    with pytest.raises(UpstreamLimited) as refused:
        await asker.ask()
    assert (refused.value.status, refused.value.retry_after_seconds) == (429, 40)
    asker.clock.advance(40)  # others were told the same: it is left alone a little longer
    with pytest.raises(UpstreamLimited) as refused:
        await asker.ask("other=1", "events")
    assert refused.value.retry_after_seconds == 5
    asker.clock.advance(5)
    assert await asker.ask() == "fetched"
    assert len(asker.sender.calls) == 2


async def test_after_429_without_a_hint_the_waits_grow(asker):
    waits = []
    for _ in range(4):
        asker.answers(429)
        with pytest.raises(UpstreamLimited) as refused:
            await asker.ask()
        waits.append(refused.value.retry_after_seconds)
        asker.clock.advance(waits[-1])
    assert waits == [2, 3, 5, 9]


async def test_503_with_a_hint_is_a_wish_to_be_left_alone_and_without_one_is_not(asker):
    asker.answers(503)
    with pytest.raises(UpstreamUnavailable):
        await asker.ask()
    asker.answers(503, retry_after="10")
    with pytest.raises(UpstreamUnavailable):
        await asker.ask()
    with pytest.raises(UpstreamLimited):
        await asker.ask()
    assert len(asker.sender.calls) == 2


@pytest.mark.parametrize("status", [429, 500, 503, None])
async def test_what_is_stale_stands_in_for_what_fails(asker, status):
    asker.use(CACHED)
    await asker.ask()
    asker.clock.advance(61)
    if status is None:
        asker.sender.script.append(Unreachable("connection-refused", "d"))
    else:
        asker.answers(status)
    served = await asker.queries.answer("images", "phrase=cat")
    assert (served.way, served.held_back) == ("stale", False)
    assert served.failure == str(status or "connection-refused")
    assert (served.age, served.fresh_for) == (61 * SECOND, -SECOND)


async def test_what_is_stale_does_not_hide_that_the_question_is_refused(asker):
    asker.use(CACHED)
    await asker.ask()
    asker.clock.advance(61)
    asker.answers(400)
    with pytest.raises(UpstreamFailed):
        await asker.ask()


async def test_a_failure_is_not_kept(asker):
    asker.use(CACHED)
    asker.answers(500)
    with pytest.raises(UpstreamFailed):
        await asker.ask()
    assert await asker.ask() == "fetched"


async def test_an_endpoint_that_is_too_slow_is_told_as_such(asker):
    asker.sender.script.append(Unreachable("timeout", "d"))
    with pytest.raises(UpstreamTimedOut):
        await asker.ask()


async def test_what_is_compressed_all_the_same_is_not_passed_on(asker):
    asker.answers(content_encoding="gzip")
    with pytest.raises(UpstreamFailed):
        await asker.ask()


async def test_a_type_that_is_no_text_is_passed_on_as_far_as_it_is(asker):
    asker.answers(content_type="text/x; n=\udcff")
    served = await asker.queries.answer("images", "")
    assert served.answer.content_type == "text/x; n=?"


async def test_the_endpoint_s_own_word_on_success_counts(asker):
    asker.use(CACHED, success=lambda _scope: False)
    with pytest.raises(UpstreamFailed):
        await asker.ask()
    assert len(asker.sender.calls) == 1


async def test_two_queries_of_one_endpoint_do_not_share_answers(asker):
    asker.use(CACHED)
    assert [await asker.ask(name=name) for name in ("images", "events")] == ["fetched"] * 2


async def test_another_path_or_endpoint_makes_it_another_query(asker):
    asker.use(CACHED)
    await asker.ask()
    asker.use({**CACHED, "owner": "me"})
    assert await asker.ask() == "fetched"
    asker.use({**CACHED, "owner": "me"}, headers={"api-key": "k"})
    assert await asker.ask() == "fetched"
    asker.use({**CACHED, "owner": "me"}, headers={"api-key": "k"}, concurrency=3)
    assert await asker.ask() == "hit"


async def test_the_endpoint_s_token_is_fetched_once_and_taken_out_of_answers(asker):
    token = b'{"access_token":"token-of-getty","token_type":"Bearer","expires_in":600}'
    credentials = ClientCredentials(
        token_url="https://login.example.com/", client_id="me", client_secret="s"
    )
    asker.use(oauth2=credentials)
    echo = Accepted(Response(status=200, body=b"you sent token-of-getty"))
    asker.sender.script.extend([Accepted(Response(status=200, body=token)), echo, echo])
    served = [await asker.queries.answer("images", f"page={n}") for n in range(2)]
    assert [each.answer.body for each in served] == [b"you sent <secret>"] * 2
    sent = [call.headers.get("authorization") for call in asker.sender.calls[1:]]
    assert sent == ["Bearer token-of-getty"] * 2
