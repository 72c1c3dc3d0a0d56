"""`GET /q/{name}`: what a query of routes.yaml is asked over HTTP, and answered.

Of the endpoint's answer the status, the type and the body are passed on, and none of its headers:
what a cache may do with it is for the gateway to say (`age`, `cache-control`, `cache-status` of RFC 9211).
"""

from collections.abc import Iterable, MutableMapping
from typing import Any

from gateway.core.errors import CallerUnknown, Draining, GatewayError, MethodNotAllowed, PathUnknown
from gateway.core.model import SECOND
from gateway.core.queries import Query
from gateway.flows.admit import Admit
from gateway.flows.query import Queries, Served
from gateway.web.errors import PROBLEM, Headers, answer
from gateway.web.etags import names

NO_STORE = (b"cache-control", b"no-store")
INERT: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
]
"""What an endpoint answers is data, whatever a browser would like to see in it."""
ALLOWED = "GET, HEAD"
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"authorization, if-none-match"),
    (b"access-control-max-age", b"600"),
]
EXPOSED = (b"access-control-expose-headers", b"age, cache-status, etag, retry-after")

Scope = MutableMapping[str, Any]


class QueryDoor:
    """Answers what is asked below /q/."""

    def __init__(self, queries: Queries, admit: Admit) -> None:
        self._queries = queries
        self._admit = admit

    async def ask(self, name: str, scope: Scope, *, draining: bool) -> tuple[int, Headers, bytes]:
        """Status, headers and body. Raises PathUnknown where there is no such query."""
        query = self._queries.named(name)
        if query is None:
            raise PathUnknown("there is nothing at this path", cure="post to /in/{source}")
        headers: Headers
        try:
            if scope["method"] == "OPTIONS" and query.origins:
                return 204, [*PREFLIGHT, *_shared(query, scope)], b""
            served = await self._served(query, scope, draining=draining)
        except GatewayError as error:
            self._queries.answered(name, error.code)
            status, headers, body = answer(error)
            headers = [PROBLEM, NO_STORE, *headers, *_shared(query, scope)]
            return status, headers, body
        self._queries.answered(name, served.way)
        status, headers, body = _answer(query, served, scope)
        return status, [*headers, *_shared(query, scope)], body

    async def _served(self, query: Query, scope: Scope, *, draining: bool) -> Served:
        if draining:
            raise Draining("the gateway is shutting down", cure="ask again")
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed("queries are asked with GET", allow=ALLOWED)
        client = scope["client"][0] if scope["client"] else ""
        self._admit.count(self._admit.address(client, scope["headers"])[0])
        if not self._queries.admits(query, _token(scope)):
            raise CallerUnknown(
                "this query wants a token that it knows", cure="send `Authorization: Bearer TOKEN`"
            )
        return await self._queries.answer(query.name, query.asked(scope["query_string"]))


def _answer(query: Query, served: Served, scope: Scope) -> tuple[int, Headers, bytes]:
    found, left = served.answer, max(0, served.fresh_for) // SECOND
    kept_by = "public" if query.callers is None else "private"
    headers: Headers = [
        (b"etag", found.tag.encode()),
        (b"age", b"%d" % (served.age // SECOND)),
        (b"cache-control", f"{kept_by}, max-age={left}".encode()),
        (b"cache-status", _cache_status(served).encode()),
    ]
    known = b",".join(_all(scope, b"if-none-match")).decode("latin-1")
    if names(known, found.tag, weakly=True):
        return 304, headers, b""
    kind = found.content_type.encode("latin-1", "replace")
    return found.status, [(b"content-type", kind), *INERT, *headers], found.body


def _cache_status(served: Served) -> str:
    """What RFC 9211 has words for: whether the endpoint was asked for this, and how fresh it is."""
    match served.way:
        case "hit":
            return f"rights-gateway; hit; ttl={served.fresh_for // SECOND}"
        case "stale":
            way = "hit" if served.held_back else "fwd=stale"
            told = f"; fwd-status={served.failure}" if served.failure.isdigit() else ""
            ttl = served.fresh_for // SECOND
            return f'rights-gateway; {way}{told}; ttl={ttl}; detail="{served.failure}"'
        case "collapsed":
            return "rights-gateway; fwd=miss; collapsed"
        case "fetched":
            return "rights-gateway; fwd=miss"


def _token(scope: Scope) -> str | None:
    """The one bearer token that a request carries."""
    found = _all(scope, b"authorization")
    scheme, _, token = (found[0] if len(found) == 1 else b"").decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _shared(query: Query, scope: Scope) -> Headers:
    """What lets a page of an origin that may ask read the answer."""
    if not query.origins:
        return []
    vary: Iterable[tuple[bytes, bytes]] = [(b"vary", b"origin")]
    origins = _all(scope, b"origin")
    if len(origins) == 1 and origins[0].decode("latin-1") in query.origins:
        return [*vary, (b"access-control-allow-origin", origins[0]), EXPOSED]
    return [*vary]


def _all(scope: Scope, name: bytes) -> list[bytes]:
    return [value for each, value in scope["headers"] if each == name]
