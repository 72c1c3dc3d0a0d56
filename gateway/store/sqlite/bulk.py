"""Sending again in bulk: what an operation would do, and its pages, each with the operation in one commit.

What fits is looked for on a connection that cannot write, so that a filter which fits little keeps no
commit waiting. By the time of the commit a delivery may have moved on: it is left alone then.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from gateway.core.access import AuditEntry
from gateway.core.bulk import Action, Ended, Operation, Page, Replayed
from gateway.core.model import EventId, Json, Micros, delivery_id, first_id
from gateway.store.sqlite.change import note, put_back
from gateway.store.sqlite.change import replay as replay_one
from gateway.store.sqlite.database import statement
from gateway.store.sqlite.read import LARGEST_PAGE_BYTES, Filters, Reader
from gateway.store.sqlite.turns import Transaction
from gateway.store.vault import Vault

BEGIN_OPERATION = statement("begin_operation")
READ_OPERATION = statement("read_operation")
LIST_OPERATIONS = statement("list_operations")
PAGES_OF_OPERATION = statement("pages_of_operation")
ADVANCE_OPERATION = statement("advance_operation")
WINDOW_OF_ENDED = statement("window_of_ended")
PAGE_OF_ENDED = statement("page_of_ended")
GROUP_ENDED = statement("group_ended")
WINDOW_OF_EVENTS = statement("window_of_events")
PAGE_OF_EVENTS = statement("page_of_events")
COUNT_EVENTS = statement("count_events")

LOOKED_AT = 5_000
"""So many deliveries or events are looked at for a page at most, whether they fit or not."""
COUNTED = 20_000
"""Likewise where they are only counted."""
LARGEST_GROUPS = 500

ENDED = "state IN ('dead', 'cancelled')"
"""In so many words, or SQLite does not see that the index of these rows will do."""

ENDED_LOOKED_AT: Filters = {"state": "state = ?", "endpoint": "endpoint = ?"}
"""These decide what is looked at, the others what fits."""
ENDED_FILTERS: Filters = {
    **ENDED_LOOKED_AT,
    "reason": "reason_code = ?",
    "route": "route = ?",
    "event": "event_id = ?",
    "type": "EXISTS (SELECT 1 FROM events WHERE id = deliveries.event_id AND type = ?)",
    "subject": "EXISTS (SELECT 1 FROM events WHERE id = deliveries.event_id AND subject = ?)",
    "since": "created_at >= ?",
    "until": "created_at < ?",
}
UNMATCHED = "matched = 0"
EVENT_FILTERS: Filters = {
    "source": "source = ?",
    "type": "type = ?",
    "subject": "subject = ?",
}
"""What fits, of those that UNMATCHED and the bounds of the ids let be looked at."""


class SqliteBulk:
    """See `ports.BulkStore`."""

    def __init__(self, reader: Reader, change: Callable[..., Awaitable[Any]], vault: Vault) -> None:
        self._reader = reader
        self._change = change
        self._vault = vault

    async def close(self) -> None:
        """Let go of its connection."""
        await self._reader.close()

    # -- operations --------------------------------------------------------------------------------

    async def operation(self, name: str) -> Operation | None:
        """See `BulkStore.operation`."""
        for row in await self._reader.rows(READ_OPERATION, (name,)):
            return _operation(row)
        return None

    async def operations(self, limit: int) -> list[Operation]:
        """See `BulkStore.operations`."""
        return [_operation(row) for row in await self._reader.rows(LIST_OPERATIONS, (limit,))]

    async def begin(self, operation: Operation, entry: AuditEntry) -> None:
        """See `BulkStore.begin`."""
        await self._change(_begin, operation, entry)

    # -- what fits ---------------------------------------------------------------------------------

    async def groups(
        self, query: Mapping[str, Any], after: Sequence[Json] | None
    ) -> dict[str, Json]:
        """See `BulkStore.groups`."""
        end = await self._end_of_ended(query, after, COUNTED)
        where, parameters = ended_where(query, after, end)
        sql = GROUP_ENDED.format(where=where)
        rows = await self._reader.rows(sql, (*parameters, LARGEST_GROUPS))
        return {
            "deliveries": rows[0][5] if rows else 0,
            "groups": [
                {
                    "endpoint": endpoint,
                    "reason": reason,
                    "deliveries": count,
                    "sample": delivery_id(EventId(event_id), n),
                }
                for endpoint, reason, count, event_id, n, *_ in rows
            ],
            "more_groups": rows[0][6] - len(rows) if rows else 0,
            "next": end,
        }

    async def ended(
        self, query: Mapping[str, Any], after: Sequence[Json] | None, limit: int
    ) -> Page[Ended]:
        """See `BulkStore.ended`."""
        end = await self._end_of_ended(query, after, LOOKED_AT)
        where, parameters = ended_where(query, after, end)
        sql = PAGE_OF_ENDED.format(where=where, order=_order(query))
        rows = await self._reader.rows(sql, (*parameters, limit))
        items = [Ended(endpoint, EventId(event_id), n) for endpoint, event_id, n in rows]
        full = len(items) == limit
        last = items[-1] if items and (full or end is None) else end or after
        return Page(items, None if last is None else list(last), exhausted=not full and end is None)

    async def _end_of_ended(
        self, query: Mapping[str, Any], after: Sequence[Json] | None, most: int
    ) -> Ended | None:
        """The last of so many that are looked at; None: there are no more than that."""
        looked_at = {name: query[name] for name in ENDED_LOOKED_AT if name in query}
        where, parameters = ended_where(looked_at, after, None)
        sql = WINDOW_OF_ENDED.format(where=where, order=_order(query))
        for row in await self._reader.rows(sql, (*parameters, most - 1)):
            return Ended(*row)
        return None

    async def events(
        self, query: Mapping[str, Any], after: Sequence[Json] | None, limit: int
    ) -> Page[EventId]:
        """See `BulkStore.events`."""
        first, (end, looked_at) = await self._window(query, after[0] if after else "", LOOKED_AT)
        if end is None:
            return Page([], after, exhausted=True)
        where, parameters = events_where(query, first, end)
        rows = await self._reader.rows(PAGE_OF_EVENTS.format(where=where), (*parameters, limit))
        items = _no_larger(rows)
        if len(items) < len(rows) or len(items) == limit:
            return Page(items, [items[-1]], exhausted=False)
        return Page(items, [end], exhausted=looked_at < LOOKED_AT)

    async def count_events(self, query: Mapping[str, Any], after: str) -> dict[str, Json]:
        """See `BulkStore.count_events`."""
        first, (end, looked_at) = await self._window(query, after, COUNTED)
        if end is None:
            return {"events": 0, "groups": [], "next": None}
        where, parameters = events_where(query, first, end)
        rows = await self._reader.rows(COUNT_EVENTS.format(where=where), parameters)
        return {
            "events": sum(count for *_, count in rows),
            "groups": [
                {"source": source, "type": kind, "events": count} for source, kind, count in rows
            ],
            "next": end if looked_at == COUNTED else None,
        }

    async def _window(
        self, query: Mapping[str, Any], after: str, most: int
    ) -> tuple[str, tuple[str | None, int]]:
        """The ids between which so many events lie, whether they fit or not, and how many do lie there."""
        first = max(after, first_id("evt", query.get("since", 0)))
        where, parameters = window_where(query, first)
        sql = WINDOW_OF_EVENTS.format(where=where)
        ((end, looked_at),) = await self._reader.rows(sql, (*parameters, most))
        return first, (end, looked_at)

    # -- pages -------------------------------------------------------------------------------------

    async def redeliver(
        self, operation: Operation, due: Sequence[tuple[Ended, Micros]]
    ) -> int | None:
        """See `BulkStore.redeliver`."""
        moved: int | None = await self._change(_redeliver, operation, due)
        return moved

    async def replay(self, operation: Operation, events: Sequence[Replayed]) -> int | None:
        """See `BulkStore.replay`."""
        made: int | None = await self._change(_replay, operation, events, self._vault)
        return made


# -- statements ----------------------------------------------------------------------------------------


def ended_where(
    query: Mapping[str, Any], after: Sequence[Json] | None, end: Sequence[Json] | None
) -> tuple[str, tuple[Any, ...]]:
    """The dead or cancelled deliveries that fit, after that one and up to this."""
    conditions = [ENDED, *(ENDED_FILTERS[name] for name in query)]
    parameters = tuple(query.values())
    order = _order(query)
    columns = order.count(",") + 1
    for comparison, bound in ((">", after), ("<=", end)):
        if bound is not None:
            conditions.append(f"({order}) {comparison} ({', '.join('?' * columns)})")
            parameters += tuple(bound[-columns:])
    return " AND ".join(conditions), parameters


def _order(query: Mapping[str, Any]) -> str:
    """That of the index, from where it still differs."""
    return "event_id, n" if "endpoint" in query else "endpoint, event_id, n"


def window_where(query: Mapping[str, Any], after: str) -> tuple[str, tuple[str, str]]:
    """The events that are looked at, after that one."""
    conditions = [*_unmatched(query), "id > ?", "id < ?"]
    return " AND ".join(conditions), (after, first_id("evt", query["until"]))


def events_where(query: Mapping[str, Any], after: str, end: str) -> tuple[str, tuple[Any, ...]]:
    """The events that fit, after that one and up to this."""
    names = [name for name in EVENT_FILTERS if name in query]
    fitting = [EVENT_FILTERS[name] for name in names]
    conditions = [*_unmatched(query), "id > ?", "id <= ?", *fitting]
    return " AND ".join(conditions), (after, end, *(query[name] for name in names))


def _unmatched(query: Mapping[str, Any]) -> list[str]:
    return [UNMATCHED] if query.get("unmatched") else []


def _no_larger(rows: Sequence[tuple[Any, ...]]) -> list[EventId]:
    """The first events that together are no larger than a page may be, and one at least."""
    items: list[EventId] = []
    total = 0
    for event_id, size in rows:
        total += size
        if items and total > LARGEST_PAGE_BYTES:
            break
        items.append(EventId(event_id))
    return items


# -- within the writer ---------------------------------------------------------------------------------


def _begin(cursor: sqlite3.Cursor, operation: Operation, entry: AuditEntry) -> None:
    cursor.execute(
        BEGIN_OPERATION,
        (
            operation.id,
            operation.action.value,
            orjson.dumps(operation.filter).decode(),
            orjson.dumps(operation.rate).decode(),
            operation.started_at,
            operation.due_at,
        ),
    )
    if cursor.rowcount > 0:
        note(cursor, entry)


def _redeliver(
    cursor: sqlite3.Cursor, operation: Operation, due: Sequence[tuple[Ended, Micros]]
) -> int | None:
    if not _is_next(cursor, operation):
        return None
    moved = sum(put_back(cursor, each.event_id, each.n, due_at) for each, due_at in due)
    _advance(cursor, operation, done=moved, made=0)
    return moved


def _replay(
    cursor: Transaction, operation: Operation, events: Sequence[Replayed], vault: Vault
) -> int | None:
    if not _is_next(cursor, operation):
        return None
    made = 0
    for each in events:
        made += len(replay_one(cursor, each.event_id, each.routed, each.now, None, vault))
    _advance(cursor, operation, done=len(events), made=made)
    return made


def _is_next(cursor: sqlite3.Cursor, operation: Operation) -> bool:
    """Whether nobody else has done the page that *operation* is about to do."""
    (pages,) = cursor.execute(PAGES_OF_OPERATION, (operation.id,)).fetchone()
    return bool(pages == operation.pages)


def _advance(cursor: sqlite3.Cursor, operation: Operation, *, done: int, made: int) -> None:
    cursor.execute(
        ADVANCE_OPERATION,
        (
            orjson.dumps(operation.position).decode(),
            operation.due_at,
            operation.done + done,
            operation.made + made,
            operation.failed,
            operation.finished_at,
            operation.id,
        ),
    )


# -- rows ----------------------------------------------------------------------------------------------


def _operation(row: Sequence[Any]) -> Operation:
    name, action, sought, rate, started_at, due_at, position, pages, *counts = row
    done, made, failed, finished_at = counts
    number, per = orjson.loads(rate)
    return Operation(
        id=name,
        action=Action(action),
        filter=orjson.loads(sought),
        rate=(number, per),
        started_at=started_at,
        due_at=due_at,
        position=None if position is None else orjson.loads(position),
        pages=pages,
        done=done,
        made=made,
        failed=failed,
        finished_at=finished_at,
    )
