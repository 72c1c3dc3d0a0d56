"""`await`: what a route has asked people waits for their answer, and becomes an event either way.

Each answer that may come is planned as an event like any other (plans.py), but due when it is given; what
comes where none is given in time is due then. All of it stands in the commit of the event that asked, so the
answer needs nothing of that event any more. Whoever takes the plans away first decides; there is no second time.

Answers come by links, signed and good for one event and until one moment (callbacks.py), or by an event
that a rule hears: that of the tracker where the question was put, say.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.core.computed import Compute, Scope, computed, name_of
from gateway.core.errors import ExpressionFailed
from gateway.core.index import Index
from gateway.core.keys import bounded
from gateway.core.model import FOREVER, Event, EventId, Json, Micros, happened_at, kind_of, rfc3339
from gateway.core.pattern import Pattern
from gateway.core.plans import AWAITS, Emit, Plan, Planned

OURSELVES: Json = {"id": "gateway"}
"""Who decided where nobody did in time."""
UNNAMED: Json = {"id": "unnamed"}
"""Who has a link, and says no name."""
TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hears:
    """Which events tell an answer, and what they say."""

    pattern: Pattern
    key: Compute
    answer: Compute
    """Its name; empty or null: none is told."""
    by: Compute | None = None
    reason: Compute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Await:
    """What a route waits for."""

    route: str
    key: Compute
    """What is decided: a newer event with the same key is asked about in the place of the older."""
    answers: Mapping[str, Emit]
    within: Micros
    otherwise: Emit
    """What comes where nobody has answered within that time."""
    escalations: tuple[tuple[Micros, Emit], ...] = ()
    """What comes, so long after the event, while nobody has answered."""
    hears: Hears | None = None

    @property
    def planner(self) -> str:
        """By which its plans are known."""
        return f"{AWAITS}{self.route}"

    def key_for(self, scope: Scope) -> str:
        """What an event has people decide. Raises ExpressionFailed."""
        return bounded(computed("key", lambda: name_of(self.key(scope))))

    def plan(self, event: Event, scope: Scope, key: str, came_at: Micros) -> Plan:
        """All that may come of asking. Raises ExpressionFailed."""
        until = came_at + self.within
        late = {"decided_by": OURSELVES, "decided_at": rfc3339(until), "reason": TIMEOUT}
        events = [Planned(until, with_more(self._made("else", self.otherwise, event, scope), late))]
        for after, emit in self.escalations:
            events.append(Planned(came_at + after, self._made("escalate", emit, event, scope)))
        for name, emit in self.answers.items():
            made = self._made(f"answers.{name}", emit, event, scope)
            events.append(Planned(FOREVER, made, name))
        return Plan(
            planner=self.planner,
            key=key,
            events=tuple(events),
            as_of=happened_at(event),
            nearest=True,
            route=self.route,
        )

    def _made(self, what: str, emit: Emit, event: Event, scope: Scope) -> bytes:
        return computed(what, lambda: emit.made(event, scope))

    def heard(self, event: Event) -> "Reply | None":
        """The answer that an event tells, if it tells one. Raises ExpressionFailed."""
        assert self.hears is not None  # noqa: S101  # it is found by what it hears
        hears, scope = self.hears, Scope(event=event.fields)
        answer = computed("answer", lambda: hears.answer(scope))
        if answer in (None, ""):
            return None
        if not isinstance(answer, str) or answer not in self.answers:
            told = repr(answer)[:80] if isinstance(answer, str) else kind_of(answer)
            raise ExpressionFailed(f"answer: it is {told}, not one of {', '.join(self.answers)}")
        by = _maybe("by", hears.by, scope)
        reason = _maybe("reason", hears.reason, scope)
        return Reply(
            planner=self.planner,
            key=bounded(computed("key", lambda: name_of(hears.key(scope)))),
            answer=str(answer),
            at=event.received_at,
            by={"id": by} if by and isinstance(by, str) else by or {"id": event.source},
            reason=reason,
        )


def _maybe(what: str, compute: Compute | None, scope: Scope) -> Json:
    return None if compute is None else computed(what, lambda: compute(scope))


class Reply(NamedTuple):
    """An answer to what a route has asked."""

    planner: str
    key: str
    answer: str
    at: Micros
    by: Json = UNNAMED
    """Who gave it, as far as that is known."""
    reason: Json = None
    event_id: EventId | None = None
    """To which event; None: to the latest of that key."""

    @property
    def route(self) -> str:
        """The route that asked."""
        return self.planner.removeprefix(AWAITS)

    @property
    def told(self) -> dict[str, Json]:
        """What the event that comes of it says beside what was planned."""
        told = {"decided_by": self.by, "decided_at": rfc3339(self.at)}
        return told if self.reason is None else {**told, "reason": self.reason}


class Verdict(NamedTuple):
    """What became of an answer."""

    decided: bool
    """Whether it is the one that counts."""
    answered: str | None = None
    """The one that counts; None: nobody has answered, and nobody can any more."""
    answered_at: Micros | None = None
    asked: bool = True
    """Whether anything has been asked."""

    def contradicts(self, given: Reply) -> bool:
        """Whether somebody decided something that does not count."""
        return not self.decided and self.asked and self.answered != given.answer

    def against(self, given: Reply) -> str:
        """Why an answer does not count."""
        if not self.asked:
            return f"nothing waits for an answer to {given.key}"
        if self.answered is None:
            return f"it says {given.answer} of {given.key}, which is not waited for any more"
        if self.answered == given.answer:
            return f"{given.key} has been answered so before"
        return f"it says {given.answer} of {given.key}, which has been answered with {self.answered} before"


class Asked(NamedTuple):
    """What is known of a question, for whoever may answer it."""

    subject: str | None
    until: Micros | None
    """None: it is not waiting any more."""
    answers: Sequence[str] = ()
    answered: str | None = None
    answered_at: Micros | None = None


def with_more(made: bytes, more: Mapping[str, Json]) -> bytes:
    """What a planned event says, with members added to its data; not where that is no object."""
    told = json.loads(made)
    if isinstance(told["data"], dict):
        told["data"] |= more
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


class Awaits:
    """All that routes wait for, with the index of what they hear."""

    def __init__(self, awaits: Sequence[Await] = ()) -> None:
        self._hearing = [each for each in awaits if each.hears is not None]
        self._index = Index([each.hears.pattern for each in self._hearing if each.hears])

    def __bool__(self) -> bool:
        return bool(self._hearing)

    def match(self, fields: Mapping[str, Json]) -> list[Await]:
        """Those to which an event may tell an answer. Raises EventTooWide."""
        return [self._hearing[number] for number in self._index.match(fields)]
