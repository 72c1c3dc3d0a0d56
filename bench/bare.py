"""What the gateway is measured against: the bare libraries, one process each.

`python -m bench.bare starlette CORE PORT` serves a route that reads the body and answers 202;
`python -m bench.bare aiohttp CORE PORT COUNT CONCURRENCY` posts the same bytes as fast as it can.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.peer import event
from bench.processes import GATEWAY_CORE, free_port, process, wait_until_serving


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
        wait_until_serving(f"http://127.0.0.1:{port}/")
        yield Bare(child.pid, port)


def posts_per_second(port: int, count: int, concurrency: int) -> float:
    """How fast a bare aiohttp loop on the gateway's core posts to *port*."""
    command = ("-m", "bench.bare", "aiohttp", *map(str, (GATEWAY_CORE, port, count, concurrency)))
    done = subprocess.run((sys.executable, *command), stdout=subprocess.PIPE, check=True)
    return float(count / json.loads(done.stdout)["seconds"])


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


async def post_with_aiohttp(port: int, count: int, concurrency: int) -> dict:
    body, left = event(0), count
    headers = {"content-type": "application/cloudevents+json", "webhook-id": "msg_1"}

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            async with session.post(
                f"http://127.0.0.1:{port}/", data=body, headers=headers
            ) as answer:
                await answer.read()

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.perf_counter()
        await asyncio.gather(*(worker(session) for _ in range(concurrency)))
        return {"seconds": time.perf_counter() - began}


if __name__ == "__main__":
    what, core, port, *rest = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    if what == "starlette":
        serve_starlette(int(port))
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(post_with_aiohttp(int(port), int(rest[0]), int(rest[1])))))
