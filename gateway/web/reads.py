"""Paths of the admin API that only show."""

from contextlib import suppress
from functools import cache
from typing import Any

import orjson
from starlette.responses import Response

from gateway import __version__
from gateway.core.errors import StoreUnavailable
from gateway.core.listing import Listed
from gateway.core.model import parse_delivery_id
from gateway.core.register import conditions_of
from gateway.web.call import Call, json_answer
from gateway.web.etags import names, tag_of, tag_of_endpoint


async def readyz(call: Call) -> Response:
    """Whether it takes events."""
    status = call.around.status()
    return json_answer(status, 200 if status["ready"] else 503)


async def version(_call: Call) -> Response:
    """Which one it is."""
    return json_answer({"version": __version__})


async def metrics(call: Call) -> Response:
    """What it counted."""
    with suppress(StoreUnavailable):  # the rest is wanted all the more
        await call.around.backlog.look()
    return Response(call.around.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def document(_call: Call) -> Response:
    """What the API is."""
    return Response(_document(), media_type="application/json")


@cache
def _document() -> bytes:
    from gateway.web.openapi import document  # noqa: PLC0415  # it describes what is here

    return orjson.dumps(document())


async def status(call: Call) -> Response:
    """How it fares."""
    return json_answer(await call.around.shown.status())


async def stats(call: Call) -> Response:
    """What waits."""
    return json_answer(await call.around.shown.stats())


async def events(call: Call) -> Response:
    """A page of events."""
    return _page(await call.around.shown.events(call.filters))


async def event(call: Call) -> Response:
    """One event."""
    return json_answer(await call.around.shown.event(call.part, call.caller))


async def recorded(call: Call) -> Response:
    """A page of whole events."""
    items = await call.around.shown.recorded(call.filters)
    return json_answer({"items": items, "next": items[-1]["id"] if items else None})


async def deliveries(call: Call) -> Response:
    """A page of deliveries."""
    query: dict[str, Any] = call.filters
    if "cursor" in query:
        query["cursor"] = parse_delivery_id(query["cursor"])
    return _page(await call.around.shown.deliveries(query))


async def delivery(call: Call) -> Response:
    """One delivery."""
    return json_answer(await call.around.shown.delivery(call.part, call.caller))


async def inbox(call: Call) -> Response:
    """A page of the inbox."""
    return _page(await call.around.shown.inbox(call.filters, call.caller))


async def inbox_entry(call: Call) -> Response:
    """One entry."""
    return json_answer(await call.around.shown.inbox_entry(call.part, call.caller))


async def audit(call: Call) -> Response:
    """A page of changes."""
    return _page(await call.around.shown.audit(call.filters))


async def plans(call: Call) -> Response:
    """A page of what is planned."""
    return _page(await call.around.shown.plans(call.filters))


async def collections(call: Call) -> Response:
    """What the register has."""
    return json_answer({"items": await call.around.register.collections()})


async def register(call: Call) -> Response:
    """A page of things of a collection."""
    conditions = conditions_of(call.filters.get("where", ""))
    query = {**call.filters, "collection": call.part, "where": conditions}
    return _page(await call.around.register.register_entries(query))


async def routes(call: Call) -> Response:
    """The routes in force."""
    return json_answer({"items": call.around.shown.routes()})


async def routes_files(call: Call) -> Response:
    """Their files."""
    files = call.around.files()
    tag = tag_of(files)
    if names(call.headers.get("if-none-match"), tag, weakly=True):
        return Response(status_code=304, headers={"etag": tag})
    return json_answer(files, etag=tag)


async def endpoints(call: Call) -> Response:
    """All endpoints."""
    return json_answer({"items": await call.around.shown.endpoints()})


async def endpoint(call: Call) -> Response:
    """One of them."""
    shown = await call.around.shown.endpoint(call.part)
    return json_answer(shown, etag=tag_of_endpoint(shown))


def _page(listed: Listed) -> Response:
    return json_answer({"items": listed.items, "next": listed.next})
