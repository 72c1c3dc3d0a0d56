"""What an endpoint calls a success, where 2xx is not what it means by it.

Some answer 200 and say in the body that they did nothing; some answer 409 to what they have already.
`judged` looks at an answer with the condition that stands under the endpoint's `success:`.
"""

import json
import re

from gateway.core.computed import Compute, Scope, holds
from gateway.core.errors import ExpressionFailed
from gateway.core.model import DEEPEST, Accepted, Json, Outcome, Refused, Response
from gateway.core.retry import NOT_SUCCESSFUL

FIELDS = ("status", "headers", "body", "text")
"""What a condition may ask of `response`."""

MOST_DIGITS = 20

_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
"""What UTF-8 has no bytes for, and U+0000, at which CEL would cut the text."""


def judged(outcome: Outcome, success: Compute, *, posted: bool) -> Outcome:
    """*outcome* by the endpoint's own condition. What is no answer stays what it is.

    So does a redirect, which is never followed and therefore never done; and, where the event itself
    was *posted*, 410, which speaks of the endpoint and not of the event.
    """
    if not isinstance(outcome, (Accepted, Refused)):
        return outcome
    response = outcome.response
    if 300 <= response.status < 400 or (response.status == 410 and posted):
        return outcome
    reason = NOT_SUCCESSFUL
    try:
        if holds(success, Scope(response=seen(response))):
            return Accepted(response)
    except ExpressionFailed as error:
        reason = f"{NOT_SUCCESSFUL}: {error}"
    # Where the status tells of a failure, that is why: the condition may have looked into a body
    # that only a success has.
    return Refused(response, reason if response.ok else "")


def seen(response: Response) -> dict[str, Json]:
    """What a condition sees of an answer; its names are FIELDS.

    One value that expressions cannot hold would make all of them fail, also those that do not look at
    it. So numbers beyond 64 bits are rounded, characters that are none replaced, and a body that nests
    too deep is as one that is no JSON.
    """
    return {
        "status": response.status,
        "headers": _held(dict(response.headers)),
        "body": _decoded(response.body),
        "text": _held(response.text),
    }


def _decoded(body: bytes) -> Json:
    try:
        return _held(json.loads(body, parse_int=_number))
    except (ValueError, RecursionError):
        return None


def _number(digits: str) -> int | float:
    if len(digits) <= MOST_DIGITS and -(2**63) <= (number := int(digits)) < 2**63:
        return number
    return float(digits)


def _held(value: Json, depth: int = 0) -> Json:
    """*value* as expressions can hold it. Raises RecursionError where it nests too deep."""
    if depth > DEEPEST:
        raise RecursionError
    match value:
        case str():
            return _NO_CHARACTER.sub("\ufffd", value)
        case list():
            return [_held(each, depth + 1) for each in value]
        case dict():
            return {_held(name): _held(each, depth + 1) for name, each in value.items()}
    return value
