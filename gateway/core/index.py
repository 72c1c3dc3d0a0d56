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

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from gateway.core.buckets import INFINITE, File
from gateway.core.candidates import Candidate, Check
from gateway.core.extraction import Seen, Trie
from gateway.core.filing import INTERVALS, LIKELY, LONG_GRAM, SHORT_GRAM, Key, Way
from gateway.core.model import Json
from gateway.core.pattern import Condition, Negation, Path, Pattern, undotted

FULL = 16
"""A bucket with more rules than this is filed again."""
REPORT_EVERY = 5_000

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many rules have been filed, and of how many."""


class Index:
    """Finds the patterns, by their numbers in the sequence given, that an event matches."""

    def __init__(self, patterns: Sequence[Pattern], progress: Progress | None = None) -> None:
        self._trie = Trie()
        self._numbers: dict[Path, int] = {}
        checks: dict[Condition, Check] = {}
        entries: list[Entry] = []
        for number, pattern in enumerate(patterns):
            for rule in pattern.rules:
                wanted = [self._check(p, checks) for p in rule if isinstance(p, Condition)]
                refused: list[tuple[Check, bool]] = []
                judges = False
                for part in rule:
                    if isinstance(part, Negation):
                        self._look_at(part)
                        judges |= not self._refuses(part, checks, refused)
                candidate = Candidate(number, rule, tuple(wanted), tuple(refused), judges)
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
        alike: dict[tuple[Check, ...], tuple[Check, ...]] = {}
        for candidate, *_ in entries:
            candidate.checks = alike.setdefault(candidate.checks, candidate.checks)

    def _check(self, condition: Condition, checks: dict[Condition, Check]) -> Check:
        """The check of a condition, one for all rules that have it."""
        check = checks.get(condition)
        if check is None:
            path_number = self._numbers.setdefault(condition.path, len(self._numbers))
            check = checks[condition] = Check(condition, path_number)
            self._trie.add(condition, path_number)
        return check

    def _refuses(
        self,
        negation: Negation,
        checks: dict[Condition, Check],
        refused: list[tuple[Check, bool]],
    ) -> bool:
        """Whether a negation comes to conditions none of which may hold; these are added."""
        conditions: list[Condition] = []
        for rule in negation.rules:
            match rule:
                case (Condition() as only,) if only.positive:
                    conditions.append(only)
                case _:
                    return False
        everywhere = not negation.path
        refused += [(self._check(condition, checks), everywhere) for condition in conditions]
        return True

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
        seen = Seen(fields, self._numbers)
        self._trie.walk(fields, None, seen)
        if seen.dotted:
            fields = undotted(fields)
            seen = Seen(fields, self._numbers)
            self._trie.walk(fields, None, seen)
        _probe(self._root, seen)
        return sorted(seen.found)

    @property
    def scanned(self) -> list[int]:
        """The numbers of the patterns that are looked at for every event."""
        return sorted({candidate.number for candidate in self._root.rest})


# -- finding ---------------------------------------------------------------------------------------------


class _Level:
    """Candidates, filed by path."""

    __slots__ = ("files", "rest")

    def __init__(self, files: "tuple[tuple[int, File], ...]", rest: tuple[Candidate, ...]) -> None:
        self.files = files
        self.rest = rest
        """Those that could not be filed."""


Bucket: TypeAlias = Candidate | tuple[Candidate, ...] | _Level
"""What is found in one place: a candidate, several, or too many of them, filed again."""


def _probe(level: _Level, seen: Seen) -> None:
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
                if isinstance(bucket, Candidate):
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


# -- filing ----------------------------------------------------------------------------------------------

Entry: TypeAlias = tuple[Candidate, Sequence[Check], bool]
"""A candidate, the conditions that it may still be filed under, whether it is filed nowhere else."""
Filed: TypeAlias = tuple[Entry, Check]
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
    return _Level(
        tuple((number, File(_emptied(files))) for number, files in buckets.items()), tuple(rest)
    )


def _emptied(filed: dict[Key, list[Filed]]) -> Iterator[tuple[Key, Bucket]]:
    """The buckets of a path, taken out one by one: two copies at once would take memory."""
    while filed:
        key, found = filed.popitem()
        yield key, _bucket(found)


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


def _cheapest(checks: Iterable[Check], crowds: Crowds, most: float) -> tuple[Check, Way] | None:
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
