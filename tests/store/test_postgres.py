"""PostgreSQL's own: several nodes on one database, days, plans, and a database that goes away."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Sequence
from functools import partial

import asyncpg
import pytest
import pytest_asyncio

from gateway.clock import SystemClock
from gateway.core.errors import (
    ConfigError,
    DiskFull,
    LeaseLost,
    SchemaTooNew,
    StoreUnavailable,
    StoreUnusable,
)
from gateway.core.model import SECOND, After, Arrival, EventId, Routed, parse_delivery_id
from gateway.core.nodes import Node
from gateway.core.postgres_url import PostgresUrl
from gateway.core.retention import DAY, Retention, horizon
from gateway.core.retry import Finish, GiveUp, RetryAt
from gateway.core.routes import Coalesce, Target, Timing
from gateway.flows.lanes import PAUSED
from gateway.flows.nodes import Nodes
from gateway.flows.prune import GENTLE, Prune
from gateway.store.postgres import PostgresStore, append, days
from gateway.store.postgres.database import (
    MOST_LOCKS,
    as_it_was,
    placed,
    statement,
    storable,
    translated,
)
from gateway.store.postgres.migrate import _migrations, _take_step
from gateway.store.postgres.reach import CONNECT_SECONDS
from gateway.store.postgres.store import TELL_COUNTS, Change, _touch
from gateway.telemetry import Telemetry
from gateway.testing import ManualClock
from tests.flows.conftest import Flows
from tests.flows.test_turns import KEYED, a_route, arrive, by, routes_of
from tests.kit.build import ENCRYPTION_KEY, NOW, a_delivery, a_lease, an_arrival, an_event
from tests.kit.postgres import Postgres
from tests.kit.process import free_ports
from tests.kit.raw import raw_server
from tests.kit.steps import hang, moment
from tests.kit.stores import raw
from tests.store.test_contract import an_attempt
from tests.store.test_turns import a_turn, kept

LATER = NOW + 600 * SECOND


@pytest_asyncio.fixture
async def url(postgres):
    """A database of one's own: what is done to its schema here is no other test's to find."""
    async with postgres.database(empty=True) as made:
        yield made


@pytest_asyncio.fixture
async def nodes(url):
    """Two stores on one database."""
    opened = [await PostgresStore.open(url) for _ in range(2)]
    yield opened
    for store in opened:
        await store.close()


@pytest.fixture
def store(nodes):
    return nodes[0]


@contextlib.asynccontextmanager
async def held(store) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else's transaction."""
    connection = await asyncpg.connect(store._rest._url.text)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def waiting(connection: asyncpg.Connection) -> None:
    """Until somebody waits for a lock that *connection* holds."""
    mine = await connection.fetchval("SELECT pg_backend_pid()")
    # Not pg_stat_activity: in a transaction it goes on showing who was connected at the first look.
    ask = "SELECT count(*) FROM pg_locks WHERE NOT granted AND $1 = ANY(pg_blocking_pids(pid))"
    while not await connection.fetchval(ask, mine):
        await moment(0.01)


# -- several nodes -----------------------------------------------------------------------------------


async def test_two_nodes_never_lease_the_same_delivery(nodes):
    one, other = nodes
    await one.append([an_arrival() for _ in range(200)])
    claims = [node.claim("cms", [a_lease() for _ in range(25)], NOW) for node in nodes * 6]
    names = [d.id for claimed in await asyncio.gather(*claims) for d in claimed]
    names += [d.id for d in await other.claim("cms", [a_lease() for _ in range(200)], NOW)]
    assert len(names) == len(set(names)) == 200


async def test_a_node_that_wakes_late_cannot_record_what_another_has_taken_over(nodes):
    one, other = nodes
    await one.append([an_arrival()])
    (stale,) = await one.claim("cms", [a_lease(until=NOW + SECOND)], NOW)
    assert await other.reclaim(LATER) == 1
    (fresh,) = await other.claim("cms", [a_lease()], LATER)
    with pytest.raises(LeaseLost):
        await one.record(stale, an_attempt(), Finish())
    await other.record(fresh, an_attempt(), Finish())
    (shown,) = await one.deliveries({})
    assert (shown["state"], shown["attempts"]) == ("delivered", 1)


async def test_a_key_is_a_duplicate_whichever_node_it_reaches(nodes):
    appends = [
        node.append([an_arrival(an_event(key=f"k{i}"))]) for i in range(20) for node in nodes
    ]
    receipts = [receipt for (receipt,) in await asyncio.gather(*appends)]
    assert sorted(r.duplicate for r in receipts) == [False] * 20 + [True] * 20
    assert len(await nodes[0].events({})) == 20


