"""Who may attempt what, until when; no two nodes the same."""

from collections.abc import Collection, Sequence

from gateway.core.model import Delivery, DeliveryId, EventId, Lease, Micros, Priority
from gateway.core.sharing import FIRST_OF_TURN
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
from gateway.store.postgres.append import columns
from gateway.store.postgres.database import Session, Work, statement
from gateway.store.postgres.vault import Keys
from gateway.store.rows import DeliveryRow
from gateway.store.steps import Row
from gateway.store.turns import Moved, let_others_go, queue_lock

CLAIM_DUE = statement("claim_due")

FACTS = len(Due._fields)
OF_TURN = FACTS + 2
"""So many columns of claim_due.sql tell of a delivery's turn, its size among them."""

LEASE = DeliveryRow._fields.index("lease")


class _Taken:
    """What a claim has come to so far."""

    def __init__(self, leases: Sequence[Lease]) -> None:
        self.free = list(leases)
        self.deliveries: list[Delivery] = []
        self.corrupt: list[DeliveryId] = []
        self.ready: list[tuple[str, Micros]] = []


async def claim(
    session: Session, each: Claim, keys: Keys
) -> tuple[list[Delivery], list[tuple[str, Micros]]]:
    """Lease what is due; and what may go because of what has ended instead."""
    taken = _Taken(each.leases)
    each.taken_bytes, each.full = 0, False
    for _ in range(MOST_LOOKS):
        before = len(taken.free)
        due = await _claim_due(session, each, taken, keys)
        if each.full or not taken.free or before - len(taken.free) == due:
            break
    if taken.corrupt:
        _, ready = await session.transact(lambda work: work.take(bury(taken.corrupt, each.now)))
        taken.ready += ready
        each.buried += taken.corrupt
    return taken.deliveries, taken.ready


async def _claim_due(session: Session, each: Claim, taken: _Taken, keys: Keys) -> int:
    """Lease what only has to be due, by one statement, and ask for the turns of the rest; how many were due."""
    wanted = len(taken.free)
    turns = [FIRST_OF_TURN[(taken.free[0].token + i) % len(FIRST_OF_TURN)] for i in range(wanted)]
    given = {
        "endpoint": each.endpoint,
        "now": each.now,
        "most": wanted,
        "normal_turns": turns.count(Priority.NORMAL),
        "low_turns": turns.count(Priority.LOW),
        "taken_bytes": each.taken_bytes,
        "most_bytes": each.most_bytes,
        "tokens": [lease.token for lease in taken.free],
        "untils": [lease.until for lease in taken.free],
    }
    rows = await session.run(lambda work: work.rows(CLAIM_DUE, given))
    each.full = any(row[FACTS + 1] for row in rows)
    waiting: list[tuple[Due, int]] = []
    for row in rows:
        due, size = Due(*row[:FACTS]), row[FACTS]
        if due.is_plain:
            each.taken_bytes += size
        else:
            waiting.append((due, size))
    await _open(session, [row[OF_TURN:] for row in rows if Due(*row[:FACTS]).is_plain], taken, keys)
    if waiting:
        await _claim_in_turn(session, waiting, each, taken, keys)
    return len(rows)


async def _claim_in_turn(
    session: Session, waiting: Sequence[tuple[Due, int]], each: Claim, taken: _Taken, keys: Keys
) -> None:
    """Lease those of the due deliveries whose turn it is; the others wait, or end."""

    async def take(work: Work) -> tuple[list[Row], int]:
        await work.lock([queue_lock(each.endpoint, d.key) for d, _ in waiting if d.key is not None])
        left = iter(list(taken.free))
        lease = next(left, None)
        leased: list[tuple[EventId, int]] = []
        moved: list[Moved] = []
        size_bytes = 0
        for due, size in waiting:
            if lease is None:
                break
            if ended := await work.take(end_unwanted(due, each.now)):
                moved += ended
                continue
            if due.key is None:
                got = await work.do("lease_one", due.event_id, due.n, lease.token, lease.until)
            elif not await work.take(take_in_turn(due, due.key, each.endpoint, lease)):
                # The head of its queue may wait as well, if it came while another was under way.
                moved.append(Moved(due.event_id, due.n, each.endpoint, due.key, 0))
                continue
            else:
                got = [()]
            if got:
                leased.append((due.event_id, due.n))
                size_bytes += size
                lease = next(left, None)
        await work.take(let_others_go(moved, each.now))
        rows = await work.do("read_leased", *columns(leased, 2)) if leased else []
        return rows, size_bytes

    (rows, size_bytes), ready = await session.transact(take)
    each.taken_bytes += size_bytes
    taken.ready += ready
    await _open(session, rows, taken, keys)


async def _open(session: Session, rows: Sequence[Row], taken: _Taken, keys: Keys) -> None:
    """Note the deliveries that rows hold; those whose bytes have changed apart."""
    numbers = [number for row in rows for number in row[-2:]]
    if any(number is not None and number not in keys.vault for number in numbers):
        await session.run(lambda work: keys.learn(work, numbers))
    used = set()
    for row in rows:
        delivery, name = leased_of(row, keys.vault)
        used.add(row[LEASE])
        if delivery is None:
            taken.corrupt.append(name)
        else:
            taken.deliveries.append(delivery)
    taken.free = [lease for lease in taken.free if lease.token not in used]


async def release(work: Work, deliveries: Sequence[Delivery]) -> None:
    """Put leased deliveries back on schedule without an attempt, where the lease is still theirs."""
    await work.do("release_leases", *columns(held_by(deliveries), 3))


async def reclaim(work: Work, now: Micros, but: Collection[int]) -> int:
    """Put deliveries whose lease has ended back on schedule, *but* some; how many there were."""
    return len(await work.do("reclaim_leases", now, list(but)))
