"""Pages of dead letters: by endpoint and reason, and how they are all sent again."""

from typing import Any

from starlette.responses import Response

from gateway.core.bulk import DEFAULT_RATE, Action, add_groups
from gateway.core.model import SECOND, rfc3339_moment
from gateway.flows.bulk import shown
from gateway.web.asked import EndedFilter, Redeliver, read_fields, sought
from gateway.web.dashboard.render import link
from gateway.web.dashboard.visit import Visit, filled

LATEST = 20
LONGEST_COUNT = SECOND // 10
"""Where there are very many, a page shows what was counted by then."""


async def show(visit: Visit) -> Response:
    """How many there are, by endpoint and reason, and the latest of them."""
    around = visit.desk.around
    which = _sought(visit)
    latest = await around.shown.deliveries({**which, "state": "dead", "limit": LATEST})
    return visit.page(
        "dead.html",
        found=await _counted(visit, which),
        latest=latest.items,
        operations=await around.bulk.operations(LATEST),
        endpoints=sorted(each["name"] for each in around.operate.endpoints()),
        given={name: visit.asked(name) for name in which},
    )


async def preview(visit: Visit) -> Response:
    """What sending them again comes to, before it is done."""
    which = _sought(visit)
    return visit.page(
        "redeliver.html",
        found=await _counted(visit, which),
        given={name: visit.asked(name) for name in which},
        rate=DEFAULT_RATE[0],
    )


async def redeliver(visit: Visit) -> Response:
    """Put them back on schedule, at the rate that was asked for."""
    form = dict(visit.form)
    rate = read_fields(Redeliver, {"rate": f"{form.pop('rate', '')}/s"}).rate
    which = sought(read_fields(EndedFilter, filled(form)))
    carry_on = visit.desk.around.carry_on
    name = await carry_on.begin(Action.REDELIVER, which, rate, visit.caller)
    return visit.done("They go back on schedule.", link("operations", name))


async def operation(visit: Visit) -> Response:
    """How far one is."""
    around, name = visit.desk.around, visit.part("id")
    found = await around.bulk.operation(name)
    return visit.page("operation.html", operation=shown(found), carried_on=name in around.carry_on)


async def go_on(visit: Visit) -> Response:
    """Carry one on that has been left."""
    name = visit.part("id")
    await visit.desk.around.carry_on.go_on(name, visit.caller)
    return visit.done("It goes on.", link("operations", name))


def _sought(visit: Visit) -> dict[str, Any]:
    """Which dead letters the address asks for."""
    found = visit.filters(EndedFilter)
    found.pop("state", None)
    return found


async def _counted(visit: Visit, which: dict[str, Any]) -> dict[str, Any]:
    """The groups, the largest first; `next` is not None where counting took too long.

    None of them has what comes after `until`.
    """
    around = visit.desk.around
    began = around.clock.monotonic()
    which = {**which, "state": "dead"}
    found = await around.bulk.groups(which)
    which["until"] = rfc3339_moment(found["until"])
    while found["next"] is not None and around.clock.monotonic() - began < LONGEST_COUNT:
        add_groups(found, await around.bulk.groups(which, found["next"]))
    return found
