"""What expressions come to: the values that rules ask of them, or why there are none.

Expressions reach the core compiled, as plain callables: nothing here knows an expression language.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from gateway.core.errors import ExpressionFailed
from gateway.core.model import SECOND, Json, Micros, kind_of, rfc3339_moment

Compute: TypeAlias = Callable[[Mapping[str, Json]], Json]
"""A compiled `${…}` value: given the variables, the value. Raises ExpressionFailed."""

Render: TypeAlias = Callable[[Mapping[str, Json]], bytes]
"""A compiled body template: given the variables, the bytes to post. Raises ExpressionFailed."""

Computed = TypeVar("Computed")


class Scope(dict[str, Json]):
    """The variables of expressions, and what whoever evaluates them keeps beside them."""

    __slots__ = ("activation",)

    def __init__(self, **variables: Json) -> None:
        super().__init__(variables)
        self.activation: Any = None


def holds(condition: Compute, scope: Mapping[str, Json]) -> bool:
    """Whether a condition is true. Raises ExpressionFailed where it is neither true nor false."""
    value = condition(scope)
    if not isinstance(value, bool):
        raise ExpressionFailed(f"it is {kind_of(value)}, neither true nor false")
    return value


def list_of(value: Json, most: int) -> list[Json]:
    """The items of an `each`. Raises ExpressionFailed where it is no list, or too long a one."""
    if not isinstance(value, list):
        raise ExpressionFailed(f"it is {kind_of(value)}, not a list")
    if len(value) > most:
        raise ExpressionFailed(f"it has {len(value):,} items, more than {most:,}")
    return value


def text_of(value: Json) -> str:
    """The value of a `once` or a `key`. Raises ExpressionFailed where it is neither text nor a number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ExpressionFailed(f"it is {kind_of(value)}, neither text nor a number")
    return str(value)


LONGEST_KEY = 1_000
"""Characters of a key: it stands in an index."""


def moment_of(value: Json) -> Micros:
    """The value of an `at`; a date alone is its first moment in UTC. Raises ExpressionFailed where it is no moment."""
    if isinstance(value, datetime) and value.tzinfo is not None:  # what CEL's timestamp() gives
        return round(value.timestamp() * SECOND)
    moment = None
    if isinstance(value, str):
        is_date = len(value) == len("2026-12-01")
        moment = rfc3339_moment(f"{value}T00:00:00Z" if is_date else value.upper())
    if moment is None:
        told = repr(value)[:80] if isinstance(value, str) else kind_of(value)
        raise ExpressionFailed(f"it is {told}, not a moment such as 2026-12-01T09:00:00Z")
    return moment


def key_of(value: Json) -> str:
    """The value of a `key`. Raises ExpressionFailed where it is neither text nor a number, or too long."""
    key = text_of(value)
    if len(key) > LONGEST_KEY:
        raise ExpressionFailed(f"it has {len(key):,} characters, more than {LONGEST_KEY:,}")
    return key


def name_of(value: Json) -> str:
    """The value of a `key` that names a thing. Raises ExpressionFailed as `key_of`, and where it is empty."""
    key = key_of(value)
    if not key:
        raise ExpressionFailed("it is empty: all things without one would be the same")
    return key


def computed(what: str, compute: Callable[[], Computed]) -> Computed:
    """A value, or an ExpressionFailed that says of what."""
    try:
        return compute()
    except ExpressionFailed as error:
        raise type(error)(f"{what}: {error}") from None
