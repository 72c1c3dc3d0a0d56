"""Pages of endpoints: how each fares, and its switch."""

from starlette.responses import Response

from gateway.core.words import counted
from gateway.flows.operate import Known
from gateway.web.asked import Pause, read_fields
from gateway.web.dashboard.overview import drawn, rows, sums
from gateway.web.dashboard.render import link
from gateway.web.dashboard.visit import Visit
from gateway.web.etags import tag_of_endpoint

MOST_FAILURES = 10


async def show_all(visit: Visit) -> Response:
    """Every one of them."""
    return visit.page("endpoints.html", rows=await rows(visit))


async def show(visit: Visit) -> Response:
    """One of them, with its hour and the deliveries that it failed last."""
    around, name = visit.desk.around, visit.part("name")
    endpoint = await around.shown.endpoint(name)
    hour = around.history.of(name)
    return visit.page(
        "endpoint.html",
        version=tag_of_endpoint(endpoint),
        endpoint={**endpoint, **sums(hour), "late": (await around.late()).get(name, 0)},
        drawn=drawn(hour),
        dead=(
            await around.shown.deliveries(
                {"endpoint": name, "state": "dead", "limit": MOST_FAILURES}
            )
        ).items,
        waiting=(
            await around.shown.deliveries(
                {"endpoint": name, "state": "scheduled", "limit": MOST_FAILURES}
            )
        ).items,
    )


async def pause(visit: Visit) -> Response:
    """Begin no attempt at it until it is resumed."""
    name = visit.part("name")
    reason = read_fields(Pause, {"reason": visit.form.get("reason", "").strip()}).reason
    await visit.desk.around.operate.pause(name, visit.caller, reason, _known(visit))
    return visit.done(f"{name} is paused: its deliveries wait.", link("endpoints", name))


async def resume(visit: Visit) -> Response:
    """Let attempts begin again, now."""
    name = visit.part("name")
    waiting = (await visit.desk.around.shown.endpoint(name))["waiting"]  # before it goes out
    await visit.desk.around.operate.resume(name, visit.caller, _known(visit))
    word = f" {counted(waiting, 'delivery waits', 'deliveries wait')} for it." if waiting else ""
    return visit.done(f"{name} is open.{word}", link("endpoints", name))


def _known(visit: Visit) -> Known | None:
    """Whether an endpoint is as the page showed it that has the button; None: it does not say."""
    version = visit.form.get("version")
    if version is None:
        return None
    return lambda endpoint: version == tag_of_endpoint(endpoint)
