"""Many patterns at once: which of them match an event, at a cost that hardly grows with their number.

Each rule (see pattern.py) is filed under one of its conditions, its *access condition*: the one by
which the fewest rules are found, such as `tenant: acme` among many tenants. Finding a value of an
event in the file gives candidates; what else a candidate wants is then verified. A bucket with many
rules is filed again, under what else they want, so that neither `type: order.created` nor any other
common value leads to a long list. That is a BE-tree (Sadoghi and Jacobsen, SIGMOD 2011) made of dicts.
Files are dicts by exact value, by the first or last few characters, by a piece of text within
(wildcards), by network, and trees of intervals (numbers).

An index is built whole and never changes. Only what rules look at is read from an event; and where
fields are in arrays of objects, a candidate is verified in the elements by which it was found, so
that long arrays cost no more than their length.

Rules that no condition can file (`anything-but`, `exists: false`, `$not`, wildcards with less than
three characters in a row) are verified for every event: `gateway check` warns of them.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from gateway.core.errors import EventTooWide
from gateway.core.model import Json
from gateway.core.operators import (
    Anything,
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
    address_of,
    decimal_of,
)
from gateway.core.pattern import (
    Condition,
    Focus,
    Negation,
    Path,
    Pattern,
    Rule,
    crushed,
    holds,
    undotted,
)

FULL = 16
"""A bucket with more rules than this is filed again."""
SHORT_GRAM, LONG_GRAM = 3, 6
"""How many characters in a row a wildcard is filed under."""
WIDEST = 100_000
"""An event whose arrays have more elements than this, where patterns look, cannot be matched."""
MOST_LOOKED_AT = 1_000_000
"""Nor one of which rules would have to look at so many, because no value tells its elements apart."""
FEW = 8
"""A condition is put to so many leaves one by one; more of them are looked up."""
REPORT_EVERY = 5_000

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

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many rules have been filed, and of how many."""


class Index:
    """Finds the patterns, by their numbers in the sequence given, that an event matches."""

    def __init__(self, patterns: Sequence[Pattern], progress: Progress | None = None) -> None:
        self._trie = _Node()
        self._numbers: dict[Path, int] = {}
        checks: dict[Condition, _Check] = {}
        entries: list[Entry] = []
        for number, pattern in enumerate(patterns):
            for rule in pattern.rules:
                wanted = []
                for part in rule:
                    if isinstance(part, Negation):
                        self._look_at(part)
                        continue
                    if part not in checks:
                        path_number = self._numbers.setdefault(part.path, len(self._numbers))
                        checks[part] = _Check(part, path_number)
                        self._trie.add(part, path_number)
                    wanted.append(checks[part])
                candidate = _Candidate(number, rule, tuple(wanted))
                entries.append((candidate, candidate.checks, True))
            if progress is not None and number % REPORT_EVERY == 0:
                progress(number, len(patterns))
        self._trie.finish()
        every_check = list(checks.values())
        checks.clear()  # filing takes memory enough
        self._root = _filed(entries)
        for check in every_check:
            check.ways = ()  # of use only while building
        # What many want is one tuple, and stays in the processor's cache.
        alike: dict[tuple[_Check, ...], tuple[_Check, ...]] = {}
        for candidate, *_ in entries:
            candidate.checks = alike.setdefault(candidate.checks, candidate.checks)

    def _look_at(self, negation: Negation) -> None:
        """Have what is negated read as well: keys with dots may lead to it."""
        for rule in negation.rules:
            for part in rule:
                if isinstance(part, Negation):
                    self._look_at(part)
                else:
                    self._trie.add(part)

    def match(self, fields: Mapping[str, Json]) -> list[int]:
        """The numbers of the patterns that an event with these fields satisfies, in order.

        Raises EventTooWide where its arrays are beyond measure: that takes seconds at most.
        """
        seen = _Seen(fields, self._numbers)
        self._trie.walk(fields, None, seen)
        if seen.dotted:
            fields = undotted(fields)
            seen = _Seen(fields, self._numbers)
            self._trie.walk(fields, None, seen)
        _probe(self._root, seen)
        return sorted(seen.found)

    @property
    def scanned(self) -> list[int]:
        """The numbers of the patterns that are looked at for every event."""
        return sorted({candidate.number for candidate in self._root.rest})


