"""Processes under measurement: started on a core, watched by the kernel's own accounts, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GATEWAY_CORE, OTHER_CORE = 0, min(1, (os.cpu_count() or 1) - 1)
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """What a process has used of its core so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid: int, name: str = "VmHWM") -> float:
    """The peak (VmHWM) or present (VmRSS) resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0


@contextmanager
def process(*command: str, core: int | None = None, **options) -> Iterator[subprocess.Popen]:
    """A process that is stopped in the end."""
    pin = None if core is None else (lambda: os.sched_setaffinity(0, {core}))
    with subprocess.Popen(command, preexec_fn=pin, **options) as child:  # noqa: PLW1509
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()


class Peer:
    """The process that loads and receives."""

    def __init__(self, child: subprocess.Popen) -> None:
        self._child = child
        self.port = int(self._answer()["port"])

    def order(self, **order) -> dict:
        """Have it work, and what it measured."""
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        return json.loads(self._child.stdout.readline())


@contextmanager
def peer() -> Iterator[Peer]:
    """A peer on the other core."""
    command = (sys.executable, "-m", "bench.peer", str(OTHER_CORE))
    with process(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        yield Peer(child)


def wait_until_serving(url: str) -> None:
    """Return once something answers at *url*."""
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=1).read()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing answers at {url}")
