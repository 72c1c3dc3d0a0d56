"""Bringing the schema up to date: one node at a time, numbered files, each in a transaction.

Old nodes may still be at work meanwhile. So a file only ever adds; what is not needed any more goes with a
later version, once no node is left that needs it.
"""

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from gateway.core.errors import SchemaTooNew
from gateway.core.postgres_url import PostgresUrl
from gateway.store.postgres.database import SETTINGS, Work, translated
from gateway.store.postgres.reach import connect
from gateway.store.postgres.vault import Keys

PATIENT = {**SETTINGS, "application_name": "gateway migration", "statement_timeout": "0"}
LOCK = 0x6761746577617901
"""Advisory: of whoever migrates."""

KNOWN = "CREATE TABLE IF NOT EXISTS gateway_schema (number integer NOT NULL PRIMARY KEY, at timestamptz NOT NULL)"


async def migrate(url: PostgresUrl, keys: Keys) -> None:
    """Bring the schema up to date, and the data keys into the vault, with a fresh one to seal with.

    Raises StoreUnavailable, SchemaTooNew, or ConfigError where the keys do not open.
    """
    with translated(f"cannot reach {url}"):
        connection = await connect(url, server_settings=PATIENT)
    try:
        with translated("cannot migrate the database"):
            await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
            await connection.execute(KNOWN)
            await _take_steps(connection, _migrations())
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
            async with connection.transaction():
                await connection.execute(step.read_text(encoding="utf-8"))
                await connection.execute("INSERT INTO gateway_schema VALUES ($1, now())", number)


def _migrations() -> list[Traversable]:
    folder = files(__package__) / "migrations"
    steps = (step for step in folder.iterdir() if step.name.endswith(".sql"))
    return sorted(steps, key=lambda step: step.name)