async def test_an_event_is_kept_whose_key_is_let_go_of_while_it_is_looked_up(nodes, monkeypatch):
    one, other = nodes
    old = an_arrival(an_event(key="k"), leased=True)
    await one.append([old])
    await one.record(old.deliveries[0], an_attempt(), Finish())
    known = append._known

    async def pruned_before(work, arrivals, fresh, keys):
        await other.prune([old.event.event_id])
        return await known(work, arrivals, fresh, keys)

    monkeypatch.setattr(append, "_known", pruned_before)
    both = an_arrival(an_event(key="k")), an_arrival()
    appended = await asyncio.gather(*(one.append([arrival]) for arrival in both))
    assert [receipt.duplicate for (receipt,) in appended] == [False, False]
    assert {event["id"] for event in await one.events({})} == {a.event.event_id for a in both}


async def test_a_key_that_is_locked_by_its_duplicate_is_not_let_go_of(nodes):
    """What is written in a transaction finds it again."""
    one, other = nodes
    old = an_arrival(an_event(key="k"), leased=True)
    await one.append([old])
    await one.record(old.deliveries[0], an_attempt(), Finish())
    facts = ["evt_1"], ["getty"], ["k"], [NOW], [0]
    async with held(other) as holding:
        assert await holding.fetch(statement("take_keys").sql, *facts) == []
        pruning = asyncio.ensure_future(one.prune([old.event.event_id]))
        await waiting(holding)
        assert await holding.fetchval("SELECT count(*) FROM event_keys") == 1
    assert await pruning == 1


async def test_a_route_fires_once_whichever_node_its_event_reaches(nodes):
    appends = [
        node.append([an_arrival(firings={"a-route": f"lic-{i}"})])
        for i in range(10)
        for node in nodes
    ]
    receipts = [receipt for (receipt,) in await asyncio.gather(*appends)]
    assert sum(bool(r.fired_before) for r in receipts) == 10


