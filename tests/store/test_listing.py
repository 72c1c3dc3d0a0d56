"""Listings: what fits, how far is looked for it, and that no question makes an engine read it all."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from gateway.core.listing import Listing
from gateway.core.model import parse_delivery_id
from gateway.store import listing as listings
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite import read as sqlite_read
from gateway.web.asked import Audit, Deliveries, Events, Inbox
from tests.kit.build import NOW, an_arrival, an_event
from tests.kit.stores import raw

ASKED = {
    Listing.EVENTS: Events,
    Listing.DELIVERIES: Deliveries,
    Listing.INBOX: Inbox,
    Listing.AUDIT: Audit,
}
STATES = ("scheduled", "leased", "delivered", "dead", "cancelled", "superseded")
VALUES: dict[str, tuple[Any, ...]] = {
    "state": STATES, "text": ("evt_1", "dlv_1", "inb_1", "msg_1"), "unmatched": (1, 0),
    "refused": (1, 0), "unread": (1, 0), "since": (0, NOW), "until": (NOW, NOW * 2), "event": ("evt_1",),
}  # fmt: skip


def questions() -> Iterator[tuple[Listing, dict[str, Any]]]:
    """Each filter that the API has, alone; and the usual pairs. What is sought by them, there is not."""
    for listing, asked in ASKED.items():
        yield listing, {}
        for name in asked.model_fields.keys() - {"limit", "cursor"}:
            yield from ((listing, {name: value}) for value in VALUES.get(name, ("none",)))
    for state in STATES:
        yield Listing.EVENTS, {"state": state, "type": "none"}
        for name in ("endpoint", "route", "reason", "type", "source", "since"):
            yield Listing.DELIVERIES, {"state": state, name: VALUES.get(name, ("none",))[0]}
    yield Listing.EVENTS, {"source": "none", "type": "none", "since": 0, "until": NOW}
    yield Listing.EVENTS, {"unmatched": 1, "source": "none"}
    yield Listing.INBOX, {"refused": 1, "source": "none", "code": "none"}


ROWS, THROUGH = 20_000, 50
FILLED = [
    "INSERT INTO events (id, source, key, type, subject, received_at, content_type, body, head, sha256, deliveries, matched)\nSELECT {id}, 'a', {id}, 'b', 'c', i, '', {no}, {no}, {no}, 1, i % 2 FROM {numbers}",
    "\nINSERT INTO inbox (id, source, code, detail, received_at, content_type, body, refused, headers)\nSELECT {id}, 'a', 'b', '', i, '', {no}, i % 2, '[]' FROM {numbers}",
    "\nINSERT INTO audit (id, at, who, address, action, object, outcome)\nSELECT {id}, i, 'a', '', 'b', 'c', 'done' FROM {numbers}",
    "\nINSERT INTO {table} (event_id, n, route, endpoint, state, form, attempts, round_from, due_at, created_at, finished_at, reason{more})\nSELECT {id}, 0, 'a', 'b', 'delivered', 'event', 1, 0, i, i, i, 'http-503'{values} FROM {numbers} WHERE i % 4 > 0",
    "\nINSERT INTO {table} (event_id, n, route, endpoint, state, form, attempts, round_from, due_at, created_at, finished_at, reason{more})\nSELECT {id}, 1, 'a', 'b', 'dead', 'event', 1, 0, i, i, i, 'http-503'{values} FROM {numbers} WHERE i % 4 > 1",
    "\nINSERT INTO deliveries (event_id, n, route, endpoint, state, form, attempts, round_from, due_at, created_at)\nSELECT {id}, 2, 'a', 'b', 'scheduled', 'event', 0, 0, i, i FROM {numbers} WHERE i % 4 = 0",
]


async def fill(store) -> None:
    """History, and much that waits."""
    here = isinstance(store, SqliteStore)
    kinds = {"events": "evt", "inbox": "inb", "audit": "aud"}
    for statement in FILLED:
        kind = kinds.get(statement.split()[2], "evt")
        name = f"printf('{kind}_%012x', i)" if here else f"'{kind}_' || lpad(to_hex(i), 12, '0')"
        numbers = (
            f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"
            " SELECT i FROM n)"
            if here
            else f"generate_series(1, {ROWS}) AS i"
        )
        told = statement.format(
            id=name,
            no="x''" if here else "''::bytea",
            numbers=numbers,
            table="deliveries" if here else "ended_deliveries",
            more="" if here else ", priority, leads",
            values="" if here else ", 1, 0",
        )
        await raw(store, told)
    if not here:
        await raw(store, "ANALYZE")


@pytest.fixture
def near(monkeypatch):
    """Have listings look through little."""
    monkeypatch.setattr(listings, "LOOKED_UP", THROUGH)
    monkeypatch.setattr(sqlite_read, "LOOKED_UP", THROUGH)
    monkeypatch.setattr(listings.Walk.__init__, "__defaults__", _defaults(THROUGH))


def _defaults(through: int) -> tuple[Any, ...]:
    given = listings.Walk.__init__.__defaults__
    return tuple(through if each == listings.LOOKED_THROUGH else each for each in given)


@pytest.mark.parametrize("begins", ["at the newest", "in the midst"])
async def test_no_question_makes_an_engine_look_at_more_than_so_many_rows(store, near, begins):
    """Who adds a filter meets this: a full scan takes SQLite some 200,000 of its steps, here."""
    await fill(store)
    midst = f"{ROWS // 2:012x}"
    for listing, query in questions():
        if begins == "in the midst":
            kind = {"events": "evt", "inbox": "inb", "audit": "aud"}.get(listing)
            query["cursor"] = f"{kind}_{midst}" if kind else (f"evt_{midst}", 0)
        cost = await (
            steps_of(store, listing, query)
            if isinstance(store, SqliteStore)
            else rows_of(store, listing, query)
        )
        assert cost < (30_000 if isinstance(store, SqliteStore) else 3_000), (listing, query)


async def steps_of(store: SqliteStore, listing: Listing, query: dict[str, Any]) -> int:
    """What an answer costs SQLite, in steps of its machine."""
    reader, steps = store._reader, 0

    def step() -> int:
        nonlocal steps
        steps += 100
        return 0

    connection = await reader._connected()
    await connection.set_progress_handler(step, 100)
    await reader.page(listing, query)
    await connection.set_progress_handler(None, 0)
    return steps


async def rows_of(store, listing: Listing, query: dict[str, Any]) -> int:
    """What it costs PostgreSQL, in rows that its plans looked at."""
    reader, plain, looked_at = store._reader, store._reader.rows, 0

    async def explained(sql, parameters=()):
        nonlocal looked_at
        ((plan,),) = await plain(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters)
        looked_at += _looked_at(orjson.loads(plan)[0]["Plan"])
        return await plain(sql, parameters)

    reader.rows = explained
    try:
        await reader.page(listing, query)
    finally:
        del reader.rows
    return looked_at


def _looked_at(node: dict[str, Any]) -> int:
    here = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    below = sum(_looked_at(each) for each in node.get("Plans", ()))
    return int(here * node["Actual Loops"]) * ("Scan" in node["Node Type"]) + below


async def test_a_page_that_finds_little_says_where_to_go_on_until_all_is_looked_at(store, near):
    arrivals = [an_arrival(an_event(key=f"k{i}"), to=("cms",)) for i in range(3 * THROUGH)]
    await store.append(arrivals)
    first = arrivals[0].event.event_id
    for listing, sought in (
        (Listing.EVENTS, {"text": "k0"}),
        (Listing.DELIVERIES, {"text": "k0"}),
    ):
        found, pages, query = [], 0, {**sought, "limit": 10}
        while True:
            page = await store.page(listing, query)
            found += page.items
            pages += 1
            if page.next is None:
                break
            query["cursor"] = parse_delivery_id(page.next) or page.next
        assert [first[4:] in each["id"] for each in found] == [True]
        assert pages >= 3


async def test_ids_are_found_by_their_beginning_and_the_senders_by_any_part(store):
    arrivals = [an_arrival(an_event(key=f"msg_{i}_of_theirs"), to=("cms",)) for i in range(3)]
    await store.append(arrivals)
    name = arrivals[1].event.event_id
    dlv = f"dlv_{name[4:]}_0"
    for text in (name, dlv, "1_of", "msg_1"):
        events = await store.page(Listing.EVENTS, {"text": text})
        deliveries = await store.page(Listing.DELIVERIES, {"text": text})
        assert [each["id"] for each in events.items] == [name], text
        assert [each["id"] for each in deliveries.items] == [dlv], text
    everything = await store.page(Listing.EVENTS, {"text": name[:10]})
    assert len(everything.items) == 3


async def test_deliveries_are_found_by_what_their_event_is_and_by_their_reason(store):
    arrivals = [an_arrival(an_event(key=str(i)), to=("cms",)) for i in range(2)]
    await store.append(arrivals)
    event = arrivals[0].event
    by = {"source": event.source, "type": event.type}
    assert len((await store.page(Listing.DELIVERIES, by)).items) == 2
    assert (await store.page(Listing.DELIVERIES, {"type": "none"})).items == []
    await store.cancel(event.event_id, 0, NOW, "not wanted: by nobody")
    query = {"reason": "not wanted", "state": "cancelled"}
    (found,) = (await store.page(Listing.DELIVERIES, query)).items
    assert found["event_id"] == event.event_id
    (found,) = (await store.page(Listing.EVENTS, {"state": "cancelled"})).items
    assert found["id"] == event.event_id
