"""Ordering the other process about: what is sent to whom, and what came of it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench.gateway import KEY
from bench.processes import OTHER_CORE, process

CONNECTIONS = 64
"""To each gateway."""
UNFINISHED_AT_MOST = 300
"""So many events wait for their deliveries at most, for each gateway: it is full, not flooded."""
WITHOUT_LIMIT = 10**9


class Peer:
    """The process that loads and receives."""

    def __init__(self, child: subprocess.Popen) -> None:
        self._child = child
        self.busiest = 0.0
        """The largest share of its core that it used while it measured."""
        self.port = int(self.answer()["port"])

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
    """Events for one gateway, or by turns for several, none of them twice."""

    def __init__(self, peer: Peer, *ports: int) -> None:
        self._peer = peer
        self._ports = ports
        self._first = self._posted = 0

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
        self._begin(count, fan_out, answers=answers or {}, **pace)
        return self.end()

    def begin(self, count: int, fan_out: int, *, per_second: float, outage: Mapping) -> None:
        """Begin to post so many, for long: each is signed when it is its turn.

        An outage is of one `path`, which answers 500 for the seconds that it `lasts`, `every` so many.
        """
        self._begin(count, fan_out, per_second=per_second, outage=outage, sign_late=True)

    def end(self) -> dict:
        """What was measured, once all are answered and delivered."""
        answer = self._peer.answer()
        if answer["statuses"] != {"202": self._posted}:
            raise SystemExit(
                f"not all {self._posted} requests were answered 202: {answer['statuses']}"
            )
        return answer

    def _begin(self, count: int, fan_out: int, **how) -> None:
        self._peer.tell(
            count=count,
            first=self._first,
            ports=self._ports,
            key=KEY,
            path="/in/bench",
            fan_out=fan_out,
            window=UNFINISHED_AT_MOST * len(self._ports) if fan_out else WITHOUT_LIMIT,
            connections=CONNECTIONS,
            **how,
        )
        self._first += count
        self._posted = count
