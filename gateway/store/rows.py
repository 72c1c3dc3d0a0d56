"""Rows and values: the translation that every engine shares."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

import orjson

from gateway.core.model import (
    Attempt,
    BodyForm,
    Delivery,
    Event,
    EventId,
    Json,
    Lease,
    Micros,
    Turn,
)
from gateway.core.retry import Decision, Finish, GiveUp, Park, RetryAt
from gateway.core.state import State


class EventRow(NamedTuple):
    """The columns that make an event, in the order in which every statement names them."""

    id: str
    source: str
    key: str | None
    received_at: Micros
    content_type: str
    body: bytes
    head: bytes
    data: bytes | None
    data_start: int | None
    data_end: int | None
    sha256: bytes

    @property
    def is_erased(self) -> bool:
        """Whether its bytes were taken out on request: no other event is without an envelope."""
        return not self.head


def event_of(row: EventRow) -> Event | None:
    """The event that a row holds; None when its bytes are not those that were stored."""
    if digest_of(row.body, row.head, row.data) != row.sha256:
        return None
    splice = row.data if row.data is not None else row.body[row.data_start : row.data_end]
    attributes, data = open_envelope(row.head, splice)
    return Event(
        event_id=EventId(row.id),
        source=row.source,
        key=row.key,
        received_at=row.received_at,
        content_type=row.content_type,
        body=row.body,
        head=row.head,
        splice=splice,
        attributes=attributes,
        data=data,
    )


def packed(row: EventRow) -> dict[str, Json]:
    """A row as JSON, its bytes in base64: `unpacked` has it again, exactly."""
    return {
        name: b64encode(value).decode("ascii") if isinstance(value, bytes) else value
        for name, value in zip(EventRow._fields, row, strict=True)
    }


def unpacked(fields: dict[str, Json]) -> EventRow:
    """The row that was packed so. Raises LookupError, TypeError or ValueError where it is none."""
    return EventRow._make(
        b64decode(fields[name]) if name in _BYTES and fields[name] is not None else fields[name]
        for name in EventRow._fields
    )


_BYTES = frozenset({"body", "head", "data", "sha256"})


def open_envelope(
    head: bytes, splice: bytes, read: Callable[[bytes], Json] = orjson.loads
) -> tuple[dict[str, Json], Json]:
    """The attributes and the data that an envelope carries; by orjson as routes match them."""
    envelope: dict[str, Json] = read(head + splice + b"}")
    data = envelope.pop("data", None)
    envelope.pop("data_base64", None)
    return envelope, data


def digest_of(body: bytes, head: bytes, data: bytes | None) -> bytes:
    """The digest that is kept beside an event's bytes and checked whenever they are read back."""
    return sha256(b"".join((body, head, data or b""))).digest()


def data_columns(event: Event) -> tuple[bytes | None, int | None, int | None]:
    """Where an event's data is kept: as a part of its body where it is one, else on its own."""
    start = event.body.find(event.splice)
    if start < 0:
        return event.splice, None, None
    return None, start, start + len(event.splice)


class DeliveryRow(NamedTuple):
    """The columns that make a leased delivery."""

    n: int
    route: str
    endpoint: str
    form: str
    body: bytes | None
    sha256: bytes | None
    target: str | None
    attempts: int
    round_from: int
    round_since: Micros | None
    lease: int
    lease_until: Micros
    priority: int
    leads: int
    key: str | None
    slot: str | None
    expires_at: Micros | None
    replayed_at: Micros | None


def delivery_of(row: DeliveryRow, event: Event) -> Delivery:
    """The leased delivery that a row holds."""
    return Delivery(
        event,
        row.n,
        row.route,
        row.endpoint,
        BodyForm(row.form),
        row.body,
        row.target,
        row.attempts,
        row.round_from,
        row.round_since,
        Lease(row.lease, row.lease_until),
        row.priority,
        turn_of(row),
        bool(row.leads),
        row.replayed_at,
    )


def turn_of(row: DeliveryRow) -> Turn | None:
    """What still counts of a delivery's turn, now that it has come."""
    if row.key is None and row.expires_at is None:
        return None
    return Turn(key=row.key, slot=row.slot, expires_at=row.expires_at)


class Moved(NamedTuple):
    """What a decision writes into a delivery's row."""

    state: str
    due_at: Micros
    finished_at: Micros | None
    reason: str | None


def moved_by(decision: Decision, ended_at: Micros) -> Moved:
    """Where a decision, taken at *ended_at*, puts a delivery."""
    match decision:
        case Finish(reason):
            return Moved(State.DELIVERED, ended_at, ended_at, reason)
        case RetryAt(due_at, reason):
            return Moved(State.SCHEDULED, due_at, None, reason)
        case GiveUp(reason):
            return Moved(State.DEAD, ended_at, ended_at, reason)
        case Park(_, reason):
            return Moved(State.SCHEDULED, ended_at, None, reason)


def calls_of(attempt: Attempt) -> str | None:
    """The requests that a handler made, as they are stored."""
    if not attempt.calls:
        return None
    return orjson.dumps(
        [
            {
                "method": call.method,
                "url": call.url,
                "status": call.status,
                "reason": call.reason,
                "duration_ms": call.duration / 1000,
            }
            for call in attempt.calls
        ]
    ).decode()
