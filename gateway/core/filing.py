"""Where a rule can be filed, so that it is found by what an event has: the places of each condition.

A place is a kind and a key: `text` and `acme`, `prefix` and `license.`, `range` and its bounds.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from gateway.core.operators import (
    Anything,
    Both,
    Cidr,
    Constant,
    DecimalRange,
    Folded,
    Literal,
    OneOf,
    Prefix,
    Range,
    Suffix,
    Test,
    Wildcard,
)
from gateway.core.pattern import Condition

SHORT_GRAM, LONG_GRAM = 3, 6
"""How many characters in a row a wildcard is filed under."""

Key: TypeAlias = tuple[str, Any]
"""What a rule can be filed under at one path: the kind of file, and the place in it."""


class Way(NamedTuple):
    """A way to file a rule under one of its conditions."""

    keys: list[Key]
    """The places: whoever satisfies the condition is found in one of them."""
    proven: bool = True
    """Whether whoever is found there satisfies the condition."""


LIKELY = {"text": 1, "constant": 1, "folded": 1, "network": 2, "prefix": 2, "suffix": 2,
          "folded-prefix": 2, "folded-suffix": 2, "gram": 4, "folded-gram": 4,
          "range": 8, "decimal": 8, "present": 16}  # fmt: skip
"""How likely it is that an event finds what is filed so, compared with one exact value."""

INTERVALS = ("range", "decimal")
"""Kinds of places that overlap."""


def ways_to_file(condition: Condition) -> Sequence[Way]:
    """The ways in which a rule can be filed under a condition; none where there is no place for it."""
    if not condition.positive or condition.there or not condition.tests:
        return ()
    ways = [_ways(test) for test in condition.tests]
    if not all(ways):
        return ()
    if len(ways) == 1:
        return ways[0]
    firsts = [each[0] for each in ways]
    return [Way([key for way in firsts for key in way.keys], all(way.proven for way in firsts))]


def _ways(test: Test) -> Sequence[Way]:
    """The ways to file under one test, each enough by itself; none where it can be under anything."""
    match test:
        case Literal(value):
            return [Way([("text", value)])]
        case Constant(value):
            return [Way([("constant", value)])]
        case OneOf(values):
            return [Way([key for value in values for key in _ways(value)[0].keys])]
        case Folded(folded=text):
            return [Way([("folded", text)])]
        case Prefix(text, fold) | Suffix(text, fold):
            kind = type(test).__name__.lower()
            key = ("folded-" + kind, text.casefold()) if fold else (kind, text)
            return [Way([key]) if text else ANYTHING]
        case Wildcard():
            return _ways_of_wildcard(test)
        case Range(low, high) if low == high:
            return [Way([("text", low)], proven=False)]
        case Range(low, high) | DecimalRange(low, high):
            kind = "range" if isinstance(test, Range) else "decimal"
            # Where no number is within, any place will do.
            return [Way([(kind, (low, max(low, high)))], proven=False)]
        case Cidr(networks):
            return [Way([("network", network) for network in networks])]
        case Anything():
            return [Way([("present", True)])]
        case Both(tests):
            return [way._replace(proven=False) for each in tests for way in _ways(each)]
        case _:
            return []


ANYTHING = Way([("present", True)], proven=False)


def _ways_of_wildcard(test: Wildcard) -> Sequence[Way]:
    """Under the longest of its pieces, which may be at an end."""
    first, *middle, last = test.pieces
    folded = "folded-" if test.fold else ""
    within = max(middle, key=len, default="")
    places = [("prefix", first), ("suffix", last)]
    if len(within) >= SHORT_GRAM:
        places.append(("gram", within))
    kind, piece = max(places, key=lambda each: len(each[1]))
    return [Way([(folded + kind, piece)], proven=False)] if piece else []
