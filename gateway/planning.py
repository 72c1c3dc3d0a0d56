"""What other routes would make of the events that were recorded: deliveries added, dropped, changed.

The baseline is what the routes in force make of them today, not what was delivered at the time. Both
are asked through the very function that routes events as they arrive, so an unchanged file comes to
nothing. No I/O: events go in one by one, and what is kept of them is counts and a few examples.

Deliveries of one event are compared by what is sent where: first within the same route and target,
then, whatever is left, with the same endpoint and the same content by another route (it moved there).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from gateway.core.calls import PreparedCall
from gateway.core.computed import Compute
from gateway.core.derived import OWN_SOURCE
from gateway.core.extraction import WIDEST
from gateway.core.model import BodyForm, Delivery, Event, Failure, Json, Routed
from gateway.core.routes import Route, Routes, indexed
from gateway.core.routing import plan

Kind: TypeAlias = Literal["added", "dropped", "changed", "moved"]
KINDS: tuple[Kind, ...] = ("dropped", "added", "changed", "moved")
"""The worst first."""

Place: TypeAlias = tuple[str, str]
"""A route and an endpoint."""


@dataclass(slots=True)
class Tally:
    """What becomes of the deliveries of a route to an endpoint."""

    added: int = 0
    dropped: int = 0
    changed: int = 0
    moved: int = 0
    """Made by another route, or target, before."""
    same: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One delivery that differs, without what it carries: output may end in a log."""

    kind: Kind
    event: str
    type: str
    subject: str | None
    route: str
    endpoint: str
    differs: tuple[str, ...] = ()
    """Of a changed one: what of the request."""
    before: str | None = None
    """Of one that moved: the route that made it."""


@dataclass(slots=True)
class Failing:
    """How often expressions of a route fail, and the first time that only one of the files did."""

    before: int = 0
    after: int = 0
    event: str = ""
    detail: str = ""


@dataclass(slots=True)
class Evidence:
    """How much the recorded events say of a route that is new or changed."""

    events: int = 0
    """What its `match` took."""
    passed: int = 0
    """What its `when` let through of it."""


