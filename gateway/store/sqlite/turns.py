"""Whose turn it is, kept in the rows: queues of keys, slots of what coalesces, and what waits for others.

The rules are in core/turns.py. Each function here is a part of a transaction of somebody else's.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from gateway.core.model import Delivery, EventId, Lease, Micros
from gateway.core.state import State
from gateway.core.turns import (
    AFTER_NOT_DELIVERED,
    Ready,
    awaited,
    due_after_quiet,
    due_of,
    place_of,
    unmet,
)
from gateway.store.sqlite.database import statement

TAKE_TURN = statement("take_turn")
WAIT_IN_QUEUE = statement("wait_in_queue")
WAIT_IF_NOT_FIRST = statement("wait_if_not_first")
LET_HEAD_GO = statement("let_head_go")
SUPERSEDE_SLOT = statement("supersede_slot")
SUPERSEDE_OLDER = statement("supersede_older")
STATES_OF = statement("states_of")
LET_FOLLOW = statement("let_follow")
WAIT_AGAIN = statement("wait_again")
CANCEL = statement("cancel")


class Transaction(sqlite3.Cursor):
    """A cursor that notes what may go now that had to wait: to be told once it is committed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.ready: Ready = []


class Moved(NamedTuple):
    """A delivery that has left the state in which others waited for it."""

    event_id: EventId
    n: int
    endpoint: str
    key: str | None
    leads: int


@dataclass(slots=True)
class Entry:
    """The columns of a new delivery that say when it may be attempted."""

    due_at: Micros
    place: str | None
    waits_for: str | None
    after: str | None
    since: Micros | None
    moved: list[Moved]
    """What has made way for it."""


def entry_of(cursor: sqlite3.Cursor, delivery: Delivery, now: Micros) -> Entry:
    """Where a new delivery stands, once older ones in its slot have made way."""
    turn, event_id = delivery.turn, delivery.event.event_id
    assert turn is not None  # noqa: S101  # those without one need no entry
    since: Micros | None = None
    moved: list[Moved] = []
    if turn.slot is not None:
        since, moved = _empty_slot(cursor, delivery, turn.slot, now)
        turn.due_at = due_after_quiet(now, turn.settle, turn.longest, since)
    after = awaited(turn.after)
    return Entry(
        due_at=due_of(delivery, now),
        place=place_of(event_id) if turn.key is not None and turn.at_once else None,
        waits_for="after" if after else None,
        after=orjson.dumps(after).decode() if after else None,
        since=since,
        moved=moved,
    )


def _empty_slot(
    cursor: sqlite3.Cursor, delivery: Delivery, slot: str, now: Micros
) -> tuple[Micros, list[Moved]]:
    """Supersede what waits in a slot and is older; since when something in it has not been sent, and what moved."""
    reason = f"superseded by {delivery.id}"
    since: Micros = now
    moved: list[Moved] = []
    given = (now, reason, slot, delivery.event.event_id, delivery.n)
    for *facts, attempts, began in cursor.execute(SUPERSEDE_SLOT, given).fetchall():
        moved.append(Moved(*facts))
        if not attempts and began is not None:
            since = min(since, began)
    return since, moved


def take_turn(  # noqa: PLR0913  # a row's own facts
    cursor: sqlite3.Cursor,
    event_id: str,
    n: int,
    *,
    endpoint: str,
    key: str,
    priority: int,
    place: str,
    lease: Lease | None,
) -> bool:
    """Whether it is a delivery's turn: if so, lease it where there is a lease; else have it wait for its key."""
    facts: dict[str, object] = {
        "event_id": event_id,
        "n": n,
        "endpoint": endpoint,
        "key": key,
        "priority": priority,
        "place": place,
    }
    if lease is None:
        return cursor.execute(WAIT_IF_NOT_FIRST, facts).rowcount == 0
    facts |= {"lease": lease.token, "lease_until": lease.until}
    if cursor.execute(TAKE_TURN, facts).rowcount:
        return True
    cursor.execute(WAIT_IN_QUEUE, facts)
    return False


def let_others_go(cursor: Transaction, moved: Iterable[Moved], now: Micros) -> None:
    """Let those go on that waited for these: the next of their keys, and others of their events.

    One that waited for a delivery that was not delivered, and had to be, is cancelled; so it goes on.
    """
    left = list(moved)
    while left:
        for each in left:
            if each.key is not None:
                cursor.ready += cursor.execute(LET_HEAD_GO, (each.endpoint, each.key)).fetchall()
        # Each event is looked at once, however many of it have ended.
        events = dict.fromkeys(each.event_id for each in left if each.leads)
        left = [each for event_id in events for each in _let_follow(cursor, event_id, now)]


def _let_follow(cursor: Transaction, event_id: EventId, now: Micros) -> list[Moved]:
    """Let those of an event go that have waited for others of it, and cancel those that wait in vain."""
    rows = cursor.execute(STATES_OF, (event_id,)).fetchall()
    states: Mapping[int, State] = {n: State(state) for n, state, _, _ in rows}
    reasons: dict[str, str | None] = {}  # a thousand may wait for the same
    cancelled = []
    for n, _, waits_for, after in rows:
        if waits_for != "after":
            continue
        if after not in reasons:
            reasons[after] = unmet(orjson.loads(after), states)
        reason = reasons[after]
        if reason:
            cursor.execute(CANCEL, (now, reason, event_id, n))
            cancelled += [Moved(*row) for row in cursor.fetchall()]
        elif reason is not None:
            cursor.ready += cursor.execute(LET_FOLLOW, (now, event_id, n)).fetchall()
    return cancelled


def wait_again(cursor: sqlite3.Cursor, event_id: EventId) -> None:
    """Have those wait again that were cancelled because others of their event had not been delivered."""
    cursor.execute(WAIT_AGAIN, (event_id, f"{AFTER_NOT_DELIVERED}*"))


def supersede_if_older(
    cursor: sqlite3.Cursor, event_id: EventId, n: int, slot: str, now: Micros
) -> list[Moved]:
    """Supersede a scheduled delivery whose slot a newer one has by now."""
    facts = {"event_id": event_id, "n": n, "slot": slot, "now": now}
    return [Moved(*row) for row in cursor.execute(SUPERSEDE_OLDER, facts).fetchall()]


def moved_of(delivery: Delivery) -> Moved | None:
    """What others may wait for of a delivery that was attempted; None: nobody can."""
    key = None if delivery.turn is None else delivery.turn.key
    if key is None and not delivery.leads:
        return None
    return Moved(delivery.event.event_id, delivery.n, delivery.endpoint, key, delivery.leads)
