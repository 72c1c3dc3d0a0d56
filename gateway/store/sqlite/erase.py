"""Erasing in SQLite: it writes zeros over what goes.

That is not enough for what it has moved about before, so whoever erases ends by giving back every free
page and emptying the log.
"""

from collections.abc import Sequence

from gateway.core.access import AuditEntry
from gateway.core.model import Erased, EventId, Micros
from gateway.store import erase as common
from gateway.store.sqlite.database import Transaction, take
from gateway.store.vault import Vault


def erase(
    cursor: Transaction,
    names: Sequence[EventId],
    now: Micros,
    entry: AuditEntry | None,
    vault: Vault,
) -> Erased:
    """See `gateway.store.erase`."""
    cursor.execute("PRAGMA secure_delete = ON")
    try:
        return take(cursor, common.erase(names, now, entry, vault))
    finally:
        cursor.execute("PRAGMA secure_delete = FAST")
