"""The pages and what their buttons do: which scope each wants, and what becomes of errors."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.core.access import LOCAL, Caller, Scope
from gateway.core.errors import GatewayError, NotFound, ScopeMissing
from gateway.web.access import READING, address_of, check_scope
from gateway.web.asked import check_part
from gateway.web.dashboard import (
    audit,
    dead,
    deliveries,
    endpoints,
    events,
    inbox,
    login,
    overview,
    planned,
    register,
    replay,
    routes,
)
from gateway.web.dashboard.render import Renderer
from gateway.web.dashboard.session import Session, Sessions, set_cookie
from gateway.web.dashboard.visit import Desk, Visit, read_form
from gateway.web.errors import told_of
from gateway.web.surroundings import Surroundings

Do: TypeAlias = Callable[[Visit], Awaitable[Response]]

PAGES: tuple[tuple[Scope, str, str, Do], ...] = (
    (Scope.READ, "GET", "/", overview.show),
    (Scope.OPERATE, "POST", "/resume", overview.resume),
    (Scope.OPERATE, "POST", "/sources/{name}/poll", overview.poll),
    (Scope.READ, "GET", "/events", events.show_all),
    (Scope.OPERATE, "GET", "/events/replay", replay.preview),
    (Scope.OPERATE, "POST", "/events/replay", replay.replay),
    (Scope.READ, "GET", "/events/{id}", events.show),
    (Scope.PAYLOAD, "GET", "/events/{id}/body", events.body),
    (Scope.OPERATE, "POST", "/events/{id}/replay", events.replay),
    (Scope.READ, "GET", "/deliveries", deliveries.show_all),
    (Scope.READ, "GET", "/deliveries/{id}", deliveries.show),
    (Scope.OPERATE, "POST", "/deliveries/{id}/redeliver", deliveries.redeliver),
    (Scope.OPERATE, "POST", "/deliveries/{id}/cancel", deliveries.cancel),
    (Scope.READ, "GET", "/endpoints", endpoints.show_all),
    (Scope.READ, "GET", "/endpoints/{name}", endpoints.show),
    (Scope.OPERATE, "POST", "/endpoints/{name}/pause", endpoints.pause),
    (Scope.OPERATE, "POST", "/endpoints/{name}/resume", endpoints.resume),
    (Scope.READ, "GET", "/dead", dead.show),
    (Scope.OPERATE, "GET", "/dead/redeliver", dead.preview),
    (Scope.OPERATE, "POST", "/dead/redeliver", dead.redeliver),
    (Scope.READ, "GET", "/operations/{id}", dead.operation),
    (Scope.OPERATE, "POST", "/operations/{id}/go-on", dead.go_on),
    (Scope.READ, "GET", "/register", register.show_all),
    (Scope.PAYLOAD, "GET", "/register/{name}", register.show),
    (Scope.READ, "GET", "/planned", planned.show),
    (Scope.OPERATE, "POST", "/planned/{id}/cancel", planned.cancel),
    (Scope.OPERATE, "POST", "/planned/{id}/answer/{answer}", planned.answer),
    (Scope.READ, "GET", "/inbox", inbox.show_all),
    (Scope.READ, "GET", "/inbox/{id}", inbox.show),
    (Scope.OPERATE, "POST", "/inbox/read-again", inbox.read_all_again),
    (Scope.OPERATE, "POST", "/inbox/{id}/read-again", inbox.read_again),
    (Scope.READ, "GET", "/routes", routes.show),
    (Scope.READ, "POST", "/routes", routes.explain),
    (Scope.ADMIN, "GET", "/audit", audit.show),
)
"""Which scope each wants, and the function that answers."""

ENDED = "The session had ended, and nothing was done: look at the page again, and press once more."
"""Said where a new one needs no token."""


class Dashboard:
    """Answers for the pages."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._sessions = Sessions(around.access, around.clock)
        self._desk = Desk(around, Renderer(around.clock.now))

    def routes(self) -> list[Route]:
        """Where the pages are."""
        return [
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/static/{name}", self._static),
            *(
                Route(path, self._guarded(do, scope), methods=[method])
                for scope, method, path, do in PAGES
            ),
        ]

    def not_found(self) -> Response:
        """A page that says that there is none."""
        cure = "follow a link above, or look for an id on the page of events"
        return self._failure(None, NotFound("there is nothing at this address", cure=cure))

    def _guarded(self, do: Do, scope: Scope) -> Callable[[Request], Awaitable[Response]]:
        """*do*, for those who may, with errors as pages."""

        async def handle(request: Request) -> Response:
            found = self._sessions.of(request)
            if found is not None:
                return await self._shown(do, scope, request, *found)
            begun = self._sessions.begin(None)  # where no token is needed
            if begun is None:
                return _to_log_in(request)
            session, cookie = begun
            if request.method in READING:
                caller = LOCAL.at(address_of(request))
                shown = await self._shown(do, scope, request, session, caller)
            else:
                session.notices.append(ENDED)
                shown = RedirectResponse(_page_of(request), 303)
            set_cookie(request, shown, cookie)
            return shown

        return handle

    async def _shown(
        self, do: Do, scope: Scope, request: Request, session: Session, caller: Caller
    ) -> Response:
        try:
            return await self._answer(do, scope, request, session, caller)
        except Exception as error:  # noqa: BLE001  # web/errors.py knows what to make of it
            return self._failure(Visit(self._desk, request, session, caller, {}), error)

    async def _answer(
        self, do: Do, scope: Scope, request: Request, session: Session, caller: Caller
    ) -> Response:
        form = {}
        if request.method not in READING:
            form = await read_form(request)
            session.check_form(form.pop("csrf", ""))
        try:
            check_scope(caller, scope)
        except ScopeMissing as error:
            if request.method not in READING:
                name = next(iter(request.path_params.values()), "")
                await self._around.operate.refused(do.__name__, name, caller, error)
            raise
        for part in request.path_params.values():
            check_part(part)
        return await do(Visit(self._desk, request, session, caller, form))

    def _failure(self, visit: Visit | None, error: Exception) -> Response:
        """A page that tells of an error, in the words and with the status that the API has for it."""
        told = told_of(error)
        what, cure = told.detail, ""
        if told.status < 500 and isinstance(error, GatewayError):
            what, cure = error.what, error.cure
        said = {"number": told.status, "title": told.title, "what": what, "cure": cure}
        if visit is None:
            shown = self._desk.renderer.page("bare_error.html", told.status, **said)
        else:
            shown = visit.page("error.html", told.status, **said)
        for name, value in told.headers:
            shown.headers.setdefault(name.decode(), value.decode())
        return shown

    # -- coming and going --------------------------------------------------------------------------

    async def _login(self, request: Request) -> Response:
        if request.method in READING:
            if self._around.access.recognise_digest(None) is not None:
                return RedirectResponse("/", 303)  # nobody has a token, and nobody needs one
            return login.page(self._desk.renderer, request)
        try:
            form = await read_form(request)
        except Exception as error:  # noqa: BLE001
            return self._failure(None, error)
        begun = self._sessions.begin(form.get("token", "").strip())
        if begun is None:
            self._around.operate.unknown_caller(address_of(request))
            return login.page(self._desk.renderer, request, refused=True)
        welcome = RedirectResponse(login.next_place(request), 303)
        set_cookie(request, welcome, begun[1])
        return welcome

    async def _logout(self, request: Request) -> Response:
        found = self._sessions.of(request)
        left = RedirectResponse("/login", 303)
        if found is not None:
            try:
                found[0].check_form((await read_form(request)).get("csrf", ""))
            except Exception as error:  # noqa: BLE001
                return self._failure(None, error)
            self._sessions.end(request, left)
        return left

    async def _static(self, request: Request) -> Response:
        asset = self._desk.renderer.assets.answer(request.path_params["name"])
        return self.not_found() if asset is None else asset


def _page_of(request: Request) -> str:
    """The page that has the button which was pressed."""
    path = request.url.path
    if path.startswith("/planned/"):  # what is planned has no page of its own
        return "/planned"
    return path if path == "/routes" else path.rpartition("/")[0] or "/"


def _to_log_in(request: Request) -> Response:
    """To the page that asks for a token; what was wanted is found again afterwards."""
    if request.method not in READING or request.url.path == "/":
        return RedirectResponse("/login", 303)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(login.place(wanted), 303)
