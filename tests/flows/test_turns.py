"""Order and time, from the event that comes in to the call that goes out."""

import json

import pytest

from gateway.core.errors import Conflict
from gateway.core.grammar import compile_pattern
from gateway.core.model import SECOND, Priority
from gateway.core.retry import RetryPolicy
from gateway.core.routes import (
    Coalesce,
    Confirm,
    EndpointConfig,
    Route,
    Source,
    Target,
    Timing,
    indexed,
)
from gateway.core.verifying import NoVerifier
from tests.kit.build import NOW, an_event

QUICK = RetryPolicy((5 * SECOND, 60 * SECOND))


def by(name: str):
    """A key, or a moment: a field of the event's data."""
    return lambda scope: scope["event"]["data"][name]


def routes_of(*routes: Route, **endpoints: EndpointConfig):
    names = {target.endpoint for route in routes for target in route.to}
    return indexed(
        sources={"getty": Source(name="getty", verifier=NoVerifier(), verified=False)},
        endpoints={
            name: endpoints.get(name)
            or EndpointConfig(name=name, url=f"http://127.0.0.1:9/{name}", retry=QUICK)
            for name in names
        },
        routes=routes,
    )


def a_route(name: str, *to: Target, match: dict | None = None, **more) -> Route:
    return Route(name=name, pattern=compile_pattern(match or {}), to=to, **more)


async def arrive(flows, *events):
    return await flows.keep.keep(list(events), 72 * 3600 * SECOND)


def sent(flows) -> list[str]:
    """What was sent: the `n` of each event's data, in the order of the calls."""
    return [json.loads(call.body)["data"]["n"] for call in flows.sender.calls]


def numbered(n: str, **more):
    return an_event(data={"n": n, "asset": "a", **more})


KEYED = Target(endpoint="cms", timing=Timing(key=by("asset")))


async def test_of_a_key_one_is_under_way_and_the_order_is_kept_over_retries(make_flows, clock):
    flows = make_flows(routes_of(a_route("updates", KEYED)))
    flows.sender.answers(500, 500)
    await arrive(flows, numbered("1"), numbered("2"), numbered("other", asset="b"))
    await flows.seen("attempt.recorded", 2)
    assert sorted(sent(flows)) == ["1", "other"]
    clock.advance(5)
    await flows.seen("attempt.recorded", 4)
    clock.advance(60)
    await flows.seen("attempt.recorded", 5)
    assert flows.sender.most_under_way <= 2
    assert [n for n in sent(flows) if n != "other"] == ["1", "1", "2"]


async def test_many_of_a_key_all_arrive_one_after_the_other(make_flows):
    flows = make_flows(routes_of(a_route("updates", KEYED)))
    await arrive(flows, *(numbered(str(i)) for i in range(100)))
    await flows.seen("attempt.recorded", 100)
    assert sent(flows) == [str(i) for i in range(100)]
    assert flows.sender.most_under_way == 1


async def test_what_waited_behind_a_cancelled_delivery_goes_at_once(make_flows):
    flows = make_flows(routes_of(a_route("updates", KEYED)))
    flows.sender.answers(500)
    await arrive(flows, numbered("1"), numbered("2"))
    await flows.seen("attempt.recorded", 1)
    (first,) = (d["id"] for d in await flows.store.deliveries({}) if d["attempts"])
    await flows.operate.cancel(first, "by hand")
    await flows.seen("attempt.recorded", 2)
    assert sent(flows) == ["1", "2"]


async def test_a_takedown_goes_while_an_update_of_its_key_waits_for_its_retry(make_flows, clock):
    flows = make_flows(
        routes_of(
            a_route("updates", KEYED, match={"type": "asset.updated"}),
            a_route("takedowns", KEYED, match={"type": "asset.withdrawn"}, priority=Priority.HIGH),
        )
    )
    flows.sender.answers(500)
    await arrive(flows, an_event(event_type="asset.updated", data={"n": "update", "asset": "a"}))
    await flows.seen("attempt.recorded", 1)
    await arrive(
        flows, an_event(event_type="asset.withdrawn", data={"n": "takedown", "asset": "a"})
    )
    await flows.seen("attempt.recorded", 2)
    assert sent(flows) == ["update", "takedown"]
    clock.advance(5)
    await flows.seen("attempt.recorded", 3)
    assert sent(flows)[-1] == "update"


async def test_an_endpoints_key_holds_for_targets_that_have_none(make_flows):
    cms = EndpointConfig(name="cms", url="http://127.0.0.1:9/cms", key=by("asset"))
    flows = make_flows(routes_of(a_route("all", Target(endpoint="cms")), cms=cms))
    await arrive(flows, *(numbered(str(i)) for i in range(5)))
    await flows.seen("attempt.recorded", 5)
    assert sent(flows) == ["0", "1", "2", "3", "4"]


async def test_a_key_that_cannot_be_computed_sends_nothing_and_tells_the_inbox(make_flows):
    flows = make_flows(routes_of(a_route("updates", KEYED)))
    await arrive(flows, an_event(data={"n": "1", "asset": ["no", "text"]}))
    (entry,) = await flows.store.inbox({})
    assert entry["detail"] == (
        "route updates, endpoint cms, key: it is a list, neither text nor a number"
    )
    assert await flows.states() == {}


