"""Files that handlers fetch: from where the operator allows, and no larger or other than they ask for."""

from datetime import timedelta

import pytest

from gateway import RetryLater, Unanswered, Undeliverable, Unsuccessful
from gateway.clock import SystemClock
from gateway.core.egress import LOOPBACK, EgressPolicy
from gateway.core.errors import LeaseLost, StoreUnavailable
from gateway.core.model import Accepted, Hopeless, Postponed, Refused, Response, Unreachable
from gateway.core.routes import EndpointConfig
from gateway.flows.calling import BoundEndpoint, handle
from gateway.sender.aiohttp import AiohttpSender
from gateway.testing import ManualClock, ScriptedServer
from tests.kit.acts import Acts
from tests.kit.build import a_delivery

PICTURE = b"\xff\xd8" + b"p" * 200_000
"""More than is read of an endpoint's answer."""
JPEG = {"content-type": "image/jpeg"}


class Proving:
    """A sender that adds what proves who we are, as that of an endpoint with tokens does."""

    async def send(self, call):
        raise AssertionError(f"{call.url} would have got the endpoint's token")


@pytest.fixture
async def server():
    server = ScriptedServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def endpoint(server):
    """An endpoint with a header that proves who we are, that may call this machine."""
    sender = AiohttpSender(EgressPolicy(allow=LOOPBACK), user_agent="tests")
    config = EndpointConfig(
        name="cms", url=f"{server.url}/cms", headers={"authorization": "Bearer of-the-cms"}
    )
    yield BoundEndpoint(config, a_delivery(), Proving(), SystemClock(), acts=Acts(), fetcher=sender)
    await sender.close()


async def test_a_file_comes_whole_and_nothing_of_the_endpoint_goes_there(server, endpoint):
    files = server.endpoint("files").reply(body=PICTURE, headers=JPEG)
    answer = await endpoint.fetch(f"{server.url}/files/1.jpg?signed=yes", types=["image/*"])
    assert answer.body == PICTURE
    (call,) = files.received
    assert (call.method, call.path, call.query) == ("GET", "/1.jpg", {"signed": "yes"})
    assert not {"authorization", "idempotency-key", "webhook-signature"} & set(call.headers)
    assert [record.status for record in endpoint.calls] == [200]


@pytest.mark.parametrize("more", [0, 1])
async def test_a_file_is_no_larger_than_asked_for(server, endpoint, more):
    server.endpoint("files").reply(body=PICTURE, headers=JPEG)
    most, url = len(PICTURE) - more, f"{server.url}/files/1.jpg"
    if not more:
        assert len((await endpoint.fetch(url, max_bytes=most)).body) == most
        return
    with pytest.raises(Undeliverable, match=f"larger than {most} bytes"):
        await endpoint.fetch(url, max_bytes=most)


@pytest.mark.parametrize(
    ("content_type", "told"),
    [({"content-type": "text/html; charset=utf-8"}, "is text/html: not image/"),
     ({"content-type": ""}, "of no type: not image/")],
)  # fmt: skip
async def test_a_file_of_another_type_is_not_taken(server, endpoint, content_type, told):
    server.endpoint("files").reply(body=b"<p>Log in", headers=content_type)
    with pytest.raises(Undeliverable, match=told):
        await endpoint.fetch(f"{server.url}/files/1.jpg", types=["image/*", "video/mp4"])


@pytest.mark.parametrize("status", [403, 404, 503])
async def test_what_is_no_file_is_returned_as_it_is(server, endpoint, status):
    server.endpoint("files").reply(status, {"message": "expired"})
    answer = await endpoint.fetch(f"{server.url}/files/1.jpg", types=["image/*"])
    assert (answer.status, answer.json()) == (status, {"message": "expired"})


