"""What is moved: each table of PostgreSQL, and where its rows stand in SQLite.

A test holds this page to the schemas of both.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

NOTHING: Mapping[str, str] = MappingProxyType({})

BYTES = frozenset(
    [
        "body",
        "says",
        "content",
        "head",
        "data",
        "sha256",
        "wrapped",
        "previous",
        "leaves",
        "entries",
        "signature",
        "personal",
        "secret",
    ]
)
"""Columns that hold bytes. A row is compared by their digests, so that none of them has to be in memory twice."""


class Table(NamedTuple):
    """A table of PostgreSQL."""

    name: str
    columns: tuple[str, ...]
    """Those of its primary key come first."""
    key: int = 1
    """How many these are."""
    rows: str = ""
    """What SQLite has of it, where it is not all of the table of that name."""
    instead: Mapping[str, str] = NOTHING
    """What SQLite has of a column, where that is another one."""

    def read(self, *, after: bool) -> str:
        """What reads its rows in SQLite, all or those *after* a key, in the order of their keys."""
        columns = ", ".join(self.instead.get(name, name) for name in self.columns)
        key = ", ".join(self.instead.get(name, name) for name in self.columns[: self.key])
        place = f" WHERE ({key}) > ({', '.join('?' * self.key)})" if after else ""
        return f"SELECT {columns} FROM {self.rows or self.name}{place} ORDER BY {key}"  # noqa: S608

    def read_count(self) -> str:
        """What counts its rows in SQLite."""
        return f"SELECT count(*) FROM {self.rows or self.name}"  # noqa: S608

    def compare_source(self) -> str:
        """What reads in SQLite what a row is compared by; there, a function `sha256` has to be made."""
        columns = ((self.instead.get(name, name), name in BYTES) for name in self.columns)
        return f"SELECT {_compared(columns)} FROM {self.rows or self.name}"  # noqa: S608

    def compare_target(self) -> str:
        """The same in PostgreSQL."""
        columns = ((name, name in BYTES) for name in self.columns)
        return f"SELECT {_compared(columns)} FROM {self.name}"  # noqa: S608


def _compared(columns: Iterable[tuple[str, bool]]) -> str:
    return ", ".join(f"sha256({name})" if is_bytes else name for name, is_bytes in columns)


def _named(columns: str) -> tuple[str, ...]:
    return tuple(columns.split())


OF_A_DELIVERY = (
    "event_id n route endpoint state form body sha256 target attempts round_from due_at created_at reason data_key"
    " priority leads key place after slot since expires_at late_at"
)

TABLES = (
    Table("data_keys", _named("id wrapped")),
    Table(
        "events",
        _named(
            "id source key type subject received_at content_type body head data data_start data_end sha256"
            " deliveries matched data_key erased_at routes"
        ),
    ),
    Table(
        # The latest event with a key has it. Found along the index, one key after the other.
        "event_keys",
        _named("source key event_id received_at"),
        key=2,
        rows="""(
            SELECT e.source, e.key, e.id, e.received_at
            FROM events AS e INDEXED BY events_by_key
            WHERE e.key IS NOT NULL AND NOT EXISTS (
                SELECT 1
                FROM events AS later INDEXED BY events_by_key
                WHERE later.source = e.source AND later.key = e.key
                  AND (later.received_at, later.id) > (e.received_at, e.id)
            )
        )""",
        instead={"event_id": "id"},
    ),
    Table(
        # Nobody holds a lease on them there: what was under way when the gateway was killed is due again.
        "deliveries",
        _named(f"{OF_A_DELIVERY} waits_for"),
        key=2,
        rows="(SELECT * FROM deliveries WHERE state IN ('scheduled', 'leased'))",
        instead={"state": "'scheduled'"},
    ),
    Table(
        "ended_deliveries",
        _named(f"{OF_A_DELIVERY} finished_at"),
        key=2,
        rows="(SELECT * FROM deliveries WHERE state NOT IN ('scheduled', 'leased'))",
    ),
    Table(
        "attempts",
        _named(
            "event_id n number started_at duration outcome status reason excerpt calls data_key"
        ),
        key=3,
    ),
    Table("withheld", _named("event_id route reason detail at"), key=2),
    Table("confirmations", _named("event_id route due_at otherwise"), key=2),
    Table("acts", _named("event_id n key endpoint begun_at"), key=3),
    Table(
        "plans",
        _named(
            "id planner key due_at nearest event_id type subject says data_key taken_until for_answer"
        ),
    ),
    Table("planned_for", _named("planner key as_of event_id answered answered_at"), key=2),
    Table("own_secrets", _named("purpose secret data_key")),
    Table("register", _named("collection key content as_of event_id changed_at data_key"), key=2),
    Table("register_fields", _named("collection field text key number"), key=4),
    Table("firings", _named("route value event_id fired_at"), key=2),
    Table(
        "inbox",
        _named(
            "id source code detail received_at content_type body event_id data_key refused outcome peer"
            " method headers body_bytes sha256 kept_bytes"
        ),
    ),
    Table("endpoints", _named("name state reason changed_at")),
    Table("lanes", _named("name begun_at held_until since probe_at probes reason")),
    Table("audit", _named("id at who address action object outcome")),
    Table("told", _named("what till")),
    Table("positions", _named("source position")),
    Table(
        "operations",
        _named(
            "id action filter rate started_at finished_at due_at position pages done made failed"
        ),
    ),
    Table("evidence_chains", _named("id name begun_at public_key before named gap")),
    Table(
        "evidence_links",
        _named("id at previous leaves entries personal stored signature data_key personal_key"),
    ),
    Table("evidence_places", _named("what link i"), key=3),
)
"""In the order in which they are moved."""
