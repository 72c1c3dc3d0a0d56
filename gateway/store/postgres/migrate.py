"""Bringing the schema up to date: one node at a time, numbered files, each in a transaction.

Old nodes may still be at work meanwhile. So a file only ever adds; what is not needed any more goes with a
later version, once no node is left that needs it.
"""

import logging
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import asyncpg

from gateway.core.errors import SchemaTooNew, StoreUnusable
from gateway.core.postgres_url import PostgresUrl
from gateway.store.postgres.database import SETTINGS, Work, translated
from gateway.store.postgres.reach import connect
from gateway.store.postgres.vault import Keys

PATIENT = {**SETTINGS, "statement_timeout": "0"}
LOCK = 0x6761746577617901
"""Advisory: of whoever migrates."""

MOST_TRIES = 100
"""About five minutes."""

KNOWN = "CREATE TABLE IF NOT EXISTS gateway_schema (number integer NOT NULL PRIMARY KEY, at timestamptz NOT NULL)"


async def migrate(url: PostgresUrl, keys: Keys | None) -> None:
    """Bring the schema up to date, and the data keys into the vault, with a fresh one to seal with.

    Without a vault, what the database holds is left alone: that is for who moves it here. Raises
    StoreUnavailable, SchemaTooNew, StoreUnusable where not all has been moved here that is to be, or
    ConfigError where the keys do not open.
    """
    with translated(f"cannot reach {url}"):
        connection = await connect(url, "gateway migration", PATIENT)
    try:
        with translated("cannot migrate the database"):
            await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
            await connection.execute(KNOWN)
            await _take_steps(connection, _migrations())
            if keys is not None:
                await _check_moved(connection)
                async with connection.transaction():
                    await keys.open(Work(connection))
    finally:
        connection.terminate()


async def _take_steps(connection: Any, steps: Sequence[Traversable]) -> None:
    present = await connection.fetchval("SELECT coalesce(max(number), 0) FROM gateway_schema")
    if present > len(steps):
        raise SchemaTooNew(
            f"the database has schema {present}, this gateway knows {len(steps)}",
            cure="run the newer gateway that wrote it, or restore an older backup",
        )
    for number, step in enumerate(steps, start=1):
        if number > present:
            await _take_step(connection, number, step.read_text(encoding="utf-8"))


async def _take_step(connection: Any, number: int, text: str) -> None:
    """Take it in a moment when nobody reads for long: who waits for a table keeps all others waiting."""
    for tried in range(1, MOST_TRIES + 1):
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '1s'")
                await connection.execute(text)
                await connection.execute("INSERT INTO gateway_schema VALUES ($1, now())", number)
                return
        except asyncpg.LockNotAvailableError:
            if tried == MOST_TRIES:
                raise
            logging.getLogger(__name__).warning(
                "the schema cannot be changed while somebody reads for long: tried again"
            )
            await connection.fetchval("SELECT pg_sleep(2)")


async def _check_moved(connection: Any) -> None:
    source = await connection.fetchval("SELECT source FROM moves WHERE finished_at IS NULL")
    if source is not None:
        raise StoreUnusable(
            f"not all of {source} has been moved into the database yet",
            cure="go on with `gateway migrate`, or name another database",
        )


def _migrations() -> list[Traversable]:
    folder = files(__package__) / "migrations"
    steps = (step for step in folder.iterdir() if step.name.endswith(".sql"))
    return sorted(steps, key=lambda step: step.name)