async def test_of_a_key_one_is_in_flight_and_all_go_in_order_though_two_nodes_work_at_it(nodes):
    """Events of one key come at both nodes while both claim and record."""
    chance, total = random.Random(7), 60
    under_way: dict[str, int] = {}
    order: dict[str, list[str]] = {"a": [], "b": []}
    left = total

    async def arrive(node, count) -> None:
        for _ in range(count):
            await kept(node, a_turn(key=chance.choice("ab"), at=NOW))

    async def work(node) -> None:
        nonlocal left
        while left:
            for delivery in await node.claim(
                "cms", [a_lease(until=LATER), a_lease(until=LATER)], LATER
            ):
                key = delivery.turn.key
                under_way[key] = under_way.get(key, 0) + 1
                assert under_way[key] == 1, f"two of {key} at once"
                order[key].append(delivery.id)
                delivery.attempts += 1
                await asyncio.sleep(0)  # noqa: TID251  # let the other one in
                under_way[key] -= 1
                await node.record(delivery, an_attempt(delivery.attempts), Finish())
                left -= 1

    async with asyncio.timeout(15):
        await asyncio.gather(
            *(arrive(node, total // 2) for node in nodes), *(work(node) for node in nodes)
        )
    assert sum(map(len, order.values())) == total


def two_whose_clocks_differ(stores, target: Target):
    """Two nodes that send nothing themselves: the clock of the first is right, that of the other 1.5 s behind."""
    now = SystemClock().now()
    pair = []
    for store, at in zip(stores, (now, now - 1500 * 1000), strict=True):
        clock = ManualClock(at)
        flows = Flows(store, clock, routes_of(a_route("updates", target)), nodes=store.nodes)
        flows.lanes.hold(PAUSED)
        name = f"n{at}"
        node = Nodes(
            store=store.nodes, lanes=flows.lanes, deliver=flows.deliver, keep=flows.keep, clock=clock,
            node=Node(name, name, "1", "r1", now, 0), telemetry=flows.telemetry,
        )  # fmt: skip
        pair.append((flows, node))
    return pair


async def comes_to(flows) -> EventId:
    """An event that a node names by its own clock, once it has been answered."""
    event = an_event(data={"asset": "a"}, received_at=flows.clock.now())
    event.event_id = flows.keep.new_id()
    await arrive(flows, event)
    return event.event_id


async def test_order_holds_between_nodes_whose_clocks_differ(nodes):
    (right, _), (behind, _) = two_whose_clocks_differ(nodes, KEYED)
    came = [await comes_to(flows) for flows in (right, behind, right, behind, behind)]
    assert sorted(came) != came
    went = []
    while found := await nodes[1].claim("cms", [a_lease(until=LATER)] * 2, SystemClock().now()):
        (delivery,) = found
        went.append(delivery.event.event_id)
        delivery.attempts += 1
        await nodes[1].record(delivery, an_attempt(), Finish())
    assert went == came


async def test_the_latest_of_a_slot_is_what_came_last_though_clocks_differ(nodes):
    coalesce = Coalesce(settle=5 * SECOND, longest=60 * SECOND)
    settling = Target(endpoint="cms", timing=Timing(key=by("asset"), coalesce=coalesce))
    pair = two_whose_clocks_differ(nodes, settling)
    came = []
    for flows, node in pair:
        await node.beat()
        came.append(await comes_to(flows))
    rows = await nodes[0].deliveries({})
    shown = {parse_delivery_id(row["id"])[0]: row["state"] for row in rows}
    await asyncio.gather(*(node.leave() for _, node in pair))
    assert shown == {came[0]: "superseded", came[1]: "scheduled"}


async def test_what_waits_for_two_of_its_event_goes_though_they_end_at_two_nodes_at_once(nodes):
    for _ in range(10):
        event = an_event()
        first, second = (a_delivery(event, n=n, lease=a_lease()) for n in range(2))
        follower = a_turn(endpoint="dam")
        follower.event, follower.n = event, 2
        follower.turn.after = [After([first, second], "both", delivered=True)]
        first.leads = second.leads = True
        routed = Routed([first, second, follower])
        await nodes[0].append([Arrival(event=event, routed=routed, since=0)])
        await asyncio.gather(
            nodes[0].record(first, an_attempt(), Finish()),
            nodes[1].record(second, an_attempt(), Finish()),
        )
        assert len(await nodes[0].claim("dam", [a_lease()], LATER)) == 1


async def test_nodes_that_start_at_once_make_one_schema_and_a_data_key_each(postgres):
    async with postgres.database(empty=True) as url:
        stores = await asyncio.gather(
            *(PostgresStore.open(url, [ENCRYPTION_KEY]) for _ in range(3))
        )
        assert sorted(store._vault.current for store in stores) == [1, 2, 3]
        for store in stores:
            await store.close()


async def test_what_one_node_has_sealed_another_can_send_and_show(url):
    one, other = [await PostgresStore.open(url, [ENCRYPTION_KEY]) for _ in range(2)]
    arrival = an_arrival(an_event(key="k"))
    await one.append([arrival])
    (claimed,) = await other.claim("cms", [a_lease()], NOW)
    assert claimed.event.body == arrival.event.body
    third = await PostgresStore.open(url, [ENCRYPTION_KEY])
    twin = an_event(key="k")
    twin.body = arrival.event.body
    await one.append([an_arrival(twin)])
    assert await third.inbox({}) == []
    assert (await third.event(arrival.event.event_id)).body == arrival.event.body
    rows = await raw(one, "SELECT body, head, sha256 FROM events")
    assert b"license" not in rows[0][0] + rows[0][1]
    assert rows[0][2] == b""
    with pytest.raises(ConfigError, match="encrypted"):
        await PostgresStore.open(url)
    for store in (one, other, third):
        await store.close()


# -- errors ------------------------------------------------------------------------------------------


async def test_a_newer_schema_is_refused(url, store):
    await raw(store, "INSERT INTO gateway_schema VALUES (999, now())")
    with pytest.raises(SchemaTooNew):
        await PostgresStore.open(url)


async def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path):
    with pytest.raises(StoreUnavailable) as caught:
        await PostgresStore.open(PostgresUrl(f"postgresql://u:s3cret@/x?host={tmp_path}"))
    assert "postgresql://u@/x" in str(caught.value)
    assert "s3cret" not in str(caught.value) + repr(caught.value.__cause__)


async def test_a_database_that_does_not_exist_is_the_users_to_mend(postgres):
    with pytest.raises(StoreUnusable, match="create the database"):
        await PostgresStore.open(postgres.url("nowhere"))


async def test_a_connection_that_was_lost_is_made_anew(postgres, store):
    await store.append([an_arrival()])
    await days_made(store)
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'gateway%'"
    await postgres.execute(end)
    with contextlib.suppress(StoreUnavailable):  # whether it is noticed before is chance
        await store.append([an_arrival()])
    await store.append([an_arrival()])
    assert store.failure is None


async def test_of_several_hosts_the_one_that_can_be_written_to_is_found_past_one_that_is_silent():
    server = Postgres(listen_addresses="127.0.0.1", port=str(free_ports(1)[0]))
    try:
        async with raw_server(hang) as silent:
            url = server.url("postgres", also=silent)
            store = await PostgresStore.open(url)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await store.append([an_arrival()])
                    assert await store.latest_event() is not None
            finally:
                await store.close()
    finally:
        server.remove()


async def test_an_answer_comes_in_time_though_the_database_is_cut_off_in_the_middle(
    postgres, store, monkeypatch
):
    """Who came while others waited in vain does not wait as long again."""
    monkeypatch.setattr(store._arrivals, "_within", 0.5)
    holding = await asyncpg.connect(store._arrivals._url.text)
    async with holding.transaction():
        await holding.execute("LOCK TABLE events")
        first = asyncio.ensure_future(store.append([an_arrival()]))
        await asyncio.wait([first], timeout=0.2)
        second = asyncio.ensure_future(store.append([an_arrival()]))
        async with asyncio.timeout(0.9):
            told = await asyncio.gather(first, second, return_exceptions=True)
    await holding.close()
    assert [type(each) for each in told] == [StoreUnavailable] * 2
    await moment(0.2)  # until it is tried again
    await store.append([an_arrival()])


async def test_what_was_committed_is_told_so_though_a_probe_beside_it_failed(store, monkeypatch):
    await store.append([an_arrival()])
    await store.probe()
    monkeypatch.setattr(store._arrivals, "_within", 1)
    async with held(store) as holding:
        await holding.execute("LOCK TABLE told")
        probe = asyncio.ensure_future(store._appends.submit(Change(_touch)))
        (receipt,) = await store.append([an_arrival()])
        assert not receipt.duplicate
        with pytest.raises(StoreUnavailable):
            await probe
    assert len(await store.events({})) == 2


async def test_while_the_database_is_away_all_say_so_and_then_go_on(postgres, store):
    await store.append([an_arrival()])
    await store.events({})
    await days_made(store)
    changes = []
    store.on_change = lambda: changes.append(store.failure)
    await asyncio.to_thread(postgres.stop)
    try:
        with pytest.raises(StoreUnavailable, match="goes on by itself"):
            await store.events({})
        assert len(changes) == 1
        with pytest.raises(StoreUnavailable):
            await store.append([an_arrival()])
        with pytest.raises(StoreUnavailable):
            await store.probe()
    finally:
        await asyncio.to_thread(postgres.start)
    while store.failure is not None:
        with contextlib.suppress(StoreUnavailable):
            await store.probe()
    await store.append([an_arrival()])
    assert len(await store.events({})) == 2


async def test_an_outcome_whose_commit_nobody_heard_of_is_not_recorded_twice(store):
    await store.append([an_arrival()])
    (claimed,) = await store.claim("cms", [a_lease()], NOW)
    await store.record(claimed, an_attempt(), RetryAt(LATER, "http-500"))
    await store.record(claimed, an_attempt(), RetryAt(LATER, "http-500"))
    assert len(await store.attempts(claimed.event.event_id, 0)) == 1
    with pytest.raises(LeaseLost):
        await store.record(claimed, an_attempt(started_at=NOW + 1), Finish())


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.DiskFullError("no"), DiskFull), (asyncpg.TooManyConnectionsError("no"), StoreUnavailable),
        (asyncpg.InvalidPasswordError("no"), StoreUnusable), (TimeoutError(), StoreUnavailable),
        (asyncpg.ReadOnlySQLTransactionError("no"), StoreUnavailable),
        (asyncpg.InsufficientPrivilegeError("no"), StoreUnusable),
        (ConnectionRefusedError("no"), StoreUnavailable),
        (asyncpg.AdminShutdownError("no"), StoreUnavailable),
    ],
)  # fmt: skip
def test_what_the_database_says_is_told_by_what_is_to_be_done(error, kind):
    with pytest.raises(StoreUnavailable) as caught, translated("cannot"):
        raise error
    assert type(caught.value) is kind
    assert caught.value.cure


