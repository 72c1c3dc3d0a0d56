"""The routes in force as values, and what they make of an event: its deliveries.

`Routes` is what a checked routes.yaml comes to. It is built whole and swapped whole; nothing in it
changes. Expressions reach it compiled, as plain callables: this file knows no expression language.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gateway.core.errors import ExpressionFailed
from gateway.core.model import SECOND, BodyForm, Delivery, Event, Json, Micros
from gateway.core.pattern import Pattern
from gateway.core.retry import RetryPolicy
from gateway.core.secret import Key
from gateway.core.verifying import Verifier

Compute: TypeAlias = Callable[[Mapping[str, Json]], Json]
"""A compiled `${…}` value: given the variables, the value. Raises ExpressionFailed."""

Render: TypeAlias = Callable[[Mapping[str, Json]], bytes]
"""A compiled body template: given the variables, the bytes to post. Raises ExpressionFailed."""

DEFAULT_BODY_BYTES = 1024 * 1024
HOUR = 3600 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMapping:
    """How a source's plain JSON becomes an event; what is None is not mapped."""

    type: Compute
    id: Compute | None = None
    subject: Compute | None = None
    time: Compute | None = None
    data: Compute | Literal["body"] = "body"
    """`body`: the bytes as received are the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A named place events come from: how they are verified and read."""

    name: str
    verifier: Verifier
    verified: bool = True
    """False where `verify: none` was spelled out."""
    mapping: EventMapping | None = None
    """None: CloudEvents, or the body shape that Standard Webhooks recommends."""
    dedupe_key: Compute | None = None
    dedupe_window: Micros = 72 * HOUR
    signed_content_key: bool = False
    """The body itself is the idempotency key."""
    ack: int = 202
    body_bytes: int = DEFAULT_BODY_BYTES
    rate: tuple[int, Micros] | None = None
    """At most so many requests in so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """A named URL with its signing keys, limits and retry policy."""

    name: str
    url: str
    keys: tuple[Key, ...] = ()
    """Signing keys; none where `sign: none` was spelled out."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request: authentication."""
    handler: str | None = None
    """`module:function`; None: the event itself is posted."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What its handler may ask for by name."""
    form: BodyForm = BodyForm.EVENT
    render: Render | None = None
    """For BodyForm.OWN."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: Micros = 20 * SECOND
    concurrency: int = 8
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One place that a route sends to."""

    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A rule: which events, and where they then go."""

    name: str
    pattern: Pattern
    to: tuple[Target, ...]
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Everything that routes.yaml says."""

    sources: Mapping[str, Source]
    endpoints: Mapping[str, EndpointConfig]
    routes: tuple[Route, ...]
    fingerprint: str = ""
    """The start of the sha256 of the file."""

    def match(self, event: Event) -> list[Route]:
        """The routes whose pattern the event satisfies, in the order of the file."""
        fields = event.fields
        return [route for route in self.routes if route.pattern.matches(fields)]


def plan(event: Event, routes: Routes) -> tuple[list[Delivery], list[tuple[str, str]]]:
    """The deliveries that *routes* make of *event*, and the expressions that failed meanwhile.

    A failed expression costs only its own delivery; it is named by (code, detail) for the inbox.
    """
    deliveries: list[Delivery] = []
    failures: list[tuple[str, str]] = []
    for route in routes.match(event):
        for target in route.to:
            endpoint = routes.endpoints[target.endpoint]
            try:
                body = render(event, endpoint)
            except ExpressionFailed as error:
                detail = f"route {route.name}, endpoint {endpoint.name}: {error}"
                failures.append((error.code, detail))
                continue
            deliveries.append(
                Delivery(event, len(deliveries), route.name, endpoint.name, endpoint.form, body)
            )
    return deliveries, failures


def render(event: Event, endpoint: EndpointConfig) -> bytes | None:
    """The body of a delivery's own, where its endpoint has a template. Raises ExpressionFailed."""
    return endpoint.render({"event": event.fields}) if endpoint.render else None
