"""The routes in force as values: sources, endpoints, rules.

`Routes` is what a checked routes.yaml comes to. It is built whole and swapped whole; nothing in it
changes. Expressions reach it compiled, as plain callables: this file knows no expression language.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from gateway.core.awaits import Await, Awaits
from gateway.core.breaker import BreakerPolicy
from gateway.core.callbacks import Callbacks
from gateway.core.computed import (
    Compute,
    Render,
)
from gateway.core.conformance import Conformance, OnMisfit
from gateway.core.derived import OWN_SOURCE
from gateway.core.egress import Network
from gateway.core.errors import DataInvalid, GatewayError
from gateway.core.handshake import Handshake
from gateway.core.index import Index, Progress
from gateway.core.model import (
    SECOND,
    BodyForm,
    Event,
    Micros,
    Priority,
    Tls,
)
from gateway.core.oauth2 import ClientCredentials
from gateway.core.pattern import Pattern
from gateway.core.plans import Emit
from gateway.core.polling import Poll
from gateway.core.queries import Query
from gateway.core.register import Interest
from gateway.core.retry import RetryPolicy
from gateway.core.schedules import Schedule, Schedules
from gateway.core.secret import Key, Secret
from gateway.core.signing import HeaderForm, SigningKey, sign
from gateway.core.verifying import NoVerifier, Verifier

DEFAULT_BODY_BYTES = 1024 * 1024
HOUR = 3600 * SECOND
MOST_EVENTS = 10_000
"""An `each` of a source with more items than this makes nothing: 1 MiB could ask for half a million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCase:
    """How a source's plain JSON becomes an event, or several; what is None is not mapped."""

    type: Compute | None = None
    """None where the request is to be ignored."""
    when: Compute | None = None
    """Whether this case is the one."""
    each: Compute | None = None
    """A list: each of its items becomes an event."""
    id: Compute | None = None
    subject: Compute | None = None
    time: Compute | None = None
    data: Compute | Literal["body", "item"] | None = "body"
    """`body`: the bytes as received are the data; `item`: the item is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A named place events come from: how they are verified and read."""

    name: str
    verifier: Verifier
    verified: bool = True
    """False where `verify: none` was spelled out."""
    proof: str = "none"
    """How its requests are verified, in a word or two: the preset, or the scheme."""
    networks: tuple[Network, ...] = ()
    """The addresses that it may come from; none: any."""
    handshakes: tuple[Handshake, ...] = ()
    confirmation: Callable[[bytes], str | None] | None = None
    """Where a verified body wants its subscription confirmed, if it does."""
    secret_file: str | None = None
    """Where a secret that comes by a handshake is kept."""
    cases: tuple[EventCase, ...] = ()
    """Of its `event:`; none: CloudEvents, or the body shape that Standard Webhooks recommends."""
    dedupe_key: Compute | None = None
    dedupe_window: Micros = 72 * HOUR
    signed_content_key: bool = False
    """The body itself is the idempotency key."""
    ack: int = 202
    body_bytes: int = DEFAULT_BODY_BYTES
    content_types: frozenset[str] = frozenset()
    """Media types that are read as JSON besides those that are JSON."""
    gzip: bool = False
    """Whether bodies may come compressed; `body_bytes` then holds for both forms."""
    strict_json: bool = False
    """A key that is there twice is refused."""
    reject_unreadable: bool = False
    """What is verified and cannot be read is refused, and not kept in the inbox."""
    conformance: Conformance | None = None
    """What it wants of its events' data; None: nobody looks at them."""
    rate: tuple[int, Micros] | None = None
    """At most so many requests in so long."""
    poll: Poll | None = None
    """How it is asked; None: it posts."""
    silent_after: Micros | None = None
    """Where nothing has come for so long, it is told; None: it never is."""

    def refuses(self, unreadable: GatewayError) -> bool:
        """Whether a verified request that cannot be read, for that reason, is refused; else the inbox keeps it."""
        if isinstance(unreadable, DataInvalid) and self.conformance is not None:
            return not self.verified or self.conformance.otherwise is OnMisfit.REJECT
        return not self.verified or self.reject_unreadable

    @property
    def handshake_methods(self) -> tuple[str, ...]:
        """The methods other than POST by which it shakes hands."""
        return tuple({each.method: None for each in self.handshakes if each.method != "POST"})

    @property
    def is_composed(self) -> bool:
        """Whether the gateway itself puts together what its events say."""
        return self.poll is not None and self.poll.preset != "http"


