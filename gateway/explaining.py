"""What the routes make of an event, and why: the engine that delivers, asked instead of run."""

from collections.abc import Mapping

from gateway.core.errors import NotFound
from gateway.core.model import Delivery, Event, Json, Micros, event_id
from gateway.core.routing import Routes, Source, plan
from gateway.core.verifying import Inbound
from gateway.flows.deliver import request_of
from gateway.flows.reading import STRUCTURED, read


def explained(
    routes: Routes, source_name: str | None, body: bytes, headers: Mapping[str, str], now: Micros
) -> dict[str, Json]:
    """Which routes match the event in *body*, where the others failed, and what would be sent.

    *body* is what the source would post, as plain JSON or as a CloudEvent, with *headers* by
    lower-case name. Raises what reading it raises.
    """
    event = _read(_source(routes, source_name), body, headers, now)
    routed = plan(event, routes)
    return {
        "event": event.fields,
        "routes": [
            {
                "name": route.name,
                "matches": not (misses := route.pattern.misses(event.fields)[0]),
                "to": [target.endpoint for target in route.to],
                "misses": [
                    {"field": miss.path, "wanted": miss.wanted, "seen": miss.seen}
                    for miss in misses
                ],
            }
            for route in routes.routes
        ],
        "requests": [_request(routes, delivery, now) for delivery in routed.deliveries],
        "failures": [failure.detail for failure in routed.failures],
    }


def _read(source: Source, body: bytes, headers: Mapping[str, str], now: Micros) -> Event:
    """The first event that *source* would read in *body*."""
    content_type = STRUCTURED if looks_like_cloudevent(body) else "application/json"
    given = {"content-type": content_type, **headers}
    raw = {name.encode(): value.encode() for name, value in given.items()}
    request = Inbound("POST", raw, frozenset(), body, now)
    return read(source, request, None, lambda: event_id(now, 0)).events[0]


def looks_like_cloudevent(body: bytes) -> bool:
    """Whether a body is meant as structured CloudEvents JSON."""
    return b'"specversion"' in body


def _source(routes: Routes, name: str | None) -> Source:
    names = list(routes.sources)
    found = routes.sources.get(name or (names[0] if names else ""))
    if found is None:
        raise NotFound(f"there is no source {name}", cure=f"known: {', '.join(names) or '(none)'}")
    return found


def _request(routes: Routes, delivery: Delivery, now: Micros) -> dict[str, Json]:
    """The request that a delivery would begin with, its secrets hidden."""
    endpoint = routes.endpoints[delivery.endpoint]
    if endpoint.handler is not None:
        return {
            "endpoint": endpoint.name,
            "route": delivery.route,
            "handler": endpoint.handler,
            "url": endpoint.url,
        }
    call = request_of(endpoint, delivery, now)
    hidden = {"webhook-signature", *endpoint.headers}
    return {
        "endpoint": endpoint.name,
        "route": delivery.route,
        "method": call.method,
        "url": call.url,
        "headers": {n: "(hidden)" if n in hidden else v for n, v in call.headers.items()},
        "body": call.body.decode("utf-8", "replace"),
    }
