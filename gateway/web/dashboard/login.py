"""The page that asks for a token."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.web.dashboard.render import Renderer, link
from gateway.web.dashboard.visit import local


def page(renderer: Renderer, request: Request, *, refused: bool = False) -> Response:
    """The form, once more where the token was *refused*."""
    shown = renderer.page(
        "login.html", 401 if refused else 200, refused=refused, wanted=next_place(request)
    )
    # So that the browser tells in `Origin` how it came: see session.py.
    shown.headers["referrer-policy"] = "same-origin"
    return shown


def place(wanted: str) -> str:
    """The address of the page that leads on to *wanted*."""
    return link("login", next=wanted)


def next_place(request: Request) -> str:
    """Where someone wanted to go who has to log in first."""
    return local(request.query_params.get("next", ""), "/")
