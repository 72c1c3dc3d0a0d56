"""The admin listener: JSON for operators and their tools, under /api/v1, and what machines watch."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import __version__
from gateway.core.access import Caller, Scope
from gateway.core.errors import (
    MethodNotAllowed,
    ParameterInvalid,
    PathUnknown,
    ScopeMissing,
    StoreUnavailable,
    Unauthorised,
)
from gateway.core.model import EventId, Json, parse_delivery_id
from gateway.core.state import State
from gateway.web.access import (
    READING,
    AdminGuard,
    address_of,
    check_scope,
    recognised,
)
from gateway.web.bulk import BulkApi
from gateway.web.dashboard.app import Dashboard
from gateway.web.errors import answer
from gateway.web.live import LiveApi
from gateway.web.parameters import json_answer, moment, no_parameter, truth
from gateway.web.surroundings import Surroundings

Do: TypeAlias = Callable[[Request, Caller], Awaitable[Response]]
"""What a path does, for a caller who may."""

LARGEST_LIMIT = 500
LONGEST_REASON = 500
TRUTHS = frozenset({"unmatched", "refused"})
"""Parameters that are `true` or `false`."""


def admin_app(around: Surroundings) -> AdminGuard:
    """The ASGI application of the admin listener."""
    api, bulk = _Api(around), BulkApi(around.bulk)
    paths: list[tuple[Scope, str, str, Do]] = [
        (Scope.READ, "GET", "/readyz", api.readyz),
        (Scope.READ, "GET", "/version", api.version),
        (Scope.READ, "GET", "/metrics", api.metrics),
        (Scope.READ, "GET", "/api/v1/status", api.status),
        (Scope.READ, "GET", "/api/v1/events", api.events),
        (Scope.PAYLOAD, "GET", "/api/v1/events/recorded", api.recorded),
        (Scope.READ, "GET", "/api/v1/events/{id}", api.event),
        (Scope.OPERATE, "POST", "/api/v1/events/{id}/replay", api.replay),
        (Scope.READ, "GET", "/api/v1/deliveries", api.deliveries),
        (Scope.READ, "GET", "/api/v1/deliveries/groups", bulk.groups),
        (Scope.OPERATE, "POST", "/api/v1/deliveries/redeliver", bulk.redeliver),
        (Scope.OPERATE, "POST", "/api/v1/events/replay", bulk.replay),
        (Scope.READ, "GET", "/api/v1/operations", bulk.operations),
        (Scope.READ, "GET", "/api/v1/operations/{id}", bulk.operation),
        (Scope.READ, "GET", "/api/v1/deliveries/{id}", api.delivery),
        (Scope.OPERATE, "POST", "/api/v1/deliveries/{id}/redeliver", api.redeliver),
        (Scope.OPERATE, "POST", "/api/v1/deliveries/{id}/cancel", api.cancel),
        (Scope.READ, "GET", "/api/v1/endpoints", api.endpoints),
        (Scope.READ, "GET", "/api/v1/endpoints/{name}", api.endpoint),
        (Scope.OPERATE, "POST", "/api/v1/endpoints/{name}/pause", api.pause),
        (Scope.OPERATE, "POST", "/api/v1/endpoints/{name}/resume", api.resume),
        (Scope.OPERATE, "POST", "/api/v1/resume", api.resume_all),
        (Scope.READ, "GET", "/api/v1/routes", api.routes),
        (Scope.READ, "GET", "/api/v1/routes/files", api.routes_files),
        (Scope.READ, "GET", "/api/v1/inbox", api.inbox),
        (Scope.READ, "GET", "/api/v1/inbox/{id}", api.inbox_entry),
        (Scope.OPERATE, "POST", "/api/v1/inbox/{id}/read-again", api.read_again),
        (Scope.READ, "GET", "/api/v1/stats", api.stats),
        (Scope.READ, "GET", "/api/v1/live", LiveApi(around.live).live),
        (Scope.ADMIN, "GET", "/api/v1/audit", api.audit),
        (Scope.ADMIN, "POST", "/api/v1/prune", api.prune),
        (Scope.ADMIN, "POST", "/api/v1/erase", api.erase),
    ]
    pages = Dashboard(around)

    async def not_found(request: Request, error: Exception) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        return pages.not_found() if wants_page else await _not_found(request, error)

    app = Starlette(
        routes=[
            *(
                Route(path, api.guarded(do, scope), methods=[method])
                for scope, method, path, do in paths
            ),
            *pages.routes(),
        ],
        exception_handlers={404: not_found, 405: _not_allowed},
    )
    return AdminGuard(app, around.hosts)


class _Api:
    def __init__(self, around: Surroundings) -> None:
        self._look_up = around.look_up
        self._operate = around.operate
        self._shown = around.shown
        self._around = around

    def guarded(self, do: Do, scope: Scope) -> Callable[[Request], Awaitable[Response]]:
        """*do*, for those who may, with errors as problem details."""

        async def handle(request: Request) -> Response:
            try:
                caller = recognised(request, self._around.access)
                try:
                    check_scope(caller, scope)
                except ScopeMissing as error:
                    if request.method not in READING:
                        await self._operate.refused(do.__name__, _object(request), caller, error)
                    raise
                return await do(request, caller)
            except Unauthorised as error:
                self._operate.unknown_caller(address_of(request))
                return _failure(error)
            except Exception as error:  # noqa: BLE001  # web/errors.py knows what to make of it
                return _failure(error)

        return handle

    # -- the gateway itself ------------------------------------------------------------------------

    async def readyz(self, _request: Request, _caller: Caller) -> Response:
        status = self._around.status()
        return json_answer(status, 200 if status["ready"] else 503)

    async def version(self, _request: Request, _caller: Caller) -> Response:
        return json_answer({"version": __version__})

    async def metrics(self, _request: Request, _caller: Caller) -> Response:
        with suppress(StoreUnavailable):  # the rest is wanted all the more
            await self._around.backlog.look()
        return Response(
            self._around.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def status(self, _request: Request, _caller: Caller) -> Response:
        return json_answer(await self._shown.status())

    async def stats(self, _request: Request, _caller: Caller) -> Response:
        return json_answer(await self._shown.stats())

    # -- events and deliveries ---------------------------------------------------------------------

    async def events(self, request: Request, _caller: Caller) -> Response:
        known = ("source", "type", "subject", "state", "unmatched")
        items = await self._look_up.events(_query(request, known))
        return _page(items, request)

    async def event(self, request: Request, caller: Caller) -> Response:
        return json_answer(await self._shown.event(request.path_params["id"], caller))

    async def recorded(self, request: Request, _caller: Caller) -> Response:
        query = _query(request, ())
        items = await self._look_up.recorded(query)
        return json_answer({"items": items, "next": items[-1]["id"] if items else None})

    async def replay(self, request: Request, caller: Caller) -> Response:
        names, failures = await self._operate.replay(request.path_params["id"], caller)
        return json_answer({"deliveries": names, "failures": failures}, 202)

    async def deliveries(self, request: Request, _caller: Caller) -> Response:
        query = _query(request, ("state", "endpoint", "route", "event", "key"))
        return _page(await self._shown.deliveries(query), request)

    async def delivery(self, request: Request, caller: Caller) -> Response:
        return json_answer(await self._shown.delivery(request.path_params["id"], caller))

    async def redeliver(self, request: Request, caller: Caller) -> Response:
        await self._operate.redeliver(request.path_params["id"], caller)
        return json_answer({"id": request.path_params["id"], "state": "scheduled"}, 202)

    async def cancel(self, request: Request, caller: Caller) -> Response:
        await self._operate.cancel(request.path_params["id"], "cancelled by an operator", caller)
        return json_answer({"id": request.path_params["id"], "state": "cancelled"})

    async def inbox(self, request: Request, caller: Caller) -> Response:
        query = _query(request, ("source", "code", "outcome", "refused"))
        return _page(await self._shown.inbox(query, caller), request)

    async def inbox_entry(self, request: Request, caller: Caller) -> Response:
        return json_answer(await self._shown.inbox_entry(request.path_params["id"], caller))

    async def read_again(self, request: Request, caller: Caller) -> Response:
        receipts = await self._around.read_again.again(request.path_params["id"], caller)
        shown = [{"id": each.event_id, "duplicate": each.duplicate} for each in receipts]
        return json_answer({"events": shown}, 202)

    async def audit(self, request: Request, _caller: Caller) -> Response:
        query = _query(request, ("who", "action", "object"))
        return _page(await self._look_up.audit(query), request)

    async def prune(self, request: Request, caller: Caller) -> Response:
        after, dry_run = _slice(request)
        prune = self._around.prune
        done = await (prune.count(after) if dry_run else prune.on_request(after, caller))
        return json_answer({**done.gone, "next": done.after})

    async def erase(self, request: Request, caller: Caller) -> Response:
        after, dry_run = _slice(request, "subject")
        subject = request.query_params.get("subject", "")
        if not subject:
            raise ParameterInvalid("subject is missing", cure="say whose events to erase")
        erase = self._around.erase
        done = await (
            erase.count(subject, after) if dry_run else erase.erase(subject, after, caller)
        )
        told = done.erased._asdict()
        return json_answer({**told, "log_emptied": done.log_emptied, "next": done.after})

    # -- routes ------------------------------------------------------------------------------------

    async def routes(self, _request: Request, _caller: Caller) -> Response:
        return json_answer({"items": self._shown.routes()})

    async def routes_files(self, _request: Request, _caller: Caller) -> Response:
        return json_answer(self._around.files())

    # -- endpoints ---------------------------------------------------------------------------------

    async def endpoints(self, _request: Request, _caller: Caller) -> Response:
        return json_answer({"items": await self._shown.endpoints()})

    async def endpoint(self, request: Request, _caller: Caller) -> Response:
        return json_answer(await self._shown.endpoint(request.path_params["name"]))

    async def pause(self, request: Request, caller: Caller) -> Response:
        await self._operate.pause(request.path_params["name"], caller, _reason(request))
        return json_answer({"name": request.path_params["name"], "state": "paused"})

    async def resume(self, request: Request, caller: Caller) -> Response:
        await self._operate.resume(request.path_params["name"], caller)
        return json_answer({"name": request.path_params["name"], "state": "open"})

    async def resume_all(self, _request: Request, caller: Caller) -> Response:
        await self._operate.resume_all(caller)
        return json_answer({"held_by": self._around.status()["held_by"]})


def _reason(request: Request) -> str:
    """Why an operator asks for it, in that one's own words."""
    if unknown := request.query_params.keys() - {"reason"}:
        raise no_parameter(min(unknown), ("reason",))
    reason = request.query_params.get("reason", "").strip()
    if len(reason) > LONGEST_REASON:
        raise ParameterInvalid(
            "reason is too long", cure=f"use {LONGEST_REASON} characters at most"
        )
    return reason


