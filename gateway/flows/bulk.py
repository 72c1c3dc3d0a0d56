"""Send again in bulk: what a filter comes to, and an operation's pages, one for each time it is asked for."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.core.access import LOCAL, Caller
from gateway.core.bulk import (
    Action,
    Ended,
    Operation,
    Page,
    Progress,
    Rate,
    Replayed,
    due_after,
    due_times,
    wait_for_page,
)
from gateway.core.errors import BodyCorrupt, Conflict, EventErased, NotFound
from gateway.core.model import SECOND, After, Delivery, EventId, Json, Micros, Routed, Turn, rfc3339
from gateway.core.routes import Routes
from gateway.core.routing import plan
from gateway.core.turns import due_of
from gateway.flows.audit import Audit
from gateway.flows.erase import pseudonym
from gateway.flows.know import Know
from gateway.flows.lanes import Lanes
from gateway.ports import BulkStore, Clock, LookUpStore
from gateway.telemetry import Telemetry

MOST = {Action.REDELIVER: 500, Action.REPLAY: 100}
"""Deliveries, or events, of one page; of these, each is read and routed anew."""

MILLISECOND: Micros = 1000
"""What ids tell moments by."""

MOMENTS = frozenset({"since", "until"})

Filter = Mapping[str, Json]
"""By the names of the API; moments are microseconds."""


class Bulk:
    """Operations on all that fits a filter. Nothing here goes on by itself."""

    def __init__(  # noqa: PLR0913  # what it joins
        self,
        *,
        store: BulkStore,
        look_up: LookUpStore,
        know: Know,
        lanes: Lanes,
        routes: Callable[[], Routes],
        clock: Clock,
        audit: Audit,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._look_up = look_up
        self._know = know
        self._lanes = lanes
        self._routes = routes
        self._clock = clock
        self._audit = audit
        self._telemetry = telemetry

    # -- what would be done ------------------------------------------------------------------------

    async def groups(self, sought: Filter, after: Ended | None = None) -> dict[str, Json]:
        """Dead or cancelled deliveries that fit, by endpoint and reason, as far as they were looked at.

        `next` is where to go on.
        """
        sought = self._fixed(sought)
        found = await self._store.groups(sought, after)
        found["until"] = rfc3339(sought["until"])
        for group in found["groups"]:
            lane = self._lanes.get(group["endpoint"])
            group["endpoint_state"] = "gone" if lane is None else lane.state
        return found

    async def count_events(self, sought: Filter, after: str) -> dict[str, Json]:
        """Events that fit, by source and type, as far as they were looked at, and where `next` goes on.

        At the beginning also what the first of them would be routed to.
        """
        sought = self._fixed(sought)
        found = await self._store.count_events(sought, after)
        found["until"] = rfc3339(sought["until"])
        if not after:
            found["sample"] = await self._sample(sought)
        return found

    async def _sample(self, sought: Filter) -> dict[str, Json]:
        """What a first page would come to, `once` left aside."""
        page = await self._store.events(sought, None, MOST[Action.REPLAY])
        replays, failures = await self._routed(page, [0] * len(page.items), sought["until"], sought)
        counts: dict[tuple[str, str], int] = {}
        for each in replays:
            for delivery in each.routed.deliveries:
                key = (delivery.route, delivery.endpoint)
                counts[key] = counts.get(key, 0) + 1
        return {
            "events": len(page.items),
            "unrouted": sum(not each.routed.deliveries for each in replays),
            "deliveries": [
                {"route": route, "endpoint": endpoint, "deliveries": count}
                for (route, endpoint), count in sorted(counts.items())
            ],
            "failures": failures,
        }

    # -- doing it ----------------------------------------------------------------------------------

    async def operation(self, name: str) -> Operation:
        """The operation of that name. Raises NotFound."""
        found = await self._store.operation(name)
        if found is None:
            cure = "`GET /api/v1/operations` lists them; with a filter, one is begun"
            raise NotFound(f"there is no operation {name}", cure=cure)
        return found

    async def operations(self, limit: int) -> list[dict[str, Json]]:
        """The operations that were begun last, as the API shows them."""
        return [shown(operation) for operation in await self._store.operations(limit)]

    async def go_on(
        self,
        action: Action,
        name: str,
        sought: Filter | None,
        rate: Rate,
        by: Caller = LOCAL,
    ) -> Progress:
        """Do the next page of an operation, which begins with the first: how far it is now.

        Where it is too early for one, or the operation has ended, nothing is done. *sought* may be left
        out once the operation has begun; it and *rate* are those of the beginning. Raises NotFound, and
        Conflict where the operation is another one, or another call does the same page.
        """
        operation = await self._begun(action, name, sought, rate, by)
        now = self._clock.now()
        due = [] if operation.finished_at is not None else due_times(operation, now, MOST[action])
        if not due:
            return Progress(operation, wait_for_page(operation, now))
        do = self._redeliver if action is Action.REDELIVER else self._replay
        failures = await do(operation, due, now)
        if operation.finished_at is not None:
            await self._audit.note(by, action, f"{name} finished: {_counts(operation)}")
        return Progress(operation, wait_for_page(operation, now), failures)

    async def _begun(
        self, action: Action, name: str, sought: Filter | None, rate: Rate, by: Caller
    ) -> Operation:
        if sought is not None and await self._store.operation(name) is None:
            await self._begin(action, name, sought, rate, by)
        operation = await self.operation(name)
        if operation.action is not action:
            cure = f"go on with it as a {operation.action}"
            raise Conflict(f"the operation {name} is a {operation.action}", cure=cure)
        until = operation.filter["until"]  # its own, where the caller left that to us
        if sought is not None and {"until": until, **sought} != operation.filter:
            cure = "leave the filter out to go on with it, or begin another"
            raise Conflict(f"the operation {name} has another filter", cure=cure)
        return operation

    async def _begin(
        self, action: Action, name: str, sought: Filter, rate: Rate, by: Caller
    ) -> None:
        now = self._clock.now()
        begun = Operation(
            id=name,
            action=action,
            filter=self._fixed(sought),
            rate=rate,
            started_at=now,
            due_at=now,
        )
        async with self._audit.of(by, action, f"{name} begun: {_words(sought)}") as entry:
            await self._store.begin(begun, entry)

    def _fixed(self, sought: Filter) -> Filter:
        """A filter that new events never fit: it ends with this millisecond, or when it says."""
        return {"until": self._clock.now() // MILLISECOND * MILLISECOND + MILLISECOND, **sought}

    async def _redeliver(
        self, operation: Operation, due: Sequence[Micros], now: Micros
    ) -> list[dict[str, Json]]:
        page = await self._store.ended(operation.filter, operation.position, len(due))
        _move(operation, page, due, now)
        placed = list(zip(page.items, due, strict=False))
        moved = await self._store.redeliver(operation, placed)
        if moved is None:
            raise _done_elsewhere(operation)
        operation.done += moved
        for each, due_at in placed:
            self._lanes.note_due(each.endpoint, due_at)
        return []

    async def _replay(
        self, operation: Operation, due: Sequence[Micros], now: Micros
    ) -> list[dict[str, Json]]:
        page = await self._store.events(operation.filter, operation.position, len(due))
        replays, failures = await self._routed(page, due, now, operation.filter)
        _move(operation, page, due, now)
        operation.failed += len({failure["event"] for failure in failures})
        made = await self._store.replay(operation, replays)
        if made is None:
            raise _done_elsewhere(operation)
        operation.done += len(replays)
        operation.made += made
        for each in replays:
            for delivery in each.routed.deliveries:
                self._lanes.note_due(delivery.endpoint, due_of(delivery, now))
        sent = [each.routed.deliveries[0].event for each in replays if each.routed.deliveries]
        self._telemetry.emit("events.replayed", events=sent, at=now)
        return failures

    async def _routed(
        self, page: Page[EventId], due: Sequence[Micros], now: Micros, sought: Filter
    ) -> tuple[list[Replayed], list[dict[str, Json]]]:
        """The events of a page, routed by today's routes, and what of them could not be."""
        routes, replays, failures = self._routes(), [], []
        for event_id, due_at in zip(page.items, due, strict=False):
            try:
                event = await self._look_up.event(event_id)
            except (BodyCorrupt, EventErased) as error:
                failures.append(_failure(event_id, None, error.code, str(error)))
                continue
            if event is None:
                failures.append(_failure(event_id, None, "not-found", "it has been deleted"))
                continue
            async with self._know.about([event], routes) as knowledge:
                routed = plan(event, routes, now, knowledge)
            failures += [_failure(event_id, f.route, f.code, f.detail) for f in routed.failures]
            routed = _only_to(routed, sought.get("endpoint"))
            for delivery in routed.deliveries:
                _put_off(delivery, due_at)
            replays.append(Replayed(event_id, routed, now))
        return replays, failures