OWN = Source(name=OWN_SOURCE, verifier=NoVerifier())
"""What events of the gateway's own are read by where somebody wants to try them; no request comes in by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """A named URL with its signing keys, limits and retry policy."""

    name: str
    url: str
    keys: tuple[SigningKey, ...] = ()
    """Signing keys; none where `sign: none` was spelled out."""
    signed_as: HeaderForm | None = None
    """The form of another sender's signatures; None: Standard Webhooks. All keys are then `Key`."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request: authentication."""
    oauth2: ClientCredentials | None = None
    """Authentication by a token, which is fetched with these."""
    tls: Tls | None = None
    """How TLS is spoken, where it is not as with any public server."""
    handler: str | None = None
    """`module:function`; None: the event itself is posted."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """What its handler may ask for by name."""
    form: BodyForm = BodyForm.EVENT
    render: Render | None = None
    """For BodyForm.OWN."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    success: Compute | None = None
    """A condition over `response`: whether it is one. None: any 2xx is."""
    timeout: Micros = 20 * SECOND
    concurrency: int = 8
    key: Compute | None = None
    """By what its deliveries take turns, where their target says nothing of it."""
    late_after: Micros | None = None
    """A delivery that is not delivered so long after its event counts as late."""
    rate: tuple[int, Micros] | None = None
    """So many attempts may begin in so long, evenly spaced; None: as many as there are."""
    breaker: BreakerPolicy | None = field(default_factory=BreakerPolicy)
    """When to leave it alone for a while; None: never."""
    groups: tuple[str, ...] = ()
    owner: str | None = None

    @property
    def posts_plainly(self) -> bool:
        """Whether events are posted to it as they are: no handler calls, and no token is fetched first."""
        return self.handler is None and self.oauth2 is None

    def can_sign(self, now: Micros) -> bool:
        """Whether one of its keys is still valid; also where it has none, and signs nothing."""
        keys = self.keys
        return not keys or keys[0].valid(now) or any(key.valid(now) for key in keys[1:])

    def signature(self, webhook_id: str, now: Micros, body: bytes, method: str) -> dict[str, str]:
        """The headers that prove *body*, and `webhook-id`; that alone where nothing is signed."""
        if not self.keys:
            return {"webhook-id": webhook_id}
        if self.signed_as is None:
            return sign(webhook_id, now, body, self.keys)
        keys = [key for key in self.keys if isinstance(key, Key)]
        return self.signed_as.sign(webhook_id, now, body, keys, method=method)

    @property
    def confidential(self) -> frozenset[str]:
        """The names of headers whose values are not to be shown."""
        signature = "webhook-signature" if self.signed_as is None else self.signed_as.header
        return frozenset({signature, *self.headers})

    def sent_secrets(self) -> list[str]:
        """What an answer of this endpoint could give away."""
        if not self.headers and not self.secrets:
            return []
        values = [*self.headers.values(), *(each.reveal() for each in self.secrets.values())]
        return values + [word for value in values if (word := value.rpartition(" ")[2]) != value]


class OnError(StrEnum):
    """What a failing expression of a route comes to."""

    INBOX = "inbox"
    """The delivery is not made, and the inbox says why."""
    MATCH = "match"
    """A condition that failed counts as true; for anything else, as `inbox`."""
    SKIP = "skip"
    """The delivery is not made. It is counted."""


@dataclass(frozen=True, slots=True)
class Coalesce:
    """Of what comes quickly, only the latest is sent: after *settle* of quiet, but within *longest*."""

    settle: Micros
    longest: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a target's deliveries may be attempted, where that is not simply at once."""

    key: Compute | None = None
    """By what they take turns; None: as their endpoint says."""
    coalesce: Coalesce | None = None
    delay: Micros = 0
    """So long after the event came."""
    at: Compute | None = None
    """Or at a moment (RFC 3339)."""
    expires_after: Micros | None = None
    """So long after the event came they are not attempted any more."""
    after: Mapping[str, bool] = field(default_factory=dict)
    """The targets whose deliveries end before; True: they have to be delivered."""


