"""What every engine promises: the verbs of `ports.Store`, one by one."""

import asyncio
from dataclasses import replace

import orjson
import pytest

from gateway.core.access import AuditEntry
from gateway.core.errors import LeaseLost
from gateway.core.model import (
    SECOND,
    Attempt,
    BodyForm,
    CallRecord,
    EventId,
    Failure,
    InboxEntry,
    LaneMark,
    Refusal,
    Routed,
    Switch,
    Withheld,
    parse_delivery_id,
)
from gateway.core.retry import Finish, GiveUp, Park, RetryAt
from gateway.store.rows import event_of, unpacked
from tests.kit.build import NOW, a_delivery, a_lease, an_arrival, an_event

SOON = NOW + SECOND


def an_attempt(number: int = 1, **more) -> Attempt:
    defaults = {
        "number": number,
        "started_at": NOW,
        "duration": 1500,
        "outcome": "accepted",
        "status": 200,
    }
    return Attempt(**{**defaults, **more})


async def keep(store, *arrivals):
    return await store.append(list(arrivals))


async def row(store, delivery) -> dict:
    (found,) = await store.deliveries({"event": delivery.event.event_id, "n": delivery.n})
    return found


async def claim_one(store, endpoint: str = "cms", now: int = NOW):
    claimed = await store.claim(endpoint, [a_lease()], now)
    return claimed[0] if claimed else None


# -- append ----------------------------------------------------------------------------------------


async def test_an_event_comes_back_byte_for_byte(store):
    event = an_event(data={"b": 1.50, "ü": ["x", None]}, tenant="acme", subject="asset/1")
    await keep(store, an_arrival(event))
    found = await store.event(event.event_id)
    for name in (
        "body",
        "head",
        "splice",
        "envelope",
        "content_type",
        "received_at",
        "source",
        "fields",
    ):
        assert getattr(found, name) == getattr(event, name), name


async def test_data_that_is_no_part_of_the_body_is_kept_on_its_own(store):
    event = an_event()
    event.body = b"something else entirely"
    await keep(store, an_arrival(event))
    found = await store.event(event.event_id)
    assert (found.body, found.splice) == (event.body, event.splice)


async def test_an_event_without_data_stays_without(store):
    event = an_event()
    event.head, event.splice = event.head.removesuffix(b',"data":'), b""
    await keep(store, an_arrival(event))
    found = await store.event(event.event_id)
    assert "data" not in found.fields
    assert found.envelope == event.head + b"}"


async def test_an_unknown_event_is_none(store):
    assert await store.event(EventId("evt_0")) is None


async def test_a_leased_delivery_is_leased_and_the_others_are_due_at_once(store):
    leased, free = an_arrival(leased=True), an_arrival()
    await keep(store, leased, free)
    assert (await row(store, leased.deliveries[0]))["state"] == "leased"
    assert (await row(store, free.deliveries[0]))["state"] == "scheduled"
    assert (await claim_one(store)).event.event_id == free.event.event_id
    assert await claim_one(store) is None


async def test_a_second_arrival_of_a_key_is_a_duplicate_of_the_first(store):
    first = an_arrival(an_event(key="k"))
    second = an_arrival(first.event)
    other = an_event(key="k")
    (kept,) = await keep(store, first)
    (again,) = await keep(store, an_arrival(_same_body(other, first.event)))
    assert (kept.event_id, kept.duplicate) == (first.event.event_id, False)
    assert (again.event_id, again.duplicate) == (first.event.event_id, True)
    assert await store.event(other.event_id) is None
    assert len(await store.deliveries({})) == 1
    assert await store.inbox({}) == []
    assert second.event is first.event


def _same_body(event, other):
    event.body = other.body
    return event


async def test_a_duplicate_is_noticed_within_one_commit(store):
    one, two = an_event(key="k"), an_event(key="k")
    receipts = await asyncio.gather(keep(store, an_arrival(one)), keep(store, an_arrival(two)))
    assert [r.duplicate for (r,) in receipts] == [False, True]
    assert len(await store.events({})) == 1


async def test_a_duplicate_is_noticed_within_one_request(store):
    one, two = an_event(key="k"), an_event(key="k")
    assert [r.duplicate for r in await keep(store, an_arrival(one), an_arrival(two))] == [
        False,
        True,
    ]


async def test_of_what_is_put_together_here_a_duplicate_may_say_something_else(store):
    first, other = an_event(key="k"), an_event(key="k", data={"days_left": 7})
    for arrival in (an_arrival(first), an_arrival(other)):
        arrival.composed = True
        await keep(store, arrival)
    assert await store.inbox({}) == []


async def test_up_to_where_a_source_was_read_is_kept(store):
    assert await store.position_of("feed") is None
    await store.note_position("feed", "page-1")
    await store.note_position("feed", "page-2")
    await store.note_position("other", "x")
    assert await store.position_of("feed") == "page-2"


