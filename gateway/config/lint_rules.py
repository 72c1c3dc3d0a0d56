"""Warnings about what patterns mean: what can never hold, and what does not fit the data.

A route's pattern is a choice of rules (gateway/core/pattern.py). Routes share the parts of which rules
are made, so what is found out of a part is found out once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.config.evidence import ATTRIBUTES, FITTING, Evidence, Kind
from gateway.config.lint_match import Use, Warn, uses
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.traps import flow
from gateway.core.covering import (
    accepts_all,
    are_disjoint,
    excluded_by,
    is_satisfiable,
    kind_wanted,
)
from gateway.core.model import Json
from gateway.core.operators import (
    DECIMAL,
    AnythingBut,
    Both,
    Constant,
    DecimalRange,
    Literal,
    OneOf,
    Range,
    Test,
    is_empty,
)
from gateway.core.pattern import Condition, Path, Pattern, Rule

TEXTS = frozenset(ATTRIBUTES) - {"data"}
"""Attributes that are always text."""
ALWAYS_THERE = frozenset({"id", "source", "type", "time"})
MOST_COMPARED = 32
"""Of so many alternatives each is compared with every other."""

Types = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dead:
    """Why something can never hold."""

    path: Path
    what: str
    cure: str
    test: Test | None = None
    """One alternative of several; None: the condition as a whole."""
    redundant: bool = False
    """It can hold, but where it does, another does."""


class RuleChecks:
    """Checks the rules of one routes file."""

    def __init__(self, sources: Sequence[str], evidence: Evidence, warning: Warn) -> None:
        self._sources = sources
        self._evidence = evidence
        self.warning = warning
        self._dead: dict[int, tuple[Dead | None, list[Dead]]] = {}
        """By the identity of a condition: why it can never hold, or else which of its alternatives."""
        self._types: dict[tuple[int, ...], Types] = {}
        self._seen: dict[tuple[Types, Path], frozenset[Kind]] = {}

    def check(self, pattern: Pattern, match: Mapping[str, Json], part: Part) -> bool:
        """Note what is wrong with the pattern that is compiled from *match*, which *part* is.

        Whether it can match anything.
        """
        dead = {i: why for i, rule in enumerate(pattern.rules) if (why := self._why_dead(rule))}
        if dead:
            whole = len(dead) == len(pattern.rules)
            for why in dict.fromkeys(dead.values()):
                self._tell_dead(why, match, part, whole=whole)
            if whole:
                return False
        alternatives: dict[tuple[Path, str], Dead] = {}
        for i, rule in enumerate(pattern.rules):
            if i in dead:
                continue
            for each in rule:
                if isinstance(each, Condition) and each.tests:
                    for why in self._judged(each)[1]:
                        alternatives[why.path, why.what] = why
            if self._evidence.types:
                self._check_kinds(rule, match, part)
        for why in alternatives.values():
            self._tell_dead(why, match, part, whole=False)
        return True

    def _tell_dead(self, why: Dead, match: Mapping[str, Json], part: Part, *, whole: bool) -> None:
        place = part.at(*place_of_test(match, why.path, why.test))
        if whole:
            self.warning("route-unreachable", why.what, why.cure, place)
        elif why.redundant:
            self.warning("alternative-redundant", why.what, why.cure, place)
        else:
            self.warning("alternative-unreachable", why.what, why.cure, place)

    # -- what can never hold -------------------------------------------------------------------------

    def _why_dead(self, rule: Rule) -> Dead | None:
        """Why a rule can never hold; None where it may."""
        by_path: dict[Path, list[Condition]] = {}
        for part in rule:
            if isinstance(part, Condition):
                dead = self._judged(part)[0]
                if dead is not None:
                    return dead
                by_path.setdefault(part.path, []).append(part)
            elif excluded_by(part, rule):
                what = f"its $not excludes what it wants: {part.text}"
                return Dead((*part.path, "$not"), what, "remove one of the two")
        if len(by_path) == len(rule):
            return None
        return next((why for several in by_path.values() if (why := _conflict(several))), None)

    def _judged(self, condition: Condition) -> tuple[Dead | None, list[Dead]]:
        known = self._dead.get(id(condition))
        if known is None:
            known = self._dead[id(condition)] = self._judge(condition)
        return known

    def _judge(self, condition: Condition) -> tuple[Dead | None, list[Dead]]:
        """Why a condition can never hold; else which of its alternatives cannot, or need not be there."""
        path = condition.path
        name = path[0]
        if name != "data" and len(path) > 1 and condition.positive:
            what = f"{name} is a single value and has no field {'.'.join(path[1:])}"
            if name == "event":
                what = 'events have no attribute "event": patterns are about its fields'
            meant = ".".join(path[1:]) if name == "event" else f"data.{'.'.join(path[1:])}"
            return Dead(path, what, f'did you mean "{meant}"?'), []
        alternatives = list(alternatives_of(condition.tests))
        dead = [
            Dead(path, what, cure, test)
            for test in alternatives
            for what, cure in self._refused(path, test)
        ]
        possible = len(dead) < len(alternatives) or condition.there or condition.not_there
        if condition.absent or condition.not_there:
            if len(path) > 1 or name not in ALWAYS_THERE:
                possible = True
            elif not possible:
                return Dead(path, f"every event has a {name}", "remove it"), []
        if not possible:
            return Dead(path, dead[0].what, dead[0].cure, dead[0].test), []
        return None, dead or list(_redundant(path, condition))

    def _refused(self, path: Path, test: Test) -> Iterator[tuple[str, str]]:
        """Why no value of a field can pass a test: what, and the cure; nothing where one may."""
        name = path[0]
        if isinstance(test, (Range, DecimalRange)) and is_empty(test):
            cure = "exchange the bounds, or write them in a list: one of them is then enough"
            yield f"no number is within {test}", cure
        elif not is_satisfiable(test):
            yield f"nothing is all of this at once: {test}", "remove one, or write them in a list"
        elif name == "data":
            return
        elif name in TEXTS and kind_wanted(test) in ("number", "constant"):
            cure = "quote it" if isinstance(test, (Literal, Constant)) else "compare it with text"
            yield f"{name} is always text, and {test} is none", cure
        elif name == "source" and self._sources and not any(map(test.accepts, self._sources)):
            given = test.value if isinstance(test, Literal) else ""
            yield (
                f"no source is called {test}" if given else f"no source's name is {test}",
                nearest(str(given), self._sources),
            )

    # -- what does not fit the data -------------------------------------------------------------------

    def _check_kinds(self, rule: Rule, match: Mapping[str, Json], part: Part) -> None:
        """Note what a rule's conditions on data want that events have been seen to have otherwise."""
        types = self._types_of(rule)
        if not types:
            return
        for condition in rule:
            if not isinstance(condition, Condition) or condition.path[0] != "data":
                continue
            if not condition.tests:
                continue
            key = types, condition.path
            if key not in self._seen:
                self._seen[key] = self._evidence.seen(condition.path, types)
            seen = self._seen[key]
            if seen:
                self._check_arrays(condition, seen, match, part)
                check_values(condition, seen, match, part, self.warning)

    def _types_of(self, rule: Rule) -> Types:
        """The types of the events seen that a rule may match."""
        wanted = [p for p in rule if isinstance(p, Condition) and p.path == ("type",)]
        key = tuple(map(id, wanted))
        if key not in self._types:
            self._types[key] = tuple(
                each
                for each in self._evidence.types
                if all(condition.accepts([each]) for condition in wanted)
            )
        return self._types[key]

    def _check_arrays(
        self, condition: Condition, seen: frozenset[Kind], match: Mapping[str, Json], part: Part
    ) -> None:
        if Kind.LIST not in seen or not any(map(_anything_but, condition.tests)):
            return
        field = ".".join(condition.path)
        for use in _uses_of(match, condition.path):
            if use.operator == "anything-but":
                excluded = flow(use.argument)
                if isinstance(use.argument, dict):
                    excluded = f"[{excluded}]"
                what = f"{field} is a list, and one element that is something else is enough"
                cure = f"to want none of them, write `{use.key}: {{exists: true}}, $not: {{{use.key}: {excluded}}}`"
                self.warning("anything-but-array", what, cure, part.at(*use.place))


