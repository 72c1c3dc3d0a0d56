"""The gateway's own news as events: few, matched like any other, and never about themselves."""

import json

import pytest

from gateway.core.errors import StoreBehind, StoreUnavailable
from gateway.core.model import SECOND
from gateway.core.news import EVERY, GATHER
from gateway.core.retry import RetryPolicy
from gateway.core.routes import Confirm, EndpointConfig, Target
from gateway.flows.late import Late
from tests.flows.test_turns import a_route, arrive, routes_of
from tests.kit.build import an_event

ONCE = RetryPolicy(())
FOREVER_PATIENT = RetryPolicy((365 * 86_400 * SECOND,))


def endpoint(name: str, **more) -> EndpointConfig:
    return EndpointConfig(
        name=name, url=f"http://127.0.0.1:9/{name}", **{"retry": ONCE, "breaker": None, **more}
    )


def watching(**cms):
    """Routes that send everything of `getty` to one endpoint, and news to another."""
    return routes_of(
        a_route("all", Target(endpoint="cms"), match={"source": "getty"}),
        a_route("alarm", Target(endpoint="pager"), match={"source": "gateway"}),
        cms=endpoint("cms", **cms),
        pager=endpoint("pager"),
    )


async def news_of(flows) -> list[dict]:
    """All news that is stored, in the order in which it came."""
    found = await flows.store.events({"source": "gateway"})
    events = [await flows.store.event(each["id"]) for each in reversed(found)]
    return [{"type": event.type, "subject": event.subject, **event.data} for event in events]


