"""Warnings about fields that no event has of the types that a rule is about, and about values that none of them has."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.config.endpoints import event_expressions
from gateway.config.evidence import Evidence, Kind
from gateway.config.expressions import plain_path
from gateway.config.fields import Value
from gateway.config.inference import (
    ELEMENT,
    Comparison,
    Inference,
    Typed,
    Unknown,
    Variables,
    element,
    leaf_kinds,
)
from gateway.config.known_data import Known, KnownData, parts_of, texts_wanted
from gateway.config.lint_match import Nested, Use, Warn, uses
from gateway.config.lint_rules import alternatives_of, check_values, place_of_test
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.syntax import Node, literals_aside, parsed, path_of
from gateway.config.templates import texts_of
from gateway.core.covering import kind_wanted
from gateway.core.grammar import Place
from gateway.core.model import Json
from gateway.core.operators import DECIMAL, Anything, AnythingBut, Both, Literal, Test, shown
from gateway.core.pattern import Condition, Path, Pattern, Rule

_CAREFUL = re.compile(r"\.\?|\[\?|\bhas\(|\bin\b")
MOST_NAMED = 3
"""Types that are named in a warning."""
VARIABLES = ("event", "item")

Findings: TypeAlias = tuple["_Unknown | _Impossible | _Kinds", ...]


@dataclass(frozen=True, slots=True)
class _Unknown:
    """A field of a pattern that nothing has."""

    path: Path
    of: Value


@dataclass(frozen=True, slots=True)
class _Impossible:
    """A test that no value passes which is there."""

    path: Path
    test: Test
    of: Value


@dataclass(frozen=True, slots=True)
class _Kinds:
    """What a field may be, for a condition on it."""

    condition: Condition
    kinds: frozenset[Kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doubt:
    """A warning about an expression."""

    code: str
    what: str
    cure: str


class TypeChecks:
    """Checks what rules say of events by what is known of their types."""

    def __init__(self, known: KnownData, evidence: Evidence, warning: Warn) -> None:
        self._data = known
        self._evidence = evidence
        self._warning = warning
        self._found: dict[tuple[int, int], Findings] = {}
        self._clean: set[tuple[str, Known, Value | None]] = set()
        """Expressions that are as they should be, whatever literals stand in them; over which events and items."""
        self._items: dict[tuple[str, Known], Typed] = {}

    # -- patterns ------------------------------------------------------------------------------------------

    def check_pattern(self, pattern: Pattern, match: Mapping[str, Json], part: Part) -> None:
        """Warn of what is compiled from *match*, which *part* is."""
        for rule in pattern.rules:
            known = self._data.of_rule(rule)
            if known is None:
                self._check_names(rule, match, part)
                continue
            for condition in parts_of(rule):
                if condition.path[0] == "data" and any(map(_asks_for_more, condition.tests)):
                    for finding in self._of_condition(condition, known):
                        self._tell(finding, known, match, part)

    def _check_names(self, rule: Rule, match: Mapping[str, Json], part: Part) -> None:
        """Warn of types of which nothing is known, and that are probably misspelt."""
        for condition in parts_of(rule):
            names = texts_wanted(condition) if condition.path == ("type",) else None
            for name in names or ():
                if (meant := self._data.meant(name)) is not None:
                    place = part.at(*place_of_test(match, condition.path, Literal(name)))
                    self._tell_name(name, meant, place)

    def _of_condition(self, condition: Condition, known: Known) -> Findings:
        key = id(condition), id(known)
        if key not in self._found:
            self._found[key] = tuple(self._look_at(condition, known))
        return self._found[key]

    def _look_at(
        self, condition: Condition, known: Known
    ) -> Iterator[_Unknown | _Impossible | _Kinds]:
        value = known.event
        for length, name in enumerate(condition.path, start=1):
            before = value.crushed
            value = before.member(name)
            if value.is_free:
                return
            if value.is_nothing:
                path = condition.path[:length]
                if not self._evidence.has(path, known.types):
                    yield _Unknown(path, before)
                return
        if self._evidence.has(condition.path, known.types):
            return  # lint_rules.py goes by what has been seen
        value = value.crushed
        tests = list(alternatives_of(condition.tests))
        if value.kinds is not None and not any(_fits(test, value) for test in tests):
            yield _Kinds(condition, value.kinds)
        for test in tests if value.choices is not None or value.is_object else ():
            for each in _wanted(test):
                if _is_impossible(each, value):
                    yield _Impossible(condition.path, each, value)

    def _tell(
        self,
        finding: _Unknown | _Impossible | _Kinds,
        known: Known,
        match: Mapping[str, Json],
        part: Part,
    ) -> None:
        match finding:
            case _Unknown(path, of):
                place = part.at(*_place_of_field(match, path))
                doubt = _no_field(".".join(path), path[-1], of, known)
                self._warning(doubt.code, doubt.what, doubt.cure, place, key=True)
            case _Impossible(path, test, of):
                place = part.at(*place_of_test(match, path, test))
                what = f"{_no(known)} has {test} as {'.'.join(path)}"
                self._warning("value-impossible", what, _possible(test, of), place)
            case _Kinds(condition, kinds):
                told = f"in {_named(known)}"
                check_values(condition, kinds, match, part, self._warning, told)

    # -- expressions ---------------------------------------------------------------------------------------

    def check_route(self, route: Mapping[str, Json], pattern: Pattern, part: Part) -> None:
        """Warn of what a route and its targets compute."""
        known = self._data.of_patterns([pattern])
        if known is None:
            return
        event: Variables = {"event": Typed(known.event, ("event",))}
        self._check_all(route, ("when", "once", "known", "remember", "emit"), event, known, part)
        if isinstance(awaited := route.get("await"), dict):
            asked = ("key", "answers", "else", "escalate")
            self._check_all(awaited, asked, event, known, part.at("await"))
        for i, target in enumerate(route.get("to", ())):
            if isinstance(target, dict) and len(target) > 1:
                self._check_target(target, event, known, part.at("to", i))

    def check_decide(self, decide: Mapping[str, Json], pattern: Pattern, part: Part) -> None:
        """Warn of what tells the answer to what a route asks, as a tracker's event does."""
        self.check_pattern(pattern, decide["match"], part.at("match"))
        known = self._data.of_patterns([pattern])
        if known is not None:
            event: Variables = {"event": Typed(known.event, ("event",))}
            self._check_all(decide, ("key", "answer", "by", "reason"), event, known, part)

    def check_schedule(
        self, schedule: Mapping[str, Json], patterns: Sequence[Pattern], part: Part
    ) -> None:
        """Warn of what a schedule computes: *patterns* are what plans, and what cancels."""
        planning = self._data.of_patterns(patterns[:1])
        if planning is not None:
            event: Variables = {"event": Typed(planning.event, ("event",))}
            self._check_all(schedule, ("at", "emit"), event, planning, part)
        # Where it asks with care for what one of them may not have, all are looked at together.
        is_careful = _CAREFUL.search(str(schedule["key"])) is not None
        for those in [patterns] if is_careful else [[each] for each in patterns]:
            known = self._data.of_patterns(those)
            if known is not None:
                event = {"event": Typed(known.event, ("event",))}
                self._check_all(schedule, ("key",), event, known, part)

    def check_made(self, event_type: str, part: Part) -> None:
        """Warn of a type that a rule makes, that no rule names, and that is probably misspelt."""
        if "${" not in event_type:
            self._tell_name(event_type, self._data.nearby(event_type), part)

    def _tell_name(self, name: str, meant: str | None, part: Part) -> None:
        if meant is not None and name not in self._evidence.types:
            what = f'there is no type "{name}", as far as is known'
            self._warning("unknown-type", what, f'did you mean "{meant}"?', part)

    def _check_target(
        self, target: Mapping[str, Json], event: Variables, known: Known, part: Part
    ) -> None:
        self._check_all(target, ("each", "emit"), event, known, part)
        each = target.get("each")
        items = self._items_of(each, event, known) if isinstance(each, str) else Typed()
        if self._is_no_list(items, known):
            what = f"{_shown(items.path)} is no list in {_named(known)}"
            cure = "remove `each`; or name a list, such as `${event.data.placements}`"
            self._warning("each-no-list", what, cure, part.at("each"))
        within = {**event, "item": element(items)}
        self._check_all(target, ("when", "key", "at", "call", "with"), within, known, part)

    def _items_of(self, each: str, event: Variables, known: Known) -> Typed:
        """What an `each` goes through."""
        if (each, known) not in self._items:
            sources = event_expressions().sources(each)
            whole = Inference().infer(_node(sources[0]), event) if len(sources) == 1 else Typed()
            self._items[each, known] = whole
        return self._items[each, known]

    def _is_no_list(self, items: Typed, known: Known) -> bool:
        kinds = items.value.kinds
        if not items.path or not kinds or kinds <= {Kind.NULL} or Kind.LIST in kinds:
            return False
        return not self._evidence.has(_as_pattern(items.path), known.types)

    def _check_all(
        self,
        written: Mapping[str, Json],
        keys: Sequence[str],
        variables: Variables,
        known: Known,
        part: Part,
    ) -> None:
        for key in keys:
            value = written.get(key)
            if value is None:
                continue
            below = part.at(key)
            if key == "when" and isinstance(value, str):
                self._check(value, variables, known, below)
            elif key == "emit":
                for emit, place in _each_of(value, below):
                    parts = ("when", "type", "subject", "data")
                    self._check_all(emit, parts, variables, known, place)
            else:
                for place, text in texts_of(value, below):
                    for source in event_expressions().sources(text) if "${" in text else ():
                        self._check(source, variables, known, place)

    def _check(self, source: str, variables: Variables, known: Known, part: Part) -> None:
        if not any(name in source for name in VARIABLES):
            return
        item = variables.get("item")
        form = literals_aside(source), known, None if item is None else item.value
        if form in self._clean:
            return
        if not self._doubts(_node(form[0]), variables, known):
            self._clean.add(form)
            return
        for doubt in self._doubts(_node(source), variables, known):
            self._warning(doubt.code, doubt.what, doubt.cure, part)

    def _doubts(self, node: Node, variables: Variables, known: Known) -> list[_Doubt]:
        """What is doubtful about an expression."""
        inference = Inference()
        inference.infer(node, variables)
        found = [self._of_unknown(each, known) for each in inference.found()]
        for comparison in inference.compared:
            left, right = comparison.left, comparison.right
            found += [
                self._of_comparison(comparison, one, other, known)
                for one, other in ((left, right), (right, left))
                if one.path
            ]
        return [doubt for doubt in found if doubt is not None]

    def _of_unknown(self, unknown: Unknown, known: Known) -> _Doubt | None:
        if self._evidence.has(_as_pattern(unknown.path), known.types):
            return None
        of = unknown.of
        if of.value.kinds == frozenset({Kind.LIST}):
            what = f"{_shown(of.path)} is a list, and has no field {unknown.name}"
            cure = f"ask its elements: `….exists(each, each.{unknown.name} == …)`"
            return _Doubt(code="unknown-field", what=what, cure=cure)
        return _no_field(_shown(unknown.path), unknown.name, of.value, known)

    def _of_comparison(
        self, comparison: Comparison, one: Typed, other: Typed, known: Known
    ) -> _Doubt | None:
        ours, theirs = leaf_kinds(one), leaf_kinds(other)
        if ours is None or theirs is None:
            return None
        if self._evidence.has(_as_pattern(one.path), known.types):
            return None
        if not ours & theirs:
            told_already = one is comparison.right and bool(comparison.left.path)
            return None if told_already else _of_kinds(comparison.operator, one, other, known)
        if comparison.operator not in ("_==_", "_!=_") or len(other.constants) != 1:
            return None
        choices, wanted = one.value.choices, other.constants[0]
        if choices is None or wanted is None or wanted in choices:
            return None
        what = f"{_no(known)} has {shown(wanted)} as {_shown(one.path)}"
        return _Doubt(code="value-impossible", what=what, cure=_nearest_choice(wanted, choices))


