"""What one value of a field can be asked: the operators of `match`, each as a small value.

A test looks at one leaf: text, a number, true, false or null. Nothing is coerced: 35 is 35.0, but
neither "35" nor, for 1, true. Tests are equal when they accept the same, so that a hundred thousand
routes share them; the index (index.py) reads their fields, explanations print them as they were
written.

Case is ignored by full Unicode case folding (ß is ss, K is the Kelvin sign); there are no regular
expressions, because Python's backtrack: a wildcard is searched literal by literal, in linear time.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache, reduce
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from math import inf
from typing import TypeAlias

from gateway.core.model import Json

Scalar: TypeAlias = str | int | float | bool | None
Network: TypeAlias = IPv4Network | IPv6Network

DEEPEST_SHOWN = 16
LONGEST_ADDRESS = 45
LONGEST_DECIMAL = 100
DECIMAL = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d{1,4})?", re.ASCII)
"""A decimal number as JSON writes one, a plus sign allowed."""


def shown(value: Json, depth: int = 0) -> str:
    """A value as YAML's flow style writes it; what nests very deep is left out."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case list() | dict() if depth > DEEPEST_SHOWN:
            return "…"
        case list():
            return "[" + ", ".join(shown(item, depth + 1) for item in value) + "]"
        case dict():
            members = (f"{name}: {shown(item, depth + 1)}" for name, item in value.items())
            return "{" + ", ".join(members) + "}"
        case str():
            return f'"{value}"'
        case _:
            return str(value)


def _named(name: str, argument: Json, *, folded: bool = False) -> str:
    inner = f"{{equals-ignore-case: {shown(argument)}}}" if folded else shown(argument)
    return f"{{{name}: {inner}}}"


@dataclass(frozen=True, slots=True)
class Literal:
    """This text or this number."""

    value: str | int | float

    def accepts(self, leaf: Scalar) -> bool:
        """Whether the leaf is equal; a truth value is no number, although Python counts it as one."""
        return leaf == self.value and leaf.__class__ is not bool

    def __str__(self) -> str:
        return shown(self.value)


@dataclass(frozen=True, slots=True)
class Constant:
    """true, false or null."""

    value: bool | None

    def accepts(self, leaf: Scalar) -> bool:
        """Whether the leaf is the same."""
        return leaf is self.value

    def __str__(self) -> str:
        return shown(self.value)


@dataclass(frozen=True, slots=True)
class Folded:
    """This text, case ignored."""

    text: str
    folded: str

    @classmethod
    def of(cls, text: str) -> "Folded":
        """The test for *text* as written."""
        return cls(text, text.casefold())

    def accepts(self, leaf: Scalar) -> bool:
        """Whether the leaf is this text but for case."""
        return leaf.__class__ is str and leaf.casefold() == self.folded

    def __str__(self) -> str:
        return _named("equals-ignore-case", self.text)


@dataclass(frozen=True, slots=True)
class Prefix:
    """Text that begins so."""

    text: str
    fold: bool = False

    def accepts(self, leaf: Scalar) -> bool:
        """Whether the leaf is text that begins so."""
        if not isinstance(leaf, str):
            return False
        if self.fold:
            return leaf.casefold().startswith(self.text.casefold())
        return leaf.startswith(self.text)

    def __str__(self) -> str:
        return _named("prefix", self.text, folded=self.fold)


@dataclass(frozen=True, slots=True)
class Suffix:
    """Text that ends so."""

    text: str
    fold: bool = False

    def accepts(self, leaf: Scalar) -> bool:
        """Whether the leaf is text that ends so."""
        if not isinstance(leaf, str):
            return False
        if self.fold:
            return leaf.casefold().endswith(self.text.casefold())
        return leaf.endswith(self.text)

    def __str__(self) -> str:
        return _named("suffix", self.text, folded=self.fold)


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Text with anything where a `*` stands; the pieces between them, at least two."""

    pieces: tuple[str, ...]
    text: str
    """As written."""
    operator: str = "wildcard"
    fold: bool = False

    def accepts(self, leaf: Scalar) -> bool:
        """Whether the pieces follow one another in the leaf, the first and last at its ends."""
        if not isinstance(leaf, str):
            return False
        if self.fold:
            leaf = leaf.casefold()
        first, *middle, last = self.pieces
        end = len(leaf) - len(last)
        if len(first) > end or not leaf.startswith(first) or not leaf.endswith(last):
            return False
        position = len(first)
        for piece in middle:  # the leftmost place is always good enough
            found = leaf.find(piece, position, end)
            if found < 0:
                return False
            position = found + len(piece)
        return True

    def __str__(self) -> str:
        return _named(self.operator, self.text, folded=self.fold)


@dataclass(frozen=True, slots=True)
class Range:
    """A number between bounds, each of which may belong to it or not."""

    low: int | float = -inf
    high: int | float = inf
    with_low: bool = True
    with_high: bool = True

    def accepts(self, leaf: Scalar) -> bool:
        """Whether the leaf is a number within."""
        if leaf.__class__ is not int and leaf.__class__ is not float:
            return False
        return (
            self.low <= leaf <= self.high
            and (self.with_low or leaf != self.low)
            and (self.with_high or leaf != self.high)
        )

    def within(self, other: "Range") -> "Range":
        """The numbers that are in both."""
        low, without_low = max((self.low, not self.with_low), (other.low, not other.with_low))
        high, with_high = min((self.high, self.with_high), (other.high, other.with_high))
        return Range(low, high, not without_low, with_high)

    def __str__(self) -> str:
        return "{" + ", ".join(f"{name}: {bound}" for name, bound in _bounds(self)) + "}"


@dataclass(frozen=True, slots=True)
class DecimalRange:
    """Text that holds a decimal number between bounds: money, which JSON's numbers cannot hold."""

    low: Decimal = Decimal("-Infinity")
    high: Decimal = Decimal("Infinity")
    with_low: bool = True
    with_high: bool = True

    def accepts(self, leaf: Scalar) -> bool:
        """Whether the leaf is text that holds a number within."""
        number = decimal_of(leaf)
        return (
            number is not None
            and self.low <= number <= self.high
            and (self.with_low or number != self.low)
            and (self.with_high or number != self.high)
        )

    def __str__(self) -> str:
        inner = ", ".join(f"{name}: {bound}" for name, bound in _bounds(self))
        return f"{{decimal: {{{inner}}}}}"


