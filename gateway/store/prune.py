"""Letting go of what retention no longer keeps."""

from collections.abc import Sequence

from gateway.core.model import EventId, first_id
from gateway.core.retention import Horizon
from gateway.store.steps import Do, Steps

PRUNE_OF_EVENTS = (
    "prune_attempts",
    "prune_withheld",
    "prune_confirmations",
    "prune_acts",
    "prune_deliveries",
)
"""What goes with its event."""


def prune_events(names: Sequence[EventId]) -> Steps[int]:
    """Delete events with all that belongs to them; how many. Those with work to do stay, whole."""
    gone = [name for (name,) in (yield Do("prune_events", (list(names),)))]
    for prune in PRUNE_OF_EVENTS:
        yield Do(prune, (gone,))
    return len(gone)


def prune_others(before: Horizon, most: int) -> Steps[dict[str, int]]:
    """Delete up to *most* rows of each kind that stands for itself; how many of each that people know."""
    yield Do("prune_planned_for", (before.once, most))
    return {
        "inbox": len((yield Do("prune_inbox", (first_id("inb", before.inbox), most)))),
        "once": len((yield Do("prune_firings", (before.once, most)))),
        "audit": len((yield Do("prune_audit", (first_id("aud", before.audit), most)))),
        "operations": len((yield Do("prune_operations", (before.dead, most)))),
    }
