"""Whose turn it is, as every engine keeps it: keys, slots, priorities, and what waits for others."""

import asyncio

import pytest

from gateway.core.model import (
    SECOND,
    After,
    Arrival,
    Confirmation,
    EventId,
    Priority,
    Routed,
    Turn,
    delivery_id,
)
from gateway.core.retry import Finish, GiveUp, RetryAt
from tests.kit.build import NOW, a_delivery, a_lease, an_arrival, an_event
from tests.kit.stores import raw
from tests.store.conftest import ENGINES
from tests.store.test_contract import an_attempt, keep, row

# What is encrypted decides no order: that it makes no difference shows on SQLite.
pytestmark = pytest.mark.parametrize("store", ENGINES[:-1], indirect=True)

LATER = NOW + 600 * SECOND


def a_turn(*, at: int = NOW, n: int = 0, endpoint: str = "cms", leased: bool = False, **turn):
    """A delivery of an event of its own that takes turns."""
    priority = turn.pop("priority", Priority.NORMAL)
    delivery = a_delivery(an_event(received_at=at), n=n, endpoint=endpoint)
    delivery.turn, delivery.priority = Turn(**turn), priority
    if leased:
        delivery.lease = a_lease()
    return delivery


async def kept(store, *deliveries):
    """Keep deliveries of an event each, in one commit; the numbers that have to wait, for each."""
    arrivals = [Arrival(event=d.event, routed=Routed([d]), since=0) for d in deliveries]
    return [receipt.waiting for receipt in await keep(store, *arrivals)]


async def kept_together(store, *deliveries):
    """Keep deliveries of one event."""
    event = deliveries[0].event
    for n, delivery in enumerate(deliveries):
        delivery.event, delivery.n = event, n
    (receipt,) = await keep(store, Arrival(event=event, routed=Routed(list(deliveries)), since=0))
    return receipt.waiting


async def claimed(store, endpoint: str = "cms", now: int = NOW, most: int = 10):
    return await store.claim(endpoint, [a_lease() for _ in range(most)], now)


def told_by(store):
    """What the store tells from now on that may go."""
    told = []
    store.on_ready = told.extend
    return told


async def ended(store, delivery, decision=None):
    """Record an attempt; what may go by that."""
    told = told_by(store)
    delivery.attempts += 1
    await store.record(delivery, an_attempt(delivery.attempts), decision or Finish())
    return told


async def state(store, delivery) -> str:
    return (await row(store, delivery))["state"]


# -- keys ------------------------------------------------------------------------------------------


async def test_of_a_key_only_the_first_gets_its_lease(store):
    first, second, other = (a_turn(key=key, leased=True) for key in ("a", "a", "b"))
    assert await kept(store, first, second, other) == [frozenset(), {0}, frozenset()]
    assert [await state(store, d) for d in (first, second, other)] == [
        "leased",
        "scheduled",
        "leased",
    ]
    assert await claimed(store) == []


async def test_the_next_of_a_key_goes_when_the_one_before_has_ended(store):
    first, second = a_turn(key="a", leased=True), a_turn(key="a")
    await kept(store, first, second)
    assert await ended(store, first) == [("cms", NOW)]
    (following,) = await claimed(store)
    assert following.id == second.id


async def test_a_failed_attempt_keeps_its_place(store):
    first, second = a_turn(key="a", leased=True), a_turn(key="a")
    await kept(store, first, second)
    assert await ended(store, first, RetryAt(LATER, "http-500")) == []
    assert await claimed(store) == []
    (again,) = await claimed(store, now=LATER)
    assert again.id == first.id


async def test_the_order_of_a_key_is_that_of_arrival_after_a_restart_and_reclaim(store):
    first, second, third = (a_turn(key="a", at=NOW + i, leased=True) for i in range(3))
    await kept(store, first, second, third)
    await store.reclaim(LATER * 2)
    seen = []
    for _ in range(3):
        (delivery,) = await claimed(store, now=LATER)
        seen.append(delivery.id)
        await ended(store, delivery)
    assert seen == [first.id, second.id, third.id]


async def test_what_waits_behind_a_cancelled_one_may_go(store):
    first, second = a_turn(key="a"), a_turn(key="a")
    await kept(store, first, second)
    told = told_by(store)
    await store.cancel(first.event.event_id, 0, NOW, "by hand")
    assert told == [("cms", NOW)]


