"""Taking out what events say, so that only the record is left that they were there.

What stays of an event: its ids, source, type, times and digest; of its deliveries where they went and
how they ended; of attempts when they were made, their status and the network's reason. All else goes,
and its bytes with it, as far as the engine can see to that.
"""

from collections.abc import Sequence

from gateway.core.access import AuditEntry
from gateway.core.model import Erased, EventId, Micros
from gateway.store.change import note
from gateway.store.evidence import erase_personal
from gateway.store.register import erase_entries
from gateway.store.steps import Do, Steps
from gateway.store.turns import Moved, let_others_go
from gateway.store.vault import Vault

ERASE_OF_EVENTS = (
    "erase_deliveries",
    "erase_attempts",
    "erase_withheld",
    "erase_inbox",
    "erase_plans",
)


def erase(
    names: Sequence[EventId], now: Micros, entry: AuditEntry | None, vault: Vault
) -> Steps[Erased]:
    """Erase events, and cancel what was still to be sent of them; one that is being sent is left."""
    given = list(names)
    moved = [Moved(*row) for row in (yield Do("cancel_erased", (given, now)))]
    yield from let_others_go(moved, now)
    idle = [name for (name,) in (yield Do("not_under_way", (given,)))]
    yield Do("erase_operations", (idle,))  # while the events still tell the subject
    erased = yield Do("erase_events", (idle, now))
    for erase_rows in ERASE_OF_EVENTS:
        yield Do(erase_rows, (idle,))
    yield from erase_entries(idle)
    yield from erase_personal(idle, vault)
    if moved or erased:
        yield from note(entry)
    return Erased(len(erased), len(moved), len(names) - len(idle))
