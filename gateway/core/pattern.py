"""A `match` pattern as a value, and what it means: does an event's content satisfy it?

A pattern is a choice of rules (`$or` written out); a rule is a set of parts, all of which have to hold.
A part is a condition on one field, or the negation of a pattern (`$not`). grammar.py makes patterns
out of YAML; index.py matches many of them at once, and is held to what is defined here.

How arrays are read. An array is crushed out, to any depth: a field has the leaves (text, numbers,
true, false, null) of all its elements, and a condition holds if one of them satisfies it. Objects in
an array are told apart: what a rule says of fields below the same array has to be true of one of its
elements, all together. That element is found by the conditions that want something to be there. Those
that want nothing there (`exists: false`, `present: false`, `$not`) are judged last, in that element;
where none has been found, they are judged in every element.

So the parts below an array are judged in two ways at once: *bound*, if one element satisfies them and
has something that a part wants; *absent*, if no element has anything that any of them refuses. Either
will do.

A key with dots, in a pattern or in an event, is the same as nested objects.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from gateway.core.model import Json
from gateway.core.operators import Literal, Scalar, Test, shown

DEEPEST = 64
"""Patterns nest no deeper, so nothing deeper in an event is looked at."""
LONGEST_SHOWN = 80

Path: TypeAlias = tuple[str, ...]
Judged: TypeAlias = tuple[bool, bool]
"""Bound, and absent: see above."""


class Focus:
    """Of some arrays, by their identities, the one element that is to be looked at."""

    __slots__ = ("chosen", "looked")

    def __init__(self, chosen: Mapping[int, Json] | None = None) -> None:
        self.chosen = chosen or {}
        self.looked = 0
        """How many elements of other arrays have been looked at: what judging has cost."""


class Missing:
    """What a field has in an event that does not have the field."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Condition:
    """What one field must satisfy: one of these, and one is enough."""

    path: Path
    tests: tuple[Test, ...] = ()
    """One of its leaves passes one of these."""
    absent: bool = False
    """It has no leaf: `exists: false`."""
    there: bool = False
    """It has anything, be it an object or empty: `present: true`."""
    not_there: bool = False
    """It does not have the field at all: `present: false`."""

    @property
    def positive(self) -> bool:
        """Whether it always wants something to be there."""
        return not (self.absent or self.not_there)

    @property
    def value(self) -> str | float | None:
        """The one text or number that satisfies it; None where other things do."""
        (first, *others) = self.tests or (None,)
        only = not others and not self.there and self.positive
        return first.value if only and isinstance(first, Literal) else None

    def accepts(self, found: Iterable[Scalar]) -> bool:
        """Whether one of the leaves passes one of the tests."""
        for leaf in found:
            for test in self.tests:
                if test.accepts(leaf):
                    return True
        return False

    def judged(self, value: Json) -> Judged:
        """Whether the field's value satisfies it by what is there, and by what is not."""
        if value is MISSING:
            return False, self.absent or self.not_there
        found = leaves(value)
        return self.there or self.accepts(found), self.absent and not found

    def __str__(self) -> str:
        choices = [str(test) for test in self.tests]
        choices += ["{exists: false}"] * self.absent
        choices += ["{present: true}"] * self.there
        choices += ["{present: false}"] * self.not_there
        return " or ".join(choices)


@dataclass(frozen=True, slots=True)
class Negation:
    """No rule of a pattern holds in the object at *path*: `$not`. Their paths begin with it."""

    path: Path
    rules: "tuple[Rule, ...]"
    text: str
    """As written."""


