"""The token bucket, and the pace."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.model import SECOND
from gateway.core.rate import SLACK, TOLERANCE, Pace, TokenBucket, TokenBuckets


def test_a_full_bucket_allows_its_rate_at_once_and_no_more():
    bucket = TokenBucket(5)
    assert [bucket.take(0) for _ in range(5)] == [0] * 5
    assert bucket.take(0) == SECOND // 5


def test_a_refused_token_is_not_taken():
    bucket = TokenBucket(1)
    bucket.take(0)
    waits = {bucket.take(0) for _ in range(10)}
    assert waits == {SECOND}
    assert bucket.take(SECOND) == 0


@given(
    rate=st.integers(1, 1000),
    gaps=st.lists(st.integers(0, 2 * SECOND), min_size=1, max_size=200),
)
def test_no_window_of_a_second_allows_more_than_twice_the_rate(rate, gaps):
    bucket, now, taken = TokenBucket(rate), 0, []
    for gap in gaps:
        now += gap
        if bucket.take(now) == 0:
            taken.append(now)
    for start in taken:
        assert sum(start <= moment < start + SECOND for moment in taken) <= 2 * rate


@given(rate=st.integers(1, 1000))
def test_a_token_is_there_after_the_wait_that_was_named(rate):
    bucket = TokenBucket(rate)
    for _ in range(rate):
        bucket.take(0)
    wait = bucket.take(0)
    assert bucket.take(wait) == 0


def test_each_key_has_a_bucket_of_its_own():
    buckets = TokenBuckets(2)
    assert [buckets.take("a", 0) for _ in range(3)] == [0, 0, SECOND // 2]
    assert buckets.take("b", 0) == 0


@given(moves=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, SECOND)), max_size=100))
def test_many_buckets_do_as_so_many_single_ones(moves):
    buckets, single, now = TokenBuckets(3), {key: TokenBucket(3) for key in "abc"}, 0
    for key, gap in moves:
        now += gap
        assert buckets.take(key, now) == single[key].take(now)


def test_however_many_keys_there_are_only_so_many_are_kept():
    buckets = TokenBuckets(1, most=100)
    for i in range(10_000):
        buckets.take(str(i), 0)
    assert len(buckets) <= 200
    assert buckets.take("9999", 0) > 0


# -- a pace ----------------------------------------------------------------------------------------

HOUR = 3600 * SECOND
RATES = st.tuples(st.integers(1, 2000), st.sampled_from([SECOND, 60 * SECOND, HOUR]))


def test_a_pace_spaces_evenly_and_bursts_never():
    pace, begun, now = Pace(50, SECOND), [], 0
    while now < SECOND:
        wait = pace.wait(now)
        if wait:
            now += wait
        else:
            pace.take(now)
            begun.append(now)
    assert 50 <= len(begun) <= 51
    gaps = [later - earlier for earlier, later in pairwise(begun)]
    assert set(gaps[1:]) == {SECOND // 50}


def test_who_is_a_little_late_each_time_still_keeps_the_rate():
    pace, now, taken = Pace(100, SECOND), 0, 0
    while now < 10 * SECOND:
        if pace.wait(now):
            now += pace.wait(now) + TOLERANCE // 3
        else:
            pace.take(now)
            taken += 1
    assert taken >= 999


@given(rate=RATES, gaps=st.lists(st.one_of(st.integers(0, 2 * SECOND), st.just(HOUR)), max_size=100),
       restarts=st.sets(st.integers(0, 99)), eager=st.booleans())  # fmt: skip
def test_in_no_window_a_pace_is_exceeded_also_across_restarts(rate, gaps, restarts, eager):
    pace, now, taken = Pace(*rate), 0, []
    for i, gap in enumerate(gaps):
        now += pace.wait(now) if eager else gap
        if i in restarts:
            pace = Pace(*rate)
            if taken:
                pace.began(taken[-1])
        if pace.wait(now) == 0:
            pace.take(now)
            taken.append(now)
    for i, start in enumerate(taken):
        for j in range(i, len(taken)):
            assert j - i <= (taken[j] - start + TOLERANCE) / pace.interval


@given(rate=RATES, began=st.integers(0, HOUR))
def test_the_next_may_begin_after_the_wait_that_was_named(rate, began):
    pace = Pace(*rate)
    pace.began(began)
    pace.take(began + pace.wait(began))
    now = began + HOUR
    assert pace.wait(now + pace.wait(now)) == 0


@given(rate=RATES, back=st.integers(0, 1000 * HOUR))
def test_a_clock_that_is_set_back_costs_one_interval_at_most(rate, back):
    pace = Pace(*rate)
    pace.take(2000 * HOUR)
    assert pace.wait(2000 * HOUR - back) <= pace.interval + TOLERANCE + SLACK


def test_who_looked_at_the_clock_a_while_ago_changes_nothing():
    pace = Pace(2, SECOND)
    pace.take(HOUR)
    pace.wait(HOUR - 30 * SECOND)
    assert pace.wait(HOUR) == SECOND // 2 - TOLERANCE // 2


def test_what_may_begin_within_a_while_is_counted():
    assert [Pace(*rate).most_within(SECOND) for rate in ((50, SECOND), (1, HOUR))] == [51, 1]
