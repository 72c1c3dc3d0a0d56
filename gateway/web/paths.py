"""Every path of the admin API, once: who may, what it takes, what it answers.

Routing, the checking of parameters and the document (web/openapi.py) are made from this table.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from starlette.responses import Response

from gateway.core.access import Scope
from gateway.core.errors import (
    BodyCorrupt,
    Changed,
    Conflict,
    EventErased,
    GatewayError,
    NotFound,
    ParameterInvalid,
    QuestionAnswered,
    QuestionOver,
    StoreUnavailable,
)
from gateway.web import asked, bulk, changes, evidence, live, reads
from gateway.web.asked import Asked
from gateway.web.call import Call
from gateway.web.shapes import COUNT, TEXT, Schema, listed, many, named, page, shape

Do: TypeAlias = Callable[[Call], Awaitable[Response]]
"""What a path does, for a caller who may."""

JSON = "application/json"
IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"


@dataclass(frozen=True, slots=True)
class Answer:
    """One that is no error."""

    about: str
    schema: Schema | None
    """None: it has no content."""
    media_type: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One method of one path."""

    scope: Scope
    method: str
    path: str
    name: str
    """Of the operation, in the document."""
    about: str
    do: Do
    query: type[Asked] = Asked
    body: type[Asked] | None = None
    answers: Mapping[int, Answer]
    errors: tuple[type[GatewayError], ...] = ()
    """Beside those that every path may answer."""
    condition: str = ""
    """A header by which a caller says what it knew, if it wants to: an ETag that it was given."""


def _get(  # noqa: PLR0913  # the columns of a table
    path: str,
    name: str,
    about: str,
    do: Do,
    schema: Schema,
    *errors: type[GatewayError],
    query: type[Asked] = Asked,
    scope: Scope = Scope.READ,
    media_type: str = JSON,
) -> Path:
    return Path(
        scope=scope,
        method="GET",
        path=path,
        name=name,
        about=about,
        do=do,
        query=query,
        answers={200: Answer("what is asked for", schema, media_type)},
        errors=(StoreUnavailable, *errors),
    )


def _post(  # noqa: PLR0913  # the columns of a table
    path: str,
    name: str,
    about: str,
    do: Do,
    answers: Mapping[int, Answer],
    *errors: type[GatewayError],
    query: type[Asked] = Asked,
    body: type[Asked] | None = None,
    scope: Scope = Scope.OPERATE,
    condition: str = "",
) -> Path:
    return Path(
        scope=scope,
        method="POST",
        path=path,
        name=name,
        about=about,
        do=do,
        query=query,
        body=body,
        answers=answers,
        errors=(StoreUnavailable, *errors),
        condition=condition,
    )


def _done(name: str, status: int = 200) -> Mapping[int, Answer]:
    return {status: Answer("it is done", named(name))}


