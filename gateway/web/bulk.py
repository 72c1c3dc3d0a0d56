"""Sending again in bulk, for the admin API: filters in, how far it is out.

A call that does not say `"dry_run": false` changes nothing: it tells what would be done. One that does
say so does the next page of an operation; whoever wants it all asks again, until it has finished.
"""

import secrets
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from gateway.config.quantities import Rate
from gateway.core.access import Caller
from gateway.core.bulk import DEFAULT_RATE, Action, Ended, Progress
from gateway.core.errors import BodyTooLarge, ParameterInvalid
from gateway.core.model import Json, Micros, delivery_id, parse_delivery_id
from gateway.flows.bulk import Bulk, Filter, shown
from gateway.web.parameters import json_answer, moment

Kind = TypeVar("Kind", bound="_Asked")

LARGEST_BODY = 64 * 1024

Moment = Annotated[Micros, BeforeValidator(lambda value: moment("it", str(value)))]
Text = Annotated[str, Field(min_length=1, max_length=1024)]


class _Asked(BaseModel):
    """What a call carries, read strictly."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EndedFilter(_Asked):
    """Which dead or cancelled deliveries."""

    state: Literal["dead", "cancelled"] = "dead"
    endpoint: Text | None = None
    route: Text | None = None
    reason: Text | None = None
    event: Text | None = None
    type: Text | None = None
    subject: Text | None = None
    since: Moment | None = None
    until: Moment | None = None


class EventFilter(_Asked):
    """Which events; of what they are routed to, only what goes to *endpoint*, where there is one."""

    source: Text | None = None
    type: Text | None = None
    subject: Text | None = None
    unmatched: Literal[True] | None = None
    endpoint: Text | None = None
    since: Moment | None = None
    until: Moment | None = None


class _Bulk(_Asked):
    dry_run: bool = True
    operation: Annotated[str, Field(pattern=r"^op_[0-9a-z]{8,40}$")] | None = None
    rate: Rate = DEFAULT_RATE


class Redeliver(_Bulk):
    """The body of a bulk redelivery."""

    filter: EndedFilter | None = None
    cursor: Text | None = None
    """Of a dry run: where to go on counting."""


class Groups(EndedFilter):
    """The parameters of a count."""

    cursor: Text | None = None


class Replay(_Bulk):
    """The body of a bulk replay."""

    filter: EventFilter | None = None
    cursor: Text | None = None
    """Of a dry run: where to go on counting."""


class BulkApi:
    """The paths."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk

    async def groups(self, request: Request, _caller: Caller) -> Response:
        """What is dead or cancelled, by endpoint and reason."""
        asked = _read(Groups, dict(request.query_params))
        sought = asked.model_dump(exclude_none=True, exclude={"cursor"})
        return json_answer(await self._groups(sought, asked.cursor))

    async def redeliver(self, request: Request, caller: Caller) -> Response:
        """What would be put back on schedule, or the next page of it."""
        asked = _read(Redeliver, await _body(request))
        if asked.dry_run:
            found = await self._groups(_given(_wanted(asked.filter)), asked.cursor)
            return json_answer({"dry_run": True, **found})
        return await self._go_on(Action.REDELIVER, asked, asked.filter, caller)

    async def _groups(self, sought: Filter, cursor: str | None) -> dict[str, Json]:
        after = None if cursor is None else _ended(cursor)
        found = await self._bulk.groups(sought, after)
        following = found["next"]
        return {**found, "next": None if following is None else _cursor(following)}

    async def replay(self, request: Request, caller: Caller) -> Response:
        """Which events would be routed again, or the next page of them."""
        asked = _read(Replay, await _body(request))
        if asked.dry_run:
            sought = _given(_wanted(asked.filter))
            found = await self._bulk.count_events(sought, asked.cursor or "")
            return json_answer({"dry_run": True, **found})
        return await self._go_on(Action.REPLAY, asked, asked.filter, caller)

    async def _go_on(
        self, action: Action, asked: _Bulk, sought: _Asked | None, caller: Caller
    ) -> Response:
        name = asked.operation
        if name is None:
            sought, name = _wanted(sought), f"op_{secrets.token_hex(8)}"
        given = None if sought is None else _given(sought)
        progress = await self._bulk.go_on(action, name, given, asked.rate, caller)
        return json_answer(_progress(progress), 202)

    async def operations(self, _request: Request, _caller: Caller) -> Response:
        """What was begun last."""
        return json_answer({"items": await self._bulk.operations(LISTED)})

    async def operation(self, request: Request, _caller: Caller) -> Response:
        """One of them."""
        return json_answer(shown(await self._bulk.operation(request.path_params["id"])))


LISTED = 50


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


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge(f"the body is larger than {LARGEST_BODY} bytes", cure="send less")
    return body or b"{}"


def _read(kind: type[Kind], given: bytes | dict[str, str]) -> Kind:
    try:
        if isinstance(given, bytes):
            return kind.model_validate_json(given)
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise ParameterInvalid(f"{place}: {first['msg']}", cure=CURE) from None


CURE = "see `Send again` in docs/operations.md"


def _wanted(sought: Kind | None) -> Kind:
    """A filter that has to be there: nobody sends everything again by leaving something out."""
    if sought is None:
        raise ParameterInvalid("there is no filter", cure="say what: `{}` is everything")
    return sought


def _given(sought: _Asked) -> Filter:
    """A filter without what it says nothing of."""
    return sought.model_dump(exclude_none=True)
