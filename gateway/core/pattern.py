"""A `match` pattern, compiled: does an event's content satisfy it?

The grammar is that of EventBridge event patterns
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html), written
in YAML: a mapping of fields, each with a list of alternatives; a scalar or a single operator stands
for a list of one. All fields must match; of a field's alternatives, one must.

How arrays are read: arrays are crushed out, to any depth, and a field matches if any element does.
Fields below the same array must be matched by the same element of it, all together. A field that is
missing, an empty array and an object have no leaves: only `exists: false` matches there.

`$or` is expanded into sub-rules, each a plain tree of fields, so that its branches and the fields
beside it are judged together, element by element. There are no regular expressions: they backtrack.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import reduce
from itertools import product
from typing import TypeAlias

from gateway.core.model import Json

MOST_SUBRULES = 1024
"""`$or` multiplies: more sub-rules than this is refused."""
DEEPEST = 64

Scalar: TypeAlias = str | int | float | bool | None
Path: TypeAlias = tuple[str | int, ...]


class PatternError(Exception):
    """A pattern cannot be compiled; `path` leads to the place in it."""

    def __init__(self, path: Path, code: str, what: str, cure: str) -> None:
        super().__init__(f"{what}; {cure}")
        self.path = path
        self.code = code
        self.what = what
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Test:
    """One alternative of a field: what it accepts, and how it reads."""

    text: str
    accepts: Callable[[Sequence[Scalar]], bool]
    """Given the leaves that the field has in the event (none: it is absent)."""
    literal: str | None = None
    """Set where it is nothing but this text."""


class Leaf:
    """What one field must satisfy: of each list of alternatives, one."""

    __slots__ = ("choices", "matches")

    def __init__(self, choices: tuple[tuple[Test, ...], ...]) -> None:
        self.choices = choices
        self.matches: Callable[[Json], bool] = _leaf_matcher(choices)
        """Whether the field's value (MISSING: it has none) satisfies every list."""


class Fields:
    """Fields that one object must satisfy, all of them."""

    __slots__ = ("_matchers", "nodes")

    def __init__(self, nodes: Mapping[str, "Leaf | Fields"]) -> None:
        self.nodes = nodes
        self._matchers = [(name, node.matches) for name, node in nodes.items()]

    def matches(self, value: Json) -> bool:
        """Whether the object, or one element of the array, satisfies every field."""
        for candidate in _objects(value):
            for name, matches in self._matchers:
                if not matches(candidate.get(name, MISSING)):
                    break
            else:
                return True
        return False


def _leaf_matcher(choices: tuple[tuple[Test, ...], ...]) -> Callable[[Json], bool]:
    """`Leaf.matches`; most fields are a word or a choice of words, and those are looked up."""
    literals = [test.literal for tests in choices for test in tests]
    if len(choices) == 1 and None not in literals:
        words = frozenset(literals)
        return lambda value: (
            value in words
            if value.__class__ is str
            else value.__class__ is list and any(leaf in words for leaf in _leaves(value))
        )

    def matches(value: Json) -> bool:
        leaves = _leaves(value)
        for tests in choices:
            for test in tests:
                if test.accepts(leaves):
                    break
            else:
                return False
        return True

    return matches


