"""The tests beside routes, tried: the engine that delivers makes the events and plans their deliveries.

An event comes in as its source would have it come, but for the signature, which counts as verified.
What a `once` has fired for before is forgotten: each test begins anew.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import orjson

from gateway.config.evidence import Evidence
from gateway.config.examples import Example
from gateway.core.errors import BodyMalformed, ExpressionFailed, MediaTypeUnsupported
from gateway.core.model import Delivery, Event, Micros, Routed, default_origin, event_id
from gateway.core.pattern import undotted
from gateway.core.register import Knowledge, Supposed
from gateway.core.routes import OWN, Route, Routes, indexed
from gateway.core.routing import plan
from gateway.core.schemes.signed import SignatureVerifier
from gateway.core.verifying import Inbound
from gateway.flows.reading import STRUCTURED, read

NO_CASE = "event-unmapped"
"""None of a source's cases is about a request: what a test may well expect."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A delivery that was expected and not made."""

    endpoint: str
    route: str | None
    """The route that came nearest to making it."""
    why: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a test."""

    example: Example
    sent: tuple[tuple[str, str], ...] = ()
    """The deliveries: to which endpoint, by which route."""
    missing: tuple[Missing, ...] = ()
    unexpected: tuple[tuple[str, str], ...] = ()
    failures: tuple[str, ...] = ()
    """What would have told the inbox that something is wrong."""
    plans: tuple[str, ...] = ()
    """In what the events that the gateway makes of it differ from those that were expected."""
    notes: tuple[str, ...] = ()
    """What else explains the result."""

    @property
    def passed(self) -> bool:
        """Whether it is as expected, and no expression failed on the way."""
        return not (self.missing or self.unexpected or self.plans or self.failures)


def tried(examples: Iterable[Example], routes: Routes, now: Micros) -> list[Result]:
    """The results of the tests, in their order."""
    return [_tried(example, routes, now) for example in examples]


def add_evidence(evidence: Evidence, examples: Iterable[Example], routes: Routes) -> None:
    """Add what the fields of the tests' events hold."""
    for example in examples:
        try:
            events = _events(example, routes, 0)
        except (BodyMalformed, ExpressionFailed, MediaTypeUnsupported):
            continue
        for event in events:
            evidence.add(event.fields)


# -- what comes in ---------------------------------------------------------------------------------------


def _events(example: Example, routes: Routes, now: Micros) -> list[Event]:
    """The events of a test. Raises what reading a request raises."""
    source = OWN if example.source == OWN.name else routes.sources[example.source]
    headers = {name.lower().encode(): text.encode() for name, text in example.headers.items()}
    if example.event is None:
        body = _json(example.body)
        verified_id = _verified_id(source.verifier, headers)
    else:
        made_up = {"specversion": "1.0", "id": "test-1", "source": default_origin(source.name)}
        body, verified_id = _json({**made_up, **example.event}), None
        headers = {b"content-type": STRUCTURED.encode()}
        # The key of a duplicate is taken from requests, and this is none.
        source = replace(source, dedupe_key=None, signed_content_key=False)
    request = Inbound(
        "POST", {b"content-type": b"application/json", **headers}, frozenset(), body, now
    )
    serial = count(1)
    return read(source, request, verified_id, lambda: event_id(now, next(serial))).events


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        what, cure = f"it is nothing that JSON can hold: {error}", "write other values"
        raise BodyMalformed(what, cure=cure, code="invalid-json") from None


def _verified_id(verifier: object, headers: dict[bytes, bytes]) -> str | None:
    """The id that a request would be known by once it is verified."""
    if not isinstance(verifier, SignatureVerifier) or verifier.id_header is None:
        return None
    return headers.get(verifier.id_header, b"").decode("latin-1") or None


# -- what goes out ---------------------------------------------------------------------------------------


def _tried(example: Example, routes: Routes, now: Micros) -> Result:
    if example.routes:
        routes = indexed(
            sources=routes.sources,
            endpoints=routes.endpoints,
            routes=[route for route in routes.routes if route.name in example.routes],
            schedules=routes.schedules.all,
        )
    try:
        events = _events(example, routes, now)
    except (BodyMalformed, ExpressionFailed, MediaTypeUnsupported) as error:
        told = f"it makes no event: {error.what}"
        if error.code == NO_CASE and not example.expect:
            return Result(example, notes=(told,))
        lacking = tuple(Missing(name, None, "there is no event") for name in example.expect)
        return Result(example, missing=lacking, failures=(told,))
    notes = () if events else ("it makes no event: its source ignores the request",)
    planned = list(_planned(events, routes, Supposed(example.known)))
    sent = [_where(delivery) for _, routed in planned for delivery in routed.deliveries]
    expected, got = Counter(example.expect), Counter(name for name, _ in sent)
    failures = [failure for _, routed in planned for failure in routed.failures]
    return Result(
        example,
        sent=tuple(sent),
        missing=tuple(
            _missing(name, got[name], planned, routes) for name in (expected - got).elements()
        ),
        unexpected=tuple(_surplus(sent, got - expected)),
        plans=_otherwise_planned(example, planned),
        failures=tuple(failure.detail for failure in failures if failure.to_inbox),
        notes=(*notes, *(failure.detail for failure in failures if not failure.to_inbox)),
    )


