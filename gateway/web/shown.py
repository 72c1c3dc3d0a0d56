"""What the API and the pages both show, put together once."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.core.access import Caller, Scope
from gateway.core.attention import Trouble, troubles
from gateway.core.errors import NotFound
from gateway.core.listing import Listed, Listing
from gateway.core.model import SECOND, EventId, Json, parse_delivery_id, rfc3339
from gateway.core.plans import AWAITS, SCHEDULES
from gateway.flows.backlog import Backlog
from gateway.flows.operate import Operate
from gateway.ports import Clock, LookUpStore

MOST = 500
"""Deliveries of one event."""
A_DAY = 86_400 * SECOND


class Shown:
    """Events, deliveries, endpoints, routes and the whole gateway, as dictionaries of JSON."""

    def __init__(
        self,
        *,
        look_up: LookUpStore,
        operate: Operate,
        backlog: Backlog,
        status: Callable[[], dict[str, Json]],
        counts: Callable[[], dict[str, dict[str, int]]],
        late: Callable[[], Awaitable[dict[str, int]]],
        clock: Clock,
    ) -> None:
        self._look_up = look_up
        self._operate = operate
        self._backlog = backlog
        self._status = status
        self._counts = counts
        """By route, what it has done since the start: how often it matched, withheld and failed."""
        self._late = late
        self._clock = clock

    # -- the gateway itself ------------------------------------------------------------------------

    async def status(self) -> dict[str, Json]:
        """All that tells how it fares, and what needs a person."""
        told, found = await self.overview()
        return {**told, "attention": [each.text for each in found]}

    async def overview(self) -> tuple[dict[str, Json], list[Trouble]]:
        """The same, in two parts."""
        told: dict[str, Json] = {
            **self._status(),
            "endpoints": self._operate.endpoints(),
            "failing": self._failing(),
            "stats": await self.stats(),
            "late": await self._late(),
        }
        now = self._clock.now()
        unreadable = await self._look_up.count_inbox(now - A_DAY)
        return told, troubles(told, unreadable, now)

    async def stats(self) -> dict[str, Json]:
        """What waits and what is dead, counted just now, or lately where counting takes long."""
        await self._backlog.look(stands=0)
        return self._backlog.stats

    async def audit(self, query: Mapping[str, Any]) -> Listed:
        """A page of who changed what, newest first."""
        return await self._look_up.page(Listing.AUDIT, query)

    async def plans(self, query: Mapping[str, Any]) -> Listed:
        """A page of what is planned, the next first."""
        names = {"schedule": "planner", "route": "planner", "event": "event_id"}
        asked = {names.get(name, name): value for name, value in query.items()}
        if "planner" in asked:
            kind = AWAITS if "route" in query else SCHEDULES
            asked["planner"] = f"{kind}{asked['planner']}"
        return await self._look_up.plans(asked)

    def _failing(self) -> list[dict[str, Json]]:
        """The routes with expressions that failed since the start, and who to ask about them."""
        return [
            {"route": route, "owner": self._operate.owner(route), "events": counts["failed"]}
            for route, counts in self._counts().items()
            if counts.get("failed")
        ]

    def routes(self) -> list[dict[str, Json]]:
        """The routes in force, each with what it did."""
        counts = self._counts()
        return [
            {**route, "counts": counts.get(route["name"], {})} for route in self._operate.routes()
        ]

    # -- events and deliveries ---------------------------------------------------------------------

    async def event(self, name: str, caller: Caller) -> dict[str, Json]:
        """An event with its deliveries, and their attempts. Raises NotFound.

        Of very many these are the latest; `deliveries_next` is the cursor of the listing that has the others.
        """
        event = await self._look_up.shown_event(EventId(name))
        if event is None:
            raise NotFound(f"there is no event {name}", cure="see `gateway events`")
        listed = await self.deliveries({"event": name, "limit": MOST})
        deliveries = await self._with_attempts(EventId(name), listed.items[::-1], caller)
        withheld = await self._look_up.withheld(EventId(name))
        event = seen_by(caller, event, "data", "body")
        for found in await self._look_up.events({"id": name}):
            event["routes"] = found["routes"]
        return {
            **event,
            "deliveries": deliveries,
            "deliveries_next": await self._more(name, listed.next),
            "withheld": withheld,
        }

    async def _more(self, event: str, cursor: str | None) -> str | None:
        """The cursor, if an event has deliveries after it: a full page may be the last."""
        if cursor is None:
            return None
        query = {"event": event, "cursor": parse_delivery_id(cursor), "limit": 1}
        return cursor if (await self.deliveries(query)).items else None

    async def events(self, query: Mapping[str, Any]) -> Listed:
        """A page of events, newest first, without what they carry."""
        return await self._look_up.page(Listing.EVENTS, query)

    async def recorded(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """Whole events, oldest first: see `LookUpStore.recorded`."""
        return await self._look_up.recorded(query)

    async def deliveries(self, query: Mapping[str, Any]) -> Listed:
        """A page of deliveries, newest first, with who to ask about them."""
        found = await self._look_up.page(Listing.DELIVERIES, query)
        for each in found.items:
            each["owner"] = self._operate.owner(each["route"], each["endpoint"])
        return found

    async def delivery(self, name: str, caller: Caller) -> dict[str, Json]:
        """One of them, with its attempts. Raises NotFound."""
        parsed = parse_delivery_id(name)
        if parsed is not None:
            found = (await self.deliveries({"event": parsed[0], "n": parsed[1]})).items
            for each in await self._with_attempts(parsed[0], found, caller):
                return each
        raise NotFound(f"there is no delivery {name}", cure="see `gateway deliveries`")

    async def _with_attempts(
        self, event_id: EventId, deliveries: list[dict[str, Json]], caller: Caller
    ) -> list[dict[str, Json]]:
        """Deliveries of one event, the attempts of each in place of their number, and when it began an act."""
        if not deliveries:
            return []
        numbers = {each["id"]: _number(each["id"]) for each in deliveries}
        span = min(numbers.values()), max(numbers.values())
        found = await self._look_up.attempts_between(event_id, *span)
        acts = await self._look_up.acts_between(event_id, *span)
        return [
            {
                **each,
                "act_begun_at": rfc3339(acts[n]) if (n := numbers[each["id"]]) in acts else None,
                "attempts": [seen_by(caller, attempt, "excerpt") for attempt in found.get(n, [])],
            }
            for each in deliveries
        ]

    # -- the inbox ---------------------------------------------------------------------------------

    async def inbox(self, query: Mapping[str, Any], caller: Caller) -> Listed:
        """A page of the inbox, newest first."""
        found = await self._look_up.page(Listing.INBOX, query)
        return Listed([seen_by(caller, each, "body") for each in found.items], found.next)

    async def inbox_entry(self, name: str, caller: Caller) -> dict[str, Json]:
        """One of them. Raises NotFound."""
        for found in (await self.inbox({"id": name}, caller)).items:
            return found
        raise NotFound(f"there is no entry {name} in the inbox", cure="see `gateway inbox`")

    # -- endpoints ---------------------------------------------------------------------------------

    async def endpoints(self) -> list[dict[str, Json]]:
        """All of them, with what waits and what is dead."""
        return await self._counted(self._operate.endpoints())

    async def endpoint(self, name: str) -> dict[str, Json]:
        """One of them. Raises NotFound."""
        return (await self._counted([self._operate.endpoint(name)]))[0]

    async def _counted(self, endpoints: list[dict[str, Json]]) -> list[dict[str, Json]]:
        """Endpoints with what waits for them in the store, since when it is due, and what is dead.

        Of what waits, `behind` is how much waits for other deliveries to end: that is not due.
        """
        stats = await self.stats()
        for each in endpoints:
            waiting = stats["scheduled"].get(each["name"], {})
            each["waiting"] = waiting.get("count", 0)
            each["behind"] = stats["behind"].get(each["name"], {}).get("count", 0)
            each["due_at"] = waiting.get("first_at")
            each["dead"] = stats["dead"].get(each["name"], {}).get("count", 0)
        return endpoints


def _number(name: str) -> int:
    """Which of its event's deliveries it is."""
    return int(name.rpartition("_")[2])


def seen_by(caller: Caller, shown: dict[str, Json], *contents: str) -> dict[str, Json]:
    """What that caller may see of it: without the scope `payload`, its contents are left out."""
    if caller.may(Scope.PAYLOAD):
        return shown
    kept = {name: value for name, value in shown.items() if name not in contents}
    return {**kept, "left_out": {"fields": list(contents), "scope": Scope.PAYLOAD}}
