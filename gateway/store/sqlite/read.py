"""Reading, for people and their tools: on connections of its own that cannot write.

Reads are short and paged: an open read keeps checkpoints from finishing, and the log grows.
"""

from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import orjson

from gateway.core.errors import StoreBroken
from gateway.core.model import (
    Erased,
    EventId,
    Json,
    LaneMark,
    Micros,
    delivery_id,
    first_id,
    received_at,
    rfc3339,
)
from gateway.core.retention import Examined, Horizon, Room
from gateway.store.rows import EventRow, open_envelope
from gateway.store.sqlite.database import (
    PAGE_BYTES,
    check_schema,
    log_path,
    remove_empty_log,
    statement,
    translated,
)
from gateway.store.sqlite.record import attempt_place
from gateway.store.vault import OPEN, Vault

READ_EVENT = statement("read_event")
READ_DATA_KEYS = statement("read_data_keys")
READ_RECORDED = statement("read_recorded")
ATTEMPTS_OF = statement("attempts_of")
NEXT_DUE = statement("next_due")
LATE_BETWEEN = statement("late_between")
READ_TOLD = statement("read_told")
DUE_CONFIRMATIONS = statement("due_confirmations")
NEXT_CONFIRMATION = statement("next_confirmation")
ENDPOINT_STATES = statement("endpoint_states")
READ_LANES = statement("read_lanes")
STATS = statement("stats")
WITHHELD_OF = statement("withheld_of")
EXAMINE_EVENTS = statement("examine_events")
COUNT_ALL_EVENTS = statement("count_all_events")
FIND_OF_SUBJECT = statement("find_of_subject")
COUNT_OTHERS = statement("count_others")
COUNT_WORK = statement("count_work")

CORRUPT = "(what was stored here has changed)"

DEFAULT_LIMIT, LARGEST_LIMIT = 50, 500
LARGEST_PAGE_BYTES = 1024 * 1024
"""Of whole events, where it holds more than one: what a page costs the gateway is bounded."""

Filters = Mapping[str, str]
EVENT_FILTERS: Filters = {
    "id": "id = ?",
    "source": "source = ?",
    "type": "type = ?",
    "subject": "subject = ?",
    "since": "received_at >= ?",
    "until": "received_at < ?",
    "cursor": "id < ?",
    "unmatched": "(matched = 0) = ?",
    "state": "EXISTS (SELECT 1 FROM deliveries WHERE event_id = events.id AND state = ?)",
}
DELIVERY_FILTERS: Filters = {
    "event": "event_id = ?",
    "n": "n = ?",
    "state": "state = ?",
    "endpoint": "endpoint = ?",
    "route": "route = ?",
    "key": "key = ?",
    "since": "created_at >= ?",
    "until": "created_at < ?",
    "cursor": "(event_id, n) < (?, ?)",
}
INBOX_FILTERS: Filters = {
    "id": "id = ?",
    "outcome": "outcome = ?",
    "refused": "refused = ?",
    "source": "source = ?",
    "code": "code = ?",
    "since": "received_at >= ?",
    "until": "received_at < ?",
    "cursor": "id < ?",
}

AUDIT_FILTERS: Filters = {
    "who": "who = ?",
    "action": "action = ?",
    "object": "object = ?",
    "since": "at >= ?",
    "until": "at < ?",
    "cursor": "id < ?",
}

EVENTS = "SELECT id, source, key, type, subject, received_at, deliveries, erased_at FROM events"
DELIVERIES = (
    "SELECT event_id, n, route, target, endpoint, state, attempts, due_at, created_at, finished_at, reason,"
    " priority, key, waits_for, after, expires_at, late_at FROM deliveries"
)
INBOX = (
    "SELECT id, source, code, outcome, detail, received_at, content_type, body, event_id, refused,"
    " peer, method, headers, body_bytes, sha256, data_key FROM inbox"
)
AUDIT = "SELECT id, at, who, address, action, object, outcome FROM audit"

TIMES = frozenset(
    {
        "received_at",
        "due_at",
        "created_at",
        "finished_at",
        "started_at",
        "changed_at",
        "at",
        "expires_at",
        "late_at",
        "erased_at",
    }
)


