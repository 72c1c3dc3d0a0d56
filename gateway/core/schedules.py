"""Schedules: events that are planned for moments which an event tells.

`license.expires_at` minus 30, 14, 7 and 1 days, say. A thing (`key`) has one plan, that of the latest event about it
by the time at which that happened; another event can cancel it. What has passed when it is planned is not planned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.core.computed import Compute, Scope, computed, moment_of, name_of
from gateway.core.errors import ExpressionFailed
from gateway.core.index import Index
from gateway.core.keys import bounded
from gateway.core.model import SECOND, Event, Json, Micros, happened_at, rfc3339
from gateway.core.pattern import Pattern
from gateway.core.plans import SCHEDULES, Emit, Plan, Planned

DAY: Micros = 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Local:
    """A time of the day somewhere."""

    time: time
    zone: ZoneInfo

    def on_day(self, moment: Micros, days_before: int) -> Micros:
        """That time, so many days before the day on which *moment* is there.

        Where clocks are set forward over it, it is as late as if they were not; where they are set back over it,
        the first of the two (PEP 495).
        """
        day = _utc(moment).astimezone(self.zone).date() - timedelta(days=days_before)
        return round(datetime.combine(day, self.time, self.zone).timestamp() * SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A rule: which events plan others, and when these come."""

    name: str
    pattern: Pattern
    key: Compute
    at: Compute
    before: tuple[Micros, ...] = (0,)
    """So long before the moment that `at` is. Whole days, where there is a local time."""
    local: Local | None = None
    nearest: bool = True
    """Of those that were missed, only the latest is made."""
    cancel: Pattern | None = None
    """Events by which the plan of their key ends."""
    emit: Emit
    owner: str | None = None

    @property
    def planner(self) -> str:
        """By which its plans are known."""
        return f"{SCHEDULES}{self.name}"

    def plan(self, event: Event, now: Micros, *, cancels: bool) -> Plan:
        """What becomes of the plan of the event's key. Raises ExpressionFailed."""
        scope = Scope(event=event.fields)
        key = bounded(computed("key", lambda: name_of(self.key(scope))))
        return Plan(
            planner=self.planner,
            key=key,
            events=() if cancels else self._events(event, scope, now),
            as_of=happened_at(event),
            nearest=self.nearest,
        )

    def _events(self, event: Event, scope: Scope, now: Micros) -> tuple[Planned, ...]:
        value = computed("at", lambda: self.at(scope))
        if value is None:
            return ()
        at = computed("at", lambda: moment_of(value))
        try:
            dues = [(self._due(at, before), before) for before in self.before]
            return tuple(
                Planned(due_at, self._made(event, at, before, due_at))
                for due_at, before in dues
                if due_at > now
            )
        except (OverflowError, ValueError):  # the first or the last day that there is, somewhere
            raise ExpressionFailed(f"at: {value!r} is at the edge of the calendar") from None

    def _due(self, at: Micros, before: Micros) -> Micros:
        return at - before if self.local is None else self.local.on_day(at, before // DAY)

    def _made(self, event: Event, at: Micros, before: Micros, due_at: Micros) -> bytes:
        scope = Scope(event=event.fields, plan=seen(at, before, due_at))
        return computed("emit", lambda: self.emit.made(event, scope))


SEEN = ("days", "at", "due")
"""What `plan` has."""


def seen(at: Micros, before: Micros, due_at: Micros) -> dict[str, Json]:
    """What expressions see as `plan`."""
    return dict(zip(SEEN, (before // DAY, rfc3339(at), rfc3339(due_at)), strict=True))


class Schedules:
    """All schedules, with the index of what they match and of what cancels them."""

    def __init__(self, schedules: Sequence[Schedule] = ()) -> None:
        self.all = tuple(schedules)
        rules = [(each, each.pattern, False) for each in self.all]
        rules += [(each, each.cancel, True) for each in self.all if each.cancel is not None]
        self._rules = [(schedule, cancels) for schedule, _, cancels in rules]
        self._index = Index([pattern for _, pattern, _ in rules])

    def __bool__(self) -> bool:
        return bool(self.all)

    def match(self, fields: Mapping[str, Json]) -> list[tuple[Schedule, bool]]:
        """Those that an event concerns, with whether it cancels. Raises EventTooWide."""
        return [self._rules[number] for number in self._index.match(fields)]


def _utc(moment: Micros) -> datetime:
    return datetime.fromtimestamp(moment / SECOND, tz=UTC)
