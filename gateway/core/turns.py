"""Order: whose turn it is, among the deliveries of one key and among those of one event.

Deliveries with the same key to the same endpoint stand in a queue. Its head, the first by priority and then
by place, is the only one that may be attempted; the others wait. A delivery takes its place when it could be
attempted for the first time: most do when their event comes, one with a `delay`, an `at` or a `coalesce` when
that is over, and one that waits for others of its event (`after`) when those have ended. So what is planned
for next month holds nobody up until then, and no two deliveries can wait for each other. A failed attempt
keeps its place: what comes later waits for its retries. Only a delivery of higher priority overtakes it, at
once unless an attempt is under way, and then as soon as that has ended. A place begins with a moment, by the
clock of the node that took the event; what comes as the last takes one behind all that stand there, whatever
that clock says.

Everything here is a function of what the caller knows. Stores keep the queues, and ask.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from gateway.core.model import After, Delivery, EventId, Micros
from gateway.core.retry import Decision, RetryAt
from gateway.core.state import FINAL, State


def place_of(event_id: EventId, moment: Micros | None = None) -> str:
    """The place in its key's queue of a delivery of that event, which it takes when its event comes.

    Or at *moment*, where it had to wait for that. Places sort in the order in which they are taken.
    """
    return event_id[4:] if moment is None else f"{moment // 1000:012x}{event_id[16:]}"


def one_after(place: str) -> str:
    """The place that follows directly."""
    return f"{int(place, 16) + 1:024x}"


def due_of(delivery: Delivery, now: Micros) -> Micros:
    """When a delivery that is made now is due."""
    turn = delivery.turn
    return now if turn is None else max(now, turn.due_at or 0, turn.put_off_to)


def due_after_quiet(now: Micros, settle: Micros, longest: Micros, since: Micros) -> Micros:
    """When the latest of a slot is sent: after *settle* of quiet, but no later than *longest* after *since*."""
    return max(now, min(now + settle, since + longest))


Awaited: TypeAlias = tuple[int, int, str, bool]
"""Deliveries of one event that another waits for: the first of their numbers, and the last; the name of
their target; whether they have to be delivered. A target may make a thousand."""


def awaited(after: Iterable[After]) -> list[Awaited]:
    """The same, in as few pieces as there are."""
    return [
        (first, last, each.name, each.delivered)
        for each in after
        for first, last in _runs(each.deliveries)
    ]


def _runs(deliveries: Sequence[Delivery]) -> list[tuple[int, int]]:
    """The numbers of deliveries, which ascend, as first and last of those without a gap."""
    first, last = deliveries[0].n, deliveries[-1].n
    if last - first == len(deliveries) - 1:  # so it is nearly always
        return [(first, last)]
    runs = [(first, first)]
    for delivery in deliveries[1:]:
        start, end = runs[-1]
        if delivery.n == end + 1:
            runs[-1] = (start, delivery.n)
        else:
            runs.append((delivery.n, delivery.n))
    return runs


def unmet(after: Iterable[Awaited], states: Mapping[int, State]) -> str | None:
    """What a delivery that waits for others of its event has to wait for: nothing any more (empty), something (None).

    Or why it cannot go ahead at all. *states* are those of the event's deliveries.
    """
    waits = False
    for first, last, name, delivered in after:
        for n in range(first, last + 1):
            state = states.get(n, State.DELIVERED)
            if state not in FINAL:
                waits = True
            elif delivered and state is not State.DELIVERED:
                return f"{AFTER_NOT_DELIVERED}: {name} is {state}"
    return None if waits else ""


Ready: TypeAlias = list[tuple[str, Micros]]
"""Endpoints at which something may be attempted that had to wait, and from when on."""

AFTER_NOT_DELIVERED = "after-not-delivered"
"""Starts the reason of a delivery that was cancelled because another was not delivered."""

EXPIRED = "expired: it would come too late to matter"


def in_time(decision: Decision, expires_at: Micros) -> Decision:
    """The decision, with a retry no later than when the delivery expires: then it ends."""
    if isinstance(decision, RetryAt) and decision.due_at > expires_at:
        return replace(decision, due_at=expires_at)
    return decision