async def test_the_same_key_at_another_endpoint_is_another_queue(store):
    waiting = await kept(
        store, a_turn(key="a", leased=True), a_turn(key="a", leased=True, endpoint="dam")
    )
    assert waiting == [frozenset(), frozenset()]


async def test_what_is_planned_for_later_holds_nobody_up(store):
    planned, urgent = a_turn(key="a", due_at=LATER), a_turn(key="a", leased=True)
    assert await kept(store, planned, urgent) == [frozenset(), frozenset()]
    assert await state(store, urgent) == "leased"


async def test_what_is_planned_takes_its_place_when_its_time_has_come(store):
    planned = a_turn(key="a", due_at=LATER)
    before, behind = a_turn(key="a", at=LATER - 1000), a_turn(key="a", at=LATER + 1000)
    await kept(store, planned, before, behind)
    seen = []
    while found := await claimed(store, now=LATER + 2000):
        (delivery,) = found
        seen.append(delivery.id)
        await ended(store, delivery)
    assert seen == [before.id, planned.id, behind.id]


async def test_a_takedown_of_higher_priority_does_not_wait_for_the_retries_of_an_update(store):
    update = a_turn(key="a", leased=True)
    await kept(store, update)
    await ended(store, update, RetryAt(LATER, "http-500"))
    takedown = a_turn(key="a", leased=True, priority=Priority.HIGH)
    assert await kept(store, takedown) == [frozenset()]
    assert await claimed(store, now=LATER) == [], "the update went while the takedown was under way"
    assert await ended(store, takedown) == [("cms", LATER)]
    (again,) = await claimed(store, now=LATER)
    assert again.id == update.id


async def test_it_waits_for_an_attempt_that_is_under_way_and_goes_when_that_has_failed(store):
    update = a_turn(key="a", leased=True)
    takedown = a_turn(key="a", leased=True, priority=Priority.HIGH)
    assert await kept(store, update, takedown) == [frozenset(), {0}]
    assert await ended(store, update, RetryAt(LATER, "http-500")) == [("cms", NOW)]
    (following,) = await claimed(store)
    assert following.id == takedown.id


async def test_a_lease_that_comes_back_lets_the_higher_priority_go_first(store):
    update = a_turn(key="a", leased=True)
    takedown = a_turn(key="a", leased=True, priority=Priority.HIGH)
    await kept(store, update, takedown)
    await store.release([update])
    seen = [d.id for _ in range(2) for d in await claimed(store)]
    assert seen == [takedown.id]


async def test_cancelling_the_head_lets_the_next_go(store):
    first, second = a_turn(key="a"), a_turn(key="a")
    await kept(store, first, second)
    await store.cancel(first.event.event_id, 0, NOW, "by hand")
    (following,) = await claimed(store)
    assert following.id == second.id


async def test_a_redelivered_one_takes_its_old_place(store):
    first, second, third = (a_turn(key="a", at=NOW + i) for i in range(3))
    await kept(store, first, second, third)
    (head,) = await claimed(store)
    await ended(store, head, GiveUp("http-500"))
    await store.redeliver(first.event.event_id, 0, NOW)
    (again,) = await claimed(store)
    assert again.id == first.id


async def sent_of(store, endpoint: str = "cms", now: int = LATER) -> list[str]:
    """The deliveries that wait, in the order in which they go."""
    seen = []
    while found := await claimed(store, endpoint, now):
        for delivery in found:
            seen.append(delivery.id)
            await ended(store, delivery)
    return seen


BEHIND = NOW - 1500 * 1000
"""What a clock says that is so far behind."""


async def test_what_comes_later_by_a_clock_that_is_behind_goes_later(store):
    first, second, third = a_turn(key="a"), a_turn(key="a", at=BEHIND), a_turn(key="a", at=BEHIND)
    for delivery in (first, second, third):
        await kept(store, delivery)
    assert await sent_of(store) == [first.id, second.id, third.id]


