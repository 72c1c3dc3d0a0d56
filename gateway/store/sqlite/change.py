"""What operators change: redeliver, cancel, replay; and the state of endpoints."""

import sqlite3

from gateway.core.access import AuditEntry
from gateway.core.model import EventId, Micros, Routed
from gateway.store.sqlite.append import append_deliveries, fire, note_withheld
from gateway.store.sqlite.database import statement
from gateway.store.vault import Vault

READ_ERASED = statement("read_erased")
READ_STATE = statement("read_state")
REDELIVER = statement("redeliver")
CANCEL = statement("cancel")
COUNT_DELIVERIES = statement("count_deliveries")
CLOSE_ENDPOINT = statement("close_endpoint")
OPEN_ENDPOINT = statement("open_endpoint")
NOTE_AUDIT = statement("note_audit")


def redeliver(
    cursor: sqlite3.Cursor, event_id: EventId, n: int, now: Micros, entry: AuditEntry | None
) -> str | None:
    """Put a dead or cancelled delivery back on schedule; the state that it was in."""
    state = _state(cursor, event_id, n)
    cursor.execute(REDELIVER, (now, event_id, n))
    _note_if_changed(cursor, entry)
    return state


def cancel(
    cursor: sqlite3.Cursor,
    event_id: EventId,
    n: int,
    now: Micros,
    reason: str,
    entry: AuditEntry | None,
) -> str | None:
    """Cancel a scheduled delivery; the state that it was in."""
    state = _state(cursor, event_id, n)
    cursor.execute(CANCEL, (now, reason, event_id, n))
    _note_if_changed(cursor, entry)
    return state


def _state(cursor: sqlite3.Cursor, event_id: EventId, n: int) -> str | None:
    row = cursor.execute(READ_STATE, (event_id, n)).fetchone()
    return None if row is None else row[0]


def replay(
    cursor: sqlite3.Cursor,
    event_id: EventId,
    routed: Routed,
    now: Micros,
    entry: AuditEntry | None,
    vault: Vault,
) -> list[int]:
    """Add new deliveries to a stored event, numbered after those it has; their numbers.

    None are added where it was pruned or erased since it was read.
    """
    if cursor.execute(READ_ERASED, (event_id,)).fetchone() != (None,):
        return []
    (first,) = cursor.execute(COUNT_DELIVERIES, (event_id,)).fetchone()
    fired = fire(cursor, event_id, routed, now)
    note_withheld(cursor, event_id, routed, fired, now)
    kept = [delivery for delivery in routed.deliveries if delivery.route not in fired]
    for n, delivery in enumerate(kept, start=first):
        delivery.n = n
    append_deliveries(cursor, ((delivery, now) for delivery in kept), vault)
    note(cursor, entry)
    return [delivery.n for delivery in kept]


def set_endpoint(
    cursor: sqlite3.Cursor,
    name: str,
    state: str,
    reason: str,
    now: Micros,
    entry: AuditEntry | None,
) -> None:
    """Write down an endpoint's state; an open one has no row."""
    if state == "open":
        cursor.execute(OPEN_ENDPOINT, (name,))
    else:
        cursor.execute(CLOSE_ENDPOINT, (name, state, reason, now))
    note(cursor, entry)


def note(cursor: sqlite3.Cursor, entry: AuditEntry | None) -> None:
    """Write an entry of the audit log, in the commit of what it tells of."""
    if entry is not None:
        cursor.execute(
            NOTE_AUDIT,
            (
                entry.id,
                entry.at,
                entry.who,
                entry.address,
                entry.action,
                entry.object,
                entry.outcome,
            ),
        )


def _note_if_changed(cursor: sqlite3.Cursor, entry: AuditEntry | None) -> None:
    if cursor.rowcount > 0:
        note(cursor, entry)
