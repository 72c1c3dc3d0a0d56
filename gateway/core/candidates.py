"""A rule that an event may satisfy, and the conditions that it has: verified, once it has been found."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from gateway.core.extraction import Chain, Seen, elements_of
from gateway.core.filing import ways_to_file
from gateway.core.operators import Literal, Range, Scalar
from gateway.core.pattern import Condition, Focus, Rule, holds

FEW = 8
"""A condition is put to so many leaves one by one; more of them are looked up."""


class Check:
    """A condition, shared by all rules that have it."""

    __slots__ = ("condition", "number", "ways")

    def __init__(self, condition: Condition, number: int) -> None:
        self.condition = condition
        self.number = number
        """Of its path."""
        self.ways = ways_to_file(condition)

    def passes(self, seen: Seen) -> bool:
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

    def _accepts_any(self, found: Sequence[Scalar], seen: Seen) -> bool:
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


class Candidate:
    """A rule, and the number of the pattern that it is one of."""

    __slots__ = ("checks", "judges", "number", "refused", "rule")

    def __init__(
        self,
        number: int,
        rule: Rule,
        checks: tuple[Check, ...],
        refused: tuple[tuple[Check, bool], ...],
        judges: bool,  # noqa: FBT001
    ) -> None:
        self.number = number
        self.rule = rule
        self.checks = checks
        """Its conditions, without those that are known to hold where it is found."""
        self.refused = refused
        """Conditions that its `$not` refuses, as far as each is refused by itself; and whether everywhere
        in the event, not just in the elements that count."""
        self.judges = judges
        """Whether it has a `$not` that refuses several together, or what is not there."""

    def verify(self, chain: Chain | None, seen: Seen) -> None:
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
        together = self.judges
        for check, everywhere in self.refused:
            known = passed.get(check)
            if known is None:
                known = passed[check] = check.passes(seen)
            if known:
                if everywhere or check.number not in seen.shared:
                    return
                together = True
        if together or (seen.shared and self._is_judged_together(seen)):
            focus = self._focus(chain, seen)
            held = holds(self.rule, seen.event, focus)
            seen.look(1 + focus.looked)
            if not held:
                return
        seen.found.add(self.number)

    def _is_judged_together(self, seen: Seen) -> bool:
        """Whether it is not enough that each condition holds somewhere."""
        shared = [
            part
            for part in self.rule
            if isinstance(part, Condition) and seen.numbers[part.path] in seen.shared
        ]
        return len(shared) > 1 or any(not part.positive for part in shared)

    def _focus(self, chain: Chain | None, seen: Seen) -> Focus:
        """What to look at to judge conditions together.

        The elements of a chain, and whichever is the only one that has what a condition wants.
        """
        chosen = elements_of(chain)
        for check in self.checks:
            chains = seen.chains.get(check.number, ())
            wanted = check.condition.value
            if len(chains) > FEW and wanted is not None:
                places = seen.places_at(check.number)[wanted]
                if len(places) == 1:
                    chosen |= elements_of(chains[places[0]])
        return Focus(chosen)
