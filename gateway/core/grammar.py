"""The grammar of `match`: from decoded YAML or JSON to a pattern, or everything that is wrong with it.

It is that of EventBridge event patterns
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html), so that a
pattern that works there works here, and more: a scalar or a single operator stands for a list of one,
several operators in one mapping all have to hold for one value, and there are `$and`, `$not`, `all`,
`in`, `present`, `contains`, `decimal`, `gt`, `gte`, `lt` and `lte`.

A mapping whose keys are all operators is an operator; a field that bears such a name is written as a
dotted path. `$or`, `$and` and dotted paths are written out here into rules, each a flat set of parts,
so that everything said about one element of an array is judged together.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from ipaddress import ip_network
from itertools import product
from typing import Any, NoReturn, TypeAlias, TypeVar

from gateway.core.model import Json
from gateway.core.operators import (
    DECIMAL,
    LONGEST_DECIMAL,
    Anything,
    AnythingBut,
    Cidr,
    Constant,
    DecimalRange,
    Folded,
    Literal,
    Network,
    OneOf,
    Prefix,
    Range,
    Suffix,
    Test,
    Wildcard,
    is_empty,
    joined,
    shown,
)
from gateway.core.pattern import DEEPEST, Condition, Negation, Part, Path, Pattern, Rule

MOST_RULES = 1024
"""`$or` multiplies: more rules than this are refused."""
MANY_LITERALS = 5
"""So many plain values in one list are looked up together."""
LARGEST_INT = (1 << 64) - 1
SMALLEST_INT = -(1 << 63)
"""Whole numbers are exact within these, as orjson decodes them; larger ones are IEEE doubles."""

DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
DATES = "dates are compared in `when`, with timestamp(…)"

DEEPEST_PLACE = 2 * DEEPEST
"""Mappings and lists, one in the other: `$or` and its branches count too."""

Result = TypeVar("Result")
Place: TypeAlias = tuple[str | int, ...]
Lists: TypeAlias = Mapping[str, Sequence[Json]]
"""The named lists that `in` may refer to."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a pattern; `place` leads to it."""

    place: Place
    code: str
    what: str
    cure: str