def test_what_is_wrong_with_our_own_statements_passes_as_it_is():
    with pytest.raises(asyncpg.UndefinedColumnError), translated("cannot"):
        raise asyncpg.UndefinedColumnError("no")


@pytest.mark.parametrize("text", ["a\0b", "\0", "\ufdd0", "\ufdd00", "\ufdd01\0", "plain"])
def test_any_text_comes_back_as_it_was(text):
    assert "\0" not in storable(text)
    assert as_it_was(storable(text)) == text


def test_parameters_are_put_in_their_places():
    assert placed("a = ? AND b::int = ?").sql == "a = $1 AND b::int = $2"
    assert placed("a = ?2 AND b = ?1").sql == "a = $2 AND b = $1"
    found = placed("a = :x AND b = :y AND c = :x::text -- what about :z?")
    assert (found.sql, found.names) == ("a = $1 AND b = $2 AND c = $1::text", ("x", "y"))


# -- days --------------------------------------------------------------------------------------------


async def days_made(store) -> list[str]:
    if store._making_days is not None:
        await store._making_days
    found = await raw(
        store,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1",
    )
    return [name for (name,) in found]


async def old_days(store, *, spoil: bool = False):
    """Events of one day, in partitions of their own: done, dead, waiting; and one of a day later."""
    await store._days.make(NOW)
    done, dead, waiting = (an_arrival(an_event(key=f"k{i}"), leased=i < 2) for i in range(3))
    young = an_arrival(an_event(received_at=NOW + 20 * DAY), leased=True)
    await store.append([done, dead, waiting, young])
    await store.record(done.deliveries[0], an_attempt(), Finish())
    await store.record(dead.deliveries[0], an_attempt(), GiveUp("http-500"))
    return done, dead, waiting, young


