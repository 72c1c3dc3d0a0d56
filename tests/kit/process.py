"""A real gateway, in a process that can be killed."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from gateway.store.lock import read_note
from tests.kit.cli import called
from tests.kit.leaks import HEARD


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at, below those that the system gives to connections that go out.

    One of those could take it while the process is away.
    """
    free = []
    while len(free) < count:
        with socket.socket() as sock:
            port = random.randrange(10_000, 32_000)  # no secret
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in free:
            free.append(port)
    return free


class GatewayProcess:
    """`gateway serve` in a folder; started as often as one likes, on the ports of its first start."""

    def __init__(self, folder: Path, *flags: str, environment: dict[str, str] | None = None,
                 before: tuple[str, ...] = ()) -> None:  # fmt: skip
        self.folder = folder
        self.flags = flags
        self.environment = environment or {}
        self.before = before
        """A command to run it under, such as strace."""
        self.public, self.admin = (f"127.0.0.1:{port}" for port in free_ports(2))
        self.lines: list[str] = []
        self.child: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._more = threading.Condition()
        self._ended = False

    @property
    def url(self) -> str:
        return f"http://{self.public}"

    @property
    def pid(self) -> int:
        note = read_note(self.folder / "data" / "gateway.db")
        if note is None and not self.before and self.child is not None:
            return self.child.pid  # on PostgreSQL
        assert note is not None
        return int(note["pid"])

    def start(self) -> "GatewayProcess":
        """Start it, and return when it serves."""
        command = [
            *self.before, sys.executable, "-m", "gateway", "serve", "--log", "json",
            "--listen", self.public, "--admin", self.admin, "--drain", "0s", *self.flags,
        ]  # fmt: skip
        self.child = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._ended = False
        before = len(self.lines)
        self._reader = threading.Thread(target=self._read, args=(self.child,), daemon=True)
        self._reader.start()
        # The last of its first lines.
        try:
            self.said("gateway send" if "--sample-receiver" in self.flags else "  calls", before)
        except BaseException as error:
            error.add_note(f"its exit code before it was killed: {self.child.poll()}")
            self.child.kill()
            self.child.wait(30)
            self._reader.join(10)
            if self.child.stdout is not None:
                self.child.stdout.close()
            raise
        return self

    def said(self, words: str, start: int = 0) -> None:
        """Wait until it has printed these words, in a line from this one on."""

        def so() -> bool:
            return any(words in line for line in self.lines[start:])

        with self._more:
            self._more.wait_for(lambda: so() or self._ended, 60)
        assert so(), "\n".join(self.lines[-20:])

    def _read(self, child: "subprocess.Popen[str]") -> None:
        assert child.stdout is not None
        for line in child.stdout:
            if found := re.match(r"  webhooks +http://([\d.:]+)/", line):
                self.public = found[1]
            if found := re.match(r"  admin +http://([\d.:]+)", line):
                self.admin = found[1]
            HEARD.said.append(line)
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def terminate(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and wait until it has; its exit code."""
        os.kill(self.pid, number)
        return self._wait()

    def _wait(self) -> int:
        assert self.child is not None
        assert self._reader is not None
        code = self.child.wait(30)
        self._reader.join(10)
        if self.child.stdout is not None:
            self.child.stdout.close()
        HEARD.know_child(self.folder, self.environment)
        return code

    def stop(self) -> None:
        """End it, however it is."""
        if self.child is not None and self.child.poll() is None:
            try:
                self.terminate()
            except AssertionError:
                self.child.kill()
                self._wait()
        elif self.child is not None:
            self._wait()

    def call(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[str]":
        """The same as `run`, without a process for it: what it costs is the command alone."""
        environment = {**self.environment, "COLUMNS": "200"}
        ended = called(self.folder, environment, *arguments, stdin=stdin)
        HEARD.said.append(ended.stderr)
        HEARD.know_child(self.folder, self.environment)
        return ended

    def run(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[str]":
        """Another command of the gateway, in the same folder."""
        ended = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment, "COLUMNS": "200"},
            input=stdin.decode(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        HEARD.said.append(ended.stderr)
        HEARD.know_child(self.folder, self.environment)
        return ended