class PatternInvalid(Exception):
    """A pattern cannot be compiled; `faults` are all the reasons."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(f"{fault.what}; {fault.cure}" for fault in faults))
        self.faults = tuple(faults)


def compile_pattern(pattern: Json, lists: Lists | None = None) -> Pattern:
    """The compiled form of a decoded pattern. Raises PatternInvalid with every fault that was found."""
    return PatternCompiler(lists).compile(pattern)


def _refuse(place: Place, code: str, what: str, cure: str) -> NoReturn:
    raise PatternInvalid([Fault(place, code, what, cure)])


def _refuse_depth(place: Place) -> NoReturn:
    what = f"it nests deeper than {DEEPEST} fields or {DEEPEST_PLACE} mappings and lists"
    _refuse(place, "pattern-depth", what, "flatten it")


def _each(do: Callable[..., Result], several: Iterable[tuple[Any, ...]]) -> list[Result]:
    """What *do* makes of each. Raises PatternInvalid with the faults of all of them."""
    faults: list[Fault] = []
    made = []
    for arguments in several:
        try:
            made.append(do(*arguments))
        except PatternInvalid as error:
            faults += error.faults
    if faults:
        raise PatternInvalid(faults)
    return made


class PatternCompiler:
    """Compiles the patterns of one routes file, which share what is the same in them."""

    def __init__(self, lists: Lists | None = None) -> None:
        self._lists = lists or {}
        self._parts: dict[Part, Part] = {}
        self._paths: dict[Path, Path] = {}

    def compile(self, pattern: Json) -> Pattern:
        """The compiled form of a decoded pattern. Raises PatternInvalid with every fault in it."""
        if not isinstance(pattern, dict):
            cure = "write `match: {type: …}`"
            _refuse((), "pattern-shape", "match is not a mapping of fields", cure)
        if not pattern:
            return Pattern(((),))
        return Pattern(tuple(self._shared(rule) for rule in self._rules(pattern, (), ())))

    def _shared(self, rule: Rule) -> Rule:
        return tuple(dict.fromkeys(self._parts.setdefault(part, part) for part in rule))

    # -- fields: what becomes rules ------------------------------------------------------------------

    def _rules(self, fields: Mapping[str, Json], path: Path, place: Place) -> list[Rule]:
        """The rules that a mapping of fields comes to, *path* being the object that has them."""
        if not fields:
            cure = "name a field, or remove it"
            _refuse(place, "pattern-shape", "an empty mapping matches nothing", cure)
        for name in fields:
            if name.__class__ is not str:  # a dict of Python's; YAML and JSON have no such keys
                _refuse(place, "pattern-shape", f"{name!r} is no name of a field", "quote it")
        members = [(name, value, path, (*place, name)) for name, value in fields.items()]
        return _multiplied(_each(self._member, members), place)

    def _member(self, name: str, value: Json, path: Path, place: Place) -> list[Rule]:
        if len(path) + name.count(".") >= DEEPEST or len(place) > DEEPEST_PLACE:
            _refuse_depth(place)
        match name:
            case "$or":
                return [
                    rule for rules in self._branches(name, value, path, place) for rule in rules
                ]
            case "$and":
                return _multiplied(self._branches(name, value, path, place), place)
            case "$not":
                return [(self._not(value, path, place),)]
        if name.lower() in COMBINING or (name.startswith("$") and _nearest(name, COMBINING)):
            cure = f"did you mean {_nearest(name.lower(), COMBINING)}?"
            _refuse(place, "pattern-operator", f'"{name}" is not known', cure)
        if f"${name.lower()}" in COMBINING and _are_branches(value):
            what = f'"{name}" is taken for a field, and combines nothing'
            _refuse(place, "pattern-operator", what, f"write `${name.lower()}`")
        below = (*path, *name.split("."))
        return self._field(value, self._paths.setdefault(below, below), place)

    def _branches(self, name: str, value: Json, path: Path, place: Place) -> list[list[Rule]]:
        fewest = 2 if name == "$or" else 1
        if not isinstance(value, list) or len(value) < fewest:
            many = "two or more" if fewest == 2 else "one or more"
            what, cure = (
                f"{name} wants a list of {many} mappings",
                f"write `{name}: [{{…}}, {{…}}]`",
            )
            _refuse(place, "pattern-or", what, cure)
        return _each(
            self._branch, [(name, branch, path, (*place, i)) for i, branch in enumerate(value)]
        )

    def _branch(self, name: str, branch: Json, path: Path, place: Place) -> list[Rule]:
        if not isinstance(branch, dict):
            cure = "write `{field: …}`"
            _refuse(place, "pattern-or", f"{name} is about mappings of fields", cure)
        for field in branch:
            if field in OPERATORS:
                what = f"{field} is an operator, but {name} is about fields"
                cure = f"write the field first: `{{field: {{{field}: …}}}}`"
                _refuse((*place, field), "pattern-or", what, cure)
        return self._rules(branch, path, place)

    def _not(self, value: Json, path: Path, place: Place) -> Part:
        if not isinstance(value, dict):
            cure = "write `$not: {field: …}`"
            _refuse(place, "pattern-or", "$not wants a mapping of fields", cure)
        rules = self._branch("$not", value, path, place)
        negation = Negation(path, tuple(rules), shown(value))
        if _size(negation) > MOST_RULES:
            what = f"what it negates multiplies to more than {MOST_RULES} rules"
            _refuse(place, "pattern-size", what, "split the route in several")
        return negation

    def _field(self, value: Json, path: Path, place: Place) -> list[Rule]:
        """What one field wants: nested fields, an operator, or a list of alternatives."""
        if isinstance(value, dict):
            operators = [name for name in value if name in OPERATORS]
            others = [name for name in value if name not in OPERATORS]
            if not operators or (others and _all_are_fields(value)):
                return self._rules(value, path, place)
            if others:
                what = f'"{others[0]}" is no operator, but stands beside "{operators[0]}", which is one'
                _refuse((*place, others[0]), "pattern-operator", what, known_operators(others[0]))
            return [tuple(self._operators(value, path, place))]
        if isinstance(value, list):
            return [tuple(self._alternatives(value, path, place))]
        return [(Condition(path, (_literal(value, place),)),)]

    # -- one field: what becomes conditions, all of which have to hold ---------------------------------

    def _alternatives(self, items: Sequence[Json], path: Path, place: Place) -> list[Condition]:
        """The conditions that a list of alternatives comes to: mostly one."""
        if not items:
            cure = "name a value, or remove it"
            _refuse(place, "pattern-shape", "an empty list matches nothing", cure)
        choices = _each(
            self._alternative, [(item, path, (*place, i)) for i, item in enumerate(items)]
        )
        if math.prod(map(len, choices)) > MOST_RULES:
            _refuse(place, "pattern-size", "its alternatives multiply beyond measure", "split it")
        # Or over and is and over or: one of a, and one of b, where an alternative wants a and b.
        return [_either(path, choice) for choice in product(*choices)]

    def _alternative(self, item: Json, path: Path, place: Place) -> list[Condition]:
        if isinstance(item, dict):
            for name in item:
                if name not in OPERATORS:
                    what = f'"{name}" is no operator'
                    _refuse((*place, name), "pattern-operator", what, known_operators(name))
            if item:
                return self._operators(item, path, place)
        if isinstance(item, (dict, list)):
            what, cure = "an alternative is a value or an operator", "write them in one list"
            _refuse(place, "pattern-shape", what, cure)
        return [Condition(path, (_literal(item, place),))]

    def _operators(self, item: Mapping[str, Json], path: Path, place: Place) -> list[Condition]:
        """Several operators in one mapping: those about a leaf have to hold for the same one."""
        if len(place) > DEEPEST_PLACE:
            _refuse_depth(place)
        found = _each(
            self._operator, [(name, value, path, (*place, name)) for name, value in item.items()]
        )
        tests = [test for test in found if not isinstance(test, list)]
        conditions = [condition for each in found if isinstance(each, list) for condition in each]
        if len(tests) > 1:
            tests = [test for test in tests if not isinstance(test, Anything)]
        if tests:
            conditions.insert(0, Condition(path, (joined(tests),)))
        return conditions

    def _operator(
        self, name: str, argument: Json, path: Path, place: Place
    ) -> Test | list[Condition]:
        match name:
            case "exists":
                if _truth(argument, place):
                    return Anything()
                return [Condition(path, absent=True)]
            case "present":
                there = _truth(argument, place)
                return [Condition(path, there=there, not_there=not there)]
            case "all":
                if not isinstance(argument, list) or not argument:
                    what, cure = "all wants a list of what has to be there", "write `all: [a, b]`"
                    _refuse(place, "pattern-argument", what, cure)
                wanted = [(each, path, (*place, i)) for i, each in enumerate(argument)]
                return [each for some in _each(self._alternative, wanted) for each in some]
            case "in":
                return self._in(argument, place)
            case _:
                return ON_LEAVES[name](argument, place)

    def _in(self, argument: Json, place: Place) -> Test:
        if isinstance(argument, list) and argument:
            return OneOf.of(_literals(argument, place))
        if not isinstance(argument, str):
            what, cure = "in wants the name of a list", "name one of `lists:`, or write the values"
            _refuse(place, "pattern-argument", what, cure)
        if argument not in self._lists:
            close = _nearest(argument, self._lists)
            known = ", ".join(self._lists) or "(none)"
            cure = f'did you mean "{close}"?' if close else f"known under `lists:`: {known}"
            _refuse(place, "unknown-list", f'there is no list "{argument}"', cure)
        return OneOf.of(_literals(self._lists[argument], place), argument)


def _multiplied(factors: Sequence[Sequence[Rule]], place: Place) -> list[Rule]:
    """The rules that hold where one of each factor does."""
    total = math.prod(map(len, factors))
    if total > MOST_RULES:
        what = f"its $or branches multiply to {total} rules, more than {MOST_RULES}"
        _refuse(place, "pattern-size", what, "split the route in several")
    return [tuple(part for rule in choice for part in rule) for choice in product(*factors)]


def _size(negation: Negation) -> int:
    """How many rules have to be judged for it at worst."""
    inner = (part for rule in negation.rules for part in rule if isinstance(part, Negation))
    return len(negation.rules) + sum(map(_size, inner))


def _are_branches(value: Json) -> bool:
    """Whether a list can only be meant as mappings of fields, as `$or` takes them."""
    return isinstance(value, list) and any(
        isinstance(each, dict) and each and not each.keys() & set(OPERATORS) for each in value
    )


def _all_are_fields(value: Mapping[str, Json]) -> bool:
    """Whether a mapping can only be nested fields, although one bears an operator's name."""
    return all(isinstance(each, (dict, list)) for each in value.values())


