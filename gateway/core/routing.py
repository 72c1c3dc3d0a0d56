"""The routes in force as values, and what they make of an event: its deliveries.

`Routes` is what a checked routes.yaml comes to. It is built whole and swapped whole; nothing in it
changes. Expressions reach it compiled, as plain callables: this file knows no expression language.
"""

from collections import Counter
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
    Scope,
    computed,
    holds,
    key_of,
    list_of,
    moment_of,
    text_of,
)
from gateway.core.derived import OWN_SOURCE, is_news
from gateway.core.egress import Network
from gateway.core.errors import EventTooWide, ExpressionFailed
from gateway.core.handshake import Handshake
from gateway.core.index import Index, Progress
from gateway.core.keys import bounded
from gateway.core.model import (
    ALL_ROUTES,
    SECOND,
    After,
    BodyForm,
    Confirmation,
    Delivery,
    Event,
    Failure,
    Micros,
    Priority,
    Routed,
    Tls,
    Turn,
    Withheld,
)
from gateway.core.oauth2 import ClientCredentials
from gateway.core.pattern import Pattern
from gateway.core.plans import Emit, Plan, Planned, emitted, planner_of
from gateway.core.polling import Poll
from gateway.core.queries import Query
from gateway.core.register import NOTHING_KNOWN, Interest, Knowledge, Look
from gateway.core.retry import RetryPolicy
from gateway.core.schedules import Schedule, Schedules
from gateway.core.secret import Key, Secret
from gateway.core.signing import HeaderForm, SigningKey, sign
from gateway.core.verifying import NoVerifier, Verifier

DEFAULT_BODY_BYTES = 1024 * 1024
HOUR = 3600 * SECOND
MOST_EVENTS = 10_000
"""An `each` of a source with more items than this makes nothing: 1 MiB could ask for half a million."""
MOST_DELIVERIES = 1_000
"""Nor does one of a target with more than this."""


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
    rate: tuple[int, Micros] | None = None
    """At most so many requests in so long."""
    poll: Poll | None = None
    """How it is asked; None: it posts."""
    silent_after: Micros | None = None
    """Where nothing has come for so long, it is told; None: it never is."""

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


# -- an event in, its deliveries out ---------------------------------------------------------------------


def looks_of(event: Event, routes: Routes) -> list[Look]:
    """What has to be known before *event* is planned, each once."""
    try:
        matched = routes.match(event)
    except EventTooWide:
        return []
    scope = Scope(event=event.fields)
    interests = [route.interest for route in matched if route.interest is not None]
    return list(dict.fromkeys(look for each in interests for look in each.looks(scope)))


def plan(
    event: Event,
    routes: Routes,
    now: Micros | None = None,
    knowledge: Knowledge = NOTHING_KNOWN,
) -> Routed:
    """The deliveries that *routes* make of *event*, and what kept others from being made.

    What counts from when the event came (`delay`, `expires_after` …) counts from *now* where that is
    given: when the event is routed again. *knowledge* answers what `looks_of` the event asks.
    """
    routed = Routed()
    try:
        matched = routes.match(event)
        scheduled = routes.schedules.match(event.fields) if routes.schedules else ()
        answered = routes.awaits.match(event.fields) if routes.awaits else ()
    except EventTooWide as error:
        routed.failures = [Failure(ALL_ROUTES, error.code, str(error), to_inbox=True)]
        return routed
    came_at = event.received_at if now is None else now
    planning = _Planning(event, routes, routed, came_at, knowledge)
    for route in matched:
        planning.add(route)
    for schedule, cancels in scheduled:
        planning.schedule(schedule, cancels=cancels)
    for awaited in answered:
        planning.hear(awaited)
    return routed


class _Passed(NamedTuple):
    """Of a route that applies to an event."""

    once: str | None
    """The value for which it fires."""
    asked: Plan | None
    """What may come of what it asks."""