def alternatives_of(tests: Sequence[Test]) -> Iterator[Test]:
    """Each alternative by itself."""
    for test in tests:
        if isinstance(test, OneOf) and test.name is None:
            yield from test.values
        else:
            yield test


def _redundant(path: Path, condition: Condition) -> Iterator[Dead]:
    """Alternatives that others include."""
    tests = list(alternatives_of(condition.tests))
    if len(tests) > MOST_COMPARED or len(tests) == 1:
        return
    for i, test in enumerate(tests):
        for j, other in enumerate(tests):
            alike = test == other
            if i != j and accepts_all(other, test) and (j < i or not accepts_all(test, other)):
                what = f"{test} stands there already" if alike else f"{other} includes {test}"
                yield Dead(path, what, "remove it", test, redundant=True)
                break


def _conflict(conditions: Sequence[Condition]) -> Dead | None:
    """Why conditions on one field cannot hold together."""
    path = conditions[0].path
    for i, one in enumerate(conditions):
        for other in conditions[:i]:
            if any(_wants_nothing(a) and _wants_leaf(b) for a, b in ((one, other), (other, one))):
                what = f"{'.'.join(path)} cannot both be missing and be there"
                return Dead(path, what, "remove one of the two, or write them in a list")
            if path[0] == "data" or not (_wants_leaf(one) and _wants_leaf(other)):
                continue  # a list may have both
            if all(are_disjoint(a, b) for a in one.tests for b in other.tests):
                what = f"{'.'.join(path)} cannot be both {other} and {one}"
                return Dead(path, what, "remove one of the two, or write them in a list")
    return None


