"""The admin listener: JSON for operators and their tools, under /api/v1, and what machines watch.

Here a call finds its path, and is let in and read as the table of paths says (web/paths.py).
"""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.core.errors import (
    BodyTooLarge,
    MediaTypeUnsupported,
    MethodNotAllowed,
    ParameterInvalid,
    PathUnknown,
    ScopeMissing,
    Unauthorised,
)
from gateway.web.access import READING, AdminGuard, address_of, check_scope, recognised
from gateway.web.asked import Asked, check_part, read_body, read_query
from gateway.web.call import Call
from gateway.web.dashboard.app import Dashboard
from gateway.web.errors import PROBLEM_TYPE, answer
from gateway.web.paths import JSON, PATHS, Path
from gateway.web.surroundings import Surroundings

LARGEST_BODY = 768 * 1024
OF_CURL = "application/x-www-form-urlencoded"
"""What `curl -d` says of whatever it sends."""

Handle = Callable[[Request], Awaitable[Response]]


def admin_app(around: Surroundings) -> AdminGuard:
    """The ASGI application of the admin listener."""
    pages = Dashboard(around)

    async def not_found(request: Request, error: Exception) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        return pages.not_found() if wants_page else await _not_found(request, error)

    app = Starlette(
        routes=[*_routes(around), *pages.routes()],
        exception_handlers={404: not_found, 405: _not_allowed},
    )
    return AdminGuard(app, around.hosts)


def _routes(around: Surroundings) -> list[Route]:
    """One for each path, whatever its methods: so that one with a literal name is never taken for an id."""
    by_path: dict[str, dict[str, Path]] = {}
    for each in PATHS:
        by_path.setdefault(each.path, {})[each.method] = each
    return [Route(path, _Methods(around, methods)) for path, methods in by_path.items()]


class _Methods:
    """What a path does, by method: an ASGI application, which Starlette leaves the methods to."""

    def __init__(self, around: Surroundings, methods: dict[str, Path]) -> None:
        self._handles = {method: _guarded(around, path) for method, path in methods.items()}
        if "GET" in self._handles:
            self._handles["HEAD"] = self._handles["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        handle = self._handles.get(request.method)
        if handle is None:
            shown = _failure(_no_method(request, ", ".join(self._handles)))
        else:
            shown = await handle(request)
        await shown(scope, receive, send)


def _guarded(around: Surroundings, path: Path) -> Handle:
    """What the path does, for those who may, with errors as problem details."""

    async def handle(request: Request) -> Response:
        try:
            caller = recognised(request, around.access)
            part = next(iter(request.path_params.values()), "")
            try:
                check_scope(caller, path.scope)
            except ScopeMissing as error:
                if request.method not in READING:
                    await around.operate.refused(path.do.__name__, part, caller, error)
                raise
            query = read_query(path.query, request.query_params.multi_items())
            body = await _body(request, path.body)
            check_part(part)
            return await path.do(
                Call(around, caller, path.do.__name__, part, query, body, request.headers)
            )
        except Unauthorised as error:
            around.operate.unknown_caller(address_of(request))
            return _failure(error)
        except Exception as error:  # noqa: BLE001  # web/errors.py knows what to make of it
            return _failure(error)

    return handle


async def _body(request: Request, kind: type[Asked] | None) -> Asked | None:
    """What the body says, of a call that has one."""
    if kind is None:
        length = request.headers.get("content-length", "0")
        if length != "0" or "transfer-encoding" in request.headers:
            raise ParameterInvalid("this call has no body", cure="say it in the query")
        return None
    body = await _bytes(request)
    media_type = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if body and media_type not in (JSON, OF_CURL):
        raise MediaTypeUnsupported("the body is not said to be JSON", cure=f"send {JSON}")
    return read_body(kind, body)


async def _bytes(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge(f"the body is larger than {LARGEST_BODY} bytes", cure="send less")
    return body


def _failure(error: Exception) -> Response:
    status, headers, body = answer(error)
    shown = {name.decode(): value.decode() for name, value in headers}
    return Response(body, status, shown, media_type=PROBLEM_TYPE)


def _no_method(request: Request, allow: str) -> MethodNotAllowed:
    return MethodNotAllowed(f"{request.method} is not for this path", allow=allow)


async def _not_found(_request: Request, _error: Exception) -> Response:
    return _failure(PathUnknown("there is nothing at this path", cure="see docs/operations.md"))


async def _not_allowed(request: Request, error: Exception) -> Response:
    allow = (getattr(error, "headers", None) or {}).get("Allow", "GET")
    return _failure(_no_method(request, allow))