class _Planning:
    """One event on its way to deliveries, one route after the other."""

    __slots__ = (
        "_came_at",
        "_event",
        "_failed_targets",
        "_knowledge",
        "_named",
        "_plain_scope",
        "_route",
        "_routed",
        "_routes",
        "_scope_of_route",
    )

    def __init__(
        self,
        event: Event,
        routes: Routes,
        routed: Routed,
        came_at: Micros,
        knowledge: Knowledge,
    ) -> None:
        self._event = event
        self._came_at = came_at
        self._routes = routes
        self._routed = routed
        self._route: Route
        self._named: dict[str, list[Delivery]] = {}
        """What the route's named targets have come to, for those that wait for them."""
        self._failed_targets: set[str | None] = set()
        self._knowledge = knowledge
        self._plain_scope: Scope | None = None
        self._scope_of_route: Scope | None = None

    @property
    def _scope(self) -> Scope:
        """What expressions see, made when there is one."""
        if self._scope_of_route is not None:
            return self._scope_of_route
        if self._plain_scope is None:
            self._plain_scope = Scope(event=self._event.fields)
        return self._plain_scope

    def add(self, route: Route) -> None:
        """Add what a route whose `match` holds makes of the event."""
        self._route = route
        self._named, self._failed_targets = {}, set()
        self._scope_of_route = None
        passed = self._passed(route)
        if passed is None:
            return
        routed = self._routed
        routed.matched.append(route.name)
        made: list[Delivery] = [] if route.shadow else routed.deliveries
        before, failed = len(made), len(routed.failures)
        for target in route.to:
            self._add(target, made)
        emits = () if route.shadow else self._emitted(route.emit)
        if route.shadow:
            self._withhold("shadow", _summary(made))
        elif len(made) > before or emits:
            self._promise(route, passed, emits, sends=len(made) > before)
        elif len(routed.failures) == failed and (route.to or route.emit):
            self._withhold("nothing", "no target's `when` is true, or every `each` is empty")

    def _passed(self, route: Route) -> "_Passed | None":
        """What is known of a route before its targets are asked; None where it does not apply, or failed."""
        if route.interest is not None and not self._look(route.interest):
            return None
        if route.when is not None and not self._holds(route.when, self._scope):
            return None
        once = asked = None
        if route.once is not None:
            once = self._once(route.once)
            if once is None:
                return None
        if route.awaits is not None:
            asked = self._ask(route.awaits)
            if asked is None:
                return None
        return _Passed(once, asked)

    def _promise(
        self, route: Route, passed: "_Passed", emits: tuple[Planned, ...], *, sends: bool
    ) -> None:
        """Note what goes with what the route sends and makes."""
        routed = self._routed
        if passed.once is not None:
            routed.firings = {**routed.firings, route.name: passed.once}
        if route.confirm is not None and sends:
            self._confirm(route.confirm)
        if emits:
            self._plan_at_once(emits)
        if passed.asked is not None and sends:
            routed.plans = [*routed.plans, passed.asked]

    def _look(self, interest: Interest) -> bool:
        """Have expressions see what is known, and note what the event tells; whether that could be computed.

        What it tells does not depend on `when`: that often compares with what was known before.
        """
        event, plain = self._event, self._scope
        try:
            self._scope_of_route = Scope(
                event=event.fields, **interest.seen(event, plain, self._knowledge)
            )
            learned = interest.learned(event, self._scope_of_route)
        except ExpressionFailed as error:
            self._failed(str(error), error)
            return False
        if not self._route.shadow:
            self._routed.learned = [*self._routed.learned, *learned]
        return True

    def schedule(self, schedule: Schedule, *, cancels: bool) -> None:
        """Add what a schedule plans of the event, or that it plans nothing more."""
        try:
            planned = schedule.plan(self._event, self._came_at, cancels=cancels)
        except ExpressionFailed as error:
            failure = Failure(
                schedule.name, error.code, f"schedule {schedule.name}, {error}", to_inbox=True
            )
            self._routed.failures = [*self._routed.failures, failure]
        else:
            self._routed.matched.append(schedule.planner)
            self._routed.plans = [*self._routed.plans, planned]

    def _ask(self, awaited: Await) -> Plan | None:
        """Have targets see the links by which people answer; what may come of that, if it could be computed."""
        scope, until = self._scope, self._came_at + awaited.within
        try:
            key = awaited.key_for(scope)
            links = self._routes.callbacks.links(
                awaited.route, key, self._event.event_id, list(awaited.answers), until
            )
            self._scope_of_route = scope = Scope(**{**scope, "callback": links})
            return awaited.plan(self._event, scope, key, self._came_at)
        except ExpressionFailed as error:
            self._failed(f"await, {error}", error)
            return None

    def hear(self, awaited: Await) -> None:
        """Add the answer that the event tells to what a route has asked, if it tells one."""
        try:
            reply = awaited.heard(self._event)
        except ExpressionFailed as error:
            detail = f"route {awaited.route}, await, decide, {error}"
            failure = Failure(awaited.route, error.code, detail, to_inbox=True)
            self._routed.failures = [*self._routed.failures, failure]
        else:
            self._routed.matched.append(awaited.planner)
            if reply is not None:
                self._routed.replies = [*self._routed.replies, reply]

    def _emitted(self, emits: Sequence[Emit]) -> tuple[Planned, ...]:
        """The events that a route makes at once."""
        if not emits:
            return ()
        try:
            return emitted(emits, self._event, self._scope, self._came_at)
        except ExpressionFailed as error:
            self._failed(f"emit, {error}", error)
            return ()

    def _plan_at_once(self, events: tuple[Planned, ...]) -> None:
        name, key = self._route.name, self._event.event_id
        plan = Plan(planner=planner_of(name), key=key, events=events, route=name)
        self._routed.plans = [*self._routed.plans, plan]

    def _confirm(self, confirm: Confirm) -> None:
        due_at = self._came_at + confirm.within
        promised = Confirmation(self._route.name, due_at, confirm.otherwise)
        self._routed.confirmations = [*self._routed.confirmations, promised]

    def _withhold(self, reason: str, detail: str) -> None:
        withheld = Withheld(self._route.name, reason, detail)
        self._routed.withheld = [*self._routed.withheld, withheld]

    def _once(self, compute: Compute) -> str | None:
        try:
            return bounded(text_of(compute(self._scope)))
        except ExpressionFailed as error:
            self._failed(f"once: {error}", error)
            return None

    def _add(self, target: Target, made: list[Delivery]) -> None:
        """Add the deliveries of a target: one, or one for each item."""
        if target.each is None:
            self._add_one(target, None, made)
            return
        try:
            items = list_of(target.each(self._scope), MOST_DELIVERIES)
        except ExpressionFailed as error:
            self._failed_targets.add(target.name)
            self._failed(f"{_place(target)}, each: {error}", error)
            return
        for i, item in enumerate(items):
            self._add_one(target, Scope(**{**self._scope, "item": item}), made, i)

    def _add_one(
        self, target: Target, scope: Scope | None, made: list[Delivery], item: int | None = None
    ) -> None:
        """Add one delivery; *scope* is that of an item, and *item* its number, where it is for one."""
        name = target.endpoint
        if target.when is not None and not self._holds(
            target.when, scope or self._scope, target, item
        ):
            return
        form, render = target.form, target.render
        endpoint = self._routes.endpoints[name]
        if form is None:
            form, render = endpoint.form, endpoint.render
        body = None
        if render is not None:
            try:
                body = render(scope or self._scope)
            except ExpressionFailed as error:
                self._failed_targets.add(target.name)
                self._failed(f"{_place(target, item)}: {error}", error)
                return
        delivery = Delivery(
            self._event, len(made), self._route.name, name, form, body, target.name,
            priority=self._route.priority,
        )  # fmt: skip
        if (
            target.timing is not AT_ONCE
            or endpoint.key is not None
            or endpoint.late_after is not None
        ):
            try:
                delivery.turn = self._turn(target, endpoint, scope or self._scope)
            except ExpressionFailed as error:
                self._failed_targets.add(target.name)
                self._failed(f"{_place(target, item)}, {error}", error)
                return
        made.append(delivery)
        if target.name is not None:
            self._named.setdefault(target.name, []).append(delivery)

    def _turn(self, target: Target, endpoint: EndpointConfig, scope: Scope) -> Turn:
        """When a delivery may be attempted. Raises ExpressionFailed, which says of what."""
        timing, came_at = target.timing, self._came_at
        turn = Turn()
        compute = timing.key or endpoint.key
        if compute is not None:
            turn.key = bounded(computed("key", lambda: key_of(compute(scope))))
        if timing.coalesce is not None:
            turn.settle, turn.longest = timing.coalesce.settle, timing.coalesce.longest
            turn.slot = f"{self._route.name}/{target.name or ''}/{endpoint.name}/{turn.key}"
        if timing.delay:
            turn.due_at = came_at + timing.delay
        elif timing.at is not None:
            at = timing.at
            turn.due_at = computed("at", lambda: moment_of(at(scope)))
        if timing.expires_after is not None:
            turn.expires_at = came_at + timing.expires_after
        if endpoint.late_after is not None and not is_news(self._event):
            turn.late_at = max(came_at, turn.due_at or 0) + endpoint.late_after
        if timing.after:
            turn.after = self._after(timing.after)
        return turn

    def _after(self, names: Mapping[str, bool]) -> list[After]:
        """The deliveries that one waits for. Raises ExpressionFailed where one of them could not be made."""
        found = []
        for name, delivered in names.items():
            if delivered and name in self._failed_targets:
                raise ExpressionFailed(f"after: what {name} sends could not be computed")
            if deliveries := self._named.get(name):
                found.append(After(deliveries, name, delivered))
                if not deliveries[0].leads:  # then all of them do
                    for delivery in deliveries:
                        delivery.leads = True
        return found

    def _holds(
        self,
        condition: Compute,
        scope: Scope,
        target: Target | None = None,
        item: int | None = None,
    ) -> bool:
        """Whether a condition is true; where it fails, what `on_error` says."""
        try:
            return holds(condition, scope)
        except ExpressionFailed as error:
            match_anyway = self._route.on_error is OnError.MATCH
            where = "when" if target is None else f"{_place(target, item)}, when"
            self._failed(f"{where}: {error}", error, to_inbox=not match_anyway)
            return match_anyway

    def _failed(self, detail: str, error: ExpressionFailed, *, to_inbox: bool = True) -> None:
        name = self._route.name
        kept = to_inbox and self._route.on_error is not OnError.SKIP
        failure = Failure(name, error.code, f"route {name}, {detail}", kept)
        self._routed.failures = [*self._routed.failures, failure]


def _place(target: Target, item: int | None = None) -> str:
    """A target in words: what people look for in their file."""
    place = f"endpoint {target.endpoint}"
    if target.name is not None:
        place = f"target {target.name}, {place}"
    return place if item is None else f"{place}, item {item}"


def _summary(deliveries: Sequence[Delivery]) -> str:
    """To how many places, by endpoint: what a shadow tells."""
    counts = Counter(delivery.endpoint for delivery in deliveries)
    told = [name if count == 1 else f"{count} to {name}" for name, count in counts.items()]
    return "would have gone to " + (", ".join(told) or "nowhere")