@dataclass(slots=True)
class Findings:
    """What came of a backtest."""

    tallies: dict[Place, Tally] = field(default_factory=lambda: defaultdict(Tally))
    examples: dict[tuple[Kind, Place], list[Example]] = field(default_factory=dict)
    moved: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By the route before, the route now and the endpoint."""
    withheld: dict[tuple[str, str], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0])
    )
    """By route and reason (`shadow`, `once`): for how many events, before and now."""
    failing: dict[str, Failing] = field(default_factory=lambda: defaultdict(Failing))
    evidence: dict[str, Evidence] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """Who to ask about a route, by its name: of the new file, else of the old one."""
    events: int = 0
    unheard: Counter[str] = field(default_factory=Counter)
    """Events of sources that only one of the files has, by source."""

    def total(self, kind: Kind) -> int:
        """How many deliveries of a kind there are, over all."""
        return sum(getattr(tally, kind) for tally in self.tallies.values())


class Backtest:
    """Compares what two routes files make of the same events, which it is given oldest first.

    *alike* are routes that are known to make the same of every event: they are run only where that
    can still differ. So many *examples* are kept of each kind, route and endpoint.
    """

    def __init__(
        self, old: Routes, new: Routes, *, alike: Collection[str] = (), examples: int = 3
    ) -> None:
        self.findings = Findings()
        self.findings.owners = {
            route.name: route.owner for route in (*old.routes, *new.routes) if route.owner
        }
        self._examples = examples
        evidence = self.findings.evidence
        evidence |= {r.name: Evidence() for r in new.routes if r.name not in alike}
        self._old, self._new = _Side(old, alike, {}), _Side(new, alike, evidence)
        self.can_differ = old.sources.keys() != new.sources.keys() or any(
            route.name not in alike for route in (*old.routes, *new.routes)
        )
        """Whether there is an event of which the two would not make the same."""

    def add(self, event: Event) -> None:
        """Take one more event into account."""
        findings = self.findings
        findings.events += 1
        heard_before, heard = self._old.hears(event), self._new.hears(event)
        if heard is not heard_before:
            findings.unheard[event.source] += 1
        # Where one file gives an event to no route at all, those that are alike differ too.
        whole = not (heard and heard_before) or _may_be_too_wide(event)
        before, after = (side.made_of(event, whole=whole) for side in (self._old, self._new))
        if before.deliveries or after.deliveries:
            self._compare(event, before.deliveries, after.deliveries)
        self._count_withheld(before, after)
        if before.failures or after.failures:
            self._count_failures(event, before.failures, after.failures)

    # -- deliveries --------------------------------------------------------------------------------

    def _compare(self, event: Event, before: list[Delivery], after: list[Delivery]) -> None:
        tallies = self.findings.tallies
        pairs = _taken(before, after, _exactly)
        for _, now in pairs:
            tallies[now.route, now.endpoint].same += 1
        if len(pairs) == len(before) == len(after):
            return
        before, after = _rest(before, after, pairs)
        for alike in (_by_target, _by_content, _by_route):
            pairs = _taken(before, after, alike)
            for was, now in pairs:
                self._note_pair(event, was, now)
            before, after = _rest(before, after, pairs)
        for was in before:
            tallies[was.route, was.endpoint].dropped += 1
            self._keep("dropped", event, was)
        for now in after:
            tallies[now.route, now.endpoint].added += 1
            self._keep("added", event, now)

    def _note_pair(self, event: Event, was: Delivery, now: Delivery) -> None:
        tally = self.findings.tallies[now.route, now.endpoint]
        if differs := differences(was, now):
            tally.changed += 1
            self._keep("changed", event, now, differs=differs)
        elif was.route == now.route:
            tally.same += 1  # its target got a name, or another
        else:
            tally.moved += 1
            self.findings.moved[was.route, now.route, now.endpoint] += 1
            self._keep("moved", event, now, before=was.route)

    def _keep(
        self,
        kind: Kind,
        event: Event,
        delivery: Delivery,
        *,
        differs: tuple[str, ...] = (),
        before: str | None = None,
    ) -> None:
        place = (delivery.route, delivery.endpoint)
        kept = self.findings.examples.setdefault((kind, place), [])
        if len(kept) < self._examples:
            kept.append(
                Example(
                    kind=kind,
                    event=event.event_id,
                    type=event.type,
                    subject=event.subject,
                    route=delivery.route,
                    endpoint=delivery.endpoint,
                    differs=differs,
                    before=before,
                )
            )

    # -- what makes no delivery --------------------------------------------------------------------

    def _count_withheld(self, before: Routed, after: Routed) -> None:
        for i, routed in enumerate((before, after)):
            for withheld in routed.withheld:
                self.findings.withheld[withheld.route, withheld.reason][i] += 1

    def _count_failures(
        self, event: Event, before: Sequence[Failure], after: Sequence[Failure]
    ) -> None:
        failing = self.findings.failing
        for failure in before:
            failing[failure.route].before += 1
        for failure in after:
            failing[failure.route].after += 1
        known = {failure.detail for failure in before}
        for failure in after:
            if failure.detail not in known and not failing[failure.route].detail:
                failing[failure.route].event = event.event_id
                failing[failure.route].detail = failure.detail


# -- one of the two files ------------------------------------------------------------------------------


def _may_be_too_wide(event: Event) -> bool:
    """Whether its arrays may have too many elements: each is the first in one, or has a comma."""
    return event.splice.count(b",") + event.splice.count(b"[") > WIDEST


class _Side:
    """One of the files, and what its `once` remember."""

    def __init__(
        self, routes: Routes, alike: Collection[str], evidence: Mapping[str, Evidence]
    ) -> None:
        watched = [
            _watched(route, evidence[route.name]) if route.name in evidence else route
            for route in routes.routes
        ]
        # What remembers has to see every event.
        run = [r for r in watched if r.name not in alike or r.once is not None]
        self._whole = replace(routes, routes=tuple(watched))
        self._differing = indexed(sources=routes.sources, endpoints=routes.endpoints, routes=run)
        self._evidence = evidence
        self._fired: set[int] = set()

    def hears(self, event: Event) -> bool:
        """Whether the file has the source that the event came in by: else it would be refused."""
        return event.source in self._whole.sources or event.source == OWN_SOURCE

    def made_of(self, event: Event, *, whole: bool) -> Routed:
        """What the routes make of an event, were it to arrive now, after those before it.

        *whole*: those that are alike included.
        """
        if not self.hears(event):
            return Routed()
        routed = plan(event, self._whole if whole else self._differing)
        for name in routed.matched:
            if name in self._evidence:
                self._evidence[name].passed += 1
        if routed.firings:
            again = set()
            for firing in routed.firings.items():
                # A number stands for each firing: there may be millions.
                if (number := hash(firing)) in self._fired:
                    again.add(firing[0])
                self._fired.add(number)
            routed.withhold(again)
        return routed


def _watched(route: Route, evidence: Evidence) -> Route:
    """The route, counting what its `match` took: that is when its `when` is asked."""
    return replace(route, when=_counting(route.when, evidence))


def _counting(when: Compute | None, evidence: Evidence) -> Compute:
    def counted(scope: Mapping[str, Json]) -> Json:
        evidence.events += 1
        return True if when is None else when(scope)

    return counted


# -- deliveries, compared ------------------------------------------------------------------------------

Key: TypeAlias = Callable[[Delivery], object]


def _exactly(delivery: Delivery) -> object:
    return delivery.route, delivery.target, delivery.endpoint, delivery.form, delivery.body


def _by_target(delivery: Delivery) -> object:
    return delivery.route, delivery.target, delivery.endpoint


def _by_content(delivery: Delivery) -> object:
    return delivery.endpoint, delivery.form, delivery.body


def _by_route(delivery: Delivery) -> object:
    return delivery.route, delivery.endpoint


def _taken(
    before: Iterable[Delivery], after: Iterable[Delivery], key: Key
) -> list[tuple[Delivery, Delivery]]:
    """Deliveries before with those after that have the same key: each at most once, in order."""
    waiting: dict[object, list[Delivery]] = {}
    for was in before:
        waiting.setdefault(key(was), []).append(was)
    return [(found.pop(0), now) for now in after if (found := waiting.get(key(now)))]


def _rest(
    before: list[Delivery], after: list[Delivery], pairs: list[tuple[Delivery, Delivery]]
) -> tuple[list[Delivery], list[Delivery]]:
    taken = {id(each) for pair in pairs for each in pair}
    return [d for d in before if id(d) not in taken], [d for d in after if id(d) not in taken]


def differences(one: Delivery, other: Delivery) -> tuple[str, ...]:
    """What differs between two requests about the same event."""
    if one.form is not other.form:
        return ("form",)
    if one.body == other.body:
        return ()
    if one.form is not BodyForm.CALL:
        return ("arguments",) if one.form is BodyForm.ARGUMENTS else ("body",)
    a, b = PreparedCall.unpacked(one.body or b""), PreparedCall.unpacked(other.body or b"")
    parts = ("method", "path", "query", "headers", "body")
    return tuple(part for part in parts if getattr(a, part) != getattr(b, part))
