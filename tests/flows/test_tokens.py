"""Tokens of endpoints: fetched once, kept, renewed, and never without need."""

import asyncio
import json
from collections import deque
from dataclasses import replace

import pytest

from gateway.core.calls import PreparedCall
from gateway.core.egress import LOOPBACK, EgressPolicy
from gateway.core.model import (
    SECOND,
    Accepted,
    BodyForm,
    Call,
    Outcome,
    Refused,
    Response,
    Unreachable,
)
from gateway.core.oauth2 import ClientCredentials
from gateway.core.retry import RetryPolicy
from gateway.core.routes import EndpointConfig
from gateway.flows.tokens import Tokens
from gateway.sender.aiohttp import AiohttpSender
from tests.kit.build import a_delivery, an_arrival, some_routes
from tests.kit.raw import answers, raw_server

TOKEN_URL = "https://login.example.com/token"
SECRET = "oauth-client-secret"


class Authority:
    """A sender with an authorization server behind it, and an endpoint that answers as scripted."""

    def __init__(self) -> None:
        self.asked = 0
        self.expires_in = 3600
        self.prefix = "t"
        self.echoes = False
        """Whether the endpoint answers with what it was sent."""
        self.refusal: Outcome | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.calls: list[Call] = []
        self.statuses: deque[int] = deque()

    async def send(self, call: Call) -> Outcome:
        if call.url != TOKEN_URL:
            self.calls.append(call)
            status = self.statuses.popleft() if self.statuses else 200
            body = call.headers["authorization"].encode() if self.echoes else b""
            response = Response(status=status, body=body)
            return Accepted(response) if response.ok else Refused(response)
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        answer = {
            "access_token": f"{self.prefix}{number}",
            "token_type": "Bearer",
            "expires_in": self.expires_in,
        }
        response = Response(status=200, body=json.dumps(answer).encode())
        return self.refusal or Accepted(response)

    async def close(self) -> None:
        pass

    @property
    def tokens(self) -> list[str]:
        """What the calls carried."""
        return [call.headers["authorization"] for call in self.calls]


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def tokens(authority, clock) -> Tokens:
    return Tokens(authority, clock)


def an_endpoint(name: str = "cms", secret: str = SECRET, **more) -> EndpointConfig:
    oauth2 = ClientCredentials(token_url=TOKEN_URL, client_id="gateway", client_secret=secret)
    return EndpointConfig(name=name, url="https://cms.example.com/", oauth2=oauth2, **more)


def a_call(seconds: int = 20) -> Call:
    return Call(
        method="POST",
        url="https://cms.example.com/",
        headers={},
        body=b"",
        timeout=seconds * SECOND,
    )


async def send(tokens: Tokens, endpoint: EndpointConfig | None = None) -> Outcome:
    return await tokens.sender(endpoint or an_endpoint()).send(a_call())


async def test_an_endpoint_without_oauth_is_sent_to_directly(tokens, authority):
    assert tokens.sender(EndpointConfig(name="x", url="https://x/")) is authority


async def test_one_token_serves_many_requests(tokens, authority):
    for _ in range(3):
        await send(tokens)
    assert (authority.asked, authority.tokens) == (1, ["Bearer t1"] * 3)


async def test_many_requests_at_once_ask_for_one_token(tokens, authority):
    authority.may_answer.clear()
    waiting = asyncio.gather(*(send(tokens) for _ in range(20)))
    while not authority.asked:
        await asyncio.wait([asyncio.ensure_future(waiting)], timeout=0)
    authority.may_answer.set()
    outcomes = await waiting
    assert authority.asked == 1
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)


async def test_a_request_that_is_broken_off_does_not_take_the_token_from_the_others(
    tokens, authority
):
    authority.may_answer.clear()
    first, second = (asyncio.ensure_future(send(tokens)) for _ in range(2))
    while not authority.asked:
        await asyncio.wait([first, second], timeout=0)
    first.cancel()
    await asyncio.wait([first])
    authority.may_answer.set()
    assert isinstance(await second, Accepted)
    assert authority.asked == 1


