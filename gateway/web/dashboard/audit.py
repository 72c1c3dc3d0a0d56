"""The page of who changed what."""

from starlette.responses import Response

from gateway.web.asked import Audit
from gateway.web.dashboard.visit import Visit


async def show(visit: Visit) -> Response:
    """The newest entries, or those that were sought."""
    query = visit.listing(Audit)
    found = await visit.desk.around.shown.audit(query)
    return visit.listed("audit.html", found, query)
