"""What operators change: redeliver, cancel, replay; and the state of endpoints."""

import sqlite3

from gateway.core.access import AuditEntry
from gateway.core.model import EventId, Micros, Routed
from gateway.store.sqlite.append import append_deliveries, fire, note_withheld
from gateway.store.sqlite.database import statement
from gateway.store.sqlite.turns import Moved, Transaction, let_others_go, wait_again
from gateway.store.vault import Vault

READ_ERASED = statement("read_erased")
READ_STATE = statement("read_state")
REDELIVER = statement("redeliver")
CANCEL = statement("cancel")
COUNT_DELIVERIES = statement("count_deliveries")
CLOSE_ENDPOINT = statement("close_endpoint")
OPEN_ENDPOINT = statement("open_endpoint")
REOPEN_LANE = statement("reopen_lane")
NOTE_LEASED = statement("note_leased")
NOTE_AUDIT = statement("note_audit")
NOTE_TOLD = statement("note_told")
END_CONFIRMATION = statement("end_confirmation")


def redeliver(
    cursor: sqlite3.Cursor, event_id: EventId, n: int, now: Micros, entry: AuditEntry | None
) -> str | None:
    """Put a dead or cancelled delivery back on schedule; the state that it was in."""
    state = _state(cursor, event_id, n)
    if put_back(cursor, event_id, n, now):
        note(cursor, entry)
    return state


def put_back(cursor: sqlite3.Cursor, event_id: EventId, n: int, due_at: Micros) -> bool:
    """Have a dead or cancelled delivery due then, with its whole schedule before it; whether it was one.

    What was cancelled because this one had not been delivered waits for it again.
    """
    found = cursor.execute(REDELIVER, (due_at, event_id, n)).fetchone()
    if found is None:
        return False
    (leads,) = found
    if leads:
        wait_again(cursor, event_id)
    return True


def cancel(
    cursor: Transaction,
    event_id: EventId,
    n: int,
    now: Micros,
    reason: str,
    entry: AuditEntry | None,
) -> str | None:
    """Cancel a scheduled delivery; the state that it was in."""
    state = _state(cursor, event_id, n)
    moved = [Moved(*row) for row in cursor.execute(CANCEL, (now, reason, event_id, n)).fetchall()]
    if moved:
        let_others_go(cursor, moved, now)
        note(cursor, entry)
    return state


def _state(cursor: sqlite3.Cursor, event_id: EventId, n: int) -> str | None:
    row = cursor.execute(READ_STATE, (event_id, n)).fetchone()
    return None if row is None else row[0]


def replay(
    cursor: Transaction,
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
    """Write down an endpoint's state; an open one has no row, and its breaker is closed."""
    if state == "open":
        cursor.execute(OPEN_ENDPOINT, (name,))
        cursor.execute(REOPEN_LANE, (name,))
    else:
        cursor.execute(CLOSE_ENDPOINT, (name, state, reason, now))
    note(cursor, entry)


def note_leased(cursor: sqlite3.Cursor, now: Micros) -> None:
    """Have what is leased count as begun, at the latest now: nobody knows whether it was."""
    cursor.execute(NOTE_LEASED, (now,))


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


def note_told(cursor: sqlite3.Cursor, what: str, till: Micros) -> None:
    """Write down up to which moment something has been reported."""
    cursor.execute(NOTE_TOLD, (what, till))


def end_confirmation(cursor: sqlite3.Cursor, event_id: EventId, route: str) -> None:
    """A confirmation is over."""
    cursor.execute(END_CONFIRMATION, (event_id, route))
