"""The page of the routes in force, and the form that explains what they make of an event."""

from starlette.responses import Response

from gateway.core.errors import NotFound
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
    try:
        told = explained(around.in_force(), source, pasted.encode(), {}, around.clock.now())
    except NotFound as error:
        told = {
            "source": source,
            "outcome": "refused",
            "events": [],
            "problem": {"what": error.what, "cure": error.cure, "code": error.code},
        }
    return _page(visit, told, pasted=pasted, source=source)


def _page(
    visit: Visit, told: dict[str, Json] | None, *, pasted: str = "", source: str | None = None
) -> Response:
    around = visit.desk.around
    return visit.page(
        "routes.html",
        items=around.shown.routes(),
        files=around.files(),
        sources=list(around.in_force().sources.values()),
        told=told,
        pasted=pasted,
        chosen=source,
    )
