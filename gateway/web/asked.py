"""What a call to the admin API may ask: its parameters and bodies, read strictly.

Each model is read from strangers' text and described in the API's document: neither is written twice.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails

from gateway.config.quantities import Rate
from gateway.core.bulk import DEFAULT_RATE
from gateway.core.errors import NotFound, ParameterInvalid
from gateway.core.listing import DEFAULT_LIMIT, LARGEST_LIMIT
from gateway.core.model import Json, Micros, parse_delivery_id, rfc3339_moment
from gateway.core.register import CONDITIONS, conditions_of
from gateway.core.state import State
from gateway.core.verifying import OUTCOMES

Kind = TypeVar("Kind", bound="Asked")

SAYS = "`/api/v1/openapi.json` says what it takes"
MEND = "go back, and mend that"
"""What who fills in a page's form is told."""
LONGEST_TEXT = 1024
LONGEST_REASON = 500
MOST_TOLD = 100
"""So many things the register is told of at once."""
LONGEST_TOLD = 200
"""Characters of what is wrong with a value: it may be part of that."""
NO_NUL = r"^[^\x00]*$"
"""No database keeps one in its text."""


class Asked(BaseModel):
    """Nothing, unless a subclass says more."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _moment(value: object) -> Micros:
    found = rfc3339_moment(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("no moment; write it as 2026-12-01T00:00:00Z")
    return found


def _truth(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError("say true or false")
    return value == "true"


def _whole(value: object) -> int:
    if not (isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10):
        raise ValueError("no whole number")
    return int(value)


def _of_delivery(value: str) -> str:
    if parse_delivery_id(value) is None:
        raise ValueError("of another listing; use `next` of the last page")
    return value


def _with_conditions(value: str) -> str:
    if not re.fullmatch(CONDITIONS, value):
        raise ValueError(
            "no condition; write FIELD=VALUE, or FIELD>= or FIELD< and a number, a day or a moment"
        )
    conditions_of(value)
    return value


Moment = Annotated[
    Micros,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Truth = Annotated[bool, BeforeValidator(_truth), WithJsonSchema({"type": "boolean"})]
Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT, pattern=NO_NUL)]
EventCursor = Annotated[str, Field(max_length=LONGEST_TEXT, pattern=r"^evt_[!-~]*$")]
"""`next` of the page before: an id. It is compared with, and need not be one that there is."""
EntryCursor = Annotated[str, Field(max_length=LONGEST_TEXT, pattern=r"^inb_[!-~]*$")]
ChangeCursor = Annotated[str, Field(max_length=LONGEST_TEXT, pattern=r"^aud_[!-~]*$")]
DeliveryCursor = Annotated[
    str,
    Field(max_length=LONGEST_TEXT, pattern=r"^dlv_[0-9A-Za-z~]+_[0-9]{1,9}$"),
    AfterValidator(_of_delivery),
]
EndedCursor = Annotated[
    str,
    Field(max_length=LONGEST_TEXT, pattern=r"^[^\x00]+/dlv_[0-9A-Za-z~]+_[0-9]{1,9}$"),
]
PlanCursor = Annotated[str, Field(pattern=r"^[0-9]{1,18}/pln_[0-9a-z_]{1,80}$")]
OperationId = Annotated[str, Field(pattern=r"^op_[0-9a-z]{8,40}$")]
Limit = Annotated[int, Field(ge=1, le=LARGEST_LIMIT), BeforeValidator(_whole)]


# -- listings ------------------------------------------------------------------------------------------


NEXT = Field(None, description="`next` of the page before this one: go on with what follows.")


class Page(Asked):
    """A page of a listing, newest first."""

    since: Annotated[Moment | None, Field(description="Only what came then or later.")] = None
    until: Annotated[Moment | None, Field(description="Only what came before.")] = None
    limit: Annotated[Limit, Field(description="At most so many.")] = DEFAULT_LIMIT


class Events(Page):
    """Which events."""

    cursor: EventCursor | None = NEXT
    source: Text | None = None
    type: Text | None = None
    subject: Text | None = None
    state: Annotated[State | None, Field(description="With a delivery in this state.")] = None
    unmatched: Annotated[Truth | None, Field(description="Whether no route took it.")] = None
    text: Annotated[
        Text | None,
        Field(
            description="The beginning of an id of ours, or any part of that or of the sender's."
        ),
    ] = None


class Deliveries(Page):
    """Which deliveries."""

    state: State | None = None
    endpoint: Text | None = None
    route: Text | None = None
    event: Text | None = None
    key: Annotated[Text | None, Field(description="Of those that go one by one (`order`).")] = None
    reason: Annotated[
        Text | None,
        Field(description="What its last reason begins with: `http-503`, `egress-denied`."),
    ] = None
    source: Annotated[Text | None, Field(description="Of its event.")] = None
    type: Annotated[Text | None, Field(description="Of its event.")] = None
    subject: Annotated[Text | None, Field(description="Of its event.")] = None
    text: Annotated[
        Text | None,
        Field(description="The beginning of its id or its event's, or any part of the sender's."),
    ] = None
    cursor: DeliveryCursor | None = NEXT


class Inbox(Page):
    """Which entries of the inbox."""

    cursor: EntryCursor | None = NEXT
    source: Text | None = None
    code: Annotated[Text | None, Field(description="See docs/errors.md.")] = None
    outcome: Annotated[
        Literal[OUTCOMES] | None,  # type: ignore[valid-type]  # they are listed once
        Field(description="What verification found."),
    ] = None
    refused: Annotated[Truth | None, Field(description="Whether its sender was told so.")] = None
    unread: Annotated[Truth | None, Field(description="Whether it made no event.")] = None
    event: Annotated[Text | None, Field(description="About this event.")] = None
    text: Annotated[
        Text | None,
        Field(description="The beginning of its id, or any part of that or its event's."),
    ] = None


class Audit(Page):
    """Which changes."""

    cursor: ChangeCursor | None = NEXT
    who: Text | None = None
    action: Text | None = None
    object: Text | None = None


class Plans(Asked):
    """Which planned events."""

    schedule: Text | None = None
    route: Annotated[Text | None, Field(description="Only what this route waits for.")] = None
    key: Text | None = None
    type: Text | None = None
    event: Annotated[Text | None, Field(description="What they follow from.")] = None
    until: Annotated[Moment | None, Field(description="Only what is due before.")] = None
    cursor: PlanCursor | None = NEXT
    limit: Annotated[Limit, Field(description="At most so many.")] = DEFAULT_LIMIT


class AnswerPlan(Asked):
    """What is answered, who answers, and why."""

    answer: Text
    by: Annotated[Text | None, Field(description="Default: the name of the token.")] = None
    reason: Text | None = None


class Register(Asked):
    """Which things of a collection."""

    key: Text | None = None
    where: Annotated[
        str,
        Field(
            max_length=LONGEST_TEXT,
            json_schema_extra={"pattern": CONDITIONS},
            description="Conditions on fields, `;` between them: `asset_id=847116840;expires_at<2027-01-01`."
            " A field has a value (`=`), or lies from one on (`>=`) or before one (`<`).",
        ),
        AfterValidator(_with_conditions),
    ] = ""
    cursor: Text | None = NEXT
    limit: Annotated[Limit, Field(description="At most so many.")] = DEFAULT_LIMIT


class Thing(Asked):
    """What is known of one thing."""

    key: Text
    value: Json = Field(None, description="Null: it is to be forgotten.")
    as_of: Annotated[
        Moment | None, Field(description="When that was so; default: now. What is newer stays.")
    ] = None


class Teach(Asked):
    """What is known of things of a collection."""

    items: Annotated[list[Thing], Field(min_length=1, max_length=MOST_TOLD)]


class Recorded(Page):
    """Which whole events, oldest first."""

    cursor: EventCursor | None = NEXT


class Proven(Asked):
    """Of what there is to be evidence."""

    subject: Text | None = None
    event: Text | None = None
    source: Text | None = None
    since: Moment | None = None
    until: Moment | None = None


class Watched(Asked):
    """What happens, of all that does."""

    what: Literal["event", "request", "attempt"] | None = None
    source: Text | None = None
    type: Text | None = None
    subject: Text | None = None
    endpoint: Text | None = None
    route: Text | None = None
    outcome: Text | None = None
    failed: Annotated[Truth | None, Field(description="Whether it was refused, or failed.")] = None


# -- changes -------------------------------------------------------------------------------------------


class Pause(Asked):
    """Why."""

    reason: Annotated[
        str, Field(max_length=LONGEST_REASON, pattern=NO_NUL, description="Shown while it lasts.")
    ] = ""


class ActAgain(Asked):
    """Whether what may not be repeated may be."""

    act_again: Annotated[
        Truth,
        Field(
            description="Let the handler do once more what was begun, and of which nobody knows what came of it."
        ),
    ] = False


class Slice(Asked):
    """A part of long work."""

    cursor: Annotated[
        str,
        Field(max_length=LONGEST_TEXT, pattern=NO_NUL, description="`next` of the last answer."),
    ] = ""
    dry_run: Annotated[Truth, Field(description="Only say what would be done.")] = False


class Erase(Slice):
    """Whose events."""

    subject: Text


class EndedFilter(Asked):
    """Which dead or cancelled deliveries; `{}` is all dead ones."""

    state: Literal["dead", "cancelled"] = "dead"
    endpoint: Text | None = None
    route: Text | None = None
    reason: Annotated[
        Text | None, Field(description="What a reason begins with: `http-503`, `egress-denied`.")
    ] = None
    event: Text | None = None
    type: Text | None = None
    subject: Text | None = None
    since: Moment | None = None
    until: Moment | None = None


class Groups(EndedFilter):
    """Which of them are counted."""

    cursor: EndedCursor | None = None


class EventFilter(Asked):
    """Which events; of what they are routed to, only what goes to *endpoint*, where there is one."""

    source: Text | None = None
    type: Text | None = None
    subject: Text | None = None
    unmatched: Literal[True] | None = None
    endpoint: Text | None = None
    since: Moment | None = None
    until: Moment | None = None


BEGUN_OR_NAMED: dict[str, Json] = {
    "anyOf": [
        {"required": ["filter"], "properties": {"filter": {"type": "object"}}},
        {
            "required": ["operation", "dry_run"],
            "properties": {"operation": {"type": "string"}, "dry_run": {"const": False}},
        },
    ]
}
"""Nobody sends everything again by leaving something out."""


class Bulk(Asked):
    """Work on all that fits a filter, or the next page of it."""

    model_config = ConfigDict(json_schema_extra=BEGUN_OR_NAMED)

    dry_run: StrictBool = True
    operation: OperationId | None = None
    rate: Rate = Field(
        default_factory=lambda: DEFAULT_RATE, description="At most so many: `50/s`, `100/m`."
    )


class Redeliver(Bulk):
    """Dead or cancelled deliveries go back on schedule."""

    filter: EndedFilter | None = None
    cursor: EndedCursor | None = Field(None, description="Of a dry run: where to go on counting.")


class Replay(Bulk):
    """Events are routed again."""

    filter: EventFilter | None = None
    cursor: EventCursor | None = Field(None, description="Of a dry run: where to go on counting.")


# -- reading -------------------------------------------------------------------------------------------


def read_query(kind: type[Kind], pairs: Iterable[tuple[str, str]]) -> Kind:
    """The parameters of a call. Raises ParameterInvalid; also for one that is given twice."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise ParameterInvalid(f"{_named(name)} is given twice", cure="say it once")
        given[name] = value
    return _read(kind, given, SAYS)


