"""What fields data may have, read from their JSON Schema: for what is checked before any data are there.

A value may be one of several alternatives, each a plain schema: references are followed, and what
combines schemas counts as a choice. All of this errs on one side: where a schema says less than
everything, anything may be there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from gateway.config.evidence import FITTING, Kind
from gateway.core.model import Json
from gateway.core.operators import Scalar

KINDS: Mapping[str, frozenset[Kind]] = {
    "string": frozenset({Kind.TEXT}),
    "number": frozenset({Kind.NUMBER}),
    "integer": frozenset({Kind.NUMBER}),
    "boolean": frozenset({Kind.TRUTH}),
    "null": frozenset({Kind.NULL}),
    "array": frozenset({Kind.LIST}),
    "object": frozenset({Kind.OBJECT}),
}
TELLING = frozenset({
    "type", "properties", "items", "prefixItems", "enum", "const", "additionalProperties",
    "patternProperties",
})  # fmt: skip
"""Keywords that say what a value is; the others only narrow it."""
COMBINING = ("allOf", "anyOf", "oneOf")
DEEPEST = 32
"""References that lead to each other end here."""

Alternative: TypeAlias = tuple[Mapping[str, Json], Json]
"""A schema, and the whole that its references lead into. Nothing in it: anything may be there."""
ANYTHING: Alternative = ({}, True)


@dataclass(eq=False)
class Value:
    """What may stand somewhere. Whoever asks twice gets the same."""

    alternatives: Sequence[Alternative]
    _members: dict[str, "Value"] = field(default_factory=dict)
    _takes: dict[str, bool] = field(default_factory=dict)

    @cached_property
    def is_free(self) -> bool:
        """Whether it may be anything."""
        return any(not schema for schema, _ in self.alternatives)

    @property
    def is_nothing(self) -> bool:
        """Whether there is no such thing."""
        return not self.alternatives

    def member(self, name: str) -> "Value":
        """What an object has by that name."""
        found = self._members.get(name)
        if found is None:
            found = self._members[name] = Value([
                each
                for schema, whole in self.alternatives
                for each in _member(schema, whole, name)
            ])  # fmt: skip
        return found

    @cached_property
    def items(self) -> "Value":
        """What a list has."""
        return Value([
            each
            for schema, whole in self.alternatives
            for each in _items(schema, whole)
        ])  # fmt: skip

    @cached_property
    def crushed(self) -> "Value":
        """It, with the elements of lists in their place: as patterns see it."""
        return Value(list(_crushed(self, DEEPEST)))

    @cached_property
    def kinds(self) -> frozenset[Kind] | None:
        """What it may be; None: nobody knows."""
        found = [_kinds(schema) for schema, _ in self.alternatives]
        known = [kinds for kinds in found if kinds is not None]
        return frozenset().union(*known) if len(known) == len(found) else None

    @cached_property
    def is_object(self) -> bool:
        """Whether it is an object, and nothing else."""
        return self.kinds == frozenset({Kind.OBJECT})

    def takes(self, wanted: str) -> bool:
        """Whether it may be a leaf of a kind by the name that `kind_wanted` gives it."""
        if wanted not in self._takes:
            self._takes[wanted] = self.kinds is None or bool(self.kinds & FITTING[wanted])
        return self._takes[wanted]

    @cached_property
    def choices(self) -> Sequence[Scalar] | None:
        """All the values that it may have; None: there are others."""
        found: list[Scalar] = []
        for schema, _ in self.alternatives:
            if "const" not in schema and "enum" not in schema:
                return None
            found += schema["enum"] if "enum" in schema else [schema["const"]]
        return found

    @cached_property
    def names(self) -> Sequence[str]:
        """The names of an object's fields."""
        named = (name for schema, _ in self.alternatives for name in schema.get("properties", ()))
        return list(dict.fromkeys(named))


def value_of(schema: Json) -> Value:
    """What data may be that this schema, whole, is about."""
    return Value(list(_flat(schema, schema, DEEPEST)))


def united(values: Sequence[Value]) -> Value:
    """What may be any of these."""
    return Value([each for value in values for each in value.alternatives])


def of_event(data: Value) -> Value:
    """An event whose data are so; of its other attributes nothing is said."""
    return Value([
        ({"type": "object", "properties": {"data": schema}, "additionalProperties": True}, whole)
        for schema, whole in data.alternatives
    ])  # fmt: skip