Part: TypeAlias = Condition | Negation
Rule: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Miss:
    """Why a rule does not hold: the field, what was wanted and what was seen."""

    path: str
    wanted: str
    seen: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: it matches when one of its rules holds."""

    rules: tuple[Rule, ...]

    def matches(self, fields: Mapping[str, Json]) -> bool:
        """Whether an event with these fields satisfies the pattern."""
        event = undotted(fields)
        return any(holds(rule, event) for rule in self.rules)

    def misses(self, event: Mapping[str, Json]) -> tuple[list[Miss], int]:
        """What kept the nearest rule from holding, of so many parts; nothing when the pattern matches.

        Of the fields of *event*, as `undotted` gives them: to be asked of many patterns, not each time.
        """
        found = [(list(_misses(rule, 0, event)), len(rule)) for rule in self.rules]
        return min(found, key=lambda each: len(each[0]), default=([], 0))


def holds(rule: Rule, event: Mapping[str, Json], focus: Focus | None = None) -> bool:
    """Whether every part of *rule* is true of the event, in the elements that *focus* names."""
    bound, absent = _in_object(rule, 0, event, focus or Focus())
    return bound or absent


def _in_object(
    parts: Iterable[Part], depth: int, value: Mapping[str, Json], focus: Focus
) -> Judged:
    """Judge parts, of whose paths *depth* steps have led to this object."""
    something, nothing = False, True
    below: dict[str, list[Part]] = {}
    negations = []
    for part in parts:
        if isinstance(part, Negation) and len(part.path) == depth:
            negations.append(part)
        else:
            below.setdefault(part.path[depth], []).append(part)
    for name, under in below.items():
        bound, absent = _at_field(under, depth + 1, value.get(name, MISSING), focus)
        if not bound and not absent:
            return False, False
        something = something or bound
        nothing = nothing and absent
    if any(_holds_in(negation, value, focus) for negation in negations):
        return False, False
    return something, nothing


def _holds_in(negation: Negation, value: Mapping[str, Json], focus: Focus) -> bool:
    """Whether what is negated is true of the object: anywhere in it, whatever is in focus."""
    everywhere = Focus()
    depth = len(negation.path)
    found = any(any(_in_object(rule, depth, value, everywhere)) for rule in negation.rules)
    focus.looked += everywhere.looked
    return found


def _at_field(parts: Sequence[Part], depth: int, value: Json, focus: Focus) -> Judged:
    """Judge parts, of whose paths *depth* steps have led to this field."""
    something, nothing = False, True
    below = []
    for part in parts:
        if isinstance(part, Negation) or len(part.path) > depth:
            below.append(part)
            continue
        bound, absent = part.judged(value)
        if not bound and not absent:
            return False, False
        something = something or bound
        nothing = nothing and absent
    if below:
        bound, absent = _in_objects(below, depth, value, focus)
        if not bound and not absent:
            return False, False
        something = something or bound
        nothing = nothing and absent
    return something, nothing


def _in_objects(parts: Sequence[Part], depth: int, value: Json, focus: Focus) -> Judged:
    """Judge parts in the object that a field holds, or in those of its array."""
    nothing = True
    for each in _objects(value, focus):
        bound, absent = _in_object(parts, depth, each, focus)
        if bound:
            return True, False
        nothing = nothing and absent
    return False, nothing


def _objects(value: Json, focus: Focus) -> Sequence[Mapping[str, Json]]:
    """The objects that a field holds; an empty one where it holds none."""
    if value.__class__ is dict:
        return (value,)
    if value.__class__ is list:
        if id(value) in focus.chosen:
            return (focus.chosen[id(value)],)
        focus.looked += len(value)
        return [each for each in crushed(value) if each.__class__ is dict] or ({},)
    return ({},)


def leaves(value: Json) -> Sequence[Scalar]:
    """The leaves that a field holds."""
    if value.__class__ is list:
        return [each for each in crushed(value) if each.__class__ is not dict]
    if value.__class__ is dict or value is MISSING:
        return ()
    return (value,)


def crushed(array: list[Json]) -> Iterator[Json]:
    """The elements of an array, and of the arrays in it, without recursion."""
    stack = [iter(array)]
    while stack:
        for element in stack[-1]:
            if element.__class__ is list:
                stack.append(iter(element))
                break
            yield element
        else:
            stack.pop()


# -- keys with dots ------------------------------------------------------------------------------------


def undotted(fields: Mapping[str, Json]) -> Mapping[str, Json]:
    """The fields with nested objects where keys had dots; the very same where none has.

    Where that leads several times to one field, it has the values of all; those that are objects
    are one.
    """
    return _nested(fields.items(), 1) if _has_dots(fields) else fields


def _has_dots(value: Json) -> bool:
    stack: list[Any] = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, Mapping):
            if any("." in name for name in each):
                return True
            stack.extend(each.values())
        elif isinstance(each, list):
            stack.extend(each)
    return False


def _nested(members: Iterable[tuple[str, Json]], depth: int) -> dict[str, Json]:
    """An object of these members, the first step of whose names leads to fields at that depth."""
    values: dict[str, list[Json]] = {}
    for name, value in members:
        step, dot, rest = name.partition(".")
        values.setdefault(step, []).append({rest: value} if dot else value)
    return {step: _united(several, depth) for step, several in values.items()}


def _united(values: list[Json], depth: int) -> Json:
    """What a field holds that has all of these values."""
    if depth > DEEPEST:  # no pattern looks there
        return values
    objects = [each for each in values if each.__class__ is dict]
    others = [
        _nested(each.items(), depth + 1) if each.__class__ is dict else each
        for each in crushed([each for each in values if each.__class__ is not dict])
    ]
    if objects:
        whole = _nested((member for each in objects for member in each.items()), depth + 1)
        return [whole, *others] if others else whole
    return others[0] if len(values) == 1 and values[0].__class__ is not list else others


# -- why not -------------------------------------------------------------------------------------------


def _misses(parts: Iterable[Part], depth: int, value: Mapping[str, Json]) -> Iterator[Miss]:
    """What kept these parts from holding in an object."""
    below: dict[str, list[Part]] = {}
    for part in parts:
        if not isinstance(part, Negation) or len(part.path) > depth:
            below.setdefault(part.path[depth], []).append(part)
        elif _holds_in(part, value, Focus()):
            yield Miss(".".join(part.path) or "$not", f"not {part.text}", _excerpt(value))
    for name, under in below.items():
        yield from _misses_at(under, depth + 1, value.get(name, MISSING))


def _misses_at(parts: Sequence[Part], depth: int, value: Json) -> Iterator[Miss]:
    """What kept these parts from holding at a field; in an array, in the nearest element of it."""
    below = []
    for part in parts:
        if isinstance(part, Negation) or len(part.path) > depth:
            below.append(part)
        elif not any(part.judged(value)):
            yield Miss(".".join(part.path), str(part), _excerpt(value))
    if not below or any(_in_objects(below, depth, value, Focus())):
        return
    per_element = [list(_misses(below, depth, each)) for each in _objects(value, Focus())]
    # Where no element has what is wanted, each that has what is refused is a miss.
    yield from min((misses for misses in per_element if misses), key=len)


def _excerpt(value: Json) -> str:
    if value is MISSING:
        return "nothing"
    text = shown(dict(value) if isinstance(value, Mapping) else value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
