"""What every engine promises of sending again in bulk."""

from dataclasses import replace

import pytest

from gateway.core.access import AuditEntry
from gateway.core.bulk import Action, Ended, Operation, Replayed
from gateway.core.model import SECOND, Routed
from gateway.core.retry import GiveUp
from gateway.store import bulk
from tests.kit.build import NOW, a_delivery, a_lease, an_arrival, an_event
from tests.store.test_contract import an_attempt

LATER = NOW + 3600 * SECOND


def an_operation(name: str = "op_1", action: Action = Action.REDELIVER, **sought) -> Operation:
    sought = {"until": LATER, **sought}
    return Operation(
        id=name, action=action, filter=sought, rate=(20, SECOND), started_at=NOW, due_at=NOW
    )


def an_entry(name: str = "aud_1") -> AuditEntry:
    return AuditEntry(id=name, at=NOW, who="ops", address="", action="redeliver", object="op_1")


async def dead(store, *reasons: str, endpoint: str = "cms") -> list[Ended]:
    """Deliveries that died of these reasons, the oldest first."""
    made = []
    for i, reason in enumerate(reasons):
        arrival = an_arrival(an_event(received_at=NOW + i * 1000), to=(endpoint,))
        await store.append([arrival])
        (claimed,) = await store.claim(endpoint, [a_lease()], LATER)
        await store.record(claimed, an_attempt(), GiveUp(reason))
        made.append(Ended(endpoint, arrival.event.event_id, 0))
    return made


# -- deliveries --------------------------------------------------------------------------------------


async def test_what_ended_is_read_page_by_page_endpoint_after_endpoint_oldest_first(store):
    to_pager = await dead(store, "http-500", endpoint="pager")
    to_cms = await dead(store, "timeout", "http-500", "http-500")
    first = await store.bulk.ended({"state": "dead"}, None, 3)
    assert (first.items, first.exhausted) == (to_cms, False)
    rest = await store.bulk.ended({"state": "dead"}, first.last, 3)
    assert (rest.items, rest.exhausted) == (to_pager, True)
    end = await store.bulk.ended({"state": "dead"}, rest.last, 3)
    assert (end.items, end.last, end.exhausted) == ([], rest.last, True)


async def test_pages_of_one_endpoint_do_not_overlap(store):
    made = await dead(store, *["http-500"] * 5)
    query, after, seen = {"state": "dead", "endpoint": "cms"}, None, []
    for _ in range(3):
        page = await store.bulk.ended(query, after, 2)
        after = page.last
        seen += page.items
    assert seen == made


async def test_groups_are_by_what_a_reason_begins_with(store):
    made = await dead(
        store, "http-500 (after 2 attempts)", "http-500 (after 9 attempts)",
        "egress-denied: 10.0.0.1 (private): x", "the asset is unknown",
    )  # fmt: skip
    found = await store.bulk.groups({"state": "dead"}, None)
    assert (found["deliveries"], found["more_groups"]) == (4, 0)
    assert [(g["reason"], g["deliveries"]) for g in found["groups"]] == [
        ("http-500", 2), ("egress-denied", 1), ("the asset is unknown", 1),
    ]  # fmt: skip
    assert found["groups"][0]["sample"] == f"dlv_{made[0].event_id[4:]}_0"


async def test_only_so_many_groups_are_told_and_all_are_counted(store, monkeypatch):
    monkeypatch.setattr(bulk, "LARGEST_GROUPS", 5)
    await dead(store, *(f"reason {i}" for i in range(bulk.LARGEST_GROUPS + 3)))
    found = await store.bulk.groups({"state": "dead"}, None)
    assert (len(found["groups"]), found["more_groups"]) == (bulk.LARGEST_GROUPS, 3)
    assert found["deliveries"] == bulk.LARGEST_GROUPS + 3


async def test_what_ended_but_hardly_fits_has_short_pages_and_comes_to_its_end(store, monkeypatch):
    monkeypatch.setattr(bulk, "LOOKED_THROUGH", 3)
    monkeypatch.setattr(bulk, "COUNTED", 3)
    made = await dead(store, *["http-500"] * 6, "timeout", endpoint="cms")
    for query in (
        {"state": "dead", "reason": "timeout"},
        {"state": "dead", "reason": "timeout", "endpoint": "cms"},
    ):
        after, pages = None, []
        while not pages or not pages[-1].exhausted:
            pages.append(await store.bulk.ended(query, after, 2))
            after = pages[-1].last
        assert [page.items for page in pages] == [[], [], made[6:]]
        after, counts = None, []
        while not counts or after:
            counts.append(await store.bulk.groups(query, after))
            after = counts[-1]["next"]
        assert [found["deliveries"] for found in counts] == [0, 0, 1]


async def test_a_page_puts_back_what_still_is_dead_and_moves_the_operation_on(store):
    first, second = await dead(store, "http-500", "http-500")
    await store.bulk.begin(an_operation(), an_entry())
    operation = await store.bulk.operation("op_1")
    await store.redeliver(second.event_id, 0, NOW)
    operation.position, operation.due_at = list(second), LATER
    assert await store.bulk.redeliver(operation, [(first, NOW + 5), (second, LATER)]) == 1
    found = await store.bulk.operation("op_1")
    assert (found.done, found.pages, found.position) == (1, 1, list(second))
    assert (found.due_at, found.finished_at) == (LATER, None)
    due = {d["event_id"]: d["due_at"] for d in await store.deliveries({"state": "scheduled"})}
    assert due.keys() == {first.event_id, second.event_id}
    assert len(await store.claim("cms", [a_lease(), a_lease()], NOW + 5)) == 2
    claimed = await store.deliveries({"event": first.event_id})
    assert claimed[0]["attempts"] == 1