def is_empty(test: Range | DecimalRange) -> bool:
    """Whether no number is within."""
    return test.low > test.high or (
        test.low == test.high and not (test.with_low and test.with_high)
    )


def _bounds(test: Range | DecimalRange) -> list[tuple[str, object]]:
    """The bounds as operators and numbers."""
    if isinstance(test, Range) and test.low == test.high and test.with_low and test.with_high:
        return [("numeric", f'["=", {test.low}]')]
    found: list[tuple[str, object]] = []
    if test.low != -inf:
        found.append(("gte" if test.with_low else "gt", test.low))
    if test.high != inf:
        found.append(("lte" if test.with_high else "lt", test.high))
    return found


def decimal_of(leaf: Scalar) -> Decimal | None:
    """The number that a text holds; None where it holds none."""
    if not isinstance(leaf, str) or len(leaf) > LONGEST_DECIMAL or not DECIMAL.fullmatch(leaf):
        return None
    return Decimal(leaf)


@dataclass(frozen=True, slots=True)
class Cidr:
    """The address of one of these networks, as text; families never cross."""

    networks: tuple[Network, ...]

    def accepts(self, leaf: Scalar) -> bool:
        """Whether the leaf is an address within."""
        address = address_of(leaf) if isinstance(leaf, str) else None
        return address is not None and any(address in network for network in self.networks)

    def __str__(self) -> str:
        networks: list[Json] = [str(network) for network in self.networks]
        return _named("cidr", networks if len(networks) > 1 else networks[0])


@lru_cache(maxsize=1024)
def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is; neither with a zone nor with leading zeros."""
    if len(text) > LONGEST_ADDRESS or "%" in text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class AnythingBut:
    """Any leaf that none of these accepts. On an array one such element is enough."""

    excluded: "tuple[Test, ...]"

    def accepts(self, leaf: Scalar) -> bool:
        """Whether none of those tests accepts the leaf."""
        return not any(test.accepts(leaf) for test in self.excluded)

    def __str__(self) -> str:
        texts = [str(test) for test in self.excluded]
        if len(texts) == 1:
            return f"{{anything-but: {texts[0]}}}"
        if all(text.startswith("{") for text in texts):  # `{prefix: "a"}`, `{prefix: "b"}`
            name = texts[0][1:].partition(":")[0]
            values = ", ".join(text.partition(": ")[2][:-1] for text in texts)
            return f"{{anything-but: {{{name}: [{values}]}}}}"
        return f"{{anything-but: [{', '.join(texts)}]}}"


@dataclass(frozen=True, slots=True)
class Anything:
    """Any leaf at all: `exists: true`."""

    def accepts(self, _leaf: Scalar) -> bool:
        """Always."""
        return True

    def __str__(self) -> str:
        return "{exists: true}"


@dataclass(frozen=True, slots=True)
class Both:
    """A leaf that each of these accepts: several operators in one mapping."""

    tests: "tuple[Test, ...]"

    def accepts(self, leaf: Scalar) -> bool:
        """Whether all accept the leaf."""
        return all(test.accepts(leaf) for test in self.tests)

    def __str__(self) -> str:
        return "{" + ", ".join(map(_member, self.tests)) + "}"


def _member(test: "Test") -> str:
    """A test as a member of a mapping of operators."""
    match test:
        case Literal():
            return f"exactly: {test}"
        case OneOf(values=values, name=None):
            return f"in: [{', '.join(map(str, values))}]"
        case _:
            return str(test)[1:-1]


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of many values; `name` where they are a list that has one (`in: EU`)."""

    values: "tuple[Literal | Constant, ...]"
    members: frozenset[str | int | float] = field(compare=False)
    name: str | None = None

    @classmethod
    def of(cls, values: "Iterable[Literal | Constant]", name: str | None = None) -> "OneOf":
        """The test for these values."""
        kept = tuple(values)
        return cls(kept, frozenset(v.value for v in kept if isinstance(v, Literal)), name)

    def accepts(self, leaf: Scalar) -> bool:
        """Whether it is one of them."""
        if leaf is None or leaf.__class__ is bool:
            return any(value.accepts(leaf) for value in self.values)
        return leaf in self.members

    def __str__(self) -> str:
        return f"{{in: {self.name}}}" if self.name else " or ".join(map(str, self.values))


Test: TypeAlias = (
    Literal
    | Constant
    | Folded
    | Prefix
    | Suffix
    | Wildcard
    | Range
    | DecimalRange
    | Cidr
    | AnythingBut
    | Anything
    | Both
    | OneOf
)
"""What one leaf can be asked."""


def joined(tests: Sequence[Test]) -> Test:
    """One test that a leaf passes when it passes all of these: ranges become one range, the first."""
    ranges = [test for test in tests if isinstance(test, Range)]
    whole: list[Test] = [test for test in tests if not isinstance(test, Range)]
    if ranges:
        whole.insert(0, reduce(Range.within, ranges))
    return whole[0] if len(whole) == 1 else Both(tuple(whole))
