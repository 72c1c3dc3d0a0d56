"""What the admin API answers, as JSON Schema: the document has it, and tests hold the answers to it."""

from collections.abc import Mapping

from gateway.core.model import Json
from gateway.core.state import State

Schema = Mapping[str, Json]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ANY: Schema = {}
FREE: Schema = {"type": "object"}


def maybe(schema: Schema) -> Schema:
    """That, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def one_of(*values: str) -> Schema:
    """One of these texts."""
    return {"type": "string", "enum": list(values)}


def many(schema: Schema) -> Schema:
    """A list of those."""
    return {"type": "array", "items": schema}


def each(schema: Schema) -> Schema:
    """An object with one of those by name."""
    return {"type": "object", "additionalProperties": schema}


def shape(*, less_often: Mapping[str, Schema] | None = None, **always: Schema) -> Schema:
    """An object with all of these, and some of what is there *less_often*."""
    return {
        "type": "object",
        "required": list(always),
        "properties": {**always, **(less_often or {})},
    }


def named(name: str) -> Schema:
    """The schema of that name among COMPONENTS."""
    return {"$ref": f"#/components/schemas/{name}"}


def page(name: str) -> Schema:
    """A page of a listing of those."""
    return shape(items=many(named(name)), next=maybe(TEXT))


def listed(name: str) -> Schema:
    """All of those."""
    return shape(items=many(named(name)))


LEFT_OUT: Mapping[str, Schema] = {"left_out": shape(fields=many(TEXT), scope=TEXT)}
"""What an answer says where the caller's token lacks the scope to see all of it."""
STATE = one_of(*State)

_GATEWAY: Mapping[str, Schema] = {
    "ready": TRUTH,
    "version": TEXT,
    "routes": shape(
        file=TEXT,
        fingerprint=TEXT,
        sources=COUNT,
        endpoints=COUNT,
        routes=COUNT,
        unverified=many(TEXT),
        rejected=many(TEXT),
    ),
    "held_by": many(TEXT),
    "nodes": many(
        shape(
            id=TEXT,
            name=TEXT,
            this=TRUTH,
            lost=TRUTH,
            version=TEXT,
            routes=TEXT,
            started_at=MOMENT,
            seen_at=MOMENT,
        )
    ),
    "polls": many(named("Poll")),
    "store": shape(
        state=TEXT,
        reason=TEXT,
        waiting=COUNT,
        waited_seconds=NUMBER,
        less_often={"free_bytes": COUNT, "ballast": TRUTH},
    ),
}

_LANE: Mapping[str, Schema] = {
    "name": TEXT,
    "url": maybe(TEXT),
    "handler": maybe(TEXT),
    "owner": maybe(TEXT),
    "state": one_of("open", "paused", "disabled", "blocked", "gone"),
    "reason": TEXT,
    "since": maybe(MOMENT),
    "breaker": one_of("off", "closed", "open", "probing"),
    "probe_at": maybe(MOMENT),
    "failed_probes": COUNT,
    "held_until": maybe(MOMENT),
    "rate": maybe(TEXT),
    "concurrency": COUNT,
    "share": maybe(COUNT),
    "running": COUNT,
    "waiting_in_memory": COUNT,
}

_WAITING = each(shape(count=COUNT, first_at=maybe(MOMENT)))
_STATS: Mapping[str, Schema] = {
    "scheduled": _WAITING,
    "behind": _WAITING,
    "dead": _WAITING,
    "unmatched": COUNT,
    "inbox": COUNT,
    "refused": COUNT,
}

_ATTEMPT = shape(
    number=COUNT,
    started_at=MOMENT,
    duration_ms=NUMBER,
    outcome=TEXT,
    status=maybe({"type": "integer"}),
    reason=maybe(TEXT),
    calls=many(
        shape(
            method=TEXT,
            url=TEXT,
            status=maybe({"type": "integer"}),
            reason=maybe(TEXT),
            duration_ms=NUMBER,
        )
    ),
    less_often={"excerpt": maybe(TEXT), **LEFT_OUT},
)

_DELIVERY: Mapping[str, Schema] = {
    "id": TEXT,
    "event_id": TEXT,
    "route": TEXT,
    "target": maybe(TEXT),
    "endpoint": TEXT,
    "state": STATE,
    "due_at": MOMENT,
    "created_at": MOMENT,
    "finished_at": maybe(MOMENT),
    "reason": maybe(TEXT),
    "priority": COUNT,
    "key": maybe(TEXT),
    "waits_for": {"enum": ["key", "after", None]},
    "after": maybe(each(one_of("delivered", "ended"))),
    "expires_at": maybe(MOMENT),
    "late_at": maybe(MOMENT),
    "owner": maybe(TEXT),
}

_EVENT: Mapping[str, Schema] = {
    "id": TEXT,
    "source": TEXT,
    "key": maybe(TEXT),
    "received_at": MOMENT,
    "erased_at": maybe(MOMENT),
    "routes": maybe(TEXT),
}

_FAILURE = shape(event=TEXT, route=maybe(TEXT), code=TEXT, detail=TEXT)

