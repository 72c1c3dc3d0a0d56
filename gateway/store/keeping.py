"""Events come to rest with all their deliveries: what engines write, however they tell duplicates."""

from base64 import b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import orjson

from gateway.core.model import (
    Arrival,
    Delivery,
    Event,
    EventId,
    InboxEntry,
    Lease,
    Micros,
    Receipt,
    Routed,
    Turn,
    entry_about,
    failure_id,
    inbox_id,
)
from gateway.core.state import State
from gateway.store.plans import decide, lock_of, note_plans
from gateway.store.register import learn
from gateway.store.rows import data_columns, digest_of
from gateway.store.steps import Do, Insert, Lock, Row, Steps
from gateway.store.turns import (
    Entry,
    Moved,
    entry_of,
    let_others_go,
    locks_of,
    stand_last,
    supersede_if_older,
    take_turn,
)
from gateway.store.vault import NO_DIGEST, Vault

NONE: frozenset[str] = frozenset()

Fresh = tuple[Arrival, frozenset[str]]
"""An event that is no duplicate, and the routes that had fired before for its values."""


@dataclass(slots=True)
class Append:
    """Keep the events of one request with all their deliveries."""

    arrivals: Sequence[Arrival]


def keep_fresh(
    fresh: Sequence[Fresh], noted: Sequence[InboxEntry], vault: Vault
) -> Steps[dict[EventId, set[int]]]:
    """Write events with all that belongs to them, and entries of the inbox; which deliveries have to wait."""
    yield Insert("append_events", [event_row(*each, vault) for each in fresh])
    waiting = yield from append_deliveries(
        [
            (delivery, arrival.event.received_at)
            for arrival, fired in fresh
            for delivery in arrival.routed.deliveries
            if not fired or delivery.route not in fired
        ],
        vault,
    )
    routed = [arrival.routed for arrival, _ in fresh]
    questions = {lock_of(plan) for each in routed for plan in each.plans if plan.asks}
    questions |= {lock_of(reply) for each in routed for reply in each.replies}
    if len(questions) > 1:  # in the same order everywhere, so that nobody waits for each other
        yield Lock(sorted(questions))
    for arrival, fired in fresh:
        if arrival.routed.confirmations:
            yield Insert(
                "note_confirmation",
                confirmation_rows(arrival.event.event_id, arrival.routed, fired),
            )
        if arrival.routed.plans:
            plans = [each for each in arrival.routed.plans if each.route not in fired]
            yield from note_plans(arrival.event.event_id, plans, vault)
        if arrival.routed.replies:
            yield from _decide(arrival, vault)
        if arrival.routed.learned:
            event = arrival.event
            yield from learn(arrival.routed.learned, event.event_id, event.received_at, vault)
    yield Insert("keep_in_inbox", [inbox_row(entry, vault) for entry in noted])
    for arrival, fired in fresh:
        if fired or arrival.routed.withheld:
            event = arrival.event
            yield from note_withheld(event.event_id, arrival.routed, fired, event.received_at)
    return waiting


def _decide(arrival: Arrival, vault: Vault) -> Steps[None]:
    """Have the answers count that an event tells; what those came to that do not."""
    event = arrival.event
    for given in arrival.routed.replies:
        verdict = yield from decide(given, event.received_at, vault)
        if verdict.decided:
            continue
        told = verdict.against(given)
        row = (event.event_id, given.route, "answer", told, event.received_at)
        yield Insert("note_withheld", [row])
        if verdict.contradicts(given):
            name, detail = failure_id(event.event_id, given.route), f"route {given.route}, {told}"
            entry = entry_about(
                event, name=name, code="answer-late", detail=detail, at=event.received_at
            )
            yield Insert("keep_in_inbox", [inbox_row(entry, vault)])


def told_of(
    waiting: Mapping[EventId, set[int]], receipts: list[list[Receipt]]
) -> list[list[Receipt]]:
    """The receipts, with which of their deliveries have to wait for others."""
    return [
        [
            replace(receipt, waiting=frozenset(waiting[receipt.event_id]))
            if receipt.event_id in waiting and not receipt.duplicate
            else receipt
            for receipt in of_one
        ]
        for of_one in receipts
    ]


