"""Letting go of what is kept no longer: whole events, and what stands for itself."""

from dataclasses import replace

import pytest

from gateway.core.access import AuditEntry
from gateway.core.model import BodyForm, InboxEntry, Withheld
from gateway.core.retention import DAY, Retention, horizon
from gateway.core.retry import Finish, GiveUp
from gateway.store.sqlite import SqliteStore
from tests.kit.build import NOW, a_delivery, a_lease, an_arrival, an_event
from tests.kit.stores import raw
from tests.store.conftest import ENGINES
from tests.store.test_bulk import an_entry, an_operation
from tests.store.test_contract import an_attempt

# What is encrypted decides no age: that it makes no difference shows on SQLite.
pytestmark = pytest.mark.parametrize("store", ENGINES[:-1], indirect=True)

TABLES = ("events", "deliveries", "attempts", "withheld", "acts", "inbox", "firings", "audit")
LATER = NOW + 1000 * DAY
EVERYTHING = horizon(Retention(), {}, LATER, too_large=True)


async def rows(store) -> dict[str, int]:
    tables = {table: table for table in TABLES}
    if not isinstance(store, SqliteStore):
        tables["deliveries"] = "all_deliveries"
    counts = {}
    for name, table in tables.items():
        ((counts[name],),) = await raw(store, f"SELECT count(*) FROM {table}")
    return counts


async def a_finished_event(store, *, decision=None, **more):
    """An event with a delivery that has ended, and something of all that may belong to it."""
    arrival = an_arrival(
        an_event(**more), leased=True, withheld=[Withheld("other", "shadow", "to cms")]
    )
    await store.append([arrival])
    for delivery in arrival.deliveries:
        await store.record(delivery, an_attempt(), decision or Finish())
    return arrival.event


async def test_an_event_goes_with_all_that_belongs_to_it(store):
    event = await a_finished_event(store)
    other = await a_finished_event(store)
    assert await store.prune([event.event_id]) == 1
    assert await rows(store) == dict.fromkeys(TABLES, 0) | {
        "events": 1, "deliveries": 1, "attempts": 1, "withheld": 1,
    }  # fmt: skip
    assert await store.event(other.event_id) is not None


@pytest.mark.parametrize("leased", [True, False])
async def test_an_event_with_work_to_do_is_not_pruned_even_by_name(store, leased):
    """It may have been redelivered after it was examined."""
    arrival = an_arrival(to=("cms", "pager"))
    arrival.deliveries[0].lease = a_lease() if leased else None
    await store.append([arrival])
    before = await rows(store)
    assert await store.prune([arrival.event.event_id]) == 0
    assert await rows(store) == before


async def test_what_decides_about_an_event_is_told(store):
    done = await a_finished_event(store)
    dead = await a_finished_event(store, decision=GiveUp("http-500"))
    waiting, nothing = an_arrival(), an_arrival(to=())
    await store.append([waiting, nothing])
    first, second, third, fourth = await store.examine("", EVERYTHING, 10)
    assert (first.id, first.rows, first.unfinished, first.dead) == (done.event_id, 2, False, False)
    assert first.ended_at == NOW + 1500
    assert (second.id, second.dead) == (dead.event_id, True)
    assert (third.unfinished, third.unmatched, third.ended_at) == (True, False, None)
    assert (fourth.unfinished, fourth.unmatched) == (False, True)


async def test_a_page_goes_on_behind_the_last_and_ends_before_what_is_too_young(store):
    names = [(await a_finished_event(store, received_at=NOW + i * DAY)).event_id for i in range(4)]
    before = horizon(Retention(), {}, NOW + 10 * DAY, too_large=False)
    page = await store.examine("", before, 2)
    assert [event.id for event in page] == names[:2]
    page = await store.examine(page[-1].id, before, 2)
    assert [event.id for event in page] == names[2:3]


async def test_a_key_is_told_only_where_it_may_still_count(store):
    old = await a_finished_event(store, key="a", received_at=NOW)
    young = await a_finished_event(store, key="b", received_at=NOW + 5 * DAY)
    before = horizon(Retention(), {}, NOW + 6 * DAY, too_large=True)
    assert [(e.id, e.source) for e in await store.examine("", before, 10)] == [
        (old.event_id, None),
        (young.event_id, "getty"),
    ]


async def test_the_inbox_the_audit_log_and_what_fired_go_by_age(store):
    entry = InboxEntry(
        id="", source="getty", code="x", detail="", received_at=NOW, content_type="", body=b"{}"
    )
    for moment in (NOW, NOW + 200 * DAY):
        name = f"{moment // 1000:012x}000000000000"
        entry.id = f"inb_{name}"
        await store.keep(entry)
        audit = {"at": moment, "who": "local", "address": "", "action": "pause", "object": "cms"}
        await store.note(AuditEntry(id=f"aud_{name}", **audit))
        event = an_event(received_at=moment)
        await store.append([an_arrival(event, firings={"a-route": str(moment)})])
    keep = Retention(inbox=100 * DAY, audit=100 * DAY, once=100 * DAY)
    before = horizon(keep, {}, NOW + 200 * DAY, too_large=False)
    kinds = ("inbox", "once", "audit", "operations")
    assert await store.count_others(before) == dict.fromkeys(kinds, 1) | {"operations": 0}
    assert await store.prune_others(before, 10) == dict.fromkeys(kinds, 1) | {"operations": 0}
    assert await store.prune_others(before, 10) == dict.fromkeys(kinds, 0)
    left = await rows(store)
    assert (left["inbox"], left["audit"], left["firings"]) == (1, 1, 1)


async def test_operations_go_with_the_dead_letters_once_they_have_ended(store):
    for i, finished_at in enumerate([NOW, NOW + DAY, None]):
        operation = replace(an_operation(f"op_{i}"), finished_at=finished_at)
        await store.bulk.begin(operation, an_entry(f"aud_{i}"))
        await store.bulk.redeliver(operation, [])
    before = horizon(Retention(dead=90 * DAY), {}, NOW + 90 * DAY + 1, too_large=False)
    assert (await store.count_others(before))["operations"] == 1
    assert (await store.prune_others(before, 10))["operations"] == 1
    assert sorted(each.id for each in await store.bulk.operations(9)) == ["op_1", "op_2"]
    assert (await store.prune_others(EVERYTHING, 10))["operations"] == 1
    assert [each.id for each in await store.bulk.operations(9)] == ["op_2"]


async def test_no_more_goes_in_one_commit_than_was_said(store):
    for i in range(5):
        moment = NOW + i
        event = an_event(received_at=moment)
        await store.append([an_arrival(event, firings={"a-route": str(i)})])
    assert (await store.prune_others(EVERYTHING, 3))["once"] == 3
    assert (await rows(store))["firings"] == 2


async def test_a_delivery_with_a_body_of_its_own_goes_too(store):
    event = an_event()
    arrival = an_arrival(event, to=())
    arrival.routed.deliveries.append(
        a_delivery(event, form=BodyForm.OWN, body=b"{}", lease=a_lease())
    )
    await store.append([arrival])
    await store.record(arrival.deliveries[0], an_attempt(), Finish())
    assert await store.prune([event.event_id]) == 1
    assert (await rows(store))["deliveries"] == 0
