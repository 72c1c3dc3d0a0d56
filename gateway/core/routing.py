"""An event in, its deliveries out: what the routes in force make of an event."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.core.awaits import Await
from gateway.core.computed import (
    Compute,
    Scope,
    computed,
    holds,
    key_of,
    list_of,
    moment_of,
    text_of,
)
from gateway.core.derived import is_news
from gateway.core.errors import EventTooWide, ExpressionFailed
from gateway.core.keys import bounded
from gateway.core.model import (
    ALL_ROUTES,
    After,
    Confirmation,
    Delivery,
    Event,
    Failure,
    Micros,
    Routed,
    Turn,
    Withheld,
)
from gateway.core.plans import Emit, Plan, Planned, emitted, planner_of
from gateway.core.register import NOTHING_KNOWN, Interest, Knowledge, Look
from gateway.core.routes import (
    AT_ONCE,
    Confirm,
    EndpointConfig,
    OnError,
    Route,
    Routes,
    Target,
)
from gateway.core.schedules import Schedule

MOST_DELIVERIES = 1_000
"""An `each` of a target with more items than this makes nothing."""


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
