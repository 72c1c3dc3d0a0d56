"""The gateway under measurement, as a real process on a core of its own."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import GATEWAY_CORE, cpu_seconds, free_port, process, wait_until_serving
from gateway.core.postgres_url import PostgresUrl

KEY = base64.b64encode(b"a key of the benchmark: 32 bytes").decode()
ENDPOINTS = ("cms", "workflow", "alerting")
CONCURRENCY = 64
"""Attempts at once at each endpoint, for each gateway: nodes share what the endpoint allows."""


@dataclass
class Gateway:
    """Where it is, and how long it took to be there."""

    pid: int
    port: int
    admin: str
    seconds_to_ready: float

    def post(self, path: str) -> None:
        """Call the admin API."""
        urllib.request.urlopen(urllib.request.Request(self.admin + path, method="POST")).read()

    def pause(self, *endpoints: str) -> None:
        """Have nothing sent to these."""
        for name in endpoints:
            self.post(f"/api/v1/endpoints/{name}/pause")

    def resume(self, *endpoints: str) -> None:
        """Send to these again, whatever had stopped it."""
        for name in endpoints:
            self.post(f"/api/v1/endpoints/{name}/resume")

    def shares(self) -> dict[str, int | None]:
        """How many attempts at once at each endpoint are this gateway's; None: it has no others beside it."""
        with urllib.request.urlopen(f"{self.admin}/api/v1/endpoints") as answer:
            return {each["name"]: each["share"] for each in json.load(answer)["items"]}

    def cpu_seconds(self) -> float:
        """What it has used of its core so far."""
        return cpu_seconds(self.pid)


def at(receiver_port: int) -> dict[str, str]:
    """The three endpoints, all at that port."""
    return {name: f"http://127.0.0.1:{receiver_port}/{name}" for name in ENDPOINTS}


def routes(
    urls: Mapping[str, str], more: Sequence[str] = (), concurrency: int = CONCURRENCY
) -> str:
    """A route for each endpoint; all of them match. *more* is said of every endpoint."""
    lines = ["version: 1", "sources:", "  bench:"]
    lines.append("    verify: {preset: standard-webhooks, secrets: [{env: BENCH_SECRET}]}")
    lines.append("endpoints:")
    for name, url in urls.items():
        lines += [
            f"  {name}:",
            f"    url: {url}",
            "    sign: {secrets: [{env: BENCH_SECRET}]}",
            f"    concurrency: {concurrency}",
            *(f"    {line}" for line in more),
        ]
    lines.append("routes:")
    for name in urls:
        match = "{type: license.expiring, data: {days_left: {lte: 14}}}"
        lines.append(f"  - {{name: to-{name}, match: {match}, to: [{name}]}}")
    return "\n".join(lines) + "\n"


def database(home: Path) -> Path:
    """Where a gateway that is started in that folder keeps its events."""
    return home / "data" / "gateway.db"


@contextmanager
def gateway(
    urls: Mapping[str, str],
    *,
    home: Path | None = None,
    more: Sequence[str] = (),
    concurrency: int = CONCURRENCY,
    store: PostgresUrl | None = None,
    core: int = GATEWAY_CORE,
    command: Sequence[str] = ("-m", "gateway"),
    flags: Sequence[str] = (),
) -> Iterator[Gateway]:
    """A gateway that runs, on *store*, or on the database in *home*, else on an empty one.

    For *more* and *concurrency*, see `routes`. *command* is what Python is to run,
    *flags* what `serve` is told besides.
    """
    with ExitStack() as stack:
        if home is None:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (home / "routes.yaml").write_text(routes(urls, more, concurrency))
        port, admin = free_port(), f"127.0.0.1:{free_port()}"
        whole = (
            sys.executable, *command, "serve",
            "--listen", f"127.0.0.1:{port}", "--admin", admin, "--log-level", "warning", *flags,
        )  # fmt: skip
        environment = {**os.environ, "BENCH_SECRET": f"whsec_{KEY}"}
        if store is not None:
            environment["GATEWAY_DATABASE"] = store.text
        began = time.perf_counter()
        child = stack.enter_context(
            process(*whole, core=core, cwd=home, env=environment, stderr=subprocess.DEVNULL)
        )
        wait_until_serving(f"http://{admin}/readyz", child)
        yield Gateway(child.pid, port, f"http://{admin}", time.perf_counter() - began)
