"""The page of the routes in force, and the form that explains what they make of an event."""

from functools import partial

from starlette.responses import Response

from gateway.core.errors import NotFound, ParameterInvalid
from gateway.core.model import Json
from gateway.explaining import explained
from gateway.web.dashboard.visit import Visit


async def show(visit: Visit) -> Response:
    """The files, the counts, and an empty form."""
    return _page(visit, None)


async def explain(visit: Visit) -> Response:
    """What they make of the event that was pasted."""
    around = visit.desk.around
    pasted, source = visit.form.get("event", ""), visit.form.get("source") or None
    lines = visit.form.get("headers", "")
    try:
        routes, now = around.in_force(), around.clock.now()
        ask = partial(explained, routes, source, pasted.encode(), _headers(lines), now)
        told = await visit.informed(ask)
    except (NotFound, ParameterInvalid) as error:
        told = {
            "source": source,
            "outcome": "refused",
            "events": [],
            "problem": {"what": error.what, "cure": error.cure, "code": error.code},
        }
    return _page(visit, told, pasted=pasted, source=source, headers=lines)


def _headers(lines: str) -> dict[str, str]:
    """The headers that stand on these lines, by lower-case name. Raises ParameterInvalid."""
    found = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, colon, value = line.partition(":")
        if not (name.strip() and colon and line.isascii()):
            raise ParameterInvalid(f"{line!r} is no header", cure="write NAME: VALUE on each line")
        found[name.strip().lower()] = value.strip()
    return found


def _page(
    visit: Visit,
    told: dict[str, Json] | None,
    *,
    pasted: str = "",
    source: str | None = None,
    headers: str = "",
) -> Response:
    around = visit.desk.around
    return visit.page(
        "routes.html",
        items=around.shown.routes(),
        files=around.files(),
        sources=list(around.in_force().sources.values()),
        told=told,
        pasted=pasted,
        headers=headers,
        chosen=source,
    )
