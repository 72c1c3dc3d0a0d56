"""`confirm`: all that a route sent of an event is delivered in time, or an event says what is not."""

from collections.abc import Sequence

from gateway.core.derived import MOST_HOPS, derived, hops_of
from gateway.core.errors import BodyCorrupt
from gateway.core.model import (
    FOREVER,
    SECOND,
    Event,
    EventId,
    Json,
    Micros,
    entry_about,
    inbox_id,
    parse_delivery_id,
)
from gateway.core.state import State
from gateway.flows.keep import Keep
from gateway.flows.loop import Loop
from gateway.ports import AppendStore, Clock, LookUpStore, NoteStore
from gateway.telemetry import Telemetry

EVERY = 10 * SECOND
AT_A_TIME = 100
TAKEN = 60 * SECOND
"""So long it takes to look at one, whatever comes; after a crash it is looked at again."""

CONFIRMED = frozenset({State.DELIVERED, State.SUPERSEDED})
"""What a newer delivery has superseded, that one confirms."""
GROUPS = {
    "pending": (State.SCHEDULED, State.LEASED),
    "dead": (State.DEAD,),
    "cancelled": (State.CANCELLED,),
}


class Confirm:
    """Looks at each confirmation when it is due."""

    def __init__(
        self,
        *,
        look_up: LookUpStore,
        store: NoteStore,
        keep: Keep,
        inbox: AppendStore,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._look_up = look_up
        self._store = store
        self._keep = keep
        self._inbox = inbox
        self._clock = clock
        self._telemetry = telemetry
        self.loop = Loop("confirm", self._step, clock, telemetry)

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        due = await self._look_up.due_confirmations(now, AT_A_TIME)
        for event_id, route, otherwise in due:
            if await self._store.take_confirmation(event_id, route, now, now + TAKEN):
                await self._look_at(event_id, route, otherwise, now)
        if len(due) == AT_A_TIME:
            return now
        following = await self._look_up.next_confirmation()
        return now + EVERY if following is None else min(following, now + EVERY)

    async def _look_at(self, event_id: EventId, route: str, otherwise: str, now: Micros) -> None:
        """Say what is not delivered, if anything is not. A crash on the way leads here again, to the same event."""
        deliveries = await self._deliveries(event_id, route)
        if any(each["state"] not in CONFIRMED for each in deliveries):
            await self._raise(event_id, route, otherwise, _told(deliveries), now)
        await self._store.end_confirmation(event_id, route)

    async def _deliveries(self, event_id: EventId, route: str) -> list[dict[str, Json]]:
        """What the route sent of the event, in its own order."""
        found: list[dict[str, Json]] = []
        query: dict[str, Json] = {"event": event_id, "route": route, "limit": 500}
        while page := await self._look_up.deliveries(query):
            found += page
            query["cursor"] = parse_delivery_id(page[-1]["id"])
        return found[::-1]

    async def _raise(
        self, event_id: EventId, route: str, otherwise: str, told: dict[str, Json], now: Micros
    ) -> None:
        try:
            cause = await self._look_up.event(event_id)
        except BodyCorrupt:
            cause = None
        if cause is None:
            return
        self._telemetry.emit("route.unconfirmed", route=route, event_id=event_id, type=otherwise)
        if hops_of(cause) >= MOST_HOPS:
            await self._stop(cause, route, otherwise, now)
            return
        event = derived(
            cause,
            event_id=self._keep.new_id(),
            event_type=otherwise,
            origin=f"/routes/{route}",
            data={"route": route, "event": _named(cause), **told},
            now=now,
            key=f"confirm/{event_id}/{route}",
        )
        await self._keep.keep([event], FOREVER)

    async def _stop(self, cause: Event, route: str, otherwise: str, now: Micros) -> None:
        """Make no more events of events: a person has to see why there are so many."""
        entry = entry_about(
            cause,
            name=inbox_id(self._keep.new_id()),
            code="hop-limit",
            detail=f"route {route}: {MOST_HOPS} events have led to one another, so no {otherwise} is made",
            at=now,
        )
        await self._inbox.keep(entry)


def _told(deliveries: Sequence[dict[str, Json]]) -> dict[str, Json]:
    """What is not delivered, by what has become of it."""
    return {
        group: [
            {
                name: each[name]
                for name in ("id", "endpoint", "target", "state", "attempts", "reason")
            }
            for each in deliveries
            if each["state"] in states
        ]
        for group, states in GROUPS.items()
    }


def _named(cause: Event) -> dict[str, Json]:
    return {
        "event_id": cause.event_id,
        "id": cause.id,
        "type": cause.type,
        "source": cause.source,
        "subject": cause.subject,
    }