async def all_dropped(store, before) -> list[int]:
    """How many events of each day went that was looked at."""
    dropped = []
    while (count := await store.drop_days(before)) is not None:
        dropped.append(count)
    return dropped


async def test_a_day_and_the_one_after_it_get_partitions_when_an_event_comes(store):
    await store._days.make(NOW - DAY)
    await store.append([an_arrival()])
    made = await days_made(store)
    assert {"events_20261117", "events_20261118", "events_20261119"} <= set(made)
    assert await raw(store, "SELECT count(*) FROM events_20261118") == [(1,)]
    assert await raw(store, "SELECT count(*) FROM events_default") == [(0,)]


async def test_an_event_of_a_day_without_partitions_is_kept_all_the_same(store):
    arrival = an_arrival()
    await store.append([arrival])  # before anybody could make them
    await days_made(store)
    assert (await store.event(arrival.event.event_id)).body == arrival.event.body


async def test_after_days_without_any_node_the_first_event_finds_its_day(url):
    last = await PostgresStore.open(url)
    ((now,),) = await raw(last, "SELECT (extract(epoch FROM now()) * 1000000)::bigint")
    for name in await days_made(last):
        for table in days.TABLES if not name.endswith("_default") else ():
            await raw(last, f"DROP TABLE {name.replace('events', table)}")
    last._days._made.clear()
    await last._days.make(now - 5 * DAY)
    await last.close()
    store = await PostgresStore.open(url)
    await store.append([an_arrival(an_event(received_at=now))])
    assert await raw(store, "SELECT count(*) FROM events_default") == [(0,)]
    assert await raw(store, "SELECT count(*) FROM deliveries") == [(1,)]
    await store.close()


async def test_what_came_without_a_day_of_its_own_goes_row_by_row(store):
    arrival = an_arrival(leased=True)
    await store.append([arrival])  # before anybody could make one
    await store.record(arrival.deliveries[0], an_attempt(), Finish())
    assert await raw(store, "SELECT count(*) FROM events_default") == [(1,)]
    before = horizon(Retention(), {}, NOW + 30 * DAY, too_large=False)
    await all_dropped(store, before)
    (gone,) = await store.examine("", before, 10)
    assert before.lets_go(gone)
    await store.prune([gone.id])
    for table in days.TABLES:
        assert await raw(store, f"SELECT count(*) FROM {table}_default") == [(0,)]


async def test_a_day_is_dropped_but_for_what_has_to_stay(store):
    done, dead, waiting, young = await old_days(store)
    before = horizon(Retention(), {}, NOW + 30 * DAY, too_large=False)
    assert await store.drop_days(before) == 1
    assert "events_20261118" not in await days_made(store)
    left = [event["id"] for event in await store.events({})]
    assert left == [a.event.event_id for a in (young, waiting, dead)]
    assert len(await store.attempts(dead.event.event_id, 0)) == 1
    assert await store.attempts(done.event.event_id, 0) == []
    assert await store.redeliver(dead.event.event_id, 0, LATER) == "dead"
    assert len(await store.claim("cms", [a_lease(), a_lease()], LATER)) == 2
    assert await raw(store, "SELECT event_id FROM event_keys ORDER BY 1") == [
        (a.event.event_id,) for a in (dead, waiting)
    ]


async def test_a_day_of_which_something_is_too_young_stays(store):
    await old_days(store)
    before = horizon(Retention(), {}, NOW + 6 * DAY, too_large=False)
    assert await store.drop_days(before) is None
    assert "events_20261118" in await days_made(store)


