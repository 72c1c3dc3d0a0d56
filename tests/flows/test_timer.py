"""Lanes that wait for a moment: for their rate, for a probe, or because the endpoint asked them to."""

import pytest

from gateway.core.breaker import BreakerPolicy
from gateway.core.model import SECOND, Refused, Response, Unreachable
from gateway.core.retry import RetryPolicy
from gateway.core.routes import EndpointConfig
from gateway.flows.lanes import LEASE_MARGIN
from tests.flows.test_deliver import _turns, arrive
from tests.kit.build import a_lease, an_arrival, an_event, some_routes

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
FOREVER = 1 << 62
SENSITIVE = BreakerPolicy(failures=3, delay=30 * SECOND, longest=100 * SECOND)


def cms(**more) -> EndpointConfig:
    given = {"retry": RetryPolicy((5 * SECOND,) * 9), "breaker": SENSITIVE, **more}
    return EndpointConfig(name="cms", url="http://127.0.0.1:9/cms", **given)


def to_cms(**more):
    return some_routes(({"source": "getty"}, "cms"), cms=cms(**more))


def events(count: int):
    return [an_event() for _ in range(count)]


async def states(flows) -> list[str]:
    return sorted(row["state"] for row in await flows.store.deliveries({"limit": 500}))


async def quiet(flows) -> None:
    """Let happen what would: a commit follows every claim and record that was submitted before it."""
    for _ in range(4):
        await flows.store.release([])
        await _turns(5)


async def restarted(make_flows, **more):
    """The gateway as it comes up on the same store after it was killed."""
    flows = make_flows(to_cms(**more))
    await flows.operate.restore_lanes()
    await flows.store.reclaim(FOREVER)
    await flows.claim.refresh()
    return flows


# -- rate ------------------------------------------------------------------------------------------


async def test_attempts_begin_no_faster_than_the_rate(make_flows, clock):
    flows = make_flows(to_cms(rate=(2, SECOND)))
    await arrive(flows, *events(5))
    for begun in range(1, 6):
        await flows.seen("attempt.recorded", begun)
        await quiet(flows)
        assert len(flows.sender.calls) == begun
        clock.advance(0.5)


async def test_what_the_rate_does_not_let_through_soon_holds_no_lease(make_flows, clock):
    flows = make_flows(to_cms(rate=(1, HOUR)))
    await arrive(flows, *events(3))
    await flows.seen("attempt.recorded")
    assert await states(flows) == ["delivered", "scheduled", "scheduled"]
    clock.advance(3599)
    await quiet(flows)
    assert len(flows.sender.calls) == 1
    clock.advance(1)
    await flows.seen("attempt.recorded", 2)


async def test_a_rate_leases_what_it_lets_through_within_a_second_and_no_more(make_flows):
    flows = make_flows(to_cms(rate=(10, SECOND), concurrency=100))
    await arrive(flows, *events(40))
    await flows.seen("attempt.recorded")
    assert (await states(flows)).count("leased") <= 11


async def test_a_rate_holds_across_a_restart_without_a_burst(make_flows, clock):
    before = make_flows(to_cms(rate=(1, HOUR)))
    await arrive(before, *events(3))
    await before.seen("attempt.recorded")
    await before.stop()
    clock.advance(3000)
    after = await restarted(make_flows, rate=(1, HOUR))
    clock.advance(599)
    await quiet(after)
    assert after.sender.calls == []
    clock.advance(2)
    await after.seen("attempt.recorded")
    await quiet(after)
    assert len(after.sender.calls) == 1


async def test_an_attempt_that_a_crash_left_unrecorded_counts_as_just_begun(
    make_flows, store, clock
):
    await store.append([an_arrival(leased=True)])  # and killed while it was under way
    for _ in range(2):  # a second crash changes nothing
        clock.advance(10)
        await store.note_leased(clock.now())
    after = await restarted(make_flows, rate=(1, HOUR))
    clock.advance(3599)
    await quiet(after)
    assert after.sender.calls == []
    clock.advance(2)
    await after.seen("attempt.recorded")


async def test_a_rate_that_is_lowered_by_a_reload_gives_leases_back_and_counts_what_began(
    make_flows, clock
):
    flows = make_flows(to_cms(rate=(10, SECOND)))
    await arrive(flows, *events(8))
    await flows.seen("attempt.recorded")
    await flows.operate.use_endpoints({"cms": cms(rate=(1, HOUR))})
    await flows.deliver.drain(0)
    assert await states(flows) == ["delivered"] + ["scheduled"] * 7
    assert flows.lanes["cms"].wait(clock.now()) > HOUR - MINUTE


