"""What a machine does to a process: system calls that fail, small disks, a power cut."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN of Linux: the file system takes no more, and what is not on its disk yet is gone."""
NO_LOG_FLUSH = 2


def needs(what: str, *, there: bool) -> None:
    """Skip where the machine cannot do it; where all is asked for, fail."""
    if there:
        return
    if os.environ.get("TEST_TOOLS") == "required":
        pytest.fail(f"{what} is needed")
    pytest.skip(f"{what} is needed")


def needs_strace() -> None:
    needs("strace, as root", there=shutil.which("strace") is not None and os.geteuid() == 0)


def faulty(call: str, fault: str) -> tuple[str, ...]:
    """The command that runs another one, whose system calls of that name meet the fault."""
    needs_strace()
    return (
        "strace", "-f", "-qq", "-o", "/dev/null",
        "-e", f"trace={call}", "-e", f"inject={call}:{fault}",
    )  # fmt: skip


@contextlib.asynccontextmanager
async def injected(pid: int, call: str, fault: str) -> AsyncIterator[None]:
    """While it lasts, each such system call of a process meets the fault."""
    needs_strace()
    tracer = await asyncio.create_subprocess_exec(
        "strace", "-f", "-p", str(pid), "-e", f"trace={call}", "-e", f"inject={call}:{fault}",
        stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert tracer.stderr is not None
    while b"attached" not in (line := await tracer.stderr.readline()):
        assert line, "strace could not attach"
    draining = asyncio.create_task(tracer.stderr.read())
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            tracer.send_signal(signal.SIGINT)
        await tracer.wait()
        await draining


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own, of that size and in memory, in that folder."""
    needs("to be root", there=os.geteuid() == 0)
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(mounting, check=False)
    needs("the right to mount", there=done.returncode == 0)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Have that file system mounted otherwise."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def fill(file: Path) -> None:
    """Leave no room on that disk."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while True:
            out.write(b"\0" * 4096)


class Ext4:
    """A disk with ext4 in *folder*, whose power can be cut."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.image = image
        self.folder = folder

    def make(self, size_bytes: int) -> None:
        """Lay it out, empty, and mount it."""
        needs("to be root", there=os.geteuid() == 0)
        needs("mkfs.ext4", there=shutil.which("mkfs.ext4") is not None)
        with self.image.open("wb") as file:
            file.truncate(size_bytes)
        subprocess.run(["mkfs.ext4", "-q", str(self.image)], check=True)
        self.folder.mkdir()
        needs("the right to mount a loop device", there=self._mount() == 0)

    def cut(self) -> None:
        """From now on nothing reaches the disk; what had not been synced is not on it."""
        top = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(top, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(top)

    def power_up(self) -> None:
        """Mount it again, once nobody has a file of it open: ext4 goes by its journal."""
        subprocess.run(["umount", str(self.folder)], check=True)
        assert self._mount() == 0

    def _mount(self) -> int:
        mounting = ["mount", "-o", "loop", str(self.image), str(self.folder)]
        return subprocess.run(mounting, check=False).returncode

    def remove(self) -> None:
        """Unmount it, whoever still uses it."""
        if self.folder.is_mount():
            subprocess.run(["umount", "-l", str(self.folder)], check=True)
