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
from gateway.core.model import EventId, Json, Micros, delivery_id, rfc3339
from gateway.store.rows import EventRow, open_envelope
from gateway.store.sqlite.database import (
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
ENDPOINT_STATES = statement("endpoint_states")
STATS = statement("stats")
WITHHELD_OF = statement("withheld_of")

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

EVENTS = "SELECT id, source, key, type, subject, received_at, deliveries FROM events"
DELIVERIES = (
    "SELECT event_id, n, route, target, endpoint, state, attempts, due_at, created_at, finished_at, reason"
    " FROM deliveries"
)
INBOX = (
    "SELECT id, source, code, outcome, detail, received_at, content_type, body, event_id, refused,"
    " peer, method, headers, body_bytes, sha256, data_key FROM inbox"
)
AUDIT = "SELECT id, at, who, address, action, object, outcome FROM audit"

TIMES = frozenset(
    {"received_at", "due_at", "created_at", "finished_at", "started_at", "changed_at", "at"}
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
        after = _first_id(query.get("since", 0))
        until = query.get("until")
        before = "evt_~" if until is None else _first_id(until)  # after every other
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

    async def next_due(self) -> dict[str, Micros]:
        """For each endpoint with scheduled deliveries, when the first is due."""
        return {str(endpoint): int(due_at) for endpoint, due_at in await self.rows(NEXT_DUE)}

    async def endpoint_states(self) -> dict[str, dict[str, Json]]:
        """The state, reason and moment of change of each endpoint that is not open."""
        return {
            name: {"state": state, "reason": reason, "changed_at": rfc3339(changed_at)}
            for name, state, reason, changed_at in await self.rows(ENDPOINT_STATES)
        }

    async def stats(self) -> dict[str, Json]:
        """What waits, what is dead, what is in the inbox."""
        stats: dict[str, Json] = {
            "scheduled": {},
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


def _first_id(moment: Micros) -> str:
    """What sorts before the ids of all events of that millisecond, and after those of all earlier."""
    return f"evt_{max(moment, 0) // 1000:012x}"


def shown_event(row: EventRow) -> dict[str, Json]:
    """An event with all that it carries, as the API shows it."""
    splice = row.data if row.data is not None else row.body[row.data_start : row.data_end]
    attributes, data = open_envelope(row.head, splice)
    return {
        "id": row.id,
        "source": row.source,
        "key": row.key,
        "received_at": rfc3339(row.received_at),
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


def _shown(row: dict[str, Json]) -> dict[str, Json]:
    for name in TIMES & row.keys():
        if row[name] is not None:
            row[name] = rfc3339(row[name])
    return row
