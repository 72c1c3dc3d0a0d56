"""What a database holds of a run, read past the gateway by a connection that cannot write."""

import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import orjson

from gateway.core.model import FOREVER, EventId, Micros, delivery_id


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


def read_kept(database: Path) -> Kept:
    """Read it all."""
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source:
        (soundness,) = source.execute("PRAGMA integrity_check(1)").fetchone()
        kept = Kept(soundness, defaultdict(list), {}, [], _waiting(source))
        _read_deliveries(source, kept, _read_events(source, kept))
        _read_attempts(source, kept)
    return kept


def is_due(database: Path, until: Micros) -> bool:
    """Whether an attempt is under way, or due by then at an endpoint that gets any."""
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source:
        waiting = [name for name, over_at in _waiting(source).items() if over_at > until]
        marks = ", ".join("?" * len(waiting))
        found = source.execute(
            f"""
            SELECT 1 FROM deliveries WHERE state = 'leased'
                OR state = 'scheduled' AND due_at < ? AND endpoint NOT IN ({marks}) LIMIT 1
            """,
            (until, *waiting),
        )
        return found.fetchone() is not None


def _waiting(source: sqlite3.Connection) -> dict[str, Micros]:
    """Those that are paused, disabled or blocked, and those that asked to be left alone."""
    found = source.execute(
        "SELECT name, held_until FROM lanes UNION ALL SELECT name, ? FROM endpoints", (FOREVER,)
    )
    return dict(found.fetchall())


def _read_events(source: sqlite3.Connection, kept: Kept) -> dict[EventId, tuple[str, Event]]:
    """The events by our name for them, with the sender's."""
    found = {}
    for name, body, counted in source.execute("SELECT id, body, deliveries FROM events"):
        event, given = Event(sha256(body).hexdigest(), counted), orjson.loads(body)["id"]
        kept.events[given].append(event)
        found[name] = (given, event)
    return found


def _read_deliveries(
    source: sqlite3.Connection, kept: Kept, events: dict[EventId, tuple[str, Event]]
) -> None:
    columns = "event_id, n, endpoint, state, due_at"
    for event_id, n, endpoint, *row in source.execute(f"SELECT {columns} FROM deliveries"):
        name = delivery_id(event_id, n)
        if event_id not in events:
            kept.orphans.append(name)
            continue
        given, event = events[event_id]
        event.deliveries[endpoint] = kept.deliveries[name] = Delivery(name, given, endpoint, *row)


def _read_attempts(source: sqlite3.Connection, kept: Kept) -> None:
    columns = "event_id, n, number, started_at, started_at + duration, outcome"
    for event_id, n, *row in source.execute(f"SELECT {columns} FROM attempts ORDER BY number"):
        name = delivery_id(event_id, n)
        if name in kept.deliveries:
            kept.deliveries[name].attempts.append(Attempt(*row))
        else:
            kept.orphans.append(name)
