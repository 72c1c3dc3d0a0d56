"""When what a target sends may be attempted: its key, its time, and the targets that it waits for."""

from collections.abc import Sequence

from gateway.config.endpoint_shapes import EndpointShape
from gateway.config.expressions import Expressions
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.shapes import CoalesceShape, TargetShape
from gateway.core.routes import AT_ONCE, Coalesce, Target, Timing

SAYS_WHEN = frozenset({"key", "coalesce", "delay", "at", "expires_after", "after"})
"""The keys of a target that this file is about."""


def build_timing(
    shape: TargetShape, endpoint: EndpointShape | None, expressions: Expressions, part: Part
) -> Timing:
    """What a target says of when; what is wrong with it is noted."""
    if not shape.model_fields_set & SAYS_WHEN:
        return AT_ONCE
    _check(shape, endpoint, part)
    key, at = shape.key, shape.at
    return Timing(
        key=None if key is None else part.at("key").compute(key, expressions),
        coalesce=None if shape.coalesce is None else _coalesce(shape.coalesce),
        delay=shape.delay or 0,
        at=None if at is None else part.at("at").compute(at, expressions),
        expires_after=shape.expires_after,
        after={name: how == "delivered" for name, how in shape.after.items()},
    )


def _coalesce(shape: CoalesceShape) -> Coalesce:
    return Coalesce(shape.settle, shape.max)


def _check(shape: TargetShape, endpoint: EndpointShape | None, part: Part) -> None:
    """What a target says of when has to make sense together."""
    if shape.coalesce is not None:
        if shape.key is None and endpoint is not None and endpoint.key is None:
            what = "nothing says which deliveries are of the same thing"
            part.at("coalesce").fault("coalesce-key", what, "add `key: ${…}`", key=True)
        if shape.delay is not None or shape.at is not None:
            what = "`coalesce` says when it is sent, and so does `delay` or `at`"
            part.at("coalesce").fault("coalesce-when", what, "remove one of them", key=True)
    if (
        shape.expires_after is not None
        and shape.delay is not None
        and shape.expires_after <= shape.delay
    ):
        what = "it expires before its `delay` is over, so that it would never be sent"
        cure = "make `expires_after` the longer one: both count from the event"
        part.at("expires_after").fault("expires-first", what, cure)


def check_after(shapes: Sequence[str | TargetShape], part: Part) -> None:
    """The targets that others wait for have to be there; which are not is noted."""
    names = [each.name for each in shapes if isinstance(each, TargetShape) and each.name]
    for i, each in enumerate(shapes):
        if isinstance(each, str):
            continue
        for name in each.after:
            place = part.at(i, "after", name)
            if name == each.name:
                place.fault("after-itself", "it would wait for itself", "remove it", key=True)
            elif name not in names:
                what = f'no target of this route has the name "{name}"'
                place.fault("unknown-target", what, nearest(name, names), key=True)


def in_order(targets: Sequence[Target], part: Part) -> tuple[Target, ...]:
    """The targets as they stand, but each after those that it waits for; that there is no such order is noted."""
    left, ordered = list(targets), []
    while left:
        unmade = {target.name for target in left}
        first = next((t for t in left if not unmade & (t.timing.after.keys() - {t.name})), None)
        if first is None:
            names = ", ".join(sorted({name for name in unmade if name is not None}))
            what = f"these targets wait for each other: {names}"
            part.fault("after-circle", what, "remove one `after`")
            return tuple(targets)
        left.remove(first)
        ordered.append(first)
    return tuple(ordered)
