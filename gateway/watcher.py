"""Sees that the routes file, one that it refers to, or a handler beside it, has changed; or a file of tokens."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from watchfiles import awatch

DEBOUNCE_MS = 100
LOOK_EVERY_MS = 2_000
"""How often to look unasked: network and bind mounts may tell nothing of a change."""


class Watcher:
    """Calls *changed* after each change of content; edits that leave it the same do not count.

    Folders are watched, not files: editors replace files, and Kubernetes replaces links.
    """

    def __init__(
        self,
        routes: Callable[[], Sequence[Path]],
        packages: Callable[[], Iterable[str]],
        changed: Callable[[], Awaitable[object]],
    ) -> None:
        self._routes = routes
        """The routes file, then those that it includes and refers to now, secrets among them."""
        self._packages = packages
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._digests: dict[Path, tuple[tuple[int, ...], bytes]] = {}
        """By file: its size and time, and the digest of what it then held."""
        self._seen = self._content()

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._run(), name="watcher")

    async def stop(self) -> None:
        """Watch no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            folders = self._folders()
            async for _ in awatch(
                *folders,
                watch_filter=None,
                debounce=DEBOUNCE_MS,
                step=50,
                rust_timeout=LOOK_EVERY_MS,
                yield_on_timeout=True,
                recursive=False,
            ):
                seen = self._content()
                if seen != self._seen:
                    try:
                        await self._changed()
                    except Exception:  # whatever it was, the next change is to be seen
                        logging.getLogger(__name__).exception(
                            "a changed file could not be taken over"
                        )
                    self._seen = self._known_after(seen)
                if self._folders() != folders:
                    break

    def _folders(self) -> list[Path]:
        """The routes files' folders, and every folder of the packages that handlers live in."""
        files = self._routes()
        home = files[0].parent
        found = {file.parent for file in files}
        for package in self._packages():
            for folder in (home / package, *(home / package).rglob("*")):
                if folder.is_dir() and folder.name != "__pycache__":
                    found.add(folder)
        return sorted(folder for folder in found if folder.is_dir())

    def _content(self) -> dict[Path, bytes]:
        """A digest of each routes file and of each file of the handlers' code."""
        files = list(self._routes())
        for folder in self._folders():
            files += sorted(folder.glob("*.py"))
        return {file: self._digest(file) for file in files}

    def _known_after(self, before: dict[Path, bytes]) -> dict[Path, bytes]:
        """What is known once a change was told, when the files held *before*.

        What the change itself brought was read with it, and is no other change: unless it is newer
        than all that were watched, so that it may have been written after it was read.
        """
        newest = max(map(_changed_at, before), default=0)
        after = self._content()
        more = {file: _changed_at(file) for file in after.keys() - before.keys()}
        return {
            file: before[file] if file in before else b"(unread)" if more[file] > newest else digest
            for file, digest in after.items()
        }

    def _digest(self, file: Path) -> bytes:
        try:
            about = file.stat()
            stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
            known = self._digests.get(file)
            if known is None or known[0] != stamp:
                known = self._digests[file] = (stamp, sha256(file.read_bytes()).digest())
        except OSError:
            return b"(absent)"
        return known[1]


def _changed_at(file: Path) -> int:
    """When a file was last written or put in its place; 0 where it is absent."""
    try:
        return file.stat().st_ctime_ns
    except OSError:
        return 0
