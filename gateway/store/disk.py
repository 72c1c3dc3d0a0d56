"""The disk that the database is on: how much room it has, and a ballast that is thrown off when it has none.

A full disk cannot even be cleaned: to delete rows, SQLite first writes to its log. So some room is
taken in good time, by a file of zeros beside the database, and given back when nothing else is left.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

from gateway.core.errors import DiskFull

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says where a disk is full, or a quota used up."""
FREE_SOME = "the disk is full, or a quota used up: free some space; the gateway goes on by itself"

PROBED_BYTES = 64 * 1024
"""More than is left where a page of the database found no room."""

BALLAST_SHARE, RESERVE_SHARE = 8, 16
"""Of a small disk no more than an eighth is ballast, and a sixteenth reserve."""


class Disk:
    """See `ports.Disk`. Without *ballast* there is no file; without *reserve* the disk may fill up."""

    def __init__(self, database: Path, *, ballast: int, reserve: int) -> None:
        self._folder = database.parent
        self._ballast = ballast_path(database)
        seen = os.statvfs(self._folder)
        whole = seen.f_blocks * seen.f_frsize
        self.ballast_bytes = min(ballast, whole // BALLAST_SHARE)
        self.reserve_bytes = min(reserve, whole // RESERVE_SHARE)

    def free_bytes(self) -> int:
        """How much can still be written, as far as the file system says."""
        seen = os.statvfs(self._folder)
        return seen.f_bavail * seen.f_frsize

    @property
    def has_ballast(self) -> bool:
        """Whether the ballast is in its place, or none is wanted."""
        try:
            return self._ballast.stat().st_size >= self.ballast_bytes
        except FileNotFoundError:
            return self.ballast_bytes == 0

    def make_ballast(self) -> bool:
        """Take the room; where there is too little, nothing is taken. False: there was too little."""
        if self.has_ballast:
            return True
        try:
            file = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _fill(file, self.ballast_bytes)
            finally:
                os.close(file)
        except OSError as error:  # without room, or not allowed: it is looked at again
            self.release_ballast()
            return error.errno not in NO_ROOM
        return True

    def release_ballast(self) -> None:
        """Give its room back."""
        release(self._ballast)


def ballast_path(database: Path) -> Path:
    """The ballast of a database."""
    return database.with_name(database.name + ".ballast")


def release(file: Path) -> None:
    """Give the room back that a file takes, where there is one."""
    with suppress(OSError):
        file.unlink()


def has_room(database: Path) -> bool:
    """Whether there is any beside a database: tried out, for no figure of a file system knows of quotas."""
    place = database.with_name(database.name + ".probe")
    try:
        file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(file, bytes(PROBED_BYTES), 0)
        finally:
            os.close(file)
    except OSError as error:
        return error.errno not in NO_ROOM
    finally:
        release(place)
    return True


def full(database: Path) -> DiskFull:
    """What to say where there is no room for a database."""
    return DiskFull(f"there is no room for the database {database}", cure=FREE_SOME)


def _fill(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    zeros = bytes(1024 * 1024)  # macOS
    while size > 0:
        size -= os.write(file, zeros[:size])
