"""What the data of events may be: by the schema of their type, and by what a routes file itself makes of it.

A type that a file makes out of data of any form (a source's `event:` without `data`, an `emit` that passes
its event's data on) may have any fields, unless the source has its events validated.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.config.event_types import Types
from gateway.config.fields import Value, of_event, schema_of_template, united, value_of
from gateway.config.part import Part
from gateway.core.derived import OWN_SOURCE
from gateway.core.model import Json
from gateway.core.operators import Literal, OneOf
from gateway.core.pattern import Condition, Pattern, Rule
from gateway.core.pattern import Part as PatternPart

Identity: TypeAlias = tuple[int, ...]
Emitted: TypeAlias = Mapping[str, Json] | str
"""As it is written: a type, or `{type, data}`."""


@dataclass(frozen=True, slots=True)
class Made:
    """A type of event that a file makes."""

    source: str
    type: str
    """As written: it may have `${…}` in it."""
    data: Value

    def makes(self, event_type: str) -> bool:
        """Whether it may be of that type."""
        start, expression, _ = self.type.partition("${")
        return event_type.startswith(start) if expression else event_type == start

    def names(self, event_type: str) -> bool:
        """Whether it says so itself, at least with how the type begins."""
        return self.makes(event_type) and not self.type.startswith("${")


@dataclass(frozen=True, eq=False, slots=True)
class Known:
    """What is known of the events that a rule is about."""

    types: tuple[str, ...]
    event: Value


class KnownData:
    """Knows it for one file."""

    def __init__(self, types: Types, made: Sequence[Made], sources: Sequence[str]) -> None:
        self._types = types
        self._made = made
        self._sources = (*sources, OWN_SOURCE)
        self._values: dict[str, Value] = {}
        self._known: dict[Identity, Known | None] = {}
        self._united: dict[tuple[Known, ...], Known] = {}
        self._nearby = _by_forms(types)
        self._made_nearby = _by_forms(each.type for each in made if "${" not in each.type)

    def meant(self, event_type: str) -> str | None:
        """The type, known or made, that one is a letter away from that is neither."""
        if event_type in self._types or any(each.names(event_type) for each in self._made):
            return None
        return self.nearby(event_type) or _found(self._made_nearby, event_type)

    def nearby(self, event_type: str) -> str | None:
        """The known type that one of which nothing is known is a single letter away from."""
        return None if event_type in self._types else _found(self._nearby, event_type)

    def of_rule(self, rule: Rule) -> Known | None:
        """What is known of the events that a rule may match; None: not of all of them."""
        wanted = [
            p for p in rule if isinstance(p, Condition) and p.path in (("type",), ("source",))
        ]
        identity = tuple(map(id, wanted))
        if identity not in self._known:
            self._known[identity] = self._find(wanted)
        return self._known[identity]

    def of_patterns(self, patterns: Sequence[Pattern]) -> Known | None:
        """What is known of the events that one of some patterns may match; None: not of all of them."""
        known = [self.of_rule(rule) for pattern in patterns for rule in pattern.rules]
        found = tuple(dict.fromkeys(each for each in known if each is not None))
        if not found or len(found) < len(set(known)):
            return None
        if len(found) == 1:
            return found[0]
        if found not in self._united:
            types = dict.fromkeys(name for each in found for name in each.types)
            self._united[found] = Known(tuple(types), united([each.event for each in found]))
        return self._united[found]

    def _find(self, wanted: Sequence[Condition]) -> Known | None:
        named = [texts_wanted(each) for each in wanted if each.path == ("type",)]
        types = next((each for each in named if each is not None), None)
        if types is None or not all(each in self._types for each in types):
            return None
        of_source = [each for each in wanted if each.path == ("source",)]
        sources = [s for s in self._sources if all(each.accepts([s]) for each in of_source)]
        data = [self._value(each) for each in types]
        data += [
            made.data
            for made in self._made
            if made.source in sources and any(made.makes(each) for each in types)
        ]
        return Known(tuple(types), of_event(united(data)))

    def _value(self, event_type: str) -> Value:
        if event_type not in self._values:
            self._values[event_type] = value_of(self._types.schema(event_type))
        return self._values[event_type]


def _one_letter_less(word: str) -> list[str]:
    """A word, and what is left of it without one of its letters: near words have one in common."""
    return [word, *(word[:i] + word[i + 1 :] for i in range(len(word)))]


def _by_forms(names: Iterable[str]) -> dict[str, str]:
    return {form: name for name in names for form in _one_letter_less(name)}


def _found(by_form: Mapping[str, str], word: str) -> str | None:
    return next((by_form[form] for form in _one_letter_less(word) if form in by_form), None)


def texts_wanted(condition: Condition) -> list[str] | None:
    """The values that a condition wants; None where it wants others, too."""
    if not condition.positive or condition.there or not condition.tests:
        return None
    found: list[str] = []
    for test in condition.tests:
        values = test.values if isinstance(test, OneOf) else [test]
        for value in values:
            if not isinstance(value, Literal) or not isinstance(value.value, str):
                return None
            found.append(value.value)
    return found


def types_wanted(pattern: Pattern) -> Iterator[str]:
    """The types that it wants by their whole names."""
    for rule in pattern.rules:
        for each in rule:
            if isinstance(each, Condition) and each.path == ("type",):
                yield from texts_wanted(each) or ()


# -- what a file makes -------------------------------------------------------------------------------------


def made_by_source(name: str, source: Mapping[str, Json]) -> Iterator[Made]:
    """The types of events that a source's `event:` makes."""
    events = source.get("event") or []
    for case in events if isinstance(events, list) else [events]:
        if "type" in case:
            schema = _schema(case.get("data"))
            if schema or source.get("validate") is None:
                yield Made(name, case["type"], value_of(schema))