# -- what an event has -----------------------------------------------------------------------------------

Chain: TypeAlias = tuple[Any, int, Json]
"""The elements that a leaf is in: the chain of what encloses it (or None), the array's identity, the
element."""


class _Seen:
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
        self.passed: dict[_Check, bool] = {}
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

    def focus(self, chain: Chain | None, checks: Iterable["_Check"]) -> Focus:
        """What to look at to judge conditions together.

        The elements of a chain, and whichever is the only one that has what a condition wants.
        """
        chosen = _elements(chain)
        for check in checks:
            chains = self.chains.get(check.number, ())
            wanted = check.condition.value
            if len(chains) > FEW and wanted is not None:
                places = self.places_at(check.number)[wanted]
                if len(places) == 1:
                    chosen |= _elements(chains[places[0]])
        return Focus(chosen)

    def look(self, count: int) -> None:
        """Account for elements that have been looked at."""
        self.looked_at += count
        if self.looked_at > MOST_LOOKED_AT:
            raise _too_wide(f"rules would look more than {MOST_LOOKED_AT:,} times at its elements")


def _elements(chain: Chain | None) -> dict[int, Json]:
    """The elements of a chain, by their arrays' identities."""
    elements = {}
    while chain is not None:
        chain, array, element = chain
        elements[array] = element
    return elements


def _too_wide(what: str) -> EventTooWide:
    return EventTooWide(what, cure="send it in several events, or match other fields")


class _Node:
    """A step of the paths that patterns look at."""

    __slots__ = ("below", "number", "presence", "steps")

    def __init__(self) -> None:
        self.steps: dict[str, _Node | None] = {}
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
                found = node.steps[step] = _Node()
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

    def walk(self, value: Mapping[str, Json], chain: Chain | None, seen: _Seen) -> None:
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


def _step(node: _Node | None, value: Json, chain: Chain | None, seen: _Seen) -> None:
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


def _walk_array(node: _Node, array: list[Json], chain: Chain | None, seen: _Seen) -> None:
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


def _note(number: int, leaf: Scalar, chain: Chain | None, seen: _Seen) -> None:
    found = seen.leaves.get(number)
    if found is None:
        seen.leaves[number] = [leaf]
    else:
        found.append(leaf)
    if chain is not None:
        seen.chains.setdefault(number, []).append(chain)


# -- what a candidate wants ------------------------------------------------------------------------------


