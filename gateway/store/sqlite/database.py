"""Opening the database file: its settings, its migrations. Its lock is in lock.py."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from gateway.core.errors import (
    DiskFull,
    SchemaTooNew,
    StoreBroken,
    StoreUnavailable,
    StoreUnusable,
)
from gateway.core.turns import Ready
from gateway.store.disk import FREE_SOME, NO_ROOM, full
from gateway.store.steps import (
    Do,
    Insert,
    Result,
    Row,
    Steps,
    Tell,
    is_shared,
    shared_statement,
)

OLDEST_SQLITE = (3, 38, 0)
"""STRICT tables (3.37), UPDATE FROM (3.33) and the ->> operator (3.38) are needed."""

PAGE_BYTES = 4096
"""SQLite's own default."""

SETTINGS = (
    f"PRAGMA page_size = {PAGE_BYTES}",
    "PRAGMA auto_vacuum = INCREMENTAL",  # takes effect only before the first table
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # with NORMAL, a power cut loses what was acknowledged
    "PRAGMA wal_autocheckpoint = 0",  # the writer checkpoints between batches
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = FAST",  # what is deleted leaves no bytes in pages that stay
    "PRAGMA mmap_size = 0",
    "PRAGMA cache_size = -16384",
)


@cache
def statement(name: str) -> str:
    """The SQL statement of that name."""
    if is_shared(name):
        return shared_statement(name)
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8").strip()


class Transaction(sqlite3.Cursor):
    """A cursor that notes what may go now that had to wait: to be told once it is committed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.ready: Ready = []


def take(cursor: Transaction, steps: Steps[Result]) -> Result:
    """Take all steps; what they come to. Nobody else writes, so there is nothing to lock."""
    answer: Sequence[Row] = ()
    try:
        step = next(steps)
        while True:
            if isinstance(step, Do):
                answer = cursor.execute(statement(step.name), bound(step.given)).fetchall()
            elif isinstance(step, Insert):
                insert_many(cursor, statement(step.name), step.rows)
            elif isinstance(step, Tell):
                cursor.ready += step.ready
            step = steps.send(answer)
    except StopIteration as end:
        result: Result = end.value
        return result


def bound(given: Sequence[object] | Mapping[str, object]) -> Any:
    """Parameters as SQLite takes them: a list as JSON."""
    if isinstance(given, Mapping):
        return given
    return [orjson.dumps(each).decode() if isinstance(each, list) else each for each in given]


def insert_many(cursor: sqlite3.Cursor, insert: str, rows: Sequence[Sequence[object]]) -> None:
    """Run an INSERT of one row for many, in as few statements as can be prepared once and kept."""
    head, values, row = insert.partition("VALUES")
    row, conflict, action = row.partition("ON CONFLICT")
    for start, size in powers_of_two(len(rows)):
        chunk = rows[start : start + size]
        text = f"{head}{values}{','.join([row] * size)} {conflict}{action}"
        cursor.execute(text, list(chain.from_iterable(chunk)))


def powers_of_two(total: int, largest: int = 256) -> Iterator[tuple[int, int]]:
    """Cover *total* items with (start, size) chunks whose sizes are few: powers of two."""
    start, size = 0, largest
    while start < total:
        while size > total - start:
            size //= 2
        yield start, size
        start += size


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise a StoreUnavailable where SQLite cannot do its work; what is wrong with *our* work passes."""
    try:
        yield
    except (
        sqlite3.DataError,
        sqlite3.IntegrityError,
        sqlite3.InterfaceError,
        sqlite3.ProgrammingError,
    ):
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", None) or type(error).__name__
        primary = "_".join(code.split("_")[:2])  # SQLITE_READONLY_DBMOVED is a SQLITE_READONLY
        kind = KINDS_OF_FAILURE.get(code) or KINDS_OF_FAILURE.get(primary, StoreUnavailable)
        cure = CURES.get(code) or CURES.get(primary, "")
        raise kind(f"{what}: {error} ({code})", cure=cure) from error


KINDS_OF_FAILURE: dict[str, type[StoreUnavailable]] = {
    "SQLITE_FULL": DiskFull,
    "SQLITE_IOERR_SHMSIZE": DiskFull,
    "SQLITE_READONLY": StoreUnusable,
    "SQLITE_CANTOPEN": StoreUnusable,
    # What a failed sync has left on the disk cannot be told: the kernel takes the pages for clean.
    # https://wiki.postgresql.org/wiki/Fsync_Errors
    "SQLITE_IOERR_FSYNC": StoreBroken,
    "SQLITE_IOERR_DIR_FSYNC": StoreBroken,
    # And what does not read back as it was written was lost after it had been acknowledged.
    "SQLITE_IOERR_READ": StoreBroken,
    "SQLITE_IOERR_SHORT_READ": StoreBroken,
    "SQLITE_IOERR_CORRUPTFS": StoreBroken,
    "SQLITE_IOERR_DATA": StoreBroken,
    "SQLITE_CORRUPT": StoreBroken,
    "SQLITE_NOTADB": StoreBroken,
}
"""By the full name of SQLite's code, else by its first two words. What is not here may pass by itself,
a write that was refused for instance: SQLite rolls it back, and knows what is on the disk."""

