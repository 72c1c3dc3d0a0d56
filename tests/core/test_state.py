"""The life of a delivery."""

import pytest

from gateway.core.state import FINAL, MOVES, State, may_come_from, may_move


def test_every_state_is_in_the_table():
    assert set(MOVES) == set(State)


def test_only_a_leased_delivery_can_be_delivered_or_die():
    assert may_come_from(State.DELIVERED) == {State.LEASED}
    assert may_come_from(State.DEAD) == {State.LEASED}


def test_what_was_delivered_stays_so():
    assert MOVES[State.DELIVERED] == frozenset()


def test_only_dead_and_cancelled_deliveries_return_from_their_end():
    assert {s for s in FINAL if may_move(s, State.SCHEDULED)} == {State.DEAD, State.CANCELLED}


@pytest.mark.parametrize("state", State)
def test_no_state_moves_to_itself(state):
    assert not may_move(state, state)


def test_every_final_state_can_be_reached_from_the_first():
    reached, frontier = {State.SCHEDULED}, {State.SCHEDULED}
    while frontier:
        frontier = {to for state in frontier for to in MOVES[state]} - reached
        reached |= frontier
    assert reached == set(State)