async def test_the_same_key_with_another_body_goes_to_the_inbox(store):
    first, other = an_event(key="k"), an_event(key="k", data={"days_left": 7})
    await keep(store, an_arrival(first))
    await keep(store, an_arrival(other))
    (entry,) = await store.inbox({})
    assert (entry["code"], entry["event_id"]) == ("duplicate-differs", first.event_id)
    assert entry["body"].encode() == other.body


async def test_keys_of_other_sources_are_other_keys(store):
    receipts = [
        (await keep(store, an_arrival(an_event(key="k", source=source))))[0]
        for source in ("a", "b")
    ]
    assert [r.duplicate for r in receipts] == [False, False]


async def test_after_the_window_a_key_may_come_again(store):
    await keep(store, an_arrival(an_event(key="k", received_at=NOW)))
    later = an_arrival(an_event(key="k", received_at=NOW + 10), since=NOW + 1)
    (receipt,) = await keep(store, later)
    assert not receipt.duplicate
    (third,) = await keep(store, an_arrival(an_event(key="k"), since=NOW + 1))
    assert third.event_id == later.event.event_id


async def test_keys_that_differ_only_after_a_nul_are_different(store):
    receipts = [(await keep(store, an_arrival(an_event(key=k))))[0] for k in ("a\0b", "a\0c", "a")]
    assert [r.duplicate for r in receipts] == [False, False, False]


async def test_events_without_a_key_are_never_duplicates(store):
    event = an_event()
    twin = _same_body(an_event(), event)
    receipts = await keep(store, an_arrival(event), an_arrival(twin))
    assert [r.duplicate for r in receipts] == [False, False]


async def test_failed_expressions_are_noted_in_the_inbox(store):
    arrival = an_arrival(
        failures=[
            Failure("a", "expression-failed", "route a", to_inbox=True),
            Failure("b", "expression-failed", "route b", to_inbox=True),
            Failure("c", "expression-failed", "route c", to_inbox=False),
        ]
    )
    await keep(store, arrival)
    entries = await store.inbox({})
    assert sorted(e["detail"] for e in entries) == ["route a", "route b"]
    assert {e["event_id"] for e in entries} == {arrival.event.event_id}


# -- once, shadow -------------------------------------------------------------------------------------


def fires(value: str, *, event=None, to: tuple[str, ...] = ("cms",), **more):
    """An arrival whose route fires once for *value*."""
    return an_arrival(event, to=to, firings={"a-route": value}, **more)


async def test_a_route_fires_once_for_a_value(store):
    first, second = fires("lic-1"), fires("lic-1")
    (one,) = await keep(store, first)
    (two,) = await keep(store, second)
    assert (one.fired_before, two.fired_before) == (frozenset(), {"a-route"})
    assert [d["id"] for d in await store.deliveries({})] == [first.deliveries[0].id]
    (withheld,) = await store.withheld(second.event.event_id)
    assert (withheld["route"], withheld["reason"], withheld["detail"]) == (
        "a-route", "once", "lic-1",
    )  # fmt: skip


async def test_a_route_fires_once_among_the_events_of_one_commit(store):
    receipts = await keep(store, fires("lic-1"), fires("lic-1"), fires("lic-2"))
    assert [bool(r.fired_before) for r in receipts] == [False, True, False]
    assert len(await store.deliveries({})) == 2


async def test_only_the_deliveries_of_the_route_that_fired_before_are_left_out(store):
    await keep(store, fires("lic-1"))
    again = fires("lic-1")
    again.routed.deliveries.append(a_delivery(again.event, n=1, route="other", endpoint="pager"))
    await keep(store, again)
    kept = await store.deliveries({"event": again.event.event_id})
    assert [d["route"] for d in kept] == ["other"]


async def test_a_duplicate_does_not_fire(store):
    event = an_event(key="k")
    await keep(store, an_arrival(event))
    await keep(store, fires("lic-1", event=an_event(key="k")))
    (receipt,) = await keep(store, fires("lic-1"))
    assert receipt.fired_before == frozenset()


async def test_a_replay_fires_again_only_for_the_event_that_had_fired(store):
    first, second = fires("lic-1"), fires("lic-1")
    await keep(store, first)
    await keep(store, second)
    for arrival, numbers in ((first, [1]), (second, [])):
        routed = Routed([a_delivery(arrival.event)], firings={"a-route": "lic-1"})
        assert await store.replay(arrival.event.event_id, routed, SOON) == numbers


async def test_what_a_shadow_would_have_sent_is_written_down(store):
    arrival = an_arrival(to=(), withheld=[Withheld("r", "shadow", "would have gone to cms")])
    await keep(store, arrival)
    (withheld,) = await store.withheld(arrival.event.event_id)
    assert (withheld["reason"], withheld["detail"]) == ("shadow", "would have gone to cms")


