"""Retention at work: what goes, what stays, and who does not notice."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from gateway.core import retention
from gateway.core.model import SECOND
from gateway.core.proof import verify
from gateway.core.retention import DAY, Examined, Retention
from gateway.core.retry import Finish, GiveUp
from gateway.flows.prune import BEHIND, GENTLE, HURRIED, START_OVER_EVERY, Prune, batches
from gateway.store.sqlite import SqliteStore
from gateway.telemetry import Telemetry
from tests.kit.build import EVIDENCE_KEY, NOW, a_lease, an_arrival, an_event
from tests.store.test_contract import an_attempt
from tests.store.test_evidence import everything


@pytest.fixture
async def pruning(store, clock, make_flows):
    """Start pruning by a retention; the flows, to wait for what they report."""
    made: list[Prune] = []

    def start(windows: Callable[[], Mapping[str, int]] = dict, **kept: int):
        flows = make_flows()
        prune = Prune(
            store=store,
            audit=store,
            retention=Retention(**kept),
            windows=windows,
            clock=clock,
            telemetry=flows.telemetry,
        )
        made.append(prune)
        prune.loop.start()
        return flows

    yield start
    for prune in made:
        await prune.loop.stop()


async def keep(store, count: int = 1, *, decision=None, pad: int = 0, **more) -> list[str]:
    """Store events whose only delivery has ended; their names."""
    events = [an_event(data={"pad": "x" * pad}, **more) for _ in range(count)]
    arrivals = [an_arrival(event, leased=True) for event in events]
    await asyncio.gather(*(store.append([arrival]) for arrival in arrivals))
    await asyncio.gather(
        *(store.record(a.deliveries[0], an_attempt(), decision or Finish()) for a in arrivals)
    )
    return [event.event_id for event in events]


async def left(store) -> list[str]:
    return [event["id"] for event in (await store.events({"limit": 500}))[::-1]]


async def test_what_is_finished_goes_after_its_time_and_dead_letters_stay(store, clock, pruning):
    await keep(store, 200)
    (dead,) = await keep(store, decision=GiveUp("http-500"))
    waiting = an_arrival()
    await store.append([waiting])
    clock.advance(8 * 86_400)
    (young,) = await keep(store, received_at=clock.now())
    flows = pruning()
    assert (await flows.seen("retention.pruned")) == [{"events": 200}]
    assert await left(store) == [dead, waiting.event.event_id, young]


async def test_nothing_is_said_where_nothing_went(store, clock, pruning):
    await keep(store)
    flows = pruning()
    clock.advance(DAY / SECOND)
    clock.advance(7 * DAY / SECOND)
    assert await flows.seen("retention.pruned") == [{"events": 1}]


async def test_a_key_outlives_the_retention_of_its_event(store, clock, pruning):
    (name,) = await keep(store, key="k")
    clock.advance(8 * 86_400)
    flows = pruning(lambda: {"getty": 10 * DAY})
    await keep(store, received_at=NOW)
    clock.advance(3601)
    await flows.seen("retention.pruned")
    assert await left(store) == [name]
    (receipt,) = await store.append([an_arrival(an_event(key="k"), since=NOW)])
    assert (receipt.event_id, receipt.duplicate) == (name, True)
    clock.advance(3 * 86_400)
    await flows.seen("retention.pruned", 2)
    assert await left(store) == []


async def test_an_event_that_ended_after_it_was_passed_goes_with_a_later_walk(
    store, clock, pruning
):
    late = an_arrival()
    late.deliveries[0].lease = a_lease(until=NOW + 30 * DAY)
    await store.append([late])
    await keep(store)
    clock.advance(8 * 86_400)
    flows = pruning()
    await flows.seen("retention.pruned")
    assert await left(store) == [late.event.event_id]
    await store.record(late.deliveries[0], an_attempt(), Finish())
    clock.advance(START_OVER_EVERY / SECOND)
    await flows.seen("retention.pruned", 2)
    assert await left(store) == []


async def test_above_its_size_the_oldest_go_early_and_no_more_than_has_to(store, clock, pruning):
    names = await keep(store, 300, pad=20_000)
    (dead,) = await keep(store, decision=GiveUp("http-500"), received_at=NOW - DAY)
    clock.advance(60)
    half = (await store.room()).used // 2
    flows = pruning(size_bytes=half)
    ((told,),) = [list(f.values()) for f in await flows.seen("retention.pruned")]
    rest = await left(store)
    assert rest == [dead, *names[-len(rest) + 1 :]]
    assert 100 < told < 200
    assert half * 0.7 < (await store.room()).used <= half


async def test_above_their_number_the_oldest_go_early_and_not_one_more_than_has_to(
    store, clock, pruning
):
    names = await keep(store, 200)
    (dead,) = await keep(store, decision=GiveUp("http-500"), received_at=NOW - DAY)
    clock.advance(60)
    flows = pruning(events=100)
    assert await flows.seen("retention.pruned") == [{"events": 101}]
    assert await left(store) == [dead, *names[101:]]
    more = await keep(store, 10, received_at=clock.now())
    clock.advance(60)
    await flows.seen("retention.pruned", 2)
    assert await left(store) == [dead, *names[111:], *more]


async def test_what_goes_for_the_size_counts_for_the_number_too(store, clock, pruning):
    await keep(store, 300, pad=20_000)
    clock.advance(60)
    half = (await store.room()).used // 2
    flows = pruning(size_bytes=half, events=250)
    await flows.seen("retention.pruned")
    assert half * 0.7 < (await store.room()).used <= half


async def test_where_too_many_may_not_go_the_walk_ends_all_the_same(store, clock, pruning):
    await keep(store, received_at=NOW - DAY)
    names = [name for key in "abc" for name in await keep(store, key=key)]
    clock.advance(60)
    flows = pruning(events=1)
    assert await flows.seen("retention.pruned") == [{"events": 1}]
    assert await left(store) == names


async def test_on_request_too_many_go_too(store, clock):
    names = await keep(store, 5, received_at=NOW - DAY)
    clock.advance(60)
    retention, telemetry = Retention(events=2), Telemetry()
    prune = Prune(
        store=store,
        audit=store,
        retention=retention,
        windows=dict,
        clock=clock,
        telemetry=telemetry,
    )
    assert (await prune.on_request("")).gone["events"] == 3
    assert await left(store) == names[3:]


async def test_it_says_so_when_nothing_more_may_go(store, pruning):
    await keep(store, key="k", pad=20_000)
    flows = pruning(size_bytes=1)
    (report,) = await flows.seen("retention.exceeded")
    assert report["used"] > report["retention_size"] == 1


async def test_the_file_shrinks_while_events_are_taken(store, clock, pruning, monkeypatch):
    monkeypatch.setattr(retention, "SMALLEST_SLACK_BYTES", 1 << 20)
    await keep(store, 600, pad=20_000)
    await store.empty_log()
    full = store.path.stat().st_size
    clock.advance(8 * 86_400)
    flows = pruning()
    names: list[str] = []
    while not [name for name, _ in flows.reports if name == "retention.pruned"]:
        names += await keep(store, received_at=clock.now())
    assert len(names) > 5
    assert await left(store) == names
    await store.empty_log()
    assert full > 12_000_000
    assert store.path.stat().st_size < full / 3


async def test_a_walk_hurries_while_it_is_behind_and_no_longer(store, clock, make_flows):
    await keep(store, GENTLE.page)
    young = NOW + BEHIND
    await keep(store, HURRIED.page, received_at=young)
    prune = Prune(
        store=store, audit=store, retention=Retention(finished=0), windows=dict,
        clock=clock, telemetry=make_flows().telemetry,
    )  # fmt: skip
    clock.advance((young - NOW) / SECOND + 10)
    await prune._step()
    assert (prune._walk.pace, len(await left(store))) == (HURRIED, HURRIED.page)
    await prune._step()
    assert (prune._walk.pace, await left(store)) == (GENTLE, [])


async def test_while_the_store_cannot_be_written_it_is_said_and_tried_again(store, clock, pruning):
    await keep(store)
    clock.advance(8 * 86_400)
    connection = store._writer._connection
    connection.execute("PRAGMA query_only = ON")
    flows = pruning()
    await flows.seen("retention.failed")
    connection.execute("PRAGMA query_only = OFF")
    clock.advance(61)
    assert await flows.seen("retention.pruned") == [{"events": 1}]


async def test_on_request_no_more_goes_for_its_size_than_has_to(store, clock, make_flows):
    await keep(store, 300, pad=20_000)
    clock.advance(60)
    half = (await store.room()).used // 2
    prune = Prune(
        store=store, audit=store, retention=Retention(size_bytes=half), windows=dict,
        clock=clock, telemetry=make_flows().telemetry,
    )  # fmt: skip
    assert (await prune.count("")).gone["events"] == 0
    done = await prune.on_request("")
    assert (done.after, 100 < done.gone["events"] < 200) == (None, True)


def an_examined(rows: int) -> Examined:
    return Examined("evt_0", None, rows, unfinished=False, dead=False, unmatched=False, ended_at=0)


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        ([], []),
        ([1] * 10, [10]),
        ([GENTLE.rows // 2 - 1] * 5, [2, 2, 1]),
        ([1, GENTLE.rows * 9, 1], [1, 1, 1]),
    ],
)
def test_a_commit_deletes_no_more_than_it_should_or_one_event(rows, sizes):
    assert [
        len(batch) for batch in batches([an_examined(each) for each in rows], GENTLE.rows)
    ] == sizes


async def test_evidence_goes_when_its_own_retention_says_so_and_no_size_counts_it(
    tmp_path, clock, make_flows
):
    store = await SqliteStore.open(tmp_path / "evidence.db", evidence=EVIDENCE_KEY)
    try:
        await keep(store, 3)
        await keep(store, 1, received_at=NOW + 8 * DAY)
        clock.advance(9 * 86_400)
        prune = Prune(
            store=store, audit=store, retention=Retention(evidence=3 * DAY), windows=dict,
            clock=clock, telemetry=make_flows().telemetry, evidence=store.evidence, key=EVIDENCE_KEY,
        )  # fmt: skip
        before = await store.evidence.size_bytes()
        room = await store.room()
        assert await prune._counted(room) == room.used - before
        done = await prune.on_request("")
        assert done.gone["evidence"] > 0
        assert await store.evidence.size_bytes() < before
        (line,) = [each for each in await everything(store) if b'"line":"gap"' in each]
        assert verify(await everything(store)).faults == []
        assert b'"signature"' in line
    finally:
        await store.close()
