"""Every exception of the gateway, drawn as a tree by what its reader must do next.

GatewayError
├── ConfigError              fix a file: holds every problem found in it
├── RequestRefused           the caller is at fault
│   ├── UnknownSource        ├── PathUnknown
│   ├── MethodNotAllowed     ├── VerificationFailed
│   ├── BodyTooLarge         ├── BodyEmpty
│   ├── BodyMalformed        ├── MediaTypeUnsupported
│   │   └── DataInvalid      │
│   ├── EncodingUnsupported  ├── RateLimited
│   ├── AddressNotAllowed    ├── HandshakeFailed
│   ├── RequestMalformed     ├── RequestTooSlow
│   ├── HeadersTooLarge      ├── UrlTooLong
│   ├── Misdirected          ├── CrossOrigin
│   ├── ParameterInvalid     ├── Unauthorised
│   ├── ScopeMissing         ├── CallerUnknown
│   ├── QuestionOver         └── QuestionAnswered
├── NotFound                 the operator asked for what is not there
├── Conflict                 the operator asked for what cannot be done now
│   ├── EventErased          what it said is gone for good, on request
│   └── CannotSign           only the sender can: what is known here is its public key
├── Changed                  look again: it is not as the operator knew it
├── StoreUnavailable         try again later; nothing was kept
│   ├── StoreInUse           another process has the database
│   ├── StoreUnusable        change its file or folder: trying again does not help
│   ├── StoreBroken          stop, and look at the disk: what is on it is not known any more
│   └── DiskFull             free some space
├── CertificateUnavailable   try again later: who sent this cannot be told now
├── ConfirmationFailed       try again later: a subscription could not be confirmed
├── Draining                 try again on another node, or in a moment
├── UpstreamFailed           look at the endpoint that a query asks: what it answers is no success
│   ├── UpstreamLimited      ask less, and later
│   ├── UpstreamUnavailable  try again later
│   └── UpstreamTimedOut     try again later, or give it more time
├── Overloaded               try again in a moment: there is no room now
│   └── StoreBehind          the disk takes commits more slowly than they come
├── PollFailed               try again later: what was asked for did not come
├── BackupFailed             free some space, or name another file: there is no copy
├── MoveRefused              name another database: this one cannot take what is to be moved
├── SchemaTooNew             run the newer gateway that wrote the database
├── BodyCorrupt              restore a backup: stored bytes have changed
├── LeaseLost                throw the result away: someone else owns the delivery
├── ExpressionFailed         a `${…}` of routes.yaml cannot be computed for this event
│   └── HopLimit             look for the rules that make each other's events
└── EventTooWide             an event has more elements than patterns can look at

HandlerSignal                what a handler raises to end its delivery its own way
├── Undeliverable            dead at once
├── RetryLater               again, after a while
├── Skip                     done, with nothing to do
├── Unsuccessful             as if the answer that it carries had been returned
└── Unanswered               a call of its got no answer; raised by the endpoint client

Each error has a stable `code` (docs/errors.md lists them all) and a message of three parts: what
happened, to what, what to do. HTTP status codes are chosen in `web/errors.py`, exit codes in `cli`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from gateway.core.model import Response


class GatewayError(Exception):
    """Base of all; never raised itself."""

    code: ClassVar[str] = "error"
    instance: str = ""
    """What its caller is told to ask by, and the log has; empty until a caller is answered."""

    def __init__(self, what: str, *, cure: str = "") -> None:
        super().__init__(f"{what}; {cure}" if cure else what)
        self.what = what
        self.cure = cure


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a configuration file, and what to do about it.

    `line` and `column` count from 1; 0 means that the problem is with the file as a whole.
    """

    file: str
    line: int
    column: int
    code: str
    what: str
    cure: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        label = "warning: " if self.severity == "warning" else ""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {label}{self.code}: {self.what}; {self.cure}"


class ConfigError(GatewayError):
    """A configuration cannot be used; `problems` has every reason, in the order of the file."""

    code = "config-invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class RequestRefused(GatewayError):
    """The request cannot be accepted as it is; sending the same again changes nothing.

    `outcome` says exactly why it is not verified, where that is the reason: for logs and metrics.
    """

    code = "refused"
    outcome: str | None = None
    body: bytes | None = None
    """What came with it; None: it was refused before that was read, or before its end."""


class UnknownSource(RequestRefused):
    """No source of that name is configured."""

    code = "unknown-source"


class PathUnknown(RequestRefused):
    """Nothing lives at that path."""

    code = "not-found"


class MethodNotAllowed(RequestRefused):
    """The path exists; the method does not fit it."""

    code = "method-not-allowed"

    def __init__(self, what: str, *, allow: str) -> None:
        super().__init__(what, cure=f"use {allow}")
        self.allow = allow