async def test_a_rate_that_is_taken_away_by_a_reload_lets_everything_go(make_flows):
    flows = make_flows(to_cms(rate=(1, HOUR)))
    await arrive(flows, *events(8))
    await flows.seen("attempt.recorded")
    await flows.operate.use_endpoints({"cms": cms()})
    flows.lanes.wake()
    await flows.seen("attempt.recorded", 8)


# -- breaker ---------------------------------------------------------------------------------------


async def failing(make_flows, count: int = 10, **more):
    """An endpoint whose breaker has just opened, with *count* deliveries to it."""
    flows = make_flows(to_cms(concurrency=1, **more))
    flows.sender.answers(500, 500, 500)
    await arrive(flows, *events(count))
    await flows.seen("endpoint.closed")
    await flows.seen("attempt.recorded", 3)
    return flows


async def test_an_open_breaker_begins_nothing_and_what_waits_loses_no_attempt(make_flows, clock):
    flows = await failing(make_flows)
    clock.advance(29)
    await quiet(flows)
    assert len(flows.sender.calls) == 3
    rows = await flows.store.deliveries({})
    assert {row["state"] for row in rows} == {"scheduled"}
    assert sorted(row["attempts"] for row in rows) == [0] * 7 + [1] * 3
    (report,) = await flows.seen("endpoint.closed")
    assert report["endpoint"] == "cms"
    assert report["reason"] == "3 failures in a row, the last: http-500"


async def test_a_new_event_waits_while_the_breaker_is_open(make_flows, clock):
    flows = await failing(make_flows, 3)
    await arrive(flows)
    await quiet(flows)
    assert len(flows.sender.calls) == 3
    assert await states(flows) == ["scheduled"] * 4


async def test_one_probe_is_made_and_its_success_lets_the_rest_go(make_flows, clock):
    flows = await failing(make_flows)
    flows.sender.may_answer.clear()
    clock.advance(30)
    await flows.sender.called(4)
    clock.advance(10)
    await quiet(flows)
    assert len(flows.sender.calls) == 4
    flows.sender.may_answer.set()
    await flows.seen("endpoint.opened")
    await flows.seen("attempt.recorded", 13)
    assert await states(flows) == ["delivered"] * 10


async def test_the_probe_is_the_delivery_that_was_due_first(make_flows, clock):
    flows = await failing(make_flows)
    clock.advance(29)
    late = an_event()
    await arrive(flows, late)
    flows.sender.answers(500)
    clock.advance(1)
    await flows.seen("attempt.recorded", 4)
    assert late.event_id[4:] not in flows.sender.calls[-1].headers["webhook-id"]


async def test_a_probe_that_fails_costs_one_attempt_and_doubles_the_wait(make_flows, clock):
    flows = await failing(make_flows)
    flows.sender.script.append(Unreachable("timeout", "20 s"))
    clock.advance(30)
    await flows.seen("attempt.recorded", 4)
    clock.advance(59)
    await quiet(flows)
    assert len(flows.sender.calls) == 4
    clock.advance(1)
    await flows.seen("attempt.recorded", 5)


async def test_a_probe_that_learns_nothing_is_followed_by_another(make_flows, clock):
    flows = await failing(make_flows)
    flows.sender.script.append(Unreachable("request-invalid", "a header"))
    clock.advance(30)
    await flows.seen("attempt.recorded", 13)
    assert sorted(set(await states(flows))) == ["dead", "delivered"]


async def test_attempts_that_hang_since_before_do_not_keep_the_probe_from_being_made(
    make_flows, clock
):
    flows = make_flows(to_cms(concurrency=8))
    hanging = flows.sender.may_answer
    answer = flows.sender.send

    async def send(call):
        if len(flows.sender.calls) < 4:
            flows.sender.calls.append(call)
            await hanging.wait()
        return await answer(call)

    hanging.clear()
    flows.sender.send = send
    await arrive(flows, *events(4))
    hanging.set()
    await flows.seen("attempt.recorded", 4)
    lane = flows.lanes["cms"]
    lane.running += 7  # hang for good
    for _ in range(3):
        lane.breaker.learn(lane.breaker.begin(), "timeout", clock.now(), 0)
    flows.deliver.watch(lane)
    await arrive(flows)
    clock.advance(30)
    await flows.seen("attempt.recorded", 5)
    lane.running -= 7


async def test_an_open_breaker_stays_open_over_a_restart_and_then_makes_one_probe(
    make_flows, clock
):
    before = await failing(make_flows)
    await before.stop()
    clock.advance(20)
    after = await restarted(make_flows)
    assert after.operate.endpoint("cms")["breaker"] == "open"
    clock.advance(9)
    await quiet(after)
    assert after.sender.calls == []
    after.sender.answers(500)
    clock.advance(1)
    await after.seen("attempt.recorded")
    await quiet(after)
    assert len(after.sender.calls) == 1


