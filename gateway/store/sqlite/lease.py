"""Who may attempt what, until when."""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

import orjson

from gateway.core.model import (
    Delivery,
    DeliveryId,
    EventId,
    Lease,
    Micros,
    Priority,
    delivery_id,
)
from gateway.core.sharing import deal
from gateway.core.turns import EXPIRED, place_of
from gateway.store.rows import DeliveryRow, EventRow, delivery_of, event_of
from gateway.store.sqlite.database import statement
from gateway.store.sqlite.turns import (
    Moved,
    Transaction,
    let_others_go,
    supersede_if_older,
    take_turn,
)
from gateway.store.vault import Vault

SELECT_DUE = statement("select_due")
SIZE_OF_DELIVERY = statement("size_of_delivery")
LEASE_DUE = statement("lease_due")
READ_LEASED = statement("read_leased")
BURY_CORRUPT = statement("bury_corrupt")
RELEASE_LEASES = statement("release_leases")
RECLAIM_LEASES = statement("reclaim_leases")
CANCEL = statement("cancel")
EXPIRE = statement("expire")

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


def claim(cursor: Transaction, claims: Sequence[Claim], vault: Vault) -> list[list[Delivery]]:
    """Do them all."""
    return [_claim_one(cursor, each, vault) for each in claims]


def _claim_one(cursor: Transaction, each: Claim, vault: Vault) -> list[Delivery]:
    leased: list[_Leased] = []
    each.taken_bytes, each.full = 0, False  # it may be done anew, after a commit that failed
    for _ in range(MOST_LOOKS):
        wanted = len(each.leases) - len(leased)
        due = _due(cursor, each, wanted)
        taken = _take(cursor, due, each.leases[len(leased) :], each)
        leased += taken
        if each.full or len(taken) == len(due) or len(leased) == len(each.leases):
            break
    return _read(cursor, leased, each, vault) if leased else []


_Leased = tuple[str, int, int, Micros]
"""Of a leased delivery: its event and number, the token, and until when."""


class _Due(NamedTuple):
    """A row of select_due.sql."""

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


def _due(cursor: sqlite3.Cursor, each: Claim, most: int) -> list[_Due]:
    """What is due, at most so many: of higher priority first, with a share left for the others."""
    facts = {"endpoint": each.endpoint, "now": each.now, "most": most}
    found = [_Due(*row) for row in cursor.execute(SELECT_DUE, facts).fetchall()]
    if len(found) <= most:
        return found
    by_priority = [[row for row in found if row.priority == p] for p in Priority]
    counts = deal(most, [len(rows) for rows in by_priority], each.leases[0].token)
    return [row for rows, n in zip(by_priority, counts, strict=True) for row in rows[:n]]


def _take(
    cursor: Transaction, due: Sequence[_Due], leases: Sequence[Lease], each: Claim
) -> list[_Leased]:
    """Lease those of the due deliveries whose turn it is; the others wait, or end."""
    left = iter(leases)
    lease = next(left, None)
    taken: list[_Leased] = []
    keyless: list[_Leased] = []
    moved: list[Moved] = []
    for row in due:
        if lease is None:
            break
        if not row.is_plain and (ended := _end_unwanted(cursor, row, each.now)):
            moved += ended
            continue
        if not _fits(cursor, row, each):
            break
        leased = (row.event_id, row.n, lease.token, lease.until)
        if row.key is None:
            keyless.append(leased)
        elif not _take_turn(cursor, row, row.key, each.endpoint, lease):
            # The head of its queue may wait as well, if it came while another was under way.
            moved.append(Moved(row.event_id, row.n, each.endpoint, row.key, 0))
            continue
        taken.append(leased)
        lease = next(left, None)
    if keyless:
        cursor.execute(LEASE_DUE, (orjson.dumps(keyless).decode(),))
    let_others_go(cursor, moved, each.now)
    return taken


def _fits(cursor: sqlite3.Cursor, row: _Due, each: Claim) -> bool:
    """Whether there is room for its bodies as well."""
    (size,) = cursor.execute(SIZE_OF_DELIVERY, (row.event_id, row.n)).fetchone()
    each.full = each.taken_bytes > 0 and each.taken_bytes + size > each.most_bytes
    if not each.full:
        each.taken_bytes += size
    return not each.full


def _end_unwanted(cursor: sqlite3.Cursor, row: _Due, now: Micros) -> list[Moved]:
    """End a due delivery that has expired, or whose slot a newer one has; empty where it is wanted."""
    if row.expires_at is not None and row.expires_at <= now:
        cancelled = cursor.execute(CANCEL, (now, EXPIRED, row.event_id, row.n)).fetchall()
        return [Moved(*gone) for gone in cancelled]
    if row.slot is not None:
        return supersede_if_older(cursor, row.event_id, row.n, row.slot, now)
    return []


def _take_turn(cursor: sqlite3.Cursor, row: _Due, key: str, endpoint: str, lease: Lease) -> bool:
    return take_turn(
        cursor,
        row.event_id,
        row.n,
        endpoint=endpoint,
        key=key,
        priority=row.priority,
        place=row.place or place_of(row.event_id, row.due_at),
        lease=lease,
    )


def _read(
    cursor: Transaction, leased: Sequence[_Leased], each: Claim, vault: Vault
) -> list[Delivery]:
    """The deliveries that have been leased; those whose bytes have changed become dead letters."""
    deliveries: list[Delivery] = []
    moved: list[Moved] = []
    split = len(DeliveryRow._fields)
    for row in cursor.execute(READ_LEASED, (orjson.dumps(leased).decode(),)).fetchall():
        delivery_row, event_row = DeliveryRow(*row[:split]), EventRow(*row[split:-2])
        own_key, events_key = row[-2:]
        delivery_row = vault.open_delivery(event_row.id, delivery_row, own_key)
        event_row = vault.open_event(event_row, events_key)
        event = event_of(event_row)
        if event is None or not _intact(delivery_row):
            cursor.execute(BURY_CORRUPT, (each.now, BODY_CORRUPT, event_row.id, delivery_row.n))
            moved += [Moved(*gone) for gone in cursor.fetchall()]
            each.buried.append(delivery_id(EventId(event_row.id), delivery_row.n))
        else:
            deliveries.append(delivery_of(delivery_row, event))
    let_others_go(cursor, moved, each.now)
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


def expire(cursor: Transaction, now: Micros, most: int) -> int:
    """Cancel scheduled deliveries that have expired, at most so many; how many there were."""
    facts = {"now": now, "reason": EXPIRED, "most": most}
    moved = [Moved(*row) for row in cursor.execute(EXPIRE, facts).fetchall()]
    let_others_go(cursor, moved, now)
    return len(moved)
