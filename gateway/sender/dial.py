"""Connections of the lean sender: a name becomes addresses, those are vetted, one of them is dialled."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial

from aiohappyeyeballs import AddrInfoType, start_connection

from gateway.core.egress import canonical
from gateway.core.model import Tls, Unreachable
from gateway.core.retry import EGRESS_DENIED
from gateway.sender.exchange import Connection
from gateway.sender.guard import Guard
from gateway.sender.reasons import (
    CONNECT_FAILED,
    CONNECTION_LOST,
    CONNECTION_REFUSED,
    DNS_FAILED,
    TLS_CERTIFICATE,
    TLS_FAILED,
    with_cure,
)
from gateway.sender.target import Target

NEXT_ADDRESS_SECONDS = 0.25
"""After so long the next address is tried beside the first (RFC 8305 §8)."""

GOODBYE_SECONDS = 1
"""How long a server's part of a TLS goodbye is waited for."""

MOST_NAMES = 1024

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host, for a port. Raises OSError where it has none."""


async def resolve(host: str, port: int) -> list[str]:
    """As this machine resolves names."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(place[0]) for *_, place in found]


class Names:
    """What names resolved to, kept for a moment; a name that is asked for by many is looked up once."""

    def __init__(self, resolve: Resolve, seconds: float) -> None:
        self._resolve = resolve
        self._seconds = seconds
        self._kept: dict[tuple[str, int], tuple[float, list[str]]] = {}
        self._asked: dict[tuple[str, int], asyncio.Task[list[str]]] = {}

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host. Raises OSError where it has none."""
        if canonical(host) is not None:
            return [host]
        key, now = (host, port), asyncio.get_running_loop().time()
        until, addresses = self._kept.get(key, (0.0, []))
        if now < until:
            return addresses
        asking = self._asked.get(key)
        if asking is None:
            asking = self._asked[key] = asyncio.create_task(self._ask(key))
            asking.add_done_callback(partial(self._asked_for, key))
        # Who gives up waiting does not end it for the others.
        return await asyncio.shield(asking)

    async def _ask(self, key: tuple[str, int]) -> list[str]:
        addresses = await self._resolve(*key)
        if not addresses:
            raise OSError("the name has no address")
        while len(self._kept) >= MOST_NAMES:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = asyncio.get_running_loop().time() + self._seconds, addresses
        return addresses

    def _asked_for(self, key: tuple[str, int], asking: asyncio.Task[list[str]]) -> None:
        del self._asked[key]
        if not asking.cancelled():
            asking.exception()  # all who asked may have given up: then nobody else hears of it

    async def close(self) -> None:
        """Break off what is being asked."""
        for asking in list(self._asked.values()):
            asking.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)


class Dialler:
    """Opens connections to where the guard allows it."""

    def __init__(self, guard: Guard, names: Names) -> None:
        self._guard = guard
        self._names = names
        self._usual: ssl.SSLContext | None = None
        """How TLS is spoken with any public server; made when it is first needed."""

    async def dial(self, target: Target, tls: Tls | None) -> Connection | Unreachable:
        """A new connection, or why there is none. How long it takes is for the caller to bound."""
        try:
            addresses = await self._names.addresses(target.host, target.port)
        except OSError as error:
            return Unreachable(DNS_FAILED, f"{target.host}: {error}")
        denials = [
            self._guard.denial(address, target.port, secure=target.secure) for address in addresses
        ]
        allowed = [
            _place(address, target.port)
            for address, denial in zip(addresses, denials, strict=True)
            if not denial
        ]
        if not allowed:
            return Unreachable(EGRESS_DENIED, denials[0])
        try:
            sock = await start_connection(allowed, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS)
        except ConnectionRefusedError as error:
            return Unreachable(CONNECTION_REFUSED, str(error))
        except (ConnectionResetError, ConnectionAbortedError) as error:
            return Unreachable(CONNECTION_LOST, str(error))
        except OSError as error:
            return Unreachable(CONNECT_FAILED, str(error))
        return await self._speak(sock, target, tls)

    async def _speak(
        self, sock: socket.socket, target: Target, tls: Tls | None
    ) -> Connection | Unreachable:
        """The connection on a socket, after the handshake if there is one."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = target.secure
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                Connection,
                sock=sock,
                ssl=self._context(tls) if secure else None,
                server_hostname=target.host.rstrip(".") if secure else None,
                ssl_shutdown_timeout=GOODBYE_SECONDS if secure else None,
            )
        except ssl.CertificateError as error:
            return Unreachable(TLS_CERTIFICATE, with_cure(str(error), error))
        except OSError as error:  # also of a server that just hangs up
            told = str(error) or "the server closed the connection in the handshake"
            return Unreachable(TLS_FAILED if secure else CONNECT_FAILED, told)
        except asyncio.CancelledError:
            sock.close()
            raise
        return connection

    def _context(self, tls: Tls | None) -> ssl.SSLContext:
        if tls is not None:
            return tls.context
        if self._usual is None:
            self._usual = ssl.create_default_context()
            self._usual.set_alpn_protocols(["http/1.1"])
        return self._usual


def _place(address: str, port: int) -> AddrInfoType:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)
