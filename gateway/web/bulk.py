"""Sending again in bulk, for the admin API: filters in, how far it is out.

A call that does not say `"dry_run": false` changes nothing: it tells what would be done. One that does
say so does the next page of an operation; whoever wants it all asks again, until it has finished.
"""

import secrets
from typing import TypeVar

from starlette.responses import Response

from gateway.core.bulk import Action, Ended, Progress
from gateway.core.errors import ParameterInvalid
from gateway.core.model import Json, delivery_id, parse_delivery_id
from gateway.flows.bulk import Bulk, Filter, shown
from gateway.web import asked
from gateway.web.asked import Asked, sought
from gateway.web.call import Call, json_answer

Kind = TypeVar("Kind", bound=Asked)

LISTED = 50


async def groups(call: Call) -> Response:
    """What is dead or cancelled, by endpoint and reason."""
    given = dict(call.filters)
    after = given.pop("cursor", None)
    return json_answer(await _groups(call.around.bulk, given, after))


async def redeliver(call: Call) -> Response:
    """What would be put back on schedule, or the next page of it."""
    given = call.given(asked.Redeliver)
    if given.dry_run:
        found = await _groups(call.around.bulk, sought(_wanted(given.filter)), given.cursor)
        return json_answer({"dry_run": True, **found})
    return await _go_on(Action.REDELIVER, given, given.filter, call)


async def _groups(bulk: Bulk, given: Filter, cursor: str | None) -> dict[str, Json]:
    found = await bulk.groups(given, None if cursor is None else _ended(cursor))
    following = found["next"]
    return {**found, "next": None if following is None else _cursor(following)}


async def replay(call: Call) -> Response:
    """Which events would be routed again, or the next page of them."""
    given = call.given(asked.Replay)
    if given.dry_run:
        found = await call.around.bulk.count_events(
            sought(_wanted(given.filter)), given.cursor or ""
        )
        return json_answer({"dry_run": True, **found})
    return await _go_on(Action.REPLAY, given, given.filter, call)


async def _go_on(action: Action, given: asked.Bulk, wanted: Asked | None, call: Call) -> Response:
    name = given.operation
    if name is None:
        wanted, name = _wanted(wanted), f"op_{secrets.token_hex(8)}"
    what = None if wanted is None else sought(wanted)
    progress = await call.around.bulk.go_on(action, name, what, given.rate, call.caller)
    return json_answer(_progress(progress), 202)


async def operations(call: Call) -> Response:
    """What was begun last."""
    return json_answer({"items": await call.around.bulk.operations(LISTED)})


async def operation(call: Call) -> Response:
    """One of them."""
    return json_answer(shown(await call.around.bulk.operation(call.part)))


def _progress(progress: Progress) -> dict[str, Json]:
    """An operation with what a caller does next: nothing more, or ask again, after a while."""
    return {
        "operation": shown(progress.operation),
        "finished": progress.operation.finished_at is not None,
        "wait_ms": -(-progress.wait // 1000),
        "failures": progress.failures,
    }


def _cursor(at: Ended) -> str:
    """A delivery and its endpoint, as a caller hands them back."""
    return f"{at.endpoint}/{delivery_id(at.event_id, at.n)}"


def _ended(cursor: str) -> Ended:
    endpoint, _, name = cursor.rpartition("/")
    parsed = parse_delivery_id(name)
    if parsed is None:
        raise ParameterInvalid("cursor is of another listing", cure="use `next` of the last answer")
    return Ended(endpoint, *parsed)


def _wanted(filter_: Kind | None) -> Kind:
    """A filter that has to be there: nobody sends everything again by leaving something out."""
    if filter_ is None:
        raise ParameterInvalid("there is no filter", cure="say what: `{}` is everything")
    return filter_