async def test_a_breaker_that_closed_is_closed_after_a_restart(make_flows, clock):
    before = await failing(make_flows)
    clock.advance(30)
    await before.seen("attempt.recorded", 13)
    await before.stop()
    after = await restarted(make_flows)
    assert after.operate.endpoint("cms")["breaker"] == "closed"


async def test_resume_closes_an_open_breaker_for_good(make_flows, store):
    flows = await failing(make_flows)
    await flows.operate.resume("cms")
    await flows.seen("attempt.recorded", 10)
    assert (await store.lanes())["cms"].since == 0


async def test_without_a_breaker_failures_close_nothing(make_flows):
    flows = make_flows(to_cms(breaker=None, concurrency=1))
    flows.sender.answers(*[500] * 30)
    await arrive(flows, *events(30))
    await flows.seen("attempt.recorded", 30)
    assert flows.operate.endpoint("cms")["breaker"] == "off"


async def test_one_open_breaker_keeps_no_other_lane_waiting(make_flows):
    routes = some_routes(({}, "cms"), ({}, "pager"), cms=cms(concurrency=1))
    flows = make_flows(routes)
    script = flows.sender.send

    async def send(call):
        if call.url.endswith("/cms"):
            return Refused(Response(status=500))
        return await script(call)

    flows.sender.send = send
    await arrive(flows, *events(50))
    await flows.seen("endpoint.closed")
    await flows.seen("attempt.recorded", 53)
    rows = await flows.store.deliveries({"endpoint": "pager", "limit": 500})
    assert {row["state"] for row in rows} == {"delivered"}


# -- what an endpoint asks for ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_holds_the_whole_lane_back(make_flows, clock, status):
    flows = make_flows(to_cms(concurrency=1))
    refused = Response(status=status, headers={"retry-after": "120"})
    flows.sender.script.append(Refused(refused))
    await arrive(flows, *events(5))
    await flows.seen("attempt.recorded")
    clock.advance(119)
    await quiet(flows)
    assert len(flows.sender.calls) == 1
    assert flows.operate.endpoint("cms")["held_until"] is not None
    clock.advance(1)
    await flows.seen("attempt.recorded", 6)
    assert flows.operate.endpoint("cms")["held_until"] is None


async def test_a_lane_is_held_back_for_an_hour_at_most_also_across_a_restart(make_flows, clock):
    before = make_flows(to_cms(concurrency=1))
    before.sender.script.append(Refused(Response(status=429, headers={"retry-after": "99999"})))
    await arrive(before, *events(2))
    await before.seen("attempt.recorded")
    await before.stop()
    clock.advance(3599)
    after = await restarted(make_flows)
    await quiet(after)
    assert after.sender.calls == []
    clock.advance(1)
    await after.seen("attempt.recorded")


async def test_retry_after_of_another_answer_holds_back_that_delivery_alone(make_flows):
    flows = make_flows(to_cms(concurrency=1))
    flows.sender.script.append(Refused(Response(status=500, headers={"retry-after": "120"})))
    await arrive(flows, *events(5))
    await flows.seen("attempt.recorded", 5)


# -- lanes that close ------------------------------------------------------------------------------


async def test_what_is_committed_or_claimed_while_its_lane_closes_goes_back(make_flows, clock):
    flows = make_flows(to_cms())
    lane = flows.lanes["cms"]
    arrival = an_arrival()
    (delivery,) = arrival.deliveries
    delivery.lease = a_lease()
    await flows.store.append([arrival])
    lane.reserved += 1
    flows.deliver.close_lane(lane, "paused", "by hand")
    flows.deliver.begin([delivery], clock.now())
    assert lane.held == 0
    await quiet(flows)
    assert await states(flows) == ["scheduled"]


async def test_after_a_reload_to_fewer_at_a_time_no_more_than_that_are_begun(make_flows):
    flows = make_flows(to_cms(concurrency=4))
    flows.sender.may_answer.clear()
    await arrive(flows, *events(12))
    await flows.sender.called(4)
    await flows.operate.use_endpoints({"cms": cms(concurrency=1)})
    flows.sender.most_under_way = 0
    flows.sender.may_answer.set()
    await flows.seen("attempt.recorded", 12)
    assert flows.sender.most_under_way == 1


async def test_an_endpoint_that_comes_back_is_paused_as_it_was_left(make_flows):
    flows = make_flows(to_cms())
    await flows.operate.pause("cms", reason="they migrate")
    for endpoints in ({}, {"cms": cms()}):
        await flows.operate.use_endpoints(endpoints)
    shown = flows.operate.endpoint("cms")
    assert (shown["state"], shown["reason"]) == ("paused", "they migrate")


def test_a_lease_outlasts_what_is_leased_ahead():
    assert LEASE_MARGIN > 2 * SECOND
