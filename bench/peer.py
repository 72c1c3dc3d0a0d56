"""The process that loads and receives: `python -m bench.peer '{…}'`, one JSON line as its answer.

It prints `{"port": …}` once its receiver listens, reads a line with the rest of its orders, works, and
prints what it measured.
"""

import asyncio
import base64
import hmac
import json
import os
import sys
import time

import uvloop

from bench.http import Load, Receiver

BODY_BYTES = 1500


def event(number: int) -> bytes:
    """A structured CloudEvent of about 1.5 KB, as licence events are."""
    fields = {
        "specversion": "1.0",
        "id": f"lic-{number}",
        "source": "/contracts",
        "type": "license.expiring",
        "subject": f"license/lic_{number}",
        "time": "2026-12-17T00:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "days_left": 14,
            "license": {
                "id": f"lic_{number}",
                "asset_id": "847116840",
                "territories": ["DE", "FR"],
            },
            "placements": [{"system": "wordpress", "ref": "post/5"}],
            "text": "",
        },
    }
    missing = BODY_BYTES - len(json.dumps(fields))
    fields["data"]["text"] = "x" * missing  # type: ignore[index]
    return json.dumps(fields).encode()


def signed_requests(count: int, first: int, port: int, key: bytes, path: str) -> list[bytes]:
    """Signed requests, made beforehand: signing is not what is measured."""
    timestamp = str(int(time.time()))
    requests = []
    for number in range(first, first + count):
        body, name = event(number), f"msg_{number}"
        content = f"{name}.{timestamp}.".encode() + body
        signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
            "content-type: application/cloudevents+json\r\nuser-agent: bench\r\n"
            f"webhook-id: {name}\r\nwebhook-timestamp: {timestamp}\r\n"
            f"webhook-signature: v1,{signature}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


async def main(core: int) -> None:
    os.sched_setaffinity(0, {core})
    loop = asyncio.get_running_loop()
    peer = _Peer()
    server = await loop.create_server(lambda: Receiver(peer.received), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await peer.obey(json.loads(line))), flush=True)


class _Peer:
    def __init__(self) -> None:
        self._load: Load | None = None
        self._fan_out = 0
        self._wanted = 0
        self._got = 0
        self._all_received = asyncio.Event()

    def received(self, _message: bytes) -> None:
        """A delivery arrived."""
        self._got += 1
        if self._load is not None and self._fan_out:
            self._load.finish(1 / self._fan_out)
        if self._got == self._wanted:
            self._all_received.set()

    async def obey(self, order: dict) -> dict:
        """Send what is ordered, and wait until all of it has come out again."""
        key = base64.b64decode(order["key"])
        requests = signed_requests(
            order["count"], order["first"], order["port"], key, order["path"]
        )
        self._fan_out, self._got = order["fan_out"], 0
        self._wanted = order["count"] * self._fan_out
        self._all_received.clear()
        self._load = Load(requests, order["window"])
        began = time.perf_counter()
        await self._load.run(order["port"], order["connections"])
        answered = time.perf_counter() - began
        if self._wanted:
            await self._all_received.wait()
        load, self._load = self._load, None
        load.latencies.sort()
        return {
            "seconds_answered": answered,
            "seconds": time.perf_counter() - began,
            "statuses": load.statuses,
            "received": self._got,
            "p50_ms": load.latencies[len(load.latencies) // 2] * 1000,
            "p99_ms": load.latencies[len(load.latencies) * 99 // 100] * 1000,
        }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
