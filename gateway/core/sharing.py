"""How places are shared among priorities: the higher ones first, and some for the others always.

However much of high priority there is, one place in EVERY goes to the lower priorities that have
something, so that nothing starves.
"""

from collections.abc import Sequence

EVERY = 8


def deal(places: int, waiting: Sequence[int], *, turn: int) -> list[int]:
    """How many of each priority get a place, the highest first in *waiting*.

    *turn* counts the places that were dealt before: which of the next are the others' depends on it.
    """
    left, given = list(waiting), [0] * len(waiting)
    for place in range(turn, turn + places):
        chosen = first(left, place)
        if chosen is None:
            break
        left[chosen] -= 1
        given[chosen] += 1
    return given


def first(waiting: Sequence[int], turn: int) -> int | None:
    """The priority that the next place goes to; None where nothing waits."""
    order = list(range(len(waiting)))
    if turn % EVERY == 0:
        lower = order[1:]
        start = turn // EVERY % len(lower)
        order = [*lower[start:], *lower[:start], 0]
    return next((priority for priority in order if waiting[priority]), None)
