"""The lock of the database file, and how its holder can be reached.

One process owns a database. It holds an exclusive lock on `<database>.lock` for as long as it runs
and writes into that file how it can be reached, so that the other commands find it. They need nothing
of the store for that.
"""

import fcntl
import os
from pathlib import Path

import orjson

from gateway.core.errors import StoreInUse
from gateway.core.model import Json


class Lock:
    """The exclusive right to a database, and the note beside it that says who has it."""

    def __init__(self, database: Path) -> None:
        self._path = lock_path(database)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            holder = read_note(database) or {}
            raise StoreInUse(
                f"the database {database} is in use by process {holder.get('pid', '(unknown)')}",
                cure="stop that one first, or name another file with --database; several at once need"
                " PostgreSQL: --database postgresql://…",
            ) from None

    def note(self, **facts: Json) -> None:
        """Write down how the holder can be reached."""
        text = orjson.dumps({"pid": os.getpid(), **facts}, option=orjson.OPT_APPEND_NEWLINE)
        os.fchmod(self._file, 0o600)  # it may hold a token
        os.pwrite(self._file, text, 0)
        os.ftruncate(self._file, len(text))

    def release(self) -> None:
        """Let go. The file stays: to unlink it would let two processes hold one name each."""
        os.ftruncate(self._file, 0)
        os.close(self._file)


def lock_path(database: Path) -> Path:
    """The lock file of a database."""
    return database.with_name(database.name + ".lock")


def read_note(database: Path) -> dict[str, Json] | None:
    """What the process that serves *database* wrote beside it; None when none does."""
    try:
        file = os.open(lock_path(database), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        text = os.read(file, 4096)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            note: dict[str, Json] = orjson.loads(text) if text else {}
            return note
        return None
    finally:
        os.close(file)
