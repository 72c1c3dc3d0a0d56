"""The pace of sending again in bulk."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.bulk import AHEAD, Action, Operation, due_after, due_times, wait_for_page
from gateway.core.model import SECOND
from tests.kit.build import NOW


def an_operation(rate=(20, SECOND), due_at=NOW) -> Operation:
    return Operation(
        id="op_1", action=Action.REPLAY, filter={}, rate=rate, started_at=NOW, due_at=due_at
    )


def test_a_page_is_spread_at_the_rate_as_far_ahead_as_it_may():
    due = due_times(an_operation((2, SECOND)), NOW, most=500)
    assert due == [NOW + i * SECOND // 2 for i in range(10)]


def test_a_page_has_no_more_than_it_may():
    assert len(due_times(an_operation((10_000, SECOND)), NOW, most=500)) == 500


def test_a_slow_rate_still_has_a_page_of_one():
    slow = an_operation((1, 3600 * SECOND))
    assert due_times(slow, NOW, most=500) == [NOW]
    slow.due_at = due_after(slow, NOW)
    assert slow.due_at == NOW + 3600 * SECOND
    assert due_times(slow, NOW + 1, most=500) == []


def test_what_was_left_alone_for_a_while_is_not_made_up_for():
    late = an_operation((1, SECOND), due_at=NOW - 3600 * SECOND)
    assert due_times(late, NOW, most=500) == [NOW + i * SECOND for i in range(5)]


def test_an_operation_that_has_ended_is_not_waited_for():
    ended = replace(an_operation(due_at=NOW + 60 * SECOND), finished_at=NOW)
    assert wait_for_page(ended, NOW) == 0


@pytest.mark.parametrize("ahead", [0, AHEAD // 2, AHEAD // 2 + 1, AHEAD, 60 * SECOND])
def test_after_the_wait_there_is_a_page_and_before_it_there_is_none(ahead):
    operation = an_operation(due_at=NOW + ahead)
    wait = wait_for_page(operation, NOW)
    assert due_times(operation, NOW + wait, most=500)
    if wait:
        assert due_times(operation, NOW + wait - 1, most=500) == []


@given(
    number=st.integers(1, 9_999_999),
    per=st.sampled_from([SECOND, 60 * SECOND, 3600 * SECOND]),
    most=st.integers(1, 500),
    pages=st.integers(1, 20),
)
def test_no_more_is_ever_due_than_the_rate_allows(number, per, most, pages):
    operation, now, due = an_operation((number, per)), NOW, []
    for _ in range(pages):
        now += wait_for_page(operation, now)
        page = due_times(operation, now, most)
        operation.due_at = due_after(operation, page[-1])
        assert page[0] >= now
        assert page[-1] <= max(page[0], now + AHEAD)
        due += page
    assert due == sorted(due)
    # Each is rounded to a microsecond, and each page begins at a rounded moment.
    assert (due[-1] - due[0]) >= (len(due) - 1) * per / number - pages