def _wants_nothing(condition: Condition) -> bool:
    return not condition.tests and not condition.there


def _wants_leaf(condition: Condition) -> bool:
    return bool(condition.tests) and condition.positive and not condition.there


def _anything_but(test: Test) -> bool:
    if isinstance(test, Both):
        return any(map(_anything_but, test.tests))
    return isinstance(test, AnythingBut)


# -- kinds of values -----------------------------------------------------------------------------------------

LEAVES = frozenset({Kind.TEXT, Kind.DECIMAL, Kind.NUMBER, Kind.TRUTH})


def check_values(
    condition: Condition,
    seen: frozenset[Kind],
    match: Mapping[str, Json],
    part: Part,
    warning: Warn,
    told: str = "in the events seen",
) -> None:
    """Warn where none of the alternatives fits what is there: what has been seen, or what *told* says."""
    if not seen & LEAVES or condition.there or not condition.tests:
        return
    tests = list(alternatives_of(condition.tests))
    kinds = [kind_wanted(test) for test in tests]
    if any(kind is None or FITTING[kind] & seen for kind in kinds):
        return
    field = ".".join(condition.path)
    for test in tests:
        place = part.at(*place_of_test(match, condition.path, test))
        if kind_wanted(test) == "number" and Kind.TEXT in seen:
            what = f"{field} is text {told}, and {test} is about numbers"
            warning("number-as-text", what, _text_instead(test, seen), place)
        elif kind_wanted(test) == "text" and Kind.NUMBER in seen:
            what = f"{field} is a number {told}, and {test} is about text"
            warning("number-as-text", what, _number_instead(test), place)
        elif isinstance(test, Literal) and test.value in ("true", "false") and Kind.TRUTH in seen:
            what = f"{field} is true or false {told}, and {test} is text"
            warning("truth-as-text", what, f"write `{test.value}` without quotes", place)


def _text_instead(test: Test, seen: frozenset[Kind]) -> str:
    """The cure where a test of numbers meets text."""
    bounds = _range_of(test)
    if isinstance(test, Literal):
        return f'write `"{test.value}"`'
    if bounds is not None and bounds.low == bounds.high:
        return f'write `"{bounds.low}"`'
    if bounds is not None and Kind.DECIMAL in seen:
        return f"write `{{decimal: {bounds}}}`"
    return "compare it with text"


def _number_instead(test: Test) -> str:
    """The cure where a test of text meets numbers."""
    if isinstance(test, Literal) and DECIMAL.fullmatch(str(test.value)):
        return f"write `{test.value}` without quotes"
    if isinstance(test, DecimalRange):
        return f"write `{str(test).removeprefix('{decimal: ').removesuffix('}')}`"
    return "compare it with a number"


def _range_of(test: Test) -> Range | None:
    if isinstance(test, Both):
        return next((each for each in test.tests if isinstance(each, Range)), None)
    return test if isinstance(test, Range) else None


# -- places --------------------------------------------------------------------------------------------------


def _uses_of(match: Mapping[str, Json], path: Path) -> list[Use]:
    return [use for use in uses(match) if isinstance(use, Use) and use.path == path]


def place_of_test(
    match: Mapping[str, Json], path: Path, test: Test | None
) -> tuple[str | int, ...]:
    """Where a test of a field stands, or its condition, as nearly as is known."""
    found = _uses_of(match, path)
    if not found:
        return ("$not",) if "$not" in match else ()
    if isinstance(test, (Literal, Constant)):
        places = [place for use in found for place in _places_of(test.value, use)]
        if places:
            return places[-1]
    if test is not None:
        for use in found:
            if use.operator and use.operator in str(test):
                return use.place
    return found[0].place


def _places_of(value: Json, use: Use) -> Iterator[tuple[str | int, ...]]:
    """Where a plain value stands, if it is what a pattern wants there."""
    if use.operator in (None, "exactly") and _same(use.argument, value):
        yield use.place
    elif use.operator == "in" and isinstance(use.argument, list):
        yield from ((*use.place, i) for i, each in enumerate(use.argument) if _same(each, value))


def _same(one: Json, other: Json) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
