"""Values with defaults: a test names only what it is about."""

import itertools
from typing import Any

import orjson

from gateway.core.evidence_key import EvidenceKey
from gateway.core.grammar import compile_pattern
from gateway.core.model import (
    SECOND,
    Arrival,
    BodyForm,
    Delivery,
    Event,
    Lease,
    Routed,
    event_id,
)
from gateway.core.routes import EndpointConfig, Route, Routes, Source, Target, indexed
from gateway.core.verifying import NoVerifier

NOW = 1_795_000_000 * SECOND
ENCRYPTION_KEY = bytes(range(32))
EVIDENCE_KEY = EvidenceKey(bytes(range(1, 33)))
_serial = itertools.count(1)


def an_event(
    *, source: str = "getty", event_type: str = "license.expiring", key: str | None = None,
    data: Any = None, received_at: int = NOW, subject: str | None = "license/1", **attributes: Any,
) -> Event:  # fmt: skip
    """An event as reading would make it of a structured CloudEvent."""
    serial = next(_serial)
    fields = {
        "specversion": "1.0", "id": f"id-{serial}", "source": "/test", "type": event_type,
        "time": "2026-11-18T11:06:40Z", "datacontenttype": "application/json",
        **({"subject": subject} if subject else {}), **attributes,
    }  # fmt: skip
    data = {"days_left": 14} if data is None else data
    splice = orjson.dumps(data)
    head = orjson.dumps(fields)[:-1] + b',"data":'
    return Event(
        event_id=event_id(received_at, serial),
        source=source,
        attributes=fields,
        head=head,
        splice=splice,
        body=head + splice + b"}",
        content_type="application/cloudevents+json",
        received_at=received_at,
        key=key,
        data=data,
    )


def a_delivery(
    event: Event | None = None, *, n: int = 0, endpoint: str = "cms", route: str = "a-route",
    lease: Lease | None = None, form: BodyForm = BodyForm.EVENT, body: bytes | None = None,
    target: str | None = None,
) -> Delivery:  # fmt: skip
    """A delivery of an event."""
    return Delivery(event or an_event(), n, route, endpoint, form, body, target, lease=lease)


def a_lease(token: int | None = None, until: int = NOW + 30 * SECOND) -> Lease:
    """A lease with a token of its own."""
    return Lease(next(_serial) if token is None else token, until)


def an_arrival(
    event: Event | None = None, *, to: tuple[str, ...] = ("cms",), leased: bool = False,
    since: int = 0, **more: Any,
) -> Arrival:  # fmt: skip
    """An event on its way into the store, routed to some endpoints."""
    event = event or an_event()
    deliveries = [
        a_delivery(event, n=n, endpoint=endpoint, lease=a_lease() if leased else None)
        for n, endpoint in enumerate(to)
    ]
    routed = Routed(deliveries, matched=["a-route"] if deliveries else [], **more)
    return Arrival(event=event, routed=routed, since=since)


def some_routes(*matches: tuple[dict, str], **endpoints: EndpointConfig) -> Routes:
    """Routes from patterns to endpoint names."""
    names = {name for _, name in matches} | set(endpoints)
    return indexed(
        sources={"getty": Source(name="getty", verifier=NoVerifier(), verified=False)},
        endpoints={
            name: endpoints.get(name) or EndpointConfig(name=name, url=f"http://127.0.0.1:9/{name}")
            for name in sorted(names)
        },
        routes=[
            Route(name=f"route-{i}", pattern=compile_pattern(match), to=(Target(endpoint=name),))
            for i, (match, name) in enumerate(matches)
        ],
    )
