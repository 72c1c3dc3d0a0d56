"""Buckets of rules, filed by what one leaf of a path is: found again by an event's leaf.

By exact value; by the first or last few characters, or a few in a row anywhere; by the network of an
address; by intervals of numbers. What is in a bucket does not matter here.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from gateway.core.filing import Key
from gateway.core.operators import Network, Scalar, address_of, decimal_of

Bucket: TypeAlias = Any


class File:
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

    def __init__(self, filed: Iterable[tuple[Key, Bucket]]) -> None:
        by_kind: dict[str, dict[Any, Bucket]] = defaultdict(dict)
        for (kind, key), bucket in filed:
            by_kind[kind][key] = bucket
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
