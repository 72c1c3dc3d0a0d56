"""The types of events that routes files may count on: those of the catalogue, and of `types:`."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from gateway.catalogue import catalogue_types, schema_of
from gateway.config.conformance import SchemaInvalid, compiled
from gateway.config.part import Part
from gateway.config.shapes import TypeShape
from gateway.core.model import Json

LARGEST_BYTES = 1024 * 1024


@dataclass(slots=True)
class Types:
    """What is known of types."""

    own: dict[str, Json] = field(default_factory=dict)
    """The schemas of the files' own, by type."""

    def schema(self, event_type: str) -> Json:
        """The schema of a type's data; True, which everything fits, where nothing is known of it."""
        if event_type in self.own:
            return self.own[event_type]
        return schema_of(event_type) if event_type in catalogue_types() else True

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*catalogue_types(), *self.own}))

    def __contains__(self, event_type: str) -> bool:
        return event_type in self.own or event_type in catalogue_types()


def build_type(name: str, shape: TypeShape, part: Part) -> Json | None:
    """The schema that a type names; None where there is none that can be used, which is noted."""
    is_known = name in catalogue_types()
    if is_known and shape.replace is None:
        what = f'"{name}" is in the catalogue already'
        cure = "give it another name; or write `replace: true`, so that this schema counts instead"
        part.fault("type-known", what, cure, key=True)
        return None
    if not is_known and shape.replace:
        what = f'the catalogue has no type "{name}" that this could replace'
        part.at("replace").fault("type-known", what, "remove `replace`")
    return _schema(shape, part.at("schema"))


def _schema(shape: TypeShape, part: Part) -> Json | None:
    if not part.around.secrets.at_hand:  # read for its routing alone: only the text is here
        return True
    path = part.base / shape.schema_
    try:
        text = path.read_bytes()
    except OSError as error:
        what = f"the schema cannot be read: {error.strerror}"
        part.fault("no-file", what, "mend the path: it starts from this file")
        return None
    try:
        if len(text) > LARGEST_BYTES:
            raise SchemaInvalid(f"it is longer than {LARGEST_BYTES} bytes")  # noqa: TRY301
        schema = orjson.loads(text)
        compiled(schema, mask=None)
    except (orjson.JSONDecodeError, SchemaInvalid) as error:
        what = f"this is no JSON Schema: {error}"
        part.fault("type-schema", what, "mend the file: it has to be JSON Schema 2020-12, whole")
        return None
    return schema