# -- what is told ------------------------------------------------------------------------------------------


def _no_field(path: str, name: str, of: Value, known: Known) -> _Doubt:
    cure = nearest(name, of.names) if of.names else f"{path.rpartition('.')[0]} has no fields"
    return _Doubt(code="unknown-field", what=f"{_no(known)} has {path}", cure=cure)


def _of_kinds(operator: str, one: Typed, other: Typed, known: Known) -> _Doubt:
    ours, theirs = leaf_kinds(one) or frozenset(), leaf_kinds(other) or frozenset()
    code = "truth-as-text" if Kind.TRUTH in ours | theirs else "number-as-text"
    with_what = shown(other.constants[0]) if other.constants else _shown(other.path) or "it"
    what = f"{_shown(one.path)} is {_words(ours)} in {_named(known)}, and {with_what} is {_words(theirs)}"
    return _Doubt(code=code, what=what, cure=_comparable(operator, ours, other))


def _named(known: Known) -> str:
    first = ", ".join(known.types[:MOST_NAMED])
    more = len(known.types) - MOST_NAMED
    return f"{first} and {more} more" if more > 0 else first


def _no(known: Known) -> str:
    return f"no {known.types[0]}" if len(known.types) == 1 else f"none of {_named(known)}"


def _shown(path: Path) -> str:
    """A path of an expression as it is written, but for elements of lists."""
    return ".".join(path).replace(f".{ELEMENT}", ELEMENT)