async def test_an_event_that_a_route_took_without_sending_is_not_unmatched(store):
    arrival = an_arrival(to=())
    arrival.routed.matched.append("a-shadow")
    await keep(store, arrival, an_arrival(to=()))
    unmatched = await store.events({"unmatched": 1})
    assert [e["id"] for e in unmatched if e["id"] == arrival.event.event_id] == []
    assert len(unmatched) == (await store.stats())["unmatched"] == 1


async def test_one_impossible_event_fails_alone(store):
    bad = an_arrival()
    bad.event.attributes["type"] = None  # no engine keeps an event without a type
    results = await asyncio.gather(
        keep(store, an_arrival()),
        keep(store, bad),
        keep(store, an_arrival()),
        return_exceptions=True,
    )
    assert isinstance(results[1], Exception)
    assert len(await store.events({})) == 2


async def test_five_hundred_events_in_one_commit(store):
    arrivals = [an_arrival(an_event(key=f"k{i}"), to=("cms", "pager")) for i in range(500)]
    receipts = await keep(store, *arrivals)
    assert [r.event_id for r in receipts] == [a.event.event_id for a in arrivals]
    assert (await store.stats())["scheduled"]["cms"]["count"] == 500


# -- lease -----------------------------------------------------------------------------------------


async def test_what_is_due_longest_is_claimed_first(store):
    arrivals = [an_arrival(an_event(received_at=NOW - i)) for i in range(3)]
    await keep(store, *arrivals)
    claimed = await store.claim("cms", [a_lease(), a_lease()], NOW)
    assert [d.event.event_id for d in claimed] == [
        arrivals[2].event.event_id,
        arrivals[1].event.event_id,
    ]


async def test_a_claim_takes_only_what_is_due_at_its_endpoint(store):
    await keep(store, an_arrival(an_event(received_at=SOON)), an_arrival(to=("pager",)))
    assert await claim_one(store) is None
    assert (await claim_one(store, now=SOON)).endpoint == "cms"


async def test_a_claimed_delivery_is_whole(store):
    arrival = an_arrival()
    arrival.routed.deliveries = [
        a_delivery(arrival.event, form=BodyForm.OWN, body=b'{"own":1}', n=3, target="page")
    ]
    await keep(store, arrival)
    claimed = await claim_one(store)
    assert (claimed.n, claimed.route, claimed.endpoint, claimed.attempts) == (
        3,
        "a-route",
        "cms",
        0,
    )
    assert (claimed.target, claimed.content()) == ("page", ("application/json", b'{"own":1}'))
    assert claimed.event.envelope == arrival.event.envelope


async def test_two_claims_never_share_a_delivery(store):
    await keep(store, *(an_arrival() for _ in range(50)))
    claims = await asyncio.gather(
        *(store.claim("cms", [a_lease() for _ in range(20)], NOW) for _ in range(4))
    )
    ids = [d.id for claimed in claims for d in claimed]
    assert len(ids) == len(set(ids)) == 50


