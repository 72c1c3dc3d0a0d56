"""What came of attempts: both the attempt and where it moved its delivery, or neither."""

import sqlite3
from collections.abc import Sequence

import orjson

from gateway.core.errors import LeaseLost
from gateway.store.recording import (
    Record,
    attempt_row,
    close_parked,
    follow,
    let_those_go,
    move_row,
    note_lanes,
)
from gateway.store.sqlite.database import Transaction, insert_many, statement, take
from gateway.store.steps import Row
from gateway.store.vault import Vault

RECORD_OUTCOMES = statement("record_outcomes")
APPEND_ATTEMPTS = statement("append_attempts")


def record(cursor: Transaction, records: Sequence[Record], vault: Vault) -> list[LeaseLost | None]:
    """Do them all: LeaseLost where the lease is no longer theirs.

    Of these nothing is written, but what they changed for their lane: they were made all the same.
    """
    cursor.execute("SAVEPOINT outcomes")
    moves = [move_row(each) for each in records]
    lost: list[LeaseLost | None] = [None] * len(records)
    if _write(cursor, moves) != len(moves):
        cursor.execute("ROLLBACK TO outcomes")  # find out who lost it: one at a time
        for i, move in enumerate(moves):
            if _write(cursor, [move]) == 0:
                lost[i] = LeaseLost(f"the lease on {records[i].delivery.id} ran out")
    cursor.execute("RELEASE outcomes")
    held = [each for each, gone in zip(records, lost, strict=True) if gone is None]
    insert_many(cursor, APPEND_ATTEMPTS, [attempt_row(each, vault) for each in held])
    take(cursor, note_lanes(records))
    take(cursor, close_parked(held))
    take(cursor, let_those_go(held))
    take(cursor, follow(held, vault))
    return lost


def _write(cursor: sqlite3.Cursor, moves: Sequence[Row]) -> int:
    return cursor.execute(RECORD_OUTCOMES, (orjson.dumps(moves).decode(),)).rowcount
