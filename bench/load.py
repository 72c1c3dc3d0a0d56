"""Two ways to send requests: as fast as they are answered, or at a rate, whatever the answers do.

A closed loop finds out how much can be done. It cannot find out how long things take: a gateway that
stalls is sent nothing meanwhile, so that its worst moments go unmeasured. An open loop sends when the
schedule says so, and counts from there, even where the request could only leave later.
"""

import asyncio
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence

from bench.http import Messages


class Load:
    """What both have: connections, and an account of the answers."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = requests
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        """Seconds from when a request was sent, or should have been, to its answer."""
        self.refused = False
        """Whether any was."""
        self._all_answered = asyncio.Event()

    async def run(self, ports: Sequence[int], connections: int) -> None:
        """Send every request once, by so many connections to each port, and wait for every answer.

        The first refusal ends it: what has not been taken never comes out again.
        """
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port)
            for _ in range(connections)
            for port in ports
        ]
        self.begin([connection for _, connection in made])
        await self._all_answered.wait()
        for transport, _ in made:
            transport.close()

    def begin(self, connections: "list[_Connection]") -> None:
        raise NotImplementedError

    def free(self, connection: "_Connection") -> None:
        """A connection can take its next request."""
        raise NotImplementedError

    def answered(self, status: bytes, seconds: float) -> None:
        self.statuses[status.decode()] += 1
        self.latencies.append(seconds)
        self.refused |= not status.startswith(b"2")
        if self.refused or len(self.latencies) == len(self._requests):
            self._all_answered.set()


class _Connection(Messages):
    """Sends one request at a time."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self._load = load
        self._since = 0.0

    def send(self, request: bytes, since: float) -> None:
        """Send a request whose time counts from then."""
        self._since = since
        self.transport.write(request)

    def message(self, message: bytes) -> None:
        self._load.answered(message[9:12], time.perf_counter() - self._since)
        self._load.free(self)


class ClosedLoop(Load):
    """Each connection sends when it has its answer; at most *window* requests ahead of `finish`."""

    def __init__(self, requests: Sequence[bytes], window: int) -> None:
        super().__init__(requests)
        self._window = window
        self._held: list[_Connection] = []
        self.sent = 0
        self._finished = 0.0

    def begin(self, connections: list[_Connection]) -> None:
        for connection in connections:
            self.free(connection)

    def free(self, connection: _Connection) -> None:
        if self.sent - self._finished >= self._window:
            self._held.append(connection)
        elif self.sent < len(self._requests):
            self.sent += 1
            connection.send(self._requests[self.sent - 1], time.perf_counter())

    def finish(self, count: float) -> None:
        """So much more of the work behind the requests has been done."""
        self._finished += count
        while self._held and self.sent - self._finished < self._window:
            self.free(self._held.pop())


class Schedule:
    """When each request is to leave: evenly, at a rate."""

    def __init__(self, per_second: float, begin: float) -> None:
        self._per_second = per_second
        self._begin = begin

    def at(self, number: int) -> float:
        """The moment of that request; they count from 0."""
        return self._begin + number / self._per_second

    def due(self, now: float) -> int:
        """How many are to have left by *now*."""
        return max(0, math.floor((now - self._begin) * self._per_second) + 1)


class OpenLoop(Load):
    """Sends by the schedule; what finds no connection free waits, and its time runs."""

    def __init__(self, requests: Sequence[bytes], per_second: float) -> None:
        super().__init__(requests)
        self._per_second = per_second
        self._free: deque[_Connection] = deque()
        self.sent = 0
        self.lateness: list[float] = []
        """Seconds that each request left after its time."""
        self.schedule = Schedule(per_second, 0)

    def begin(self, connections: list[_Connection]) -> None:
        self._free.extend(connections)
        self.schedule = Schedule(self._per_second, time.perf_counter() + 1 / self._per_second)
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._keep_time, args=(loop,), daemon=True).start()

    def free(self, connection: _Connection) -> None:
        self._free.append(connection)
        self._send_due()

    def _keep_time(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the loop for each request: its own timers know milliseconds only."""
        for number in range(len(self._requests)):
            wait = self.schedule.at(number) - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            loop.call_soon_threadsafe(self._send_due)

    def _send_due(self) -> None:
        now = time.perf_counter()
        due = min(self.schedule.due(now), len(self._requests))
        while self.sent < due and self._free:
            scheduled = self.schedule.at(self.sent)
            self.lateness.append(now - scheduled)
            self._free.popleft().send(self._requests[self.sent], scheduled)
            self.sent += 1


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The value that so many per cent of the *ordered* values do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
