"""What the gateway is measured against: the bare libraries, one process each.

On the core and with the port that it is given, `python -m bench.bare` can
`starlette CORE PORT`: serve a route that reads the body and answers 202;
`aiohttp CORE PORT COUNT`: post the same bytes as fast as it can;
`commit-and-post CORE PORT COUNT`: commit a body to SQLite, then post it, then the next.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.events import CONTENT_TYPE, event
from bench.load import percentile
from bench.processes import GATEWAY_CORE, free_port, process, wait_until_serving
from bench.traffic import CONNECTIONS


@dataclass
class Bare:
    """Where a bare app runs."""

    pid: int
    port: int


@contextmanager
def starlette() -> Iterator[Bare]:
    """A bare Starlette app, on the gateway's core."""
    port = free_port()
    command = (sys.executable, "-m", "bench.bare", "starlette", str(GATEWAY_CORE), str(port))
    with process(*command) as child:
        wait_until_serving(f"http://127.0.0.1:{port}/", child)
        yield Bare(child.pid, port)


def posts_per_second(port: int, count: int) -> float:
    """How fast a bare aiohttp loop on the gateway's core posts to *port*, as many at once as the load does."""
    return count / _measured("aiohttp", port, count)["seconds"]


def commit_and_post(port: int, count: int) -> dict[str, float]:
    """What one FULL commit and one bare POST take together, in milliseconds: `p50_ms`, `p99_ms`."""
    return _measured("commit-and-post", port, count)


def _measured(what: str, port: int, count: int) -> dict[str, float]:
    command = (sys.executable, "-m", "bench.bare", what, *map(str, (GATEWAY_CORE, port, count)))
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


async def accept(request: Request) -> JSONResponse:
    """Read the body, and say thanks."""
    await request.body()
    return JSONResponse({"id": "evt_1", "duplicate": False}, 202)


def serve_starlette(port: int) -> None:
    app = Starlette(routes=[Route("/in/{source}", accept, methods=["POST"])])
    uvicorn.run(
        app, port=port, http="httptools", loop="uvloop", log_config=None, access_log=False,
        lifespan="off", proxy_headers=False,
    )  # fmt: skip


HEADERS = {"content-type": CONTENT_TYPE, "webhook-id": "msg_1"}


async def post(session: aiohttp.ClientSession, port: int, body: bytes) -> None:
    url = f"http://127.0.0.1:{port}/"
    async with session.post(url, data=body, headers=HEADERS) as answer:
        await answer.read()


async def post_many(port: int, count: int) -> dict[str, float]:
    body, left = event(0), count

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await post(session, port, body)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.perf_counter()
        await asyncio.gather(*(worker(session) for _ in range(CONNECTIONS)))
        return {"seconds": time.perf_counter() - began}


async def commit_and_post_each(port: int, count: int) -> dict[str, float]:
    took = []
    with (
        tempfile.TemporaryDirectory() as name,
        closing(sqlite3.connect(Path(name) / "bare.db", isolation_level=None)) as database,
    ):
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE events (number INTEGER PRIMARY KEY, body BLOB)")
        async with aiohttp.ClientSession() as session:
            for number in range(count):
                body = event(number)
                began = time.perf_counter()
                database.execute("INSERT INTO events VALUES (?, ?)", (number, body))
                await post(session, port, body)
                took.append((time.perf_counter() - began) * 1e3)
    took.sort()
    return {"p50_ms": percentile(took, 50), "p99_ms": percentile(took, 99)}


if __name__ == "__main__":
    what, core, port, *rest = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    if what == "starlette":
        serve_starlette(int(port))
    else:
        work = post_many if what == "aiohttp" else commit_and_post_each
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(work(int(port), int(rest[0])))))
