"""The register (core/register.py): what engines have in common of keeping it, and of looking things up."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.errors import BodyCorrupt
from gateway.core.listing import Listed
from gateway.core.model import EventId, Json, Micros, rfc3339
from gateway.core.register import MOST_FOUND, Answer, Entry, Field, Learned, Look, fields_of
from gateway.store.questions import Questions, limit_of
from gateway.store.steps import Do, Insert, Steps
from gateway.store.vault import Vault


def learn(
    learned: Sequence[Learned], event_id: EventId | None, now: Micros, vault: Vault
) -> Steps[int]:
    """Keep what is told of things, where nothing newer is known; of how many that was so."""
    kept = 0
    for each in learned:
        value = None
        if each.value is not None:
            value = json.dumps(each.value, ensure_ascii=False, separators=(",", ":")).encode()
        if value is not None and vault.current is not None:
            value = vault.seal(place_of(each.collection, each.key), value)
        row = (each.collection, each.key, value, each.as_of, event_id, now, vault.current)
        if not (yield Do("note_entry", row)):
            continue
        kept += 1
        yield Do("drop_fields", (each.collection, each.key))
        found = fields_of(each.value)
        yield Insert(
            "append_fields",
            [(each.collection, name, text, number, each.key) for name, text, number in found],
        )
    return kept


def erase_entries(events: Sequence[EventId]) -> Steps[None]:
    """Nothing is known any more that these events have told."""
    for collection, key in (yield Do("erase_entries", (list(events),))):
        yield Do("drop_fields", (collection, key))


def place_of(collection: str, key: str) -> str:
    """To what the sealed value of an entry is bound."""
    return f"register.content:{collection}/{key}"


SELECT = "SELECT key, content, as_of, event_id, changed_at, data_key FROM register"
OPERATORS = {"=": "text = ?", ">=": "number >= ?", "<": "number < ?"}


def find(query: Mapping[str, Any], limit: int) -> tuple[str, list[object]]:
    """What finds the entries of a `collection` that fit, by their keys, behind a `cursor`: the SQL and its parameters.

    `where` has a name, an operator and a `Field` for each condition.
    """
    conditions, given = ["collection = ?", "content IS NOT NULL"], [query["collection"]]
    for name, operator, field in query.get("where", ()):
        conditions.append(
            "key IN (SELECT key FROM register_fields"  # noqa: S608  # of our own words
            f" WHERE collection = ? AND field = ? AND {OPERATORS[operator]})"
        )
        given += [query["collection"], name, field.text if operator == "=" else field.number]
    if (key := query.get("key")) is not None:
        conditions.append("key = ?")
        given.append(key)
    if (cursor := query.get("cursor")) is not None:
        conditions.append("key > ?")
        given.append(cursor)
    order = "as_of DESC, key" if query.get("newest") else "key"
    return f"{SELECT} WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT {limit}", given


class RegisterQuestions(Questions):
    """What is asked of the register."""

    async def look(self, looks: Sequence[Look]) -> dict[Look, Answer]:
        """See `RegisterStore.look`."""
        return {each: await self._look(each) for each in looks}

    async def _look(self, look: Look) -> Answer:
        if look.key is None:
            where = [(name, "=", Field(name, text, None)) for name, text in look.where]
            query = {"collection": look.collection, "where": where, "newest": True}
            return [e["value"] for e in (await self._entries(query, MOST_FOUND + 1))]
        for value, as_of, data_key in await self.run("read_entry", (look.collection, look.key)):
            return Entry(await self._value(look.collection, look.key, value, data_key), as_of)
        return None

    async def register_entries(self, query: Mapping[str, Any]) -> Listed:
        """See `RegisterStore.register_entries`."""
        limit = limit_of(query)
        items = await self._entries(query, limit)
        return Listed(items, items[-1]["key"] if len(items) == limit else None)

    async def _entries(self, query: Mapping[str, Any], limit: int) -> list[dict[str, Json]]:
        collection = query["collection"]
        return [
            {
                "collection": collection,
                "key": key,
                "value": await self._value(collection, key, value, data_key),
                "as_of": rfc3339(as_of),
                "event_id": event_id,
                "changed_at": rfc3339(changed_at),
            }
            for key, value, as_of, event_id, changed_at, data_key in await self.rows(
                *find(query, limit)
            )
        ]

    async def collections(self) -> list[dict[str, Json]]:
        """See `RegisterStore.collections`."""
        rows = await self.rows(
            "SELECT collection, count(*) FROM register WHERE content IS NOT NULL"
            " GROUP BY collection ORDER BY collection"
        )
        return [{"collection": name, "entries": count} for name, count in rows]

    async def _value(
        self, collection: str, key: str, stored: bytes | None, data_key: int | None
    ) -> Json:
        """The value of an entry. Raises BodyCorrupt."""
        if stored is None:
            return None
        opened = await self.opened(data_key, place_of(collection, key), bytes(stored))
        if opened is None:
            raise BodyCorrupt(
                f"what is stored of {collection} {key} is not what was written",
                cure="restore the database from a backup, and check the disk",
            )
        return json.loads(opened)
