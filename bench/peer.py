"""The process that loads and receives: `python -m bench.peer CORE`.

It prints `{"port": …}` once its receiver listens. Then it reads orders, one JSON line each, and prints
what it measured, one JSON line each.
"""

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import Mapping

import uvloop

from bench.events import Signed, number_of, signed_requests
from bench.http import BROKEN, OK, Receiver
from bench.load import ClosedLoop, Load, OpenLoop, percentile

ANSWERS = {"ok": OK, "broken": BROKEN, "hang": None}


async def main(core: int) -> None:
    os.sched_setaffinity(0, {core})
    loop = asyncio.get_running_loop()
    peer = _Peer()
    server = await loop.create_server(lambda: Receiver(peer.answer, peer.received), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await peer.obey(json.loads(line))), flush=True)


class _Outage:
    """An endpoint that fails for some seconds, again and again, from now on."""

    def __init__(self, path: str, every: float, lasts: float) -> None:
        self.path = path.encode()
        self._every = every
        self._lasts = lasts
        self._began = time.perf_counter()

    def is_on(self) -> bool:
        return (time.perf_counter() - self._began) % self._every < self._lasts


class _Peer:
    """Sends, receives, and reads the clock."""

    def __init__(self) -> None:
        self._answers: Mapping[bytes, bytes | None] = {}
        self._outage: _Outage | None = None
        self._load: Load | None = None
        self._first = 0
        self._fan_out = 0
        self._wanted = 0
        self._got = 0
        self._first_at = self._last_at = 0.0
        self._ages: list[float] = []
        self._all_received = asyncio.Event()

    def answer(self, path: bytes) -> bytes | None:
        """What the endpoint at *path* answers."""
        if self._outage is not None and path == self._outage.path and self._outage.is_on():
            return BROKEN
        return self._answers.get(path, OK)

    def received(self, message: bytes) -> None:
        """A delivery arrived, and is answered 200."""
        self._got += 1
        if isinstance(self._load, ClosedLoop):
            self._load.finish(1 / self._fan_out)
        elif isinstance(self._load, OpenLoop):
            scheduled = self._load.schedule.at(number_of(message) - self._first)
            self._ages.append(time.perf_counter() - scheduled)
        if self._got == 1:
            self._first_at = time.perf_counter()
        if self._got == self._wanted:
            self._last_at = time.perf_counter()
            self._all_received.set()

    async def obey(self, order: dict) -> dict:
        """Do as ordered; what was measured."""
        self._answers = {
            path.encode(): ANSWERS[name] for path, name in order.get("answers", {}).items()
        }
        self._outage = _Outage(**order["outage"]) if "outage" in order else None
        self._got, self._ages = 0, []
        self._all_received.clear()
        return await (self._send(order) if "ports" in order else self._receive(order["count"]))

    async def _receive(self, count: int) -> dict:
        """Wait until so many deliveries have arrived."""
        self._wanted = count
        used = time.process_time()
        await self._all_received.wait()
        seconds = self._last_at - self._first_at
        return {"seconds": seconds, "peer_share": (time.process_time() - used) / seconds}

    async def _send(self, order: dict) -> dict:
        """Send what is ordered, and wait until all of it has come out again."""
        count, key = order["count"], base64.b64decode(order["key"])
        self._first, self._fan_out = order["first"], order["fan_out"]
        self._wanted = count * self._fan_out
        sign = Signed if order.get("sign_late") else signed_requests
        requests = sign(count, self._first, key, order["path"])
        load: ClosedLoop | OpenLoop
        if "per_second" in order:
            load = OpenLoop(requests, order["per_second"])
        else:
            load = ClosedLoop(requests, order["window"])
        self._load = load if self._fan_out else None
        began, used = time.perf_counter(), time.process_time()
        await load.run(order["ports"], order["connections"])
        answered = time.perf_counter() - began
        if self._wanted and not load.refused:
            await self._all_received.wait()
        seconds = time.perf_counter() - began
        self._load = None
        return {
            "seconds_answered": answered,
            "seconds": seconds,
            "statuses": load.statuses,
            "peer_share": (time.process_time() - used) / seconds,
            **_percentiles("answer", load.latencies),
            **_percentiles("delivery", self._ages),
            **_percentiles("send_late", load.lateness if isinstance(load, OpenLoop) else ()),
        }


def _percentiles(name: str, seconds: "list[float] | tuple[()]") -> dict[str, float]:
    """The median and the 99th percentile in milliseconds; nothing of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {f"{name}_p{each}_ms": percentile(ordered, each) * 1e3 for each in (50, 99)}


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