async def test_a_day_of_which_much_has_to_stay_is_left_to_go_row_by_row(store, monkeypatch):
    await old_days(store)
    monkeypatch.setattr(days, "MOST_MOVED", 1)
    before = horizon(Retention(), {}, NOW + 30 * DAY, too_large=False)
    assert set(await all_dropped(store, before)) == {0}
    assert "events_20261118" in await days_made(store)
    assert len(await store.events({})) == 4


async def test_a_day_that_has_to_stay_keeps_no_younger_one_and_is_not_read_again_at_once(
    store, monkeypatch
):
    await old_days(store)
    next_day = an_arrival(an_event(received_at=NOW + DAY), leased=True)
    await store.append([next_day])
    await store.record(next_day.deliveries[0], an_attempt(), Finish())
    monkeypatch.setattr(days, "MOST_MOVED", 1)
    before = horizon(Retention(), {}, NOW + 15 * DAY, too_large=False)
    await days_made(store)
    stays, goes, *empty = await all_dropped(store, before)
    assert (stays, goes, set(empty)) == (0, 1, {0})
    made = await days_made(store)
    assert "events_20261118" in made
    assert {"events_20261119", "events_20261120"}.isdisjoint(made)
    assert len(await store.events({})) == 4
    monkeypatch.setattr(days, "MOST_MOVED", 2)
    assert await store.drop_days(before) is None
    store._days._put_off.clear()  # as it is an hour later
    assert await store.drop_days(before) == 1


async def test_while_somebody_reads_for_long_days_go_row_by_row_and_later_whole(store):
    await old_days(store)
    before = horizon(Retention(), {}, NOW + 15 * DAY, too_large=False)
    async with held(store) as reading:
        await reading.fetch("SELECT 1 FROM events LIMIT 1")
        assert await store.drop_days(before) is None
    assert "events_20261118" in await days_made(store)
    assert len(await store.events({})) == 4
    store._days._put_off.clear()
    assert await store.drop_days(before) == 1


@pytest.mark.parametrize("analyzed", [True, False])
async def test_above_its_size_no_more_goes_than_has_to_though_files_do_not_shrink(
    store, clock, analyzed
):
    await store._days.make(NOW)
    bodies = [random.Random(i).randbytes(4000).hex() for i in range(600)]
    for body in bodies:
        arrival = an_arrival(an_event(data={"pad": body}), leased=True)
        await store.append([arrival])
        await store.record(arrival.deliveries[0], an_attempt(), Finish())
    for session in (store._arrivals, store._outcomes):  # as each does by itself after some seconds
        await session.run(lambda work: work.rows(TELL_COUNTS, ()))
    if analyzed:
        await raw(store, "ANALYZE")
    clock.advance(60)
    half = (await store.room()).used // 2
    prune = Prune(
        store=store, audit=store, retention=Retention(size_bytes=half), windows=dict,
        clock=clock, telemetry=Telemetry(),
    )  # fmt: skip
    assert 200 < (await all_pruned(prune)) < 450
    assert (await store.room()).used <= half
    await raw(store, "VACUUM ANALYZE events")
    clock.advance(60)
    assert await all_pruned(prune) <= GENTLE.page  # it is known better now


async def all_pruned(prune: Prune) -> int:
    """How many events went."""
    done = await prune.on_request("")
    gone = done.gone["events"]
    while done.after is not None:
        done = await prune.on_request(done.after)
        gone += done.gone["events"]
    return gone


async def test_a_day_that_cannot_be_made_while_somebody_reads_is_made_later(store):
    async with held(store) as reading:
        await reading.fetch("SELECT 1 FROM events LIMIT 1")
        await store._days.make(NOW)
        await store.append([an_arrival()])  # nobody waits behind it
        assert not store._days.lacks(NOW)  # for a minute
    assert "events_20261119" not in await days_made(store)
    store._days._again_at = 0
    assert store._days.lacks(NOW)
    await store._days.make(NOW)
    assert "events_20261119" in await days_made(store)


# -- locks -------------------------------------------------------------------------------------------


async def test_a_migration_waits_for_its_table_a_moment_at_a_time(store, caplog):
    migrating = await asyncpg.connect(store._rest._url.text)
    step = "ALTER TABLE inbox ADD COLUMN more integer"
    async with held(store) as reading:
        await reading.fetch("SELECT 1 FROM inbox")
        taking = asyncio.ensure_future(_take_step(migrating, 999, step))
        await waiting(reading)
        async with asyncio.timeout(1.5):  # who comes behind it goes on when it gives up
            await store.inbox({})
        while "tried again" not in caplog.text:
            await moment(0.01)
    await taking
    await migrating.close()
    assert await raw(store, "SELECT count(more) FROM inbox") == [(0,)]
    assert await raw(store, "SELECT max(number) FROM gateway_schema") == [(999,)]