def made_by_emits(rule: Mapping[str, Json], part: Part) -> Iterator[tuple[Made, Part]]:
    """The types of events that a rule, or a target, has the gateway make, each with its place."""
    emits = rule.get("emit") or []
    for i, emit in enumerate(emits) if isinstance(emits, list) else [(None, emits)]:
        yield _made(emit, part.at("emit") if i is None else part.at("emit", i))
    if rule.get("confirm"):
        yield _made(rule["confirm"]["else"], part.at("confirm", "else"))
    if awaited := rule.get("await"):
        below = part.at("await")
        for name, answer in awaited["answers"].items():
            yield _made(_with_decision(answer), below.at("answers", name))
        yield _made(_with_decision(awaited["else"]), below.at("else"))
        for i, each in enumerate(awaited.get("escalate", ())):
            yield _made(each["emit"], below.at("escalate", i, "emit"))


def _made(emit: Emitted, part: Part) -> tuple[Made, Part]:
    if isinstance(emit, str):
        return Made(OWN_SOURCE, emit, value_of({})), part
    return Made(OWN_SOURCE, emit["type"], value_of(_schema(emit.get("data")))), part.at("type")


def _with_decision(emit: Emitted) -> Emitted:
    """With what core/awaits.py adds to the data of an answer, and of none."""
    if isinstance(emit, str) or not isinstance(emit.get("data"), dict):
        return emit
    added = dict.fromkeys(("decided_by", "decided_at", "reason"), "${answer}")
    return {**emit, "data": {**emit["data"], **added}}


def _schema(data: Json) -> Json:
    return {} if data is None else schema_of_template(data)


def parts_of(rule: Rule) -> Iterator[Condition]:
    """The conditions of a rule, those that it negates included."""
    for part in rule:
        yield from _conditions(part)


def _conditions(part: PatternPart) -> Iterator[Condition]:
    if isinstance(part, Condition):
        yield part
    else:
        for rule in part.rules:
            yield from parts_of(rule)
