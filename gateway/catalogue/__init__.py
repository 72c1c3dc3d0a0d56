"""The event catalogue: the types that the gateway knows, what their data hold, and a sample of each.

`schemas/TYPE.json` is the JSON Schema (2020-12) of a type's data, `samples/TYPE.json` such an event;
`definitions.json` has what several types share. Unknown fields are allowed everywhere: a sender may
say more than the catalogue knows.
"""

import secrets
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import orjson

from gateway.core.errors import NotFound
from gateway.core.model import Json, Micros, rfc3339

SCHEMAS, SAMPLES = "schemas", "samples"
DEFINITION = "#/$defs/"


@cache
def catalogue_types() -> tuple[str, ...]:
    """Their names, sorted."""
    names = (file.name for file in (files(__package__) / SCHEMAS).iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


@cache
def schema_of(event_type: str) -> dict[str, Json]:
    """The schema of its data, whole: with the definitions that it refers to. Raises NotFound."""
    schema = _read(event_type, SCHEMAS)
    known = definitions()
    needed: dict[str, Json] = {}
    waiting = [*_references(schema)]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = known[name]
            waiting += _references(known[name])
    if needed:
        schema["$defs"] = dict(sorted(needed.items()))
    return schema


@cache
def definitions() -> dict[str, Json]:
    """What several types share, by name."""
    found: dict[str, Json] = orjson.loads((files(__package__) / "definitions.json").read_bytes())
    return found


def sample_of(event_type: str) -> dict[str, Json]:
    """An event of that type, as it is written down. Raises NotFound."""
    return _read(event_type, SAMPLES)


def sample(event_type: str, now: Micros) -> dict[str, Json]:
    """An event of that type, fresh: with an id of its own and *now* as its time. Raises NotFound."""
    event = sample_of(event_type)
    event["id"] = f"{event['id']}-{secrets.token_hex(4)}"
    event["time"] = rfc3339(now)
    return event


def _read(event_type: str, folder: str) -> dict[str, Json]:
    if event_type not in catalogue_types():
        cure = "see `gateway types`"
        raise NotFound(f"there is no type {event_type} in the catalogue", cure=cure)
    text = (files(__package__) / folder / f"{event_type}.json").read_bytes()
    found: dict[str, Json] = orjson.loads(text)
    return found


def _references(schema: Json) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str) and value.startswith(DEFINITION):
                yield value.removeprefix(DEFINITION)
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from _references(each)
