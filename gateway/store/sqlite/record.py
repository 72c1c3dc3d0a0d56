"""What came of attempts: both the attempt and where it moved its delivery, or neither."""

import sqlite3
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.core.errors import LeaseLost
from gateway.core.model import Attempt, Delivery, LaneMark
from gateway.core.retry import Decision, Finish, GiveUp, Park
from gateway.store.rows import calls_of, moved_by
from gateway.store.sqlite.database import insert_many, statement
from gateway.store.sqlite.turns import (
    Transaction,
    let_others_go,
    moved_of,
    supersede_if_older,
)
from gateway.store.vault import Vault

RECORD_OUTCOMES = statement("record_outcomes")
APPEND_ATTEMPTS = statement("append_attempts")
CLOSE_ENDPOINT = statement("close_endpoint")
NOTE_LANE = statement("note_lane")


@dataclass(slots=True)
class Record:
    """Write down an attempt, and what was decided upon it."""

    delivery: Delivery
    attempt: Attempt
    decision: Decision


def record(cursor: Transaction, records: Sequence[Record], vault: Vault) -> list[LeaseLost | None]:
    """Do them all: LeaseLost where the lease is no longer theirs.

    Of these nothing is written, but what they changed for their lane: they were made all the same.
    """
    cursor.execute("SAVEPOINT outcomes")
    moves = [_move(each) for each in records]
    lost: list[LeaseLost | None] = [None] * len(records)
    if _write(cursor, moves) != len(moves):
        cursor.execute("ROLLBACK TO outcomes")  # find out who lost it: one at a time
        for i, move in enumerate(moves):
            if _write(cursor, [move]) == 0:
                lost[i] = LeaseLost(f"the lease on {records[i].delivery.id} ran out")
    cursor.execute("RELEASE outcomes")
    held = [each for each, gone in zip(records, lost, strict=True) if gone is None]
    insert_many(cursor, APPEND_ATTEMPTS, [_attempt_row(each, vault) for each in held])
    marks = {r.delivery.endpoint: r.attempt.lane for r in records if r.attempt.lane is not None}
    for name, mark in marks.items():
        cursor.execute(NOTE_LANE, lane_row(name, mark))
    for each in held:
        if isinstance(each.decision, Park):
            ended_at = each.attempt.started_at + each.attempt.duration
            park = each.decision
            cursor.execute(
                CLOSE_ENDPOINT, (each.delivery.endpoint, park.state, park.reason, ended_at)
            )
    _let_others_go(cursor, held)
    return lost


def _let_others_go(cursor: Transaction, records: Sequence[Record]) -> None:
    """Let those go on that waited for deliveries that were attempted."""
    all_moved, latest = [], 0
    for each in records:
        moved = moved_of(each.delivery)
        if moved is None:
            continue
        all_moved.append(moved)
        ended_at = each.attempt.started_at + each.attempt.duration
        latest = max(latest, ended_at)
        turn = each.delivery.turn
        if (
            turn is not None
            and turn.slot is not None
            and not isinstance(each.decision, (Finish, GiveUp))
        ):
            supersede_if_older(cursor, moved.event_id, moved.n, turn.slot, ended_at)
    let_others_go(cursor, all_moved, latest)


def lane_row(name: str, mark: LaneMark) -> tuple[Any, ...]:
    """A lane's columns, in the order of note_lane.sql."""
    return (
        name,
        mark.begun_at,
        mark.held_until,
        mark.since,
        mark.probe_at,
        mark.probes,
        mark.reason,
    )


def _write(cursor: sqlite3.Cursor, moves: Sequence[tuple[Any, ...]]) -> int:
    return cursor.execute(RECORD_OUTCOMES, (orjson.dumps(moves).decode(),)).rowcount


def _move(each: Record) -> tuple[Any, ...]:
    delivery, attempt = each.delivery, each.attempt
    moved = moved_by(each.decision, attempt.started_at + attempt.duration)
    return (
        delivery.event.event_id,
        delivery.n,
        delivery.lease.token if delivery.lease else None,
        moved.state,
        attempt.number,
        moved.due_at,
        moved.finished_at,
        moved.reason,
    )


def _attempt_row(each: Record, vault: Vault) -> tuple[Any, ...]:
    attempt = each.attempt
    event_id, n, excerpt = each.delivery.event.event_id, each.delivery.n, attempt.excerpt
    if vault.current is not None and excerpt is not None:
        place = attempt_place(event_id, n, attempt.number)
        excerpt = b64encode(vault.seal(place, excerpt.encode("utf-8", "replace"))).decode("ascii")
    return (
        event_id,
        n,
        attempt.number,
        attempt.started_at,
        attempt.duration,
        attempt.outcome,
        attempt.status,
        attempt.reason,
        excerpt,
        calls_of(attempt),
        None if excerpt is None else vault.current,
    )


def attempt_place(event_id: str, n: int, number: int) -> str:
    """To what the excerpt of an attempt is bound."""
    return f"attempts.excerpt:{event_id}/{n}/{number}"
