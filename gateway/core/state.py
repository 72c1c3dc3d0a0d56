"""The life of one delivery.

A delivery waits (scheduled), belongs to one worker until a moment (leased), and ends: delivered,
dead, cancelled, or superseded by a newer one. A retry is not a state: it is a move from leased back
to scheduled, as is the return of an expired lease. A pause is not one either: the delivery stays
scheduled and its lane claims nothing.

Every legal move is in MOVES. This file knows nothing of databases or time: flows ask it what may
happen, and stores write down what did.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a delivery is in its life."""

    SCHEDULED = "scheduled"
    LEASED = "leased"
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


MOVES: dict[State, frozenset[State]] = {
    State.SCHEDULED: frozenset({State.LEASED, State.CANCELLED, State.SUPERSEDED}),
    State.LEASED: frozenset({State.DELIVERED, State.DEAD, State.SCHEDULED}),
    State.DELIVERED: frozenset(),
    State.DEAD: frozenset({State.SCHEDULED}),
    State.CANCELLED: frozenset({State.SCHEDULED}),
    State.SUPERSEDED: frozenset(),
}

FINAL: frozenset[State] = frozenset(MOVES) - {State.SCHEDULED, State.LEASED}
"""States in which nothing happens unless an operator asks for it."""


def may_move(state: State, to: State) -> bool:
    """Whether a delivery in *state* may go to *to*."""
    return to in MOVES[state]


def may_come_from(to: State) -> frozenset[State]:
    """The states from which a delivery may go to *to*."""
    return frozenset(state for state, targets in MOVES.items() if to in targets)
