"""Errors as HTTP answers: the only place that picks status codes (RFC 9457 problem details).

Nothing of the request, no secret, no path of this machine and no version goes into an answer.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from uuid import uuid4

import orjson

from gateway.core.errors import (
    AddressNotAllowed,
    BodyCorrupt,
    BodyEmpty,
    BodyMalformed,
    BodyTooLarge,
    CallerUnknown,
    CertificateUnavailable,
    Changed,
    ConfirmationFailed,
    Conflict,
    CrossOrigin,
    DataInvalid,
    DiskFull,
    Draining,
    EncodingUnsupported,
    GatewayError,
    HandshakeFailed,
    HeadersTooLarge,
    MediaTypeUnsupported,
    MethodNotAllowed,
    Misdirected,
    NotFound,
    Overloaded,
    ParameterInvalid,
    PathUnknown,
    QuestionAnswered,
    QuestionOver,
    RateLimited,
    RequestMalformed,
    RequestTooSlow,
    ScopeMissing,
    StoreBehind,
    StoreUnavailable,
    Unauthorised,
    UnknownSource,
    UpstreamFailed,
    UpstreamLimited,
    UpstreamTimedOut,
    UpstreamUnavailable,
    UrlTooLong,
    VerificationFailed,
)

STATUS: tuple[tuple[type[GatewayError], int, str], ...] = (
    (UnknownSource, 404, "Unknown source"),
    (PathUnknown, 404, "Not found"),
    (MethodNotAllowed, 405, "Method not allowed"),
    (VerificationFailed, 401, "Verification failed"),
    (AddressNotAllowed, 403, "Address not allowed"),
    (HandshakeFailed, 400, "Handshake failed"),
    (Unauthorised, 401, "Unauthorised"),
    (CallerUnknown, 401, "Caller unknown"),
    (ScopeMissing, 403, "Scope missing"),
    (CrossOrigin, 403, "Cross-origin request"),
    (Misdirected, 421, "Misdirected request"),
    (BodyTooLarge, 413, "Body too large"),
    (BodyEmpty, 400, "Empty body"),
    (DataInvalid, 422, "Data invalid"),
    (BodyMalformed, 400, "Body unreadable"),
    (MediaTypeUnsupported, 415, "Media type not supported"),
    (EncodingUnsupported, 415, "Content encoding not supported"),
    (RateLimited, 429, "Too many requests"),
    (RequestMalformed, 400, "Request malformed"),
    (RequestTooSlow, 408, "Request too slow"),
    (HeadersTooLarge, 431, "Headers too large"),
    (UrlTooLong, 414, "URL too long"),
    (ParameterInvalid, 400, "Parameter invalid"),
    (QuestionOver, 410, "Not asked any more"),
    (QuestionAnswered, 409, "Answered before"),
    (NotFound, 404, "Not found"),
    (Conflict, 409, "Conflict"),
    (Changed, 412, "Changed meanwhile"),
    (BodyCorrupt, 500, "Stored body corrupt"),
    (CertificateUnavailable, 503, "Certificate unavailable"),
    (ConfirmationFailed, 503, "Confirmation failed"),
    (UpstreamLimited, 429, "Upstream limited"),
    (UpstreamUnavailable, 503, "Upstream unavailable"),
    (UpstreamTimedOut, 504, "Upstream timed out"),
    (UpstreamFailed, 502, "Upstream failed"),
    (Draining, 503, "Shutting down"),
    (StoreBehind, 503, "Storage behind"),
    (Overloaded, 503, "Overloaded"),
    (DiskFull, 503, "Storage full"),
    (StoreUnavailable, 503, "Storage unavailable"),
)
"""The first row whose class fits."""

SECONDS_UNTIL_STORED_AGAIN = 30
TYPE = "urn:rights-gateway:problem:"
"""docs/errors.md says what each means."""

Headers = list[tuple[bytes, bytes]]
PROBLEM_TYPE = "application/problem+json"
PROBLEM = (b"content-type", PROBLEM_TYPE.encode())


def status_of(kind: type[GatewayError]) -> int:
    """The status with which errors of that kind are answered."""
    return next(status for each, status, _ in STATUS if issubclass(kind, each))


def identified(error: GatewayError) -> GatewayError:
    """*error*, with a name of its own: for the log and for who is answered, so that one leads to the other."""
    error.instance = f"urn:uuid:{uuid4()}"
    return error


class Told(NamedTuple):
    """What a caller is told of an error, in whatever form."""

    status: int
    code: str
    title: str
    detail: str
    instance: str
    headers: Headers
    more: Mapping[str, int | str | None] = MappingProxyType({})
    """Members beside those that every problem has."""


def answer(error: Exception) -> tuple[int, Headers, bytes]:
    """Status, headers and body that tell a caller of *error*."""
    told = told_of(error)
    return told.status, told.headers, _problem(told)


def told_of(error: Exception) -> Told:
    """What to tell a caller of *error*; the log hears of it."""
    log = logging.getLogger("gateway")
    for kind, status, title in STATUS:
        if isinstance(error, kind):
            if not error.instance:  # nobody else tells of it
                noted = {"instance": identified(error).instance, "code": error.code}
                log.debug("a request was refused", extra=noted | {"status": status})
            # The store's own words name files and disks: they are for the log.
            detail = title if status >= 500 else str(error)
            return Told(
                status, error.code, title, detail, error.instance, _headers(error), _more(error)
            )
    if isinstance(error, MemoryError):
        log.error("a request was refused: there is no memory left")
        return told_of(Overloaded("there is no memory left", cure="try again in a moment"))
    unexpected = identified(GatewayError("an unexpected error"))
    log.error(str(unexpected), exc_info=error, extra={"instance": unexpected.instance})
    return Told(
        status=500,
        code="internal-error",
        title="Internal error",
        detail="the gateway's log has the details",
        instance=unexpected.instance,
        headers=[],
    )


def _more(error: GatewayError) -> Mapping[str, int | str | None]:
    match error:
        case UpstreamFailed(status=status):
            return {"upstream_status": status}
        case DataInvalid(field=field):
            return {"field": field}
        case _:
            return {}


def _problem(told: Told) -> bytes:
    return orjson.dumps(
        {
            "type": TYPE + told.code,
            "title": told.title,
            "status": told.status,
            "detail": told.detail,
            "instance": told.instance,
            "code": told.code,
            **told.more,
        }
    )


def _headers(error: GatewayError) -> Headers:
    match error:
        case MethodNotAllowed(allow=allow):
            return [(b"allow", allow.encode())]
        case VerificationFailed():
            return [(b"www-authenticate", b'Signature realm="webhooks"')]
        case Unauthorised():
            return [(b"www-authenticate", b'Bearer realm="admin"')]
        case CallerUnknown():
            return [(b"www-authenticate", b'Bearer realm="queries"')]
        case EncodingUnsupported(accept=accept):
            return [(b"accept-encoding", accept.encode())]
        case BodyTooLarge():
            return [(b"connection", b"close")]
        case (
            RateLimited(retry_after_seconds=seconds)
            | UpstreamLimited(retry_after_seconds=seconds)
            | UpstreamUnavailable(retry_after_seconds=seconds)
        ):
            return [(b"retry-after", str(seconds).encode())]
        case StoreBehind():
            return [(b"retry-after", b"5")]
        case Overloaded():
            return [(b"retry-after", b"1")]
        case Draining():
            return [(b"retry-after", b"1"), (b"connection", b"close")]
        case StoreUnavailable() | CertificateUnavailable() | ConfirmationFailed():
            return [(b"retry-after", str(SECONDS_UNTIL_STORED_AGAIN).encode())]
        case _:
            return []
