"""What follows an attempt: finished, again at a time, given up, or its endpoint parked.

`decide` is a pure function of the outcome, the number of the attempt, the policy, two moments and a
jitter that the caller draws. Asking twice gives the same answer: nothing here counts or remembers.

The rules are those of Standard Webhooks ("Operational considerations"): 2xx is success (unless the
endpoint means something else by it: success.py), 3xx is failure and never followed, 410 means that the
endpoint is gone, Retry-After is honoured. An attempt belongs to a round: those since the delivery was
promised, or last put back on schedule by a person. Attempts are counted, and time is taken, per round.
"""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeAlias, assert_never

from gateway.core.model import (
    SECOND,
    Accepted,
    Hopeless,
    Micros,
    Outcome,
    Postponed,
    Raised,
    Refused,
    Response,
    Skipped,
    Unreachable,
)

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
STANDARD_SCHEDULE: tuple[Micros, ...] = (
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
"""Standard Webhooks' table after the immediate first attempt: 10 attempts over some three days."""

JITTER = 0.2
"""A delay is spread by this share both ways, so that what failed together does not return together."""

LONGEST_HINT = 24 * HOUR
"""A Retry-After of more than this counts as this."""

EGRESS_DENIED = "egress-denied"
"""The reason of an Unreachable whose address the egress policy does not allow."""

REQUEST_INVALID = "request-invalid"
"""The reason of an Unreachable whose request cannot be sent as it was computed: see `core/sendable`."""


TOKEN_FAILED = "oauth-token-failed"
"""How the reason of an Unreachable begins for which no token could be had; why not follows it."""

TOKEN_DENIED = f"{TOKEN_FAILED}: {EGRESS_DENIED}"
"""The same, where the address of the token's URL is not allowed. That URL never comes from an event."""

NOT_SUCCESSFUL = "not-successful"
"""How the reason of a Refused begins whose status is 2xx, and which its endpoint calls no success."""

UNREACHABLE = "unreachable"
"""Stands for all of NO_ANSWER."""

NO_ANSWER = frozenset({
    "connect-failed", "connect-timeout", "connection-lost", "connection-refused", "dns-failed", "failed",
    "response-broken", "response-malformed", "timeout", "tls-certificate", "tls-failed", "url-invalid",
    TOKEN_FAILED,
})  # fmt: skip
"""How the reasons begin of every Unreachable that is made again."""

NEVER_SENT = frozenset({
    "connect-timeout", "connection-refused", "dns-failed", "tls-certificate",
    EGRESS_DENIED, REQUEST_INVALID, TOKEN_FAILED,
})  # fmt: skip
"""How the reasons begin of every Unreachable of which nothing can have reached the endpoint."""

REASONS = NO_ANSWER | {
    UNREACHABLE, "attempt-broken", "handler-raised", "handler-returned-no-response", "secrets-ended",
    NOT_SUCCESSFUL,
}  # fmt: skip
"""What policies may name, besides statuses."""


def never_sent(reason: str) -> bool:
    """Whether it is certain of an Unreachable with this reason that the endpoint got nothing of the request."""
    return reason.partition(":")[0] in NEVER_SENT


@dataclass(frozen=True, slots=True)
class Failures:
    """Some of the ways in which attempts fail."""

    statuses: tuple[tuple[int, int], ...] = ()
    """Ranges of statuses, both ends included."""
    reasons: frozenset[str] = frozenset()
    """Of REASONS."""

    def __or__(self, other: "Failures") -> "Failures":
        return Failures(self.statuses + other.statuses, self.reasons | other.reasons)

    def cover(self, other: "Failures") -> bool:
        """Whether each of *other* is one of these, by one range of them or one word."""
        return all(
            any(first <= least and most <= last for first, last in self.statuses)
            for least, most in other.statuses
        ) and all(map(self._have_reason, other.reasons))

    def have(self, outcome: Refused | Unreachable | Raised) -> bool:
        """Whether *outcome* is one of these."""
        if isinstance(outcome, Refused) and not outcome.reason:
            status = outcome.response.status
            return any(first <= status <= last for first, last in self.statuses)
        return self._have_reason(outcome.reason.partition(":")[0])

    def _have_reason(self, reason: str) -> bool:
        return reason in self.reasons or (reason in NO_ANSWER and UNREACHABLE in self.reasons)


NO_FAILURES = Failures()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential:
    """Delays that grow: *first*, then each *factor* times the one before, and none above *longest*."""

    first: Micros
    factor: float = 2
    longest: Micros = 24 * HOUR
    attempts: int | None = None
    """How many there are at most, the first among them; None: only time ends them."""

    def delay(self, attempt: int) -> Micros | None:
        """What follows the *attempt*-th attempt; None: it was the last."""
        if self.attempts is not None and attempt >= self.attempts:
            return None
        try:
            return min(self.longest, round(self.first * float(self.factor) ** (attempt - 1)))
        except OverflowError:
            return self.longest


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Which failed attempts are made again, when, and until when."""

    schedule: tuple[Micros, ...] | Exponential = STANDARD_SCHEDULE
    """The delays before the second, third … attempt; after the last one the delivery is dead."""
    on: Failures | None = None
    """Only these are made again; None: all."""
    never: Failures = NO_FAILURES
    """These are not, even if `on` has them."""
    within: Micros | None = None
    """So long after a round's first attempt began, the last one may be due. What has been due and had to
    wait since, because its endpoint was paused say, is attempted all the same."""

    def delay(self, attempt: int) -> Micros | None:
        """What follows the *attempt*-th attempt, without jitter; None: it was the last."""
        if isinstance(self.schedule, Exponential):
            return self.schedule.delay(attempt)
        return self.schedule[attempt - 1] if attempt <= len(self.schedule) else None

    def forgives(self, outcome: Refused | Unreachable | Raised) -> bool:
        """Whether an attempt that failed so is made again at all."""
        return (self.on is None or self.on.have(outcome)) and not self.never.have(outcome)


@dataclass(frozen=True, slots=True)
class Finish:
    """The delivery is delivered; `reason` is set where nothing was sent."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RetryAt:
    """It goes back on schedule."""

    due_at: Micros
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It becomes a dead letter."""

    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """Its endpoint stops (`disabled` or `blocked`), and the delivery waits until it is resumed."""

    state: str
    reason: str


Decision: TypeAlias = Finish | RetryAt | GiveUp | Park


def decide(  # noqa: PLR0913  # all that it depends on
    outcome: Outcome,
    *,
    attempt: int,
    policy: RetryPolicy,
    since: Micros,
    now: Micros,
    jitter: float,
    posted: bool = True,
    by_handler: bool = False,
) -> Decision:
    """What becomes of a delivery after *outcome* of its *attempt*-th attempt (counted from 1).

    *since* is when its first attempt began, this one or an earlier one; *attempt* and *since* are those
    of its round. *jitter* is in [-1, 1]. *posted*: the event itself was, to the endpoint's own URL. An answer 410 to
    anything else speaks of one thing at the endpoint, not of the endpoint, and is an ordinary failure.
    *by_handler*: a handler made the calls. A denied address is then one that came out of the event: it
    is hopeless for this delivery and says nothing of the endpoint.
    """
    match outcome:
        case Accepted():
            return Finish()
        case Skipped(reason):
            return Finish(reason)
        case Hopeless(reason):
            return GiveUp(reason)
        case Refused(response) if response.status == 410 and posted:
            return Park("disabled", "http-410: the endpoint says that it is gone")
        case Unreachable(reason, detail) if reason == EGRESS_DENIED:
            text = f"{reason}: {detail}"
            return GiveUp(text) if by_handler else Park("blocked", text)
        case Unreachable(reason, detail) if reason == REQUEST_INVALID:
            return GiveUp(f"{reason}: {detail}")  # the bytes are the same on each attempt
        case Unreachable(reason, detail) if reason == TOKEN_DENIED:
            return Park("blocked", f"{reason}: {detail}")
        case Refused() | Unreachable() | Postponed() | Raised():
            return _again(outcome, attempt, policy, since, now, jitter)
        case _:  # pragma: no cover
            assert_never(outcome)


_Failed: TypeAlias = Refused | Unreachable | Postponed | Raised


def _again(
    outcome: _Failed, attempt: int, policy: RetryPolicy, since: Micros, now: Micros, jitter: float
) -> RetryAt | GiveUp:
    """When to make a failed attempt again, or why not to.

    A handler that asks to try later has looked at the failure itself: which failures the policy
    forgives does not matter then. How many attempts it has, and how much time, does.
    """
    reason, made = _reason(outcome), f"after {attempt} attempt{'s' * (attempt > 1)}"
    if not isinstance(outcome, Postponed) and not policy.forgives(outcome):
        return GiveUp(f"{reason} ({made}: `retry` says that there is no other)")
    delay = policy.delay(attempt)
    if delay is None:
        return GiveUp(f"{reason} ({made})")
    due_at = now + _delay(outcome, round(delay * (1 + JITTER * jitter)), now)
    if policy.within is not None and due_at > since + policy.within:
        return GiveUp(f"{reason} ({made}: no time is left for another)")
    return RetryAt(due_at, reason)


def _reason(outcome: _Failed) -> str:
    if isinstance(outcome, Refused):
        return outcome.reason or f"http-{outcome.response.status}"
    return outcome.reason


def _delay(outcome: _Failed, scheduled: Micros, now: Micros) -> Micros:
    """How long to wait: a handler's word counts alone, an endpoint's hint only if it is longer."""
    match outcome:
        case Postponed(_, after) if after is not None:
            return max(0, after)
        case Refused(response):
            return max(scheduled, min(retry_after(response, now), LONGEST_HINT))
        case _:
            return scheduled


def retry_after(response: Response, now: Micros) -> Micros:
    """How long the endpoint asks us to wait (RFC 9110 §10.2.3: seconds or a date).

    What is neither counts as no hint, as does a moment that has passed: 0.
    """
    text = response.headers.get("retry-after", "").strip()
    if not text:
        return 0
    if text.isascii() and text.isdigit():
        return int(text[:9]) * SECOND
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for a year, or an offset, of very many digits
        return 0
    if moment.tzinfo is None:  # "-0000": UTC, of unknown local time
        moment = moment.replace(tzinfo=UTC)
    return max(0, round(moment.timestamp() * SECOND) - now)
