"""Taking out what events say, so that only the record is left that they were there.

What stays of an event: its ids, source, type, times and digest; of its deliveries where they went and
how they ended; of attempts when they were made, their status and the network's reason. All else goes,
and its bytes with it: SQLite writes zeros over them. That is not enough for what it has moved about
before, so whoever erases ends by giving back every free page and emptying the log.
"""

from collections.abc import Sequence

import orjson

from gateway.core.access import AuditEntry
from gateway.core.model import Erased, EventId, Micros
from gateway.store.sqlite.change import note
from gateway.store.sqlite.database import statement
from gateway.store.sqlite.turns import Moved, Transaction, let_others_go

CANCEL_ERASED = statement("cancel_erased")
NOT_UNDER_WAY = statement("not_under_way")
ERASE_OPERATIONS = statement("erase_operations")
ERASE_EVENTS = statement("erase_events")
ERASE_OF_EVENTS = tuple(
    statement(f"erase_{table}") for table in ("deliveries", "attempts", "withheld", "inbox")
)


def erase(
    cursor: Transaction, names: Sequence[EventId], now: Micros, entry: AuditEntry | None
) -> Erased:
    """Erase events, and cancel what was still to be sent of them; one that is being sent is left."""
    cursor.execute("PRAGMA secure_delete = ON")
    try:
        given = orjson.dumps(names).decode()
        moved = [Moved(*row) for row in cursor.execute(CANCEL_ERASED, (given, now)).fetchall()]
        let_others_go(cursor, moved, now)
        idle = [name for (name,) in cursor.execute(NOT_UNDER_WAY, (given,))]
        listed = orjson.dumps(idle).decode()
        cursor.execute(ERASE_OPERATIONS, (listed,))  # while the events still tell the subject
        erased = cursor.execute(ERASE_EVENTS, (listed, now)).rowcount
        for erase_rows in ERASE_OF_EVENTS:
            cursor.execute(erase_rows, (listed,))
    finally:
        cursor.execute("PRAGMA secure_delete = FAST")
    if moved or erased:
        note(cursor, entry)
    return Erased(erased, len(moved), len(names) - len(idle))