def _object(request: Request) -> str:
    """The name of what the request would change."""
    return next(iter(request.path_params.values()), "")


def _query(request: Request, known: tuple[str, ...]) -> dict[str, Any]:
    """The filters of a listing, read strictly."""
    query: dict[str, Any] = {}
    for name, value in request.query_params.items():
        if name in known:
            query[name] = value
        elif name in ("since", "until"):
            query[name] = moment(name, value)
        elif name == "limit":
            query[name] = _limit(value)
        elif name == "cursor":
            query[name] = _cursor(value, of_deliveries="route" in known)
        else:
            raise no_parameter(name, (*known, "since", "until", "limit", "cursor"))
    if "state" in query and query["state"] not in list(State):
        raise ParameterInvalid(
            f"{query['state']} is no state", cure=f"use one of {', '.join(State)}"
        )
    for name in TRUTHS & query.keys():
        query[name] = int(query[name] == "true")
    return query


def _slice(request: Request, *more: str) -> tuple[str, bool]:
    """After which event a slice of long work begins, and whether it is only to be counted."""
    known = ("cursor", "dry_run", *more)
    for name in request.query_params:
        if name not in known:
            raise no_parameter(name, known)
    dry_run = truth("dry_run", request.query_params.get("dry_run", "false"))
    return request.query_params.get("cursor", ""), dry_run