PATHS: tuple[Path, ...] = (
    # -- the gateway itself
    Path(
        scope=Scope.READ,
        method="GET",
        path="/readyz",
        name="readiness",
        about="Whether it takes events, and what it runs on.",
        do=reads.readyz,
        answers={
            200: Answer("it takes events", named("Gateway")),
            503: Answer("it takes none, and says why", named("Gateway")),
        },
    ),
    _get("/version", "version", "Which gateway this is.", reads.version, shape(version=TEXT)),
    _get("/metrics", "metrics", "What Prometheus reads.", reads.metrics, TEXT, media_type="text/plain"),
    _get("/api/v1/openapi.json", "document", "This document.", reads.document, {"type": "object"}),
    _get("/api/v1/status", "status", "What runs, what waits, what needs attention.", reads.status, named("Status")),
    _get("/api/v1/stats", "stats", "What waits and what is dead, by endpoint.", reads.stats, named("Stats")),
    _get(
        "/api/v1/live", "watch", "What happens from now on, as server-sent events.", live.live, TEXT,
        query=asked.Watched, media_type="text/event-stream",
    ),
    _get(
        "/api/v1/evidence", "evidence", "What was received and who was told, signed; a line of JSON for each.",
        evidence.bundle, TEXT, query=asked.Proven, media_type="application/jsonl",
    ),
    # -- events
    _get(
        "/api/v1/events", "list_events", "Events, newest first.", reads.events, page("Event"),
        query=asked.Events,
    ),
    _get(
        "/api/v1/events/recorded", "list_recorded_events", "Whole events, oldest first.",
        reads.recorded, page("RecordedEvent"), query=asked.Recorded, scope=Scope.PAYLOAD,
    ),
    _post(
        "/api/v1/events/replay", "replay_events", "Route many events again, or say what that comes to.",
        bulk.replay,
        {200: Answer("what it comes to", named("EventCounts")), 202: Answer("a page is done", named("Progress"))},
        NotFound, Conflict, body=asked.Replay,
    ),
    _get(
        "/api/v1/events/{id}", "show_event", "An event, with its deliveries and their attempts.",
        reads.event, named("WholeEvent"), NotFound, BodyCorrupt,
    ),
    _post(
        "/api/v1/events/{id}/replay", "replay_event", "Route it again, by the routes in force.",
        changes.replay, _done("Replayed", 202), NotFound, Conflict, EventErased, BodyCorrupt,
    ),
    # -- deliveries
    _get(
        "/api/v1/deliveries", "list_deliveries", "Deliveries, newest first.", reads.deliveries,
        page("Delivery"), query=asked.Deliveries,
    ),
    _get(
        "/api/v1/deliveries/groups", "count_ended_deliveries",
        "What is dead or cancelled, by endpoint and reason.", bulk.groups, named("Groups"),
        query=asked.Groups,
    ),
    _post(
        "/api/v1/deliveries/redeliver", "redeliver_deliveries",
        "Put many back on schedule, or say how many.", bulk.redeliver,
        {200: Answer("what it comes to", named("Groups")), 202: Answer("a page is done", named("Progress"))},
        NotFound, Conflict, body=asked.Redeliver,
    ),
    _get(
        "/api/v1/deliveries/{id}", "show_delivery", "A delivery, with its attempts.", reads.delivery,
        named("WholeDelivery"), NotFound,
    ),
    _post(
        "/api/v1/deliveries/{id}/redeliver", "redeliver_delivery", "Put it back on schedule.",
        changes.redeliver, _done("Moved", 202), NotFound, Conflict, EventErased, query=asked.ActAgain,
    ),
    _post(
        "/api/v1/deliveries/{id}/cancel", "cancel_delivery", "Do not make it.", changes.cancel,
        _done("Moved"), NotFound, Conflict,
    ),
    _get(
        "/api/v1/operations", "list_operations", "What was begun last of work on many.",
        bulk.operations, listed("Operation"),
    ),
    _get(
        "/api/v1/operations/{id}", "show_operation", "How far one is.", bulk.operation,
        named("Operation"), NotFound,
    ),
    # -- the register
    _get("/api/v1/register", "list_collections", "What the register knows of.", reads.collections, listed("Collection")),
    _get(
        "/api/v1/register/{name}", "list_entries", "Things of a collection, by their keys.", reads.register,
        page("Entry"), NotFound, query=asked.Register, scope=Scope.PAYLOAD,
    ),
    _post(
        "/api/v1/register/{name}", "teach", "Tell of things; of what something newer is known, that stays.",
        changes.teach, {200: Answer("how many were taken", shape(kept=COUNT))}, NotFound, body=asked.Teach,
    ),
    # -- sources that are asked
    _post(
        "/api/v1/sources/{name}/poll", "poll_source", "Ask for a source at once, whatever it waits for.",
        changes.poll, {200: Answer("it was asked; its outcome says what came of it", named("Poll"))},
        NotFound, Conflict,
    ),
    # -- planned events
    _get(
        "/api/v1/plans", "list_plans", "Events that are planned, the next first.", reads.plans,
        page("Plan"), query=asked.Plans,
    ),
    _post(
        "/api/v1/plans/{id}/cancel", "cancel_plan", "Do not make one.", changes.cancel_plan,
        _done("Moved"), NotFound,
    ),
    _post(
        "/api/v1/plans/{id}/answer", "answer", "Answer what a route has asked.", changes.answer_plan,
        {200: Answer("what counts", shape(id=TEXT, answer=TEXT))}, NotFound, ParameterInvalid, QuestionOver,
        QuestionAnswered, body=asked.AnswerPlan,
    ),
    # -- the inbox
    _get(
        "/api/v1/inbox", "list_inbox", "What was refused, unreadable or only partly routed, newest first.",
        reads.inbox, page("InboxEntry"), query=asked.Inbox,
    ),
    _get("/api/v1/inbox/{id}", "show_inbox_entry", "One entry.", reads.inbox_entry, named("InboxEntry"), NotFound),
    _post(
        "/api/v1/inbox/{id}/read-again", "read_again", "Read it once more, by its source in force.",
        changes.read_again, _done("ReadAgain", 202), NotFound, Conflict, BodyCorrupt,
    ),
    # -- routes and endpoints
    _get("/api/v1/routes", "list_routes", "The routes in force, and what they did.", reads.routes, listed("Route")),
    Path(
        scope=Scope.READ,
        method="GET",
        path="/api/v1/routes/files",
        name="show_files",
        about="The routes files in force.",
        do=reads.routes_files,
        answers={
            200: Answer("what is asked for", named("Files")),
            304: Answer("they are those that the caller knows", None),
        },
        condition=IF_NONE_MATCH,
    ),
    _get("/api/v1/endpoints", "list_endpoints", "All endpoints.", reads.endpoints, listed("Endpoint")),
    _get("/api/v1/endpoints/{name}", "show_endpoint", "One of them.", reads.endpoint, named("Endpoint"), NotFound),
    _post(
        "/api/v1/endpoints/{name}/pause", "pause_endpoint", "Begin no attempt at it until it is resumed.",
        changes.pause, _done("Switched"), NotFound, Changed, query=asked.Pause, condition=IF_MATCH,
    ),
    _post(
        "/api/v1/endpoints/{name}/resume", "resume_endpoint", "Let attempts at it begin again.",
        changes.resume, _done("Switched"), NotFound, Conflict, Changed, condition=IF_MATCH,
    ),
    _post(
        "/api/v1/resume", "resume_all", "End the pause that the gateway was started with.",
        changes.resume_all, {200: Answer("what still holds it", shape(held_by=many(TEXT)))}, Conflict,
    ),
    # -- what only few may
    _get(
        "/api/v1/audit", "list_audit", "Who changed what, newest first.", reads.audit, page("AuditEntry"),
        query=asked.Audit, scope=Scope.ADMIN,
    ),
    _post(
        "/api/v1/prune", "prune", "Delete what retention lets go of: the next slice.", changes.prune,
        _done("Pruned"), query=asked.Slice, scope=Scope.ADMIN,
    ),
    _post(
        "/api/v1/erase", "erase", "Erase what the events of a subject said: the next slice.",
        changes.erase, _done("Erased"), query=asked.Erase, scope=Scope.ADMIN,
    ),
)  # fmt: skip
"""Of two that fit, the first is meant."""