class _Check:
    """A condition, shared by all rules that have it."""

    __slots__ = ("condition", "number", "ways")

    def __init__(self, condition: Condition, number: int) -> None:
        self.condition = condition
        self.number = number
        """Of its path."""
        self.ways = _ways_to_file(condition)

    def passes(self, seen: _Seen) -> bool:
        """Whether it holds somewhere in the event, or may in one element of an array."""
        condition = self.condition
        found = seen.leaves.get(self.number)
        if found is None:
            return not condition.positive
        return (
            condition.there
            or (condition.accepts(found) if len(found) <= FEW else self._accepts_any(found, seen))
            or (condition.absent and not found)
            or (self.number in seen.shared and not condition.positive)
        )

    def _accepts_any(self, found: Sequence[Scalar], seen: _Seen) -> bool:
        """Whether one of many leaves is accepted: with many rules, each must not look at them all."""
        for test in self.condition.tests:
            match test:
                case Literal(value):
                    accepted = value in seen.places_at(self.number)
                case Range(low):
                    ordered = seen.numbers_at(self.number)
                    least = (bisect_left if test.with_low else bisect_right)(ordered, low)
                    accepted = least < len(ordered) and test.accepts(ordered[least])
                case _:
                    seen.look(len(found) // FEW)  # it costs as much less than an element
                    accepted = any(map(test.accepts, found))
            if accepted:
                return True
        return False


class _Candidate:
    """A rule, and the number of the pattern that it is one of."""

    __slots__ = ("checks", "negates", "number", "rule")

    def __init__(self, number: int, rule: Rule, checks: tuple[_Check, ...]) -> None:
        self.number = number
        self.rule = rule
        self.negates = len(checks) < len(rule)
        self.checks = checks
        """Its conditions, without those that are known to hold where it is found."""

    def verify(self, chain: Chain | None, seen: _Seen) -> None:
        """Note the pattern as found if the rule holds; where a chain is given, in its elements."""
        if seen.found and self.number in seen.found:  # mostly empty: the number is not fetched
            return
        passed = seen.passed
        for check in self.checks:
            known = passed.get(check)
            if known is None:
                known = passed[check] = check.passes(seen)
            if not known:
                return
        if self.negates or (seen.shared and self._is_judged_together(seen)):
            focus = seen.focus(chain, self.checks)
            held = holds(self.rule, seen.event, focus)
            seen.look(1 + focus.looked)
            if not held:
                return
        seen.found.add(self.number)

    def _is_judged_together(self, seen: _Seen) -> bool:
        """Whether it is not enough that each condition holds somewhere."""
        shared = [part for part in self.rule if seen.numbers[part.path] in seen.shared]
        return len(shared) > 1 or any(not part.positive for part in shared)  # type: ignore[union-attr]


# -- files -----------------------------------------------------------------------------------------------


class _Level:
    """Candidates, filed by path."""

    __slots__ = ("files", "rest")

    def __init__(
        self, files: "tuple[tuple[int, _File], ...]", rest: tuple[_Candidate, ...]
    ) -> None:
        self.files = files
        self.rest = rest
        """Those that could not be filed."""


Bucket: TypeAlias = _Candidate | tuple[_Candidate, ...] | _Level
"""What is found in one place: a candidate, several, or too many of them, filed again."""


def _probe(level: _Level, seen: _Seen) -> None:
    """Verify the candidates that what the event has leads to."""
    for candidate in level.rest:
        candidate.verify(None, seen)
    for number, file in level.files:
        found = seen.leaves.get(number)
        if not found:
            continue
        chains = seen.chains.get(number)
        for i, leaf in enumerate(found):
            for bucket in file.find(leaf):
                if isinstance(bucket, _Candidate):
                    bucket.verify(None if chains is None else chains[i], seen)
                elif chains is not None and isinstance(bucket, tuple):
                    for candidate in bucket:
                        candidate.verify(chains[i], seen)
                elif id(bucket) not in seen.opened:
                    seen.opened.add(id(bucket))
                    if isinstance(bucket, tuple):
                        for candidate in bucket:
                            candidate.verify(None, seen)
                    else:
                        _probe(bucket, seen)


class _File:
    """Buckets by what one leaf of a path is."""

    __slots__ = (
        "addresses",
        "constants",
        "decimals",
        "exact",
        "folded",
        "numbers",
        "plain",
        "present",
    )

    def __init__(self, filed: "dict[Key, list[Filed]]") -> None:
        by_kind: dict[str, dict[Any, Bucket]] = defaultdict(dict)
        while filed:  # two copies at once would take memory
            (kind, key), bucket = filed.popitem()
            by_kind[kind][key] = _bucket(bucket)
        self.exact = by_kind["text"]
        self.constants = by_kind["constant"]
        self.present = by_kind["present"].get(True)
        self.numbers = _Intervals.of(by_kind["range"])
        self.decimals = _Intervals.of(by_kind["decimal"])
        self.addresses = _Networks.of(by_kind["network"])
        self.plain = _Pieces.of({}, by_kind["prefix"], by_kind["suffix"], by_kind["gram"])
        self.folded = _Pieces.of(
            by_kind["folded"],
            by_kind["folded-prefix"],
            by_kind["folded-suffix"],
            by_kind["folded-gram"],
        )

    def find(self, leaf: Scalar) -> list[Bucket]:
        """Every bucket whose place the leaf is in."""
        found: list[Bucket] = []
        kind = leaf.__class__
        if kind is bool or leaf is None:
            bucket = self.constants.get(leaf)
        else:
            bucket = self.exact.get(leaf)
            if kind is str:
                self._find_text(leaf, found)  # type: ignore[arg-type]
            elif self.numbers is not None:
                self.numbers.find(leaf, found)
        if bucket is not None:
            found.append(bucket)
        if self.present is not None:
            found.append(self.present)
        return found

    def _find_text(self, text: str, found: list[Bucket]) -> None:
        if self.plain is not None:
            self.plain.find(text, found)
        if self.folded is not None:
            self.folded.find(text.casefold(), found)
        if self.decimals is not None and (number := decimal_of(text)) is not None:
            self.decimals.find(number, found)
        if self.addresses is not None:
            self.addresses.find(text, found)


class _Pieces:
    """Buckets by text, by its beginning, its end, or characters in a row anywhere in it."""

    __slots__ = ("exact", "grams", "prefixes", "suffixes")

    def __init__(
        self,
        exact: dict[str, Bucket],
        prefixes: dict[str, Bucket],
        suffixes: dict[str, Bucket],
        grams: dict[str, Bucket],
    ) -> None:
        self.exact = exact
        self.prefixes = _by_length(prefixes)
        self.suffixes = _by_length(suffixes)
        self.grams = _by_length(grams)

    @classmethod
    def of(cls, *kinds: dict[str, Bucket]) -> "_Pieces | None":
        """The files of these kinds; None where there is nothing in them."""
        return cls(*kinds) if any(kinds) else None

    def find(self, text: str, found: list[Bucket]) -> None:
        """Add every bucket whose place the text is in."""
        if (bucket := self.exact.get(text)) is not None:
            found.append(bucket)
        for length, buckets in self.prefixes:
            if (bucket := buckets.get(text[:length])) is not None:
                found.append(bucket)
        for length, buckets in self.suffixes:
            if (bucket := buckets.get(text[-length:])) is not None:
                found.append(bucket)
        for length, buckets in self.grams:
            grams = {text[i : i + length] for i in range(len(text) - length + 1)}
            found += [buckets[gram] for gram in grams if gram in buckets]


def _by_length(buckets: dict[str, Bucket]) -> list[tuple[int, dict[str, Bucket]]]:
    lengths: dict[int, dict[str, Bucket]] = defaultdict(dict)
    for text, bucket in buckets.items():
        lengths[len(text)][text] = bucket
    return sorted(lengths.items())


class _Networks:
    """Buckets by network: for each length of mask, the networks of it."""

    __slots__ = ("_masks",)

    def __init__(self, buckets: Mapping[Network, Bucket]) -> None:
        self._masks: dict[tuple[int, int], dict[int, Bucket]] = defaultdict(dict)
        for network, bucket in buckets.items():
            shift = network.max_prefixlen - network.prefixlen
            start = int(network.network_address) >> shift
            self._masks[network.version, shift][start] = bucket

    @classmethod
    def of(cls, buckets: Mapping[Network, Bucket]) -> "_Networks | None":
        """The file of these; None where there are none."""
        return cls(buckets) if buckets else None

    def find(self, text: str, found: list[Bucket]) -> None:
        """Add every bucket whose network the text is an address of."""
        address = address_of(text)
        if address is None:
            return
        for (version, shift), starts in self._masks.items():
            if version == address.version:
                bucket = starts.get(int(address) >> shift)
                if bucket is not None:
                    found.append(bucket)


class _Intervals:
    """Buckets by intervals of numbers: those around a centre, and trees of those below and above it."""

    __slots__ = ("above", "below", "by_high", "by_low", "centre")

    def __init__(self, intervals: Sequence[tuple[Any, Any, Bucket]]) -> None:
        ends = sorted(
            end for low, high, _ in intervals for end in (low, high) if abs(end) != INFINITE
        )
        self.centre = centre = ends[len(ends) // 2]
        around = [each for each in intervals if each[0] <= centre <= each[1]]
        self.by_low = sorted(((low, b) for low, _, b in around), key=lambda each: each[0])
        self.by_high = sorted(
            ((high, b) for _, high, b in around), key=lambda each: each[0], reverse=True
        )
        self.below = self._tree([each for each in intervals if each[1] < centre])
        self.above = self._tree([each for each in intervals if each[0] > centre])

    @classmethod
    def of(cls, buckets: Mapping[tuple[Any, Any], Bucket]) -> "_Intervals | None":
        """The tree of these; None where there are none."""
        return cls._tree([(low, high, bucket) for (low, high), bucket in buckets.items()])

    @classmethod
    def _tree(cls, intervals: Sequence[tuple[Any, Any, Bucket]]) -> "_Intervals | None":
        return cls(intervals) if intervals else None

    def find(self, number: Any, found: list[Bucket]) -> None:
        """Add every bucket whose interval, ends included, the number is in."""
        tree: _Intervals | None = self
        while tree is not None:
            if number < tree.centre:
                for low, bucket in tree.by_low:
                    if low > number:
                        break
                    found.append(bucket)
                tree = tree.below
            else:
                for high, bucket in tree.by_high:
                    if high < number:
                        break
                    found.append(bucket)
                tree = tree.above if number > tree.centre else None


INFINITE = float("inf")


# -- filing ----------------------------------------------------------------------------------------------

Entry: TypeAlias = tuple[_Candidate, Sequence[_Check], bool]
"""A candidate, the conditions that it may still be filed under, whether it is filed nowhere else."""
Filed: TypeAlias = tuple[Entry, _Check]
"""An entry, and the condition that it is filed under."""
Crowds: TypeAlias = Mapping[int, Mapping[Key, int]]
"""By the number of a path and a place: how many may be filed there."""


def _filed(entries: Sequence[Entry], *, again: bool = False) -> _Level:
    """Candidates, each under the condition that the fewest share."""
    crowds = _crowds(entries)
    most = len(entries) if again else INFINITE
    buckets: dict[int, dict[Key, list[Filed]]] = defaultdict(lambda: defaultdict(list))
    rest = []
    for candidate, checks, alone in entries:
        best = _cheapest(checks, crowds, most)
        if best is None:
            rest.append(candidate)
            continue
        check, way = best
        if way.proven and alone:
            candidate.checks = tuple(each for each in candidate.checks if each is not check)
        entry = (candidate, checks, alone and len(way.keys) == 1)
        files = buckets[check.number]
        for key in way.keys:
            place = (key[0], _rarest_gram(key, files)) if key[0].endswith("gram") else key
            files[place].append((entry, check))
    del crowds
    return _Level(tuple((number, _File(files)) for number, files in buckets.items()), tuple(rest))


def _bucket(filed: Sequence[Filed]) -> Bucket:
    """Candidates in one place; too many of them are filed again, if that tells some apart."""
    if len(filed) == 1:
        (((candidate, *_), _),) = filed
        return candidate
    if len(filed) > FULL:
        level = _filed(
            [
                (candidate, [each for each in checks if each is not check], alone)
                for (candidate, checks, alone), check in filed
            ],
            again=True,
        )
        if level.files:
            return level
    return tuple(candidate for (candidate, *_), _ in filed)


def _crowds(entries: Sequence[Entry]) -> Crowds:
    """How many could be filed where; all intervals of a path also count as one place."""
    crowds: dict[int, dict[Key, int]] = defaultdict(lambda: defaultdict(int))
    for _, checks, _ in entries:
        for check in checks:
            for way in check.ways:
                for key in way.keys:
                    crowds[check.number][key] += 1
                    if key[0] in INTERVALS:
                        crowds[check.number][key[0], None] += 1
    return crowds


def _cheapest(checks: Iterable[_Check], crowds: Crowds, most: float) -> tuple[_Check, Way] | None:
    """The condition, and the way to file under it, that leads to the fewest candidates.

    None where each leads to *most* of them in one place.
    """
    best, least = None, INFINITE
    for check in checks:
        for way in check.ways:
            crowd = crowds[check.number]
            cost = max(crowd[_crowd(key)] * LIKELY[key[0]] for key in way.keys)
            if cost < least and all(crowd[key] < most for key in way.keys):
                best, least = (check, way), cost
    return best


def _crowd(key: Key) -> Key:
    """What is found together: intervals overlap, so all of a path count as one."""
    return (key[0], None) if key[0] in INTERVALS else key


def _rarest_gram(key: Key, files: Mapping[Key, list[Filed]]) -> str:
    """Of the characters in a row in a piece, those that the fewest are filed under so far."""
    kind, piece = key[0], str(key[1])
    length = LONG_GRAM if len(piece) >= LONG_GRAM else SHORT_GRAM
    grams = [piece[i : i + length] for i in range(len(piece) - length + 1)]
    return min(grams, key=lambda gram: len(files[kind, gram]) if (kind, gram) in files else 0)


def _ways_to_file(condition: Condition) -> Sequence[Way]:
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
        case Range(low, high):
            return [Way([("text", low) if low == high else ("range", (low, high))], proven=False)]
        case DecimalRange(low, high):
            return [Way([("decimal", (low, high))], proven=False)]
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