def _as_pattern(path: Path) -> Path:
    """The same path as patterns have it: within the event, and through lists."""
    return tuple(step for step in path[1:] if step != ELEMENT)


def _words(kinds: frozenset[Kind]) -> str:
    words = {Kind.TEXT: "text", Kind.NUMBER: "a number", Kind.TRUTH: "true or false"}
    return " or ".join(word for kind, word in words.items() if kind in kinds)


def _comparable(operator: str, ours: frozenset[Kind], other: Typed) -> str:
    """The cure where two kinds are compared."""
    constant = other.constants[0] if other.constants else None
    is_number = isinstance(constant, (int, float)) and not isinstance(constant, bool)
    if ours == {Kind.TEXT} and is_number:
        if operator in ("_==_", "_!=_"):
            return f'write `"{constant}"`'
        return "make it a number first, with `double(…)`"
    if ours == {Kind.NUMBER} and isinstance(constant, str) and DECIMAL.fullmatch(constant):
        return f"write `{constant}` without quotes"
    if ours == {Kind.TRUTH} and constant in ("true", "false"):
        return f"write `{constant}` without quotes"
    return "compare it with what it is"


def _possible(test: Test, of: Value) -> str:
    if of.choices is None:
        return f"match its fields: {', '.join(of.names)}" if of.names else "match what it holds"
    return _nearest_choice(getattr(test, "value", None), of.choices)