@pytest.mark.parametrize("table", ["event_keys", "inbox", "firings", "confirmations"])
async def test_tables_from_which_much_is_deleted_are_vacuumed_early(store, table):
    ((settings,),) = await raw(store, f"SELECT reloptions FROM pg_class WHERE relname = '{table}'")
    given = dict(each.split("=") for each in settings)
    assert float(given["autovacuum_vacuum_scale_factor"]) <= 0.05


async def test_vacuum_settings_are_made_while_others_write(store):
    text = next(step for step in _migrations() if step.name.startswith("0004")).read_text()
    migrating = await asyncpg.connect(store._rest._url.text)
    async with held(store) as writing:
        await writing.execute("INSERT INTO firings VALUES ('r', 'v', 'evt_1', 1)")
        async with migrating.transaction():
            await migrating.execute("SET LOCAL lock_timeout = '1s'")
            await migrating.execute(text)
    await migrating.close()


async def test_who_stops_in_the_middle_of_a_transaction_holds_nobody_up_for_long(nodes):
    one, other = nodes

    async def stop(work) -> None:
        await work.lock(["shares"])
        await moment(3)
        await work.rows(placed("SELECT 1"), ())

    stopping = asyncio.ensure_future(one._rest.transact(stop))
    await moment(0.5)
    async with asyncio.timeout(2.4):
        await other._rest.transact(lambda work: work.lock(["shares"]))
    with pytest.raises(StoreUnavailable):
        await stopping