async def test_a_token_is_renewed_before_it_ends(tokens, authority, clock):
    await send(tokens)
    clock.advance(3539)
    await send(tokens)
    clock.advance(1)
    await send(tokens)
    assert authority.tokens == ["Bearer t1", "Bearer t1", "Bearer t2"]


async def test_401_drops_a_token_that_was_taken_before(tokens, authority):
    authority.statuses.extend([200, 401, 200])
    outcomes = [await send(tokens) for _ in range(3)]
    assert isinstance(outcomes[1], Refused)
    assert authority.tokens == ["Bearer t1", "Bearer t1", "Bearer t2"]


async def test_an_endpoint_that_takes_no_token_has_one_fetched_a_minute(tokens, authority, clock):
    authority.statuses.extend([401] * 10)
    for _ in range(5):
        await send(tokens)
    assert authority.asked == 1
    clock.advance(60)
    await send(tokens)
    await send(tokens)
    assert authority.asked == 2


async def test_a_late_401_does_not_drop_a_newer_token(tokens, authority):
    endpoint = tokens.sender(an_endpoint())
    await endpoint.send(a_call())
    old = endpoint._token
    authority.statuses.append(401)
    await endpoint.send(a_call())
    await endpoint.send(a_call())
    endpoint._judge(old, Refused(Response(status=401)))
    await endpoint.send(a_call())
    assert authority.asked == 2


async def test_endpoints_share_no_token(tokens, authority):
    await send(tokens, an_endpoint("a"))
    await send(tokens, an_endpoint("b"))
    assert authority.tokens == ["Bearer t1", "Bearer t2"]


async def test_other_credentials_have_a_token_of_their_own(tokens, authority):
    await send(tokens)
    await send(tokens, an_endpoint(secret="rotated"))
    assert authority.tokens == ["Bearer t1", "Bearer t2"]


async def test_where_no_token_can_be_had_nothing_is_sent(tokens, authority):
    authority.refusal = Refused(Response(status=401, body=b'{"error":"invalid_client"}'))
    outcome = await send(tokens)
    assert isinstance(outcome, Unreachable)
    assert outcome.reason == "oauth-token-failed: http-401 invalid_client"
    assert SECRET not in repr(outcome)
    assert authority.calls == []
    authority.refusal = None
    assert isinstance(await send(tokens), Accepted)


async def test_waiting_for_a_token_counts_towards_the_time_of_the_call(tokens, authority, clock):
    authority.may_answer.clear()
    sending = asyncio.ensure_future(send(tokens))
    while not authority.asked:
        await asyncio.wait([sending], timeout=0)
    clock.advance(2.5)
    authority.may_answer.set()
    await sending
    assert authority.calls[0].timeout == 17 * SECOND


