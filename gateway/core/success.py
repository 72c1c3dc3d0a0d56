"""What an endpoint calls a success, where 2xx is not what it means by it.

Some answer 200 and say in the body that they did nothing; some answer 409 to what they have already.
`judged` looks at an answer with the condition that stands under the endpoint's `success:`.
"""

import json

from gateway.core.errors import ExpressionFailed
from gateway.core.model import Accepted, Json, Outcome, Refused, Response
from gateway.core.retry import NOT_SUCCESSFUL
from gateway.core.routing import Compute, Scope, holds

FIELDS = ("status", "headers", "body", "text")
"""What a condition may ask of `response`."""


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
    """What a condition sees of an answer; its names are FIELDS."""
    return {
        "status": response.status,
        "headers": dict(response.headers),
        "body": _decoded(response.body),
        # Expressions cannot look at a U+0000. In what is meant to be read there is none.
        "text": response.text.replace("\0", "\ufffd"),
    }


def _decoded(body: bytes) -> Json:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
