"""A server in a process group of its own, so that nothing of it is left behind."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

START_SECONDS = 90
STOP_SECONDS = 15


class NotStarted(Exception):
    """A server did not say that it serves; what it did say."""


class Child:
    """A command that serves until it is stopped."""

    def __init__(
        self, command: list[str | Path], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._lines: list[str] = []
        self._ended = False
        self._more = threading.Condition()
        self._child = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def said(self, words: str) -> None:
        """Wait until it has said this. Raises NotStarted where it ends first, or takes too long."""

        def so() -> bool:
            return any(words in line for line in self._lines)

        with self._more:
            self._more.wait_for(lambda: so() or self._ended, START_SECONDS)
        if not so():
            said = "\n".join(self._lines[-30:])
            self.stop()
            raise NotStarted(f"{self._child.args} did not say {words!r}, but:\n{said}")

    def stop(self) -> None:
        """End it and whatever it started."""
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self._child.wait()
        self._reader.join(STOP_SECONDS)
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)

    def _read(self) -> None:
        for line in self._child.stdout or ():
            with self._more:
                self._lines.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()