def read_body(kind: type[Kind], body: bytes) -> Kind:
    """The body of a call. Raises ParameterInvalid."""
    return _read(kind, body or b"{}", SAYS)


def read_fields(kind: type[Kind], fields: Mapping[str, Json]) -> Kind:
    """What a page's form or address says. Raises ParameterInvalid."""
    return _read(kind, fields, MEND)


def check_part(part: str) -> None:
    """Raises NotFound where nothing can have that name, a part of a path: no database keeps it."""
    if "\x00" in part or len(part) > LONGEST_TEXT:
        raise NotFound("there is nothing of that name", cure="list what there is first")


def _read(kind: type[Kind], given: bytes | Mapping[str, Json], cure: str) -> Kind:
    try:
        if isinstance(given, bytes):
            return kind.model_validate_json(given)
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ParameterInvalid(_told(first, kind), cure=cure) from None


def _told(error: ErrorDetails, kind: type[Asked]) -> str:
    said = error["msg"].removeprefix("Value error, ")[:LONGEST_TOLD]
    place = _named(".".join(map(str, error["loc"]))) or "the body"
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        known = ", ".join(kind.model_fields)
        return f"there is no parameter {place}" + (f": use {known}" if known else "")
    return f"{place}: {said}"


def _named(place: str) -> str:
    """A name that a caller gave, no longer than ours are, on one line."""
    return "".join(char if char.isprintable() else "?" for char in place[:80])


def sought(asked: Asked) -> dict[str, Json]:
    """A filter without what it says nothing of."""
    return asked.model_dump(exclude_none=True)
