"""How much room the disk has, and what may be done with so much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.capacity import Capacity, judge, may_deliver

MIB = 1024 * 1024
ENOUGH, LITTLE, NONE = Capacity.ENOUGH, Capacity.LITTLE, Capacity.NONE


def judged(before: Capacity, free_mib: float, *, failed: bool = False) -> Capacity:
    return judge(
        before,
        int(free_mib * MIB),
        reserve_bytes=64 * MIB,
        ballast_bytes=16 * MIB if before is NONE else 0,
        failed=failed,
    )


@pytest.mark.parametrize(
    ("before", "free_mib", "after"),
    [
        (ENOUGH, 64, ENOUGH),
        (ENOUGH, 63, LITTLE),
        (ENOUGH, 15, NONE),
        (LITTLE, 64, LITTLE),  # a little more than what brought it there
        (LITTLE, 80, ENOUGH),
        (LITTLE, 15, NONE),
        (NONE, 80, NONE),  # the ballast has to fit again, too
        (NONE, 95, NONE),
        (NONE, 96, ENOUGH),
    ],
)
def test_room_is_judged_with_the_way_back_longer_than_the_way_there(before, free_mib, after):
    assert judged(before, free_mib) is after


def test_a_commit_that_found_no_room_counts_more_than_what_the_file_system_says():
    assert judged(ENOUGH, 1000, failed=True) is NONE


def test_half_of_the_ballast_is_left_to_those_who_make_room():
    assert may_deliver(LITTLE, 0, ballast_bytes=16 * MIB)
    assert may_deliver(NONE, 9 * MIB, ballast_bytes=16 * MIB)
    assert not may_deliver(NONE, 8 * MIB, ballast_bytes=16 * MIB)


@given(st.integers(0, 10**9), st.integers(0, 10**8), st.integers(0, 10**8))
def test_taking_the_ballast_again_never_leads_straight_back(free, reserve, ballast):
    if judge(NONE, free, reserve_bytes=reserve, ballast_bytes=ballast, failed=False) is ENOUGH:
        again = judge(ENOUGH, free - ballast, reserve_bytes=reserve, ballast_bytes=0, failed=False)
        assert again is ENOUGH