async def test_only_the_latest_is_sent_after_quiet(make_flows, clock):
    timing = Timing(key=by("asset"), coalesce=Coalesce(5 * SECOND, 60 * SECOND))
    flows = make_flows(routes_of(a_route("updates", Target(endpoint="cms", timing=timing))))
    for n in ("1", "2", "3"):
        await arrive(flows, an_event(data={"n": n, "asset": "a"}, received_at=clock.now()))
        clock.advance(2)
    assert flows.sender.calls == []
    clock.advance(3)
    await flows.seen("attempt.recorded", 1)
    assert sent(flows) == ["3"]


async def test_what_was_superseded_is_not_redelivered_but_replayed(make_flows):
    timing = Timing(key=by("asset"), coalesce=Coalesce(5 * SECOND, 60 * SECOND))
    flows = make_flows(routes_of(a_route("updates", Target(endpoint="cms", timing=timing))))
    await arrive(flows, numbered("1"), numbered("2"))
    (superseded,) = await flows.store.deliveries({"state": "superseded"})
    with pytest.raises(Conflict, match="replay its event"):
        await flows.operate.redeliver(superseded["id"])


async def test_a_target_waits_for_another_of_its_event(make_flows, clock):
    first = Target(endpoint="cms", name="pause")
    then = Target(endpoint="reviews", timing=Timing(after={"pause": True}))
    flows = make_flows(routes_of(a_route("expiring", first, then)))
    flows.sender.answers(500)
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded", 1)
    assert [call.url[-3:] for call in flows.sender.calls] == ["cms"]
    clock.advance(5)
    await flows.seen("attempt.recorded", 3)
    assert await flows.states() == {"cms": "delivered", "reviews": "delivered"}
    assert flows.sender.calls[-1].url.endswith("reviews")


async def test_a_target_that_made_nothing_is_not_waited_for(make_flows):
    first = Target(endpoint="cms", name="pause", when=lambda _scope: False)
    then = Target(endpoint="reviews", timing=Timing(after={"pause": True}))
    flows = make_flows(routes_of(a_route("expiring", first, then)))
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded", 1)
    assert await flows.states() == {"reviews": "delivered"}


async def test_a_delayed_delivery_is_sent_when_its_time_has_come(make_flows, clock):
    delayed = Target(endpoint="cms", timing=Timing(delay=600 * SECOND))
    flows = make_flows(routes_of(a_route("later", delayed)))
    await arrive(flows, an_event())
    clock.advance(599)
    clock.advance(1)
    await flows.seen("attempt.recorded", 1)
    assert len(flows.sender.calls) == 1


async def test_a_delivery_is_sent_at_the_moment_that_its_event_names(make_flows, clock):
    planned = Target(endpoint="cms", timing=Timing(at=by("when")))
    flows = make_flows(routes_of(a_route("planned", planned)))
    await arrive(flows, an_event(data={"when": "2026-11-18T11:16:40Z"}))
    (waiting,) = await flows.store.deliveries({})
    assert waiting["due_at"] == "2026-11-18T11:16:40.000Z"
    clock.advance(600)
    await flows.seen("attempt.recorded", 1)


@pytest.mark.parametrize("when", ["soon", "2026-11-18T11:16:40", 5, None])
async def test_a_moment_that_is_none_tells_the_inbox(make_flows, when):
    planned = Target(endpoint="cms", timing=Timing(at=by("when")))
    flows = make_flows(routes_of(a_route("planned", planned)))
    await arrive(flows, an_event(data={"when": when}))
    (entry,) = await flows.store.inbox({})
    assert "at: it is" in entry["detail"]


async def test_what_is_too_late_to_matter_is_not_tried_again(make_flows, clock):
    expiring = Target(endpoint="cms", timing=Timing(expires_after=30 * SECOND))
    flows = make_flows(routes_of(a_route("soon", expiring)))
    flows.sender.answers(500, 500)
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded", 1)
    clock.advance(5)
    await flows.seen("attempt.recorded", 2)
    (waiting,) = await flows.store.deliveries({})
    assert waiting["due_at"] == "2026-11-18T11:07:10.000Z", "the retry is cut to when it expires"
    clock.advance(25)
    while (await flows.states())["cms"] == "scheduled":
        pass
    (ended,) = await flows.store.deliveries({})
    assert (ended["state"], ended["reason"]) == (
        "cancelled",
        "expired: it would come too late to matter",
    )
    assert len(flows.sender.calls) == 2


async def test_what_expires_at_a_paused_endpoint_ends_too(make_flows, clock):
    expiring = Target(endpoint="cms", timing=Timing(expires_after=30 * SECOND))
    flows = make_flows(routes_of(a_route("soon", expiring)))
    await flows.operate.pause("cms")
    await arrive(flows, an_event())
    clock.advance(30)
    await flows.seen("deliveries.expired", 1)
    assert await flows.states() == {"cms": "cancelled"}


