"""What one pattern says of another: does it match all that the other does, or can the other not match?

All of it errs on one side: what is claimed here is so, but not all that is so is found out.
"""

from collections.abc import Sequence
from functools import reduce
from ipaddress import IPv4Network, IPv6Network

from gateway.core.model import Json
from gateway.core.operators import (
    Anything,
    AnythingBut,
    Both,
    Cidr,
    Constant,
    DecimalRange,
    Folded,
    Literal,
    Network,
    OneOf,
    Prefix,
    Range,
    Scalar,
    Suffix,
    Test,
    Wildcard,
    is_empty,
)
from gateway.core.pattern import Condition, Negation, Part, Rule

BETWEEN = "\U0010ffff"
"""Stands for whatever a `*` takes: no pattern has it."""


# -- tests -----------------------------------------------------------------------------------------------


def accepts_all(wide: Test, narrow: Test) -> bool:
    """Whether *wide* accepts every leaf that *narrow* accepts."""
    if wide == narrow or isinstance(wide, Anything):
        return True
    match narrow:
        case Literal(value) | Constant(value):
            return wide.accepts(value)
        case OneOf(values):
            return all(wide.accepts(each.value) for each in values)
        case Both(tests) if not isinstance(wide, Both):
            return any(accepts_all(wide, test) for test in tests)
    match wide:
        case Both(tests):
            return all(accepts_all(test, narrow) for test in tests)
        case AnythingBut(excluded):
            return all(are_disjoint(test, narrow) for test in excluded)
        case OneOf(values):
            return any(accepts_all(value, narrow) for value in values)
        case Prefix() | Suffix() | Wildcard() | Folded():
            return _accepts_text(wide, narrow)
        case Range() if isinstance(narrow, Range):
            return narrow.within(wide) == narrow
        case DecimalRange() if isinstance(narrow, DecimalRange):
            return _within(narrow, wide) == narrow
        case Cidr(networks) if isinstance(narrow, Cidr):
            return all(any(_holds(one, each) for one in networks) for each in narrow.networks)
        case _:
            return False


def _accepts_text(wide: Prefix | Suffix | Wildcard | Folded, narrow: Test) -> bool:
    """Whether a test of text accepts all that another does, whatever stands between its pieces."""
    pieces, fold = _pieces(narrow)
    ignores_case = isinstance(wide, Folded) or wide.fold
    if not pieces or (fold and not ignores_case):
        return False
    return wide.accepts(BETWEEN.join(pieces))


def _pieces(test: Test) -> tuple[Sequence[str], bool]:
    """The text that a test wants, in pieces with anything between them, and whether case is ignored."""
    match test:
        case Prefix(text, fold):
            return (text, ""), fold
        case Suffix(text, fold):
            return ("", text), fold
        case Wildcard(pieces, fold=fold):
            return pieces, fold
        case Folded(folded=text):
            return (text,), True
        case _:
            return (), False


def are_disjoint(one: Test, other: Test) -> bool:
    """Whether no leaf passes both."""
    for this, that in ((one, other), (other, one)):
        match this:
            case Literal(value) | Constant(value):
                return not that.accepts(value)
            case OneOf(values):
                return not any(that.accepts(each.value) for each in values)
            case AnythingBut(excluded):
                if any(accepts_all(test, that) for test in excluded):
                    return True
            case Both(tests):
                if any(are_disjoint(test, that) for test in tests):
                    return True
    kinds = kind_wanted(one), kind_wanted(other)
    if None not in kinds and kinds[0] != kinds[1]:
        return True
    match one, other:
        case Range(), Range():
            return is_empty(one.within(other))
        case DecimalRange(), DecimalRange():
            return is_empty(_within(one, other))
        case Cidr(), Cidr():
            return not any(
                _holds(a, b) or _holds(b, a) for a in one.networks for b in other.networks
            )
        case _:
            return _ends_differ(one, other)


def _ends_differ(one: Test, other: Test) -> bool:
    """Whether two tests of text want it to begin, or to end, in different ways."""
    these, those = _pieces(one)[0], _pieces(other)[0]
    if not these or not those:
        return False
    # What differs but for its case differs.
    first, second = these[0].casefold(), those[0].casefold()
    last, final = these[-1].casefold(), those[-1].casefold()
    return not (first.startswith(second) or second.startswith(first)) or not (
        last.endswith(final) or final.endswith(last)
    )


def is_satisfiable(test: Test) -> bool:
    """Whether a leaf can pass it at all."""
    if isinstance(test, (Range, DecimalRange)):
        return not is_empty(test)
    if not isinstance(test, Both):
        return True
    return all(map(is_satisfiable, test.tests)) and not any(
        are_disjoint(one, other) for i, one in enumerate(test.tests) for other in test.tests[:i]
    )


