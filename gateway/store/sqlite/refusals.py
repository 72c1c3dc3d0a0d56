"""Requests that were refused: kept, and the oldest let go."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from gateway.core.model import Refusal
from gateway.store.sqlite.database import insert_many, statement

KEEP_REFUSAL = statement("keep_refusal")
PRUNE_REFUSALS = statement("prune_refusals")


def keep_refusals(
    cursor: sqlite3.Cursor, refusals: Sequence[Refusal], most: int, most_bytes: int
) -> None:
    """Add them, and delete the oldest until no more than *most* are left, of *most_bytes*."""
    insert_many(cursor, KEEP_REFUSAL, [_row(refusal) for refusal in refusals])
    cursor.execute(PRUNE_REFUSALS, (most, most_bytes))


def _row(refusal: Refusal) -> tuple[Any, ...]:
    headers = orjson.dumps(refusal.headers)
    return (
        refusal.id,
        refusal.source,
        refusal.code,
        refusal.outcome,
        refusal.detail,
        refusal.received_at,
        refusal.peer,
        refusal.method,
        headers.decode(),
        refusal.content_type,
        refusal.body,
        refusal.body_bytes,
        refusal.sha256,
        len(headers) + len(refusal.body),
    )
