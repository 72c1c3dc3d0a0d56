"""Reading, for people and their tools: questions that every engine answers alike."""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.core.errors import BodyCorrupt
from gateway.core.listing import DEFAULT_LIMIT, LARGEST_LIMIT, Listed, Listing
from gateway.core.model import (
    Erased,
    EventId,
    InboxEntry,
    Json,
    LaneMark,
    Micros,
    delivery_id,
    first_id,
    received_at,
    rfc3339,
)
from gateway.core.retention import Examined, Horizon
from gateway.store.keeping import PROVEN_ID
from gateway.store.listing import Dialect, Walk, walk
from gateway.store.plans import PlanQuestions
from gateway.store.questions import limit_of, with_times
from gateway.store.recording import attempt_place
from gateway.store.register import RegisterQuestions
from gateway.store.rows import EventRow, open_envelope
from gateway.store.steps import Row
from gateway.store.vault import Vault

CORRUPT = "(what was stored here has changed)"

LARGEST_PAGE_BYTES = 1024 * 1024
"""Of whole events, where it holds more than one: what a page costs the gateway is bounded."""

EVENTS = (
    "SELECT id, source, key, type, subject, received_at, deliveries, routes, erased_at FROM events"
)
DELIVERIES = (
    "SELECT event_id, n, route, target, endpoint, state, attempts, due_at, created_at, finished_at, reason,"
    " priority, key, waits_for, after, expires_at, late_at FROM {}"
)
INBOX = (
    "SELECT id, source, code, outcome, detail, received_at, content_type, body, event_id, refused,"
    " peer, method, headers, body_bytes, sha256, data_key FROM inbox"
)
AUDIT = "SELECT id, at, who, address, action, object, outcome FROM audit"
SELECT: Mapping[Listing, tuple[str, str]] = {
    Listing.EVENTS: (EVENTS, "id DESC"),
    Listing.DELIVERIES: (DELIVERIES, "event_id DESC, n DESC"),
    Listing.INBOX: (INBOX, "id DESC"),
    Listing.AUDIT: (AUDIT, "id DESC"),
}
"""What is listed, and in which order: the newest first."""


