"""What follows from the answer to a delivery: the events that its target's `emit` makes of it.

They are planned in the commit that records the answer, so that neither is ever there without the other.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

from gateway.core.calls import PreparedCall
from gateway.core.computed import Scope
from gateway.core.errors import ExpressionFailed
from gateway.core.model import (
    BodyForm,
    Delivery,
    InboxEntry,
    Json,
    Micros,
    Response,
    entry_about,
    failure_id,
)
from gateway.core.plans import Plan, emitted, planner_of
from gateway.core.routes import OnError, Routes
from gateway.core.success import seen


class Follows(NamedTuple):
    """What is to be kept beside an outcome."""

    plans: tuple[Plan, ...] = ()
    noted: tuple[InboxEntry, ...] = ()


NOTHING = Follows()


class Follow:
    """Knows, by the routes in force, what follows from an answer."""

    def __init__(self, routes: Callable[[], Routes]) -> None:
        self._routes = routes

    def __call__(self, delivery: Delivery, response: Response, now: Micros) -> Follows:
        """What follows from a delivery's success."""
        emits = self._routes().emits
        if not emits:
            return NOTHING
        found = emits.get((delivery.route, delivery.target, delivery.endpoint))
        if found is None:
            return NOTHING
        scope = Scope(event=delivery.event.fields, response=seen(response), sent=_sent(delivery))
        try:
            events = emitted(found.emits, delivery.event, scope, now)
        except ExpressionFailed as error:
            return Follows(noted=_failed(delivery, error, found.on_error, now))
        if not events:
            return NOTHING
        plan = Plan(planner=planner_of(delivery.route), key=delivery.id, events=events)
        return Follows(plans=(plan,))


def _sent(delivery: Delivery) -> Json:
    """What expressions see as `sent`: the JSON that the target had computed, if it had any."""
    body = delivery.body
    if body is not None and delivery.form is BodyForm.CALL:
        body = PreparedCall.unpacked(body).body
    return json.loads(body) if body else None


def _failed(
    delivery: Delivery, error: ExpressionFailed, on_error: OnError, now: Micros
) -> tuple[InboxEntry, ...]:
    """What the inbox is told where it cannot be computed what follows."""
    if on_error is OnError.SKIP:
        return ()
    event = delivery.event
    entry = entry_about(
        event,
        name=failure_id(event.event_id, f"d{delivery.n}"),
        code=error.code,
        detail=f"route {delivery.route}, endpoint {delivery.endpoint}, emit, {error}",
        at=now,
    )
    return (entry,)