async def test_so_it_does_where_all_come_in_one_commit(store):
    at = (NOW, BEHIND, BEHIND - 1, NOW + 1, BEHIND)
    of_a = [a_turn(key="a", at=each) for each in at]
    of_b = [a_turn(key="b", at=each, leased=True) for each in at]
    mixed = [delivery for pair in zip(of_a, of_b, strict=True) for delivery in pair]
    waiting = await kept(store, *mixed)
    assert waiting[1::2] == [frozenset(), *[{0}] * 4]
    await store.release(of_b[:1])
    seen = await sent_of(store)
    for deliveries in (of_a, of_b):
        names = [d.id for d in deliveries]
        assert [name for name in seen if name in names] == names


async def test_it_goes_after_one_that_was_under_way_and_failed(store):
    first, second = a_turn(key="a", leased=True), a_turn(key="a", at=BEHIND, leased=True)
    await kept(store, first)
    assert await kept(store, second) == [{0}]
    await ended(store, first, RetryAt(LATER, "http-500"))
    assert await claimed(store) == [], "it overtook the retry"
    assert await sent_of(store) == [first.id, second.id]


async def test_deliveries_of_one_event_stay_in_their_order_behind_what_came_before(store):
    first, *others = [a_turn(key="a", at=at) for at in (NOW, *[BEHIND] * 3)]
    await kept(store, first)
    await kept_together(store, *others)
    assert await sent_of(store) == [d.id for d in (first, *others)]


async def test_a_place_that_one_took_after_another_is_not_taken_twice(store):
    """The next name that a node gives may be the very place that an event of another was given."""
    first, second, third = (a_turn(key="a", at=at) for at in (NOW, BEHIND, NOW))
    following = f"{int(first.event.event_id[4:], 16) + 1:024x}"
    third.event.event_id = EventId(f"evt_{following}")
    for delivery in (first, second, third):
        await kept(store, delivery)
    assert await sent_of(store) == [first.id, second.id, third.id]


async def test_a_clock_that_is_behind_changes_nothing_between_priorities(store):
    low = a_turn(key="a", priority=Priority.LOW)
    normal, high = a_turn(key="a", at=BEHIND), a_turn(key="a", at=BEHIND, priority=Priority.HIGH)
    for delivery in (low, normal, high):
        await kept(store, delivery)
    assert await places_of(store, "a") == {
        delivery.id: delivery.event.event_id[4:] for delivery in (low, normal, high)
    }
    assert await sent_of(store) == [high.id, normal.id, low.id]


async def places_of(store, key: str) -> dict[str, str]:
    """The places that deliveries of a key stand at."""
    rows = await raw(store, f"SELECT event_id, n, place FROM deliveries WHERE key = '{key}'")
    return {delivery_id(event_id, n): place for event_id, n, place in rows}


async def test_an_event_that_is_routed_again_stands_where_it_stood(store):
    first, second = a_turn(key="a"), a_turn(key="a", at=NOW + SECOND)
    await kept(store, first)
    assert await sent_of(store) == [first.id]
    await kept(store, second)
    again = a_turn(key="a", at=LATER)
    await replayed(store, first, again)
    assert await sent_of(store) == [again.id, second.id]


# -- priority --------------------------------------------------------------------------------------


async def test_of_what_is_due_the_higher_priority_goes_first_and_leaves_a_share(store):
    low = [a_turn(priority=Priority.LOW) for _ in range(20)]
    await kept(store, *low, *(a_turn(at=NOW + 1, priority=Priority.HIGH) for _ in range(20)))
    found = await claimed(store, now=NOW + 1, most=16)
    assert [d.priority for d in found].count(Priority.LOW) == 2


async def test_of_one_priority_what_is_due_longest_goes_first(store):
    deliveries = [a_turn(at=NOW + i) for i in (3, 1, 2)]
    await kept(store, *deliveries)
    found = await claimed(store, now=NOW + 5)
    assert [d.event.received_at for d in found] == [NOW + 1, NOW + 2, NOW + 3]


# -- coalesce --------------------------------------------------------------------------------------

SETTLE = {"key": "a", "slot": "r//cms/a", "settle": 5 * SECOND, "longest": 20 * SECOND}


async def test_of_a_slot_only_the_latest_is_sent_after_quiet(store):
    first, second = a_turn(**SETTLE), a_turn(at=NOW + 3 * SECOND, **SETTLE)
    await kept(store, first)
    await kept(store, second)
    shown = await row(store, first)
    assert (shown["state"], shown["reason"]) == ("superseded", f"superseded by {second.id}")
    assert await claimed(store, now=NOW + 7 * SECOND) == []
    (sent,) = await claimed(store, now=NOW + 8 * SECOND)
    assert sent.id == second.id


