"""Durations, sizes and rates, as people write them in routes.yaml and in settings."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.core.model import SECOND, Micros

_UNITS: dict[str, Micros] = {
    "ms": 1000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
    "d": 86400 * SECOND,
}
_SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}

DURATION = r"^[0-9]{1,9}(ms|s|m|h|d)$"
SIZE = r"^[0-9]{1,9}(B|KiB|MiB|GiB)$"
RATE = r"^[1-9][0-9]{0,6}/(s|m|h)$"
SHARE = r"^([1-9][0-9]?|100)%$"


def parse_duration(value: Any) -> Micros:
    """`30s`, `5m`, `2h`, `14d` in microseconds."""
    text = _matched(value, DURATION, "duration", "30s, 5m, 2h or 14d")
    number, unit = re.fullmatch(r"([0-9]+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return int(number) * _UNITS[unit]


def parse_size(value: Any) -> int:
    """`64KiB`, `1MiB` in bytes."""
    text = _matched(value, SIZE, "size", "64KiB or 1MiB")
    number, unit = re.fullmatch(r"([0-9]+)([A-Za-z]+)", text).groups()  # type: ignore[union-attr]
    return int(number) * _SIZES[unit]


def parse_rate(value: Any) -> tuple[int, Micros]:
    """`50/s`, `100/m` as so many in so long."""
    number, _, unit = _matched(value, RATE, "rate", "50/s or 100/m").partition("/")
    return int(number), _UNITS[unit]


def parse_share(value: Any) -> int:
    """`50%` as a number of per cent."""
    return int(_matched(value, SHARE, "share", "50%").removesuffix("%"))


def _matched(value: Any, form: str, kind: str, examples: str) -> str:
    if isinstance(value, str) and re.match(form, value, re.ASCII):
        return value
    raise PydanticCustomError(
        f"not-a-{kind}",
        "{value} is no {kind}; write it as {examples}",
        {
            "value": repr(value),
            "kind": kind,
            "examples": examples,
            "cure": f"write it as {examples}",
        },
    )


Duration = Annotated[
    Micros,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION, "examples": ["30s", "5m", "2h", "14d"]}),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": "string", "pattern": SIZE, "examples": ["64KiB", "1MiB"]}),
]
Rate = Annotated[
    tuple[int, Micros],
    BeforeValidator(parse_rate),
    WithJsonSchema({"type": "string", "pattern": RATE, "examples": ["50/s", "100/m"]}),
]
Share = Annotated[
    int,
    BeforeValidator(parse_share),
    WithJsonSchema({"type": "string", "pattern": SHARE, "examples": ["50%"]}),
]


def at_least(least: Micros, less: str, example: str) -> AfterValidator:
    """What refuses a duration that leaves no time; *less* are words for those below *least*."""

    def check(value: Micros) -> Micros:
        if value < least:
            given = {"less": less, "cure": f"write {example}, say"}
            raise PydanticCustomError("no-time", "{less} leaves no time", given)
        return value

    return AfterValidator(check)


Timeout = Annotated[Duration, at_least(1, "0", "20s")]
"""A duration in which something can happen: not 0."""