LOOK_AT_THE_DISK = "see the kernel's log, and check or replace the disk"

CURES = {
    "SQLITE_FULL": FREE_SOME,
    "SQLITE_IOERR_SHMSIZE": FREE_SOME,
    "SQLITE_IOERR": LOOK_AT_THE_DISK,
    "SQLITE_READONLY": "make the database and its folder writable",
    "SQLITE_CANTOPEN": "make sure that its folder exists and is writable, and that file descriptors"
    " are left (`ulimit -n`)",
    "SQLITE_CORRUPT": "keep the file, and restore a backup",
    "SQLITE_NOTADB": "name another file with --database",
    "SQLITE_BUSY": "another program holds the database: close it",
}


def connect(path: Path) -> sqlite3.Connection:
    """The one connection that writes. Raises a StoreUnavailable, with the cure."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreUnusable(
            f"Python was built with SQLite {sqlite3.sqlite_version}",
            cure=f"use a Python with SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer",
        )
    try:
        path.touch(mode=0o600)  # it holds what senders sent: nobody else reads it
    except OSError as error:
        raise unusable(path, error) from error
    with translated(f"cannot open the database {path}"):
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            for setting in SETTINGS:
                connection.execute(setting)
            _fold_log(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def unusable(path: Path, error: OSError) -> StoreUnavailable:
    """What to say where the system does not let a database be made or written."""
    if error.errno in NO_ROOM:
        return full(path)
    return StoreUnusable(
        f"cannot use {path} for the database: {error.strerror}",
        cure="make the folder and the file writable, or name another with --database",
    )


def _fold_log(connection: sqlite3.Connection) -> None:
    """Have all of the log in the database file, written and synced anew, before anything is added to it.

    If the process before ended on a sync that failed, the log may be whole in the kernel's memory and
    have a hole on the disk. What would be acknowledged after the hole would be lost with the power.
    """
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_FULL":  # then nothing is taken until there is room
            raise


def _migrations() -> list[Traversable]:
    folder = files(__package__) / "migrations"
    steps = (step for step in folder.iterdir() if step.name.endswith(".sql"))
    return sorted(steps, key=lambda step: step.name)


def known_schema() -> int:
    """The number of the schema that this gateway reads and writes."""
    return len(_migrations())


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date, one numbered file after the other, each in a transaction."""
    steps = _migrations()
    with translated("cannot migrate the database"):
        (present,) = connection.execute("PRAGMA user_version").fetchone()
        _refuse_newer(present, len(steps))
        for number, step in enumerate(steps, start=1):
            if number > present:
                connection.executescript(
                    "BEGIN IMMEDIATE;\n"
                    + step.read_text(encoding="utf-8")
                    + f"\nPRAGMA user_version = {number};\nCOMMIT;"
                )


def touch(cursor: sqlite3.Cursor) -> None:
    """Write what is there already: the commit is a real one, with its sync, and changes nothing."""
    (present,) = cursor.execute("PRAGMA user_version").fetchone()
    cursor.execute(f"PRAGMA user_version = {present}")


def _refuse_newer(present: int, known: int) -> None:
    if present > known:
        raise SchemaTooNew(
            f"the database has schema {present}, this gateway knows {known}",
            cure="run the newer gateway that wrote it, or restore an older backup",
        )


def check_schema(present: int) -> None:
    """Whether a database with that schema can be read as it is.

    Raises SchemaTooNew, or StoreUnavailable where it has yet to be brought up to date.
    """
    known = known_schema()
    _refuse_newer(present, known)
    if present < known:
        raise StoreUnavailable(
            f"the database has schema {present}, this gateway reads {known}",
            cure="start `gateway serve` on it once: it brings it up to date",
        )


@contextmanager
def reading_only(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, and leaves the folder as it was."""
    had_log = log_path(path).exists()
    with translated(f"cannot open the database {path}"):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
        )
    try:
        yield connection
    finally:
        connection.close()
        if not had_log:
            remove_empty_log(path)


def remove_empty_log(path: Path) -> None:
    """Have SQLite remove the log that a reader made where nobody had the database open.

    A read-only connection cannot. SQLite does so only where no other connection is open by then.
    """
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def log_path(database: Path) -> Path:
    """Where SQLite keeps what has not yet been copied into the database."""
    return database.with_name(database.name + "-wal")
