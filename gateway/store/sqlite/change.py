"""What operators change: redeliver, cancel, replay; and the state of endpoints."""

import sqlite3

from gateway.core.model import EventId, Micros, Routed
from gateway.store.sqlite.append import append_deliveries, fire, note_withheld
from gateway.store.sqlite.database import statement

READ_STATE = statement("read_state")
REDELIVER = statement("redeliver")
CANCEL = statement("cancel")
COUNT_DELIVERIES = statement("count_deliveries")
CLOSE_ENDPOINT = statement("close_endpoint")
OPEN_ENDPOINT = statement("open_endpoint")


def redeliver(cursor: sqlite3.Cursor, event_id: EventId, n: int, now: Micros) -> str | None:
    """Put a dead or cancelled delivery back on schedule; the state that it was in."""
    state = _state(cursor, event_id, n)
    cursor.execute(REDELIVER, (now, event_id, n))
    return state


def cancel(
    cursor: sqlite3.Cursor, event_id: EventId, n: int, now: Micros, reason: str
) -> str | None:
    """Cancel a scheduled delivery; the state that it was in."""
    state = _state(cursor, event_id, n)
    cursor.execute(CANCEL, (now, reason, event_id, n))
    return state


def _state(cursor: sqlite3.Cursor, event_id: EventId, n: int) -> str | None:
    row = cursor.execute(READ_STATE, (event_id, n)).fetchone()
    return None if row is None else row[0]


def replay(cursor: sqlite3.Cursor, event_id: EventId, routed: Routed, now: Micros) -> list[int]:
    """Add new deliveries to a stored event, numbered after those it has; their numbers."""
    (first,) = cursor.execute(COUNT_DELIVERIES, (event_id,)).fetchone()
    fired = fire(cursor, event_id, routed, now)
    note_withheld(cursor, event_id, routed, fired, now)
    kept = [delivery for delivery in routed.deliveries if delivery.route not in fired]
    for n, delivery in enumerate(kept, start=first):
        delivery.n = n
    append_deliveries(cursor, ((delivery, now) for delivery in kept))
    return [delivery.n for delivery in kept]


def set_endpoint(cursor: sqlite3.Cursor, name: str, state: str, reason: str, now: Micros) -> None:
    """Write down an endpoint's state; an open one has no row."""
    if state == "open":
        cursor.execute(OPEN_ENDPOINT, (name,))
    else:
        cursor.execute(CLOSE_ENDPOINT, (name, state, reason, now))
