"""The register: what is known of things, such as assets, licences and where an image is used.

Routes keep it (`remember`) and ask it (`known`). Of each thing, which has a key in a collection, the latest value is
kept, by the time at which the event happened that told it: an older event that comes late changes nothing.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from gateway.core.computed import Compute, computed, name_of, text_of
from gateway.core.errors import ExpressionFailed
from gateway.core.keys import bounded
from gateway.core.model import Event, Json, Micros, happened_at, rfc3339_moment

LARGEST_VALUE = 64 * 1024
"""Bytes of JSON: what is kept is looked at with every event that asks for it."""
MOST_FOUND = 1_000
"""A `known` with a `where` that more entries fit has no value."""
DEEPEST_FIELD = 3
MOST_FIELDS = 100
LONGEST_FIELD_VALUE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a route wants to know, and by which name its expressions see it."""

    name: str
    collection: str
    key: Compute | None = None
    """The entry with this key. None: all those that `where` fits."""
    where: Mapping[str, Compute] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """What a route keeps of an event."""

    collection: str
    key: Compute
    value: Compute | None = None
    """None: the event's data."""
    forget: bool = False
    """The thing is known no longer."""


class Look(NamedTuple):
    """One question to the register."""

    collection: str
    key: str | None
    where: tuple[tuple[str, str], ...] = ()
    """Fields, each with the value that it has."""


class Entry(NamedTuple):
    """What is known of a thing."""

    value: Json
    """None: it was forgotten."""
    as_of: Micros
    """When that happened which told it."""


class Learned(NamedTuple):
    """What an event tells of a thing."""

    collection: str
    key: str
    value: Json
    """None: it is to be forgotten."""
    as_of: Micros


Answer: TypeAlias = Entry | list[Json] | None
"""To a question by key, the entry, if there is one; to one by fields, the values, the newest first."""


class Knowledge:
    """Answers to the questions that the routes of some events have, as they were before these events."""

    def __init__(self, answers: Mapping[Look, Answer] | None = None) -> None:
        self._answers = dict(answers or {})

    def entry(self, look: Look) -> Entry | None:
        """What is known of one thing."""
        found = self._answers.get(look)
        return found if isinstance(found, Entry) else None

    def values(self, look: Look) -> list[Json]:
        """What is known of those that fit. Raises ExpressionFailed where there are too many."""
        found = self._answers.get(look)
        values = found if isinstance(found, list) else []
        if len(values) > MOST_FOUND:
            raise ExpressionFailed(f"more than {MOST_FOUND:,} entries of {look.collection} fit")
        return values

    def learn(self, learned: Iterable[Learned]) -> None:
        """Know what an event has told, for those that follow it."""
        for each in learned:
            look = Look(each.collection, each.key)
            known = self.entry(look)
            if known is None or known.as_of <= each.as_of:  # else it is stale
                self._answers[look] = Entry(each.value, each.as_of)


class Supposed(Knowledge):
    """What is supposed to be known, by collection and key: in a test, say."""

    def __init__(self, known: Mapping[str, Mapping[str, Json]]) -> None:
        super().__init__(
            {
                Look(name, key): Entry(value, 0)
                for name, of in known.items()
                for key, value in of.items()
            }
        )
        self._known = known

    def values(self, look: Look) -> list[Json]:
        """See `Knowledge`."""
        values = self._known.get(look.collection, {}).values()
        return [value for value in values if _fits(value, look.where)]


class Wondering(Knowledge):
    """Knows nothing, and notes what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[Look, None] = {}

    def entry(self, look: Look) -> Entry | None:
        """See `Knowledge`."""
        self.looks[look] = None
        return None

    def values(self, look: Look) -> list[Json]:
        """See `Knowledge`."""
        self.looks[look] = None
        return []


NOTHING_KNOWN = Knowledge()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What a route has to do with the register."""

    asks: Sequence[Ask] = ()
    remembers: Sequence[Remember] = ()

    def looks(self, scope: Mapping[str, Json]) -> Iterator[Look]:
        """The questions that it has about an event; not those that cannot be computed."""
        for ask in self.asks:
            with suppress(ExpressionFailed):  # `seen` raises it, where it can be told
                yield _look(ask, scope)
        for each in self.remembers:
            with suppress(ExpressionFailed):
                yield Look(each.collection, _key(each.key, scope))

    def seen(
        self, event: Event, scope: Mapping[str, Json], knowledge: Knowledge
    ) -> dict[str, Json]:
        """What expressions see of it: `known`, and whether the event is `stale`. Raises ExpressionFailed."""
        known: dict[str, Json] = {}
        stale = False
        for each in self.remembers:
            look = Look(each.collection, computed("remember", lambda: _key(each.key, scope)))  # noqa: B023
            entry = knowledge.entry(look)
            if entry is not None:
                stale = stale or happened_at(event) < entry.as_of
                if entry.value is not None:
                    known[each.collection] = entry.value
        for ask in self.asks:
            look = computed(f"known.{ask.name}", lambda: _look(ask, scope))  # noqa: B023
            if ask.key is None:
                known[ask.name] = knowledge.values(look)
            elif (found := knowledge.entry(look)) is not None and found.value is not None:
                known[ask.name] = found.value
        return {"known": known, "stale": stale}

    def learned(self, event: Event, scope: Mapping[str, Json]) -> list[Learned]:
        """What the event tells. Raises ExpressionFailed."""
        return computed(
            "remember", lambda: [_learned(each, event, scope) for each in self.remembers]
        )


