"""The register (core/register.py): what engines have in common of keeping it, and of looking things up."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.model import EventId, Micros
from gateway.core.register import Learned, fields_of
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