def _either(path: Path, choice: Sequence[Condition]) -> Condition:
    """The condition that is met where one of these is."""
    if len(choice) == 1:
        return choice[0]
    tests = [test for condition in choice for test in condition.tests]
    plain = [test for test in tests if isinstance(test, (Literal, Constant))]
    if len(plain) >= MANY_LITERALS:
        tests = [OneOf.of(plain), *(t for t in tests if not isinstance(t, (Literal, Constant)))]
    return Condition(
        path,
        tuple(tests),
        absent=any(condition.absent for condition in choice),
        there=any(condition.there for condition in choice),
        not_there=any(condition.not_there for condition in choice),
    )


# -- arguments -----------------------------------------------------------------------------------------


def _truth(argument: Json, place: Place) -> bool:
    if not isinstance(argument, bool):
        what, cure = f"{place[-1]} wants true or false", f"write `{place[-1]}: true`"
        _refuse(place, "pattern-argument", what, cure)
    return argument


def _literal(value: Json, place: Place) -> Literal | Constant:
    """A plain value, as it is to be found."""
    match value:
        case bool() | None:
            return Constant(value)
        case str():
            return Literal(value)
        case int() | float():
            return Literal(_finite(value, place))
        case _:
            cure = "write text, a number, true, false or null"
            _refuse(place, "pattern-shape", "a single value is wanted here", cure)