AT_ONCE = Timing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place that a route sends to."""

    endpoint: str
    name: str | None = None
    when: Compute | None = None
    each: Compute | None = None
    """A list: each of its items becomes a delivery."""
    form: BodyForm | None = None
    """CALL or ARGUMENTS, where the target says what is sent; None: the endpoint does."""
    render: Render | None = None
    """What is sent, for a form."""
    timing: Timing = AT_ONCE
    emit: tuple[Emit, ...] = ()
    """What is made of the answer to a delivery that succeeds."""
    written: Mapping[str, str] = field(default_factory=dict)
    """How its `when` and `each` read in the file."""


@dataclass(frozen=True, slots=True)
class Confirm:
    """All that a route sends of an event is delivered in time, or an event of a type says what is not."""

    within: Micros
    otherwise: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A rule: which events, and where they then go."""

    name: str
    pattern: Pattern
    to: tuple[Target, ...]
    """Each after those that it waits for."""
    when: Compute | None = None
    once: Compute | None = None
    on_error: OnError = OnError.INBOX
    shadow: bool = False
    """It matches and is recorded, and sends nothing."""
    priority: Priority = Priority.NORMAL
    confirm: Confirm | None = None
    awaits: Await | None = None
    emit: tuple[Emit, ...] = ()
    """The events that it makes, at once."""
    interest: Interest | None = None
    """What it asks of the register, and tells it."""
    owner: str | None = None
    written: Mapping[str, str] = field(default_factory=dict)
    """How its `when` and `once` read in the file."""


class Emits(NamedTuple):
    """What follows from a delivery of a target that succeeds."""

    emits: tuple[Emit, ...]
    on_error: OnError


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Everything that routes.yaml says."""

    sources: Mapping[str, Source]
    endpoints: Mapping[str, EndpointConfig]
    routes: tuple[Route, ...]
    index: Index
    """Of the routes' patterns, in their order."""
    schedules: Schedules = field(default_factory=Schedules)
    awaits: Awaits = field(default_factory=Awaits)
    """What they hear of answers to what they ask."""
    callbacks: Callbacks = field(default_factory=Callbacks)
    """Makes the links by which people answer."""
    ask: bool = False
    """Whether any of them asks the register, or tells it something."""
    emits: Mapping[tuple[str, str | None, str], Emits] = field(default_factory=dict)
    """What follows from deliveries that succeed: by route, the name of the target, and endpoint."""
    queries: Mapping[str, Query] = field(default_factory=dict)
    """What may be asked of endpoints."""
    fingerprint: str = ""
    """The start of the sha256 of the file and of those that it includes."""

    def match(self, event: Event) -> list[Route]:
        """The routes whose pattern the event satisfies, in the order of the file.

        Raises EventTooWide.
        """
        return [self.routes[number] for number in self.index.match(event.fields)]


def indexed(
    *,
    sources: Mapping[str, Source],
    endpoints: Mapping[str, EndpointConfig],
    routes: Sequence[Route],
    schedules: Sequence[Schedule] = (),
    queries: Mapping[str, Query] | None = None,
    fingerprint: str = "",
    progress: Progress | None = None,
) -> Routes:
    """The routes with the index of their patterns, of which *progress* is told."""
    return Routes(
        sources=sources,
        endpoints=endpoints,
        routes=tuple(routes),
        index=Index([route.pattern for route in routes], progress),
        schedules=Schedules(schedules),
        awaits=Awaits([route.awaits for route in routes if route.awaits is not None]),
        ask=any(route.interest is not None for route in routes),
        queries=queries or {},
        emits={
            (route.name, target.name, target.endpoint): Emits(target.emit, route.on_error)
            for route in routes
            for target in route.to
            if target.emit
        },
        fingerprint=fingerprint,
    )