def keep_entry(entry: InboxEntry, vault: Vault) -> Steps[None]:
    """Put an entry into the inbox."""
    yield Insert("keep_in_inbox", [inbox_row(entry, vault)])


def fire(event_id: EventId, routed: Routed, now: Micros) -> Steps[frozenset[str]]:
    """Note for which values routes fire; which of them have fired for theirs, by another event."""
    if not routed.firings:
        return NONE
    before = set()
    for route, value in routed.firings.items():
        if not (yield Do("note_firing", (route, value, event_id, now))):
            ((first,),) = yield Do("read_firing", (route, value))
            if first != event_id:
                before.add(route)
    return frozenset(before)


def note_withheld(
    event_id: EventId, routed: Routed, fired: Collection[str], now: Micros
) -> Steps[None]:
    """Write down what routes that matched did not send, those that *fired* before among them."""
    yield Insert("note_withheld", withheld_rows(event_id, routed, fired, now))


def withheld_rows(
    event_id: EventId, routed: Routed, fired: Collection[str], now: Micros
) -> list[Row]:
    """The columns of note_withheld.sql; of what is said twice of a route, the last."""
    noted = {each.route: (each.reason, each.detail) for each in routed.withheld}
    noted |= {route: ("once", routed.firings[route]) for route in fired}
    return [(event_id, route, *told, now) for route, told in noted.items()]


def confirmation_rows(event_id: EventId, routed: Routed, fired: Collection[str]) -> list[Row]:
    """By when what routes have sent has to be delivered, in the order of note_confirmation.sql."""
    return [
        (event_id, each.route, each.due_at, each.otherwise)
        for each in routed.confirmations
        if each.route not in fired
    ]


def append_deliveries(
    deliveries: Sequence[tuple[Delivery, Micros]], vault: Vault, *, again: bool = False
) -> Steps[dict[EventId, set[int]]]:
    """Add deliveries, each with the moment at which it was promised; which of them have to wait for others.

    Where their events are routed *again*, they stand where those stood; else after all that came before.
    """
    plain: list[Row] = []
    waiting: dict[EventId, set[int]] = {}
    moved: list[Moved] = []
    turns = [d for d, _ in deliveries if d.turn is not None]
    if turns:
        locks = (name for d in turns if d.turn is not None for name in locks_of(d.endpoint, d.turn))
        yield Lock(list(dict.fromkeys(locks)))
    for delivery, promised_at in deliveries:
        if delivery.turn is None:
            plain.append(delivery_row(delivery, promised_at, promised_at, delivery.lease, vault))
        else:
            entry, behind = yield from _append_in_turn(delivery, delivery.turn, promised_at, vault)
            moved += entry.moved
            if not (yield from _may_go(delivery, delivery.turn, entry, () if again else behind)):
                waiting.setdefault(delivery.event.event_id, set()).add(delivery.n)
    yield Insert("append_deliveries", plain)
    # What has ended as it came may have others of its event wait for it: once all are there.
    yield from let_others_go(moved, max((at for _, at in deliveries), default=0))
    return waiting


def _append_in_turn(
    delivery: Delivery, turn: Turn, promised_at: Micros, vault: Vault
) -> Steps[tuple[Entry, Sequence[Row]]]:
    """Add a delivery that takes turns with others; how, and what would stand behind it that came before."""
    entry = yield from entry_of(delivery, promised_at)
    lease = delivery.lease if turn.key is None else None
    row = delivery_row(delivery, promised_at, entry.due_at, lease, vault)
    columns = (turn.key, entry.place, entry.waits_for, entry.after, turn.slot, entry.since)
    behind = yield Do("append_in_turn", (*row, *columns, turn.expires_at, turn.late_at))
    if turn.slot is not None:  # of an event that is routed again, or by a clock that is behind
        unwanted = yield from supersede_if_older(
            delivery.event.event_id, delivery.n, turn.slot, promised_at
        )
        entry.unwanted = bool(unwanted)
        entry.moved += unwanted
    return entry, behind


