"""What the admin API reads and writes in more than one place: moments, truths, and JSON."""

from collections.abc import Iterable

import orjson
from starlette.responses import Response

from gateway.core.errors import ParameterInvalid
from gateway.core.model import Json, Micros, rfc3339_moment


def moment(name: str, value: str) -> Micros:
    """A moment as RFC 3339 writes it, with its offset. Raises ParameterInvalid."""
    found = rfc3339_moment(value)
    if found is None:
        raise ParameterInvalid(f"{name} is no moment", cure="write it as 2026-12-01T00:00:00Z")
    return found


def truth(name: str, value: str) -> bool:
    """What `true` or `false` says. Raises ParameterInvalid."""
    if value not in {"true", "false"}:
        raise ParameterInvalid(f"{name} is {value}", cure="say true or false")
    return value == "true"


def no_parameter(name: str, known: Iterable[str]) -> ParameterInvalid:
    """What to raise for a name that is none of the *known*."""
    return ParameterInvalid(f"there is no parameter {name}", cure=f"use {', '.join(known)}")


def json_answer(value: Json, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(value), status, media_type="application/json")