def shown(operation: Operation) -> dict[str, Json]:
    """An operation, as the API shows it."""
    number, per = operation.rate
    sought = {
        name: rfc3339(value) if name in MOMENTS else value
        for name, value in operation.filter.items()
    }
    ended = operation.finished_at
    return {
        "id": operation.id,
        "action": operation.action,
        "filter": sought,
        "per_second": number * SECOND / per,
        "started_at": rfc3339(operation.started_at),
        "finished_at": None if ended is None else rfc3339(ended),
        "done": operation.done,
        "made": operation.made,
        "failed": operation.failed,
    }


def _words(sought: Filter) -> str:
    """A filter, as the audit log has it: there is no name in it that may have to be forgotten."""
    return " ".join(f"{name}={_word(name, value)}" for name, value in sought.items())


def _word(name: str, value: Json) -> Json:
    if name in MOMENTS:
        return rfc3339(value)
    return pseudonym(value) if name == "subject" else value


def _move(operation: Operation, page: Page[Any], due: Sequence[Micros], now: Micros) -> None:
    """Put an operation where it is once *page* is done."""
    operation.position = page.last
    if page.items:
        operation.due_at = due_after(operation, due[len(page.items) - 1])
    if page.exhausted:
        operation.finished_at = now


def _only_to(routed: Routed, endpoint: str | None) -> Routed:
    """What goes to that endpoint, where one is named; routes that send nothing there do not fire."""
    if endpoint is not None:
        routed.deliveries = [each for each in routed.deliveries if each.endpoint == endpoint]
        for each in routed.deliveries:
            if each.turn is not None:  # what is not sent again is not waited for
                each.turn.after = list(_after_only(endpoint, each.turn.after))
        routes = {each.route for each in routed.deliveries}
        routed.plans = routed.learned = ()
        routed.firings = {r: value for r, value in routed.firings.items() if r in routes}
    return routed


def _after_only(endpoint: str, after: Iterable[After]) -> Iterator[After]:
    for each in after:
        if left := [delivery for delivery in each.deliveries if delivery.endpoint == endpoint]:
            yield replace(each, deliveries=left)


def _put_off(delivery: Delivery, due_at: Micros) -> None:
    """Have a delivery attempted no sooner than then."""
    turn = delivery.turn = delivery.turn or Turn()
    turn.put_off_to = due_at


def _failure(event_id: str, route: str | None, code: str, detail: str) -> dict[str, Json]:
    return {"event": event_id, "route": route, "code": code, "detail": detail}


def _counts(operation: Operation) -> str:
    """What an operation did, as the audit log has it."""
    if operation.action is Action.REDELIVER:
        return f"done={operation.done}"
    return f"done={operation.done} made={operation.made} failed={operation.failed}"


def _done_elsewhere(operation: Operation) -> Conflict:
    return Conflict(
        f"another call is doing the next page of the operation {operation.id}",
        cure="let it go on, or ask again",
    )
