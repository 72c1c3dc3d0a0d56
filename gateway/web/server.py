"""uvicorn, given its socket and without a hand on signals: `service` owns both."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from gateway.core.errors import ConfigError, Problem

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 65
"""Longer than the pools of common senders keep a connection, so that they close it, not we."""

SHUTDOWN_SECONDS = 10
"""How long requests under way may take to finish at the end."""


class Server(uvicorn.Server):
    """Serves one ASGI application; `listening` is set once it accepts connections."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                interface="asgi3",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                backlog=BACKLOG,
            )
        )
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        await super().startup(sockets)
        self.listening.set()

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