def _literals(values: Sequence[Json], place: Place) -> list[Literal | Constant]:
    return _each(_literal, [(value, (*place, i)) for i, value in enumerate(values)])


def _finite(value: float, place: Place) -> int | float:
    """A number as an event's decoder would give it."""
    try:
        number = value if SMALLEST_INT <= value <= LARGEST_INT else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        cure = "write a number that JSON can hold"
        _refuse(place, "pattern-number", "it is no finite number", cure)
    return number


def _number(bound: Json, place: Place) -> int | float:
    if isinstance(bound, bool) or not isinstance(bound, (int, float)):
        cure = "compare with a number"
        if isinstance(bound, str) and DATE.match(bound):
            cure = DATES
        if isinstance(bound, str) and DECIMAL.fullmatch(bound):
            cure = f"write {bound} without quotes, or `decimal: {{{place[-1]}: …}}` for text that holds a number"
        _refuse(place, "pattern-argument", f"{shown(bound)} is no number", cure)
    return _finite(bound, place)


def _text(argument: Json, place: Place) -> str:
    if not isinstance(argument, str):
        cure = "quote it" if not isinstance(argument, (dict, list)) else "write one text"
        _refuse(place, "pattern-argument", f"{place[-1]} wants text", cure)
    return argument


def _text_or_folded(argument: Json, place: Place) -> tuple[str, bool]:
    """Text, and whether its case is to be ignored: `{equals-ignore-case: text}`."""
    if isinstance(argument, dict) and set(argument) == {"equals-ignore-case"}:
        return _text(argument["equals-ignore-case"], (*place, "equals-ignore-case")), True
    return _text(argument, place), False


# -- operators on a leaf: each makes a test of its argument ----------------------------------------------


def _exactly(argument: Json, place: Place) -> Test:
    return Literal(_text(argument, place))


def _prefix(argument: Json, place: Place) -> Test:
    return Prefix(*_text_or_folded(argument, place))


def _suffix(argument: Json, place: Place) -> Test:
    return Suffix(*_text_or_folded(argument, place))


def _equals_ignore_case(argument: Json, place: Place) -> Test:
    return Folded.of(_text(argument, place))


def _contains(argument: Json, place: Place) -> Test:
    text, fold = _text_or_folded(argument, place)
    return Wildcard(("", text.casefold() if fold else text, ""), text, "contains", fold)


def _wildcard(argument: Json, place: Place) -> Test:
    text, fold = _text_or_folded(argument, place)
    pieces = _pieces(text, place)
    if len(pieces) == 1:
        return Folded.of(pieces[0]) if fold else Literal(pieces[0])
    if fold:
        pieces = [piece.casefold() for piece in pieces]
    return Wildcard(tuple(pieces), text, fold=fold)


