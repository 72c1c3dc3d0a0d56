"""Queries of routes.yaml: what may be asked of endpoints, and by whom."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from gateway.config.endpoint_shapes import EndpointShape
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.query_shapes import QueryShape
from gateway.core.access import digest_of
from gateway.core.queries import Query
from gateway.core.secret import Key

PATH = re.compile(r"([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
"""RFC 3986 §3.3; nothing is computed in it."""
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750 §2.1."""


def build_query(
    name: str, shape: QueryShape, part: Part, endpoints: Mapping[str, EndpointShape | None]
) -> Query | None:
    """The query that *shape* describes; None where it cannot be built, which is noted.

    An endpoint that is faulty is None among *endpoints*.
    """
    _check_endpoint(shape, part.at("endpoint"), endpoints)
    _check_path(shape.path, part.at("path"))
    _check_parameters(shape, part)
    return Query(
        name=name,
        endpoint=shape.endpoint,
        path=shape.path,
        parameters=frozenset(each.removesuffix("[]") for each in shape.parameters),
        repeated=frozenset(e.removesuffix("[]") for e in shape.parameters if e.endswith("[]")),
        fixed=shape.fixed,
        callers=_callers(shape, part),
        cache=shape.cache,
        stale=shape.stale,
        rate=shape.rate,
        most_bytes=shape.max_answer,
        origins=frozenset(shape.origins),
        owner=shape.owner,
    )


def _check_endpoint(
    shape: QueryShape, part: Part, endpoints: Mapping[str, EndpointShape | None]
) -> None:
    if shape.endpoint == QueryShape.stand_ins["endpoint"] and shape.endpoint not in endpoints:
        return  # what is wrong with it has been noted
    if shape.endpoint not in endpoints:
        what = f'there is no endpoint "{shape.endpoint}"'
        part.fault("unknown-endpoint", what, nearest(shape.endpoint, list(endpoints)))
    elif (endpoint := endpoints[shape.endpoint]) is not None and endpoint.handler is not None:
        what = f'"{shape.endpoint}" is called by its handler, and a query asks by itself'
        part.fault("query-handler", what, "ask an endpoint that has no `handler`")


def _check_path(path: str, part: Part) -> None:
    if not PATH.fullmatch(path) or {".", ".."} & set(unquote(path).split("/")):
        cure = "write a path below the endpoint's URL, encoded; what varies is a parameter"
        part.fault("query-path", "this is no path", cure)


def _check_parameters(shape: QueryShape, part: Part) -> None:
    seen: set[str] = set()
    for i, written in enumerate(shape.parameters):
        name = written.removesuffix("[]")
        if name in seen:
            what = f"`{name}` stands here twice"
            part.at("parameters", i).fault("query-parameters", what, "remove one of them")
        elif name in shape.fixed:
            what = f"`{name}` is always sent as it stands under `fixed`"
            part.at("parameters", i).fault("query-parameters", what, "remove one or the other")
        seen.add(name)


def _callers(shape: QueryShape, part: Part) -> tuple[Key, ...] | None:
    if shape.callers is None:
        cure = "add `callers: [{env: NAME}]`, or spell out `callers: anyone`"
        part.fault("query-callers", "anyone could ask this query", cure, key=True)
        return ()
    if shape.callers == "anyone":
        return None
    return part.at("callers").keys(shape.callers, "text", _digest, "bearer token")


def _digest(token: str) -> bytes:
    """What is kept of a token. Raises ValueError where no request could carry it."""
    if not TOKEN.fullmatch(token):
        raise ValueError("it has characters that a bearer token cannot have")
    return digest_of(token)
