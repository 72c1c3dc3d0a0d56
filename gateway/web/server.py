"""uvicorn, given its socket and without a hand on signals: `service` owns both."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any, cast

import uvicorn

from gateway.core.errors import ConfigError, GatewayError, Problem
from gateway.web.door import Door, Limits, Watched
from gateway.web.protocol import Connection

BACKLOG = 2048
LATE_SECONDS = 0.5
"""uvicorn ticks ten times a second; where so much lies between two ticks, the loop was held up."""

SHUTDOWN_SECONDS = 10
"""How long requests under way may take to finish at the end."""


class Server(uvicorn.Server):
    """Serves one ASGI application; `listening` is set once it accepts connections.

    *refused* is told of every request that the application never sees.
    """

    def __init__(
        self,
        app: Any,
        limits: Limits | None = None,
        refused: Callable[[GatewayError], None] = lambda _: None,
    ) -> None:
        self.door = Door(limits or Limits(), refused)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("type[asyncio.Protocol]", partial(Connection, self.door)),
                interface="asgi3",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                backlog=BACKLOG,
            )
        )
        self.listening = asyncio.Event()
        self._swept_at = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        await super().startup(sockets)
        self.listening.set()

    async def on_tick(self, counter: int) -> bool:
        """Look after deadlines, ten times a second."""
        now = asyncio.get_running_loop().time()
        late = now - self._swept_at > LATE_SECONDS
        self._swept_at = now
        connections = cast("Collection[Watched]", self.server_state.connections)
        self.door.sweep(connections, now, late=late)
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone. Two servers in one process would each take them from the other."""
        yield


def listen(address: tuple[str, int], setting: str) -> socket.socket:
    """A socket that listens at *address*. Raises ConfigError naming the *setting* to change."""
    host, port = address
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = infos[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(place)
            sock.listen(BACKLOG)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        problem = Problem(
            file=f"--{setting}",
            line=0,
            column=0,
            code="cannot-listen",
            what=f"cannot listen at {host}:{port}: {error.strerror}",
            cure=f"stop what listens there, or choose another address with --{setting} HOST:PORT",
        )
        raise ConfigError([problem]) from None
    return sock


def url(sock: socket.socket) -> str:
    """The URL at which a listening socket is reached from this machine."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # it is not bound here
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