def _pieces(text: str, place: Place) -> list[str]:
    r"""The literal text between the stars; `\*` and `\\` are a star and a backslash."""
    if re.search(r"(?<!\\)(\\\\)*\*\*", text):
        _refuse(place, "pattern-argument", "two stars in a row mean no more than one", "write one")
    pieces = [""]
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 1
            if text[position : position + 1] not in ("*", "\\"):
                what = "a backslash stands before neither a star nor another backslash"
                _refuse(place, "pattern-argument", what, r"write `\\` for a backslash")
            pieces[-1] += text[position]
        elif char == "*":
            pieces.append("")
        else:
            pieces[-1] += char
        position += 1
    return pieces


def _anything_but(argument: Json, place: Place) -> Test:
    if isinstance(argument, dict):
        return AnythingBut(tuple(_nested_excluded(argument, place)))
    values = argument if isinstance(argument, list) else [argument]
    if not values:
        what = "anything-but wants at least one value"
        _refuse(place, "pattern-argument", what, "name one")
    return AnythingBut(tuple(_literals(values, place)))


def _nested_excluded(argument: Mapping[str, Json], place: Place) -> list[Test]:
    name = next(iter(argument), None)
    if len(argument) != 1 or name not in EXCLUDABLE:
        what = f"anything-but takes values, or one of {', '.join(EXCLUDABLE)}"
        _refuse(place, "pattern-argument", what, 'write `anything-but: {prefix: "x"}`')
    place = (*place, name)
    inner = argument[name]
    texts = inner if isinstance(inner, list) else [inner]
    if not texts or (name in ("prefix", "suffix") and "" in texts):
        what, cure = "it wants text that is not empty", "an empty one would match nothing"
        _refuse(place, "pattern-argument", what, cure)
    for text in texts:
        _text(text, place)
    return _each(ON_LEAVES[name], [(text, place) for text in texts])


COMPARISONS = ("=", ">", ">=", "<", "<=")


def _numeric(argument: Json, place: Place) -> Test:
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        what, cure = "numeric wants one comparison or a range", 'write `numeric: [">", 0, "<=", 5]`'
        _refuse(place, "pattern-argument", what, cure)
    comparisons = [
        _comparison(argument[i], _number(argument[i + 1], place), place)
        for i in range(0, len(argument), 2)
    ]
    if len(comparisons) == 1:
        return comparisons[0]
    whole = comparisons[0].within(comparisons[1])
    if is_empty(whole) or argument[0] not in (">", ">=") or argument[2] not in ("<", "<="):
        what = "the range is empty or the wrong way round"
        cure = 'write the lower bound first: `[">", 0, "<=", 5]`'
        _refuse(place, "pattern-argument", what, cure)
    return whole


def _comparison(operator: Json, bound: float, place: Place) -> Range:
    match operator:
        case "=":
            return Range(bound, bound)
        case ">" | ">=":
            return Range(low=bound, with_low=operator == ">=")
        case "<" | "<=":
            return Range(high=bound, with_high=operator == "<=")
        case _:
            cure = 'use "=", ">", ">=", "<" or "<="'
            _refuse(place, "pattern-argument", f"{shown(operator)} is no comparison", cure)


def _bound(operator: str) -> Callable[[Json, Place], Test]:
    return lambda argument, place: _comparison(operator, _number(argument, place), place)


BOUNDS = ("gt", "gte", "lt", "lte")


def _decimal(argument: Json, place: Place) -> Test:
    if not isinstance(argument, dict) or not argument or not set(argument) <= set(BOUNDS):
        what = "decimal wants one or two of gt, gte, lt, lte"
        _refuse(place, "pattern-argument", what, "write `decimal: {gt: 500}`")
    if len(argument.keys() & {"gt", "gte"}) > 1 or len(argument.keys() & {"lt", "lte"}) > 1:
        what = "it has two bounds on one side"
        _refuse(place, "pattern-argument", what, "decide for one")
    test = DecimalRange()
    for name, bound in argument.items():
        number = _decimal_number(bound, (*place, name))
        if name in ("gt", "gte"):
            test = replace(test, low=number, with_low=name == "gte")
        else:
            test = replace(test, high=number, with_high=name == "lte")
    return test


LARGEST_EXACT = 10**LONGEST_DECIMAL


def _decimal_number(bound: Json, place: Place) -> Decimal:
    if isinstance(bound, str):
        text = bound
    elif isinstance(bound, int) and not isinstance(bound, bool):
        text = str(bound) if abs(bound) < LARGEST_EXACT else ""  # exact, however large
    else:
        text = str(_number(bound, place))
    if len(text) > LONGEST_DECIMAL or not DECIMAL.fullmatch(text):
        cure = DATES if DATE.match(text) else 'write a number, or text such as "499.90"'
        _refuse(place, "pattern-argument", f"{shown(bound)} is no decimal number", cure)
    return Decimal(text)


