"""Copies of a database: of one moment, whole, checked, while a gateway goes on working on it.

SQLite writes a copy by one long read (VACUUM INTO), which sees the database as it was when it began and
holds up no writer. The copy has its name only once it is complete, checked and synced: whatever
interrupts it, a torn one is never taken for a backup. What is encrypted in the database is so in it.
"""

import fcntl
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from gateway.core.errors import BackupFailed, StoreUnavailable
from gateway.store.sqlite.database import known_schema, reading_only, translated

Progress = Callable[[int, int], None]
"""Told how many bytes are written, of how many."""

KEPT = 2
"""So many copies made before migrations stay, the newest."""
SPARE_SHARE = 20
"""A copy wants a twentieth more room than the database uses."""
LOOK_EVERY = 1000
"""Steps of SQLite's machine between two looks at how far it is: it takes a few for each row."""


class Copied(NamedTuple):
    """A backup."""

    file: Path
    size_bytes: int
    schema: int


def back_up(
    database: Path, to: Path, *, replace: bool = False, progress: Progress | None = None
) -> Copied:
    """Copy *database* to *to*, readable for its owner alone.

    Raises BackupFailed where *to* is there already (unless it may be replaced), has no room, or the
    copy is not sound; StoreUnavailable where the database cannot be read.
    """
    if to.exists() and not replace:
        raise BackupFailed(f"{to} is there already", cure="name a file that is not")
    with reading_only(database) as source, _part(to) as (part, file):
        size, schema = _facts(source)
        _check_room(to.parent, size)
        source.set_progress_handler(_teller(part, size, progress), LOOK_EVERY)
        with _interruptible(), translated(f"cannot copy {database} to {part}"):
            source.execute("VACUUM INTO ?", (str(part),))
        _check_copy(part)
        os.fsync(file)
        _name(part, to, replace=replace)
    return Copied(to, to.stat().st_size, schema)


def back_up_before_migration(database: Path) -> Copied | None:
    """Copy a database that is about to be migrated; None where it is not.

    The copy stands beside it, named after the schema that it has; of earlier ones, the newest stay.
    """
    if not database.exists() or database.stat().st_size == 0:
        return None
    with reading_only(database) as source:
        _, schema = _facts(source)
    if not 0 < schema < known_schema():
        return None
    to = database.with_name(f"{database.name}.schema-{schema}")
    logging.getLogger(__name__).warning(
        "the database is copied before it is migrated", extra={"copy": str(to)}
    )
    try:
        copied = back_up(database, to, replace=True)
    except BackupFailed as error:
        raise BackupFailed(
            f"the database has to be migrated, and cannot be copied before: {error.what}",
            cure=f"{error.cure}; or start with --skip-backup",
        ) from None
    for old in _before_migrations(database)[:-KEPT]:
        old.unlink()
    return copied


def _before_migrations(database: Path) -> list[Path]:
    """The copies that were made before migrations, oldest schema first."""
    found = {
        int(number): file
        for file in database.parent.glob(f"{database.name}.schema-*")
        if (number := file.name.rpartition("-")[2]).isdigit()
    }
    return [found[number] for number in sorted(found)]


def _facts(source: sqlite3.Connection) -> tuple[int, int]:
    """How many bytes are used, and the number of the schema."""
    names = ("page_count", "freelist_count", "page_size", "user_version")
    with translated("cannot read the database"):
        pages, free, size, schema = (
            source.execute(f"PRAGMA {name}").fetchone()[0] for name in names
        )
    return (pages - free) * size, schema


@contextmanager
def _part(to: Path) -> Iterator[tuple[Path, int]]:
    """The file in which the copy grows, open and locked; it is gone in the end, unless it was killed."""
    part = to.with_name(f"{to.name}.part")
    try:
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        cure = "make its folder, and make it writable"
        raise BackupFailed(f"cannot write {part}: {error.strerror}", cure=cure) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise BackupFailed(f"{part} is being written", cure="let that backup end") from None
    try:
        os.fchmod(file, 0o600)
        os.ftruncate(file, 0)  # one that was killed may have left its half
        yield part, file
    finally:
        part.unlink(missing_ok=True)
        os.close(file)


def _check_room(folder: Path, size: int) -> None:
    wanted, free = size + size // SPARE_SHARE, shutil.disk_usage(folder).free
    if free < wanted:
        raise BackupFailed(
            f"a copy takes {wanted:,} bytes, and {folder} has {free:,} free",
            cure="free some space",
        )


def _teller(part: Path, size: int, progress: Progress | None) -> Callable[[], int]:
    def tell() -> int:
        if progress is not None:
            progress(min(part.stat().st_size, size), size)
        return 0

    return tell


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C within SQLite's work comes out of it as an error of SQLite's: make it one of ours again."""
    try:
        yield
    except StoreUnavailable as error:
        cause = error.__cause__
        if getattr(cause, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            raise KeyboardInterrupt from None
        raise


def _check_copy(part: Path) -> None:
    with (
        translated(f"cannot read {part}"),
        closing(sqlite3.connect(f"{part.absolute().as_uri()}?mode=ro", uri=True)) as copy,
    ):
        (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise BackupFailed(f"the copy is not sound: {found}", cure="check the disk; try again")


def _name(part: Path, to: Path, *, replace: bool) -> None:
    """Give the copy its name, in one step that lasts."""
    try:
        if replace:
            part.replace(to)
        else:
            to.hardlink_to(part)  # unlike a renaming, it never takes another file's place
    except FileExistsError:
        raise BackupFailed(f"{to} is there already", cure="name a file that is not") from None
    folder = os.open(to.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # not every file system can
            os.fsync(folder)
    finally:
        os.close(folder)
