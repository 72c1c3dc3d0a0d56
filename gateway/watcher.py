"""Sees that the routes file, or a handler beside it, has changed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
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
        routes: Path,
        packages: Callable[[], Iterable[str]],
        changed: Callable[[], Awaitable[object]],
    ) -> None:
        self._routes = routes.absolute()
        self._packages = packages
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
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
                    self._seen = seen
                    await self._changed()
                if self._folders() != folders:
                    break

    def _folders(self) -> list[Path]:
        """The routes file's folder, and every folder of the packages that its handlers live in."""
        home = self._routes.parent
        found = {home}
        for package in self._packages():
            for folder in (home / package, *(home / package).rglob("*")):
                if folder.is_dir() and folder.name != "__pycache__":
                    found.add(folder)
        return sorted(found)

    def _content(self) -> bytes:
        """A digest of the routes file and of the handlers' code."""
        files = [self._routes]
        for folder in self._folders():
            files += sorted(folder.glob("*.py"))
        digest = sha256()
        for file in files:
            try:
                content = file.read_bytes()
            except OSError:
                content = b"(absent)"
            digest.update(b"%b\0%d\0%b" % (str(file).encode(), len(content), content))
        return digest.digest()