def _nearest_choice(wanted: Json, choices: Sequence[Json]) -> str:
    return nearest(str(wanted), [str(each) for each in choices if each is not None])


# -- patterns ----------------------------------------------------------------------------------------------


def _asks_for_more(test: Test) -> bool:
    """Whether a test asks for more than that something is there: that is asked where it may well be missing."""
    return not isinstance(test, Anything)


def _wanted(test: Test) -> Iterator[Test]:
    """What has to be there for a test to make a difference: of one that excludes, what it excludes."""
    match test:
        case AnythingBut(excluded):
            for each in excluded:
                yield from alternatives_of([each])
        case Both(tests):
            for each in tests:
                yield from _wanted(each)
        case Anything():
            return
        case _:
            yield test


def _fits(test: Test, value: Value) -> bool:
    """Whether a test is about what may be there."""
    wanted = kind_wanted(test)
    return wanted is None or value.takes(wanted)


def _is_impossible(test: Test, value: Value) -> bool:
    """Whether nothing that may be there passes a test."""
    return value.choices is None or not any(test.accepts(each) for each in value.choices)


def _place_of_field(match: Mapping[str, Json], path: Path) -> Place:
    """Where the last step of a path stands in a pattern."""
    for use in uses(match):
        if isinstance(use, Nested) and use.path == path:
            return use.place
        if isinstance(use, Use) and use.path[: len(path)] == path:
            last = len(use.place) - 1 - use.place[::-1].index(use.key)
            return use.place[: last + 1]
    return ("$not",) if "$not" in match else ()


# -- expressions -------------------------------------------------------------------------------------------


def _each_of(written: Json, part: Part) -> Iterator[tuple[Mapping[str, Json], Part]]:
    """What is written once, or as a list, with its place."""
    if isinstance(written, list):
        yield from ((each, part.at(i)) for i, each in enumerate(written))
    else:
        yield written, part


def _node(source: str) -> Node:
    steps = plain_path(source, VARIABLES)
    return parsed(source) if steps is None else path_of(steps)