class _Missing:
    """What a field has in an event that does not have the field."""


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Miss:
    """Why a pattern did not match: the field that came closest, what it wanted and what it saw."""

    path: str
    wanted: str
    seen: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: it matches when one of its sub-rules does."""

    rules: tuple[Fields, ...]

    def matches(self, fields: Mapping[str, Json]) -> bool:
        """Whether an event with these fields satisfies the pattern."""
        for rule in self.rules:  # noqa: SIM110  # any() would cost as much as the match
            if rule.matches(fields):
                return True
        return False

    def misses(self, fields: Mapping[str, Json]) -> list[Miss]:
        """The fields that kept the nearest sub-rule from matching; empty when the pattern matches."""
        return min((list(_misses(rule, fields, ())) for rule in self.rules), key=len, default=[])


def _objects(value: Json) -> Sequence[Mapping[str, Json]]:
    """The objects among which one must satisfy the fields; an empty one where there is none."""
    if isinstance(value, dict):
        return (value,)
    if isinstance(value, list):
        return [element for element in _crushed(value) if isinstance(element, dict)] or ({},)
    return ({},)


def _leaves(value: Json) -> Sequence[Scalar]:
    if value.__class__ is list:
        return [element for element in _crushed(value) if not isinstance(element, dict)]
    if value is MISSING or value.__class__ is dict:
        return ()
    return (value,)


def _crushed(array: list[Json]) -> Iterator[Json]:
    """The elements of an array, and of the arrays in it, without recursion."""
    stack = [iter(array)]
    while stack:
        for element in stack[-1]:
            if isinstance(element, list):
                stack.append(iter(element))
                break
            yield element
        else:
            stack.pop()


def _misses(node: "Leaf | Fields", value: Json, path: tuple[str, ...]) -> Iterator[Miss]:
    if node.matches(value):
        return
    if isinstance(node, Leaf):
        wanted = " and ".join(
            " or ".join(test.text for test in tests)
            for tests in node.choices
            if not any(test.accepts(_leaves(value)) for test in tests)
        )
        yield Miss(".".join(path), wanted, _shown(value))
        return
    candidates = [
        [
            miss
            for name, child in node.nodes.items()
            for miss in _misses(child, candidate.get(name, MISSING), (*path, name))
        ]
        for candidate in _objects(value)
    ]
    yield from min(candidates, key=len)


def _shown(value: Json) -> str:
    if value is MISSING:
        return "nothing"
    text = _text(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _text(value: Json) -> str:
    """A value as YAML's flow style writes it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case list():
            return "[" + ", ".join(map(_text, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{name}: {_text(item)}" for name, item in value.items()) + "}"
        case str():
            return f'"{value}"'
        case _:
            return str(value)


# -- compiling ---------------------------------------------------------------------------------------


def compile_pattern(pattern: Json) -> Pattern:
    """The compiled form of a decoded pattern. Raises PatternError at the first fault."""
    if not isinstance(pattern, dict):
        raise PatternError(
            (), "pattern-shape", "match is not a mapping of fields", "write `match: {type: …}`"
        )
    return Pattern(tuple(_object(pattern, ()))) if pattern else Pattern((Fields({}),))


def _object(pattern: dict[str, Json], path: Path) -> list[Fields]:
    """The sub-rules that a mapping of fields expands to."""
    if len(path) > DEEPEST:
        raise PatternError(path, "pattern-depth", f"it nests deeper than {DEEPEST}", "flatten it")
    if not pattern:
        raise PatternError(
            path, "pattern-shape", "an empty mapping matches nothing", "name a field, or remove it"
        )
    parts: list[list[Fields]] = []
    for name, value in pattern.items():
        if name == "$or":
            parts.append(_or(value, (*path, name)))
        else:
            parts.append([_nested(name, node) for node in _field(value, (*path, name))])
    total = math.prod(len(part) for part in parts)
    if total > MOST_SUBRULES:
        raise PatternError(
            path,
            "pattern-size",
            f"its $or branches multiply to {total} sub-rules, more than {MOST_SUBRULES}",
            "split the route in several",
        )
    return [reduce(lambda a, b: _both(a, b, path), combination) for combination in product(*parts)]


def _nested(name: str, node: "Leaf | Fields") -> Fields:
    """The fields that a dotted path stands for."""
    *outer, last = name.split(".")
    fields = Fields({last: node})
    for step in reversed(outer):
        fields = Fields({step: fields})
    return fields


def _both(one: Fields, other: Fields, path: Path) -> Fields:
    """Fields that want all that both want; the same field in both means both."""
    nodes = dict(one.nodes)
    for name, node in other.nodes.items():
        present = nodes.get(name)
        match present, node:
            case None, _:
                nodes[name] = node
            case Fields(), Fields():
                nodes[name] = _both(present, node, path)
            case Leaf(), Leaf():
                nodes[name] = Leaf(present.choices + node.choices)
            case _:
                raise PatternError(
                    path,
                    "pattern-shape",
                    f'"{name}" is wanted as a value and as an object',
                    "decide for one",
                )
    return Fields(nodes)


def _or(value: Json, path: Path) -> list[Fields]:
    if (
        not isinstance(value, list)
        or len(value) < 2
        or not all(isinstance(item, dict) for item in value)
    ):
        raise PatternError(
            path,
            "pattern-or",
            "$or wants a list of two or more mappings",
            "write `$or: [{…}, {…}]`",
        )
    for i, branch in enumerate(value):
        for name in branch:
            if name in OPERATORS:
                raise PatternError(
                    (*path, i, name),
                    "pattern-or",
                    f"{name} is an operator, but a branch of $or names fields",
                    f"write the field first: `{{field: {{{name}: …}}}}`",
                )
    return [rule for i, branch in enumerate(value) for rule in _object(branch, (*path, i))]


def _field(value: Json, path: Path) -> "Sequence[Leaf | Fields]":
    """What one field wants: nested fields, or a list of alternatives."""
    if isinstance(value, dict):
        operators = [name for name in value if name in OPERATORS]
        if not operators:
            return _object(value, path)
        if len(operators) < len(value):
            field = next(name for name in value if name not in OPERATORS)
            raise PatternError(
                (*path, field),
                "pattern-operator",
                f'"{field}" is no operator, but stands beside "{operators[0]}", which is one',
                f"use an operator ({', '.join(OPERATORS)}), or write the field as a dotted path",
            )
        return [Leaf(((_operators(value, path),),))]
    if isinstance(value, list):
        if not value:
            raise PatternError(
                path, "pattern-shape", "an empty list matches nothing", "name a value, or remove it"
            )
        return [Leaf((tuple(_alternative(item, (*path, i)) for i, item in enumerate(value)),))]
    return [Leaf(((_literal(value, path),),))]


def _alternative(item: Json, path: Path) -> Test:
    if isinstance(item, dict):
        for name in item:
            if name not in OPERATORS:
                raise PatternError(
                    (*path, name),
                    "pattern-operator",
                    f'"{name}" is no operator',
                    _known_operators(name),
                )
        if item:
            return _operators(item, path)
    if isinstance(item, (dict, list)):
        raise PatternError(
            path,
            "pattern-shape",
            "an alternative is a value or an operator",
            "write them in one list",
        )
    return _literal(item, path)


def _known_operators(name: str) -> str:
    close = get_close_matches(name, OPERATORS, n=1)
    return f'did you mean "{close[0]}"?' if close else f"use one of {', '.join(OPERATORS)}"


def _operators(item: dict[str, Json], path: Path) -> Test:
    """Several operators in one mapping: one value of the field must satisfy them all."""
    predicates = [
        _ON_VALUES[name](argument, (*path, name))
        for name, argument in item.items()
        if name != "exists"
    ]
    if "exists" in item:
        wanted = _truth(item["exists"], (*path, "exists"))
        if not wanted:
            return Test(_text(item), lambda leaves: not leaves and not predicates)
        predicates = predicates or [lambda _leaf: True]
    if len(predicates) == 1:
        (accepts,) = predicates
        return Test(_text(item), lambda leaves: any(map(accepts, leaves)))
    return Test(
        _text(item),
        lambda leaves: any(all(accepts(leaf) for accepts in predicates) for leaf in leaves),
    )


def _truth(argument: Json, path: Path) -> bool:
    if not isinstance(argument, bool):
        raise PatternError(
            path, "pattern-argument", "exists wants true or false", "write `exists: true`"
        )
    return argument


def _literal(value: Json, path: Path) -> Test:
    accepts = _equal(_checked(value, path))
    literal = value if isinstance(value, str) else None
    return Test(_text(value), lambda leaves: any(map(accepts, leaves)), literal)


# -- operators: each turns its argument into a predicate on one leaf -----------------------------------

_Predicate: TypeAlias = Callable[[Scalar], bool]


def _checked(value: Json, path: Path) -> Scalar:
    if isinstance(value, float) and not math.isfinite(value):
        raise PatternError(
            path, "pattern-number", "it is no finite number", "write a number that JSON can hold"
        )
    if isinstance(value, (dict, list)):
        raise PatternError(
            path,
            "pattern-shape",
            "a single value is wanted here",
            "write text, a number, true, false or null",
        )
    checked: Scalar = value
    return checked


def _equal(value: Scalar) -> _Predicate:
    """Equality without coercion: 35 is 35.0, but neither "35" nor, for 1, true."""
    if isinstance(value, bool) or value is None:
        return lambda leaf: leaf is value
    if isinstance(value, str):
        return lambda leaf: leaf == value
    return lambda leaf: leaf == value and not isinstance(leaf, bool)


def _prefix(argument: Json, path: Path) -> _Predicate:
    text = _string(argument, path)
    return lambda leaf: isinstance(leaf, str) and leaf.startswith(text)


def _suffix(argument: Json, path: Path) -> _Predicate:
    text = _string(argument, path)
    return lambda leaf: isinstance(leaf, str) and leaf.endswith(text)


def _string(argument: Json, path: Path) -> str:
    if not isinstance(argument, str):
        raise PatternError(path, "pattern-argument", f"{path[-1]} wants text", "quote it")
    return argument


def _anything_but(argument: Json, path: Path) -> _Predicate:
    """Any leaf but these; on an array it is satisfied by any element that is not one of them."""
    if isinstance(argument, dict):
        if len(argument) != 1 or next(iter(argument)) not in ("prefix", "suffix"):
            raise PatternError(
                path,
                "pattern-argument",
                "anything-but takes values, or one of prefix and suffix",
                'write `anything-but: {prefix: "x"}`',
            )
        ((name, inner),) = argument.items()
        texts = inner if isinstance(inner, list) else [inner]
        if not texts or "" in texts:
            raise PatternError(
                (*path, name),
                "pattern-argument",
                "it wants text that is not empty",
                "an empty one would match nothing",
            )
        excluded = [_ON_VALUES[name](text, (*path, name)) for text in texts]
    else:
        values = argument if isinstance(argument, list) else [argument]
        if not values:
            raise PatternError(
                path, "pattern-argument", "anything-but wants at least one value", "name one"
            )
        excluded = [_equal(_checked(value, path)) for value in values]
    return lambda leaf: not any(accepts(leaf) for accepts in excluded)


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda leaf, bound: leaf == bound,
    ">": lambda leaf, bound: leaf > bound,
    ">=": lambda leaf, bound: leaf >= bound,
    "<": lambda leaf, bound: leaf < bound,
    "<=": lambda leaf, bound: leaf <= bound,
}


