"""Several nodes on one PostgreSQL: who is there, and who holds how much of what."""

import asyncio

import pytest
import pytest_asyncio

from gateway.core.model import SECOND, LaneMark, Switch
from gateway.core.nodes import IN_TOUCH, Beat, LaneNeed, Node
from gateway.core.retry import RetryAt
from gateway.store.postgres import PostgresStore
from tests.kit.build import NOW, a_lease, an_arrival
from tests.kit.stores import raw
from tests.store.test_contract import an_attempt

HOLDS = IN_TOUCH + 30 * SECOND


@pytest_asyncio.fixture
async def stores(request):
    """Two stores on one database, each as a node has it."""
    postgres = request.getfixturevalue("postgres")
    async with postgres.database() as url:
        opened = [await PostgresStore.open(url) for _ in range(2)]
        yield opened
        for each in opened:
            await each.close()


def a_beat(node: str, *, concurrency: int = 8, whole: bool = False, using: int = 0,
           begun_at: int = 0, routes: str = "r1") -> Beat:  # fmt: skip
    need = LaneNeed(concurrency, whole, using, HOLDS, begun_at)
    told = Node(id=node, name=f"host-{node}", version="1", routes=routes, started_at=NOW, seen_at=0)
    return Beat(told, {"cms": need})


async def last_seen(store, node: str, ago: int) -> None:
    """Have a node not told of itself for so long."""
    await raw(store, "UPDATE nodes SET seen_at = seen_at - ? WHERE id = ?", ago, node)


async def test_a_node_alone_has_everything(stores):
    around = await stores[0].beat(a_beat("a"))
    assert around.shares == {"cms": 8}
    assert [(node.id, node.name, node.routes) for node in around.nodes] == [("a", "host-a", "r1")]


async def test_nodes_share_once_the_first_has_given_up_what_is_the_others(stores):
    one, two = stores
    await one.beat(a_beat("a"))
    assert (await two.beat(a_beat("b"))).shares == {"cms": 0}
    assert (await one.beat(a_beat("a", using=6))).shares == {"cms": 4}  # once two more have ended
    assert (await two.beat(a_beat("b"))).shares == {"cms": 2}
    assert (await one.beat(a_beat("a", using=1))).shares == {"cms": 4}
    assert (await two.beat(a_beat("b"))).shares == {"cms": 4}


async def test_nodes_that_beat_at_once_have_no_more_than_there_is(stores):
    for i in range(10):
        beats = [a_beat(f"n{(i + n) % 4}", concurrency=5) for n in range(2)]
        await asyncio.gather(*map(PostgresStore.beat, stores, beats))
        ((held,),) = await raw(stores[0], "SELECT sum(places) FROM shares")
        assert held <= 5
    ((held,),) = await raw(stores[0], "SELECT sum(places) FROM shares")
    assert held == 5


async def test_who_leaves_leaves_everything_to_the_others(stores):
    one, two = stores
    await one.beat(a_beat("a"))
    await one.leave("a")
    around = await two.beat(a_beat("b"))
    assert (around.shares, [node.id for node in around.nodes]) == ({"cms": 8}, ["b"])


async def test_what_a_dead_node_held_is_free_when_its_last_attempt_must_have_ended(stores):
    one, two = stores
    await one.beat(a_beat("a"))
    await last_seen(two, "a", HOLDS - 5 * SECOND)
    around = await two.beat(a_beat("b"))
    assert (around.shares, [node.id for node in around.lost]) == ({"cms": 0}, ["a"])
    await last_seen(two, "a", 5 * SECOND)
    assert (await two.beat(a_beat("b"))).shares == {"cms": 8}


async def test_the_pace_of_a_dead_node_goes_on_from_when_it_must_have_stopped(stores):
    one, two = stores
    seen_at = (await one.beat(a_beat("a", whole=True))).now
    await last_seen(two, "a", HOLDS)
    around = await two.beat(a_beat("b", whole=True))
    assert around.shares == {"cms": 8}
    assert around.marks["cms"].begun_at == seen_at - HOLDS + IN_TOUCH


async def test_what_a_node_began_last_is_known_to_the_next_at_that_pace(stores):
    one, two = stores
    await one.beat(a_beat("a", whole=True, begun_at=NOW))
    await one.leave("a")
    assert (await two.beat(a_beat("b", whole=True))).marks["cms"].begun_at == NOW


async def test_an_endpoint_that_is_gone_from_the_routes_is_held_no_more(stores):
    one, two = stores
    await one.beat(a_beat("a"))
    told = a_beat("a")
    await one.beat(Beat(told.node, {}))
    assert (await two.beat(a_beat("b"))).shares == {"cms": 8}


async def test_nodes_hear_which_endpoints_are_closed_and_what_breakers_learned(stores):
    one, two = stores
    arrival = an_arrival(leased=True)
    await one.append([arrival])
    mark = LaneMark(
        begun_at=0, held_until=0, since=NOW, probe_at=NOW + 9, probes=0, reason="http-500"
    )
    attempt = an_attempt()
    attempt.lane = mark
    await one.record(arrival.deliveries[0], attempt, RetryAt(NOW + SECOND, "http-500"))
    await one.set_endpoint("pager", Switch("paused", "nightly"), NOW)
    around = await two.beat(a_beat("b"))
    assert around.marks == {"cms": mark}
    assert around.states["pager"]["state"] == "paused"


async def test_of_two_nodes_that_switch_an_endpoint_at_once_one_finds_it_changed(stores):
    is_open = Switch("open", "")
    for i in range(10):
        name = f"endpoint-{i}"
        done = await asyncio.gather(
            *(
                each.set_endpoint(name, Switch("paused", str(n)), NOW, known=is_open)
                for n, each in enumerate(stores)
            )
        )
        assert sorted(done) == [False, True]
        states = await stores[0].endpoint_states()
        assert states[name]["reason"] == str(done.index(True))


async def test_a_probe_is_one_nodes(stores):
    arrival = an_arrival(leased=True)
    await stores[0].append([arrival])
    attempt = an_attempt()
    attempt.lane = LaneMark(
        begun_at=0, held_until=0, since=NOW, probe_at=NOW + 9, probes=0, reason="http-500"
    )
    await stores[0].record(arrival.deliveries[0], attempt, RetryAt(NOW + SECOND, "http-500"))
    assert not await stores[0].take_probe("cms", NOW, NOW + SECOND)  # it is not due
    due = NOW + 9
    taken = await asyncio.gather(*(each.take_probe("cms", due, due + 30) for each in stores))
    assert sorted(taken) == [False, True]
    assert await stores[1].take_probe("cms", due + 30, due + 60)  # whoever had it has died


async def test_only_the_holder_of_a_lease_records_whichever_node_it_is_on(stores):
    one, two = stores
    await one.append([an_arrival(to=("cms",) * 3)])
    claimed = await asyncio.gather(
        *(each.claim("cms", [a_lease() for _ in range(3)], NOW + 1) for each in stores)
    )
    names = [delivery.id for found in claimed for delivery in found]
    assert len(names) == len(set(names)) == 3
    await two.reclaim(NOW + 60 * SECOND)
    again = await two.claim("cms", [a_lease() for _ in range(3)], NOW + 60 * SECOND)
    late = next(found for found in claimed if found)[0]
    with pytest.raises(Exception, match="ran out"):
        await one.record(late, an_attempt(), RetryAt(NOW, "x"))
    assert late.id in {delivery.id for delivery in again}