class LookUp(RegisterQuestions, PlanQuestions):
    """All questions. An engine says how statements are run, and which tables they are put to."""

    dialect: Dialect

    async def page(self, listing: Listing, query: Mapping[str, Any]) -> Listed:
        """See `LookUpStore.page`."""
        select, order = SELECT[listing]
        found, end = await self._leaf(listing, query, select, order)
        names = [name.strip() for name in select[7:].partition(" FROM ")[0].split(",")]
        items = [await self._shown(listing, dict(zip(names, row, strict=True))) for row in found]
        if len(items) == limit_of(query):
            return Listed(items, items[-1]["id"])
        return Listed(items, None if end is None else _cursor(listing, end))

    async def entries(self, query: Mapping[str, Any]) -> tuple[list[str], str | None]:
        """See `LookUpStore.entries`."""
        found, end = await self._leaf(Listing.INBOX, query, "SELECT id FROM inbox", "id DESC")
        names = [str(name) for (name,) in found]
        if len(names) == limit_of(query):
            return names, names[-1]
        return names, None if end is None else _cursor(Listing.INBOX, end)

    async def _leaf(
        self, listing: Listing, query: Mapping[str, Any], select: str, order: str
    ) -> tuple[list[Row], Row | None]:
        """The rows of a page, and the last that was looked at for it; None: there are no more."""
        walked = await self._walk(listing, query)
        end: Row | None = None
        if walked.has_an_end:
            for end in await self.rows(*walked.end()):
                walked.down_to(end)
        sql, parameters = walked.rows(select.format(walked.table), order, limit_of(query))
        return await self.rows(sql, parameters), end

    async def _walk(self, listing: Listing, query: Mapping[str, Any]) -> Walk:
        """How it is walked through. An engine may know a shorter way."""
        return walk(listing, query, self.dialect)

    async def _shown(self, listing: Listing, row: dict[str, Json]) -> dict[str, Json]:
        """A row as it is listed."""
        row = with_times(row)
        match listing:
            case Listing.DELIVERIES:
                row["after"] = _shown_after(row["after"])
                return {"id": delivery_id(EventId(row["event_id"]), row.pop("n")), **row}
            case Listing.INBOX:
                await self._learn(row["data_key"])
                return _shown_entry(row, self._vault)
            case _:
                return row

    async def events(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.events`."""
        return (await self.page(Listing.EVENTS, query)).items

    async def deliveries(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.deliveries`."""
        return (await self.page(Listing.DELIVERIES, query)).items

    async def inbox(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.inbox`."""
        return (await self.page(Listing.INBOX, query)).items

    async def audit(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.audit`."""
        return (await self.page(Listing.AUDIT, query)).items

    async def inbox_entry(self, name: str) -> InboxEntry | None:
        """See `LookUpStore.inbox_entry`."""
        for (
            source,
            code,
            detail,
            at,
            kind,
            body,
            event_id,
            refused,
            headers,
            data_key,
        ) in await self.run("read_inbox_entry", (name,)):
            await self._learn(data_key)
            opened = self._vault.open(data_key, f"inbox.body:{name}", body)
            told = [] if headers is None else _opened_headers(name, headers, data_key, self._vault)
            if opened is None or told is None:
                raise BodyCorrupt(f"what was stored of {name} has changed", cure="restore a backup")
            given = dict(told)
            return InboxEntry(
                id=name,
                source=source,
                code=code,
                detail=detail,
                received_at=at,
                content_type=kind,
                body=opened,
                event_id=event_id,
                proven_id=given.pop(PROVEN_ID, None),
                headers=tuple(given.items()),
                refused=bool(refused),
            )
        return None

    async def count_inbox(self, since: Micros) -> int:
        """See `LookUpStore.count_inbox`."""
        ((count,),) = await self.run("count_inbox", (first_id("inb", since),))
        return int(count)

    async def event_row(self, event_id: EventId) -> EventRow | None:
        """The stored bytes of an event."""
        for *row, data_key in await self.run("read_event", (event_id,)):
            return await self._opened(row, data_key)
        return None

    async def _opened(self, row: Sequence[Any], data_key: int | None) -> EventRow:
        await self._learn(data_key)
        return self._vault.open_event(EventRow(*row), data_key)

    async def recorded(self, query: Mapping[str, Any]) -> list[EventRow]:
        """Whole events, oldest first: see `LookUpStore.recorded`."""
        after = first_id("evt", query.get("since", 0))
        until = query.get("until")
        before = "evt_~" if until is None else first_id("evt", until)  # after every other
        limit = min(int(query.get("limit", DEFAULT_LIMIT)), LARGEST_LIMIT)
        parameters = (max(after, query.get("cursor", "")), before, limit, LARGEST_PAGE_BYTES)
        found = await self.run("read_recorded", parameters)
        return [await self._opened(row, data_key) for *row, data_key in found]

    async def attempts(
        self, event_id: EventId, first: int, last: int
    ) -> dict[int, list[dict[str, Json]]]:
        """See `LookUpStore.attempts_between`."""
        names = (
            "number", "started_at", "duration", "outcome", "status", "reason", "excerpt", "calls", "data_key",
        )  # fmt: skip
        found: dict[int, list[dict[str, Json]]] = {}
        for n, *row in await self.run("attempts_of", (event_id, first, last)):
            shown = with_times(dict(zip(names, row, strict=True)))
            shown["duration_ms"] = shown.pop("duration") / 1000
            await self._open_excerpt(event_id, n, shown)
            shown["calls"] = orjson.loads(shown["calls"] or "[]")
            found.setdefault(n, []).append(shown)
        return found

    async def acts_between(self, event_id: EventId, first: int, last: int) -> dict[int, Micros]:
        """See `LookUpStore.acts_between`."""
        return dict(await self.run("acts_between", (event_id, first, last)))

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
        rows = await self.run("withheld_of", (event_id,))
        return [with_times(dict(zip(names, row, strict=True))) for row in rows]

    async def shown_erased(self, event_id: EventId) -> dict[str, Json]:
        """What is left of an event, as the API shows one."""
        (event,) = await self.events({"id": event_id})
        attributes = {"type": event.pop("type")}
        del event["subject"]
        return {**event, "content_type": "", "attributes": attributes, "data": None, "body": ""}

    async def count_others(self, before: Horizon) -> dict[str, int]:
        """See `TendStore.count_others`."""
        inbox, audit = first_id("inb", before.inbox), first_id("aud", before.audit)
        (counts,) = await self.run("count_others", (inbox, before.once, audit, before.dead))
        return dict(zip(("inbox", "once", "audit", "operations"), counts, strict=True))

    async def of_subject(
        self, subject: str, after: str, most: int
    ) -> tuple[str | None, list[EventId]]:
        """See `TendStore.of_subject`."""
        ((last, found),) = await self.run("find_of_subject", (after, subject, most))
        return last, _names(found)

    async def erasable(self, events: Sequence[EventId]) -> Erased:
        """See `TendStore.erasable`."""
        ((scheduled, leased),) = await self.run("count_work", (list(events),))
        return Erased(len(events) - leased, scheduled, leased)

    async def count_events(self) -> int:
        """See `TendStore.count_events`."""
        ((count,),) = await self.run("count_all_events")
        return int(count)

    async def examine(self, after: str, before: Horizon, most: int) -> list[Examined]:
        """See `TendStore.examine`."""
        latest, window = first_id("evt", before.latest), first_id("evt", before.oldest_window)
        found = await self.run("examine_events", (after, latest, most, window))
        return [Examined._make(row) for row in found]

    async def next_due(self) -> dict[str, Micros]:
        """For each endpoint with scheduled deliveries, when the first is due."""
        return {str(endpoint): int(due_at) for endpoint, due_at in await self.run("next_due")}

    async def latest_event(self) -> Micros:
        """The moment that the name of the latest event tells; 0: there is none."""
        ((name,),) = await self.rows("SELECT max(id) FROM events")
        return 0 if name is None else received_at(name)

    async def late_between(
        self, after: Micros, until: Micros
    ) -> dict[str, tuple[int, Micros, EventId]]:
        """Per endpoint, how many unfinished deliveries have become late then, when the oldest came, and its event."""
        rows = await self.run("late_between", (after, until))
        return {
            endpoint: (count, oldest, EventId(event)) for endpoint, count, oldest, event in rows
        }

    async def told_till(self, what: str) -> Micros | None:
        """Up to which moment something of that kind has been reported."""
        return next((int(till) for (till,) in await self.run("read_told", (what,))), None)

    async def position_of(self, source: str) -> str | None:
        """See `PositionStore.position_of`."""
        return next((str(each) for (each,) in await self.run("read_position", (source,))), None)

    async def due_confirmations(self, now: Micros, most: int) -> list[tuple[EventId, str, str]]:
        """What was to be confirmed by now: the event, the route, the type of what says that it was not."""
        rows = await self.run("due_confirmations", (now, most))
        return [(EventId(event_id), route, otherwise) for event_id, route, otherwise in rows]

    async def next_confirmation(self) -> Micros | None:
        """When the next confirmation is due."""
        ((due_at,),) = await self.run("next_confirmation")
        return None if due_at is None else int(due_at)

    async def endpoint_states(self) -> dict[str, dict[str, Json]]:
        """The state, reason and moment of change of each endpoint that is not open."""
        return {
            name: {"state": state, "reason": reason, "changed_at": rfc3339(changed_at)}
            for name, state, reason, changed_at in await self.run("endpoint_states")
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
            for name, begun_at, held_until, since, probe_at, probes, reason in await self.run(
                "read_lanes"
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
        for what, endpoint, count, first_at in await self.run("stats"):
            if endpoint:
                stats[what][endpoint] = {"count": count, "first_at": rfc3339(first_at)}
            else:
                stats[what] = count
        for endpoint, behind in stats["behind"].items():
            _add(stats["scheduled"], endpoint, behind)
        return stats


def _cursor(listing: Listing, end: Row) -> str:
    """What comes after the last row that was looked at."""
    if listing is Listing.DELIVERIES:
        event_id, n = end
        return delivery_id(EventId(event_id), n)
    return str(end[0])


def _add(scheduled: dict[str, Json], endpoint: str, behind: dict[str, Json]) -> None:
    """Count what waits for others to end among what is scheduled; it is not due, however long it waits."""
    found = scheduled.setdefault(endpoint, {"count": 0, "first_at": None})
    found["count"] += behind["count"]


def _names(found: str | list[str] | None) -> list[EventId]:
    """Names that were read together: SQLite has them as JSON."""
    return [
        EventId(name) for name in (orjson.loads(found) if isinstance(found, str) else found or [])
    ]


def shown_event(row: EventRow) -> dict[str, Json]:
    """An event with all that it carries, as the API shows it."""
    splice = row.data if row.data is not None else row.body[row.data_start : row.data_end]
    attributes, data = open_envelope(row.head, splice, json.loads)  # exact: see gateway/exact.py
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
        opened = _opened_headers(row["id"], headers, data_key, vault)
        row["headers"] = CORRUPT if opened is None else opened
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
    """Name and value of each; None: they are not those that were stored."""
    if data_key is None:
        return orjson.loads(stored)
    try:
        sealed = b64decode(stored)
    except ValueError:
        return None
    opened = vault.open(data_key, f"inbox.headers:{name}", sealed)
    return None if opened is None else orjson.loads(opened)


def _shown_after(stored: str | None) -> Json:
    """What a delivery waits for, or has waited for, as `after` in the routes file has it; None: nothing."""
    if stored is None:
        return None
    awaited = orjson.loads(stored)
    return {name: "delivered" if delivered else "ended" for _, _, name, delivered in awaited}
