"""Schedules of routes.yaml, and what rules have the gateway make: core/schedules.py, core/plans.py."""

from collections.abc import Callable, Sequence
from datetime import time
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from gateway.config.endpoints import event_expressions
from gateway.config.expressions import Expressions
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.plan_shapes import EmitShape, LocalShape, ScheduleShape
from gateway.core.pattern import Pattern
from gateway.core.plans import Emit
from gateway.core.schedules import DAY, Local, Schedule

PLACES = "write the name of a place, such as `Europe/Berlin` or `America/New_York`, or `UTC`"
"""An abbreviation is that of several zones, and does not follow summer."""


@cache
def plan_expressions() -> Expressions:
    """What `${…}` sees where an event is planned."""
    return Expressions(["event", "plan"])


@cache
def answer_expressions() -> Expressions:
    """What `${…}` sees where an answer has come."""
    return Expressions(["event", "response", "sent"])


def build_emits(
    shapes: EmitShape | Sequence[EmitShape] | None, expressions: Expressions, part: Part
) -> tuple[Emit, ...]:
    """What a rule has the gateway make; what is wrong with it is noted."""
    if shapes is None:
        return ()
    if isinstance(shapes, EmitShape):
        made = [build_emit(shapes, expressions, part)]
    else:
        made = [build_emit(each, expressions, part.at(i)) for i, each in enumerate(shapes)]
    return tuple(each for each in made if each is not None)


def build_emit(shape: EmitShape, expressions: Expressions, part: Part) -> Emit | None:
    """An event that is to be made; None where it cannot be built, which is noted."""
    kind = part.at("type").compute(shape.type, expressions)
    given = shape.model_fields_set
    when = None if shape.when is None else part.at("when").condition(shape.when, expressions)
    subject = (
        None if shape.subject is None else part.at("subject").compute(shape.subject, expressions)
    )
    data = part.at("data").compute(shape.data, expressions) if "data" in given else None
    return None if kind is None else Emit(type=kind, when=when, subject=subject, data=data)


def build_schedule(
    name: str, shape: ScheduleShape, part: Part, pattern: Callable[..., Pattern | None]
) -> Schedule | None:
    """The schedule that *shape* describes; None where it cannot be built, which is noted."""
    matched = pattern(shape.match, part.at("match"))
    cancel = None if shape.cancel is None else pattern(shape.cancel, part.at("cancel"))
    key = part.at("key").compute(shape.key, event_expressions())
    at = part.at("at").compute(shape.at, event_expressions())
    emit = build_emit(shape.emit, plan_expressions(), part.at("emit"))
    local = None if shape.local is None else _local(shape.local, part.at("local"))
    if shape.local is not None:
        _check_days(shape, part)
    if matched is None or key is None or at is None or emit is None:
        return None
    return Schedule(
        name=name,
        pattern=matched,
        key=key,
        at=at,
        before=tuple(sorted(set(shape.before), reverse=True)),
        local=local,
        nearest=shape.missed == "nearest",
        cancel=cancel,
        emit=emit,
        owner=shape.owner,
    )


def _local(shape: LocalShape, part: Part) -> Local | None:
    try:
        zone = ZoneInfo(shape.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        places = sorted(zone for zone in available_timezones() if "/" in zone)
        cure = nearest(shape.zone, places) if "/" in shape.zone else PLACES
        part.at("zone").fault("unknown-zone", f'there is no time zone "{shape.zone}"', cure)
        return None
    return Local(time.fromisoformat(shape.time), zone)


def _check_days(shape: ScheduleShape, part: Part) -> None:
    for i, before in enumerate(shape.before):
        if before % DAY:
            what = "with `local` it counts days, and this is no whole number of them"
            part.at("before", i).fault("schedule-days", what, "write days, or remove `local`")
