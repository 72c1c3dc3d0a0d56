"""The page of events that are planned."""

from starlette.responses import Response

from gateway.flows.answers import Given
from gateway.web.asked import Plans
from gateway.web.dashboard.visit import Visit


async def show(visit: Visit) -> Response:
    """The next ones, or those that were sought."""
    around = visit.desk.around
    query = visit.listing(Plans)
    found = await around.shown.plans(query)
    in_force = around.in_force()
    return visit.listed(
        "planned.html",
        found,
        query,
        answers={
            route.awaits.planner: list(route.awaits.answers)
            for route in in_force.routes
            if route.awaits is not None
        },
        schedules=[schedule.name for schedule in in_force.schedules.all],
    )


async def answer(visit: Visit) -> Response:
    """Answer what a route has asked."""
    name, given = visit.part("id"), visit.part("answer")
    await visit.desk.around.operate.answer_plan(name, Given(given), visit.caller)
    return visit.done(f"It is answered: {given}.")


async def cancel(visit: Visit) -> Response:
    """Keep one from being made."""
    name = visit.part("id")
    await visit.desk.around.operate.cancel_plan(name, visit.caller)
    return visit.done(f"{name} will not be made.")
