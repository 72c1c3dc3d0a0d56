"""Planned events: what the gateway itself will make of an event, at once or at a moment to come.

Rules say so by `emit` (of a route, over the event; of a target, over the answer to a delivery) and by
`schedules` (schedules.py). What such an event will say is computed when it is planned, and kept with it in the
commit of what it follows from: the event that led to it may be gone when it is due.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.core.computed import Compute, Scope, computed, holds
from gateway.core.derived import MOST_HOPS, hops_of, lineage, own_event
from gateway.core.errors import ExpressionFailed, HopLimit
from gateway.core.model import Event, EventId, Json, Micros, kind_of, rfc3339

SCHEDULES = "schedules/"
AWAITS = "awaits/"
"""What the planner of a plan that waits for an answer begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit:
    """An event that is to be made, as a rule says it."""

    type: Compute
    when: Compute | None = None
    subject: Compute | None = None
    """None: that of the event that leads to it."""
    data: Compute | None = None
    """None: that of the event that leads to it."""

    def applies(self, scope: Mapping[str, Json]) -> bool:
        """Whether it is to be made. Raises ExpressionFailed."""
        if self.when is None:
            return True
        when = self.when
        return computed("when", lambda: holds(when, scope))

    def made(self, cause: Event, scope: Mapping[str, Json]) -> bytes:
        """What the event will say, as JSON. Raises ExpressionFailed."""
        if hops_of(cause) >= MOST_HOPS:
            raise HopLimit(f"{MOST_HOPS} events have led to one another, so no more are made")
        subject = cause.subject
        if self.subject is not None:
            subject = _text("subject", self.subject, scope)
        data = cause.data
        if self.data is not None:
            compute = self.data
            data = computed("data", lambda: compute(scope))
        told = {"type": _text("type", self.type, scope), **lineage(cause), "data": data}
        if subject is not None:
            told["subject"] = subject
        try:
            text = json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            return text.encode()
        except ValueError as error:  # a number, or a character, that JSON does not have
            raise ExpressionFailed(f"data: {error}") from None


def _text(what: str, compute: Compute, scope: Mapping[str, Json]) -> str:
    """A value that has to be text, and not empty."""
    value = computed(what, lambda: compute(scope))
    if not isinstance(value, str) or not value:
        told = "empty" if value == "" else kind_of(value)
        raise ExpressionFailed(f"{what}: it is {told}, and has to be text")
    return value


class Planned(NamedTuple):
    """One event that is to be made."""

    due_at: Micros
    made: bytes
    """What it will say: of `Emit.made`."""
    answer: str | None = None
    """The answer by which it comes (awaits.py), whenever that is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a rule plans of one event."""

    planner: str
    """The rule: `routes/NAME`, `schedules/NAME` or `awaits/NAME`."""
    key: str
    """What it is planned for: one thing has one plan of a schedule."""
    events: tuple[Planned, ...]
    as_of: Micros | None = None
    """When the event happened. A newer one's plan replaces that of an older; None: nothing is replaced."""
    nearest: bool = False
    """Of several that are due, only the latest is made."""
    route: str | None = None
    """The route whose plan it is, where a route's."""

    @property
    def asks(self) -> bool:
        """Whether it waits for an answer: then it is made once of an event, however often that is replayed."""
        return self.planner.startswith(AWAITS)


class DuePlan(NamedTuple):
    """A planned event whose time has come."""

    id: str
    planner: str
    key: str
    due_at: Micros
    made: bytes | None
    """None: it is not what was stored."""
    missed: bool
    """A later one of its plan is due too, and is made instead."""


def plan_id(cause: EventId, place: str) -> str:
    """The name of a planned event: of what it follows from, and which it is of that."""
    return f"pln_{cause[4:]}_{place}"


def event_of(due: DuePlan, *, event_id: EventId, now: Micros) -> Event:
    """The event that was planned. There is never a second one of the same plan for the same moment."""
    told = json.loads(due.made or b"")
    data = told.pop("data")
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/{due.planner}",
        **told,
        "time": rfc3339(due.due_at),
        "datacontenttype": "application/json",
    }
    key = due.id
    if due.planner.startswith(SCHEDULES):
        key = f"{due.planner}/{due.key}/{due.due_at}"
    return own_event(attributes, event_id=event_id, data=data, now=now, key=key)


def planner_of(route: str) -> str:
    """By which what a route plans is known."""
    return f"routes/{route}"


def emitted(emits: Iterable[Emit], cause: Event, scope: Scope, now: Micros) -> tuple[Planned, ...]:
    """What a rule has made at once of an event. Raises ExpressionFailed."""
    return tuple(Planned(now, emit.made(cause, scope)) for emit in emits if emit.applies(scope))
