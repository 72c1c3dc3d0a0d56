"""Whose turn it is, kept in the rows: queues of keys, slots of what coalesces, and what waits for others.

The rules are in core/turns.py. Each function here is a part of a transaction of somebody else's. Where
several nodes write, a queue, a slot or an event is looked at only under its lock: what one of them reads
while another ends what it reads of would leave the next waiting for good.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from gateway.core.model import Delivery, EventId, Lease, Micros, Turn
from gateway.core.state import State
from gateway.core.turns import (
    AFTER_NOT_DELIVERED,
    Ready,
    awaited,
    due_after_quiet,
    due_of,
    one_after,
    place_of,
    unmet,
)
from gateway.store.steps import Do, Lock, Row, Steps, Tell


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
    """What has made way for it; or itself, for what is newer."""
    unwanted: bool = False
    """Whether it made way itself, as it came."""


def locks_of(endpoint: str, turn: Turn) -> list[str]:
    """What has to be locked before anything is done about a delivery's turn."""
    names = [] if turn.key is None else [queue_lock(endpoint, turn.key)]
    return names if turn.slot is None else [*names, _slot(turn.slot)]


def queue_lock(endpoint: str, key: str) -> str:
    """What the queue of a key is locked by."""
    return f"key {endpoint} {key}"


def _slot(slot: str) -> str:
    return f"slot {slot}"


def entry_of(delivery: Delivery, now: Micros) -> Steps[Entry]:
    """Where a new delivery stands, once older ones in its slot have made way."""
    turn, event_id = delivery.turn, delivery.event.event_id
    assert turn is not None  # noqa: S101  # those without one need no entry
    since: Micros | None = None
    moved: list[Moved] = []
    if turn.slot is not None:
        since, moved = yield from _empty_slot(delivery, turn.slot, now)
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


def _empty_slot(delivery: Delivery, slot: str, now: Micros) -> Steps[tuple[Micros, list[Moved]]]:
    """Supersede what waits in a slot and is older; since when something in it has not been sent, and what moved."""
    reason = f"superseded by {delivery.id}"
    since: Micros = now
    moved: list[Moved] = []
    given = (now, reason, slot, delivery.event.event_id, delivery.n)
    for *facts, attempts, began in (yield Do("supersede_slot", given)):
        moved.append(Moved(*facts))
        if not attempts and began is not None:
            since = min(since, began)
    return since, moved


def stand_last(event_id: EventId, n: int, place: str, behind: Iterable[Row]) -> Steps[str]:
    """Have a new delivery stand after all that came before it, by whichever node's clock; its place.

    *behind* are the places of those that came before, but would stand behind it.
    """
    last = max((each for row in behind for each in row if each is not None), default=None)
    if last is None:
        return place
    place = one_after(last)
    yield Do("stand_at", (place, event_id, n))
    return place


def take_turn(  # a row's own facts
    event_id: str,
    n: int,
    *,
    endpoint: str,
    key: str,
    priority: int,
    place: str,
    lease: Lease | None,
) -> Steps[bool]:
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
        waits = yield Do("wait_if_not_first", facts)
        return not waits
    leased = yield Do("take_turn", {**facts, "lease": lease.token, "lease_until": lease.until})
    if leased:
        return True
    yield Do("wait_in_queue", {"event_id": event_id, "n": n, "place": place})
    return False


def let_others_go(moved: Iterable[Moved], now: Micros) -> Steps[None]:
    """Let those go on that waited for these: the next of their keys, and others of their events.

    One that waited for a delivery that was not delivered, and had to be, is cancelled; so it goes on.
    """
    left = list(moved)
    while left:
        queues = dict.fromkeys((each.endpoint, each.key) for each in left if each.key is not None)
        # Each event is looked at once, however many of it have ended.
        events = dict.fromkeys(each.event_id for each in left if each.leads)
        if not queues and not events:
            return
        yield Lock([*(queue_lock(*each) for each in queues), *events])
        for endpoint, key in queues:
            freed = yield Do("let_head_go", (endpoint, key))
            yield Tell(ready_of(freed))
        left = []
        for event_id in events:
            left += yield from _let_follow(event_id, now)


def ready_of(freed: Sequence[Row]) -> Ready:
    """The endpoint and the moment of each delivery that waits no more."""
    return [(endpoint, due_at) for endpoint, due_at in freed]


def _let_follow(event_id: EventId, now: Micros) -> Steps[list[Moved]]:
    """Let those of an event go that have waited for others of it, and cancel those that wait in vain."""
    rows = yield Do("states_of", (event_id,))
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
            cancelled += [Moved(*row) for row in (yield Do("cancel", (now, reason, event_id, n)))]
        elif reason is not None:
            freed = yield Do("let_follow", (now, event_id, n))
            yield Tell(ready_of(freed))
    return cancelled


def wait_again(event_id: EventId) -> Steps[None]:
    """Have those wait again that were cancelled because others of their event had not been delivered."""
    yield Lock([event_id])
    yield Do("wait_again", (event_id, AFTER_NOT_DELIVERED, len(AFTER_NOT_DELIVERED)))


def supersede_if_older(event_id: EventId, n: int, slot: str, now: Micros) -> Steps[list[Moved]]:
    """Supersede a scheduled delivery whose slot a newer one has by now."""
    yield Lock([_slot(slot)])
    facts = {"event_id": event_id, "n": n, "slot": slot, "now": now}
    return [Moved(*row) for row in (yield Do("supersede_older", facts))]


def moved_of(delivery: Delivery) -> Moved | None:
    """What others may wait for of a delivery that was attempted; None: nobody can."""
    key = None if delivery.turn is None else delivery.turn.key
    if key is None and not delivery.leads:
        return None
    return Moved(delivery.event.event_id, delivery.n, delivery.endpoint, key, delivery.leads)
