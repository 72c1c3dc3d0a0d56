"""Requests that were refused: kept, and the oldest let go."""

import sqlite3
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import orjson

from gateway.core.model import Refusal
from gateway.store.sqlite.database import insert_many, statement
from gateway.store.vault import Vault

KEEP_REFUSAL = statement("keep_refusal")
PRUNE_REFUSALS = statement("prune_refusals")


def keep_refusals(
    cursor: sqlite3.Cursor, refusals: Sequence[Refusal], most: int, most_bytes: int, vault: Vault
) -> None:
    """Add them, and delete the oldest until no more than *most* are left, of *most_bytes*."""
    insert_many(cursor, KEEP_REFUSAL, [_row(refusal, vault) for refusal in refusals])
    cursor.execute(PRUNE_REFUSALS, (most, most_bytes))


def _row(refusal: Refusal, vault: Vault) -> tuple[Any, ...]:
    body, digest = refusal.body, refusal.sha256
    written = orjson.dumps(refusal.headers)
    headers = written.decode()
    if vault.current is not None:
        body = vault.seal(f"inbox.body:{refusal.id}", body)
        digest = None if digest is None else vault.seal(f"inbox.sha256:{refusal.id}", digest)
        headers = b64encode(vault.seal(f"inbox.headers:{refusal.id}", written)).decode("ascii")
    return (
        refusal.id,
        refusal.source,
        refusal.code,
        refusal.outcome,
        refusal.detail,
        refusal.received_at,
        refusal.peer,
        refusal.method,
        headers,
        refusal.content_type,
        body,
        refusal.body_bytes,
        digest,
        len(headers) + len(body),
        vault.current,
    )
