"""Erasing: nothing of what was said is left, and the record says that it was there."""

import pytest

from gateway.core.access import AuditEntry
from gateway.core.errors import EventErased
from gateway.core.model import BodyForm, CallRecord, Failure, InboxEntry, Routed, Withheld
from gateway.core.retry import Finish, GiveUp
from tests.kit.build import NOW, a_delivery, a_lease, an_arrival, an_event
from tests.kit.stores import raw
from tests.store.test_contract import an_attempt

MARK = "s3nsitive"
SUBJECT = f"person/{MARK}"


async def a_person(store, *, leased: bool = True, pad: int = 100, **more):
    """An event about a person, with everything in it that may tell of that person."""
    event = an_event(subject=SUBJECT, data={"name": MARK, "pad": MARK * pad}, note=MARK, **more)
    event.splice += b" "  # it is kept beside the body, not as a part of it
    arrival = an_arrival(
        event,
        to=(),
        withheld=[Withheld("w", "nothing", MARK)],
        failures=[Failure("f", "expression-failed", MARK, to_inbox=True)],
    )
    for n in range(2):
        own = a_delivery(event, n=n, form=BodyForm.OWN, body=MARK.encode() * pad)
        own.lease = a_lease() if leased else None
        arrival.routed.deliveries.append(own)
    await store.append([arrival])
    await store.keep(
        InboxEntry(
            id=f"inb_{event.event_id}", source="getty", code="duplicate-differs", detail=MARK,
            received_at=NOW, content_type="", body=MARK.encode(), event_id=event.event_id,
        )
    )  # fmt: skip
    return arrival


async def attempted(store, arrival) -> None:
    """One delivery is delivered, the other dead."""
    call = CallRecord(method="GET", url=f"http://x/{MARK}", status=200, reason=None, duration=1)
    one, two = arrival.deliveries
    await store.record(one, an_attempt(excerpt=MARK * 50, calls=[call]), Finish())
    told = an_attempt(outcome="hopeless", reason=f"no {MARK} here", status=None, excerpt=None)
    await store.record(two, told, GiveUp(f"no {MARK} here"))


async def erased(store, *arrivals):
    names = [arrival.event.event_id for arrival in arrivals]
    return await store.erase(names, NOW + 5)


async def test_the_record_says_that_it_was_there_and_how_it_ended(store):
    arrival = await a_person(store, key="k", event_type="person.moved")
    await attempted(store, arrival)
    name = arrival.event.event_id
    digest = await raw(store, "SELECT sha256 FROM events")
    await erased(store, arrival)
    (event,) = await store.events({})
    assert (event["id"], event["source"], event["type"], event["key"]) == (
        name, "getty", "person.moved", "k",
    )  # fmt: skip
    assert (event["subject"], event["erased_at"][:2]) == (None, "20")
    assert await raw(store, "SELECT sha256 FROM events") == digest
    one, two = (await store.deliveries({}))[::-1]
    assert [(d["state"], d["endpoint"], d["reason"]) for d in (one, two)] == [
        ("delivered", "cms", "erased"),
        ("cancelled", "cms", "erased"),  # nobody can send it again
    ]
    ((first,), (second,)) = [await store.attempts(name, n) for n in (0, 1)]
    assert (first["status"], first["excerpt"], first["calls"]) == (200, None, [])
    assert (second["outcome"], second["reason"]) == ("hopeless", None)
    assert {entry["detail"] for entry in await store.inbox({})} == {"erased"}
    assert {entry["body"] for entry in await store.inbox({})} == {""}
    assert [each["detail"] for each in await store.withheld(name)] == [""]


async def test_an_erased_event_is_shown_as_that_and_read_by_nobody(store):
    arrival = await a_person(store)
    await attempted(store, arrival)
    await erased(store, arrival)
    name = arrival.event.event_id
    shown = await store.shown_event(name)
    assert (shown["attributes"], shown["data"], shown["body"]) == (
        {"type": "license.expiring"}, None, "",
    )  # fmt: skip
    assert shown["erased_at"] is not None
    with pytest.raises(EventErased, match="was erased"):
        await store.event(name)
    assert await store.recorded({}) == []


async def test_what_was_still_to_be_sent_is_cancelled_and_cannot_be_redelivered(store):
    arrival = await a_person(store, leased=False)
    assert await store.erasable([arrival.event.event_id]) == (1, 2, 0)
    assert await erased(store, arrival) == (1, 2, 0)
    assert await store.claim("cms", [a_lease()], NOW + 10) == []
    rows = await store.deliveries({})
    assert [(d["state"], d["reason"]) for d in rows] == [("cancelled", "erased")] * 2
    await store.redeliver(arrival.event.event_id, 0, NOW + 20)
    assert {d["state"] for d in await store.deliveries({})} == {"cancelled"}


async def test_an_event_that_is_being_sent_is_left_until_it_is_not(store):
    arrival = await a_person(store)
    arrival.deliveries[1].lease, lease = None, arrival.deliveries[1].lease
    assert await store.erasable([arrival.event.event_id]) == (0, 0, 1)
    assert await erased(store, arrival) == (0, 0, 1)
    assert (await store.event(arrival.event.event_id)).data["name"] == MARK
    arrival.deliveries[1].lease = lease
    await attempted(store, arrival)
    assert await erased(store, arrival) == (1, 0, 0)


async def test_its_key_still_tells_duplicates_and_brings_nothing_back(store, tmp_path):
    arrival = await a_person(store, key="k")
    await attempted(store, arrival)
    await erased(store, arrival)
    before = len(await store.inbox({}))
    again = an_event(key="k", subject=SUBJECT, data={"name": MARK})
    (receipt,) = await store.append([an_arrival(again)])
    assert (receipt.event_id, receipt.duplicate) == (arrival.event.event_id, True)
    assert len(await store.inbox({})) == before


async def test_a_second_time_changes_nothing_and_is_not_noted(store):
    arrival = await a_person(store)
    await attempted(store, arrival)
    about = {"at": NOW, "who": "local", "address": "", "action": "erase", "object": "sha256:0"}
    name = arrival.event.event_id
    assert (await store.erase([name], NOW + 5, AuditEntry(id="aud_1", **about))).events == 1
    assert (await store.erase([name], NOW + 9, AuditEntry(id="aud_2", **about))).events == 0
    assert [e["id"] for e in await store.audit({})] == ["aud_1"]


async def test_events_are_found_by_subject_page_by_page(store):
    wanted = [an_arrival(an_event(subject=s)) for s in ("a", "b", "a", None)]
    await store.append(wanted)
    names = [arrival.event.event_id for arrival in wanted]
    assert await store.of_subject("a", "", 3) == (names[2], [names[0], names[2]])
    assert await store.of_subject("a", names[2], 3) == (names[3], [])
    assert await store.of_subject("a", names[3], 3) == (None, [])


async def test_a_replay_that_comes_too_late_adds_nothing(store):
    """It had read the event before it was erased, or pruned."""
    arrival = await a_person(store)
    await attempted(store, arrival)
    routed = Routed([a_delivery(arrival.event)])
    name = arrival.event.event_id
    await erased(store, arrival)
    assert await store.replay(name, routed, NOW) == []
    await store.prune([name])
    assert await store.replay(name, routed, NOW) == []
    assert await store.deliveries({"state": "scheduled"}) == []
