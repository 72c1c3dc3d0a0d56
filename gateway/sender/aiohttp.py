"""The sender that can do everything, on aiohttp.

No redirects, no cookies, no proxy from the environment, no decompression. The egress policy is asked
at the socket: about every address that is really dialled, whether it came from a name, a literal, or
one of several candidates. A resolver would not do: aiohttp does not call it for address literals.
"""

import asyncio
import errno
import io
import re
import socket
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from gateway.core.egress import EgressPolicy
from gateway.core.model import (
    SECOND,
    Accepted,
    Call,
    Micros,
    Outcome,
    Refused,
    Response,
    Unreachable,
)
from gateway.core.retry import EGRESS_DENIED, REQUEST_INVALID
from gateway.core.sendable import request_fault
from gateway.sender.connection import Connection, Connector
from gateway.sender.guard import Guard
from gateway.sender.limits import CONNECT_SECONDS, LONGEST_HEAD, LONGEST_RESPONSE, NAME_SECONDS
from gateway.sender.own import OwnAddresses
from gateway.sender.reasons import (
    CONNECT_FAILED,
    CONNECT_TIMEOUT,
    CONNECTION_LOST,
    CONNECTION_REFUSED,
    DNS_FAILED,
    RESPONSE_BROKEN,
    RESPONSE_MALFORMED,
    TIMEOUT,
    TLS_CERTIFICATE,
    TLS_FAILED,
    with_cure,
)

LARGE_BODY_BYTES = 1024 * 1024
"""What is longer is written in pieces."""

FAILED = "failed"
"""What no row of `_REASONS` knows."""


class EgressDenied(OSError):
    """The policy does not allow the address."""


@dataclass(slots=True)
class _Dialled:
    """What became of the addresses that were tried for one request."""

    denials: list[str] = field(default_factory=list)
    """Where several addresses were tried, aiohttp would report but a summary."""
    allowed: bool = False
    """Whether one of them was dialled: that the others are denied is then no matter."""
    connection: Connection | None = None
    """The one that the request went out on."""
    anew: bool = False
    """Whether it has to be a new one."""
    more_bytes: int = 0
    """So many more bytes may carry the answer than carry any."""

    def fits(self, connection: Connection) -> bool:
        """Take *connection*, if it is as it has to be."""
        if connection.begun and (self.anew or not connection.is_quiet()):
            return False
        self.connection = connection
        connection.more_bytes = self.more_bytes
        return True


_dialled: ContextVar[_Dialled] = ContextVar("dialled")
"""For the request of this task."""


