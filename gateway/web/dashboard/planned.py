"""The page of events that are planned."""

from starlette.responses import Response

from gateway.web.asked import Plans
from gateway.web.dashboard.visit import Visit


async def show(visit: Visit) -> Response:
    """The next ones, or those that were sought."""
    around = visit.desk.around
    query = visit.listing(Plans)
    found = await around.shown.plans(query)
    return visit.listed(
        "planned.html",
        found,
        query,
        schedules=[schedule.name for schedule in around.in_force().schedules.all],
    )


async def cancel(visit: Visit) -> Response:
    """Keep one from being made."""
    name = visit.part("id")
    await visit.desk.around.operate.cancel_plan(name, visit.caller)
    return visit.done(f"{name} will not be made.")
