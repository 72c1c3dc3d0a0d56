"""The sender for what a gateway does most: posts to endpoints, over connections that are kept.

It speaks HTTP/1.1 and nothing else: no redirects, no cookies, no proxies, no decompression. It gives
the same outcomes as the sender on aiohttp (tests/sender holds both to one table), for a fraction of
the work: one future and one timer an attempt, and no object that the answer does not need.
"""

import asyncio

from gateway.core.egress import EgressPolicy
from gateway.core.model import SECOND, Call, Outcome, Tls, Unreachable
from gateway.core.retry import REQUEST_INVALID
from gateway.core.sendable import request_fault
from gateway.sender.dial import Dialler, Names, Resolve, resolve
from gateway.sender.exchange import Connection
from gateway.sender.guard import Guard
from gateway.sender.limits import CONNECT_SECONDS, IDLE_SECONDS, NAME_SECONDS
from gateway.sender.own import OwnAddresses
from gateway.sender.reasons import CONNECT_TIMEOUT, TIMEOUT
from gateway.sender.target import Target, head_of, target_of


class LeanSender:
    """Keeps connections, and opens more as they are needed: lanes bound how many.

    `own` are the gateway's own listeners, which it does not call. *names* is how names become
    addresses, by default the system's way; what it says is kept for *name_seconds*.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        user_agent: str,
        own: OwnAddresses | None = None,
        names: Resolve = resolve,
        name_seconds: float = NAME_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self.own = OwnAddresses() if own is None else own
        self._user_agent = user_agent
        self._connect_seconds = connect_seconds
        self._names = Names(names, name_seconds)
        self._dialler = Dialler(Guard(policy, self.own), self._names)
        self._idle = Idle()

    async def send(self, call: Call) -> Outcome:
        """What came of *call*; raises nothing but CancelledError."""
        fault = request_fault(call.method, call.url, call.headers)
        if fault:
            return Unreachable(REQUEST_INVALID, fault)
        target = target_of(call.url)
        head = head_of(call.method, target, call.headers, len(call.body), self._user_agent)
        loop = asyncio.get_running_loop()
        now = loop.time()
        ends_at = now + call.timeout / SECOND
        place = target.secure, target.host, target.port, call.tls
        connection = None if call.only_once else self._idle.take(place, now)
        if connection is not None:
            outcome = await connection.exchange(head, call, ends_at - now)
            self._idle.put(place, connection)
            if not connection.is_stale:
                return outcome
            # As in aiohttp.py, which says why: once more, on a new connection, within the same attempt.
        dialled = await self._dial(target, call.tls, ends_at)
        if isinstance(dialled, Unreachable):
            return dialled
        outcome = await dialled.exchange(head, call, ends_at - loop.time())
        self._idle.put(place, dialled)
        return outcome

    async def close(self) -> None:
        """Close idle connections."""
        self._idle.close()
        await self._names.close()

    async def _dial(
        self, target: Target, tls: Tls | None, ends_at: float
    ) -> Connection | Unreachable:
        left = ends_at - asyncio.get_running_loop().time()
        limit = min(left, self._connect_seconds)
        try:
            async with asyncio.timeout(limit):
                return await self._dialler.dial(target, tls)
        except TimeoutError:
            reason = TIMEOUT if limit == left else CONNECT_TIMEOUT
            return Unreachable(reason, f"no connection to {target.authority} in {limit:.3g} s")


Place = tuple[bool, str, int, Tls | None]
"""What connections must have in common to stand in for one another."""


class Idle:
    """Connections that wait for their next request; the last that was used goes first."""

    def __init__(self) -> None:
        self._kept: dict[Place, list[Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def take(self, place: Place, now: float) -> Connection | None:
        """One that leads there, and on which nothing has come; None: there is none."""
        kept = self._kept.get(place)
        while kept:
            connection = kept.pop()
            if now - connection.kept_at < IDLE_SECONDS and connection.is_quiet():
                return connection
            connection.close()
        return None

    def put(self, place: Place, connection: Connection) -> None:
        """Keep a connection for a while, if its last answer has left it open."""
        if not connection.is_open:
            return
        loop = asyncio.get_running_loop()
        connection.kept_at = loop.time()
        self._kept.setdefault(place, []).append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(IDLE_SECONDS, self._close_old)

    def close(self) -> None:
        """Close them all."""
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in (each for kept in self._kept.values() for each in kept):
            connection.close()
        self._kept.clear()

    def _close_old(self) -> None:
        """Close those that have been kept for long enough, and come again while any is kept."""
        loop = asyncio.get_running_loop()
        long_ago = loop.time() - IDLE_SECONDS
        for place, kept in list(self._kept.items()):
            for connection in kept:
                if connection.kept_at <= long_ago:
                    connection.close()
            kept[:] = [each for each in kept if each.is_open]
            if not kept:
                del self._kept[place]
        again = self._kept and IDLE_SECONDS / 4
        self._sweep = loop.call_later(again, self._close_old) if again else None
