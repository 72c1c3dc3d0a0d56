"""Names the code that blocks the event loop.

A thread looks now and then whether the loop still turns. When it does not, the loop's stack tells
which line it is stuck in; the first frame that belongs to a handler names the culprit.
"""

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from gateway.core.histogram import MOMENTS, Histogram
from gateway.telemetry import Telemetry

PATIENCE_SECONDS = 1.0
"""A loop that has not turned for so long is blocked."""


class Watchdog:
    """Watches the event loop that it is started in; *handlers* tells where handlers' code is."""

    def __init__(
        self,
        telemetry: Telemetry,
        handlers: Callable[[], Sequence[Path]],
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._telemetry = telemetry
        self._handlers = handlers
        self._patience = patience
        self._turned = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.lag = Histogram(MOMENTS)
        """How many seconds the loop took to turn, each time it was looked at."""

    def start(self) -> None:
        """Begin to watch the running loop."""
        loop, watched = asyncio.get_running_loop(), threading.get_ident()
        self._thread = threading.Thread(
            target=self._watch, args=(loop, watched), name="watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()
        self._turned.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, watched: int) -> None:
        while not self._stop.is_set():
            self._turned.clear()
            asked_at = loop.time()
            try:
                loop.call_soon_threadsafe(self._turned.set)
            except RuntimeError:  # the loop is closed
                return
            if not self._turned.wait(self._patience):
                self._report(loop, sys._current_frames().get(watched))  # noqa: SLF001
                self._turned.wait()
            self.lag.observe(loop.time() - asked_at)
            self._stop.wait(self._patience / 4)

    def _report(self, loop: asyncio.AbstractEventLoop, frame: FrameType | None) -> None:
        name, fields = blamed(frame, self._handlers())
        loop.call_soon_threadsafe(lambda: self._telemetry.emit(name, **fields))


def blamed(frame: FrameType | None, handlers: Sequence[Path]) -> tuple[str, dict[str, Any]]:
    """What to report of a stack: the innermost frame of a handler, else the innermost of all."""
    innermost = frame
    while frame is not None:
        code = frame.f_code
        if any(Path(code.co_filename).is_relative_to(place) for place in handlers):
            place = f"{code.co_filename}:{frame.f_lineno}"
            return "handler.blocking", {"handler": code.co_qualname, "place": place}
        frame = frame.f_back
    place = "" if innermost is None else f"{innermost.f_code.co_filename}:{innermost.f_lineno}"
    return "loop.blocked", {"place": place}
