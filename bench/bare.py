"""What the gateway is measured against: the bare libraries, one process each.

`python -m bench.bare starlette CORE PORT` serves a route that reads the body and answers 202;
`python -m bench.bare aiohttp CORE PORT COUNT CONCURRENCY` posts the same bytes as fast as it can.
"""

import asyncio
import json
import os
import sys
import time

import aiohttp
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.peer import event


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
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(worker(session) for _ in range(concurrency)))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"posts": count, "seconds": seconds, "cpu_seconds": cpu}


if __name__ == "__main__":
    what, core, port, *rest = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    if what == "starlette":
        serve_starlette(int(port))
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(post_with_aiohttp(int(port), int(rest[0]), int(rest[1])))))
