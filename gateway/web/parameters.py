"""What the admin API reads and writes in more than one place: moments, and JSON."""

from datetime import datetime

import orjson
from starlette.responses import Response

from gateway.core.errors import ParameterInvalid
from gateway.core.model import SECOND, Json, Micros


def moment(name: str, value: str) -> Micros:
    """A moment as RFC 3339 writes it, with its offset. Raises ParameterInvalid."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ParameterInvalid(f"{name} is no moment", cure="write it as 2026-12-01T00:00:00Z")
    return round(found.timestamp() * SECOND)


def json_answer(value: Json, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(value), status, media_type="application/json")
