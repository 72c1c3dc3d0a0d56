"""What the routes make of an event, and why: the engine that delivers, asked instead of run.

Nothing is decided here. `read` makes the events, the index of the routes says which of them match,
`Pattern.misses` why others do not, `plan` makes the deliveries and `request_of` their requests. To
hear what expressions say on the way, `plan` is given routes whose expressions have a witness.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import nsmallest
from itertools import count

import orjson

from gateway.core.computed import Compute, holds, list_of, text_of
from gateway.core.errors import (
    BodyEmpty,
    BodyMalformed,
    BodyTooLarge,
    EventTooWide,
    ExpressionFailed,
    GatewayError,
    MediaTypeUnsupported,
    NotFound,
)
from gateway.core.model import (
    SECOND,
    BodyForm,
    Delivery,
    Event,
    EventId,
    Failure,
    Json,
    Micros,
    Priority,
    Routed,
    Turn,
    event_id,
    rfc3339,
)
from gateway.core.pattern import Miss, undotted
from gateway.core.plans import Plan, Planned
from gateway.core.register import NOTHING_KNOWN, Knowledge
from gateway.core.routes import OWN, Route, Routes, Source, Target
from gateway.core.routing import MOST_DELIVERIES, plan
from gateway.core.verifying import Inbound, NoVerifier
from gateway.flows.deliver import request_of
from gateway.flows.reading import BATCHED, STRUCTURED, read

NEAREST = 5
"""Of the routes that do not match, so many are told of."""
HIDDEN = "(hidden)"


def explained(
    routes: Routes,
    source_name: str | None,
    body: bytes,
    headers: Mapping[str, str],
    now: Micros,
    *,
    nearest: int | None = NEAREST,
    knowledge: Knowledge = NOTHING_KNOWN,
) -> dict[str, Json]:
    """What would become of the events in a request, or why there are none.

    *body* is what the source would post, as plain JSON or as CloudEvents, with *headers* by
    lower-case name; it counts as verified. *knowledge* answers for the register. *nearest* is how many routes that do not match are told
    of; None: all. Raises NotFound where there is no such source.
    """
    source = _source(routes, source_name)
    given = {"content-type": _likely_type(body), **headers}
    raw = {name.encode(): value.encode() for name, value in given.items()}
    request = Inbound("POST", raw, frozenset(), body, now)
    serial = count()
    if len(body) > source.body_bytes:
        what, cure = f"the body is larger than {source.body_bytes} bytes", "send less at once"
        return _told(source.name, "refused", problem=BodyTooLarge(what, cure=cure))
    if not body and b"ce-specversion" not in raw:
        empty = BodyEmpty("the request has no body", cure="send the event as its body")
        return _told(source.name, "refused", problem=empty)
    try:
        events = read(source, request, None, lambda: event_id(now, next(serial))).events
    except (BodyMalformed, ExpressionFailed) as error:
        outcome = "refused" if source.refuses(error) else "inbox"
        return _told(source.name, outcome, problem=error)
    except MediaTypeUnsupported as error:
        return _told(source.name, "refused", problem=error)
    if not events:
        return _told(source.name, "ignored")
    return _told(
        source.name,
        "events",
        [_explained(routes, event, now, nearest, knowledge) for event in events],
    )


def explained_again(
    routes: Routes,
    event: Event,
    now: Micros,
    *,
    nearest: int | None = NEAREST,
    knowledge: Knowledge = NOTHING_KNOWN,
) -> dict[str, Json]:
    """What would become of an event that has been recorded, by these routes."""
    explained = _explained(routes, event, now, nearest, knowledge)
    explanation = {**explained, "id": event.event_id}
    return _told(event.source, "events", [explanation])


def looks_like_cloudevent(body: bytes) -> bool:
    """Whether a body is meant as structured CloudEvents JSON."""
    return b'"specversion"' in body


def _likely_type(body: bytes) -> str:
    if not looks_like_cloudevent(body):
        return "application/json"
    return BATCHED if body.lstrip().startswith(b"[") else STRUCTURED


def _source(routes: Routes, name: str | None) -> Source:
    if name == OWN.name:
        return OWN
    names = list(routes.sources)
    found = routes.sources.get(name or (names[0] if names else ""))
    if found is None:
        raise NotFound(f"there is no source {name}", cure=f"known: {', '.join(names) or '(none)'}")
    return found


def _told(
    source: str,
    outcome: str,
    events: Sequence[dict[str, Json]] = (),
    problem: GatewayError | None = None,
) -> dict[str, Json]:
    """What is told of a request; `outcome`: `events`, `ignored`, `inbox` or `refused`."""
    told: dict[str, Json] = {"source": source, "outcome": outcome, "events": list(events)}
    if problem is not None:
        cure = problem.cure or "mend this source's `event:`, or what is sent"
        told["problem"] = {"code": problem.code, "what": problem.what, "cure": cure}
    return told


# -- one event -----------------------------------------------------------------------------------------


class _Witness:
    """An expression that keeps what it said, and why it could not."""

    def __init__(self, ask: Compute) -> None:
        self._ask = ask
        self.answers: list[Json] = []
        self.errors: list[str] = []

    def __call__(self, variables: Mapping[str, Json]) -> Json:
        try:
            answer = self._ask(variables)
        except ExpressionFailed as error:
            self.errors.append(str(error))
            raise
        self.answers.append(answer)
        return answer


@dataclass(slots=True)
class _Witnesses:
    """Those of a route or of a target."""

    when: _Witness | None = None
    once: _Witness | None = None
    each: _Witness | None = None


@dataclass(slots=True)
class _Heard:
    """A route that matches, as `plan` is given it, and those who are to hear what it says."""

    route: Route
    own: _Witnesses
    targets: list[_Witnesses] = field(default_factory=list)

    @classmethod
    def of(cls, route: Route) -> "_Heard":
        own = _Witnesses(when=_of_condition(route.when), once=_of_text(route.once))
        targets = [
            _Witnesses(when=_of_condition(target.when), each=_of_list(target.each))
            for target in route.to
        ]
        to = [
            replace(target, when=witnesses.when, each=witnesses.each)
            for target, witnesses in zip(route.to, targets, strict=True)
        ]
        return cls(replace(route, when=own.when, once=own.once, to=tuple(to)), own, targets)


# What `plan` does with the value of an expression is done before the witness hears of it, so that a
# `when` that is neither true nor false is an error here as it is there; done again, it changes nothing.


def _of_condition(compute: Compute | None) -> _Witness | None:
    return None if compute is None else _Witness(lambda variables: holds(compute, variables))


def _of_text(compute: Compute | None) -> _Witness | None:
    return None if compute is None else _Witness(lambda variables: text_of(compute(variables)))


def _of_list(compute: Compute | None) -> _Witness | None:
    return (
        None
        if compute is None
        else _Witness(lambda variables: list_of(compute(variables), MOST_DELIVERIES))
    )


def _explained(
    routes: Routes, event: Event, now: Micros, nearest: int | None, knowledge: Knowledge
) -> dict[str, Json]:
    routes = replace(routes, callbacks=routes.callbacks.blind())
    try:
        numbers = routes.index.match(event.fields)
    except EventTooWide:  # `plan` says so
        numbers, nearest = [], 0
    heard = {number: _Heard.of(routes.routes[number]) for number in numbers}
    witnessed = _with(routes, {number: each.route for number, each in heard.items()})
    routed = plan(event, witnessed, knowledge=knowledge)
    matching = [_matching(routes.routes[n], each, routed) for n, each in heard.items()]
    others = [
        _missing(route, misses, parts)
        for route, misses, parts in _nearest(routes, event, frozenset(numbers), nearest)
    ]
    return {
        "event": event.fields,
        "routes": [*matching, *others],
        "left_out": len(routes.routes) - len(matching) - len(others),
        "requests": [
            *(_request(routes, delivery, "live", now) for delivery in routed.deliveries),
            *(
                _request(routes, delivery, "shadow", now)
                for delivery in _withheld(routes, event, numbers, routed, knowledge)
            ),
        ],
        "planned": [
            _planned(each, plan)
            for plan in routed.plans
            for each in sorted(plan.events, key=lambda each: each.due_at)
        ],
        "failures": [failure.detail for failure in routed.failures],
    }


def _planned(each: Planned, plan: Plan) -> dict[str, Json]:
    """An event that the gateway itself would make."""
    said = orjson.loads(each.made)
    return {
        "by": plan.planner,
        "due_at": None if each.answer else rfc3339(each.due_at),
        "answer": each.answer,
        "type": said["type"],
        "subject": said.get("subject"),
        "data": said["data"],
    }


def _with(routes: Routes, others: Mapping[int, Route]) -> Routes:
    """The routes, some of them by others of the same pattern."""
    numbered = list(routes.routes)
    for number, other in others.items():
        numbered[number] = other
    return replace(routes, routes=tuple(numbered))


def _withheld(
    routes: Routes,
    event: Event,
    numbers: Sequence[int],
    routed: Routed,
    knowledge: Knowledge,
) -> list[Delivery]:
    """What those shadows would have sent, of the routes with these numbers, that fired."""
    shadows = {n: routes.routes[n] for n in numbers if routes.routes[n].shadow}
    names = {route.name for route in shadows.values()}.intersection(routed.matched)
    if not names:
        return []
    live = _with(routes, {n: replace(route, shadow=False) for n, route in shadows.items()})
    made = plan(event, live, knowledge=knowledge).deliveries
    return [delivery for delivery in made if delivery.route in names]


def _nearest(
    routes: Routes, event: Event, matching: frozenset[int], wanted: int | None
) -> list[tuple[Route, list[Miss], int]]:
    """The routes that do not match: all, or those of which the fewest parts fail.

    Of as many, those come first that have more parts.
    """
    fields = undotted(event.fields)
    found = (
        (route, *route.pattern.misses(fields))
        for number, route in enumerate(routes.routes)
        if number not in matching
    )
    if wanted is None:
        return list(found)
    return nsmallest(wanted, found, key=lambda each: (len(each[1]), -each[2]))


# -- one route -----------------------------------------------------------------------------------------


def _route(route: Route) -> dict[str, Json]:
    return {
        "name": route.name,
        "owner": route.owner,
        "mode": "shadow" if route.shadow else "live",
        "on_error": str(route.on_error),
        "remembers": []
        if route.interest is None
        else [r.collection for r in route.interest.remembers],
    }


def _missing(route: Route, misses: Sequence[Miss], parts: int) -> dict[str, Json]:
    """A route that does not match: which of its parts do not hold."""
    return {
        **_route(route),
        "matches": False,
        "fires": False,
        "parts": parts,
        "misses": [
            {"field": miss.path, "wanted": miss.wanted, "seen": miss.seen} for miss in misses
        ],
        "to": [{"endpoint": target.endpoint, "name": target.name} for target in route.to],
    }


def _matching(route: Route, heard: _Heard, routed: Routed) -> dict[str, Json]:
    """A route that matches: what its expressions said, and whether it fires."""
    return {
        **_route(route),
        "matches": True,
        "fires": route.name in routed.matched,
        "when": _answer(route.written.get("when"), heard.own.when),
        "once": _answer(route.written.get("once"), heard.own.once),
        "to": [
            _target(target, witnesses)
            for target, witnesses in zip(route.to, heard.targets, strict=True)
        ],
        "failures": [
            {"detail": failure.detail, "then": _then(route, failure)}
            for failure in routed.failures
            if failure.route == route.name
        ],
    }


def _then(route: Route, failure: Failure) -> str:
    """What `on_error` makes of a failure: `inbox`, `match` or `skip`."""
    return "inbox" if failure.to_inbox else str(route.on_error)


def _answer(written: str | None, witness: _Witness | None) -> dict[str, Json] | None:
    """What an expression said that is asked at most once; None where there is none."""
    if witness is None:
        return None
    if witness.errors:
        return {"expression": written, "error": witness.errors[0]}
    return {"expression": written, **({"value": witness.answers[0]} if witness.answers else {})}


def _target(target: Target, witnesses: _Witnesses) -> dict[str, Json]:
    """A target: how many items its `each` has, and for how many its `when` is true."""
    told: dict[str, Json] = {"endpoint": target.endpoint, "name": target.name}
    each = _answer(target.written.get("each"), witnesses.each)
    if each is not None:
        if "value" in each:
            each["items"] = len(each.pop("value"))
        told["each"] = each
    if witnesses.when is not None:
        told["when"] = {
            "expression": target.written.get("when"),
            "true": witnesses.when.answers.count(True),
            "false": witnesses.when.answers.count(False),
            "errors": witnesses.when.errors,
        }
    return told


# -- requests ------------------------------------------------------------------------------------------


def _request(routes: Routes, delivery: Delivery, mode: str, now: Micros) -> dict[str, Json]:
    """The request that a delivery would begin with, its secrets hidden."""
    endpoint = routes.endpoints[delivery.endpoint]
    whose = {
        "route": delivery.route,
        "target": delivery.target,
        "endpoint": endpoint.name,
        "mode": mode,
        "turn": _turn(delivery),
    }
    if endpoint.handler is not None and delivery.form is not BodyForm.CALL:
        return {
            **whose,
            "handler": endpoint.handler,
            "with": delivery.arguments(),
            "url": endpoint.url,
        }
    call = request_of(endpoint, delivery, now)
    headers = {n: HIDDEN if n in endpoint.confidential else v for n, v in call.headers.items()}
    if endpoint.oauth2 is not None:
        headers["authorization"] = HIDDEN  # the token, once it has been fetched
    return {
        **whose,
        "method": call.method,
        "url": call.url,
        "headers": headers,
        "body": call.body.decode("utf-8", "replace"),
    }


def _turn(delivery: Delivery) -> dict[str, Json]:
    """What keeps a delivery from going at once, as far as it is said."""
    turn = Turn() if delivery.turn is None else delivery.turn
    said = {
        "priority": None
        if delivery.priority == Priority.NORMAL
        else Priority(delivery.priority).name.lower(),
        "key": turn.key,
        "after": [
            f"{each.name} is delivered" if each.delivered else f"{each.name} has ended"
            for each in turn.after
        ],
        "settles_seconds": turn.settle / SECOND,
        "due_at": None if turn.due_at is None else rfc3339(turn.due_at),
        "expires_at": None if turn.expires_at is None else rfc3339(turn.expires_at),
        "late_at": None if turn.late_at is None else rfc3339(turn.late_at),
    }
    return {name: value for name, value in said.items() if value}


# -- a recorded event ----------------------------------------------------------------------------------


def rebuilt(shown: Mapping[str, Json]) -> Event:
    """The event that the admin API shows, rebuilt.

    The API shows values and text, not bytes: of a body that is no UTF-8, what is not is lost.
    """
    received_at = round(datetime.fromisoformat(shown["received_at"]).timestamp() * SECOND)
    attributes: dict[str, Json] = shown["attributes"]
    name, splice = _data_in_envelope(shown, received_at)
    head = orjson.dumps(attributes)[:-1]
    return Event(
        event_id=EventId(shown["id"]),
        source=shown["source"],
        attributes=attributes,
        head=head + b"," + name if name else head,
        splice=splice,
        body=shown["body"].encode(),
        content_type=shown["content_type"],
        received_at=received_at,
        key=shown["key"],
        data=shown["data"],
    )


def _data_in_envelope(shown: Mapping[str, Json], received_at: Micros) -> tuple[bytes, bytes]:
    """The name and the bytes of an event's data: where they are in its body, those."""
    body, data = shown["body"].encode(), shown["data"]
    if not body:
        return b"", b""
    headers = {b"content-type": shown["content_type"].encode()}
    source = Source(name=shown["source"], verifier=NoVerifier())
    request = Inbound("POST", headers, frozenset(), body, received_at)
    try:
        (again,) = read(source, request, None, lambda: EventId(shown["id"])).events
    except MediaTypeUnsupported:  # headers made it an event
        return b'"data_base64":', b'"' + base64.b64encode(body) + b'"'
    except BodyMalformed:  # headers or a mapping did
        again = None
    if again is not None and again.data == data:
        return again.head[len(orjson.dumps(again.attributes)) :], again.splice
    return b'"data":', body if orjson.loads(body) == data else orjson.dumps(data)
