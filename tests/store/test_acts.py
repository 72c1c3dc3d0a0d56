"""Acts that may not be repeated, on every engine: begun once, whoever asks, until a person says otherwise."""

import asyncio

import pytest

from gateway.core.errors import LeaseLost
from gateway.core.model import SECOND, Routed
from gateway.core.retry import GiveUp
from tests.kit.build import NOW, a_delivery, a_lease, an_arrival, an_event
from tests.kit.stores import raw
from tests.store.test_contract import an_attempt

ACT = "847116840 gw:req_1 \0ü"
LATER = NOW + 60 * SECOND


async def leased(store, *, event=None, endpoint="cms"):
    """A delivery that is under way."""
    arrival = an_arrival(event, to=())
    delivery = a_delivery(arrival.event, endpoint=endpoint, lease=a_lease())
    arrival.routed.deliveries.append(delivery)
    await store.append([arrival])
    return delivery


async def dead(store, delivery, attempt=1):
    await store.record(delivery, an_attempt(attempt), GiveUp("nobody knows"))
    return delivery.event.event_id, delivery.n


async def acts(store) -> int:
    ((count,),) = await raw(store, "SELECT count(*) FROM acts")
    return count


async def test_an_act_is_begun_once_and_then_it_is_told_when(store):
    delivery = await leased(store)
    assert await store.begin_act(delivery, ACT, NOW) is None
    assert await store.begin_act(delivery, ACT, LATER) == NOW
    assert await store.begin_act(delivery, "another", LATER) is None
    event_id, n = delivery.event.event_id, delivery.n
    assert await store.acts_between(event_id, n, n) == {n: NOW}
    assert await store.acts_between(event_id, n + 1, n + 9) == {}


async def test_another_event_that_asks_for_the_same_finds_it_begun(store):
    first, second, elsewhere = [
        await leased(store, endpoint=name) for name in ("cms", "cms", "pager")
    ]
    assert await store.begin_act(first, ACT, NOW) is None
    assert await store.begin_act(second, ACT, LATER) == NOW
    assert await store.begin_act(elsewhere, ACT, LATER) is None


async def test_of_two_that_begin_an_act_at_the_same_moment_one_does(store):
    deliveries = [await leased(store) for _ in range(4)]
    begun = await asyncio.gather(*(store.begin_act(each, ACT, NOW) for each in deliveries))
    assert sorted(begun, key=str) == [NOW, NOW, NOW, None]


async def test_who_has_lost_the_lease_begins_nothing_and_takes_nothing_back(store):
    delivery = await leased(store)
    assert await store.begin_act(delivery, ACT, NOW) is None
    assert await store.reclaim(NOW + 3600 * SECOND) == 1
    for do in (store.begin_act(delivery, "more", NOW), store.take_back_act(delivery, ACT)):
        with pytest.raises(LeaseLost):
            await do
    assert await acts(store) == 1


async def test_what_was_certainly_not_done_may_be_begun_again_by_anyone(store):
    first, second = [await leased(store) for _ in range(2)]
    assert await store.begin_act(first, ACT, NOW) is None
    assert await store.begin_act(second, ACT, NOW) == NOW
    await store.take_back_act(first, ACT)
    assert await acts(store) == 0
    assert await store.begin_act(second, ACT, LATER) is None


async def test_redelivery_keeps_what_was_begun_and_only_a_word_of_its_own_does_not(store):
    """Any delivery that found it begun will do: its page is the one that a person looks at."""
    first, second = [await leased(store) for _ in range(2)]
    for each in (first, second):
        await store.begin_act(each, ACT, NOW)
    await store.begin_act(first, "another", NOW)
    await dead(store, first)
    name = await dead(store, second)
    assert await store.redeliver(*name, NOW) == "dead"
    assert await acts(store) == 3
    (claimed,) = await store.claim("cms", [a_lease()], LATER)
    assert await store.begin_act(claimed, ACT, LATER) == NOW
    await dead(store, claimed, attempt=2)
    assert await store.redeliver(*name, NOW, act_again=True) == "dead"
    (claimed,) = await store.claim("cms", [a_lease()], LATER)
    assert await store.begin_act(claimed, ACT, LATER) is None
    assert await acts(store) == 2


async def test_what_cannot_be_redelivered_keeps_its_acts(store):
    delivery = await leased(store)
    await store.begin_act(delivery, ACT, NOW)
    state = await store.redeliver(delivery.event.event_id, delivery.n, NOW, act_again=True)
    assert (state, await acts(store)) == ("leased", 1)


async def test_acts_go_with_their_events(store):
    gone, stays = [await leased(store) for _ in range(2)]
    for each in (gone, stays):
        await store.begin_act(each, each.id, NOW)
        await dead(store, each)
    assert await store.prune([gone.event.event_id]) == 1
    assert await acts(store) == 1


async def test_a_replay_finds_it_begun(store):
    event = an_event()
    await store.begin_act(await leased(store, event=event), ACT, NOW)
    again = a_delivery(event)
    (n,) = await store.replay(event.event_id, Routed(deliveries=[again]), NOW)
    (claimed,) = await store.claim("cms", [a_lease()], LATER)
    assert claimed.n == n
    assert await store.begin_act(claimed, ACT, LATER) == NOW
