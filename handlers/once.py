"""A call that may not be repeated, where an API knows no repetition by itself: what costs money, or licenses.

That it begins is written down before it does. Where nobody knows what came of it, it is not made again: the
handler finds that out by itself, by asking the API, or a person does.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from gateway import Endpoint, Response, RetryLater, Unanswered, Undeliverable

LAGS = timedelta(minutes=15)
"""For so long an API may not know of what it did itself."""
LOOK_AGAIN_SECONDS = 300
UNAUTHORIZED, TIMED_OUT = 401, 408


async def once(
    endpoint: Endpoint, act: str, call: Callable[[], Awaitable[Response]], unclear: str
) -> Response:
    """The answer to *call*, which is made once for that *act*; twice, where the first time was not let in.

    Where it was begun before, raises RetryLater, and after a while Undeliverable, with what is *unclear*: call this
    only once the API does not know of it.
    """
    since = await endpoint.begin_act(act)
    if since is not None:
        raise _unclear(endpoint, unclear, since)
    try:
        answer = await call()
        if answer.status == UNAUTHORIZED:  # the token may have ended: the next call has a new one
            answer = await call()
    except Unanswered as error:
        if not error.sent:
            await endpoint.act_failed(act)
        raise
    if 400 <= answer.status < 500 and answer.status != TIMED_OUT:
        await endpoint.act_failed(act)
    return answer


def _unclear(endpoint: Endpoint, unclear: str, since: timedelta) -> Exception:
    told = (
        f"{unclear}: begun {round(since.total_seconds())} s ago, by this delivery or another;"
        f" look there, and only if nothing came of it, `gateway redeliver --act-again {endpoint.idempotency_key}` does it again"
    )
    return Undeliverable(told) if since >= LAGS else RetryLater(told, after=LOOK_AGAIN_SECONDS)