async def test_it_waits_no_longer_than_said_however_much_comes(store):
    deliveries = [a_turn(at=NOW + i * 4 * SECOND, **SETTLE) for i in range(5)]
    for delivery in deliveries:
        await kept(store, delivery)
    assert deliveries[-1].turn.due_at == NOW + 20 * SECOND
    (sent,) = await claimed(store, now=NOW + 20 * SECOND)
    assert sent.id == deliveries[-1].id


async def test_within_one_commit_too_only_the_latest_stays(store):
    deliveries = [a_turn(at=NOW + i, **SETTLE) for i in range(3)]
    await kept(store, *deliveries)
    states = [await state(store, d) for d in deliveries]
    assert states == ["superseded", "superseded", "scheduled"]


async def test_one_that_waits_for_its_retry_is_superseded_too(store):
    first = a_turn(**SETTLE)
    await kept(store, first)
    (attempted,) = await claimed(store, now=NOW + 5 * SECOND)
    await ended(store, attempted, RetryAt(LATER, "http-500"))
    newer = a_turn(at=NOW + 6 * SECOND, **SETTLE)
    await kept(store, newer)
    assert await state(store, first) == "superseded"
    assert newer.turn.due_at == NOW + 11 * SECOND


async def test_one_whose_attempt_fails_after_a_newer_one_came_is_not_tried_again(store):
    first = a_turn(**SETTLE)
    await kept(store, first)
    (attempted,) = await claimed(store, now=NOW + 5 * SECOND)
    newer = a_turn(at=NOW + 6 * SECOND, **SETTLE)
    await kept(store, newer)
    assert await state(store, first) == "leased"
    await ended(store, attempted, RetryAt(LATER, "http-500"))
    shown = await row(store, first)
    assert (shown["state"], shown["reason"]) == ("superseded", f"superseded by {newer.id}")
    (sent,) = await claimed(store, now=NOW + 11 * SECOND)
    assert sent.id == newer.id


async def test_one_whose_lease_came_back_is_superseded_at_the_next_claim(store):
    first = a_turn(**SETTLE)
    await kept(store, first)
    (attempted,) = await claimed(store, now=NOW + 5 * SECOND)
    await kept(store, newer := a_turn(at=NOW + 6 * SECOND, **SETTLE))
    await store.release([attempted])
    found = await claimed(store, now=NOW + 11 * SECOND)
    assert [d.id for d in found] == [newer.id]
    assert await state(store, first) == "superseded"


async def test_what_waited_behind_a_superseded_one_goes_on(store):
    first, behind = a_turn(**SETTLE), a_turn(key="a", at=NOW + 6 * SECOND)
    await kept(store, first)
    (attempted,) = await claimed(store, now=NOW + 5 * SECOND)
    await ended(store, attempted, RetryAt(LATER, "http-500"))
    await kept(store, behind)
    assert await claimed(store, now=NOW + 6 * SECOND) == []
    await kept(store, a_turn(at=NOW + 7 * SECOND, **SETTLE))
    (sent,) = await claimed(store, now=NOW + 7 * SECOND)
    assert sent.id == behind.id


async def replayed(store, of, delivery):
    """Route the event of a delivery again, to this one."""
    now, delivery.event = delivery.event.received_at, of.event
    (delivery.n,) = await store.replay(of.event.event_id, Routed([delivery]), now)


async def test_an_older_event_that_is_routed_again_supersedes_nothing_newer(store):
    first, newest = a_turn(**SETTLE), a_turn(at=NOW + SECOND, **SETTLE)
    await kept(store, first, newest)
    again = a_turn(at=NOW + 2 * SECOND, **SETTLE)
    await replayed(store, first, again)
    shown = await row(store, again)
    assert (shown["state"], shown["reason"]) == ("superseded", f"superseded by {newest.id}")
    (sent,) = await claimed(store, now=NOW + 6 * SECOND)
    assert sent.id == newest.id