async def test_however_many_names_are_locked_the_locks_are_few(store):
    async def lock(work) -> int:
        await work.lock([f"cms key-{i}" for i in range(20_000)])
        ((count,),) = await work.rows(
            placed("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), ()
        )
        return count

    count, _ = await store._rest.transact(lock)
    assert 3000 < count <= MOST_LOCKS


async def test_two_users_of_one_connection_take_turns(store):
    order = []

    async def use(work, name: str) -> None:
        for _ in range(3):
            await work.rows(placed("SELECT 1"), ())
            order.append(name)

    await asyncio.gather(
        *(store._rest.transact(partial(use, name=name)) for name in ("one", "other"))
    )
    assert order == ["one"] * 3 + ["other"] * 3


# -- plans -------------------------------------------------------------------------------------------

FILL = (
    """INSERT INTO deliveries (event_id, n, route, endpoint, state, form, due_at, created_at, lease, lease_until,
                                key, place, slot, expires_at, late_at, waits_for)
       SELECT 'evt_' || lpad(to_hex(i / 2), 24, '0'), i % 2, 'r', 'e' || i % 10, CASE WHEN i % 50 = 0 THEN 'leased'
              ELSE 'scheduled' END, 'event', i, i, i, CASE WHEN i % 50 = 0 THEN i END,
              CASE WHEN i % 5 = 0 THEN 'k' || i % 1000 END, CASE WHEN i % 5 = 0 THEN 'p' || i END,
              CASE WHEN i % 10 = 0 THEN 's' || i END, CASE WHEN i % 20 = 0 THEN i END,
              CASE WHEN i % 20 = 0 THEN i END, CASE WHEN i % 7 = 0 THEN 'key' END
       FROM generate_series(1, 100000) AS i""",
    """INSERT INTO events (id, source, type, received_at, content_type, body, head, sha256, deliveries, matched)
       SELECT 'evt_' || lpad(to_hex(i), 24, '0'), 's', 't', i, '', 'b', 'h', '', 2, 1
       FROM generate_series(1, 50000) AS i""",
    """INSERT INTO event_keys SELECT 's', 'key' || i, 'evt_' || i, i FROM generate_series(1, 50000) AS i""",
    """INSERT INTO ended_deliveries (event_id, n, route, endpoint, state, form, attempts, round_from, due_at,
                                     created_at, finished_at, priority, leads)
       SELECT 'evt_' || lpad(to_hex(i), 24, '0'), 7, 'r', 'e' || i % 10, CASE WHEN i % 100 = 0 THEN 'dead'
              ELSE 'delivered' END, 'event', 1, 0, i, i, i, 1, 0
       FROM generate_series(1, 50000) AS i""",
    """INSERT INTO attempts (event_id, n, number, started_at, duration, outcome)
       SELECT 'evt_' || lpad(to_hex(i), 24, '0'), 7, 1, i, 1, 'accepted' FROM generate_series(1, 50000) AS i""",
    "ANALYZE",
)

PLANS = {
    "claim_due": "deliveries_due",
    "record_outcomes": "deliveries_pkey",
    "append_plain": None,
    "take_keys": None,
    "find_duplicates": "event_keys_pkey",
    "read_leased": "deliveries_pkey",
    "next_due": "deliveries_due",
    "release_leases": "deliveries_pkey",
    "reclaim_leases": "deliveries_leased",
    "append_in_turn": "deliveries_queue",
    "stand_at": "deliveries_pkey",
    "take_turn": "deliveries_queue",
    "wait_if_not_first": "deliveries_queue",
    "let_head_go": "deliveries_queue",
    "states_of": "deliveries_pkey",
    "supersede_slot": "deliveries_slots",
    "supersede_older": "deliveries_slots",
    "expire": "deliveries_expiring",
    "late_between": "deliveries_late",
    "cancel": "deliveries_pkey",
    "redeliver": "ended_deliveries_default_pkey",
    "find_attempts": "attempts_default_pkey",
    "due_confirmations": "confirmations_due",
    "examine_events": "events_default_pkey",
}
"""Each statement of the delivery engine, and an index that it looks at."""


@pytest.fixture(scope="session")
def filled(postgres):
    """The name of a database with a hundred thousand deliveries, for all plans of a run."""
    return asyncio.run(_made(postgres, "filled", FILL))


@pytest.fixture(scope="session")
def emptied(postgres):
    """The name of one as a quiet hour leaves it: all is done, and vacuum has seen that nothing is left."""
    return asyncio.run(
        _made(postgres, "emptied", (*FILL, "DELETE FROM deliveries", "VACUUM ANALYZE"))
    )


async def _made(postgres, name: str, statements: Sequence[str]) -> str:
    await postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    await (await PostgresStore.open(postgres.url(name))).close()
    await postgres.execute(*statements, database=name)
    return name


@pytest.mark.parametrize("name", PLANS)
async def test_statements_look_at_ranges_of_an_index_and_at_nothing_else(postgres, filled, name):
    nodes = await _nodes_of(postgres.url(filled), name)
    _look_at_ranges(nodes)
    indexes = {node["Index Name"] for node in nodes if "Index Name" in node}
    assert PLANS[name] is None or PLANS[name] in indexes


BATCHES = (
    "claim_due", "record_outcomes", "release_leases", "read_leased", "find_attempts", "find_duplicates",
    "expire", "not_under_way", "prune_events",
)  # fmt: skip
"""Each statement that looks up rows for many others."""


@pytest.mark.parametrize("name", BATCHES)
async def test_each_of_a_batch_is_looked_up_also_where_the_table_was_seen_empty(
    postgres, emptied, name
):
    _look_at_ranges(await _nodes_of(postgres.url(emptied), name))


async def _nodes_of(url, name: str) -> list[dict]:
    """All of a statement's plan."""
    store = await PostgresStore.open(url)
    try:
        session = store._own_reader._all[0] if name in {"next_due", "late_between"} else store._rest
        plan = await session.run(lambda work: plan_of(work._connection, statement(name).sql))
    finally:
        await store.close()
    return list(_nodes(plan))


def _look_at_ranges(nodes: list[dict]) -> None:
    assert [node for node in nodes if node["Node Type"] == "Seq Scan"] == []
    # With neither a condition nor an order by it, an index is read whole as well.
    for node in nodes:
        if node["Node Type"] in {"Index Scan", "Index Only Scan"}:
            assert "Index Cond" in node or _is_bounded(node, nodes), node


VALUES = {
    "text": "'evt_000000000000000000000001'", "text[]": "ARRAY['evt_000000000000000000000001']",
    "bigint": "1", "integer": "1", "bigint[]": "'{1}'", "integer[]": "'{1}'", "bytea[]": "ARRAY['x'::bytea]", "bytea": "'x'",
}  # fmt: skip


async def plan_of(connection, sql: str) -> dict:
    """The plan of a statement as it is prepared; those of writers are made for any values."""
    await connection.execute("DEALLOCATE ALL")
    await connection.execute(f"PREPARE looked_at AS {sql}")
    ((types,),) = await connection.fetch(
        "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'looked_at'"
    )
    given = f"({', '.join(VALUES[each] for each in types)})" if types else ""
    ((text,),) = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE looked_at{given}")
    return json.loads(text)[0]["Plan"]


def _nodes(plan: dict):
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _is_bounded(node: dict, nodes: list[dict]) -> bool:
    """Whether it only looks for the first, as `min` does."""
    return any(n["Node Type"] == "Limit" and node in n["Plans"] for n in nodes)
