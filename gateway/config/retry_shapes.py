"""What an endpoint may say under `retry:`, and the policy that it comes to."""

import re
from difflib import get_close_matches
from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.quantities import Duration, at_least
from gateway.config.shape import Shape
from gateway.core.model import SECOND, Micros
from gateway.core.retry import (
    EGRESS_DENIED,
    HOUR,
    NO_FAILURES,
    REASONS,
    REQUEST_INVALID,
    Exponential,
    Failures,
    RetryPolicy,
)

_RANGE = re.compile(r"([1-9][0-9]{2})-([1-9][0-9]{2})", re.ASCII)
_CLASS = re.compile(r"([1-9])xx", re.ASCII)
FAILING = (300, 599)
"""The statuses that are failures whatever else an endpoint says."""


def _failures(value: Any) -> Failures:
    """The failures that `502`, `5xx`, `500-599` or `timeout` stand for."""
    if isinstance(value, str) and value in REASONS:
        return Failures(reasons=frozenset({value}))
    statuses = _statuses(value)
    if statuses is None:
        raise PydanticCustomError(
            "retry-rule",
            "{value} is no failure that is attempted again",
            {"value": repr(value), "cure": _meant(value)},
        )
    first, last = statuses
    if first > last or first < FAILING[0] or last > FAILING[1]:
        raise PydanticCustomError(
            "retry-rule",
            "{value} has statuses that are no failures",
            {
                "value": repr(value),
                "cure": "keep between 300 and 599; a 2xx that `success` refuses is `not-successful`",
            },
        )
    return Failures(statuses=(statuses,))


def _statuses(value: Any) -> tuple[int, int] | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    if not isinstance(value, str):
        return None
    if found := _CLASS.fullmatch(value):
        return int(found[1]) * 100, int(found[1]) * 100 + 99
    if found := _RANGE.fullmatch(value):
        return int(found[1]), int(found[2])
    return None


def _meant(value: Any) -> str:
    """The cure for what names no failure."""
    text = str(value)
    if status := re.fullmatch(r"(?:http-)?([1-9][0-9]{2})", text, re.ASCII):
        return f"write the number alone, `{status[1]}`"
    if re.fullmatch(r"[1-9](xx|\*|00s)", text, re.ASCII | re.IGNORECASE):
        return f"write `{text[0]}xx`"
    if text in (EGRESS_DENIED, REQUEST_INVALID):
        return "leave it out: another attempt would end the same way, whatever stands here"
    if get_close_matches(text, REASONS, n=1):
        return nearest(text, sorted(REASONS))
    return "write 502, 5xx, 500-599, or a reason: docs/errors.md, Reasons, has them"


Failing = Annotated[
    InstanceOf[Failures],
    BeforeValidator(_failures),
    WithJsonSchema({
        "anyOf": [
            {"type": "integer", "minimum": FAILING[0], "maximum": FAILING[1]},
            {"type": "string", "pattern": "^[3-5]([0-9]{2}-[3-5][0-9]{2}|xx)$"},
            {"enum": sorted(REASONS)},
        ]
    }),
]  # fmt: skip
"""A failure, or a kind of them."""


SomeTime = Annotated[Duration, at_least(SECOND, "less than a second", "5s")]


class RetryShape(Shape):
    """When failed attempts are made again, which, and for how long."""

    schedule: list[Duration] | None = Field(None, examples=[["5s", "5m", "30m", "2h"]])
    """The delays before the second, third … attempt, each spelled out."""
    first: SomeTime | None = Field(None, examples=["5s"])
    """Or the delay before the second attempt, from which those that follow grow."""
    factor: float = Field(2, ge=1, le=100, examples=[2, 1.5])
    """How much longer each delay is than the one before."""
    longest: Duration = Field(24 * HOUR, examples=["24h"])
    """No delay grows above this."""
    attempts: int | None = Field(None, ge=1, le=10_000, examples=[10])
    """How many attempts there are, the first among them; without it, `within` ends them."""
    within: SomeTime | None = Field(None, examples=["3d"])
    """How long after the first attempt the last one may be due."""
    on: list[Failing] | None = Field(None, min_length=1, examples=[["5xx", 429, "unreachable"]])
    """Only these failures are attempted again; what fails otherwise is dead at once."""
    never: list[Failing] = Field(default_factory=list, examples=[[400, 422, "tls-certificate"]])
    """These failures are not attempted again, even if `on` has them."""

    @model_validator(mode="after")
    def _fits_together(self) -> "RetryShape":
        fault = _misfit(self)
        if fault is not None:
            what, cure = fault
            raise PydanticCustomError("retry-forms", "{what}", {"what": what, "cure": cure})
        return self

    def delays(self) -> tuple[Micros, ...] | Exponential:
        """The delays that it comes to."""
        if self.first is not None:
            return Exponential(
                first=self.first,
                factor=self.factor,
                longest=self.longest,
                attempts=self.attempts,
            )
        return RetryPolicy().schedule if self.schedule is None else tuple(self.schedule)


def _misfit(shape: RetryShape) -> tuple[str, str] | None:
    """What of it does not go together, and the cure."""
    said = shape.model_fields_set
    if not said:
        return "there is nothing in it", "write `schedule: [5s, 5m]`, say, or remove the key"
    growing = sorted(said & {"first", "factor", "longest", "attempts"})
    if shape.schedule is not None and growing:
        what = f"`schedule` has every delay, so {', '.join(growing)} does nothing"
        return what, "remove one or the other"
    if shape.first is None:
        if growing:
            return f"{', '.join(growing)} belongs to delays that grow", "add `first: 5s`, say"
    elif shape.attempts is None and shape.within is None:
        return "nothing ends the attempts", "add `attempts: 10` or `within: 3d`, say"
    elif shape.longest < shape.first:
        return "`longest` is less than `first`", "make it longer, or leave it out"
    following = RetryPolicy(shape.delays()).delay(1)
    if shape.within is not None and following is not None and following > shape.within:
        what = "`within` is over before the second attempt"
        return what, "make it longer; `retry: never` means one attempt"
    return None


def build_retry(shape: RetryShape, part: Part) -> RetryPolicy:
    """The policy of a `retry:`; a failure that it both names and takes back is noted."""
    never = reduce(or_, shape.never, NO_FAILURES)
    on = None if shape.on is None else reduce(or_, shape.on)
    for i, each in enumerate(shape.on or ()):
        if never.cover(each):
            cure = "remove it from one of them"
            part.at("on", i).fault("retry-rule", "`never` has it too, and counts more", cure)
    return RetryPolicy(shape.delays(), on, never, shape.within)
