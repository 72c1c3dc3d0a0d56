"""Letting go of what retention no longer keeps, and of the room that it took in the file."""

import sqlite3
from collections.abc import Sequence

import orjson

from gateway.core.model import EventId, first_id
from gateway.core.retention import Horizon
from gateway.store.sqlite.database import statement

PRUNE_EVENTS = statement("prune_events")
PRUNE_INBOX = statement("prune_inbox")
PRUNE_FIRINGS = statement("prune_firings")
PRUNE_AUDIT = statement("prune_audit")
PRUNE_OPERATIONS = statement("prune_operations")

OF_AN_EVENT = ("attempts", "withheld", "confirmations", "deliveries")
"""The tables whose rows go with their event, by their column event_id."""
PRUNE_OF_EVENTS = tuple(
    f"DELETE FROM {table} WHERE event_id IN (SELECT value FROM json_each(?))"  # noqa: S608  # those
    for table in OF_AN_EVENT
)


def prune_events(cursor: sqlite3.Cursor, names: Sequence[EventId]) -> int:
    """Delete events with all that belongs to them; how many. Those with work to do stay, whole."""
    gone = cursor.execute(PRUNE_EVENTS, (orjson.dumps(names).decode(),)).fetchall()
    listed = orjson.dumps([name for (name,) in gone]).decode()
    for prune in PRUNE_OF_EVENTS:
        cursor.execute(prune, (listed,))
    return len(gone)


def prune_others(cursor: sqlite3.Cursor, before: Horizon, most: int) -> dict[str, int]:
    """Delete up to *most* rows of each kind that stands for itself; how many of each."""
    return {
        "inbox": cursor.execute(PRUNE_INBOX, (first_id("inb", before.inbox), most)).rowcount,
        "once": cursor.execute(PRUNE_FIRINGS, (before.once, most)).rowcount,
        "audit": cursor.execute(PRUNE_AUDIT, (first_id("aud", before.audit), most)).rowcount,
        "operations": cursor.execute(PRUNE_OPERATIONS, (before.dead, most)).rowcount,
    }


def give_back(cursor: sqlite3.Cursor, pages: int) -> None:
    """Move up to *pages* of the file's end into free ones, and let go of its end."""
    for _ in range(pages):  # Python's cursors take one step of such a statement: a page's work
        cursor.execute("PRAGMA incremental_vacuum(1)")
