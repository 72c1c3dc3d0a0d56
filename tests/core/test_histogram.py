"""What was observed, by how large it was."""

from gateway.core.histogram import Histogram


def test_a_value_counts_for_every_bound_that_it_does_not_exceed():
    histogram = Histogram((1, 2.5, 5))
    for value in (0, 1, 2, 5, 7):
        histogram.observe(value)
    assert histogram.cumulated() == [2, 3, 4, 5]
    assert histogram.total == 15