async def test_what_is_late_is_told_once(make_flows, clock):
    slow = EndpointConfig(
        name="cms",
        url="http://127.0.0.1:9/cms",
        late_after=60 * SECOND,
        retry=RetryPolicy((3600 * SECOND,)),
    )
    flows = make_flows(routes_of(a_route("all", Target(endpoint="cms")), cms=slow))
    flows.sender.answers(500)
    await arrive(flows, an_event())
    await flows.seen("attempt.recorded", 1)
    clock.advance(60)
    (told,) = await flows.seen("deliveries.late", 1)
    (event,) = await flows.store.events({})
    assert told == {
        "endpoint": "cms",
        "count": 1,
        "oldest_seconds": 60,
        "oldest_event": event["id"],
    }
    assert await flows.late.counts() == {"cms": 1}
    clock.advance(3600)
    await flows.seen("attempt.recorded", 2)
    assert await flows.late.counts() == {}
    assert len(await flows.seen("deliveries.late", 1)) == 1


# -- confirm ---------------------------------------------------------------------------------------

PROMISE = Confirm(3600 * SECOND, "terms.unconfirmed")


def confirming(*to: str):
    return (
        a_route(
            "terms",
            *(Target(endpoint=name) for name in to),
            match={"type": "terms.changed"},
            confirm=PROMISE,
        ),
        a_route(
            "alarm",
            Target(endpoint="pager"),
            match={"type": "terms.unconfirmed", "source": "gateway"},
        ),
    )


async def test_what_is_not_delivered_in_time_makes_an_event_that_says_what(make_flows, clock):
    flows = make_flows(routes_of(*confirming("cms", "dam")))
    await flows.operate.pause("dam")
    cause = an_event(event_type="terms.changed", subject="terms/7")
    await arrive(flows, cause)
    await flows.seen("attempt.recorded", 1)
    clock.advance(3600)
    await flows.seen("attempt.recorded", 2)
    told = json.loads(flows.sender.calls[-1].body)
    assert flows.sender.calls[-1].url.endswith("pager")
    assert (told["type"], told["subject"], told["source"]) == (
        "terms.unconfirmed",
        "terms/7",
        "/routes/terms",
    )
    assert (told["correlationid"], told["causationid"], told["hopcount"]) == (cause.id, cause.id, 1)
    assert told["data"]["event"]["event_id"] == cause.event_id
    (pending,) = told["data"]["pending"]
    assert (pending["endpoint"], pending["state"], pending["attempts"]) == ("dam", "scheduled", 0)
    assert (told["data"]["dead"], told["data"]["cancelled"]) == ([], [])
    assert await flows.store.next_confirmation() is None


async def test_what_is_delivered_in_time_makes_none(make_flows, clock):
    flows = make_flows(routes_of(*confirming("cms", "dam")))
    await arrive(flows, an_event(event_type="terms.changed"))
    await flows.seen("attempt.recorded", 2)
    clock.advance(3600)
    while await flows.store.next_confirmation() is not None:
        pass
    assert len(await flows.store.events({})) == 1


async def test_a_confirmation_that_is_looked_at_twice_makes_one_event(make_flows, clock):
    flows = make_flows(routes_of(*confirming("dam")))
    await flows.operate.pause("dam")
    await arrive(flows, an_event(event_type="terms.changed"))
    (due,) = await flows.store.due_confirmations(NOW + 7200 * SECOND, 10)
    for _ in range(2):  # as after a crash before it was ended
        await flows.confirm._look_at(*due, NOW + 3600 * SECOND)
    types = sorted(event["type"] for event in await flows.store.events({}))
    assert types == ["terms.changed", "terms.unconfirmed"]


async def test_events_that_cause_each_other_come_to_an_end_in_the_inbox(make_flows):
    flows = make_flows(routes_of(a_route("all", Target(endpoint="dam"), confirm=PROMISE)))
    await flows.operate.pause("dam")
    await arrive(flows, an_event(event_type="terms.changed", hopcount=15))
    for hours in (1, 2):
        for due in await flows.store.due_confirmations(NOW + hours * 3600 * SECOND, 10):
            await flows.confirm._look_at(*due, NOW + hours * 3600 * SECOND)
    assert len(await flows.store.events({})) == 2
    (entry,) = await flows.store.inbox({"code": "hop-limit"})
    assert "16 events have led to one another" in entry["detail"]


async def test_names_sort_as_events_come_also_when_the_clock_is_set_back(make_flows, clock):
    flows = make_flows(routes_of(a_route("all", KEYED)))
    first = flows.keep.new_id()
    clock.advance(-600)
    second = flows.keep.new_id()
    assert second > first
    flows.keep.go_on_after(NOW + SECOND)
    assert flows.keep.new_id() > second


async def test_a_clock_that_was_far_ahead_is_not_followed(make_flows, clock):
    flows = make_flows(routes_of(a_route("all", KEYED)))
    flows.keep.go_on_after(NOW + 365 * 86400 * SECOND)
    assert flows.keep.new_id()[4:16] == f"{NOW // 1000:012x}"
