"""The gateway under measurement, as a real process on a core of its own."""

import base64
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import GATEWAY_CORE, free_port, process, wait_until_serving

KEY = base64.b64encode(b"a key of the benchmark: 32 bytes").decode()
ENDPOINTS = ("cms", "workflow", "alerting")


@dataclass
class Gateway:
    """Where it is."""

    pid: int
    port: int
    admin: str
    folder: Path

    def post(self, path: str) -> None:
        """Call the admin API."""
        urllib.request.urlopen(urllib.request.Request(self.admin + path, method="POST")).read()


def routes(receiver_port: int, concurrency: int) -> str:
    """Three endpoints, and three routes that all match."""
    lines = ["version: 1", "sources:", "  bench:"]
    lines.append("    verify: {preset: standard-webhooks, secrets: [{env: BENCH_SECRET}]}")
    lines.append("endpoints:")
    for name in ENDPOINTS:
        lines += [
            f"  {name}:",
            f"    url: http://127.0.0.1:{receiver_port}/{name}",
            "    sign: {secrets: [{env: BENCH_SECRET}]}",
            f"    concurrency: {concurrency}",
        ]
    lines.append("routes:")
    for name in ENDPOINTS:
        match = "{type: license.expiring, data: {days_left: {lte: 14}}}"
        lines.append(f"  - {{name: to-{name}, match: {match}, to: [{name}]}}")
    return "\n".join(lines) + "\n"


@contextmanager
def gateway(
    receiver_port: int, *, concurrency: int = 64, folder: Path | None = None
) -> Iterator[Gateway]:
    """A gateway that runs, on an empty database."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        home = Path(name)
        (home / "routes.yaml").write_text(routes(receiver_port, concurrency))
        port, admin_port = free_port(), free_port()
        command = (
            sys.executable, "-m", "gateway", "serve",
            "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin_port}", "--log-level", "warning",
        )  # fmt: skip
        environment = {**os.environ, "BENCH_SECRET": f"whsec_{KEY}"}
        with process(
            *command, core=GATEWAY_CORE, cwd=home, env=environment, stderr=subprocess.DEVNULL
        ) as child:
            admin = f"http://127.0.0.1:{admin_port}"
            wait_until_serving(f"{admin}/readyz")
            yield Gateway(child.pid, port, admin, home)
