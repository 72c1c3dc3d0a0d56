"""The token bucket."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.model import SECOND
from gateway.core.rate import TokenBucket


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
