"""Who may attempt what, until when."""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import orjson

from gateway.core.model import Delivery, DeliveryId, EventId, Lease, Micros, delivery_id
from gateway.store.rows import DeliveryRow, EventRow, delivery_of, event_of
from gateway.store.sqlite.database import statement
from gateway.store.vault import Vault

SELECT_DUE = statement("select_due")
LEASE_DUE = statement("lease_due")
READ_LEASED = statement("read_leased")
BURY_CORRUPT = statement("bury_corrupt")
RELEASE_LEASES = statement("release_leases")
RECLAIM_LEASES = statement("reclaim_leases")

BODY_CORRUPT = "body-corrupt: the stored bytes are not those that came"
LONG_AGO: Micros = 1 << 62


@dataclass(slots=True)
class Claim:
    """Lease what is due at an endpoint, one delivery for each of the leases."""

    endpoint: str
    leases: Sequence[Lease]
    now: Micros
    buried: list[DeliveryId] = field(default_factory=list)
    """Filled with what was due and is dead now, because its stored bytes have changed."""


def claim(cursor: sqlite3.Cursor, claims: Sequence[Claim], vault: Vault) -> list[list[Delivery]]:
    """Do them all."""
    return [_claim_one(cursor, each, vault) for each in claims]


def _claim_one(cursor: sqlite3.Cursor, each: Claim, vault: Vault) -> list[Delivery]:
    due = cursor.execute(SELECT_DUE, (each.endpoint, each.now, len(each.leases))).fetchall()
    if not due:
        return []
    leased = orjson.dumps(
        [
            (event_id, n, lease.token, lease.until)
            for (event_id, n), lease in zip(due, each.leases, strict=False)
        ]
    ).decode()
    cursor.execute(LEASE_DUE, (leased,))
    deliveries = []
    split = len(DeliveryRow._fields)
    for row in cursor.execute(READ_LEASED, (leased,)).fetchall():
        delivery_row, event_row = DeliveryRow(*row[:split]), EventRow(*row[split:-2])
        own_key, events_key = row[-2:]
        delivery_row = vault.open_delivery(event_row.id, delivery_row, own_key)
        event_row = vault.open_event(event_row, events_key)
        event = event_of(event_row)
        if event is None or not _intact(delivery_row):
            cursor.execute(BURY_CORRUPT, (each.now, BODY_CORRUPT, event_row.id, delivery_row.n))
            each.buried.append(delivery_id(EventId(event_row.id), delivery_row.n))
        else:
            deliveries.append(delivery_of(delivery_row, event))
    return deliveries


def _intact(row: DeliveryRow) -> bool:
    return row.body is None or sha256(row.body).digest() == row.sha256


def release(cursor: sqlite3.Cursor, deliveries: Sequence[Delivery]) -> None:
    """Put leased deliveries back on schedule without an attempt, where the lease is still theirs."""
    released = [
        (delivery.event.event_id, delivery.n, delivery.lease.token)
        for delivery in deliveries
        if delivery.lease is not None
    ]
    cursor.execute(RELEASE_LEASES, (orjson.dumps(released).decode(),))


def reclaim(cursor: sqlite3.Cursor, now: Micros, but: Collection[int]) -> int:
    """Put deliveries whose lease has ended back on schedule, *but* some; how many there were."""
    return cursor.execute(RECLAIM_LEASES, (now, orjson.dumps(list(but)).decode())).rowcount
