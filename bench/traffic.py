"""Ordering the other process about: what is sent to whom, and what came of it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench.gateway import KEY
from bench.processes import OTHER_CORE, process

CONNECTIONS = 64
UNFINISHED_AT_MOST = 300
"""So many events wait for their deliveries at most: the gateway is full, not flooded."""
WITHOUT_LIMIT = 10**9


class Peer:
    """The process that loads and receives."""

    def __init__(self, child: subprocess.Popen) -> None:
        self._child = child
        self.busiest = 0.0
        """The largest share of its core that it used while it measured."""
        self.port = int(self.answer()["port"])

    def ask(self, **order) -> dict:
        """Have it work, and what it measured."""
        self.tell(**order)
        return self.answer()

    def tell(self, **order) -> None:
        """Have it begin to work."""
        self._child.stdin.write(json.dumps(order) + "\n")  # type: ignore[union-attr]
        self._child.stdin.flush()  # type: ignore[union-attr]

    def answer(self) -> dict:
        """What it measured, once it has."""
        line = self._child.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise SystemExit("the process that loads and receives has ended")
        answer = json.loads(line)
        self.busiest = max(self.busiest, answer.get("peer_share", 0))
        return answer


@contextmanager
def peer() -> Iterator[Peer]:
    """A peer on the other core."""
    command = (sys.executable, "-m", "bench.peer", str(OTHER_CORE))
    with process(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        yield Peer(child)


class Traffic:
    """Events for one port, none of them twice."""

    def __init__(self, peer: Peer, port: int) -> None:
        self._peer = peer
        self._port = port
        self._first = 0

    def post(
        self,
        count: int,
        fan_out: int = 0,
        *,
        per_second: float | None = None,
        answers: Mapping[str, str] | None = None,
    ) -> dict:
        """Post so many, and wait until all are answered and each has been delivered *fan_out* times.

        Without *per_second*, as fast as they are answered. *answers* says which paths answer otherwise
        than with 200; those do not count as delivered.
        """
        pace = {} if per_second is None else {"per_second": per_second}
        answer = self._peer.ask(
            count=count,
            first=self._first,
            port=self._port,
            key=KEY,
            path="/in/bench",
            fan_out=fan_out,
            window=UNFINISHED_AT_MOST if fan_out else WITHOUT_LIMIT,
            connections=CONNECTIONS,
            answers=answers or {},
            **pace,
        )
        self._first += count
        if answer["statuses"] != {"202": count}:
            raise SystemExit(f"not all {count} requests were answered 202: {answer['statuses']}")
        return answer
