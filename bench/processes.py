"""Processes under measurement: started on a core, watched by the kernel's own accounts, stopped."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
"""Those that this process was given: `taskset -c 2,3 python -m bench` uses these two."""
GATEWAY_CORE, OTHER_CORE = CORES[0], CORES[1 % len(CORES)]
NODE_CORES = [core for core in CORES if core != OTHER_CORE] or CORES
"""Those that several gateways take in turn: the load and the receiver keep theirs."""
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60
LOOK_EVERY_SECONDS = 0.02


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """What a process has used of its core so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def family_cpu_seconds(pid: int) -> float:
    """What a process and its children have used so far, those that have ended among them."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    used = sum(map(int, fields[11:15])) / TICKS
    for child in children:
        with suppress(OSError):  # it has just ended
            used += cpu_seconds(int(child))
    return used


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


def wait_until_serving(url: str, child: subprocess.Popen) -> None:
    """Return once *child* answers at *url*, with anything but 503."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).read()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return
        except OSError:
            pass
        else:
            return
        time.sleep(LOOK_EVERY_SECONDS)
    raise SystemExit(f"nothing answers at {url}")
