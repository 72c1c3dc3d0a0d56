"""The SQLite file that is moved: nobody else has it meanwhile, and it is only read."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from gateway.core.model import Micros, first_id, received_at
from gateway.core.retention import DAY
from gateway.store.lock import Lock
from gateway.store.moving.tables import Table
from gateway.store.sqlite.database import check_schema, reading_only, translated, unusable
from gateway.store.steps import Row

PAGE_ROWS = 2000
PAGE_BYTES = 4 * 1024 * 1024
"""A page is full with so many rows, or when they hold so much."""

LARGE = frozenset(
    {"body", "head", "data", "headers", "excerpt", "calls", "entries", "personal", "leaves"}
)
"""Columns in which there may be much."""

FIRST_FROM = "SELECT min(id) FROM events WHERE id >= ?"


class Source:
    """What is to be moved."""

    def __init__(self, connection: sqlite3.Connection, place: str) -> None:
        self._connection = connection
        self.place = place
        """Its file."""

    def count(self, table: Table) -> int:
        """How many rows of a table there are."""
        with translated("cannot read"):
            ((count,),) = self._connection.execute(table.read_count())
        return int(count)

    def pages(self, table: Table, after: Sequence[object] = ()) -> Iterator[list[Row]]:
        """Its rows, those *after* a key, in the order of their keys."""
        large = [i for i, name in enumerate(table.columns) if name in LARGE]
        page: list[Row] = []
        size = 0
        with translated("cannot read"):
            for row in self._connection.execute(table.read(after=bool(after)), after):
                page.append(row)
                size += sum([len(row[i] or ()) for i in large])
                if len(page) == PAGE_ROWS or size >= PAGE_BYTES:
                    yield page
                    page, size = [], 0
        if page:
            yield page

    def compared(self, table: Table) -> Iterator[list[Row]]:
        """What its rows are compared by."""
        with translated("cannot read"):
            found = self._connection.execute(table.compare_source())
            while page := found.fetchmany(PAGE_ROWS):
                yield page

    def days(self) -> Iterator[Micros]:
        """A moment of each day that has events."""
        low = first_id("evt", 0)
        while True:
            with translated("cannot read"):
                ((first,),) = self._connection.execute(FIRST_FROM, (low,))
            if first is None:
                return
            moment = received_at(first)
            yield moment
            low = first_id("evt", moment - moment % DAY + DAY)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Take a database for oneself, to read it.

    Raises StoreInUse, SchemaTooNew, or StoreUnavailable where it has yet to be brought up to date.
    """
    try:
        lock = Lock(path)
    except OSError as error:
        raise unusable(path, error) from error
    try:
        lock.note()
        with reading_only(path) as connection:
            connection.create_function("sha256", 1, _digest, deterministic=True)
            with translated("cannot read the database"):
                ((present,),) = connection.execute("PRAGMA user_version")
            check_schema(present)
            yield Source(connection, str(path.absolute()))
    finally:
        lock.release()


def _digest(value: bytes | None) -> bytes | None:
    return None if value is None else sha256(value).digest()