class AiohttpSender:
    """A session for https and one for http: the policy asks which it is.

    `own` are the gateway's own listeners, which it does not call. *resolver* is how names become
    addresses, by default the system's way; what it says is kept for *name_seconds*.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        user_agent: str,
        own: OwnAddresses | None = None,
        resolver: AbstractResolver | None = None,
        name_seconds: int = NAME_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self.own = OwnAddresses() if own is None else own
        self._guard = Guard(policy, self.own)
        self._resolver = resolver
        self._name_seconds = name_seconds
        self._connect_seconds = connect_seconds
        self._secure = self._session(user_agent, secure=True)
        self._plain = self._session(user_agent, secure=False)

    async def send(self, call: Call) -> Outcome:
        """What came of *call*; raises nothing but CancelledError."""
        fault = request_fault(call.method, call.url, call.headers)
        if fault:
            return Unreachable(REQUEST_INVALID, fault)
        dialled = _Dialled(more_bytes=call.most_bytes or 0, anew=call.only_once)
        _dialled.set(dialled)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + call.timeout / SECOND
        outcome = await self._exchange(
            call, dialled, _usual_limits(call.timeout, self._connect_seconds)
        )
        if _went_stale(outcome, dialled) and (left := round((ends_at - loop.time()) * SECOND)) > 0:
            dialled.anew = True
            outcome = await self._exchange(call, dialled, _limits(left, self._connect_seconds))
        return outcome

    async def _exchange(
        self, call: Call, dialled: _Dialled, limits: aiohttp.ClientTimeout
    ) -> Outcome:
        secure = call.url.startswith("https:")
        session = self._secure if secure else self._plain
        try:
            async with session.request(
                call.method,
                URL(call.url, encoded=True),
                headers=call.headers,
                # aiohttp would write bytes at once, and warns of many.
                data=call.body if len(call.body) <= LARGE_BODY_BYTES else io.BytesIO(call.body),
                allow_redirects=False,
                timeout=limits,
                # aiohttp keeps connections of different contexts apart.
                ssl=True if call.tls is None else call.tls.context,
            ) as answer:
                body = await _start_of_body(answer, call.most_bytes or LONGEST_RESPONSE)
        except (
            TimeoutError,
            aiohttp.ClientError,
            HttpProcessingError,
            OSError,
            ValueError,
        ) as error:
            if dialled.denials and not dialled.allowed:
                return Unreachable(EGRESS_DENIED, dialled.denials[0])
            return _unreachable(error, secure=secure)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        response = Response(status=answer.status, headers=headers, body=body)
        return Accepted(response) if response.ok else Refused(response)

    async def close(self) -> None:
        """Close idle connections."""
        await self._secure.close()
        await self._plain.close()

    def _session(self, user_agent: str, *, secure: bool) -> aiohttp.ClientSession:
        def open_socket(address: Any) -> socket.socket:
            family, kind, protocol, _, (host, port, *_) = address
            detail = self._guard.denial(host, port, secure=secure)
            if detail:
                _dialled.get().denials.append(detail)
                raise EgressDenied(errno.EACCES, detail)
            _dialled.get().allowed = True
            return socket.socket(family, kind, protocol)

        connector = Connector(
            lambda connection: _dialled.get().fits(connection),
            limit=0,  # lanes bound what is under way
            ttl_dns_cache=self._name_seconds,
            socket_factory=open_socket,
            resolver=self._resolver,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": user_agent},
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
            auto_decompress=False,
            trust_env=False,
            raise_for_status=False,
            max_line_size=LONGEST_HEAD,
            max_field_size=LONGEST_HEAD,
        )
        # It would send again what is idempotent, on whatever connection, without telling.
        session._retry_connection = False  # noqa: SLF001  # there is no public name
        return session


def _went_stale(outcome: Outcome, dialled: _Dialled) -> bool:
    """Whether the server closed a kept connection, as it may at any time, while a request was on its way.

    Then it is sent once more at once, on a new connection, within the same attempt. It may have been
    taken for all that (RFC 9110 §9.2.2): but the attempt that would follow by the schedule would send
    it as well, only later, with the same id to tell it by. A new connection that is closed says
    something of the endpoint and is never tried again, nor is one with a byte of an answer on it.
    """
    connection = dialled.connection
    return (
        isinstance(outcome, Unreachable)
        and outcome.reason == CONNECTION_LOST
        and connection is not None
        and connection.is_stale
    )


def _limits(whole: Micros, connect_seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=whole / SECOND, connect=connect_seconds)


_usual_limits = lru_cache(maxsize=1024)(_limits)
"""Of whole attempts: endpoints have few timeouts between them."""


async def _start_of_body(answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """The body, or the start of one that is too long; the connection of which is then closed."""
    body = await answer.content.read(most_bytes)
    if answer.content.at_eof():
        return body
    chunks, length = [body], len(body)
    while length < most_bytes and (chunk := await answer.content.read(most_bytes - length)):
        chunks.append(chunk)
        length += len(chunk)
    if not answer.content.at_eof():
        answer.close()
    return b"".join(chunks)


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, TLS_CERTIFICATE),
    (aiohttp.ClientSSLError, TLS_FAILED),
    (aiohttp.ClientConnectorDNSError, DNS_FAILED),
    (aiohttp.ConnectionTimeoutError, CONNECT_TIMEOUT),
    (asyncio.TimeoutError, TIMEOUT),
    (aiohttp.ClientConnectorError, CONNECT_FAILED),
    (aiohttp.ClientConnectionError, CONNECTION_LOST),
    (aiohttp.ClientPayloadError, RESPONSE_BROKEN),
    (aiohttp.ClientResponseError, RESPONSE_MALFORMED),
    (HttpProcessingError, RESPONSE_BROKEN),
    (aiohttp.InvalidURL, "url-invalid"),
    (OSError, CONNECT_FAILED),
)


def _unreachable(error: Exception, *, secure: bool) -> Unreachable:
    """The one place where aiohttp's errors become ours."""
    reason = _reason(error, secure=secure)
    if reason == FAILED:
        return Unreachable(reason, f"{type(error).__name__}: {error}")
    # aiohttp tells of a TLS context where in memory it is, or that there is one.
    told = re.sub(r" ssl:(<[^>]*>|\w+)", "", str(error)).removesuffix(" [None]") or reason
    at_fault = (
        error.certificate_error
        if isinstance(error, aiohttp.ClientConnectorCertificateError)
        else error
    )
    return Unreachable(reason, with_cure(told, at_fault))


def _reason(error: Exception, *, secure: bool) -> str:
    """The first row that fits; of a connection that did not come about, what the system said of it."""
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, ConnectionRefusedError):
            return CONNECTION_REFUSED
        if isinstance(error.os_error, (ConnectionResetError, ConnectionAbortedError)):
            # It was connected, and then ended: in the handshake, which aiohttp counts as connecting,
            # or where there is none before aiohttp had noticed that it was.
            return TLS_FAILED if secure else CONNECTION_LOST
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), FAILED)
