"""What a database holds of a run, read past the gateway by connections that cannot write."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import asyncpg
import orjson

from gateway.core.model import FOREVER, EventId, Micros, delivery_id
from gateway.core.postgres_url import PostgresUrl


class Attempt(NamedTuple):
    """One that is recorded."""

    number: int
    started_at: Micros
    ended_at: Micros
    outcome: str


@dataclass
class Delivery:
    """One, with its attempts in order."""

    name: str
    event: str
    endpoint: str
    state: str
    due_at: Micros
    attempts: list[Attempt] = field(default_factory=list)


@dataclass
class Event:
    """One, with its deliveries by endpoint."""

    sha256: str
    counted: int
    """How many deliveries its row says that it has."""
    deliveries: dict[str, Delivery] = field(default_factory=dict)


@dataclass
class Kept:
    """All of it. Events go by their sender's id: one each, if none is kept twice."""

    soundness: str
    events: dict[str, list[Event]]
    deliveries: dict[str, Delivery]
    orphans: list[str]
    """Deliveries without their event, and attempts without their delivery."""
    waiting: dict[str, Micros]
    """Until when endpoints get nothing, as every operator sees."""


Database: TypeAlias = Path | PostgresUrl
Rows: TypeAlias = list[tuple[Any, ...]]

# What nobody gets for the time being: paused, disabled or blocked, or because it asked to be left alone.
WAITING = f"SELECT name, held_until FROM lanes UNION ALL SELECT name, {FOREVER} FROM endpoints"
EVENTS = "SELECT id, body, deliveries FROM events"
DELIVERIES = "SELECT event_id, n, endpoint, state, due_at FROM deliveries"
ATTEMPTS = "SELECT event_id, n, number, started_at, started_at + duration, outcome FROM attempts ORDER BY number"
LEASED = "SELECT count(*) FROM deliveries WHERE state = 'leased'"
DUE = "SELECT endpoint, min(due_at) FROM deliveries WHERE state = 'scheduled' GROUP BY endpoint"

SOUNDNESS = "PRAGMA integrity_check(1)"
SOUNDNESS_OF_POSTGRES = """
SELECT coalesce(min(event_id || '_' || n || ' is both to be done and ended'), 'ok')
FROM deliveries JOIN ended_deliveries USING (event_id, n)
"""


def read_kept(database: Database) -> Kept:
    """Read it all."""
    if isinstance(database, Path):
        statements = SOUNDNESS, DELIVERIES
    else:
        statements = SOUNDNESS_OF_POSTGRES, DELIVERIES.replace("deliveries", "all_deliveries")
    soundness, deliveries, waiting, events, attempts = _read(
        database, *statements, WAITING, EVENTS, ATTEMPTS
    )
    kept = Kept(soundness[0][0], defaultdict(list), {}, [], dict(waiting))
    _take_deliveries(deliveries, kept, _take_events(events, kept))
    _take_attempts(attempts, kept)
    return kept


def is_due(database: Database, until: Micros) -> bool:
    """Whether an attempt is under way, or due by then at an endpoint that gets any."""
    ((leased,),), due, waiting = _read(database, LEASED, DUE, WAITING)
    over_at = dict(waiting)
    return leased > 0 or any(
        due_at < until and over_at.get(endpoint, 0) <= until for endpoint, due_at in due
    )


def _read(database: Database, *statements: str) -> list[Rows]:
    """What each of these finds."""
    if isinstance(database, Path):
        with closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        ) as source:
            return [source.execute(statement).fetchall() for statement in statements]
    with ThreadPoolExecutor(1) as apart:  # whoever asks may have an event loop
        return apart.submit(asyncio.run, _read_postgres(database, statements)).result()


async def _read_postgres(url: PostgresUrl, statements: Sequence[str]) -> list[Rows]:
    connection = await asyncpg.connect(
        url.text, server_settings={"default_transaction_read_only": "on"}
    )
    try:
        return [[tuple(row) for row in await connection.fetch(each)] for each in statements]
    finally:
        await connection.close()


def _take_events(rows: Rows, kept: Kept) -> dict[EventId, tuple[str, Event]]:
    """The events by our name for them, with the sender's."""
    found = {}
    for name, body, counted in rows:
        event, given = Event(sha256(body).hexdigest(), counted), orjson.loads(body)["id"]
        kept.events[given].append(event)
        found[name] = (given, event)
    return found


def _take_deliveries(rows: Rows, kept: Kept, events: dict[EventId, tuple[str, Event]]) -> None:
    for event_id, n, endpoint, *row in rows:
        name = delivery_id(event_id, n)
        if event_id not in events:
            kept.orphans.append(name)
            continue
        given, event = events[event_id]
        event.deliveries[endpoint] = kept.deliveries[name] = Delivery(name, given, endpoint, *row)


def _take_attempts(rows: Rows, kept: Kept) -> None:
    for event_id, n, *row in rows:
        name = delivery_id(event_id, n)
        if name in kept.deliveries:
            kept.deliveries[name].attempts.append(Attempt(*row))
        else:
            kept.orphans.append(name)