async def test_what_waits_for_one_that_is_superseded_as_it_comes_goes_on(store):
    """Of an event that is routed again, or that a node names whose clock is behind."""
    newest = a_turn(at=NOW + SECOND, **SETTLE)
    await kept(store, newest)
    older = a_turn(**SETTLE)
    follower = following(older, delivered=False, endpoint="dam")
    await kept_together(store, older, follower)
    assert await state(store, older) == "superseded"
    (sent,) = await claimed(store, "dam", now=NOW + SECOND)
    assert sent.id == follower.id


async def test_the_latest_event_that_is_routed_again_supersedes_what_waits_of_it(store):
    first = a_turn(**SETTLE)
    await kept(store, first)
    again = a_turn(at=NOW + SECOND, **SETTLE)
    await replayed(store, first, again)
    assert await state(store, first) == "superseded"
    (sent,) = await claimed(store, now=NOW + 6 * SECOND)
    assert sent.id == again.id


# -- after -----------------------------------------------------------------------------------------


def following(leader, *, delivered: bool, **more):
    """A delivery that waits for another of its event."""
    leader.leads = True
    return a_turn(after=[After([leader], "pause", delivered)], **more)


async def test_what_waits_for_another_of_its_event_goes_when_that_has_ended(store):
    leader = a_turn(leased=True)
    follower = following(leader, delivered=False, endpoint="dam")
    assert await kept_together(store, leader, follower) == {1}
    assert await claimed(store, "dam") == []
    assert await ended(store, leader, RetryAt(NOW, "http-500")) == []
    (again,) = await claimed(store)
    ended_at = NOW + an_attempt().duration
    assert await ended(store, again, GiveUp("http-500")) == [("dam", ended_at)]
    assert len(await claimed(store, "dam", now=ended_at)) == 1


async def test_what_waits_for_others_is_counted_and_not_due(store):
    leader = a_turn(leased=True)
    follower = following(leader, delivered=True, endpoint="dam")
    await kept_together(store, leader, follower)
    stats = await store.stats()
    assert stats["behind"]["dam"]["count"] == 1
    assert stats["scheduled"]["dam"] == {"count": 1, "first_at": None}
    shown = await row(store, follower)
    assert (shown["waits_for"], shown["after"]) == ("after", {"pause": "delivered"})
    await ended(store, leader)
    assert (await store.stats())["scheduled"]["dam"]["first_at"] is not None
    assert (await row(store, leader))["after"] is None


async def test_what_waited_for_another_takes_its_place_when_that_has_ended(store):
    leader = a_turn(leased=True)
    follower = following(leader, delivered=True, endpoint="dam", key="a")
    await kept_together(store, leader, follower)
    between = a_turn(at=NOW + 1, endpoint="dam", key="a", leased=True)
    await kept(store, between)
    await ended(store, between, RetryAt(LATER, "http-500"))
    await store.record(leader, an_attempt(1, started_at=LATER), Finish())
    (first,) = await claimed(store, "dam", now=LATER + SECOND)
    assert first.id == between.id


async def test_a_thousand_that_wait_for_a_thousand_cost_little(store):
    leaders = [a_turn(leased=True) for _ in range(1000)]
    after = [After(leaders, "pages", delivered=True)]
    for leader in leaders:
        leader.leads = True
    followers = [a_turn(after=after, endpoint="dam") for _ in range(1000)]
    await kept_together(store, *leaders, *followers)
    told = told_by(store)
    await asyncio.gather(
        *(store.record(leader, an_attempt(1), Finish()) for leader in leaders)
    )  # with a look at each follower for each leader it would take minutes
    assert len(told) == 1000


async def test_what_ends_at_a_claim_lets_others_go_too(store):
    leader = a_turn(expires_at=LATER)
    await kept_together(store, leader, following(leader, delivered=False, endpoint="dam"))
    told = told_by(store)
    assert await claimed(store, now=LATER) == []
    assert told == [("dam", LATER)]


async def test_what_had_to_be_delivered_and_was_not_cancels_what_waits_for_it(store):
    leader = a_turn(leased=True)
    middle = following(leader, delivered=True, endpoint="dam")
    last = following(middle, delivered=True, endpoint="pager")
    await kept_together(store, leader, middle, last)
    await ended(store, leader, GiveUp("http-500"))
    shown = [await row(store, d) for d in (middle, last)]
    assert [each["state"] for each in shown] == ["cancelled", "cancelled"]
    assert shown[0]["reason"] == "after-not-delivered: pause is dead"
    assert shown[1]["reason"] == "after-not-delivered: pause is cancelled"


