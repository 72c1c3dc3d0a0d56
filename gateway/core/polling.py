"""What a source is asked that nobody posts to: where, how often, and what is made of a failure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gateway.core.computed import Compute
from gateway.core.errors import PollFailed
from gateway.core.model import (
    SECOND,
    Accepted,
    Micros,
    Outcome,
    Refused,
    Response,
    Tls,
    Unreachable,
)
from gateway.core.oauth2 import ClientCredentials

LONGEST_ANSWER = 512 * 1024
"""Bytes of an answer; a longer one cannot be read, and less has to be asked for at a time."""
SHORTEST_WAIT = 2 * SECOND
LONGEST_WAIT = 900 * SECOND
"""Between polls that fail; so seldom also while a key is refused, until somebody replaces it."""


Preset: TypeAlias = Literal["getty-asset-changes", "getty-downloads", "getty-products", "http"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrich:
    """What is asked about assets that have changed, before it is told that they have."""

    required: bool
    """Whether changes wait until it is known; else they go without."""
    fields: tuple[str, ...]
    collection: str | None
    """Of the register: what was known of them, to compare with. None: nothing is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Up to where a feed was read: the next request says so."""

    parameter: str
    """Of the query, in which it is sent."""
    template: str
    value: Compute = field(compare=False)
    """What computes it of an answer; two are equal whose `template` is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How a source is asked."""

    preset: Preset
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    oauth2: ClientCredentials | None = None
    tls: Tls | None = None
    every: Micros = 60 * SECOND
    batch: int = 500
    rate: tuple[int, Micros] = (2, SECOND)
    timeout: Micros = 20 * SECOND
    enrich: Enrich | None = None
    """With `getty-asset-changes`."""
    company: bool = False
    """With `getty-downloads`: those of everyone in the company."""
    thresholds: tuple[int, ...] = ()
    """With `getty-products`: days before the end of one at which that is told."""
    quota_percent: int = 0
    """With `getty-products`: where less of its downloads is left, that is told."""
    cursor: Cursor | None = None
    """With `http`."""


def answer_of(outcome: Outcome, most_bytes: int = LONGEST_ANSWER) -> Response:
    """The answer to a request, whole. Raises PollFailed where there is none that can be read."""
    match outcome:
        case Accepted(response):
            if len(response.body) >= most_bytes:
                what = f"the answer is longer than {most_bytes // 1024} KiB"
                raise PollFailed(what, cure="ask for less at a time: lower `batch`")
            return response
        case Refused(response):
            raise refusal(response)
        case Unreachable(reason, detail):
            raise PollFailed(
                f"no answer came: {reason}: {detail}", cure="see that it can be reached"
            )
        case _:  # pragma: no cover
            raise AssertionError(outcome)


def refusal(response: Response) -> PollFailed:
    """What an answer that is no success means for whoever reads the log."""
    status = response.status
    what = f"it answered {status}{_said(response)}"
    if status == 429:
        return PollFailed(
            what, status, cure="lower `rate`, where it says so often", outcome="throttled"
        )
    if status in (401, 403):
        cure = "see that key and secret are right, and that they may do this"
        return PollFailed(what, status, cure=cure, outcome="unauthorized")
    if status >= 500:
        return PollFailed(what, status, cure="it is asked again by itself")
    return PollFailed(what, status, cure="see what `poll:` asks for")


def _said(response: Response) -> str:
    """The code, or the few words, of an error in either form that Getty has: of its API, and of the edge before it."""
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    fields = answer if isinstance(answer, dict) else {}
    said = fields.get("ErrorCode") or fields.get("message")
    detail = response.headers.get("x-error-detail")
    words = [text[:100] for text in (said, detail) if isinstance(text, str) and text.isprintable()]
    return "".join(f", {text}" for text in words)


def wait_after(failures: int, chance: float) -> Micros:
    """How long to wait after so many failures in a row: twice as long each time, half of it by chance."""
    whole = min(SHORTEST_WAIT << min(failures - 1, 20), LONGEST_WAIT)
    return whole // 2 + round(whole // 2 * chance)