def told_by_hand(collection: str, key: str, value: Json, as_of: Micros) -> Learned:
    """What a person tells of a thing; None: it is to be forgotten. Raises ExpressionFailed."""
    if value is not None:
        _check_size(value)
    return Learned(collection, bounded(key), value, as_of)


def _learned(each: Remember, event: Event, scope: Mapping[str, Json]) -> Learned:
    value = None
    if not each.forget:
        value = event.data if each.value is None else each.value(scope)
        if value is None:
            raise ExpressionFailed("its value is null: to have it forgotten, write `forget: true`")
        _check_size(value)
    return Learned(each.collection, _key(each.key, scope), value, happened_at(event))


def _check_size(value: Json) -> None:
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except ValueError as error:
        raise ExpressionFailed(f"value: {error}") from None
    if size > LARGEST_VALUE:
        raise ExpressionFailed(f"its value has {size:,} bytes, more than {LARGEST_VALUE:,}")


def _key(compute: Compute, scope: Mapping[str, Json]) -> str:
    return bounded(computed("key", lambda: name_of(compute(scope))))


def _look(ask: Ask, scope: Mapping[str, Json]) -> Look:
    if ask.key is not None:
        return Look(ask.collection, _key(ask.key, scope))
    where = tuple(
        (name, text_of(compute(scope))[:LONGEST_FIELD_VALUE]) for name, compute in ask.where.items()
    )
    return Look(ask.collection, None, where)


# -- fields, by which entries are found ------------------------------------------------------------------


class Field(NamedTuple):
    """A field of a value, as it is looked up."""

    name: str
    text: str
    """By which it is equal to another."""
    number: float | None
    """By which it is less: a number, or the microseconds of a moment."""


_NAME = r"[^<>=;\x00]+"
_ORDERED = (
    r"-?[0-9]{1,15}(\.[0-9]{1,9})?"
    r"|[0-9]{4}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-5][0-9]))?"
)
_ONE = rf"{_NAME}(=[^;\x00]*|(>=|<)({_ORDERED}))"
CONDITIONS = rf"^({_ONE}(;{_ONE})*)?$"
"""What conditions look like: `asset_id=847116840;expires_at<2027-01-01`. Numbers and moments have an order."""
_PARTS = re.compile(rf"({_NAME})(>=|<|=)([^;]*)")


def conditions_of(text: str) -> list[tuple[str, str, Field]]:
    """The name, operator and value of each condition in a text that is as CONDITIONS says.

    Raises ValueError where one names a day that there is not.
    """
    found = []
    for condition in filter(None, text.split(";")):
        parts = _PARTS.fullmatch(condition)
        if parts is None:
            raise ValueError(f"{condition!r} is no condition")
        name, operator, value = (each.strip() for each in parts.groups())
        field = field_of(name, value)
        if operator != "=" and field.number is None:
            field = field_of(name, float(value))
        found.append((name, operator, field))
    return found


def fields_of(value: Json) -> list[Field]:
    """The fields by which an entry can be found: texts, numbers and truth values, also those in lists.

    Their names are dotted, as in `allowed_use.how_can_i_use_it`; no deeper than DEEPEST_FIELD.
    """
    found = dict.fromkeys(_fields("", value, 0))
    return list(found)[:MOST_FIELDS]


def _fields(name: str, value: Json, depth: int) -> Iterator[Field]:
    match value:
        case dict() if depth < DEEPEST_FIELD:
            for key, below in value.items():
                yield from _fields(f"{name}.{key}" if name else key, below, depth + 1)
        case list():
            for each in value:
                if not isinstance(each, list):
                    yield from _fields(name, each, depth)
        case str() | bool() | int() | float() if name and len(name) <= LONGEST_FIELD_VALUE:
            yield field_of(name, value)


def _fits(value: Json, where: Iterable[tuple[str, str]]) -> bool:
    """Whether a value has all of these fields."""
    return {(field.name, field.text) for field in fields_of(value)}.issuperset(where)


def field_of(name: str, value: str | float) -> Field:
    """A field with that value."""
    if isinstance(value, bool):
        return Field(name, "true" if value else "false", None)
    if isinstance(value, (int, float)):
        return Field(name, str(value), float(value))
    moment = rfc3339_moment(value.upper()) if value[:4].isdigit() else None
    if moment is None and len(value) == len("2026-12-01") and value[:4].isdigit():
        moment = rfc3339_moment(f"{value}T00:00:00Z")
    return Field(name, value[:LONGEST_FIELD_VALUE], None if moment is None else float(moment))
