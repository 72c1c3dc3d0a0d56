"""The admin listener's door: which names it answers to, which pages may call it, and who may do what.

A browser on an operator's machine reaches loopback too, whatever page it shows. So requests whose
`Host` is not one of ours are refused: a stranger's name that was made to resolve to this machine (DNS
rebinding) gives itself away there. And a page of another origin changes nothing: browsers say where a
request comes from, in `Origin` and in `Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/).
There is no CORS: no header ever lets a page of another origin read an answer.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from starlette.requests import Request

from gateway.core.access import Access, Caller, Scope
from gateway.core.errors import CrossOrigin, Misdirected, ScopeMissing, Unauthorised
from gateway.web.errors import answer
from gateway.web.hosts import name_in

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""On every answer that does not set its own."""

UNTOLD = "null"
"""The `Origin` of a form on a page whose policy is `no-referrer`
(https://fetch.spec.whatwg.org/#append-a-request-origin-header)."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})


class AdminGuard:
    """An ASGI application before another: Host, origin, and the headers of every answer."""

    def __init__(self, app: Any, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts if not _is_unspecified(host))
        """Names and addresses to answer to, besides those of loopback."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""

        async def send_safely(event: Any) -> None:
            if event["type"] == "http.response.start":
                present = {name.lower() for name, _ in event["headers"]}
                more = [each for each in SECURITY_HEADERS if each[0] not in present]
                event["headers"] = [*event["headers"], *more]
            await send(event)

        try:
            host = _host(scope)
            self._check_host(scope, host)
            if scope["method"] not in READING:
                _check_origin(scope, host)
        except (Misdirected, CrossOrigin) as error:
            status, headers, body = answer(error)
            headers = [*headers, (b"content-type", b"application/problem+json")]
            headers.append((b"content-length", str(len(body)).encode()))
            start = {"type": "http.response.start", "status": status, "headers": headers}
            await send_safely(start)
            await send_safely({"type": "http.response.body", "body": body})
        else:
            await self._app(scope, receive, send_safely)

    def _check_host(self, scope: Any, host: str | None) -> None:
        name = None if host is None else name_in(host)
        own = scope.get("server") or ("",)
        if name is None or not (name in self._hosts or name == own[0] or is_loopback(name)):
            raise Misdirected(
                "the admin API does not answer to this name",
                cure="call it by its address, or add the name with --admin-host",
            )


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_unspecified(host: str) -> bool:
    """Whether it is `0.0.0.0` or `::`: one listens there, and pages that call it mean mischief."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _headers(scope: Any, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _host(scope: Any) -> str | None:
    """The one Host that the request names; None where it names none or several."""
    found = _headers(scope, b"host")
    return found[0].lower() if len(found) == 1 else None


def _check_origin(scope: Any, host: str | None) -> None:
    origins = _headers(scope, b"origin")
    sites = _headers(scope, b"sec-fetch-site")
    # A proxy may speak TLS for us, so that the scheme is not ours to compare.
    same = all(origin.lower().partition("://")[2] == host for origin in origins)
    if origins == [UNTOLD] and sites:
        same = True  # then the other header tells
    if origins == [UNTOLD] and not sites:
        raise CrossOrigin(
            "the browser does not say from which page this comes",
            cure="open the page by https, through a proxy, or on this machine: by plain http from elsewhere"
            " browsers do not tell",
        )
    if not same or any(site != "same-origin" for site in sites):
        raise CrossOrigin(
            "a page of another origin may change nothing here",
            cure="call the admin API from a program, or from its own pages",
        )


def recognised(request: Request, access: Access) -> Caller:
    """Who calls, and from where. Raises Unauthorised."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    caller = access.recognise(token.strip() if scheme.lower() == "bearer" else None)
    if caller is None:
        raise Unauthorised("the admin API wants a token", cure="send `Authorization: Bearer TOKEN`")
    return caller.at(address_of(request))


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def check_scope(caller: Caller, scope: Scope) -> None:
    """Raises ScopeMissing where *caller* may not do that."""
    if not caller.may(scope):
        raise ScopeMissing(
            f"the token {caller.name} lacks the scope {scope}",
            cure=f"use one made with `gateway tokens new NAME --scope {scope}`",
        )
