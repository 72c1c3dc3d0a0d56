"""What the admin API reads and writes in more than one place: moments, and JSON."""

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


def json_answer(value: Json, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(value), status, media_type="application/json")
