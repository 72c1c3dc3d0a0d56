"""Erasing a subject, slice by slice."""

import sqlite3
from contextlib import closing

import pytest

from gateway.core.errors import EventErased
from gateway.core.model import Erased
from gateway.flows import erase as module
from gateway.flows.erase import Erase, pseudonym
from gateway.store.sqlite.database import log_path
from tests.kit.build import a_lease, an_arrival, an_event

SUBJECT = "customer/4711"


@pytest.fixture
async def flow(store, clock, make_flows):
    flows = make_flows()
    erasing = Erase(store=store, plans=store, audit=store, clock=clock, telemetry=flows.telemetry)
    erasing.flows = flows
    return erasing


async def all_slices(do) -> tuple[Erased, int]:
    """What all slices came to, and how many there were."""
    total, after, slices = Erased(), "", 0
    while after is not None:
        done = await do(SUBJECT, after)
        total, after, slices = total.plus(done.erased), done.after, slices + 1
    return total, slices


async def keep(store, count: int, **more):
    arrivals = [an_arrival(an_event(**more)) for _ in range(count)]
    await store.append(arrivals)
    return arrivals


async def test_all_events_about_a_subject_are_erased_and_no_others(store, flow, monkeypatch):
    monkeypatch.setattr(module, "LOOKED_THROUGH", 10)
    mine = await keep(store, 15, subject=SUBJECT)
    others = await keep(store, 15, subject="customer/47")
    mine += await keep(store, 1, subject=SUBJECT)
    assert await all_slices(flow.count) == (Erased(16, 16, 0), 5)
    total, slices = await all_slices(flow.erase)
    assert (total, slices) == (Erased(16, 16, 0), 5)
    for arrival in mine:
        with pytest.raises(EventErased):
            await store.event(arrival.event.event_id)
    for arrival in others:
        assert (await store.event(arrival.event.event_id)).subject == "customer/47"


async def test_to_count_changes_nothing(store, flow):
    (arrival,) = await keep(store, 1, subject=SUBJECT)
    await all_slices(flow.count)
    assert (await store.event(arrival.event.event_id)).subject == SUBJECT
    assert await store.audit({}) == []


async def test_the_audit_log_does_not_name_who_is_to_be_forgotten(store, flow):
    await keep(store, 70, subject=SUBJECT)
    await all_slices(flow.erase)
    (entry,) = await store.audit({})
    assert (entry["action"], entry["object"], entry["outcome"]) == (
        "erase",
        pseudonym(SUBJECT),
        "done",
    )
    (told,) = await flow.flows.seen("audit.written")
    assert SUBJECT not in str(told)


async def test_in_the_end_nothing_is_free_and_the_log_is_empty(store, flow):
    await keep(store, 40, subject=SUBJECT, data={"pad": "x" * 20_000})
    await all_slices(flow.erase)
    assert (await store.room()).free == 0
    assert log_path(store.path).stat().st_size == 0


async def test_it_is_said_when_a_reader_keeps_the_log_from_being_emptied(store, flow):
    await keep(store, 1, subject=SUBJECT)
    with closing(sqlite3.connect(store.path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchall()
        await keep(store, 1)
        done = await flow.erase(SUBJECT, module.ALL_SEEN)
    assert (done.after, done.log_emptied) == (None, False)
    assert (await flow.erase(SUBJECT, module.ALL_SEEN)).log_emptied


async def test_an_event_that_is_being_sent_is_counted_and_left(store, flow):
    arrival = an_arrival(an_event(subject=SUBJECT), to=("cms", "pager"))
    arrival.deliveries[0].lease = a_lease()
    await store.append([arrival])
    assert (await all_slices(flow.erase))[0] == Erased(0, 1, 1)
    assert (await store.event(arrival.event.event_id)).subject == SUBJECT
