"""What follows an attempt: finished, again at a time, given up, or its endpoint parked.

`decide` is a pure function of the outcome, the number of the attempt, the policy, the moment and a
jitter that the caller draws. Asking twice gives the same answer: nothing here counts or remembers.

The rules are those of Standard Webhooks ("Operational considerations"): 2xx is success, 3xx is
failure and never followed, 410 means that the endpoint is gone, Retry-After is honoured.
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


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The delays before the second, third … attempt; after the last one the delivery is dead."""

    schedule: tuple[Micros, ...] = STANDARD_SCHEDULE


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


def decide(
    outcome: Outcome,
    *,
    attempt: int,
    policy: RetryPolicy,
    now: Micros,
    jitter: float,
    posted: bool = True,
    by_handler: bool = False,
) -> Decision:
    """What becomes of a delivery after *outcome* of its *attempt*-th attempt (counted from 1).

    *jitter* is in [-1, 1]. *posted*: the event itself was, to the endpoint's own URL. An answer 410 to
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
        case Refused() | Unreachable() | Postponed() | Raised():
            if attempt > len(policy.schedule):
                return GiveUp(f"{_reason(outcome)} (after {attempt} attempt{'s' * (attempt > 1)})")
            scheduled = round(policy.schedule[attempt - 1] * (1 + JITTER * jitter))
            return RetryAt(now + _delay(outcome, scheduled, now), _reason(outcome))
        case _:  # pragma: no cover
            assert_never(outcome)


def _reason(outcome: Refused | Unreachable | Postponed | Raised) -> str:
    return f"http-{outcome.response.status}" if isinstance(outcome, Refused) else outcome.reason


def _delay(
    outcome: Refused | Unreachable | Postponed | Raised, scheduled: Micros, now: Micros
) -> Micros:
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
    except ValueError:
        return 0
    if moment.tzinfo is None:  # "-0000": UTC, of unknown local time
        moment = moment.replace(tzinfo=UTC)
    return max(0, round(moment.timestamp() * SECOND) - now)
