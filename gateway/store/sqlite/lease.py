"""Who may attempt what, until when."""

import sqlite3
from collections.abc import Collection, Sequence

import orjson

from gateway.core.model import Delivery, Lease, Micros, Priority
from gateway.core.sharing import deal
from gateway.store.leasing import (
    MOST_LOOKS,
    Claim,
    Due,
    bury,
    end_unwanted,
    held_by,
    leased_of,
    take_in_turn,
)
from gateway.store.sqlite.database import Transaction, statement, take
from gateway.store.turns import Moved, let_others_go
from gateway.store.vault import Vault

SELECT_DUE = statement("select_due")
SIZE_OF_DELIVERY = statement("size_of_delivery")
LEASE_DUE = statement("lease_due")
READ_LEASED = statement("read_leased")
RELEASE_LEASES = statement("release_leases")
RECLAIM_LEASES = statement("reclaim_leases")


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


def _due(cursor: sqlite3.Cursor, each: Claim, most: int) -> list[Due]:
    """What is due, at most so many: of higher priority first, with a share left for the others."""
    facts = {"endpoint": each.endpoint, "now": each.now, "most": most}
    found = [Due(*row) for row in cursor.execute(SELECT_DUE, facts).fetchall()]
    if len(found) <= most:
        return found
    by_priority = [[row for row in found if row.priority == p] for p in Priority]
    counts = deal(most, [len(rows) for rows in by_priority], each.leases[0].token)
    return [row for rows, n in zip(by_priority, counts, strict=True) for row in rows[:n]]


def _take(
    cursor: Transaction, due: Sequence[Due], leases: Sequence[Lease], each: Claim
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
        if not row.is_plain and (ended := take(cursor, end_unwanted(row, each.now))):
            moved += ended
            continue
        if not _fits(cursor, row, each):
            break
        leased = (row.event_id, row.n, lease.token, lease.until)
        if row.key is None:
            keyless.append(leased)
        elif not take(cursor, take_in_turn(row, row.key, each.endpoint, lease)):
            # The head of its queue may wait as well, if it came while another was under way.
            moved.append(Moved(row.event_id, row.n, each.endpoint, row.key, 0))
            continue
        taken.append(leased)
        lease = next(left, None)
    if keyless:
        cursor.execute(LEASE_DUE, (orjson.dumps(keyless).decode(),))
    take(cursor, let_others_go(moved, each.now))
    return taken


def _fits(cursor: sqlite3.Cursor, row: Due, each: Claim) -> bool:
    """Whether there is room for its bodies as well."""
    (size,) = cursor.execute(SIZE_OF_DELIVERY, (row.event_id, row.n)).fetchone()
    each.full = each.taken_bytes > 0 and each.taken_bytes + size > each.most_bytes
    if not each.full:
        each.taken_bytes += size
    return not each.full


def _read(
    cursor: Transaction, leased: Sequence[_Leased], each: Claim, vault: Vault
) -> list[Delivery]:
    """The deliveries that have been leased; those whose bytes have changed become dead letters."""
    rows = cursor.execute(READ_LEASED, (orjson.dumps(leased).decode(),)).fetchall()
    read = [leased_of(row, vault) for row in rows]
    corrupt = [name for delivery, name in read if delivery is None]
    if corrupt:
        take(cursor, bury(corrupt, each.now))
        each.buried += corrupt
    return [delivery for delivery, _ in read if delivery is not None]


def release(cursor: sqlite3.Cursor, deliveries: Sequence[Delivery]) -> None:
    """Put leased deliveries back on schedule without an attempt, where the lease is still theirs."""
    cursor.execute(RELEASE_LEASES, (orjson.dumps(held_by(deliveries)).decode(),))


def reclaim(cursor: sqlite3.Cursor, now: Micros, but: Collection[int]) -> int:
    """Put deliveries whose lease has ended back on schedule, *but* some; how many there were."""
    return cursor.execute(RECLAIM_LEASES, (now, orjson.dumps(list(but)).decode())).rowcount