async def test_a_call_with_little_time_gets_no_more_of_it_by_waiting(tokens, authority):
    call = replace(a_call(), timeout=SECOND // 2)
    await tokens.sender(an_endpoint()).send(call)
    assert authority.calls[0].timeout == SECOND // 2


async def test_closing_breaks_off_what_is_fetched(tokens, authority):
    authority.may_answer.clear()
    sending = asyncio.ensure_future(send(tokens))
    while not authority.asked:
        await asyncio.wait([sending], timeout=0)
    await tokens.close()
    with pytest.raises(asyncio.CancelledError):
        await sending


# -- by the gateway's own sender -------------------------------------------------------------------


def at(url: str) -> EndpointConfig:
    oauth2 = ClientCredentials(token_url=url, client_id="gateway", client_secret=SECRET)
    return EndpointConfig(name="cms", url="https://cms.example.com/", oauth2=oauth2)


async def test_the_egress_policy_holds_for_tokens_too(clock):
    strict = AiohttpSender(EgressPolicy(), user_agent="gateway-tests")
    async with raw_server(answers(b"")) as server:
        outcome = await send(Tokens(strict, clock), at(server.url()))
        assert outcome.reason == "oauth-token-failed: egress-denied"
        assert "--egress-allow 127.0.0.0/8" in outcome.detail
        assert server.connections == 0
    await strict.close()


async def test_a_redirect_does_not_lead_the_secret_elsewhere(clock):
    sender = AiohttpSender(EgressPolicy(allow=LOOPBACK), user_agent="gateway-tests")
    async with raw_server(answers(b"")) as elsewhere:
        location = b"location: %b\r\n" % elsewhere.url().encode()
        answer = b"HTTP/1.1 307 X\r\n%bcontent-length: 0\r\n\r\n" % location
        async with raw_server(answers(answer)) as server:
            outcome = await send(Tokens(sender, clock), at(server.url()))
        assert outcome.reason == "oauth-token-failed: http-307"
        assert elsewhere.connections == 0
    await sender.close()


# -- deliveries ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["post", "call", "handler"])
async def test_every_kind_of_delivery_carries_the_token(make_flows, authority, how):
    async def handler(_event, endpoint):
        return await endpoint.get("/x")

    name = "handlers.x:y" if how == "handler" else None
    routes = some_routes(({}, "cms"), cms=an_endpoint(handler=name))
    flows = make_flows(routes, sender=authority, handlers={"handlers.x:y": handler})
    arrival = an_arrival()
    if how == "call":
        body = PreparedCall("PUT", "/x").packed()
        arrival.routed.deliveries[:] = [a_delivery(arrival.event, form=BodyForm.CALL, body=body)]
    await flows.store.append([arrival])
    await flows.claim.refresh()
    await flows.seen("attempt.recorded")
    assert authority.tokens == ["Bearer t1"]
    assert await flows.states() == {"cms": "delivered"}


async def test_a_delivery_without_a_token_is_attempted_again_by_the_schedule(
    make_flows, authority, clock
):
    authority.refusal = Unreachable("connection-refused", "nobody listens")
    endpoint = an_endpoint(retry=RetryPolicy((5 * SECOND,)))
    flows = make_flows(some_routes(({}, "cms"), cms=endpoint), sender=authority)
    await flows.store.append([an_arrival()])
    await flows.claim.refresh()
    (first,) = await flows.seen("attempt.recorded")
    assert first["decision"].reason == "oauth-token-failed: connection-refused"
    authority.refusal = None
    clock.advance(10)
    await flows.seen("attempt.recorded", 2)
    assert await flows.states() == {"cms": "delivered"}


@pytest.mark.parametrize("handler", [None, "handlers.x:y"])
async def test_a_token_url_that_is_denied_blocks_the_endpoint_and_names_the_flag(
    make_flows, handler
):
    async def handle(_event, endpoint):
        return await endpoint.get("/x")

    sender = AiohttpSender(EgressPolicy(), user_agent="gateway-tests")
    endpoint = replace(at("http://127.0.0.1:9/token"), handler=handler)
    flows = make_flows(
        some_routes(({}, "cms"), cms=endpoint), sender=sender, handlers={"handlers.x:y": handle}
    )
    await flows.store.append([an_arrival()])
    await flows.claim.refresh()
    await flows.seen("attempt.recorded")
    await sender.close()
    lane = flows.lanes["cms"]
    assert lane.state == "blocked"
    assert lane.reason.startswith("oauth-token-failed: egress-denied: 127.0.0.1 port 9")
    assert "--egress-allow 127.0.0.0/8" in lane.reason
    assert await flows.states() == {"cms": "scheduled"}


async def test_no_report_holds_a_secret_or_a_token(make_flows, authority):
    flows = make_flows(some_routes(({}, "cms"), cms=an_endpoint()), sender=authority)
    await flows.store.append([an_arrival()])
    await flows.claim.refresh()
    await flows.seen("attempt.recorded")
    told = repr(flows.reports)
    assert SECRET not in told
    assert "Bearer" not in told


async def test_a_token_that_an_endpoint_echoes_is_not_kept(make_flows, authority):
    authority.prefix, authority.echoes = "access-token-", True
    flows = make_flows(some_routes(({}, "cms"), cms=an_endpoint()), sender=authority)
    await flows.store.append([an_arrival()])
    await flows.claim.refresh()
    (report,) = await flows.seen("attempt.recorded")
    assert report["attempt"].excerpt == "Bearer <secret>"