def schema_of_template(template: Json) -> Json:
    """What comes of a template with `${…}`, as far as it is written there."""
    match template:
        case dict():
            members = {name: schema_of_template(each) for name, each in template.items()}
            return {"type": "object", "properties": members}
        case list():
            return {"type": "array"}
        case str() if "${" in template:
            whole = template.startswith("${") and template.endswith("}")
            return {} if whole else {"type": "string"}
        case _:
            return {"const": template}


# -- schemas ---------------------------------------------------------------------------------------------


def _flat(schema: Json, whole: Json, deepest: int) -> Iterator[Alternative]:
    """The alternatives that a schema comes to."""
    if schema is False:
        return
    if not isinstance(schema, dict) or not schema or not deepest:
        yield ANYTHING
        return
    tells = bool(TELLING & schema.keys())
    if tells:
        yield {key: value for key, value in schema.items() if key not in COMBINING}, whole
    for other in _others(schema, whole):
        if other is True or other == {} or _says_something(other):
            tells = True
            yield from _flat(other, whole, deepest - 1)
    if not tells:
        yield ANYTHING


def _others(schema: Mapping[str, Json], whole: Json) -> Iterator[Json]:
    """The schemas that one combines, or refers to."""
    if "$ref" in schema:
        yield _referred(schema["$ref"], whole)
    for name in COMBINING:
        yield from schema.get(name, ())
    for name in ("then", "else"):
        if name in schema:
            yield schema[name]
    if "$dynamicRef" in schema or "dependentSchemas" in schema:
        yield True


def _says_something(schema: Json) -> bool:
    return isinstance(schema, dict) and bool(
        schema.keys() & (TELLING | {"$ref", "$dynamicRef", "then", "else", *COMBINING})
    )


def _referred(reference: Json, whole: Json) -> Json:
    """What a JSON pointer within the schema leads to; True, where it is something else."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return True
    found = whole
    for step in reference[2:].split("/"):
        if not isinstance(found, dict):
            return True
        found = found.get(step.replace("~1", "/").replace("~0", "~"), True)
    return found


def _may_be(schema: Mapping[str, Json], name: str) -> bool:
    types = schema.get("type", name)
    return bool(name in types if isinstance(types, list) else name == types)


def _member(schema: Mapping[str, Json], whole: Json, name: str) -> Iterator[Alternative]:
    if not schema:
        yield ANYTHING
    elif not _may_be(schema, "object") or "enum" in schema or "const" in schema:
        return
    elif name in (properties := schema.get("properties", {})):
        yield from _flat(properties[name], whole, DEEPEST)
    elif schema.get("additionalProperties", False) is not False:
        yield from _flat(schema["additionalProperties"], whole, DEEPEST)
    elif "patternProperties" in schema or "properties" not in schema:
        yield ANYTHING


def _items(schema: Mapping[str, Json], whole: Json) -> Iterator[Alternative]:
    if not schema:
        yield ANYTHING
    elif _may_be(schema, "array") and "enum" not in schema and "const" not in schema:
        if "prefixItems" in schema:
            yield ANYTHING
        else:
            yield from _flat(schema.get("items", True), whole, DEEPEST)


def _crushed(value: Value, deepest: int) -> Iterator[Alternative]:
    for schema, whole in value.alternatives:
        types = schema.get("type", ())
        if "array" not in types or not deepest:
            yield schema, whole
            continue
        yield from _crushed(Value(list(_items(schema, whole))), deepest - 1)
        if others := [each for each in types if each != "array"] if isinstance(types, list) else []:
            yield {**schema, "type": others}, whole


def _kinds(schema: Mapping[str, Json]) -> frozenset[Kind] | None:
    """What a value may be; None: nobody knows."""
    if "enum" in schema or "const" in schema:
        return frozenset(map(kind, schema["enum"] if "enum" in schema else [schema["const"]]))
    types = schema.get("type")
    if types is None:
        return None
    kinds: frozenset[Kind] = frozenset()
    for name in [types] if isinstance(types, str) else types:
        kinds |= KINDS.get(name, frozenset())
    return kinds | {Kind.DECIMAL} if _is_decimal(schema) else kinds


def _is_decimal(schema: Mapping[str, Json]) -> bool:
    """Whether text is to be a decimal number."""
    pattern = schema.get("pattern")
    try:
        return pattern is not None and bool(
            re.search(pattern, "1.5") and not re.search(pattern, "a")
        )
    except re.error:  # not all of the regular expressions that schemas have are Python's
        return False


def kind(value: Json) -> Kind:
    """What a value is."""
    match value:
        case None:
            return Kind.NULL
        case bool():
            return Kind.TRUTH
        case int() | float():
            return Kind.NUMBER
        case str():
            return Kind.TEXT
        case list():
            return Kind.LIST
        case _:
            return Kind.OBJECT