COMPONENTS: Mapping[str, Schema] = {
    "Poll": shape(
        source=TEXT,
        preset=TEXT,
        asked_at=maybe(MOMENT),
        outcome=maybe(TEXT),
        came=COUNT,
        reason=maybe(TEXT),
        failures=COUNT,
        next_at=maybe(MOMENT),
    ),
    "Gateway": shape(**_GATEWAY),
    "Status": shape(
        **_GATEWAY,
        endpoints=many(shape(**_LANE)),
        failing=many(shape(route=TEXT, owner=maybe(TEXT), events=COUNT)),
        stats=shape(**_STATS),
        late=each(COUNT),
        attention=many(TEXT),
    ),
    "Stats": shape(**_STATS),
    "Event": shape(**_EVENT, type=TEXT, subject=maybe(TEXT), deliveries=COUNT),
    "WholeEvent": shape(
        **_EVENT,
        content_type=TEXT,
        attributes=FREE,
        deliveries=many(named("WholeDelivery")),
        deliveries_next=maybe(TEXT),
        withheld=many(
            shape(route=TEXT, reason=one_of("once", "shadow", "nothing"), detail=TEXT, at=MOMENT)
        ),
        less_often={"data": ANY, "body": TEXT, **LEFT_OUT},
    ),
    "RecordedEvent": {**FREE, "description": "A row as it is stored, its bytes in base64."},
    "Delivery": shape(**_DELIVERY, attempts=COUNT),
    "WholeDelivery": shape(**_DELIVERY, attempts=many(_ATTEMPT), act_begun_at=maybe(MOMENT)),
    "InboxEntry": shape(
        id=TEXT,
        source=TEXT,
        code=TEXT,
        detail=TEXT,
        received_at=MOMENT,
        content_type=TEXT,
        event_id=maybe(TEXT),
        refused=TRUTH,
        body_bytes=maybe(COUNT),
        less_often={
            "outcome": maybe(TEXT),
            "peer": maybe(TEXT),
            "method": maybe(TEXT),
            "headers": {"type": ["array", "string"], "items": many(TEXT)},
            "sha256": maybe(TEXT),
            "body": TEXT,
            **LEFT_OUT,
        },
    ),
    "Endpoint": shape(**_LANE, waiting=COUNT, behind=COUNT, due_at=maybe(MOMENT), dead=COUNT),
    "Collection": shape(collection=TEXT, entries=COUNT),
    "Entry": shape(
        collection=TEXT, key=TEXT, value=ANY, as_of=MOMENT, event_id=maybe(TEXT), changed_at=MOMENT
    ),
    "Plan": shape(
        id=TEXT,
        planner=TEXT,
        key=TEXT,
        due_at=MOMENT,
        type=TEXT,
        subject=maybe(TEXT),
        event_id=TEXT,
    ),
    "Route": shape(
        name=TEXT,
        owner=maybe(TEXT),
        mode=one_of("live", "shadow"),
        endpoints=many(TEXT),
        counts=each(COUNT),
    ),
    "Files": shape(version=TEXT, fingerprint=TEXT, files=many(shape(name=TEXT, text=TEXT))),
    "Groups": shape(
        deliveries=COUNT,
        groups=many(
            shape(endpoint=TEXT, reason=TEXT, deliveries=COUNT, sample=TEXT, endpoint_state=TEXT)
        ),
        more_groups=COUNT,
        next=maybe(TEXT),
        until=MOMENT,
        less_often={"dry_run": TRUTH},
    ),
    "EventCounts": shape(
        dry_run=TRUTH,
        events=COUNT,
        groups=many(shape(source=TEXT, type=TEXT, events=COUNT)),
        next=maybe(TEXT),
        until=MOMENT,
        less_often={
            "sample": shape(
                events=COUNT,
                unrouted=COUNT,
                deliveries=many(shape(route=TEXT, endpoint=TEXT, deliveries=COUNT)),
                failures=many(_FAILURE),
            )
        },
    ),
    "Operation": shape(
        id=TEXT,
        action=one_of("redeliver", "replay"),
        filter=FREE,
        per_second=NUMBER,
        started_at=MOMENT,
        finished_at=maybe(MOMENT),
        done=COUNT,
        made=COUNT,
        failed=COUNT,
    ),
    "Progress": shape(
        operation=named("Operation"), finished=TRUTH, wait_ms=COUNT, failures=many(_FAILURE)
    ),
    "AuditEntry": shape(
        id=TEXT, at=MOMENT, who=TEXT, address=TEXT, action=TEXT, object=TEXT, outcome=TEXT
    ),
    "Pruned": shape(
        next=maybe(TEXT),
        less_often=dict.fromkeys(("events", "inbox", "once", "audit", "operations"), COUNT),
    ),
    "Erased": shape(
        events=COUNT, cancelled=COUNT, under_way=COUNT, log_emptied=TRUTH, next=maybe(TEXT)
    ),
    "Replayed": shape(deliveries=many(TEXT), failures=many(TEXT)),
    "ReadAgain": shape(events=many(shape(id=TEXT, duplicate=TRUTH))),
    "Moved": shape(id=TEXT, state=STATE),
    "Switched": shape(name=TEXT, state=one_of("open", "paused")),
}
"""By the names that answers refer to them by."""
