"""Sharing places among priorities."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sharing import EVERY, deal, first

waiting = st.lists(st.integers(0, 100), min_size=3, max_size=3)


@given(places=st.integers(0, 200), waiting=waiting, turn=st.integers(0, 1000))
def test_no_place_stays_empty_while_something_waits(places, waiting, turn):
    given_ = deal(places, waiting, turn=turn)
    assert sum(given_) == min(places, sum(waiting))
    assert all(got <= had for got, had in zip(given_, waiting, strict=True))


def test_the_highest_priority_gets_nearly_all():
    assert deal(80, [1000, 0, 1000], turn=0) == [70, 0, 10]
    assert deal(80, [1000, 1000, 1000], turn=0) == [70, 5, 5]


def test_places_dealt_one_at_a_time_are_shared_all_the_same():
    got = [first([1, 1, 1], turn) for turn in range(EVERY * 4)]
    assert [got.count(priority) for priority in range(3)] == [28, 2, 2]


def test_nothing_waits():
    assert first([0, 0, 0], 5) is None
    assert deal(5, [0, 0, 0], turn=8) == [0, 0, 0]
