"""Pages of deliveries: the listing, and what one's buttons do."""

from starlette.responses import RedirectResponse, Response

from gateway.core.errors import NotFound
from gateway.core.model import parse_delivery_id
from gateway.core.state import State
from gateway.web.asked import Deliveries
from gateway.web.dashboard.render import link
from gateway.web.dashboard.visit import Visit


async def show_all(visit: Visit) -> Response:
    """The newest, or those that were sought."""
    around = visit.desk.around
    query = visit.listing(Deliveries)
    found = await visit.leaf(visit.desk.around.shown.deliveries, query)
    return visit.listed(
        "deliveries.html",
        found,
        query,
        endpoints=sorted(each["name"] for each in around.operate.endpoints()),
        states=list(State),
    )


async def show(visit: Visit) -> Response:
    """To where it stands, on its event's page."""
    return RedirectResponse(_place(visit.part("id")), 303)


async def redeliver(visit: Visit) -> Response:
    """Put it back on schedule, due now."""
    name = visit.part("id")
    act_again = visit.form.get("act_again") == "yes"
    await visit.desk.around.operate.redeliver(name, visit.caller, act_again=act_again)
    return visit.done(f"{name} is back on schedule.", _place(name))


async def cancel(visit: Visit) -> Response:
    """Cancel it, if it is scheduled."""
    name = visit.part("id")
    await visit.desk.around.operate.cancel(name, "cancelled by an operator", visit.caller)
    return visit.done(f"{name} is cancelled.", _place(name))


def _place(name: str) -> str:
    parsed = parse_delivery_id(name)
    if parsed is None:
        raise NotFound(f"there is no delivery {name}", cure="look on the page of deliveries")
    return f"{link('events', parsed[0])}#{name}"