def _may_go(delivery: Delivery, turn: Turn, entry: Entry, behind: Iterable[Row]) -> Steps[bool]:
    """Whether nothing has to end before a new delivery, which stands after those that are *behind* it."""
    if entry.unwanted or entry.waits_for is not None:
        return False
    if turn.key is None or entry.place is None:
        return True
    event_id, n = delivery.event.event_id, delivery.n
    place = yield from stand_last(event_id, n, entry.place, behind)
    return (
        yield from take_turn(
            event_id,
            n,
            endpoint=delivery.endpoint,
            key=turn.key,
            priority=delivery.priority,
            place=place,
            lease=delivery.lease,
        )
    )


def differs(event: Event, first: EventId) -> InboxEntry:
    """What the inbox is told of an event whose key came before, with another body."""
    return InboxEntry(
        id=inbox_id(event.event_id),
        source=event.source,
        code="duplicate-differs",
        detail=f"it has the idempotency key of {first}, but another body: {event.key}",
        received_at=event.received_at,
        content_type=event.content_type,
        body=event.body,
        event_id=first,
    )


def failures_of(arrival: Arrival) -> list[InboxEntry]:
    """What the inbox is told of an event for which expressions failed."""
    event = arrival.event
    return [
        entry_about(
            event,
            name=failure_id(event.event_id, i),
            code=failure.code,
            detail=failure.detail,
            at=event.received_at,
        )
        for i, failure in enumerate(arrival.routed.failures)
        if failure.to_inbox
    ]


def event_row(arrival: Arrival, fired: Collection[str], vault: Vault) -> Row:
    """An event's columns, in the order of append_events.sql; the routes *fired* for its values before."""
    event, routed = arrival.event, arrival.routed
    attributes, body, head = event.attributes, event.body, event.head
    data, start, end = data_columns(event)
    if vault.current is None:
        digest = digest_of(body, head, data)
    else:
        body, head, data = vault.seal_event(event.event_id, body, head, data)
        digest = NO_DIGEST
    return (
        event.event_id,
        event.source,
        event.key,
        attributes["type"],
        attributes.get("subject"),
        event.received_at,
        event.content_type,
        body,
        head,
        data,
        start,
        end,
        digest,
        sum(each.route not in fired for each in routed.deliveries)
        if fired
        else len(routed.deliveries),
        len(routed.matched),
        vault.current,
        arrival.routes,
    )


def delivery_row(
    delivery: Delivery, promised_at: Micros, due_at: Micros, lease: Lease | None, vault: Vault
) -> Row:
    """A delivery's columns, in the order of append_deliveries.sql."""
    body, digest = delivery.body, None
    if body is not None and vault.current is None:
        digest = sha256(body).digest()
    elif body is not None:
        place = f"deliveries.body:{delivery.event.event_id}/{delivery.n}"
        body, digest = vault.seal(place, body), NO_DIGEST
    return (
        delivery.event.event_id,
        delivery.n,
        delivery.route,
        delivery.endpoint,
        State.SCHEDULED.value if lease is None else State.LEASED.value,
        delivery.form.value,
        body,
        digest,
        delivery.target,
        due_at,
        None if lease is None else lease.token,
        None if lease is None else lease.until,
        promised_at,
        None if body is None else vault.current,
        delivery.priority,
        delivery.leads,
    )


def inbox_row(entry: InboxEntry, vault: Vault) -> Row:
    """An inbox entry's columns, in the order of keep_in_inbox.sql."""
    return (
        entry.id,
        entry.source,
        entry.code,
        entry.detail,
        entry.received_at,
        entry.content_type,
        entry.body if vault.current is None else vault.seal(f"inbox.body:{entry.id}", entry.body),
        entry.event_id,
        sealed_headers(entry.id, _headers_of(entry), vault),
        vault.current,
    )


PROVEN_ID = ":id"
"""Stands among the headers of an entry, as no header can be named, for what verification vouches for."""


def _headers_of(entry: InboxEntry) -> list[tuple[str, str]]:
    proven = [] if entry.proven_id is None else [(PROVEN_ID, entry.proven_id)]
    return [*proven, *entry.headers]


def sealed_headers(name: str, headers: Sequence[tuple[str, str]], vault: Vault) -> str:
    """The headers of an entry of the inbox, as they are stored."""
    written = orjson.dumps(headers)
    if vault.current is None:
        return written.decode()
    return b64encode(vault.seal(f"inbox.headers:{name}", written)).decode("ascii")
