"""What an operator asks for: again, not at all, from the start, not now."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gateway.core.access import ALL, DONE, LOCAL, AuditEntry, Caller
from gateway.core.errors import Changed, Conflict, EventErased, GatewayError, NotFound
from gateway.core.model import (
    OPEN,
    SECOND,
    DeliveryId,
    EventId,
    Json,
    LaneMark,
    Micros,
    Switch,
    delivery_id,
    parse_delivery_id,
    rfc3339,
)
from gateway.core.plans import AWAITS
from gateway.core.redaction import without_credentials
from gateway.core.register import Learned
from gateway.core.routes import EndpointConfig, Routes
from gateway.core.routing import plan
from gateway.core.state import FINAL, State, may_come_from
from gateway.core.turns import due_of
from gateway.flows.answers import Answers, Given
from gateway.flows.audit import Audit
from gateway.flows.deliver import Deliver
from gateway.flows.know import Know
from gateway.flows.lanes import PAUSED, Lane, Lanes
from gateway.ports import Clock, LookUpStore, OperateStore
from gateway.telemetry import Telemetry

SWITCHES = frozenset({"pause", "resume"})
"""Actions of the audit log that switch an endpoint."""

Known = Callable[[Mapping[str, Json]], bool]
"""Whether an endpoint, as the API shows it, is as somebody knew it."""

REDELIVERABLE = may_come_from(State.SCHEDULED) - {State.LEASED}


class Operate:
    """Changes what is stored and what the lanes do, in that order."""

    def __init__(  # noqa: PLR0913  # what it joins
        self,
        *,
        store: OperateStore,
        look_up: LookUpStore,
        know: Know,
        answers: Answers,
        lanes: Lanes,
        deliver: Deliver,
        routes: Callable[[], Routes],
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._look_up = look_up
        self._know = know
        self._answers = answers
        self._lanes = lanes
        self._deliver = deliver
        self._routes = routes
        self._clock = clock
        self._telemetry = telemetry
        self._audit = Audit(store, clock, telemetry)
        self._owners: tuple[Routes | None, dict[str, str]] = (None, {})
        """Of routes, by name, and the routes in force that they are of."""

    async def redeliver(self, name: str, by: Caller = LOCAL, *, act_again: bool = False) -> None:
        """Put a dead or cancelled delivery back on schedule, due now, its retries before it.

        With *act_again*, a handler may do what was begun, and of which nobody knows what came of it, once more.
        """
        async with self._audit.of(by, "act_again" if act_again else "redeliver", name) as entry:
            event_id, n = _parsed(name)
            now = self._clock.now()
            for event in await self._look_up.events({"id": event_id}):
                if event["erased_at"] is not None:
                    raise EventErased(event_id)
            state = await self._store.redeliver(event_id, n, now, entry, act_again=act_again)
            if state is None:
                raise _no_delivery(name)
            if State(state) not in REDELIVERABLE:
                ended = State(state) in FINAL
                cure = "replay its event instead" if ended else "it is still to be sent"
                raise Conflict(f"the delivery {name} is {state}", cure=cure)
        for row in await self._look_up.deliveries({"event": event_id, "n": n}):
            self._lanes.note_due(row["endpoint"], now)

    async def cancel(self, name: str, reason: str, by: Caller = LOCAL) -> None:
        """Cancel a delivery that is scheduled."""
        async with self._audit.of(by, "cancel", name) as entry:
            event_id, n = _parsed(name)
            state = await self._store.cancel(event_id, n, self._clock.now(), reason, entry)
            if state is None:
                raise _no_delivery(name)
            if State(state) not in may_come_from(State.CANCELLED):
                cure = "only what is scheduled can be cancelled"
                raise Conflict(f"the delivery {name} is {state}", cure=cure)

    async def cancel_plan(self, name: str, by: Caller = LOCAL) -> None:
        """Have a planned event not be made."""
        async with self._audit.of(by, "cancel_plan", name) as entry:
            if not await self._store.drop_plan(name, entry):
                cure = "see `gateway planned`: it was made, or replaced, or never planned"
                raise NotFound(f"nothing is planned by the name of {name}", cure=cure)

    async def answer_plan(self, name: str, given: Given, by: Caller = LOCAL) -> None:
        """Answer what a route has asked; *name* is that of what comes where nobody does in time."""
        async with self._audit.of(by, "answer", f"{name} {given.answer}") as entry:
            for found in (await self._look_up.plans({"id": name})).items:
                planner, key, event_id = found["planner"], found["key"], found["event_id"]
                if not planner.startswith(AWAITS):
                    break
                who = Given(given.answer, given.by or by.name, given.reason)
                await self._answers.give(planner, key, event_id, who, entry)
                return
            cure = (
                "see `gateway planned`: it was answered, or its time is up, or it waits for nothing"
            )
            raise NotFound(f"no answer is waited for by the name of {name}", cure=cure)

    async def teach(self, collection: str, learned: Sequence[Learned], by: Caller = LOCAL) -> int:
        """Tell the register of things; of how many nothing newer is known."""
        async with self._audit.of(by, "teach", collection) as entry:
            return await self._store.teach(learned, self._clock.now(), entry)

    async def replay(self, name: str, by: Caller = LOCAL) -> tuple[list[DeliveryId], list[str]]:
        """Route a stored event again, by the routes in force: its new deliveries, and what failed."""
        async with self._audit.of(by, "replay", name) as entry:
            event_id = EventId(name)
            event = await self._look_up.event(event_id)
            if event is None:
                raise NotFound(f"there is no event {name}", cure="see `gateway events`")
            now = self._clock.now()
            routes = self._routes()
            async with self._know.about([event], routes) as knowledge:
                routed = plan(event, routes, now, knowledge)
                numbers = await self._store.replay(event_id, routed, now, entry)
        for delivery in routed.deliveries:
            self._lanes.note_due(delivery.endpoint, due_of(delivery, now))
        self._telemetry.emit("events.replayed", events=[event], at=now)
        names = [delivery_id(event_id, n) for n in numbers]
        return names, [failure.detail for failure in routed.failures]

    async def pause(
        self, name: str, by: Caller = LOCAL, reason: str = "", known: Known | None = None
    ) -> None:
        """Begin no attempt at this endpoint until it is resumed; its work waits.

        Raises Changed where it is not as it is *known*.
        """
        to = Switch("paused", reason or "paused by an operator")
        async with self._audit.of(by, "pause", name) as entry:
            lane = self._lane(name)
            await self._set(lane, to, entry, known)
        self._deliver.close_lane(lane, *to)

    async def resume(self, name: str, by: Caller = LOCAL, known: Known | None = None) -> None:
        """Let attempts at this endpoint begin again, whatever had stopped them: its breaker too.

        Raises Changed where it is not as it is *known*.
        """
        async with self._audit.of(by, "resume", name) as entry:
            lane = self._lane(name)
            if lane.state == "gone":
                what = f"the endpoint {name} is not in routes.yaml"
                raise Conflict(what, cure="add it there first")
            await self._open(lane, entry, known)

    async def resume_all(self, by: Caller = LOCAL) -> None:
        """End the pause that the gateway was started with; endpoints closed one by one stay closed."""
        async with self._audit.of(by, "resume", ALL) as entry:
            if PAUSED not in self._lanes.held_by:
                cure = "to open an endpoint, name it: `gateway resume NAME`"
                raise Conflict("the gateway was not started paused, or is resumed", cure=cure)
            await self._store.note(entry)
        self._lanes.let_go(PAUSED)
        self._telemetry.emit("gateway.resumed")

    async def _open(self, lane: Lane, entry: AuditEntry | None, known: Known | None = None) -> None:
        name, was = lane.endpoint.name, lane.standing
        await self._set(lane, OPEN, entry, known)
        lane.reopen()
        self._telemetry.emit("endpoint.opened", endpoint=name, was=was)
        self._lanes.wake()

    async def _set(
        self, lane: Lane, to: Switch, entry: AuditEntry | None, known: Known | None
    ) -> None:
        """Write down how an endpoint is switched. Raises Changed where someone else was first."""
        name, now = lane.endpoint.name, self._clock.now()
        # Another call, or another node, may write until our commit: it compares once more.
        if known is not None and not known(_shown(lane, now)):
            raise await self._changed(name)
        was = None if known is None or lane.state == "gone" else lane.switch
        if not await self._store.set_endpoint(name, to, now, entry, was):
            raise await self._changed(name)

    async def _changed(self, name: str) -> Changed:
        """What tells how an endpoint is, and who made it so."""
        closed = (await self._look_up.endpoint_states()).get(name)
        is_so = "open" if closed is None else f"{closed['state']} ({closed['reason']})"
        entries = await self._look_up.audit({"object": name, "limit": 20})
        done = (each for each in entries if each["action"] in SWITCHES and each["outcome"] == DONE)
        by = next((f", by {each['who']} at {each['at']}" for each in done), "")
        what = f"the endpoint {name} is {is_so}{by}"
        return Changed(what, cure="look at it again, and then decide")

    async def refused(self, action: str, name: str, by: Caller, error: GatewayError) -> None:
        """Write down that someone asked for what that one may not do."""
        await self._audit.refused(by, action, name, error)

    def unknown_caller(self, address: str) -> None:
        """Report that a request came without a token that is known: anyone can, so only the log has it."""
        self._telemetry.emit("caller.unknown", address=address)

    async def note(self, action: str, name: str, outcome: str = DONE) -> None:
        """Write down what was changed from this machine, or was to be, other than by a request."""
        await self._audit.note(LOCAL, action, name, outcome)

    async def restore_lanes(self) -> None:
        """Have the lanes as they were when the gateway last ran, or worse: see `note_leased`."""
        await self._store.note_leased(self._clock.now())
        states, marks = await self._look_up.endpoint_states(), await self._look_up.lanes()
        await self._restore(list(self._lanes), states, marks)

    async def use_endpoints(self, endpoints: Mapping[str, EndpointConfig]) -> None:
        """Put these endpoints in force; one that is new, or back, is as it was left."""
        # What was left is read before, so that no lane is open for a moment that was closed.
        states, marks = await self._look_up.endpoint_states(), await self._look_up.lanes()
        await self._restore(self._lanes.configure(endpoints), states, marks)
        self._deliver.fit_lanes()

    async def _restore(
        self, lanes: list[Lane], states: Mapping[str, Json], marks: Mapping[str, LaneMark]
    ) -> None:
        for lane in lanes:
            name = lane.endpoint.name
            if name in states:
                closed = states[name]
                lane.state, lane.reason = closed["state"], closed["reason"]
                lane.since = _micros(closed["changed_at"])
            if name in marks:
                lane.restore(marks[name])
            self._deliver.watch(lane)
        await self.reopen_blocked()

    async def reopen_blocked(self) -> None:
        """Try endpoints again that the egress policy had blocked: it, or the URL, may have changed."""
        for lane in self._lanes:
            if lane.state == "blocked":
                await self._open(lane, None)

    def endpoints(self) -> list[dict[str, Json]]:
        """Every lane, as the API shows it."""
        now = self._clock.now()
        return [_shown(lane, now) for lane in self._lanes]

    def endpoint(self, name: str) -> dict[str, Json]:
        """One of them."""
        return _shown(self._lane(name), self._clock.now())

    def routes(self) -> list[dict[str, Json]]:
        """Every route in force, as the API shows it."""
        return [
            {
                "name": route.name,
                "owner": route.owner,
                "mode": "shadow" if route.shadow else "live",
                "endpoints": list(dict.fromkeys(target.endpoint for target in route.to)),
            }
            for route in self._routes().routes
        ]

    def owner(self, route: str, endpoint: str = "") -> str | None:
        """Who to ask about a delivery: whoever owns its route, else whoever owns its endpoint."""
        routes = self._routes()
        if self._owners[0] is not routes:
            self._owners = (routes, {each.name: each.owner for each in routes.routes if each.owner})
        config = routes.endpoints.get(endpoint)
        return self._owners[1].get(route) or (config.owner if config is not None else None)

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            raise NotFound(f"there is no endpoint {name}", cure="see `gateway status`")
        return lane


def _shown(lane: Lane, now: Micros) -> dict[str, Json]:
    """A lane as the API shows it. Where it begins nothing, `reason` and `since` say why."""
    endpoint, breaker = lane.endpoint, lane.breaker
    lane.wait(now)  # what is over by now is not shown
    return {
        "name": endpoint.name,
        "url": without_credentials(endpoint.url),
        "handler": endpoint.handler,
        "owner": endpoint.owner,
        "state": lane.state,
        "reason": lane.reason or breaker.reason,
        "since": _moment(breaker.since if lane.is_open else lane.since),
        "breaker": "off" if endpoint.breaker is None else breaker.state,
        "probe_at": _moment(breaker.probe_at),
        "failed_probes": breaker.probes,
        "held_until": _moment(lane.held_until),
        "rate": None if endpoint.rate is None else _rate(*endpoint.rate),
        "concurrency": endpoint.concurrency,
        "share": lane.share,
        "running": lane.running,
        "waiting_in_memory": len(lane.waiting),
    }


def _moment(at: Micros | None) -> str | None:
    return rfc3339(at) if at else None


def _micros(text: str) -> Micros:
    return round(datetime.fromisoformat(text).timestamp() * SECOND)


def _rate(number: int, per: Micros) -> str:
    """A rate as it is written in routes.yaml."""
    return f"{number}/{UNITS[per]}"


UNITS: dict[Micros, str] = {SECOND: "s", 60 * SECOND: "m", 3600 * SECOND: "h"}


def _parsed(name: str) -> tuple[EventId, int]:
    parsed = parse_delivery_id(name)
    if parsed is None:
        raise _no_delivery(name)
    return parsed


def _no_delivery(name: str) -> NotFound:
    return NotFound(f"there is no delivery {name}", cure="see `gateway deliveries`")
