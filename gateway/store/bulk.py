"""Sending again in bulk: what an operation would do, and its pages, each with the operation in one commit.

What fits is looked for on a connection that cannot write, so that a filter which fits little keeps no
commit waiting. By the time of the commit a delivery may have moved on: it is left alone then.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from gateway.core.access import AuditEntry
from gateway.core.bulk import Action, Ended, Operation, Page, Replayed
from gateway.core.model import EventId, Json, Micros, delivery_id, first_id
from gateway.store.change import note, put_back
from gateway.store.change import replay as replay_one
from gateway.store.listing import LOOKED_THROUGH, LOOKED_UP, Filters
from gateway.store.reading import LARGEST_PAGE_BYTES, LookUp
from gateway.store.steps import Do, Lock, Steps
from gateway.store.vault import Vault

Change = Callable[..., Awaitable[Any]]
"""Takes steps, given their function and its arguments, in one commit."""

OF_EVENT = frozenset({"type", "subject"})
COUNTED = 20_000
"""So many are looked at for a page where they are only counted; else as many as for one of a listing."""
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
    "type": "EXISTS (SELECT 1 FROM events WHERE id = event_id AND type = ?)",
    "subject": "EXISTS (SELECT 1 FROM events WHERE id = event_id AND subject = ?)",
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


class Bulk:
    """See `ports.BulkStore`."""

    def __init__(self, reader: LookUp, change: Change, vault: Vault) -> None:
        self._reader = reader
        self._change = change
        self._vault = vault

    # -- operations --------------------------------------------------------------------------------

    async def operation(self, name: str) -> Operation | None:
        """See `BulkStore.operation`."""
        for row in await self._reader.run("read_operation", (name,)):
            return _operation(row)
        return None

    async def operations(self, limit: int) -> list[Operation]:
        """See `BulkStore.operations`."""
        return [_operation(row) for row in await self._reader.run("list_operations", (limit,))]

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
        sql = self._reader.text("group_ended").format(where=where)
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
        end = await self._end_of_ended(query, after, LOOKED_THROUGH)
        where, parameters = ended_where(query, after, end)
        sql = self._reader.text("page_of_ended").format(where=where, order=_order(query))
        rows = await self._reader.rows(sql, (*parameters, limit))
        items = [Ended(endpoint, EventId(event_id), n) for endpoint, event_id, n in rows]
        full = len(items) == limit
        last = items[-1] if items and (full or end is None) else end or after
        return Page(items, None if last is None else list(last), exhausted=not full and end is None)

    async def _end_of_ended(
        self, query: Mapping[str, Any], after: Sequence[Json] | None, most: int
    ) -> Ended | None:
        """The last of so many that are looked at; None: there are no more than that."""
        if OF_EVENT & query.keys():
            most = min(most, LOOKED_UP)
        looked_at = {name: query[name] for name in ENDED_LOOKED_AT if name in query}
        where, parameters = ended_where(looked_at, after, None)
        sql = self._reader.text("window_of_ended").format(where=where, order=_order(query))
        for row in await self._reader.rows(sql, (*parameters, most - 1)):
            return Ended(*row)
        return None

    async def events(
        self, query: Mapping[str, Any], after: Sequence[Json] | None, limit: int
    ) -> Page[EventId]:
        """See `BulkStore.events`."""
        first, (end, looked_at) = await self._window(
            query, after[0] if after else "", LOOKED_THROUGH
        )
        if end is None:
            return Page([], after, exhausted=True)
        where, parameters = events_where(query, first, end)
        rows = await self._reader.rows(
            self._reader.text("page_of_events").format(where=where), (*parameters, limit)
        )
        items = _no_larger(rows)
        if len(items) < len(rows) or len(items) == limit:
            return Page(items, [items[-1]], exhausted=False)
        return Page(items, [end], exhausted=looked_at < LOOKED_THROUGH)

    async def count_events(self, query: Mapping[str, Any], after: str) -> dict[str, Json]:
        """See `BulkStore.count_events`."""
        first, (end, looked_at) = await self._window(query, after, COUNTED)
        if end is None:
            return {"events": 0, "groups": [], "next": None}
        where, parameters = events_where(query, first, end)
        rows = await self._reader.rows(
            self._reader.text("count_events").format(where=where), parameters
        )
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
        sql = self._reader.text("window_of_events").format(where=where)
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


# -- pages, in one commit each -------------------------------------------------------------------------


def _begin(operation: Operation, entry: AuditEntry) -> Steps[None]:
    begun = yield Do(
        "begin_operation",
        (
            operation.id,
            operation.action.value,
            orjson.dumps(operation.filter).decode(),
            orjson.dumps(operation.rate).decode(),
            operation.started_at,
            operation.due_at,
        ),
    )
    if begun:
        yield from note(entry)


def _redeliver(operation: Operation, due: Sequence[tuple[Ended, Micros]]) -> Steps[int | None]:
    if not (yield from _is_next(operation)):
        return None
    moved = 0
    for each, due_at in due:
        moved += yield from put_back(each.event_id, each.n, due_at)
    yield from _advance(operation, done=moved, made=0)
    return moved


def _replay(operation: Operation, events: Sequence[Replayed], vault: Vault) -> Steps[int | None]:
    if not (yield from _is_next(operation)):
        return None
    made = 0
    for each in events:
        made += len((yield from replay_one(each.event_id, each.routed, each.now, None, vault)))
    yield from _advance(operation, done=len(events), made=made)
    return made


def _is_next(operation: Operation) -> Steps[bool]:
    """Whether nobody else has done the page that *operation* is about to do."""
    yield Lock([operation.id])
    ((pages,),) = yield Do("pages_of_operation", (operation.id,))
    return bool(pages == operation.pages)


def _advance(operation: Operation, *, done: int, made: int) -> Steps[None]:
    yield Do(
        "advance_operation",
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
