"""Events come to rest: deduplicated, kept with all their deliveries."""

import sqlite3
from collections.abc import Sequence

from gateway.core.model import Arrival, EventId, InboxEntry, Micros, Receipt
from gateway.store.keeping import Append, Fresh, differs, failures_of, fire, keep_fresh, told_of
from gateway.store.sqlite.database import Transaction, powers_of_two, statement, take
from gateway.store.vault import Vault

FIND_DUPLICATES = statement("find_duplicates")
READ_BODY = statement("read_body")


def append(cursor: Transaction, appends: Sequence[Append], vault: Vault) -> list[list[Receipt]]:
    """Do them all, in the order in which they came."""
    first = _first_by_key(cursor, [arrival for each in appends for arrival in each.arrivals])
    fresh: list[Fresh] = []
    noted: list[InboxEntry] = []
    receipts = []
    for each in appends:
        kept = []
        for arrival in each.arrivals:
            event = arrival.event
            earlier = first.get((event.source, event.key)) if event.key is not None else None
            if earlier is None or earlier[1] < arrival.since:
                first[event.source, event.key] = (event.event_id, event.received_at, event.body)
                fired = take(cursor, fire(event.event_id, arrival.routed, event.received_at))
                fresh.append((arrival, fired))
                noted += failures_of(arrival)
                kept.append(Receipt(event.event_id, duplicate=False, fired_before=fired))
            else:
                if not arrival.composed and _body(cursor, earlier, vault) not in (event.body, None):
                    noted.append(differs(event, earlier[0]))
                kept.append(Receipt(earlier[0], duplicate=True))
        receipts.append(kept)
    waiting = take(cursor, keep_fresh(fresh, noted, vault))
    return told_of(waiting, receipts) if waiting else receipts


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