async def test_a_page_is_done_once(store):
    (only,) = await dead(store, "http-500")
    await store.bulk.begin(an_operation(), an_entry())
    one, other = await store.bulk.operation("op_1"), await store.bulk.operation("op_1")
    assert await store.bulk.redeliver(one, [(only, NOW)]) == 1
    assert await store.bulk.redeliver(other, [(only, NOW)]) is None
    assert (await store.bulk.operation("op_1")).done == 1


async def test_an_operation_begins_once_with_one_entry_of_the_audit_log(store):
    await store.bulk.begin(an_operation(endpoint="cms"), an_entry())
    await store.bulk.begin(an_operation(endpoint="other"), an_entry("aud_2"))
    assert (await store.bulk.operation("op_1")).filter == {"until": LATER, "endpoint": "cms"}
    assert len(await store.audit({})) == 1
    assert await store.bulk.operation("op_2") is None


async def test_operations_are_listed_the_newest_first(store):
    for i in range(3):
        operation = replace(an_operation(f"op_{i}"), started_at=NOW + i)
        await store.bulk.begin(operation, an_entry(f"aud_{i}"))
    assert [each.id for each in await store.bulk.operations(2)] == ["op_2", "op_1"]


# -- events ------------------------------------------------------------------------------------------


async def some_events(store, count: int, since: int = NOW, **more) -> list[str]:
    arrivals = [an_arrival(an_event(received_at=since + i * 1000, **more)) for i in range(count)]
    await store.append(arrivals)
    return [arrival.event.event_id for arrival in arrivals]


async def test_events_are_read_page_by_page_oldest_first(store):
    names = await some_events(store, 5)
    query, after, seen = {"until": LATER}, None, []
    for exhausted in (False, False, True):
        page = await store.bulk.events(query, after, 2)
        assert page.exhausted is exhausted
        after = page.last
        seen += page.items
    assert seen == names
    assert (await store.bulk.events(query, after, 2)).items == []


@pytest.mark.parametrize(
    ("sought", "count"),
    [
        ({"source": "dam"}, 1), ({"type": "a.b"}, 1), ({"subject": "x"}, 1), ({}, 4),
        ({"unmatched": True}, 1), ({"since": NOW + 1000}, 1), ({"until": NOW + 1000}, 3),
        ({"source": "dam", "type": "a.b"}, 0),
    ],
)  # fmt: skip
async def test_events_are_filtered(store, sought, count):
    await some_events(store, 1, source="dam")
    await some_events(store, 1, event_type="a.b")
    await some_events(store, 1, subject="x")
    await store.append([an_arrival(an_event(received_at=NOW + 1000), to=())])
    query = {"until": LATER, **sought}
    page = await store.bulk.events(query, None, 10)
    assert (len(page.items), page.exhausted) == (count, True)
    assert (await store.bulk.count_events(query, ""))["events"] == count


async def test_a_filter_that_fits_little_has_short_pages_and_comes_to_its_end(store, monkeypatch):
    monkeypatch.setattr(bulk, "LOOKED_THROUGH", 3)
    monkeypatch.setattr(bulk, "COUNTED", 3)
    await some_events(store, 7)
    (wanted,) = await some_events(store, 1, source="dam", since=NOW + 99_000)
    query, after, pages = {"until": LATER, "source": "dam"}, None, []
    while not pages or not pages[-1].exhausted:
        pages.append(await store.bulk.events(query, after, 2))
        after = pages[-1].last
    assert [page.items for page in pages] == [[], [], [wanted]]
    first = await store.bulk.count_events(query, "")
    second = await store.bulk.count_events(query, first["next"])
    third = await store.bulk.count_events(query, second["next"])
    assert [first["events"], second["events"], third["events"], third["next"]] == [0, 0, 1, None]


async def test_a_page_of_large_events_is_short(store, monkeypatch):
    names = await some_events(store, 3, data={"x": "y" * 600})
    monkeypatch.setattr(bulk, "LARGEST_PAGE_BYTES", 1000)
    first = await store.bulk.events({"until": LATER}, None, 3)
    assert (first.items, first.exhausted) == (names[:1], False)
    rest = await store.bulk.events({"until": LATER}, first.last, 3)
    assert rest.items == names[1:2]


async def test_an_event_is_replayed_once_by_an_operation(store):
    (name,) = await some_events(store, 1)
    event = await store.event(name)
    await store.bulk.begin(an_operation(action=Action.REPLAY), an_entry())
    operation = await store.bulk.operation("op_1")
    operation.position, operation.failed, operation.finished_at = [name], 2, LATER

    def again():
        routed = Routed([a_delivery(event, endpoint="chat"), a_delivery(event, endpoint="cms")])
        return [Replayed(name, routed, LATER)]

    assert await store.bulk.replay(operation, again()) == 2
    assert await store.bulk.replay(operation, again()) is None
    found = await store.bulk.operation("op_1")
    assert (found.done, found.made, found.failed, found.finished_at) == (1, 2, 2, LATER)
    assert len(await store.deliveries({"event": name})) == 3
    assert await store.claim("chat", [a_lease()], LATER - 1) == []
    assert len(await store.claim("chat", [a_lease()], LATER)) == 1