def _numeric(argument: Json, path: Path) -> _Predicate:
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        raise PatternError(
            path,
            "pattern-argument",
            "numeric wants one comparison or a range",
            'write `numeric: [">", 0, "<=", 5]`',
        )
    comparisons = [(argument[i], argument[i + 1]) for i in range(0, len(argument), 2)]
    for operator, bound in comparisons:
        if not isinstance(operator, str) or operator not in _COMPARE:
            raise PatternError(
                path,
                "pattern-argument",
                f"{_text(operator)} is no comparison",
                'use "=", ">", ">=", "<" or "<="',
            )
        _number(bound, path)
    if len(comparisons) == 2:
        (first, low), (second, high) = comparisons
        if (
            first not in (">", ">=")
            or second not in ("<", "<=")
            or low > high
            or (low == high and (first, second) != (">=", "<="))
        ):
            raise PatternError(
                path,
                "pattern-argument",
                "the range is empty or the wrong way round",
                'write the lower bound first: `[">", 0, "<=", 5]`',
            )
    return _compared([(_COMPARE[operator], bound) for operator, bound in comparisons])


def _compared(comparisons: list[tuple[Callable[[float, float], bool], float]]) -> _Predicate:
    def accepts(leaf: Scalar) -> bool:
        if isinstance(leaf, bool) or not isinstance(leaf, (int, float)):
            return False
        return all(compare(leaf, bound) for compare, bound in comparisons)

    return accepts


def _number(bound: Json, path: Path) -> float:
    match bound:
        case bool():
            pass
        case int():
            return bound
        case float() if math.isfinite(bound):
            return bound
    raise PatternError(
        path, "pattern-argument", f"{_text(bound)} is no number", "compare with a number"
    )


def _comparison(operator: str) -> Callable[[Json, Path], _Predicate]:
    return lambda argument, path: _compared([(_COMPARE[operator], _number(argument, path))])


_ON_VALUES: dict[str, Callable[[Json, Path], _Predicate]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "gt": _comparison(">"),
    "gte": _comparison(">="),
    "lt": _comparison("<"),
    "lte": _comparison("<="),
}

OPERATORS: tuple[str, ...] = (*_ON_VALUES, "exists")
"""Every operator's name; `exists` alone looks at whether there is a value, not at the value."""
