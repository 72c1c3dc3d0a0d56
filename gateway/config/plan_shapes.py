"""What rules have the gateway itself make: events at once, at moments, and by answers.

What they come to is `schedules.py` and `awaits.py`.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from gateway.config.quantities import Duration, Timeout
from gateway.config.shape import (
    EXPRESSION,
    Condition,
    Name,
    Said,
    Shape,
    list_or_mapping,
    text_or_mapping,
)


class EmitShape(Shape):
    """An event that the gateway itself makes, and takes in like any other (`source: gateway`)."""

    when: Annotated[Condition | None, Said] = Field(None, examples=["response.status == 201"])
    """Whether it is made: a bare CEL expression over what its values see. Default: it is."""
    type: str = Field(min_length=1, examples=["review.opened"])
    """What happened."""
    subject: str | None = Field(None, examples=["asset/${event.data.asset_id}"])
    """What it happened to; default: what the event that leads to it is about."""
    data: Any = Field(
        None, examples=[{"asset_id": "${event.data.asset_id}", "key": "${response.body.key}"}]
    )
    """Its content; default: that of the event that leads to it."""


AnswerEvent = Annotated[
    Annotated[str, Field(min_length=1), Tag("<text>")] | Annotated[EmitShape, Tag("<mapping>")],
    Discriminator(text_or_mapping),
]


class EscalateShape(Shape):
    """An event that comes while nobody has answered."""

    after: Timeout = Field(examples=["1d"])
    """How long after the question."""
    emit: AnswerEvent = Field(examples=["license.approval_overdue"])
    """What comes: the type of an event with the same data, or as `emit` of a route. `${…}` sees `callback` too."""


class DecideShape(Shape):
    """Events that tell an answer: of the tracker where the question was put, say."""

    match: dict[str, Any] = Field(examples=[{"source": "tracker", "type": "review.closed"}])
    """Which events: an event pattern, as of routes."""
    key: str = Field(pattern=EXPRESSION, examples=["${event.data.request_id}"])
    """Which question they answer: the same value as the `key` of `await`."""
    answer: str = Field(pattern=EXPRESSION, examples=["${event.data.outcome}"])
    """The name of the answer; null: they tell none."""
    by: Any = Field(None, examples=["${event.data.closed_by}"])
    """Who decided: a name, or an object with an `id`."""
    reason: str | None = Field(None, examples=["${event.data.comment}"])
    """Why."""


class AwaitShape(Shape):
    """An answer that is waited for: by a link, or by an event."""

    key: str = Field(pattern=EXPRESSION, examples=["${event.data.request_id}"])
    """What is decided. A newer event with the same key, by its `time`, is asked about in the place of the older."""
    answers: dict[Name, AnswerEvent] = Field(
        min_length=1,
        max_length=20,
        examples=[{"approve": "license.approved", "reject": "license.rejected"}],
    )
    """What may be answered, each with the event that it comes to: its type, or as `emit` of a route. Its data are those
    of the event that asked, with `decided_by`, `decided_at` and `reason`. The first answer counts."""
    within: Timeout = Field(examples=["2d"])
    """How long is waited."""
    else_: AnswerEvent = Field(alias="else", examples=["license.rejected"])
    """The event that comes where nobody has answered by then; its `reason` is `timeout`."""
    escalate: list[EscalateShape] = Field(
        default_factory=list,
        max_length=20,
        examples=[[{"after": "1d", "emit": "license.approval_overdue"}]],
    )
    """What comes before that, while nobody has answered."""
    decide: DecideShape | None = Field(
        None,
        examples=[
            {
                "match": {"source": "tracker", "type": "review.closed"},
                "key": "${event.data.request_id}",
                "answer": "${event.data.outcome}",
            }
        ],
    )
    """The events that tell an answer."""

    @model_validator(mode="after")
    def _escalates_in_time(self) -> "AwaitShape":
        if any(each.after >= self.within for each in self.escalate):
            raise PydanticCustomError(
                "await-escalate",
                "it escalates when nobody is waited for any more",
                {"cure": "make `after` shorter than `within`"},
            )
        if "url" in self.answers:
            raise PydanticCustomError(
                "await-answer",
                "no answer can be called `url`: `callback.url` leads to them all",
                {"cure": "give it another name"},
            )
        return self


Emits = Annotated[
    Annotated[EmitShape, Tag("<mapping>")]
    | Annotated[list[EmitShape], Field(min_length=1), Tag("<list>")],
    Discriminator(list_or_mapping),
]


class LocalShape(Shape):
    """A time of the day somewhere."""

    time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["09:00"])
    """On the 24-hour clock."""
    zone: str = Field(min_length=1, examples=["Europe/Berlin"])
    """A time zone, by its name in the IANA database."""


class ScheduleShape(Shape):
    """Events that come at moments which another event tells: reminders before a licence ends, say."""

    match: dict[str, Any] = Field(examples=[{"type": ["license.acquired", "license.renewed"]}])
    """Which events plan them: an event pattern, as of routes."""
    owner: str | None = Field(None, examples=["rights-team"])
    """Who to ask about it."""
    key: str = Field(pattern=EXPRESSION, examples=["${event.data.license.id}"])
    """What they are planned for. A newer event with the same key, by its `time`, replaces what is still planned."""
    at: str = Field(pattern=EXPRESSION, examples=["${event.data.license.expires_at}"])
    """The moment: a date and time (RFC 3339), or a date, which is its first moment in UTC; null: nothing is planned."""
    before: list[Duration] = Field(
        default_factory=lambda: [0],
        min_length=1,
        max_length=100,
        examples=[["30d", "14d", "7d", "1d", "0s"]],
    )
    """How long before that moment they come, one for each; `0s` is the moment itself. What has passed when the event
    comes is not planned. Default: the moment itself."""
    local: LocalShape | None = Field(None, examples=[{"time": "09:00", "zone": "Europe/Berlin"}])
    """At which time of the day; `before` then counts days of that zone."""
    missed: Literal["nearest", "all"] = "nearest"
    """Where several of a key became due while the gateway was down: only the latest comes, or all."""
    cancel: dict[str, Any] | None = Field(None, examples=[{"type": "license.revoked"}])
    """Events that end what is planned for their `key`: an event pattern."""
    emit: EmitShape = Field(
        examples=[{"type": "license.expiring", "data": {"days_left": "${plan.days}"}}]
    )
    """What comes. `${…}` sees `event` and `plan`: `days`, how many days before; `at`, the moment; `due`, when it comes."""
