"""The admin listener: JSON for operators and their tools, under /api/v1, and what machines watch."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import __version__
from gateway.core.errors import (
    MethodNotAllowed,
    NotFound,
    ParameterInvalid,
    PathUnknown,
    Unauthorised,
)
from gateway.core.model import SECOND, EventId, Json, parse_delivery_id
from gateway.core.state import State
from gateway.flows.operate import Operate
from gateway.ports import LookUpStore
from gateway.web.errors import answer

LARGEST_LIMIT = 500
TRUTHS = frozenset({"unmatched", "refused"})
"""Parameters that are `true` or `false`."""


@dataclass(slots=True)
class Surroundings:
    """What the admin API shows and does."""

    look_up: LookUpStore
    operate: Operate
    status: Callable[[], dict[str, Json]]
    """What /readyz tells in detail."""
    routes: Callable[[], dict[str, dict[str, int]]]
    """By route, what it has done since the start: how often it matched, withheld and failed."""
    files: Callable[[], dict[str, Json]]
    """The routes files in force: their texts, in which secrets are only referred to."""
    metrics: Callable[[], bytes]
    """The exposition for Prometheus."""
    token: str | None = None
    """None: on loopback, everyone on this machine may."""


def admin_app(around: Surroundings) -> Starlette:
    """The ASGI application of the admin listener."""
    api = _Api(around)
    paths: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
        ("GET", "/readyz", api.readyz),
        ("GET", "/version", api.version),
        ("GET", "/metrics", api.metrics),
        ("GET", "/api/v1/status", api.status),
        ("GET", "/api/v1/events", api.events),
        ("GET", "/api/v1/events/recorded", api.recorded),
        ("GET", "/api/v1/events/{id}", api.event),
        ("POST", "/api/v1/events/{id}/replay", api.replay),
        ("GET", "/api/v1/deliveries", api.deliveries),
        ("GET", "/api/v1/deliveries/{id}", api.delivery),
        ("POST", "/api/v1/deliveries/{id}/redeliver", api.redeliver),
        ("POST", "/api/v1/deliveries/{id}/cancel", api.cancel),
        ("GET", "/api/v1/endpoints", api.endpoints),
        ("POST", "/api/v1/endpoints/{name}/pause", api.pause),
        ("POST", "/api/v1/endpoints/{name}/resume", api.resume),
        ("GET", "/api/v1/routes", api.routes),
        ("GET", "/api/v1/routes/files", api.routes_files),
        ("GET", "/api/v1/inbox", api.inbox),
        ("GET", "/api/v1/inbox/{id}", api.inbox_entry),
        ("GET", "/api/v1/stats", api.stats),
    ]
    return Starlette(
        routes=[Route(path, api.guarded(do), methods=[method]) for method, path, do in paths],
        exception_handlers={404: _not_found, 405: _not_allowed},
    )


class _Api:
    def __init__(self, around: Surroundings) -> None:
        self._look_up = around.look_up
        self._operate = around.operate
        self._around = around
        self._token = None if around.token is None else sha256(around.token.encode()).digest()

    def guarded(
        self, do: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """*do*, for those who may, with errors as problem details."""

        async def handle(request: Request) -> Response:
            try:
                self._authorise(request)
                return await do(request)
            except Exception as error:  # noqa: BLE001  # web/errors.py knows what to make of it
                return _failure(error)

        return handle

    def _authorise(self, request: Request) -> None:
        if self._token is None:
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
            raise Unauthorised(
                "the admin API wants a token", cure="send `Authorization: Bearer TOKEN`"
            )

    # -- the gateway itself ------------------------------------------------------------------------

    async def readyz(self, _request: Request) -> Response:
        status = self._around.status()
        return _json(status, 200 if status["ready"] else 503)

    async def version(self, _request: Request) -> Response:
        return _json({"version": __version__})

    async def metrics(self, _request: Request) -> Response:
        return Response(
            self._around.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def status(self, _request: Request) -> Response:
        return _json(
            {
                **self._around.status(),
                "endpoints": self._operate.endpoints(),
                "failing": self._failing(),
                "stats": await self._look_up.stats(),
            }
        )

    def _failing(self) -> list[dict[str, Json]]:
        """The routes with expressions that failed since the start, and who to ask about them."""
        return [
            {"route": route, "owner": self._operate.owner(route), "events": counts["failed"]}
            for route, counts in self._around.routes().items()
            if counts.get("failed")
        ]

    async def stats(self, _request: Request) -> Response:
        return _json(await self._look_up.stats())

    # -- events and deliveries ---------------------------------------------------------------------

    async def events(self, request: Request) -> Response:
        known = ("source", "type", "subject", "state", "unmatched")
        items = await self._look_up.events(_query(request, known))
        return _page(items, request)

    async def event(self, request: Request) -> Response:
        name = EventId(request.path_params["id"])
        event = await self._look_up.shown_event(name)
        if event is None:
            raise NotFound(f"there is no event {name}", cure="see `gateway events`")
        deliveries = await self._look_up.deliveries({"event": name, "limit": LARGEST_LIMIT})
        for delivery in self._owned(deliveries):
            delivery["attempts"] = await self._attempts(delivery["id"])
        withheld = await self._look_up.withheld(name)
        return _json({**event, "deliveries": deliveries[::-1], "withheld": withheld})

    async def recorded(self, request: Request) -> Response:
        query = _query(request, ())
        items = await self._look_up.recorded(query)
        return _json({"items": items, "next": items[-1]["id"] if items else None})

    async def replay(self, request: Request) -> Response:
        names, failures = await self._operate.replay(request.path_params["id"])
        return _json({"deliveries": names, "failures": failures}, 202)

    async def deliveries(self, request: Request) -> Response:
        query = _query(request, ("state", "endpoint", "route", "event"))
        return _page(self._owned(await self._look_up.deliveries(query)), request)

    async def delivery(self, request: Request) -> Response:
        name = request.path_params["id"]
        parsed = parse_delivery_id(name)
        query = {"event": parsed[0], "n": parsed[1]} if parsed else {"event": ""}
        for found in self._owned(await self._look_up.deliveries(query)):
            return _json({**found, "attempts": await self._attempts(name)})
        raise NotFound(f"there is no delivery {name}", cure="see `gateway deliveries`")

    async def redeliver(self, request: Request) -> Response:
        await self._operate.redeliver(request.path_params["id"])
        return _json({"id": request.path_params["id"], "state": "scheduled"}, 202)

    async def cancel(self, request: Request) -> Response:
        await self._operate.cancel(request.path_params["id"], "cancelled by an operator")
        return _json({"id": request.path_params["id"], "state": "cancelled"})

    async def inbox(self, request: Request) -> Response:
        query = _query(request, ("source", "code", "outcome", "refused"))
        return _page(await self._look_up.inbox(query), request)

    async def inbox_entry(self, request: Request) -> Response:
        name = request.path_params["id"]
        for found in await self._look_up.inbox({"id": name}):
            return _json(found)
        raise NotFound(f"there is no entry {name} in the inbox", cure="see `gateway inbox`")

    # -- routes ------------------------------------------------------------------------------------

    async def routes(self, _request: Request) -> Response:
        counts = self._around.routes()
        items = [
            {**route, "counts": counts.get(route["name"], {})} for route in self._operate.routes()
        ]
        return _json({"items": items})

    async def routes_files(self, _request: Request) -> Response:
        return _json(self._around.files())

    # -- endpoints ---------------------------------------------------------------------------------

    async def endpoints(self, _request: Request) -> Response:
        return _json({"items": self._operate.endpoints()})

    async def pause(self, request: Request) -> Response:
        await self._operate.pause(request.path_params["name"])
        return _json({"name": request.path_params["name"], "state": "paused"})

    async def resume(self, request: Request) -> Response:
        await self._operate.resume(request.path_params["name"])
        return _json({"name": request.path_params["name"], "state": "open"})

    def _owned(self, deliveries: list[dict[str, Json]]) -> list[dict[str, Json]]:
        """Deliveries with who to ask about them."""
        for each in deliveries:
            each["owner"] = self._operate.owner(each["route"], each["endpoint"])
        return deliveries

    async def _attempts(self, name: str) -> list[dict[str, Json]]:
        parsed = parse_delivery_id(name)
        return await self._look_up.attempts(*parsed) if parsed else []


def _query(request: Request, known: tuple[str, ...]) -> dict[str, Any]:
    """The filters of a listing, read strictly."""
    query: dict[str, Any] = {}
    for name, value in request.query_params.items():
        if name in known:
            query[name] = value
        elif name in ("since", "until"):
            query[name] = _moment(name, value)
        elif name == "limit":
            query[name] = _limit(value)
        elif name == "cursor":
            query[name] = _cursor(value, of_deliveries="route" in known)
        else:
            cure = f"use {', '.join([*known, 'since', 'until', 'limit', 'cursor'])}"
            raise ParameterInvalid(f"there is no parameter {name}", cure=cure)
    if "state" in query and query["state"] not in list(State):
        raise ParameterInvalid(
            f"{query['state']} is no state", cure=f"use one of {', '.join(State)}"
        )
    for name in TRUTHS & query.keys():
        query[name] = int(query[name] == "true")
    return query


def _cursor(value: str, *, of_deliveries: bool) -> tuple[EventId, int] | str:
    """Where a page begins: after this delivery, event or entry of the inbox."""
    parsed = parse_delivery_id(value)
    if (parsed is not None) is not of_deliveries:
        raise ParameterInvalid("cursor is of another listing", cure="use `next` of the last page")
    return parsed or value


def _moment(name: str, value: str) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ParameterInvalid(f"{name} is no moment", cure="write it as 2026-12-01T00:00:00Z")
    return round(moment.timestamp() * SECOND)


def _limit(value: str) -> int:
    if not value.isdigit() or not 1 <= int(value) <= LARGEST_LIMIT:
        raise ParameterInvalid("limit is out of range", cure=f"use 1 to {LARGEST_LIMIT}")
    return int(value)


def _page(items: list[dict[str, Json]], request: Request) -> Response:
    """A listing, with the cursor of the next page when there may be one."""
    limit = int(request.query_params.get("limit", "50"))
    following = items[-1]["id"] if len(items) == limit else None
    return _json({"items": items, "next": following})


def _json(value: Json, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def _failure(error: Exception) -> Response:
    status, headers, body = answer(error)
    shown = {name.decode(): value.decode() for name, value in headers}
    return Response(body, status, shown, media_type="application/problem+json")


async def _not_found(_request: Request, _error: Exception) -> Response:
    return _failure(PathUnknown("there is nothing at this path", cure="see docs/operations.md"))


async def _not_allowed(request: Request, error: Exception) -> Response:
    allow = (getattr(error, "headers", None) or {}).get("Allow", "GET")
    return _failure(MethodNotAllowed(f"{request.method} is not for this path", allow=allow))
