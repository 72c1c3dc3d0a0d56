"""Pages of events: the listing with its search, and one event's way."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from itertools import cycle
from typing import Any

from starlette.responses import Response

from gateway.core.access import Scope
from gateway.core.derived import OWN_SOURCE
from gateway.core.errors import BodyCorrupt, EventErased, NotFound
from gateway.core.model import EventId, Json, parse_delivery_id
from gateway.core.state import State
from gateway.core.words import counted
from gateway.explaining import explained_again
from gateway.web.asked import EventFilter, Events
from gateway.web.dashboard.render import MOST_SHOWN, link
from gateway.web.dashboard.visit import Visit

MOST_PLANNED = 20
"""So much of what an event has planned is told on its page, with the way to the rest."""


async def show_all(visit: Visit) -> Response:
    """The newest, or those that were sought."""
    query = visit.listing(Events)
    found = await visit.leaf(visit.desk.around.shown.events, query)
    return visit.listed(
        "events.html",
        found,
        query,
        sources=[*sorted(visit.desk.around.in_force().sources), OWN_SOURCE],
        states=list(State),
        replayed=_replayed(visit, query),
    )


def _replayed(visit: Visit, query: dict[str, Any]) -> dict[str, str] | None:
    """The filters that all of these are replayed by; None: a replay has not all of those that were sought by."""
    names = query.keys() - {"limit", "cursor"}
    if not names <= EventFilter.model_fields.keys():
        return None
    return {name: visit.asked(name) for name in sorted(names)}


async def show(visit: Visit) -> Response:
    """One event: how it came, what routes made of it, and what became of every delivery."""
    around = visit.desk.around
    event = await around.shown.event(visit.part("id"), visit.caller)
    source = around.in_force().sources.get(event["source"])
    why = await _why(visit, event["id"]) if visit.may(Scope.PAYLOAD) else None
    return visit.page(
        "event.html",
        event=event,
        source=source,
        own=OWN_SOURCE,
        why=why,
        requests={} if why is None else _requests(why["requests"], event["deliveries"]),
        entries=await around.look_up.inbox({"event": event["id"]}),
        planned=(await around.shown.plans({"event": event["id"], "limit": MOST_PLANNED})).items,
        most_shown=MOST_SHOWN,
    )


async def _why(visit: Visit, name: str) -> dict[str, Json] | None:
    """What the routes in force make of it now; None: it is not there any more to be asked about."""
    around = visit.desk.around
    try:
        event = await around.look_up.event(EventId(name))
    except (EventErased, BodyCorrupt):
        return None
    if event is None:
        return None
    ask = partial(explained_again, around.in_force(), event, around.clock.now())
    told: dict[str, Json] = (await visit.informed(ask))["events"][0]
    return told


def _requests(
    made: Sequence[dict[str, Any]], deliveries: Sequence[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The request that would be sent now, by delivery; not where nobody can tell which of several it is.

    A target with `each` has one for every item; their deliveries follow each other, as those of each replay do.
    """
    sent, promised = defaultdict(list), defaultdict(list)
    for request in made:
        sent[_target(request)].append(request)
    for delivery in sorted(deliveries, key=lambda each: parse_delivery_id(each["id"]) or ("", 0)):
        promised[_target(delivery)].append(delivery["id"])
    return {
        name: request
        for target, names in promised.items()
        if sent[target] and len(names) % len(sent[target]) == 0
        for name, request in zip(names, cycle(sent[target]), strict=False)
    }


def _target(of: dict[str, Any]) -> tuple[str, str, str | None]:
    return of["route"], of["endpoint"], of["target"]


async def body(visit: Visit) -> Response:
    """The body as it came, to be kept and not to be shown: a browser must not take it for a page."""
    name = visit.part("id")
    event = await visit.desk.around.look_up.event(EventId(name))
    if event is None:
        raise NotFound(f"there is no event {name}", cure="look for it on the page of events")
    return Response(
        event.body,
        media_type="application/octet-stream",
        headers={"content-disposition": f'attachment; filename="{event.event_id}.body"'},
    )


async def replay(visit: Visit) -> Response:
    """Route it again by the routes in force."""
    name = visit.part("id")
    names, failures = await visit.desk.around.operate.replay(name, visit.caller)
    what = counted(len(names), "new delivery", "new deliveries")
    failed = f" {counted(len(failures), 'route')} failed: {failures[0]}" if failures else ""
    none = "" if names or failures else " No route in force takes it."
    return visit.done(f"Replayed: {what}.{failed}{none}", link("events", name))
