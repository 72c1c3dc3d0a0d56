"""Whether data fit their type, by JSON Schema (2020-12): core/conformance.py.

The library is loaded where something is compared, and no sooner: it takes 40 ms and 8 MiB. It fetches
nothing, and its patterns take linear time.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from gateway.core.conformance import Conformance, Misfit, OnMisfit
from gateway.core.model import Json, kind_of
from gateway.core.operators import shown

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

MASK = "it"
"""Stands in the library's messages for what a sender wrote."""
MOST_CHOICES = 12

Schemas: TypeAlias = Callable[[str], Json]
"""Given a type: its schema; True, which everything fits, where nothing is known of it."""


class SchemaInvalid(Exception):  # becomes a Problem of the file that names it
    """A schema cannot be used."""


def compiled(schema: Json, mask: str | None = MASK) -> "Validator":
    """What compares data with *schema*, and shows *mask* for what they hold. Raises SchemaInvalid."""
    import jsonschema_rs  # noqa: PLC0415  # see above

    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            validate_formats=True,
            offline=True,
            mask=mask,
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except ValueError as error:  # jsonschema_rs.ValidationError, and what it says of other values
        raise SchemaInvalid(str(error).partition("\n")[0]) from None


def conformance(otherwise: str, schemas: Schemas) -> Conformance:
    """What a source wants whose `validate` that is."""

    @cache
    def validator(event_type: str) -> "Validator | None":
        schema = schemas(event_type)
        return None if schema is True else compiled(schema)

    def misfit(event_type: str, data: Json) -> Misfit | None:
        known = validator(event_type)
        if known is None or known.is_valid(data):
            return None
        return _told(event_type, next(known.iter_errors(data)))

    return Conformance(OnMisfit(otherwise), misfit)


def _told(event_type: str, error: "ValidationError") -> Misfit:
    field = "data"
    for step in error.instance_path:
        field += f"[{step}]" if isinstance(step, int) else f".{step}"
    kind = error.kind
    match kind.name:
        case "required":
            return Misfit(event_type, f"{field}.{kind.as_dict()['property']}", "is missing")
        case "type":
            wanted = " or ".join(_WORDS.get(each, each) for each in kind.as_dict()["types"])
            return Misfit(
                event_type, field, f"is {kind_of(error.instance)}, and has to be {wanted}"
            )
        case "enum":
            return Misfit(event_type, field, f"is none of {_choices(kind.as_dict()['options'])}")
        case "format":
            return Misfit(event_type, field, f"is no {kind.as_dict()['format']}")
        case _:
            return Misfit(event_type, field, f"is not as it has to be: {error.message}")


_WORDS = {
    "null": "null",
    "boolean": "true or false",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "array": "a list",
    "object": "an object",
}


def _choices(options: list[Json]) -> str:
    words = [each if isinstance(each, str) else shown(each) for each in options]
    more = ["…"] if len(words) > MOST_CHOICES else []
    return ", ".join([*words[:MOST_CHOICES], *more])