def _planned(
    events: Iterable[Event], routes: Routes, knowledge: Knowledge
) -> Iterator[tuple[Event, Routed]]:
    """The events with what becomes of each; of one request, a `once` fires once for each value."""
    fired: set[tuple[str, str]] = set()
    for event in events:
        routed = plan(event, routes, knowledge=knowledge)
        knowledge.learn(routed.learned)
        again = [route for route, value in routed.firings.items() if (route, value) in fired]
        routed.withhold(again)
        fired |= set(routed.firings.items())
        yield event, routed


def _otherwise_planned(
    example: Example, planned: Sequence[tuple[Event, Routed]]
) -> tuple[str, ...]:
    """What is planned and was not expected, and the other way round; answers that people may give are not."""
    if example.plans is None:
        return ()
    made = Counter(
        str(orjson.loads(each.made)["type"])
        for _, routed in planned
        for found in routed.plans
        for each in found.events
        if each.answer is None
    )
    expected = Counter(example.plans)
    lacking = [f"{name} is not planned" for name in (expected - made).elements()]
    return (*lacking, *(f"{name} is planned" for name in (made - expected).elements()))


def _where(delivery: Delivery) -> tuple[str, str]:
    return delivery.endpoint, delivery.route


def _surplus(sent: Sequence[tuple[str, str]], surplus: Counter[str]) -> Iterator[tuple[str, str]]:
    """The last of the deliveries to an endpoint that gets too many."""
    left = Counter(surplus)
    found = []
    for endpoint, route in reversed(sent):
        if left[endpoint] > 0:
            left[endpoint] -= 1
            found.append((endpoint, route))
    yield from reversed(found)


# -- why not ---------------------------------------------------------------------------------------------


@dataclass(order=True, slots=True)
class _Near:
    """How near a route came to sending to an endpoint: the least is the nearest."""

    misses: int
    parts: int
    route: str = field(compare=False)
    why: str = field(compare=False)


def _missing(
    endpoint: str, sent: int, planned: Sequence[tuple[Event, Routed]], routes: Routes
) -> Missing:
    able = [route for route in routes.routes if any(t.endpoint == endpoint for t in route.to)]
    near = [
        _near(route, endpoint, event, routed)
        for event, routed in planned
        for route in able
        if not any(_where(delivery) == (endpoint, route.name) for delivery in routed.deliveries)
    ]
    if near:
        nearest = min(near)
        return Missing(endpoint, nearest.route, nearest.why)
    if sent:
        return Missing(
            endpoint,
            None,
            f"it is sent there {sent} times" if sent > 1 else "it is sent there once",
        )
    return Missing(endpoint, None, "no route sends there" if planned else "there is no event")


def _near(route: Route, endpoint: str, event: Event, routed: Routed) -> _Near:
    misses, parts = route.pattern.misses(undotted(event.fields))
    if misses:
        why = "; ".join(f"{miss.path} is {miss.seen}, wanted {miss.wanted}" for miss in misses)
        return _Near(len(misses), -parts, route.name, why)
    return _Near(0, -parts, route.name, _why_nothing(route, endpoint, routed))


WITHHELD = {
    "shadow": "it is a shadow, which sends nothing",
    "once": "its `once` has fired already",
}


def _why_nothing(route: Route, endpoint: str, routed: Routed) -> str:
    """Why a route whose `match` holds sends nothing to an endpoint."""
    failed = [failure.detail for failure in routed.failures if failure.route == route.name]
    if failed:
        return "an expression failed"
    if route.name not in routed.matched:
        return f"its `when` is not true: {route.written.get('when', '')}"
    for withheld in routed.withheld:
        if withheld.route == route.name and withheld.reason in WITHHELD:
            return WITHHELD[withheld.reason]
    told = [
        f"`{name}: {target.written[name]}`"
        for target in route.to
        if target.endpoint == endpoint
        for name in ("each", "when")
        if name in target.written
    ]
    return f"its target sends nothing by {' and '.join(told)}"
