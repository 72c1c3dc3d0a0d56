"""Events come to rest: deduplicated, kept with all their deliveries."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from gateway.core.model import (
    Arrival,
    Delivery,
    Event,
    EventId,
    InboxEntry,
    Lease,
    Micros,
    Receipt,
    Routed,
    Turn,
    inbox_id,
)
from gateway.core.state import State
from gateway.store.rows import data_columns, digest_of
from gateway.store.sqlite.database import insert_many, powers_of_two, statement
from gateway.store.sqlite.turns import (
    Transaction,
    entry_of,
    let_others_go,
    supersede_if_older,
    take_turn,
)
from gateway.store.vault import NO_DIGEST, Vault

FIND_DUPLICATES = statement("find_duplicates")
APPEND_EVENTS = statement("append_events")
APPEND_DELIVERIES = statement("append_deliveries")
APPEND_IN_TURN = statement("append_in_turn")
NOTE_CONFIRMATION = statement("note_confirmation")
KEEP_IN_INBOX = statement("keep_in_inbox")
READ_BODY = statement("read_body")
NOTE_FIRING = statement("note_firing")
READ_FIRING = statement("read_firing")
NOTE_WITHHELD = statement("note_withheld")


@dataclass(slots=True)
class Append:
    """Keep the events of one request with all their deliveries."""

    arrivals: Sequence[Arrival]


def append(cursor: Transaction, appends: Sequence[Append], vault: Vault) -> list[list[Receipt]]:
    """Do them all, in the order in which they came."""
    first = _first_by_key(cursor, [arrival for each in appends for arrival in each.arrivals])
    fresh: list[tuple[Arrival, frozenset[str]]] = []
    noted: list[InboxEntry] = []
    receipts = []
    for each in appends:
        kept = []
        for arrival in each.arrivals:
            event = arrival.event
            earlier = first.get((event.source, event.key)) if event.key is not None else None
            if earlier is None or earlier[1] < arrival.since:
                first[event.source, event.key] = (event.event_id, event.received_at, event.body)
                fired = fire(cursor, event.event_id, arrival.routed, event.received_at)
                fresh.append((arrival, fired))
                noted += _failures(arrival)
                kept.append(Receipt(event.event_id, duplicate=False, fired_before=fired))
            else:
                if _body(cursor, earlier, vault) not in (event.body, None):
                    noted.append(_differs(event, earlier[0]))
                kept.append(Receipt(earlier[0], duplicate=True))
        receipts.append(kept)
    insert_many(cursor, APPEND_EVENTS, [_event_row(*each, vault) for each in fresh])
    waiting = append_deliveries(
        cursor,
        (
            (delivery, arrival.event.received_at)
            for arrival, fired in fresh
            for delivery in arrival.routed.deliveries
            if not fired or delivery.route not in fired
        ),
        vault,
    )
    for arrival, fired in fresh:
        if arrival.routed.confirmations:
            note_confirmations(cursor, arrival.event.event_id, arrival.routed, fired)
    insert_many(cursor, KEEP_IN_INBOX, [inbox_row(entry, vault) for entry in noted])
    for arrival, fired in fresh:
        if fired or arrival.routed.withheld:
            event = arrival.event
            note_withheld(cursor, event.event_id, arrival.routed, fired, event.received_at)
    return _told_of(waiting, receipts) if waiting else receipts


def _told_of(
    waiting: Mapping[EventId, set[int]], receipts: list[list[Receipt]]
) -> list[list[Receipt]]:
    """The receipts, with which of their deliveries have to wait for others."""
    return [
        [
            replace(receipt, waiting=frozenset(waiting[receipt.event_id]))
            if receipt.event_id in waiting and not receipt.duplicate
            else receipt
            for receipt in of_one
        ]
        for of_one in receipts
    ]


def fire(cursor: sqlite3.Cursor, event_id: EventId, routed: Routed, now: Micros) -> frozenset[str]:
    """Note for which values routes fire; which of them have fired for theirs, by another event."""
    if not routed.firings:
        return NONE
    before = set()
    for route, value in routed.firings.items():
        cursor.execute(NOTE_FIRING, (route, value, event_id, now))
        if cursor.rowcount == 0:
            (first,) = cursor.execute(READ_FIRING, (route, value)).fetchone()
            if first != event_id:
                before.add(route)
    return frozenset(before)


NONE: frozenset[str] = frozenset()


def note_withheld(
    cursor: sqlite3.Cursor, event_id: EventId, routed: Routed, fired: Collection[str], now: Micros
) -> None:
    """Write down what routes that matched did not send, those that *fired* before among them."""
    noted = [(each.route, each.reason, each.detail) for each in routed.withheld]
    noted += [(route, "once", routed.firings[route]) for route in fired]
    if noted:
        cursor.executemany(NOTE_WITHHELD, [(event_id, *each, now) for each in noted])


def note_confirmations(
    cursor: sqlite3.Cursor, event_id: EventId, routed: Routed, fired: Collection[str]
) -> None:
    """Write down by when what routes have sent has to be delivered."""
    for each in routed.confirmations:
        if each.route not in fired:
            cursor.execute(NOTE_CONFIRMATION, (event_id, each.route, each.due_at, each.otherwise))


def append_deliveries(
    cursor: Transaction, deliveries: Iterable[tuple[Delivery, Micros]], vault: Vault
) -> dict[EventId, set[int]]:
    """Add deliveries, each with the moment at which it was promised; which of them have to wait for others."""
    plain: list[tuple[Any, ...]] = []
    waiting: dict[EventId, set[int]] = {}
    for delivery, promised_at in deliveries:
        if delivery.turn is None:
            plain.append(_delivery_row(delivery, promised_at, promised_at, delivery.lease, vault))
        elif not _append_in_turn(cursor, delivery, delivery.turn, promised_at, vault):
            waiting.setdefault(delivery.event.event_id, set()).add(delivery.n)
    insert_many(cursor, APPEND_DELIVERIES, plain)
    return waiting


def _append_in_turn(
    cursor: Transaction, delivery: Delivery, turn: Turn, promised_at: Micros, vault: Vault
) -> bool:
    """Add a delivery that takes turns with others; whether none of them has to end first."""
    entry = entry_of(cursor, delivery, promised_at)
    lease = delivery.lease if turn.key is None else None
    row = _delivery_row(delivery, promised_at, entry.due_at, lease, vault)
    columns = (turn.key, entry.place, entry.waits_for, entry.after, turn.slot, entry.since)
    cursor.execute(APPEND_IN_TURN, (*row, *columns, turn.expires_at, turn.late_at))
    unwanted = turn.slot is not None and supersede_if_older(
        cursor, delivery.event.event_id, delivery.n, turn.slot, promised_at
    )  # of an event that is routed again
    let_others_go(cursor, [*entry.moved, *(unwanted or ())], promised_at)
    if unwanted or entry.waits_for is not None:
        return False
    if turn.key is None or entry.place is None:
        return True
    return take_turn(
        cursor,
        delivery.event.event_id,
        delivery.n,
        endpoint=delivery.endpoint,
        key=turn.key,
        priority=delivery.priority,
        place=entry.place,
        lease=delivery.lease,
    )


_Earlier = tuple[EventId, Micros, bytes | None]


def _first_by_key(
    cursor: sqlite3.Cursor, arrivals: Sequence[Arrival]
) -> dict[tuple[str, str | None], _Earlier]:
    """The latest stored event of each idempotency key among the arrivals."""
    keys = [(a.event.source, a.event.key) for a in arrivals if a.event.key is not None]
    found: dict[tuple[str, str | None], _Earlier] = {}
    for start, size in powers_of_two(len(keys)):
        text = FIND_DUPLICATES.replace("(?, ?)", ",".join(["(?, ?)"] * size))
        cursor.execute(text, [part for key in keys[start : start + size] for part in key])
        for source, key, event_id, received_at in cursor.fetchall():
            if received_at >= found.get((source, key), ("", 0, None))[1]:
                found[source, key] = (event_id, received_at, None)
    return found


def _body(cursor: sqlite3.Cursor, earlier: _Earlier, vault: Vault) -> bytes | None:
    """What an earlier event of the same key brought; None: it is erased, or does not open."""
    event_id, _, body = earlier
    if body is None:
        stored, data_key, erased_at = cursor.execute(READ_BODY, (event_id,)).fetchone()
        if erased_at is not None:
            return None
        body = vault.open(data_key, f"events.body:{event_id}", stored)
    return body


def _differs(event: Event, first: EventId) -> InboxEntry:
    return InboxEntry(
        id=inbox_id(event.event_id),
        source=event.source,
        code="duplicate-differs",
        detail=f"it has the idempotency key of {first}, but another body: {event.key}",
        received_at=event.received_at,
        content_type=event.content_type,
        body=event.body,
        event_id=first,
    )


def _failures(arrival: Arrival) -> list[InboxEntry]:
    event = arrival.event
    return [
        InboxEntry(
            id=f"{inbox_id(event.event_id)}_{i}",
            source=event.source,
            code=failure.code,
            detail=failure.detail,
            received_at=event.received_at,
            content_type=event.content_type,
            body=b"",  # the event has it
            event_id=event.event_id,
        )
        for i, failure in enumerate(arrival.routed.failures)
        if failure.to_inbox
    ]


def _event_row(arrival: Arrival, fired: Collection[str], vault: Vault) -> tuple[Any, ...]:
    event, routed = arrival.event, arrival.routed
    attributes, body, head = event.attributes, event.body, event.head
    data, start, end = data_columns(event)
    if vault.current is None:
        digest = digest_of(body, head, data)
    else:
        body, head, data = vault.seal_event(event.event_id, body, head, data)
        digest = NO_DIGEST
    return (
        event.event_id,
        event.source,
        event.key,
        attributes["type"],
        attributes.get("subject"),
        event.received_at,
        event.content_type,
        body,
        head,
        data,
        start,
        end,
        digest,
        sum(each.route not in fired for each in routed.deliveries)
        if fired
        else len(routed.deliveries),
        len(routed.matched),
        vault.current,
    )


def _delivery_row(
    delivery: Delivery, promised_at: Micros, due_at: Micros, lease: Lease | None, vault: Vault
) -> tuple[Any, ...]:
    body, digest = delivery.body, None
    if body is not None and vault.current is None:
        digest = sha256(body).digest()
    elif body is not None:
        place = f"deliveries.body:{delivery.event.event_id}/{delivery.n}"
        body, digest = vault.seal(place, body), NO_DIGEST
    return (
        delivery.event.event_id,
        delivery.n,
        delivery.route,
        delivery.endpoint,
        State.SCHEDULED.value if lease is None else State.LEASED.value,
        delivery.form.value,
        body,
        digest,
        delivery.target,
        due_at,
        None if lease is None else lease.token,
        None if lease is None else lease.until,
        promised_at,
        None if body is None else vault.current,
        delivery.priority,
        delivery.leads,
    )


def inbox_row(entry: InboxEntry, vault: Vault) -> tuple[Any, ...]:
    """An inbox entry's columns, in the order of keep_in_inbox.sql."""
    return (
        entry.id,
        entry.source,
        entry.code,
        entry.detail,
        entry.received_at,
        entry.content_type,
        entry.body if vault.current is None else vault.seal(f"inbox.body:{entry.id}", entry.body),
        entry.event_id,
        vault.current,
    )
