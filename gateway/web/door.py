"""What the connections of one listener share: its limits, and how much of them is used.

A connection has two moments in numbers, `deadline` and `write_by`. `sweep` compares all of them with
the clock a few times a second: that costs a request next to nothing, where a timer for each would
have to be made and cancelled.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from gateway.core.errors import GatewayError

NEVER = float("inf")
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one listener lets its clients do (docs/operations.md#what-the-public-listener-refuses)."""

    head_seconds: float = 5
    """From the first byte of a request, or from connecting, to the end of its headers."""
    gap_seconds: float = 10
    """Between two parts of a body."""
    body_seconds: float = 30
    """For a whole body."""
    write_seconds: float = 30
    """For a client that does not take our answers."""
    keep_alive_seconds: float = 65
    """Between two requests. Longer than the pools of common senders keep a connection, so that they
    close it, not we."""
    linger_seconds: float = 2
    """How long what is still sent after a refusal is read and dropped: closing at once would reset
    the connection, and with it take our answer away (RFC 9112 §9.6)."""
    headers: int = 100
    header_bytes: int = 32 * 1024
    url_bytes: int = 8 * 1024
    pipelined: int = 16
    """Requests on one connection that wait for an answer."""
    connections: int = 1000
    lingering: int = 100
    """So many refused connections, beyond that, may wait until their answer has been read."""
    in_flight_bytes: int = 64 * MIB
    """Of all bodies together: from the first byte until the answer."""
    hosts: frozenset[str] = frozenset()
    """What `Host` may name; none: anything."""


class Watched(Protocol):
    """What a door knows of a connection."""

    deadline: float
    write_by: float

    @property
    def idle(self) -> bool:
        """Whether it is between two requests."""

    def expire(self) -> None:
        """What it is doing has lasted too long."""

    def leave(self) -> None:
        """Close it."""


class Door:
    """The limits of a listener; *refused* is told of every request that was refused by them."""

    def __init__(self, limits: Limits, refused: Callable[[GatewayError], None]) -> None:
        self.limits = limits
        self.refused = refused
        self.in_flight = 0
        """Bytes of bodies under way."""
        self._late = False

    def sweep(self, connections: Collection[Watched], now: float, *, late: bool) -> None:
        """Have those expire whose moment has come.

        After a sweep that came *late*, because something held the event loop up, the connections
        are first given the time to read what has come meanwhile.
        """
        if late and not self._late:
            self._late = True
            return
        self._late = False
        expired = [each for each in connections if now >= each.deadline or now >= each.write_by]
        for connection in expired:
            connection.expire()

    def make_room(self, connections: Collection[Watched]) -> bool:
        """Close the connection that has been between requests for longest; whether there was one."""
        idle = [connection for connection in connections if connection.idle]
        if not idle:
            return False
        min(idle, key=lambda connection: connection.deadline).leave()
        return True
