"""What of an event patterns look at: the leaves on the paths that they name, and nothing else.

An event is walked once, along the shorter of what it has and what is asked for, at each step. Leaves in
arrays of objects are noted with the elements that they are in.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, TypeAlias

from gateway.core.errors import EventTooWide
from gateway.core.model import Json
from gateway.core.operators import Scalar
from gateway.core.pattern import Condition, Path, crushed

WIDEST = 100_000
"""An event whose arrays have more elements than this, where patterns look, cannot be matched."""
MOST_LOOKED_AT = 250_000
"""Nor one of which rules would have to look at so many, because no value tells its elements apart."""

Chain: TypeAlias = tuple[Any, int, Json]
"""The elements that a leaf is in: the chain of what encloses it (or None), the array's identity, the
element."""


class Seen:
    """One event while it is matched."""

    __slots__ = ("chains", "dotted", "elements", "event", "found", "leaves", "looked_at", "numbers",
                 "opened", "ordered", "passed", "places", "shared")  # fmt: skip

    def __init__(self, event: Mapping[str, Json], numbers: Mapping[Path, int]) -> None:
        self.event = event
        self.numbers = numbers
        """Of all paths."""
        self.leaves: dict[int, list[Scalar]] = {}
        """By the number of a path: its leaves; of a path that leads nowhere, nothing."""
        self.chains: dict[int, list[Chain]] = {}
        """Beside `leaves`, for paths within arrays of objects."""
        self.shared: set[int] = set()
        """The paths that lead through arrays of objects."""
        self.dotted = False
        self.elements = 0
        self.looked_at = 0
        self.places: dict[int, dict[Scalar, list[int]]] = {}
        """By the number of a path, by text or number: where among the leaves it is."""
        self.ordered: dict[int, list[float]] = {}
        """By the number of a path: those of its leaves that are numbers."""
        self.passed: dict[Any, bool] = {}
        """What has been found out about conditions, wherever in the event they hold."""
        self.opened: set[int] = set()
        """The identities of buckets that need not be looked into again."""
        self.found: set[int] = set()

    def places_at(self, number: int) -> dict[Scalar, list[int]]:
        """Where among the leaves of a path each text or number is."""
        places = self.places.get(number)
        if places is None:
            places = self.places[number] = defaultdict(list)
            for i, leaf in enumerate(self.leaves[number]):
                if leaf.__class__ is not bool:  # True is 1 to a dict
                    places[leaf].append(i)
        return places

    def numbers_at(self, number: int) -> list[float]:
        """Those of the leaves of a path that are numbers, in order."""
        ordered = self.ordered.get(number)
        if ordered is None:
            numbers = (leaf for leaf in self.leaves[number] if leaf.__class__ in (int, float))
            ordered = self.ordered[number] = sorted(numbers)
        return ordered

    def look(self, count: int) -> None:
        """Account for elements that have been looked at."""
        self.looked_at += count
        if self.looked_at > MOST_LOOKED_AT:
            raise _too_wide(f"rules would look more than {MOST_LOOKED_AT:,} times at its elements")


def elements_of(chain: Chain | None) -> dict[int, Json]:
    """The elements of a chain, by their arrays' identities."""
    elements = {}
    while chain is not None:
        chain, array, element = chain
        elements[array] = element
    return elements


def _too_wide(what: str) -> EventTooWide:
    return EventTooWide(what, cure="send it in several events, or match other fields")


class Trie:
    """A step of the paths that patterns look at."""

    __slots__ = ("below", "number", "presence", "steps")

    def __init__(self) -> None:
        self.steps: dict[str, Trie | None] = {}
        """What follows, by name; None where a key with dots would lead to something."""
        self.number: int | None = None
        """Of the path that ends here, if one does."""
        self.below: frozenset[int] = frozenset()
        """The numbers of the paths that lead on from here."""
        self.presence = False
        """Whether something on from here is asked for presence, which any key with dots may bring."""

    def add(self, condition: Condition, number: int | None = None) -> None:
        """Note a condition's path from here, and its number."""
        presence = condition.there or condition.not_there
        node = self
        for step in condition.path:
            node.presence = node.presence or presence
            found = node.steps.get(step)
            if found is None:
                found = node.steps[step] = Trie()
            node = found
        if number is not None:
            node.number = number

    def finish(self) -> list[str]:
        """Note what is below each node, and the keys with dots that would lead there; these are given."""
        ways: list[str] = []
        below: set[int] = set()
        for name, node in [(name, node) for name, node in self.steps.items() if node is not None]:
            ways += [name, *(f"{name}.{rest}" for rest in node.finish())]
            below |= node.below
            if node.number is not None:
                below.add(node.number)
        self.below = frozenset(below)
        for way in ways:
            self.steps.setdefault(way, None)
        return ways

    def walk(self, value: Mapping[str, Json], chain: Chain | None, seen: Seen) -> None:
        """Note the leaves of an object on all paths that lead on from here."""
        steps = self.steps
        if self.presence and any("." in name for name in value):
            seen.dotted = True
        if len(steps) < len(value):
            for name in steps:
                if name in value:
                    _step(steps[name], value[name], chain, seen)
        else:
            for name, inner in value.items():
                if name in steps:
                    _step(steps[name], inner, chain, seen)


def _step(node: Trie | None, value: Json, chain: Chain | None, seen: Seen) -> None:
    """Note what an object has at one of its keys."""
    if node is None:
        seen.dotted = True
        return
    kind = value.__class__
    if kind is not dict and kind is not list:
        if node.number is not None:
            _note(node.number, value, chain, seen)
        return
    if node.number is not None:  # it is there, if without a leaf
        seen.leaves.setdefault(node.number, [])
    if kind is list:
        _walk_array(node, value, chain, seen)
    elif node.steps:
        node.walk(value, chain, seen)


def _walk_array(node: Trie, array: list[Json], chain: Chain | None, seen: Seen) -> None:
    shared = False
    for element in crushed(array):
        seen.elements += 1
        if element.__class__ is not dict:
            if node.number is not None:
                _note(node.number, element, chain, seen)
        elif node.steps:
            shared = True
            node.walk(element, (chain, id(array), element), seen)
    if shared:
        seen.shared |= node.below
    if seen.elements > WIDEST:
        raise _too_wide(f"its arrays have more than {WIDEST:,} elements where routes look")


def _note(number: int, leaf: Scalar, chain: Chain | None, seen: Seen) -> None:
    found = seen.leaves.get(number)
    if found is None:
        seen.leaves[number] = [leaf]
    else:
        found.append(leaf)
    if chain is not None:
        seen.chains.setdefault(number, []).append(chain)