class VerificationFailed(RequestRefused):
    """The request does not prove who sent it.

    `outcome` says exactly why, for logs and metrics; the sender only hears that it failed.
    """

    code = "verification-failed"

    def __init__(self, outcome: str) -> None:
        super().__init__(
            "the request could not be verified",
            cure="sign it with this source's secret; whoever runs the gateway finds the exact reason with"
            " `gateway inbox --refused`",
        )
        self.outcome = outcome


class AddressNotAllowed(RequestRefused):
    """The source takes requests from other addresses only."""

    code = "ip-not-allowed"
    outcome = "ip_not_allowed"


class HandshakeFailed(RequestRefused):
    """A handshake that is none, or one that may not be repeated."""

    code = "handshake-failed"


class BodyTooLarge(RequestRefused):
    """The body exceeds the limit of its source."""

    code = "body-too-large"


class BodyEmpty(RequestRefused):
    """There is no body where an event is expected."""

    code = "empty-body"


class BodyMalformed(RequestRefused):
    """The body cannot be read as an event; `code` says what is wrong with it."""

    code = "body-unreadable"

    def __init__(self, what: str, *, cure: str, code: str = "body-unreadable") -> None:
        super().__init__(what, cure=cure)
        self.code = code  # type: ignore[misc]  # one class, a few codes: readers treat them alike


class DataInvalid(BodyMalformed):
    """An event's data are not what its type says; `field` is where."""

    code = "data-invalid"

    def __init__(self, what: str, *, cure: str, field: str) -> None:
        super().__init__(what, cure=cure, code=self.code)
        self.field = field


class MediaTypeUnsupported(RequestRefused):
    """The source does not read this content type."""

    code = "media-type-unsupported"


class EncodingUnsupported(RequestRefused):
    """The body is compressed, and its source does not say that it may be; `accept` is what may come."""

    code = "content-encoding-unsupported"

    def __init__(self, what: str, *, cure: str, accept: str = "identity") -> None:
        super().__init__(what, cure=cure)
        self.accept = accept


class RequestMalformed(RequestRefused):
    """It is no HTTP request, or one that two readers could understand differently."""

    code = "request-malformed"


class RequestTooSlow(RequestRefused):
    """Its head or its body did not come in time."""

    code = "request-too-slow"


class HeadersTooLarge(RequestRefused):
    """It has too many headers, or too long ones."""

    code = "headers-too-large"


class UrlTooLong(RequestRefused):
    """Its URL is too long."""

    code = "url-too-long"


class Misdirected(RequestRefused):
    """It names a host that the gateway does not answer for."""

    code = "misdirected"


class RateLimited(RequestRefused):
    """The source sends faster than its `rate`, or an address than the setting `address_rate`."""

    code = "rate-limited"

    def __init__(self, what: str, *, retry_after_seconds: int) -> None:
        super().__init__(what, cure=f"wait {retry_after_seconds} s and send again")
        self.retry_after_seconds = retry_after_seconds


class ParameterInvalid(RequestRefused):
    """A parameter of an API call has a value that it cannot have."""

    code = "parameter-invalid"


class Unauthorised(RequestRefused):
    """The admin API wants a token that this call does not carry."""

    code = "unauthorised"


class CallerUnknown(RequestRefused):
    """A query wants a token that this request does not carry."""

    code = "caller-unknown"


class ScopeMissing(RequestRefused):
    """The token is known, but was not given the scope for this."""

    code = "scope-missing"


class CrossOrigin(RequestRefused):
    """A web page of another origin asks for a change."""

    code = "cross-origin"


class QuestionOver(RequestRefused):
    """Nobody is waited for any more: time is up, or something newer is asked in its place."""

    code = "question-over"


class QuestionAnswered(RequestRefused):
    """Somebody gave another answer before; the first counts."""

    code = "question-answered"


class NotFound(GatewayError):
    """There is no such event, delivery, route, endpoint or source."""

    code = "not-found"


class Conflict(GatewayError):
    """The thing exists, but its present state does not allow what was asked."""

    code = "conflict"


class Changed(GatewayError):
    """It is not as the operator knew it: somebody, or something, has changed it meanwhile."""

    code = "changed"


class EventErased(Conflict):
    """What an event said was erased on request: it can be shown that it was there, and no more."""

    code = "event-erased"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"what the event {name} said was erased", cure="have its sender send it again"
        )


class CannotSign(Conflict):
    """Nothing can be signed in a source's name: its key is a public one, or stands in its URL."""

    code = "cannot-sign"

    def __init__(self) -> None:
        super().__init__(
            "only the real sender can send as this source",
            cure="try its mapping with `gateway explain`, or post to the source what the sender posted",
        )


