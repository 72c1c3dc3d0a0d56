"""Pages of dead letters: by endpoint and reason, and how they are all sent again."""

from typing import Any

from starlette.responses import Response

from gateway.core.bulk import DEFAULT_RATE, Action, add_groups
from gateway.core.errors import ParameterInvalid
from gateway.core.model import SECOND, Json
from gateway.flows.bulk import shown
from gateway.web.dashboard.render import link
from gateway.web.dashboard.visit import Visit, moment

FILTERS = ("endpoint", "route", "reason", "type", "subject")
LATEST = 20
LONGEST_COUNT = SECOND // 10
"""Where there are very many, a page shows what was counted by then."""
FASTEST = 10_000
"""Deliveries a second."""


async def show(visit: Visit) -> Response:
    """How many there are, by endpoint and reason, and the latest of them."""
    around = visit.desk.around
    sought = visit.filters(*FILTERS)
    latest = await around.shown.deliveries({**sought, "state": "dead", "limit": LATEST})
    return visit.page(
        "dead.html",
        found=await _counted(visit, sought),
        latest=latest.items,
        operations=await around.bulk.operations(LATEST),
        endpoints=sorted(each["name"] for each in around.operate.endpoints()),
        sought=sought,
    )


async def preview(visit: Visit) -> Response:
    """What sending them again comes to, before it is done."""
    sought = visit.filters(*FILTERS)
    return visit.page(
        "redeliver.html",
        found=await _counted(visit, sought),
        given={name: visit.asked(name) for name in sought},
        rate=DEFAULT_RATE[0],
    )


async def redeliver(visit: Visit) -> Response:
    """Put them back on schedule, at the rate that was asked for."""
    sought: dict[str, Json] = {"state": "dead"}
    for name in FILTERS:
        if value := visit.form.get(name, ""):
            sought[name] = value
    for name in ("since", "until"):
        if value := visit.form.get(name, ""):
            sought[name] = moment(name, value)
    rate = (_rate(visit.form.get("rate", "")), SECOND)
    carry_on = visit.desk.around.carry_on
    name = await carry_on.begin(Action.REDELIVER, sought, rate, visit.caller)
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


async def _counted(visit: Visit, sought: dict[str, Any]) -> dict[str, Any]:
    """The groups, the largest first; `next` is not None where counting took too long."""
    around = visit.desk.around
    began = around.clock.monotonic()
    sought = {"state": "dead", **sought}
    found = await around.bulk.groups(sought)
    while found["next"] is not None and around.clock.monotonic() - began < LONGEST_COUNT:
        add_groups(found, await around.bulk.groups(sought, found["next"]))
    return found


def _rate(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= FASTEST:
        raise ParameterInvalid("that is no rate", cure=f"use 1 to {FASTEST} deliveries a second")
    return int(text)
