"""The token bucket."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.model import SECOND
from gateway.core.rate import TokenBucket, TokenBuckets


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
