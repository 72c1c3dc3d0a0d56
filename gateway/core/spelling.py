"""Fields of Getty's answers, whose spelling differs between the published versions of the API.

`change_set_id`, `ChangeSetId` and `changeSetId` are one field here; ids are texts or numbers.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeGuard

from gateway.core.model import Json, rfc3339_moment

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")


def spelled(value: Json, *names: str) -> Json:
    """The first of these fields that is there, whatever way it is spelled."""
    if not isinstance(value, dict):
        return None
    found = by_folded(value)
    return next((found[n] for n in map(folded, names) if found.get(n) is not None), None)


def by_folded(value: Mapping[str, Json]) -> dict[str, Json]:
    """The fields of an object by their names as `folded` gives them."""
    return {folded(name): field for name, field in value.items()}


def identity(value: Json) -> str | None:
    """An id, which some versions write as a number."""
    if is_number(value) and isinstance(value, int):
        return str(value)
    return (
        value if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() else None
    )


def is_number(value: Json) -> TypeGuard[int | float]:
    """Whether it is a number; in Python a truth value is one too."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def utc(value: Json) -> str | None:
    """A time in RFC 3339; Getty's are in UTC, whether they say so or not."""
    if not isinstance(value, str):
        return None
    text = f"{value}Z" if _TIME.fullmatch(value) else value
    return text if rfc3339_moment(text) is not None else None


def texts(value: Json) -> list[str]:
    """The texts in a list."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


@lru_cache(maxsize=1024)
def folded(name: str) -> str:
    """A name of a field in the one form that all spellings of it have."""
    return name.replace("_", "").lower()