class Reader:
    """A read-only connection, opened at the first question; *broken* hears of what does not read back."""

    def __init__(
        self, path: Path, vault: Vault = OPEN, broken: Callable[[StoreBroken], None] | None = None
    ) -> None:
        self._vault = vault
        self._broken = broken
        self._uri = f"{path.absolute().as_uri()}?mode=ro"
        self._connection: aiosqlite.Connection | None = None

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement that reads. Raises StoreUnavailable."""
        try:
            with translated("cannot read"):
                return await self._rows(sql, parameters)
        except StoreBroken as error:
            if self._broken is not None:
                self._broken(error)
            raise

    async def _rows(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = await aiosqlite.connect(self._uri, uri=True)
        return [tuple(row) for row in await self._connection.execute_fetchall(sql, parameters)]

    async def schema(self) -> int:
        """The number of the last migration that the database has seen."""
        ((present,),) = await self.rows("PRAGMA user_version")
        return int(present)

    async def events(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """Events, newest first."""
        return await self._listed(EVENTS, EVENT_FILTERS, "id DESC", query)

    async def deliveries(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """Deliveries, newest first; those of one event in their own order."""
        found = await self._listed(DELIVERIES, DELIVERY_FILTERS, "event_id DESC, n DESC", query)
        for row in found:
            row["after"] = _shown_after(row["after"])
        return [{"id": delivery_id(EventId(row["event_id"]), row.pop("n")), **row} for row in found]

    async def inbox(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """What made no event, or only part of what it should, newest first; bodies as text."""
        found = await self._listed(INBOX, INBOX_FILTERS, "id DESC", query)
        for row in found:
            await self._learn(row["data_key"])
        return [_shown_entry(row, self._vault) for row in found]

    async def audit(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """Who changed what, newest first."""
        return await self._listed(AUDIT, AUDIT_FILTERS, "id DESC", query)

    async def event_row(self, event_id: EventId) -> EventRow | None:
        """The stored bytes of an event."""
        for *row, data_key in await self.rows(READ_EVENT, (event_id,)):
            return await self._opened(row, data_key)
        return None

    async def _opened(self, row: Sequence[Any], data_key: int | None) -> EventRow:
        await self._learn(data_key)
        return self._vault.open_event(EventRow(*row), data_key)

    async def _learn(self, data_key: int | None) -> None:
        """Have the vault know a data key: a reader learns those that it meets."""
        if data_key is not None and data_key not in self._vault:
            self._vault.unlock([(number, text) for number, text in await self.rows(READ_DATA_KEYS)])

    async def recorded(self, query: Mapping[str, Any]) -> list[EventRow]:
        """Whole events, oldest first: see `LookUpStore.recorded`."""
        after = first_id("evt", query.get("since", 0))
        until = query.get("until")
        before = "evt_~" if until is None else first_id("evt", until)  # after every other
        limit = min(int(query.get("limit", DEFAULT_LIMIT)), LARGEST_LIMIT)
        parameters = (max(after, query.get("cursor", "")), before, limit, LARGEST_PAGE_BYTES)
        found = await self.rows(READ_RECORDED, parameters)
        return [await self._opened(row, data_key) for *row, data_key in found]

    async def attempts(self, event_id: EventId, n: int) -> list[dict[str, Json]]:
        """The attempts of one delivery, in order."""
        names = (
            "number", "started_at", "duration", "outcome", "status", "reason", "excerpt", "calls", "data_key",
        )  # fmt: skip
        found = []
        for row in await self.rows(ATTEMPTS_OF, (event_id, n)):
            shown = _shown(dict(zip(names, row, strict=True)))
            shown["duration_ms"] = shown.pop("duration") / 1000
            await self._open_excerpt(event_id, n, shown)
            shown["calls"] = orjson.loads(shown["calls"] or "[]")
            found.append(shown)
        return found

    async def _open_excerpt(self, event_id: EventId, n: int, shown: dict[str, Json]) -> None:
        data_key = shown.pop("data_key")
        if data_key is not None:
            await self._learn(data_key)
            place = attempt_place(event_id, n, shown["number"])
            excerpt = self._vault.open(data_key, place, b64decode(shown["excerpt"]))
            shown["excerpt"] = CORRUPT if excerpt is None else excerpt.decode()

    async def withheld(self, event_id: EventId) -> list[dict[str, Json]]:
        """What routes that matched an event did not send, and why."""
        names = ("route", "reason", "detail", "at")
        rows = await self.rows(WITHHELD_OF, (event_id,))
        return [_shown(dict(zip(names, row, strict=True))) for row in rows]

    async def shown_erased(self, event_id: EventId) -> dict[str, Json]:
        """What is left of an event, as the API shows one."""
        (event,) = await self.events({"id": event_id})
        attributes = {"type": event.pop("type")}
        return {**event, "content_type": "", "attributes": attributes, "data": None, "body": ""}

    async def count_others(self, before: Horizon) -> dict[str, int]:
        """See `TendStore.count_others`."""
        parameters = (first_id("inb", before.inbox), before.once, first_id("aud", before.audit))
        (counts,) = await self.rows(COUNT_OTHERS, parameters)
        return dict(zip(("inbox", "once", "audit"), counts, strict=True))

    async def of_subject(
        self, subject: str, after: str, most: int
    ) -> tuple[str | None, list[EventId]]:
        """See `TendStore.of_subject`."""
        ((last, found),) = await self.rows(FIND_OF_SUBJECT, (after, subject, most))
        return last, orjson.loads(found)

    async def erasable(self, events: Sequence[EventId]) -> Erased:
        """See `TendStore.erasable`."""
        ((scheduled, leased),) = await self.rows(COUNT_WORK, (orjson.dumps(events).decode(),))
        return Erased(len(events) - leased, scheduled, leased)

    async def room(self) -> Room:
        """How much of the file is used, and how much is free."""
        ((pages,),) = await self.rows("PRAGMA page_count")
        ((free,),) = await self.rows("PRAGMA freelist_count")
        return Room((pages - free) * PAGE_BYTES, free * PAGE_BYTES)

    async def count_events(self) -> int:
        """See `TendStore.count_events`."""
        ((count,),) = await self.rows(COUNT_ALL_EVENTS)
        return int(count)

    async def examine(self, after: str, before: Horizon, most: int) -> list[Examined]:
        """See `TendStore.examine`."""
        latest, window = first_id("evt", before.latest), first_id("evt", before.oldest_window)
        found = await self.rows(EXAMINE_EVENTS, (after, latest, most, window))
        return [Examined._make(row) for row in found]

    async def next_due(self) -> dict[str, Micros]:
        """For each endpoint with scheduled deliveries, when the first is due."""
        return {str(endpoint): int(due_at) for endpoint, due_at in await self.rows(NEXT_DUE)}

    async def latest_event(self) -> Micros:
        """The moment that the name of the latest event tells; 0: there is none."""
        ((name,),) = await self.rows("SELECT max(id) FROM events")
        return 0 if name is None else received_at(name)

    async def late_between(self, after: Micros, until: Micros) -> dict[str, tuple[int, Micros]]:
        """Per endpoint, how many unfinished deliveries have become late then, and when the oldest came."""
        rows = await self.rows(LATE_BETWEEN, (after, until))
        return {endpoint: (count, oldest) for endpoint, count, oldest in rows}

    async def told_till(self, what: str) -> Micros | None:
        """Up to which moment something of that kind has been reported."""
        return next((int(till) for (till,) in await self.rows(READ_TOLD, (what,))), None)

    async def due_confirmations(self, now: Micros, most: int) -> list[tuple[EventId, str, str]]:
        """What was to be confirmed by now: the event, the route, the type of what says that it was not."""
        rows = await self.rows(DUE_CONFIRMATIONS, (now, most))
        return [(EventId(event_id), route, otherwise) for event_id, route, otherwise in rows]

    async def next_confirmation(self) -> Micros | None:
        """When the next confirmation is due."""
        ((due_at,),) = await self.rows(NEXT_CONFIRMATION)
        return None if due_at is None else int(due_at)

    async def endpoint_states(self) -> dict[str, dict[str, Json]]:
        """The state, reason and moment of change of each endpoint that is not open."""
        return {
            name: {"state": state, "reason": reason, "changed_at": rfc3339(changed_at)}
            for name, state, reason, changed_at in await self.rows(ENDPOINT_STATES)
        }

    async def lanes(self) -> dict[str, LaneMark]:
        """What is to be known of lanes after a restart."""
        return {
            name: LaneMark(
                begun_at=begun_at,
                held_until=held_until,
                since=since,
                probe_at=probe_at,
                probes=probes,
                reason=reason,
            )
            for name, begun_at, held_until, since, probe_at, probes, reason in await self.rows(
                READ_LANES
            )
        }

    async def stats(self) -> dict[str, Json]:
        """What waits, what is dead, what is in the inbox."""
        stats: dict[str, Json] = {
            "scheduled": {},
            "behind": {},
            "dead": {},
            "unmatched": 0,
            "inbox": 0,
            "refused": 0,
        }
        for what, endpoint, count, first_at in await self.rows(STATS):
            if endpoint:
                stats[what][endpoint] = {"count": count, "first_at": rfc3339(first_at)}
            else:
                stats[what] = count
        for endpoint, behind in stats["behind"].items():
            _add(stats["scheduled"], endpoint, behind)
        return stats

    async def _listed(
        self, select: str, filters: Filters, order: str, query: Mapping[str, Any]
    ) -> list[dict[str, Json]]:
        """Rows of a listing, its WHERE composed from *filters* by the keys of *query*."""
        conditions: list[str] = []
        parameters: list[Any] = []
        for name, value in query.items():
            if name != "limit":
                conditions.append(filters[name])
                parameters += value if isinstance(value, tuple) else (value,)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        limit = min(int(query.get("limit", DEFAULT_LIMIT)), LARGEST_LIMIT)
        sql = f"{select}{where} ORDER BY {order} LIMIT {limit}"
        names = [name.strip() for name in select[7:].partition(" FROM ")[0].split(",")]
        return [
            _shown(dict(zip(names, row, strict=True)))
            for row in await self.rows(sql, tuple(parameters))
        ]


def _add(scheduled: dict[str, Json], endpoint: str, behind: dict[str, Json]) -> None:
    """Count what waits for others to end among what is scheduled; it is not due, however long it waits."""
    found = scheduled.setdefault(endpoint, {"count": 0, "first_at": None})
    found["count"] += behind["count"]


@asynccontextmanager
async def reading(path: Path, keys: Sequence[bytes] = ()) -> AsyncIterator[Reader]:
    """A reader of a database that no gateway need have open; its folder is left as it was.

    *keys* are for one that is encrypted. Raises what `check_schema` raises for a database of another version.
    """
    had_log = log_path(path).exists()
    reader = Reader(path, Vault(keys))
    try:
        check_schema(await reader.schema())
        yield reader
    finally:
        await reader.close()
        if not had_log:
            remove_empty_log(path)


def shown_event(row: EventRow) -> dict[str, Json]:
    """An event with all that it carries, as the API shows it."""
    splice = row.data if row.data is not None else row.body[row.data_start : row.data_end]
    attributes, data = open_envelope(row.head, splice)
    return {
        "id": row.id,
        "source": row.source,
        "key": row.key,
        "received_at": rfc3339(row.received_at),
        "erased_at": None,
        "content_type": row.content_type,
        "attributes": attributes,
        "data": data,
        "body": row.body.decode("utf-8", "replace"),
    }


def _shown_entry(row: dict[str, Json], vault: Vault) -> dict[str, Json]:
    """An entry of the inbox: what is known of refused requests only is not told of the others."""
    refused, digest, data_key = (row.pop(name) for name in ("refused", "sha256", "data_key"))
    body = vault.open(data_key, f"inbox.body:{row['id']}", row.pop("body"))
    headers, size = row.pop("headers"), row.pop("body_bytes")
    if refused:
        row["headers"] = _opened_headers(row["id"], headers, data_key, vault)
        place = f"inbox.sha256:{row['id']}"
        row["sha256"] = digest and (vault.open(data_key, place, digest) or b"").hex()
    else:
        row = {name: row[name] for name in row if name not in {"outcome", "peer", "method"}}
        size = len(body or b"")
    return {
        **row,
        "refused": bool(refused),
        "body": CORRUPT if body is None else body.decode("utf-8", "replace"),
        "body_bytes": size,
    }


def _opened_headers(name: str, stored: str, data_key: int | None, vault: Vault) -> Json:
    if data_key is None:
        return orjson.loads(stored)
    opened = vault.open(data_key, f"inbox.headers:{name}", b64decode(stored))
    return CORRUPT if opened is None else orjson.loads(opened)


def _shown_after(stored: str | None) -> Json:
    """What a delivery waits for, or has waited for, as `after` in the routes file has it; None: nothing."""
    if stored is None:
        return None
    awaited = orjson.loads(stored)
    return {name: "delivered" if delivered else "ended" for _, _, name, delivered in awaited}


def _shown(row: dict[str, Json]) -> dict[str, Json]:
    for name in TIMES & row.keys():
        if row[name] is not None:
            row[name] = rfc3339(row[name])
    return row
