"""What came of attempts: both the attempt and where it moved its delivery, or neither."""

from collections.abc import Sequence

from gateway.core.errors import LeaseLost
from gateway.core.retry import Park
from gateway.store.postgres.append import columns
from gateway.store.postgres.database import Work
from gateway.store.recording import (
    Record,
    attempt_row,
    close_parked,
    follow,
    let_those_go,
    move_row,
    note_lanes,
)
from gateway.store.steps import Row
from gateway.store.turns import moved_of
from gateway.store.vault import Vault


def is_one_statement(records: Sequence[Record]) -> bool:
    """Whether nobody but the deliveries themselves is concerned."""
    return not any(
        each.attempt.lane is not None
        or each.attempt.plans
        or each.attempt.noted
        or isinstance(each.decision, Park)
        or moved_of(each.delivery) is not None
        for each in records
    )


async def record(work: Work, records: Sequence[Record], vault: Vault) -> list[LeaseLost | None]:
    """Do them all: LeaseLost where the lease is no longer theirs.

    Of these nothing is written, but what they changed for their lane: they were made all the same.
    """
    rows = [_row(each, vault) for each in records]
    found = set(await work.do("record_outcomes", *columns(rows, 16)))
    if len(found) < len(records):
        found |= await _recorded_before(
            work, [each for each in records if _name(each) not in found]
        )
    held = [each for each in records if _name(each) in found]
    if not is_one_statement(records):
        await work.take(note_lanes(records))
        await work.take(close_parked(held))
        await work.take(let_those_go(held))
        await work.take(follow(held, vault))
    return [
        None if _name(each) in found else LeaseLost(f"the lease on {each.delivery.id} ran out")
        for each in records
    ]


async def _recorded_before(work: Work, records: Sequence[Record]) -> set[tuple[str, int]]:
    """Those that were written before, though nobody could say so: a commit whose answer was lost."""
    sought = [(*_name(each), each.attempt.number) for each in records]
    began = {(*_name(each), each.attempt.number): each.attempt.started_at for each in records}
    rows = await work.do("find_attempts", *columns(sought, 3))
    return {(name, n) for name, n, number, at in rows if began[name, n, number] == at}


def _name(each: Record) -> tuple[str, int]:
    return each.delivery.event.event_id, each.delivery.n


def _row(each: Record, vault: Vault) -> Row:
    _, _, _, *attempt = attempt_row(each, vault)  # whose, and its number, stand in the move
    return (*move_row(each), *attempt)
