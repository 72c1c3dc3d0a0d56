"""Counting what was observed by how large it was, as Prometheus wants it told.

https://prometheus.io/docs/concepts/metric_types/#histogram
"""

from bisect import bisect_left

MOMENTS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
"""Bounds in seconds for what should take milliseconds."""


class Histogram:
    """How many values were at most each of its bounds; whoever observes and who reads agree on a unit."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.total = 0.0
        """The sum of all values."""
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulated(self) -> list[int]:
        """How many were at most each of the bounds, and last how many there were at all."""
        sums, so_far = [], 0
        for count in self._counts:
            so_far += count
            sums.append(so_far)
        return sums
