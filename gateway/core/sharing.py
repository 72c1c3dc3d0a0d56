"""Who goes first: high priority before low, without starving the low.

Turns are counted. On most of them the highest priority that waits goes first. In every eight turns
there is one for each of the lower priorities; where that one has nothing waiting, its turn goes to the
highest that has. So while something of a priority waits, at least one of any eight in a row is its.
"""

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from gateway.core.model import Priority

HIGH, NORMAL, LOW = PRIORITIES = tuple(Priority)

FIRST_OF_TURN = (HIGH, HIGH, HIGH, NORMAL, HIGH, HIGH, HIGH, LOW)
"""Who goes first on each of eight turns."""

Item = TypeVar("Item")


def first(waiting: Sequence[int], turn: int) -> int:
    """The priority whose turn it is, of those with something *waiting*; one of them has."""
    preferred = FIRST_OF_TURN[turn % len(FIRST_OF_TURN)]
    if waiting[preferred]:
        return preferred
    return next(priority for priority in PRIORITIES if waiting[priority])


def deal(places: int, waiting: Sequence[int], turn: int) -> list[int]:
    """Share *places* among the priorities, from that turn on: how many of each may go."""
    left, dealt = list(waiting), [0] * len(PRIORITIES)
    for i in range(min(places, sum(left))):
        priority = first(left, turn + i)
        left[priority] -= 1
        dealt[priority] += 1
    return dealt


class Queue(Generic[Item]):
    """What waits, each with its priority; of one priority, first in, first out."""

    __slots__ = ("_items", "_turn")

    def __init__(self) -> None:
        self._items: tuple[deque[Item], ...] = tuple(deque() for _ in PRIORITIES)
        self._turn = 0

    def __len__(self) -> int:
        high, normal, low = self._items
        return len(high) + len(normal) + len(low)

    def push(self, item: Item, priority: int = NORMAL) -> None:
        """Put *item* behind those of its priority."""
        self._items[priority].append(item)

    def pop(self) -> Item | None:
        """Take the one whose turn it is; None where nothing waits."""
        high, normal, low = self._items
        if not high and not low:  # so it is where nobody says anything of priorities
            return normal.popleft() if normal else None
        priority = first((len(high), len(normal), len(low)), self._turn)
        self._turn += 1
        return self._items[priority].popleft()

    def keep(self, most: int) -> list[Item]:
        """Take out all but *most*: the lowest priority first, and of it the last that came."""
        taken: list[Item] = []
        for items in reversed(self._items):
            while items and len(self) > most:
                taken.append(items.pop())
        return taken
