"""The page of what is known of things."""

from starlette.responses import Response

from gateway.core.register import conditions_of
from gateway.web.asked import Register
from gateway.web.dashboard.visit import Visit


async def show_all(visit: Visit) -> Response:
    """The collections that there are."""
    found = await visit.desk.around.register.collections()
    return visit.page("register.html", collections=found, collection=None)


async def show(visit: Visit) -> Response:
    """Things of one collection, or those that were sought."""
    collection = visit.part("name")
    query = visit.listing(Register)
    where = conditions_of(query.get("where", ""))
    found = await visit.desk.around.register.register_entries(
        {**query, "collection": collection, "where": where}
    )
    return visit.listed("register.html", found, query, collection=collection)