def kind_wanted(test: Test) -> str | None:
    """What a leaf has to be for a test: `text`, `number` or `constant`; None where it can be several."""
    match test:
        case Literal(value):
            return "text" if isinstance(value, str) else "number"
        case Constant():
            return "constant"
        case Range():
            return "number"
        case OneOf(values):
            kinds = {kind_wanted(value) for value in values}
            return kinds.pop() if len(kinds) == 1 else None
        case Both(tests):
            return next((kind for each in tests if (kind := kind_wanted(each))), None)
        case Anything() | AnythingBut():
            return None
        case _:
            return "text"


def _within(one: DecimalRange, other: DecimalRange) -> DecimalRange:
    """The numbers that are in both."""
    low, without_low = max((one.low, not one.with_low), (other.low, not other.with_low))
    high, with_high = min((one.high, one.with_high), (other.high, other.with_high))
    return DecimalRange(low, high, not without_low, with_high)


def _holds(wide: Network, narrow: Network) -> bool:
    match wide, narrow:
        case (IPv4Network(), IPv4Network()) | (IPv6Network(), IPv6Network()):
            return narrow.subnet_of(wide)  # type: ignore[arg-type]
        case _:
            return False


# -- rules -----------------------------------------------------------------------------------------------


def covers(wide: Rule, narrow: Rule) -> bool:
    """Whether *wide* holds for every event for which *narrow* does."""
    parts = set(narrow)
    if parts == set(wide):
        return True
    for part in wide:
        if part in parts:
            if not _is_positive(part) and not _is_anchored(part, wide):
                return False
        elif not isinstance(part, Condition) or not any(
            _implied(part, each) for each in narrow if each.path == part.path
        ):
            return False
    return True


def _is_positive(part: Part) -> bool:
    return isinstance(part, Condition) and part.positive


def _is_anchored(part: Part, rule: Rule) -> bool:
    """Whether what is wanted beside it makes sure in which element of an array a part is judged.

    Without that, it is judged in all of them, and says more than it does in a rule with more parts.
    """
    around = part.path if isinstance(part, Negation) else part.path[:-1]
    return not around or any(
        _is_positive(each) and each.path[: len(around)] == around for each in rule
    )


def _implied(wide: Condition, narrow: Part) -> bool:
    """Whether a condition that wants something to be there holds wherever another does."""
    if not isinstance(narrow, Condition) or not wide.positive or not narrow.positive:
        return False
    if wide.there:
        return True
    if narrow.there:
        return False
    return all(any(accepts_all(test, each) for test in wide.tests) for each in narrow.tests)


def excluded_by(negation: Negation, rule: Rule) -> bool:
    """Whether a `$not` excludes whatever else its rule wants."""
    wanted = tuple(part for part in rule if _is_positive(part))
    return any(
        each
        and all(
            isinstance(part, Condition)
            and any(_implied(part, other) for other in wanted if other.path == part.path)
            for part in each
        )
        for each in negation.rules
    )


# -- an example ------------------------------------------------------------------------------------------


def example_of(rule: Rule) -> dict[str, Json] | None:
    """Fields that satisfy a rule, as few as may be; None where none were found."""
    fields: dict[str, Json] = {}
    for part in rule:
        if not isinstance(part, Condition) or not (part.tests or part.there):
            continue
        leaf = "" if part.there else _leaf(part.tests[0])
        *around, name = part.path
        inner: Json = reduce(_below, around, fields)
        if not isinstance(inner, dict) or inner.get(name, leaf) != leaf:
            return None
        inner[name] = leaf
    return fields


def _below(value: Json, step: str) -> Json:
    return value.setdefault(step, {}) if isinstance(value, dict) else None


def _leaf(test: Test) -> Scalar:
    """A leaf that passes a test, if that is easily found."""
    match test:
        case Literal(value) | Constant(value):
            return value
        case OneOf(values):
            return values[0].value
        case Both(tests):
            leaves = [_leaf(each) for each in tests]
            return next((leaf for leaf in leaves if test.accepts(leaf)), leaves[0])
        case Range(low, high):
            return _number(test, low, high)
        case DecimalRange(low, high):
            bounds = (b for b in (low, high, low + 1, high - 1) if b.is_finite())
            return next((str(b) for b in bounds if test.accepts(str(b))), "0")
        case Cidr(networks):
            return str(networks[0].network_address)
        case Anything() | AnythingBut():
            return BETWEEN
        case _:
            pieces, _ = _pieces(test)
            return "".join(pieces)


def _number(test: Range, low: float, high: float) -> float:
    middle = low + (high - low) / 2 if abs(low) != abs(high) else 0
    guesses = (low, high, middle, low + 1, high - 1)
    return next((n for n in guesses if abs(n) != float("inf") and test.accepts(n)), 0)