def _cursor(value: str, *, of_deliveries: bool) -> tuple[EventId, int] | str:
    """Where a page begins: after this delivery, event or entry of the inbox."""
    parsed = parse_delivery_id(value)
    if (parsed is not None) is not of_deliveries:
        raise ParameterInvalid("cursor is of another listing", cure="use `next` of the last page")
    return parsed or value


def _limit(value: str) -> int:
    if not value.isdigit() or not 1 <= int(value) <= LARGEST_LIMIT:
        raise ParameterInvalid("limit is out of range", cure=f"use 1 to {LARGEST_LIMIT}")
    return int(value)


def _page(items: list[dict[str, Json]], request: Request) -> Response:
    """A listing, with the cursor of the next page when there may be one."""
    limit = int(request.query_params.get("limit", "50"))
    following = items[-1]["id"] if len(items) == limit else None
    return json_answer({"items": items, "next": following})


def _failure(error: Exception) -> Response:
    status, headers, body = answer(error)
    shown = {name.decode(): value.decode() for name, value in headers}
    return Response(body, status, shown, media_type="application/problem+json")


async def _not_found(_request: Request, _error: Exception) -> Response:
    return _failure(PathUnknown("there is nothing at this path", cure="see docs/operations.md"))


async def _not_allowed(request: Request, error: Exception) -> Response:
    allow = (getattr(error, "headers", None) or {}).get("Allow", "GET")
    return _failure(MethodNotAllowed(f"{request.method} is not for this path", allow=allow))