async def test_a_released_lease_is_due_again_with_no_attempt_counted(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    await store.release([claimed])
    again = await claim_one(store)
    assert (again.id, again.attempts) == (claimed.id, 0)


async def test_an_expired_lease_cannot_be_released(store):
    await keep(store, an_arrival())
    stale = await claim_one(store)
    await store.reclaim(stale.lease.until + 1)
    fresh = await claim_one(store)
    await store.release([stale])
    assert (await row(store, fresh))["state"] == "leased"


async def test_reclaim_takes_only_what_has_expired(store):
    await keep(store, an_arrival(), an_arrival())
    await store.claim("cms", [a_lease(until=SOON), a_lease(until=SOON + 2)], NOW)
    assert await store.reclaim(SOON) == 0
    assert await store.reclaim(SOON + 1) == 1
    assert await store.reclaim(SOON + 1) == 0


async def test_reclaim_leaves_the_leases_alone_whose_outcomes_are_still_to_be_recorded(store):
    await keep(store, an_arrival(), an_arrival())
    kept, _ = await store.claim("cms", [a_lease(until=SOON), a_lease(until=SOON)], NOW)
    assert await store.reclaim(SOON + 1, [kept.lease.token]) == 1
    await store.record(kept, an_attempt(), Finish())
    states = sorted(row["state"] for row in await store.deliveries({}))
    assert states == ["delivered", "scheduled"]


async def test_next_due_tells_the_first_of_each_endpoint(store):
    await keep(
        store,
        an_arrival(an_event(received_at=SOON), to=("cms", "pager")),
        an_arrival(an_event(received_at=NOW), to=("cms",)),
        an_arrival(an_event(received_at=NOW), to=("done",), leased=True),
    )
    assert await store.next_due() == {"cms": NOW, "pager": SOON}


async def test_next_due_of_an_empty_store_is_empty(store):
    assert await store.next_due() == {}


# -- record ----------------------------------------------------------------------------------------


async def test_a_recorded_success_ends_the_delivery(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    await store.record(claimed, an_attempt(), Finish())
    found = await row(store, claimed)
    assert (found["state"], found["attempts"], found["reason"]) == ("delivered", 1, None)
    (attempt,) = await store.attempts(claimed.event.event_id, claimed.n)
    assert (attempt["number"], attempt["outcome"], attempt["status"]) == (1, "accepted", 200)
    assert attempt["duration_ms"] == 1.5
    assert await claim_one(store, now=NOW + 10**12) is None


async def test_a_retry_is_claimed_when_it_is_due_and_knows_its_attempts(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    attempt = an_attempt(outcome="refused", status=503, excerpt="busy")
    await store.record(claimed, attempt, RetryAt(SOON, "http-503"))
    assert (await row(store, claimed))["reason"] == "http-503"
    assert await claim_one(store) is None
    assert (await claim_one(store, now=SOON)).attempts == 1


async def test_a_claimed_delivery_knows_when_its_round_began(store):
    await keep(store, an_arrival())
    for begun, since in ((NOW + 1, None), (NOW + 2, NOW + 1), (NOW + 3, NOW + 1)):
        claimed = await claim_one(store, now=SOON)
        assert claimed.round_since == since
        attempt = an_attempt(number=claimed.attempts + 1, started_at=begun)
        await store.record(claimed, attempt, RetryAt(SOON, "http-503"))
    claimed = await claim_one(store, now=SOON)
    await store.record(claimed, an_attempt(number=4), GiveUp("http-503"))
    await store.redeliver(claimed.event.event_id, claimed.n, NOW)
    claimed = await claim_one(store, now=SOON)
    assert claimed.round_since is None
    await store.record(claimed, an_attempt(number=5, started_at=NOW + 9), RetryAt(SOON, "http-503"))
    assert (await claim_one(store, now=SOON)).round_since == NOW + 9


async def test_a_given_up_delivery_is_dead_with_its_reason(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    attempt = an_attempt(outcome="unreachable", status=None, reason="timeout", excerpt="x" * 100)
    await store.record(claimed, attempt, GiveUp("timeout (after 1 attempts)"))
    found = await row(store, claimed)
    assert (found["state"], found["reason"]) == ("dead", "timeout (after 1 attempts)")
    assert (await store.stats())["dead"]["cms"]["count"] == 1


async def test_a_parked_delivery_waits_and_its_endpoint_is_closed(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    await store.record(claimed, an_attempt(status=410), Park("disabled", "http-410"))
    assert (await row(store, claimed))["state"] == "scheduled"
    states = await store.endpoint_states()
    assert (states["cms"]["state"], states["cms"]["reason"]) == ("disabled", "http-410")


async def test_what_a_person_has_paused_stays_paused_whatever_an_attempt_learns(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    await store.set_endpoint("cms", Switch("paused", "by hand"), NOW)
    await store.record(claimed, an_attempt(), Park("blocked", "egress-denied"))
    states = await store.endpoint_states()
    assert (states["cms"]["state"], states["cms"]["reason"]) == ("paused", "by hand")


async def test_an_expired_lease_cannot_record_an_outcome(store):
    await keep(store, an_arrival())
    stale = await claim_one(store)
    await store.reclaim(stale.lease.until + 1)
    fresh = await claim_one(store)
    with pytest.raises(LeaseLost):
        await store.record(stale, an_attempt(), Finish())
    assert (await row(store, fresh))["state"] == "leased"
    assert await store.attempts(stale.event.event_id, stale.n) == []
    await store.record(fresh, an_attempt(), Finish())


async def test_an_outcome_is_recorded_once(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    await store.record(claimed, an_attempt(), Finish())
    with pytest.raises(LeaseLost):
        await store.record(claimed, an_attempt(2), Finish())


async def test_one_lost_lease_does_not_keep_the_others_from_being_recorded(store):
    await keep(store, *(an_arrival() for _ in range(5)))
    claimed = await store.claim("cms", [a_lease() for _ in range(5)], NOW)
    claimed[2].lease = a_lease()  # somebody else's
    results = await asyncio.gather(
        *(store.record(d, an_attempt(), Finish()) for d in claimed), return_exceptions=True
    )
    assert [isinstance(r, LeaseLost) for r in results] == [False, False, True, False, False]
    states = [(await row(store, d))["state"] for d in claimed]
    assert states == ["delivered", "delivered", "leased", "delivered", "delivered"]


async def test_a_claim_takes_no_more_bodies_than_it_has_room_for_but_always_one(store):
    await keep(store, *(an_arrival(an_event(data={"a": "x" * 1000})) for _ in range(5)))
    sizes = []
    for most_bytes in (0, 2500, 100_000):
        claimed = await store.claim("cms", [a_lease() for _ in range(5)], NOW, most_bytes)
        sizes.append(len(claimed))
    assert sizes == [1, 2, 2]


async def test_a_handlers_calls_are_kept_under_the_attempt(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    calls = [CallRecord(method="GET", url="http://x/1", status=404, reason=None, duration=2000)]
    await store.record(claimed, an_attempt(calls=calls), Finish())
    (attempt,) = await store.attempts(claimed.event.event_id, claimed.n)
    assert attempt["calls"] == [
        {"method": "GET", "url": "http://x/1", "status": 404, "reason": None, "duration_ms": 2.0}
    ]


@pytest.mark.parametrize(
    "text", ["a\0b", "ünï", "\udcff".encode("utf-8", "replace").decode(), "x" * 20_000]
)
async def test_any_reason_and_excerpt_can_be_kept(store, text):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    await store.record(claimed, an_attempt(reason=text, excerpt=text), RetryAt(SOON, text[:50]))
    (attempt,) = await store.attempts(claimed.event.event_id, claimed.n)
    assert attempt["excerpt"] == text


# -- operate ---------------------------------------------------------------------------------------


async def dead_one(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    await store.record(claimed, an_attempt(), GiveUp("http-500"))
    return claimed


async def test_a_dead_delivery_is_redelivered_under_the_same_id_with_a_fresh_schedule(store):
    dead = await dead_one(store)
    assert await store.redeliver(dead.event.event_id, dead.n, SOON) == "dead"
    again = await claim_one(store, now=SOON)
    assert (again.id, again.attempts, again.round_from) == (dead.id, 1, 1)


async def test_only_dead_and_cancelled_deliveries_are_redelivered(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    assert await store.redeliver(claimed.event.event_id, claimed.n, NOW) == "leased"
    await store.record(claimed, an_attempt(), Finish())
    assert await store.redeliver(claimed.event.event_id, claimed.n, NOW) == "delivered"
    assert (await row(store, claimed))["state"] == "delivered"
    assert await store.redeliver(EventId("evt_0"), 0, NOW) is None


async def test_a_scheduled_delivery_can_be_cancelled_and_put_back(store):
    arrival = an_arrival()
    await keep(store, arrival)
    (delivery,) = arrival.deliveries
    assert await store.cancel(arrival.event.event_id, 0, NOW, "by hand") == "scheduled"
    found = await row(store, delivery)
    assert (found["state"], found["reason"]) == ("cancelled", "by hand")
    assert await claim_one(store) is None
    assert await store.redeliver(arrival.event.event_id, 0, NOW) == "cancelled"
    assert (await claim_one(store)).id == delivery.id


async def test_a_leased_delivery_cannot_be_cancelled(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    assert await store.cancel(claimed.event.event_id, 0, NOW, "by hand") == "leased"
    assert (await row(store, claimed))["state"] == "leased"


async def test_a_replay_adds_deliveries_with_numbers_of_their_own(store):
    arrival = an_arrival(to=("cms", "pager"))
    await keep(store, arrival)
    more = Routed([a_delivery(arrival.event, endpoint="chat")])
    assert await store.replay(arrival.event.event_id, more, SOON) == [2]
    claimed = await claim_one(store, "chat", SOON)
    assert parse_delivery_id(claimed.id) == (arrival.event.event_id, 2)
    assert claimed.replayed_at == SOON
    assert (await claim_one(store, "cms", SOON)).replayed_at is None


async def test_endpoint_states_are_kept_until_it_is_open_again(store):
    await store.set_endpoint("cms", Switch("disabled", "http-410"), NOW)
    await store.set_endpoint("cms", Switch("paused", "by hand"), NOW)
    assert (await store.endpoint_states())["cms"]["state"] == "paused"
    await store.set_endpoint("cms", Switch("open", ""), NOW)
    assert await store.endpoint_states() == {}


async def test_attempts_of_many_deliveries_of_an_event_are_read_at_once(store):
    arrival = an_arrival(to=("cms", "pager", "chat"))
    await keep(store, arrival)
    for endpoint in ("chat", "cms"):
        claimed = await claim_one(store, endpoint)
        await store.record(claimed, an_attempt(status=503), RetryAt(SOON, "http-503"))
    found = await store.attempts_between(arrival.event.event_id, 0, 2)
    assert {n: [each["status"] for each in of] for n, of in found.items()} == {0: [503], 2: [503]}
    assert found[2] == await store.attempts(arrival.event.event_id, 2)
    assert await store.attempts_between(arrival.event.event_id, 0, 1) == {0: found[0]}


async def test_ids_alone_of_the_inbox_are_leafed_through_like_its_entries(store):
    for n in range(5):
        event_id = "evt_1" if n == 3 else None
        await store.keep(replace(an_unreadable(b"{}"), id=f"inb_{n:012x}", event_id=event_id))
    query, found = {"refused": 0, "unread": 1, "limit": 2}, []
    names, following = await store.entries(query)
    while following is not None:
        found += names
        names, following = await store.entries({**query, "cursor": following})
    found += names
    listed = await store.inbox({"refused": 0, "unread": 1})
    assert found == [each["id"] for each in listed] == [f"inb_{n:012x}" for n in (4, 2, 1, 0)]


async def test_an_endpoint_is_switched_only_from_how_it_is_known(store):
    entry = AuditEntry(id="aud_1", at=NOW, who="ann", address="", action="pause", object="cms")
    is_open, paused = Switch("open", ""), Switch("paused", "by hand")
    assert not await store.set_endpoint("cms", is_open, NOW, entry, known=paused)
    assert await store.set_endpoint("cms", paused, NOW, known=is_open)
    for known in (is_open, Switch("paused", "by others"), Switch("disabled", "by hand")):
        assert not await store.set_endpoint("cms", is_open, NOW, entry, known=known)
    assert (await store.endpoint_states())["cms"]["reason"] == "by hand"
    assert await store.audit({}) == []
    assert await store.set_endpoint("cms", is_open, NOW, entry, known=paused)
    assert await store.endpoint_states() == {}


MARK = LaneMark(
    begun_at=NOW, held_until=SOON, since=NOW, probe_at=SOON, probes=2, reason="3 failures in a row"
)


async def test_what_an_attempt_changed_for_its_lane_is_kept_with_it(store):
    await keep(store, an_arrival(to=("cms", "cms")))
    first, second = await store.claim("cms", [a_lease(), a_lease()], NOW)
    await store.record(first, an_attempt(lane=MARK), RetryAt(SOON, "http-500"))
    assert await store.lanes() == {"cms": MARK}
    earlier = LaneMark(begun_at=NOW - 1)
    await store.record(second, an_attempt(lane=earlier), Finish())
    assert await store.lanes() == {"cms": LaneMark(begun_at=NOW, held_until=SOON)}


async def test_what_was_not_learned_just_now_leaves_the_breaker_as_it_is(store):
    await keep(store, an_arrival(to=("cms", "cms")))
    first, second = await store.claim("cms", [a_lease(), a_lease()], NOW)
    await store.record(first, an_attempt(lane=MARK), RetryAt(SOON, "http-500"))
    closed = LaneMark(begun_at=NOW + 1, held_until=SOON + 1, learned=False)
    await store.record(second, an_attempt(lane=closed), Finish())
    assert await store.lanes() == {"cms": replace(MARK, begun_at=NOW + 1, held_until=SOON + 1)}


async def test_what_an_attempt_changed_for_its_lane_is_kept_though_its_lease_was_lost(store):
    await keep(store, an_arrival())
    claimed = await claim_one(store)
    await store.reclaim(NOW + 10**12)
    with pytest.raises(LeaseLost):
        await store.record(claimed, an_attempt(lane=MARK), Finish())
    assert await store.lanes() == {"cms": MARK}


async def test_an_attempt_that_changed_nothing_for_its_lane_leaves_it_as_it_is(store):
    await keep(store, an_arrival())
    await store.record(await claim_one(store), an_attempt(), Finish())
    assert await store.lanes() == {}


async def test_an_endpoint_that_is_opened_has_a_closed_breaker_and_is_not_held_back(store):
    await keep(store, an_arrival())
    await store.record(await claim_one(store), an_attempt(lane=MARK), Finish())
    await store.set_endpoint("cms", Switch("open", ""), NOW)
    assert await store.lanes() == {"cms": LaneMark(begun_at=NOW)}


async def test_what_is_leased_is_noted_as_begun_before_its_lease_ended_and_before_now(store):
    await keep(store, an_arrival(to=("cms", "pager", "chat")))
    for endpoint, until in (("cms", SOON), ("pager", SOON + 10**9)):
        await store.claim(endpoint, [a_lease(until=until)], NOW)
    await store.note_leased(SOON + 5)
    marks = await store.lanes()
    assert {name: mark.begun_at for name, mark in marks.items()} == {"cms": SOON, "pager": SOON + 5}


async def test_to_note_what_is_leased_leaves_breakers_as_they_are(store):
    await keep(store, an_arrival(), an_arrival())
    await store.record(await claim_one(store), an_attempt(lane=MARK), Finish())
    await claim_one(store)
    await store.note_leased(SOON)
    (mark,) = (await store.lanes()).values()
    assert (mark.begun_at, mark.probe_at, mark.reason) == (SOON, MARK.probe_at, MARK.reason)


# -- look up ---------------------------------------------------------------------------------------


async def test_events_are_listed_newest_first_by_page(store):
    arrivals = [an_arrival(an_event(received_at=NOW + i * 1000)) for i in range(5)]
    await keep(store, *arrivals)
    first = await store.events({"limit": 2})
    assert [e["id"] for e in first] == [arrivals[4].event.event_id, arrivals[3].event.event_id]
    second = await store.events({"limit": 2, "cursor": first[-1]["id"]})
    assert [e["id"] for e in second] == [arrivals[2].event.event_id, arrivals[1].event.event_id]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"source": "dam"}, 1), ({"type": "asset.updated"}, 1), ({"subject": "asset/9"}, 1),
        ({"unmatched": 1}, 1), ({"unmatched": 0}, 2), ({"state": "scheduled"}, 2),
        ({"since": NOW + 5}, 1), ({"until": NOW + 5}, 2), ({"source": "dam", "type": "x"}, 0),
    ],
)  # fmt: skip
async def test_events_are_filtered(store, query, count):
    await keep(
        store,
        an_arrival(an_event(source="dam", event_type="asset.updated", subject="asset/9")),
        an_arrival(to=()),
        an_arrival(an_event(received_at=NOW + 10)),
    )
    assert len(await store.events(query)) == count


async def test_deliveries_are_filtered_and_paged(store):
    arrival = an_arrival(to=("cms", "pager", "chat"))
    await keep(store, arrival)
    assert [d["endpoint"] for d in await store.deliveries({})] == ["chat", "pager", "cms"]
    assert len(await store.deliveries({"endpoint": "cms", "state": "scheduled"})) == 1
    page = await store.deliveries({"limit": 1})
    cursor = parse_delivery_id(page[-1]["id"])
    assert [d["endpoint"] for d in await store.deliveries({"cursor": cursor})] == ["pager", "cms"]


async def test_what_made_no_event_is_kept_in_the_inbox(store):
    entry = InboxEntry(
        id="inb_1", source="dam", code="invalid-json", detail="no JSON", received_at=NOW,
        content_type="application/json", body=b"\xff{",
    )  # fmt: skip
    await store.keep(entry)
    (found,) = await store.inbox({"code": "invalid-json"})
    assert (found["id"], found["body"], found["received_at"]) == (
        "inb_1",
        "�{",
        "2026-11-18T11:06:40.000Z",
    )


async def test_stats_count_what_waits_and_what_is_dead(store):
    await dead_one(store)
    await keep(store, an_arrival(to=("cms", "pager")), an_arrival(to=()))
    stats = await store.stats()
    assert stats["scheduled"]["pager"]["count"] == 1
    assert stats["dead"]["cms"]["count"] == 1
    assert (stats["unmatched"], stats["inbox"]) == (1, 0)


async def test_an_event_can_be_shown_to_a_person(store):
    event = an_event(data={"days_left": 3})
    await keep(store, an_arrival(event))
    shown = await store.shown_event(event.event_id)
    assert (shown["data"], shown["attributes"]["type"]) == ({"days_left": 3}, "license.expiring")
    assert shown["body"].encode() == event.body


# -- recorded events, whole -------------------------------------------------------------------------


async def recorded(store, **query) -> list[str]:
    return [item["id"] for item in await store.recorded(query)]


async def test_recorded_events_come_back_exactly_somewhere_else(store):
    whole = an_event(data={"b": 1.50, "ü": ["x", None]}, tenant="acme", key="k")
    apart, without = an_event(received_at=NOW + 5000), an_event(received_at=NOW + 9000)
    apart.body = b"something else entirely \xff"
    without.head, without.splice = without.head.removesuffix(b',"data":'), b""
    await keep(store, *(an_arrival(event) for event in (whole, apart, without)))
    items = orjson.loads(orjson.dumps(await store.recorded({})))
    for event, item in zip((whole, apart, without), items, strict=True):
        found = event_of(unpacked(item))
        for name in ("event_id", "source", "key", "received_at", "content_type", "body", "head",
                     "splice", "fields"):  # fmt: skip
            assert getattr(found, name) == getattr(event, name), name


async def test_recorded_events_come_oldest_first_in_pages_that_end(store):
    names = [an_event(received_at=NOW + i * 1000).event_id for i in range(5)]
    events = [an_event(received_at=NOW + i * 1000) for i in range(5)]
    for event, name in zip(events, names, strict=True):
        event.event_id = name
    await keep(store, *(an_arrival(event) for event in reversed(events)))
    assert await recorded(store, limit=2) == names[:2]
    assert await recorded(store, limit=2, cursor=names[1]) == names[2:4]
    assert await recorded(store, limit=2, cursor=names[3]) == names[4:]
    assert await recorded(store, limit=2, cursor=names[4]) == []


async def test_recorded_events_are_those_of_a_span(store):
    events = [an_event(received_at=NOW + i * 1000) for i in range(4)]
    await keep(store, *(an_arrival(event) for event in events))
    names = [event.event_id for event in events]
    assert await recorded(store, since=NOW + 1000, until=NOW + 3000) == names[1:3]
    assert await recorded(store, since=NOW + 1000, cursor=names[1]) == names[2:]
    assert await recorded(store, since=NOW + 2000, cursor=names[0]) == names[2:]
    assert await recorded(store, until=0) == []


async def test_a_page_of_large_events_is_short_and_has_one_at_least(store):
    events = [an_event(data={"x": "y" * 700_000}, received_at=NOW + i * 1000) for i in range(3)]
    events += [an_event(data={"x": "y" * 3_000_000}, received_at=NOW + 9000)]
    await keep(store, *(an_arrival(event) for event in events))
    names = [event.event_id for event in events]
    assert await recorded(store, limit=500) == names[:1]
    assert await recorded(store, limit=500, cursor=names[2]) == names[3:]


async def test_a_recorded_event_whose_bytes_have_changed_is_none(store):
    event = an_event()
    await keep(store, an_arrival(event))
    (item,) = await store.recorded({})
    assert event_of(unpacked({**item, "body": item["head"]})) is None


async def test_whole_numbers_are_shown_as_they_came_however_large(store):
    event = an_event()
    event.body = event.splice = b'{"n":1180591620717411303425,"m":-18446744073709551616,"x":1.5}'
    await store.append([an_arrival(event)])
    shown = await store.shown_event(event.event_id)
    assert shown["data"] == {"n": 1180591620717411303425, "m": -18446744073709551616, "x": 1.5}
    assert type(shown["data"]["n"]) is int


# -- refusals --------------------------------------------------------------------------------------


def a_refusal(number: int = 1, *, body: bytes = b"{}", **more) -> Refusal:
    fields = {
        "source": "getty", "code": "verification-failed", "outcome": "bad_signature", "detail": "x",
        "received_at": NOW, "peer": "192.0.2.7", "method": "POST", "headers": [("host", "h")],
        "content_type": "application/json", "body": body, "body_bytes": len(body), "sha256": b"\1" * 32,
    }  # fmt: skip
    return Refusal(id=f"inb_{number:05}", **{**fields, **more})


def an_unreadable(body: bytes, **more) -> InboxEntry:
    return InboxEntry(
        id="inb_00000", source="getty", code="invalid-json", detail="x", received_at=NOW,
        content_type="", body=body, **more,
    )  # fmt: skip


async def keep_refusals(store, *refusals, most=1000, most_bytes=1 << 24):
    await store.keep_refusals(refusals, most=most, most_bytes=most_bytes)


async def ids_in_inbox(store, **query) -> list[str]:
    return [entry["id"] for entry in await store.inbox({"limit": 500, **query})]


async def test_a_refusal_stands_in_the_inbox_with_all_that_is_known_of_it(store):
    await keep_refusals(store, a_refusal(body=b"<b>\xff"))
    (entry,) = await store.inbox({"id": "inb_00001"})
    assert entry == {
        "id": "inb_00001", "source": "getty", "code": "verification-failed",
        "outcome": "bad_signature", "detail": "x", "received_at": entry["received_at"],
        "content_type": "application/json", "event_id": None, "peer": "192.0.2.7", "method": "POST",
        "headers": [["host", "h"]], "sha256": "01" * 32, "refused": True, "body": "<b>\ufffd",
        "body_bytes": 4,
    }  # fmt: skip


async def test_what_was_not_read_has_neither_length_nor_digest(store):
    await keep_refusals(store, a_refusal(body=b"", body_bytes=None, sha256=None))
    (entry,) = await store.inbox({"id": "inb_00001"})
    assert (entry["body"], entry["body_bytes"], entry["sha256"]) == ("", None, None)


async def test_only_the_newest_refusals_stay(store):
    for number in range(1, 8):
        await keep_refusals(store, a_refusal(number), most=3)
    assert await ids_in_inbox(store) == ["inb_00007", "inb_00006", "inb_00005"]


async def test_only_so_many_bytes_of_refusals_stay(store):
    many = [a_refusal(number, body=b"x" * 1000) for number in range(1, 6)]
    await keep_refusals(store, *many, most_bytes=2500)
    assert await ids_in_inbox(store) == ["inb_00005", "inb_00004"]


async def test_refusals_never_push_out_what_is_verified(store):
    await store.keep(an_unreadable(b"y" * 5000))
    many = [a_refusal(number) for number in range(1, 50)]
    await keep_refusals(store, *many, most=1, most_bytes=100)
    assert await ids_in_inbox(store) == ["inb_00049", "inb_00000"]
    assert await ids_in_inbox(store, refused=0) == ["inb_00000"]
    assert await ids_in_inbox(store, refused=False, unread=True) == ["inb_00000"]
    assert await ids_in_inbox(store, refused=False, unread=False) == []
    assert await ids_in_inbox(store, refused=1, outcome="bad_signature") == ["inb_00049"]


async def test_refusals_are_counted_apart(store):
    await store.keep(an_unreadable(b"y"))
    await keep_refusals(store, a_refusal(1), a_refusal(2))
    stats = await store.stats()
    assert (stats["inbox"], stats["refused"]) == (1, 2)
