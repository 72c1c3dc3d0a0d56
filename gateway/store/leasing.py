"""Who may attempt what, until when: what engines have in common of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from gateway.core.model import (
    Delivery,
    DeliveryId,
    EventId,
    Lease,
    Micros,
    delivery_id,
    parse_delivery_id,
)
from gateway.core.turns import EXPIRED, place_of
from gateway.store.rows import DeliveryRow, EventRow, delivery_of, event_of
from gateway.store.steps import Do, Lock, Row, Steps
from gateway.store.turns import (
    Moved,
    let_others_go,
    queue_lock,
    supersede_if_older,
    take_turn,
)
from gateway.store.vault import Vault

MOST_LOOKS = 8
"""A claim looks so often for more where what was due had to wait or had ended."""

BODY_CORRUPT = "body-corrupt: the stored bytes are not those that came"


@dataclass(slots=True)
class Claim:
    """Lease what is due at an endpoint, one delivery for each of the leases."""

    endpoint: str
    leases: Sequence[Lease]
    now: Micros
    most_bytes: int
    """Of bodies, together; the first is leased however large it is."""
    taken_bytes: int = 0
    full: bool = False
    """Whether something was left because of its size."""
    buried: list[DeliveryId] = field(default_factory=list)
    """Filled with what was due and is dead now, because its stored bytes have changed."""


class Due(NamedTuple):
    """What a delivery that is due has to say of its turn."""

    priority: int
    event_id: EventId
    n: int
    due_at: Micros
    key: str | None
    place: str | None
    slot: str | None
    expires_at: Micros | None

    @property
    def is_plain(self) -> bool:
        """Whether it only has to be due."""
        return self.key is None and self.expires_at is None


def end_unwanted(row: Due, now: Micros) -> Steps[list[Moved]]:
    """End a due delivery that has expired, or whose slot a newer one has; empty where it is wanted."""
    if row.expires_at is not None and row.expires_at <= now:
        cancelled = yield Do("cancel", (now, EXPIRED, row.event_id, row.n))
        return [Moved(*gone) for gone in cancelled]
    if row.slot is not None:
        return (yield from supersede_if_older(row.event_id, row.n, row.slot, now))
    return []


def take_in_turn(row: Due, key: str, endpoint: str, lease: Lease) -> Steps[bool]:
    """Lease a due delivery if it is the turn of it among those of its key; else it waits."""
    yield Lock([queue_lock(endpoint, key)])
    return (
        yield from take_turn(
            row.event_id,
            row.n,
            endpoint=endpoint,
            key=key,
            priority=row.priority,
            place=row.place or place_of(row.event_id, row.due_at),
            lease=lease,
        )
    )


def leased_of(row: Row, vault: Vault) -> tuple[Delivery | None, DeliveryId]:
    """The delivery that a row of read_leased.sql holds, and its name; None: its bytes have changed."""
    split = len(DeliveryRow._fields)
    delivery_row, event_row = DeliveryRow(*row[:split]), EventRow(*row[split:-2])
    own_key, events_key = row[-2:]
    delivery_row = vault.open_delivery(event_row.id, delivery_row, own_key)
    event_row = vault.open_event(event_row, events_key)
    event = event_of(event_row)
    name = delivery_id(EventId(event_row.id), delivery_row.n)
    if event is None or not _intact(delivery_row):
        return None, name
    return delivery_of(delivery_row, event), name


def _intact(row: DeliveryRow) -> bool:
    return row.body is None or sha256(row.body).digest() == row.sha256


def bury(corrupt: Iterable[DeliveryId], now: Micros) -> Steps[None]:
    """Make dead letters of leased deliveries whose bytes have changed."""
    moved: list[Moved] = []
    for name in corrupt:
        parsed = parse_delivery_id(name)
        assert parsed is not None  # noqa: S101  # it was made of a row's
        moved += [Moved(*gone) for gone in (yield Do("bury_corrupt", (now, BODY_CORRUPT, *parsed)))]
    yield from let_others_go(moved, now)


def held_by(deliveries: Iterable[Delivery]) -> list[tuple[EventId, int, int]]:
    """Which deliveries hold which leases."""
    return [
        (delivery.event.event_id, delivery.n, delivery.lease.token)
        for delivery in deliveries
        if delivery.lease is not None
    ]


def expire(now: Micros, most: int) -> Steps[int]:
    """Cancel scheduled deliveries that have expired, at most so many; how many there were."""
    facts = {"now": now, "reason": EXPIRED, "most": most}
    moved = [Moved(*row) for row in (yield Do("expire", facts))]
    yield from let_others_go(moved, now)
    return len(moved)