_NETWORK = re.compile(r"[0-9A-Fa-f:.]+/\d{1,3}", re.ASCII)


def _cidr(argument: Json, place: Place) -> Test:
    texts = argument if isinstance(argument, list) else [argument]
    if not texts:
        _refuse(place, "pattern-argument", "cidr wants a network", "write `cidr: 10.0.0.0/8`")
    return Cidr(tuple(_each(_network, [(text, place) for text in texts])))


def _network(text: Json, place: Place) -> Network:
    try:
        if isinstance(text, str) and _NETWORK.fullmatch(text):
            return ip_network(text, strict=False)
    except ValueError:
        pass
    _refuse(place, "pattern-argument", f"{shown(text)} is no network", "write one as 10.0.0.0/8")


ON_LEAVES: dict[str, Callable[[Json, Place], Test]] = {
    "exactly": _exactly,
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "contains": _contains,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "gt": _bound(">"),
    "gte": _bound(">="),
    "lt": _bound("<"),
    "lte": _bound("<="),
    "decimal": _decimal,
    "cidr": _cidr,
}

OPERATORS: tuple[str, ...] = (*ON_LEAVES, "in", "all", "exists", "present")
"""Every operator's name."""
EXCLUDABLE = ("prefix", "suffix", "equals-ignore-case", "wildcard")
"""What anything-but may be about, beside values."""
COMBINING = ("$or", "$and", "$not")

ELSEWHERE: dict[str, str] = {
    **dict.fromkeys((">", "$gt", "greater-than", "greaterThan", "greater", "after"), "gt"),
    **dict.fromkeys((">=", "ge", "$gte", "min", "minimum"), "gte"),
    **dict.fromkeys(("<", "$lt", "less-than", "lessThan", "less", "before"), "lt"),
    **dict.fromkeys(("<=", "le", "$lte", "max", "maximum"), "lte"),
    **dict.fromkeys(("=", "==", "eq", "$eq", "equals", "exact", "is"), "exactly"),
    **dict.fromkeys(("!=", "ne", "$neq", "$ne", "neq", "not", "except", "$nin"), "anything-but"),
    **dict.fromkeys(("not-in", "notIn", "notin", "nin", "none-of", "noneOf"), "anything-but"),
    **dict.fromkeys(("startsWith", "starts-with", "$startsWith", "startswith"), "prefix"),
    **dict.fromkeys(("endsWith", "ends-with", "$endsWith", "endswith"), "suffix"),
    **dict.fromkeys(("like", "glob", "pattern"), "wildcard"),
    **dict.fromkeys(("$in", "one-of", "oneOf", "any", "$any"), "in"),
    **dict.fromkeys(("$exist", "$exists", "exist", "has"), "exists"),
    **dict.fromkeys(("includes", "substring"), "contains"),
    **dict.fromkeys(("iequals", "equalsIgnoreCase"), "equals-ignore-case"),
}
"""What other rule languages call our operators."""
OTHERWISE: dict[str, str] = {
    **dict.fromkeys(
        ("regex", "$regex", "regexp", "matches"),
        "there are no regular expressions here: use `wildcard`, or `when` with `matches`",
    ),
    **dict.fromkeys(("missing", "absent"), "write `exists: false`"),
    **dict.fromkeys(("between", "range"), "write `gte: 1, lte: 5`"),
    "or": "write the alternatives as a list, `[a, b]`",
}
"""What others have an operator for, and how it is said here."""


def likely_operator(name: str) -> str | None:
    """The operator that a word which is none was probably meant to be."""
    word = name.lower().replace("_", "-")
    if word in OPERATORS:
        return word
    return ELSEWHERE.get(name) or ELSEWHERE.get(word) or _nearest(word, OPERATORS)


def known_operators(name: str) -> str:
    """The cure for a word that is no operator."""
    if name.lower() in OTHERWISE:
        return OTHERWISE[name.lower()]
    likely = likely_operator(name)
    return f'did you mean "{likely}"?' if likely else f"use one of {', '.join(OPERATORS)}"


def _nearest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.7)), None)