async def settle(flows, clock, count: int, seconds: int = GATHER // SECOND) -> None:
    """Let so much time pass, and wait until there is so much news."""
    clock.advance(seconds)
    while len(await flows.store.events({"source": "gateway"})) < count:
        pass


async def quiet(flows, clock, seconds: int = 2 * EVERY // SECOND) -> None:
    """Let time pass, and take all the steps that follow."""
    clock.advance(seconds)
    await flows.tell._step()


async def test_many_dead_letters_of_an_endpoint_are_few_events(make_flows, clock):
    flows = make_flows(watching(concurrency=8))
    flows.sender.answers(*[500] * 1500, *[404] * 500)
    for _ in range(20):
        await arrive(flows, *(an_event() for _ in range(100)))
    await flows.seen("attempt.recorded", 2000)
    await settle(flows, clock, 1)
    (told,) = await news_of(flows)
    assert (told["type"], told["subject"]) == ("gateway.delivery.dead", "endpoint/cms")
    assert (told["count"], told["reason"], len(told["deliveries"])) == (2000, "http-500", 10)
    assert told["reasons"] == {"http-500": 1500, "http-404": 500}
    assert told["routes"] == {"all": 2000}
    assert all(each.startswith("dlv_") for each in told["deliveries"])
    assert "gateway dead --endpoint cms" in told["cure"]


async def test_what_dies_soon_after_is_told_minutes_later(make_flows, clock):
    flows = make_flows(watching())
    flows.sender.answers(500)
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded", 1)
    await settle(flows, clock, 1)
    await flows.seen("attempt.recorded", 2)  # the alert
    flows.sender.answers(500, 500)
    await arrive(flows, an_event(), an_event())
    await flows.seen("attempt.recorded", 4)
    await quiet(flows, clock, EVERY // SECOND - 1)
    assert [each["count"] for each in await news_of(flows)] == [1]
    await settle(flows, clock, 2, 1)
    assert [each["count"] for each in await news_of(flows)] == [1, 2]


async def test_news_goes_out_like_any_other_event(make_flows, clock):
    flows = make_flows(watching(owner="web-team"))
    flows.sender.answers(500)
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded", 1)
    clock.advance(GATHER // SECOND)
    await flows.seen("attempt.recorded", 2)
    call = flows.sender.calls[-1]
    told = json.loads(call.body)
    assert call.url.endswith("/pager")
    assert (told["type"], told["source"], told["news"]) == ("gateway.delivery.dead", "/news", True)
    assert (told["data"]["endpoint"], told["data"]["owner"]) == ("cms", "web-team")


async def test_an_alert_that_cannot_be_delivered_makes_no_other(make_flows, clock):
    """The endpoint that alerts go to is dead, and late, and what confirms them fails too."""
    flows = make_flows(
        routes_of(
            a_route("all", Target(endpoint="cms"), match={"source": "getty"}),
            a_route(
                "alarm",
                Target(endpoint="pager"),
                match={"source": "gateway"},
                confirm=Confirm(60 * SECOND, "alarm.unconfirmed"),
            ),
            cms=endpoint("cms"),
            pager=endpoint("pager", late_after=SECOND),
        )
    )
    flows.sender.answers(*[500] * 100)
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded", 1)
    await settle(flows, clock, 1)
    await flows.seen("attempt.recorded", 2)
    await settle(flows, clock, 2, 60)
    await flows.seen("attempt.recorded", 3)
    await quiet(flows, clock)
    assert await flows.late.counts() == {}
    assert [each["type"] for each in await news_of(flows)] == [
        "gateway.delivery.dead",
        "alarm.unconfirmed",
    ]


async def test_what_a_sender_calls_news_dies_with_a_word(make_flows, clock):
    flows = make_flows(watching())
    flows.sender.answers(500)
    await arrive(flows, an_event(event_type="gateway.delivery.dead", news=True))
    await flows.seen("attempt.recorded", 1)
    await settle(flows, clock, 1)


async def test_no_event_is_made_that_no_route_takes(make_flows, clock):
    flows = make_flows(
        routes_of(
            a_route("all", Target(endpoint="cms"), match={"source": "getty"}), cms=endpoint("cms")
        )
    )
    flows.sender.answers(500)
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded", 1)
    await quiet(flows, clock)
    assert await news_of(flows) == []
    assert await flows.store.count_inbox(0) == 0


async def test_late_deliveries_are_told_with_their_number(make_flows, clock):
    flows = make_flows(watching(late_after=60 * SECOND, retry=FOREVER_PATIENT))
    flows.sender.answers(500, 500)
    first, _ = await arrive(flows, an_event(), an_event())
    await flows.seen("attempt.recorded", 2)
    clock.advance(60)
    await flows.seen("deliveries.late", 1)
    await settle(flows, clock, 1)
    (told,) = await news_of(flows)
    assert (told["type"], told["endpoint"], told["count"]) == ("gateway.delivery.late", "cms", 2)
    assert (told["oldest_seconds"], told["events"]) == (65, [first.event_id])


async def test_of_two_nodes_that_look_at_once_one_tells_what_is_late(make_flows, clock):
    flows = make_flows(watching(late_after=60 * SECOND, retry=FOREVER_PATIENT))
    flows.sender.answers(500)
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded", 1)
    await flows.late.loop.stop()
    clock.advance(60)

    class Behind:
        """The store, as a node sees it that read just before another wrote."""

        late_between = flows.store.late_between

        async def told_till(self, _what):
            return None

    other = Late(
        look_up=Behind(), store=flows.store, clock=clock, telemetry=flows.telemetry
    )  # fmt: skip
    await flows.late._step()
    await other._step()
    assert len(await flows.seen("deliveries.late", 1)) == 1


async def test_an_endpoint_that_stops_and_goes_on_is_told_of(make_flows, clock):
    flows = make_flows(watching())
    flows.sender.answers(410)
    await arrive(flows, an_event())
    await flows.seen("endpoint.closed", 1)
    await settle(flows, clock, 1)
    (stopped,) = await news_of(flows)
    assert (stopped["type"], stopped["state"]) == ("gateway.endpoint.disabled", "disabled")
    assert "gateway resume cms" in stopped["cure"]
    clock.advance(EVERY // SECOND)
    await flows.operate.resume("cms")
    await settle(flows, clock, 2)
    recovered = (await news_of(flows))[1]
    assert (recovered["type"], recovered["was"]) == ("gateway.endpoint.recovered", "disabled")
    assert recovered["seconds"] == (EVERY + 2 * GATHER) // SECOND


async def test_an_endpoint_that_is_back_before_it_is_told_of_is_none(make_flows, clock):
    flows = make_flows(watching())
    flows.sender.answers(410)
    await arrive(flows, an_event())
    await flows.seen("endpoint.closed", 1)
    await flows.operate.resume("cms")
    await quiet(flows, clock)
    assert await news_of(flows) == []


async def test_a_pause_and_its_end_are_no_news(make_flows, clock):
    flows = make_flows(watching())
    await flows.operate.pause("cms")
    await flows.operate.resume("cms")
    await flows.operate.resume("pager")  # which was open
    await quiet(flows, clock)
    assert await news_of(flows) == []


async def test_an_endpoint_that_an_earlier_run_told_of_recovers_in_this(make_flows, clock):
    flows = make_flows(watching())
    flows.lanes["cms"].state = "disabled"  # as it was left
    await flows.operate.resume("cms")
    await settle(flows, clock, 1)
    (told,) = await news_of(flows)
    assert (told["type"], told["was"], told["seconds"]) == (
        "gateway.endpoint.recovered",
        "disabled",
        None,
    )


async def test_two_nodes_tell_of_an_endpoint_once(make_flows, clock):
    one, other = make_flows(watching()), make_flows(watching())
    for flows in (one, other):
        flows.telemetry.emit("endpoint.closed", endpoint="cms", state="disabled", reason="gone")
    await settle(one, clock, 1)
    await other.tell.loop.stop()
    await other.tell._step()
    assert len(await news_of(one)) == 1


async def test_a_file_that_is_refused_again_and_again_is_told_of_once(make_flows, clock):
    flows = make_flows(watching())
    for _ in range(3):
        flows.telemetry.emit("routes.rejected", problems=["routes.yaml:1:1: x"] * 30, in_force="f1")
    await settle(flows, clock, 1)
    (told,) = await news_of(flows)
    assert (told["type"], told["count"], len(told["problems"])) == (
        "gateway.config.rejected",
        30,
        10,
    )
    assert told["in_force"] == "f1"


async def test_what_the_store_does_not_take_is_told_when_it_does(make_flows, clock):
    flows = make_flows(watching())
    await flows.tell.loop.stop()
    flows.telemetry.emit("routes.rejected", problems=["x"], in_force="f1")
    clock.advance(GATHER // SECOND)
    keep = flows.keep.keep

    async def fails(*_):
        raise StoreUnavailable("the disk is away")

    flows.keep.keep = fails
    with pytest.raises(StoreUnavailable):
        await flows.tell._step()
    flows.keep.keep = keep
    await flows.tell._step()
    assert len(await news_of(flows)) == 1


async def test_what_is_gathered_is_told_when_the_gateway_stops(make_flows, store):
    flows = make_flows(watching())
    flows.sender.answers(500)
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded", 1)
    await flows.stop()
    (told,) = await news_of(flows)
    assert told["type"] == "gateway.delivery.dead"


async def test_news_that_could_be_told_late_only_is_followed_by_no_other_at_once(
    make_flows, clock, monkeypatch
):
    flows = make_flows(watching())
    await flows.tell.loop.stop()

    async def behind(_news):
        raise StoreBehind("the database is behind", cure="wait")

    async def one_dies(count):
        flows.sender.answers(500)
        await arrive(flows, an_event())
        await flows.seen("attempt.recorded", count)

    with monkeypatch.context() as broken:
        broken.setattr(flows.tell, "tell", behind)
        await one_dies(1)
        await quiet(flows, clock)
        await one_dies(2)
        await quiet(flows, clock, GATHER // SECOND)
    for count in (1, 2):
        await quiet(flows, clock, 0)
        assert [each["count"] for each in await news_of(flows)] == [1] * count
        await quiet(flows, clock, EVERY // SECOND - 1)
        assert len(await news_of(flows)) == count
        clock.advance(1)


async def test_what_died_while_other_news_of_it_waited_is_told_at_the_end(
    make_flows, clock, monkeypatch
):
    flows = make_flows(watching())
    await flows.tell.loop.stop()

    async def behind(_news):
        raise StoreBehind("the database is behind", cure="wait")

    with monkeypatch.context() as broken:
        broken.setattr(flows.tell, "tell", behind)
        for count in (1, 2):
            flows.sender.answers(500)
            await arrive(flows, an_event())
            await flows.seen("attempt.recorded", count)
            await quiet(flows, clock, GATHER // SECOND)
    await flows.tell.close()
    assert [each["count"] for each in await news_of(flows)] == [1, 1]