class StoreUnavailable(GatewayError):
    """The database cannot commit now: nothing of this call was kept."""

    code = "storage-unavailable"


class StoreInUse(StoreUnavailable):
    """Another process serves this database."""

    code = "storage-in-use"


class StoreUnusable(StoreUnavailable):
    """The database, or its folder, is not one that the gateway can work with as it is."""

    code = "storage-unusable"


class StoreBroken(StoreUnavailable):
    """The disk failed to keep what it had taken, or has changed it: nothing more may be acknowledged.

    The process that meets this ends, and touches the database no more.
    """

    code = "storage-broken"


class DiskFull(StoreUnavailable):
    """The disk of the database has no room, or so little that events are no longer taken."""

    code = "disk-full"


class SchemaTooNew(GatewayError):
    """The database was written by a newer gateway."""

    code = "schema-too-new"


class PollFailed(GatewayError):
    """What a source is asked did not answer as it should; `outcome` is a word for metrics."""

    code = "poll-failed"

    def __init__(
        self, what: str, status: int | None = None, *, cure: str, outcome: str = "failed"
    ) -> None:
        super().__init__(what, cure=cure)
        self.status = status
        self.outcome = outcome


class BackupFailed(GatewayError):
    """The database could not be copied; nothing else has changed."""

    code = "backup-failed"


class MoveRefused(GatewayError):
    """What a database holds cannot be moved into that other one, or not all of it."""

    code = "move-refused"


class CertificateUnavailable(GatewayError):
    """The certificate that a request names cannot be fetched, so it is neither taken nor refused."""

    code = "certificate-unavailable"


class ConfirmationFailed(GatewayError):
    """The sender's own service did not take the confirmation of its subscription."""

    code = "confirmation-failed"


class Draining(GatewayError):
    """The gateway is shutting down and takes nothing new."""

    code = "draining"


class UpstreamFailed(GatewayError):
    """The endpoint that a query asks gave no answer to pass on; *status* is what it said, if anything."""

    code = "upstream-failed"

    def __init__(self, status: int | None, *, retry_after_seconds: int = 1) -> None:
        super().__init__("there is no answer to pass on", cure="ask again later")
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class UpstreamLimited(UpstreamFailed):
    """The endpoint that a query asks wants to be left alone, or is asked as often as `rate` allows."""

    code = "upstream-limited"


class UpstreamUnavailable(UpstreamFailed):
    """The endpoint that a query asks says that it cannot answer now."""

    code = "upstream-unavailable"


class UpstreamTimedOut(UpstreamFailed):
    """The endpoint that a query asks did not answer in time."""

    code = "upstream-timeout"


class Overloaded(GatewayError):
    """Too many connections are open, or too much is under way: there is no room for this one now."""

    code = "overloaded"


class StoreBehind(Overloaded):
    """What waits to be committed is too much, or has waited too long, for more to be taken."""

    code = "storage-behind"


class BodyCorrupt(GatewayError):
    """The stored bytes of an event are not those that came."""

    code = "body-corrupt"


class LeaseLost(GatewayError):
    """The lease ran out first and someone else owns the delivery: write nothing."""

    code = "lease-lost"


class ExpressionFailed(GatewayError):
    """An expression of routes.yaml has no value for this event."""

    code = "expression-failed"


class HopLimit(ExpressionFailed):
    """So many events have led to one another that no more are made of them."""

    code = "hop-limit"


class EventTooWide(GatewayError):
    """An event's arrays have more elements than patterns can look at."""

    code = "event-too-wide"


class HandlerSignal(Exception):
    """Base of what a handler raises to say how its delivery ends."""


class Undeliverable(HandlerSignal):
    """This delivery can never succeed: it becomes a dead letter now."""


class RetryLater(HandlerSignal):
    """Not yet: attempt again after *after* seconds (the retry schedule's next delay if None).

    The attempt counts, so a delivery that is put off for ever ends as a dead letter.
    """

    def __init__(
        self, reason: str = "the handler asked to try later", *, after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.after = after


class Skip(HandlerSignal):
    """There is nothing to do: the delivery is finished, with this reason."""


class Unsuccessful(HandlerSignal):
    """The answer to one of several calls is a failure: the attempt is refused with *answer*.

    Raised where a handler would have to hand the answer up through functions of its own. A status of
    2xx is a failure too then.
    """

    def __init__(self, answer: "Response") -> None:
        super().__init__(f"http-{answer.status}")
        self.answer = answer


class Unanswered(HandlerSignal):
    """No answer came to a handler's call. Not caught, it makes the attempt unreachable.

    Where *sent* is False, it is certain that nothing of the call has reached the endpoint.
    """

    def __init__(self, reason: str, detail: str, *, sent: bool = True) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.sent = sent