async def test_three_redirects_are_followed_and_no_fourth(server, endpoint):
    files = server.endpoint("files")
    for status, place in ((302, "/files/2#part"), (307, f"{server.url}/files/3"), (301, "4")):
        files.reply(status, headers={"location": place})
    files.reply(body=b"a", headers=JPEG)
    assert (await endpoint.fetch(f"{server.url}/files/1")).body == b"a"
    assert [call.path for call in files.received] == ["/1", "/2", "/3", "/4"]
    for _ in range(4):
        files.reply(302, headers={"location": "again"})
    with pytest.raises(Undeliverable, match="redirected more than 3 times"):
        await endpoint.fetch(f"{server.url}/files/1")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("https://169.254.169.254/latest/meta-data", "egress-denied"),
        ("https://10.0.0.1/", "egress-denied"),
        ("http://192.0.2.1/", "egress-denied"),
        ("file:///etc/passwd", "request-invalid"),
        ("https://user:pw@example.com/", "request-invalid"),
    ],
)
async def test_each_address_on_the_way_is_asked_about(server, endpoint, place, reason):
    with pytest.raises(Unanswered) as first:
        await endpoint.fetch(place)
    server.endpoint("files").reply(302, headers={"location": place})
    with pytest.raises(Unanswered) as second:
        await endpoint.fetch(f"{server.url}/files/1.jpg")
    assert (first.value.reason, second.value.reason) == (reason, reason)


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (Unsuccessful(Response(status=429)), Refused(Response(status=429))),
        (Unsuccessful(Response(status=204)), Refused(Response(status=204))),
        (Undeliverable("no"), Hopeless("no")),
        (RetryLater("wait", after=2), Postponed("wait", 2_000_000)),
        (None, Accepted(Response(status=204))),
    ],
    ids=["a failure", "a success that is none", "hopeless", "later", "done"],
)
async def test_what_a_handler_raises_is_the_outcome(endpoint, raised, outcome):
    async def handler(event, endpoint):
        if raised is not None:
            raise raised
        return Response(status=204)

    assert await handle(handler, a_delivery(), endpoint, 5) == outcome


class Answering:
    """A sender that notes what it is to send, and answers each call alike."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.calls = []

    async def send(self, call):
        self.calls.append(call)
        return self.outcome


class Failing:
    """A store that cannot write."""

    async def begin_act(self, _delivery, _key, _now):
        raise StoreUnavailable("no room", cure="free some")

    async def take_back_act(self, _delivery, _key):
        raise LeaseLost("the lease ran out")


def bound(sender, acts=None, clock=None) -> BoundEndpoint:
    config = EndpointConfig(name="getty", url="http://127.0.0.1:9/")
    clock = clock or SystemClock()
    return BoundEndpoint(config, a_delivery(), sender, clock, acts=acts or Acts(), fetcher=sender)


async def test_what_follows_the_begin_of_an_act_is_sent_once():
    sender = Answering(Accepted(Response(status=200)))
    endpoint = bound(sender)
    await endpoint.get()
    assert await endpoint.begin_act("a") is None
    await endpoint.post()
    assert [call.only_once for call in sender.calls] == [False, True]


async def test_an_act_that_was_begun_is_told_with_its_age_until_it_has_failed():
    clock, acts = ManualClock(), Acts()
    endpoint = bound(None, acts, clock)
    assert await endpoint.begin_act("a") is None
    clock.advance(90)
    assert await endpoint.begin_act("a") == timedelta(seconds=90)
    clock.advance(-100)
    assert await endpoint.begin_act("a") == timedelta()
    assert await endpoint.begin_act("b") is None
    await endpoint.act_failed("a")
    assert await endpoint.begin_act("a") is None


async def test_what_cannot_be_written_down_is_not_done():
    endpoint = bound(None, Failing())

    async def handler(_event, endpoint):
        await endpoint.begin_act("a")
        raise AssertionError

    outcome = await handle(handler, a_delivery(), endpoint, 5)
    assert isinstance(outcome, Postponed)
    assert "no room; free some" in outcome.reason
    with pytest.raises(LeaseLost):
        await endpoint.act_failed("a")


@pytest.mark.parametrize(
    ("reason", "sent"),
    [("connection-refused", False), ("dns-failed", False), ("connect-timeout", False),
     ("oauth-token-failed: http-400", False), ("egress-denied", False), ("timeout", True),
     ("connection-lost", True), ("tls-failed", True), ("connect-failed", True), ("failed", True)],
)  # fmt: skip
async def test_an_unanswered_call_says_whether_it_may_have_been_sent(reason, sent):
    with pytest.raises(Unanswered) as raised:
        await bound(Answering(Unreachable(reason, "x"))).post()
    assert raised.value.sent is sent