async def test_redelivering_what_was_waited_for_has_the_others_wait_again(store):
    leader = a_turn(leased=True)
    follower = following(leader, delivered=True, endpoint="dam")
    await kept_together(store, leader, follower)
    await ended(store, leader, GiveUp("http-500"))
    await store.redeliver(leader.event.event_id, 0, NOW)
    assert (await row(store, follower))["waits_for"] == "after"
    (again,) = await claimed(store)
    await ended(store, again)
    assert len(await claimed(store, "dam", now=LATER)) == 1


async def test_a_person_may_send_what_waits_without_the_rest(store):
    leader = a_turn(leased=True)
    follower = following(leader, delivered=True, endpoint="dam")
    await kept_together(store, leader, follower)
    await store.cancel(follower.event.event_id, 1, NOW, "by hand")
    await store.redeliver(follower.event.event_id, 1, NOW)
    assert len(await claimed(store, "dam")) == 1


# -- time ------------------------------------------------------------------------------------------


async def test_what_is_due_later_is_not_claimed_before(store):
    await kept(store, a_turn(due_at=LATER))
    assert await claimed(store, now=LATER - 1) == []
    assert await store.next_due() == {"cms": LATER}
    assert len(await claimed(store, now=LATER)) == 1


async def test_what_should_have_been_sent_already_is_due_now(store):
    await kept(store, a_turn(due_at=NOW - SECOND))
    assert len(await claimed(store)) == 1


async def test_what_has_expired_is_cancelled_and_not_claimed(store):
    expiring = a_turn(expires_at=LATER)
    await kept(store, expiring)
    assert await claimed(store, now=LATER) == []
    shown = await row(store, expiring)
    assert (shown["state"], shown["reason"]) == (
        "cancelled",
        "expired: it would come too late to matter",
    )


async def test_what_expires_is_cancelled_wherever_it_waits_and_lets_others_go(store):
    first = a_turn(key="a", expires_at=LATER, due_at=None)
    second = a_turn(key="a")
    await kept(store, first, second)
    assert await store.expire(LATER, 10) == 1
    (following_,) = await claimed(store)
    assert following_.id == second.id


async def test_expiry_takes_so_many_at_a_time(store):
    await kept(store, *(a_turn(expires_at=LATER) for _ in range(5)))
    assert [await store.expire(LATER, 2) for _ in range(4)] == [2, 2, 1, 0]


async def test_a_redelivered_one_expires_no_more(store):
    expiring = a_turn(expires_at=LATER)
    await kept(store, expiring)
    await store.expire(LATER, 10)
    await store.redeliver(expiring.event.event_id, 0, LATER)
    assert len(await claimed(store, now=LATER)) == 1


async def test_what_became_late_in_between_is_told_with_how_long_it_waits(store):
    first, second = a_turn(late_at=LATER), a_turn(late_at=LATER + 1)
    await kept(store, first, second, a_turn(late_at=LATER, leased=True))
    done = a_turn(late_at=LATER, leased=True)
    await kept(store, done)
    await ended(store, done)
    assert await store.late_between(0, LATER) == {"cms": (2, NOW, first.event.event_id)}
    assert await store.late_between(LATER, LATER + 1) == {"cms": (1, NOW, second.event.event_id)}


async def test_up_to_when_something_was_told_is_kept(store):
    assert await store.told_till("late") is None
    assert await store.note_told("late", NOW)
    assert await store.note_told("late", LATER, NOW)
    assert not await store.note_told("late", LATER + 1, NOW)  # another node was first
    assert await store.told_till("late") == LATER


async def test_a_confirmation_that_is_due_is_looked_at_by_one_until_it_is_due_again(store):
    promise = Confirmation("terms", NOW + 9, "terms.unconfirmed")
    arrival = an_arrival(confirmations=[promise])
    await store.append([arrival])
    name = arrival.event.event_id
    assert not await store.take_confirmation(name, "terms", NOW, NOW + 60)
    assert await store.take_confirmation(name, "terms", NOW + 9, NOW + 60)
    assert not await store.take_confirmation(name, "terms", NOW + 9, NOW + 60)
    assert await store.next_confirmation() == NOW + 60
    assert await store.take_confirmation(name, "terms", NOW + 60, NOW + 120)
