"""The catalogue for people: the fields of each type as rows, and the page of all of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson

from gateway.catalogue import DEFINITION, catalogue_types, definitions, sample_of, schema_of
from gateway.core.model import Json

WORDS = {
    "null": "null",
    "boolean": "true or false",
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "array": "list",
    "object": "object",
}
FORMATS = {"date-time": "moment", "uri": "URL"}
ANYTHING = "anything"
COUNTED = frozenset({"number", "whole number", "moment", "URL"})
"""What has a plural."""


class Row(NamedTuple):
    """One field."""

    name: str
    kind: str
    """What it is, in words."""
    required: bool
    meaning: str


def rows(schema: Json) -> list[Row]:
    """The fields of an object, those of objects within it under dotted names."""
    return [] if not isinstance(schema, dict) else list(_rows(schema, ""))


def _rows(schema: Mapping[str, Json], before: str) -> Iterator[Row]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        whole = f"{before}{name}"
        if not isinstance(field, dict):
            yield Row(whole, ANYTHING, name in required, "")
            continue
        yield Row(whole, kind(field), name in required, field.get("description", ""))
        if "properties" in field:
            yield from _rows(field, f"{whole}.")
        items = field.get("items")
        if isinstance(items, dict) and "properties" in items:
            yield from _rows(items, f"{whole}.")


def kind(schema: Json) -> str:
    """What a value is, in words: `text or null`, `list of Placement`."""
    if not isinstance(schema, dict):
        return ANYTHING
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(DEFINITION)
    if "enum" in schema:
        return _or(
            [f"`{each}`" if isinstance(each, str) else _plain(each) for each in schema["enum"]]
        )
    if "anyOf" in schema:
        return _or([kind(each) for each in schema["anyOf"]])
    types = schema.get("type", [])
    words = [_word(each, schema) for each in ([types] if isinstance(types, str) else types)]
    return _or(words) if words else ANYTHING


def _word(name: str, schema: Mapping[str, Json]) -> str:
    if name == "array":
        return f"list of {_several(schema.get('items', True))}"
    if name == "string":
        return FORMATS.get(schema.get("format", ""), "text")
    if name == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_several(schema['additionalProperties'])}"
    return WORDS.get(name, name)


def _several(schema: Json) -> str:
    words = kind(schema)
    return f"{words}s" if words in COUNTED else words


def _plain(value: Json) -> str:
    return orjson.dumps(value).decode()


def _or(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


# -- the page --------------------------------------------------------------------------------------------

HEAD = """\
<!-- `gateway types --markdown` makes what follows. -->

| Type | |
|---|---|
"""


def page() -> str:
    """The types, their fields and their samples, in Markdown."""
    parts = [HEAD]
    parts += [f"| [`{name}`](#{_anchor(name)}) | {_said(name)} |\n" for name in catalogue_types()]
    parts += [_section(name) for name in catalogue_types()]
    parts.append("\n## What several types share\n")
    for name, schema in sorted(definitions().items()):
        parts.append(f"\n### {name}\n\n{schema.get('description', '')}\n\n{_table(rows(schema))}")
    return "".join(parts)


def _section(name: str) -> str:
    sample = orjson.dumps(sample_of(name), option=orjson.OPT_INDENT_2).decode()
    return (
        f"\n## {name}\n\n{_said(name)}\n\n{_table(rows(schema_of(name)))}\n```json\n{sample}\n```\n"
    )


def _said(name: str) -> str:
    return str(schema_of(name).get("description", ""))


def _table(found: Sequence[Row]) -> str:
    lines = ["| Field | What it is | |\n", "|---|---|---|\n"]
    for row in found:
        name = f"**`{row.name}`**" if row.required else f"`{row.name}`"
        lines.append(f"| {name} | {_linked(row.kind)} | {row.meaning} |\n")
    return "".join(lines)


def _linked(words: str) -> str:
    """Words in which the names of definitions lead to them."""
    return " ".join(
        f"[{word}](#{word.lower()})" if word in definitions() else word for word in words.split(" ")
    )


def _anchor(heading: str) -> str:
    return heading.replace(".", "")
