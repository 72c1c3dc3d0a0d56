"""Pages of events that are routed again in bulk: what that comes to, and how it is begun."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.core.bulk import DEFAULT_RATE, Action, add_events
from gateway.core.model import Json, rfc3339_moment
from gateway.web.asked import EventFilter, Replay, read_fields
from gateway.web.dashboard.render import link
from gateway.web.dashboard.visit import LONGEST_LOOK, Visit, filled


async def preview(visit: Visit) -> Response:
    """What routing them again comes to, before it is done."""
    asked = filled({name: visit.asked(name) for name in visit.request.query_params})
    return visit.page(
        "replay.html",
        found=await _counted(visit, _which(asked)),
        given=asked,
        rate=DEFAULT_RATE[0],
    )


async def replay(visit: Visit) -> Response:
    """Route them again, at the rate that was asked for."""
    form = dict(visit.form)
    rate = read_fields(Replay, {"rate": f"{form.pop('rate', '')}/s"}).rate
    carry_on = visit.desk.around.carry_on
    name = await carry_on.begin(Action.REPLAY, _which(form), rate, visit.caller)
    return visit.done("They are routed again.", link("operations", name))


def _which(fields: Mapping[str, str]) -> dict[str, Any]:
    """Which events fields ask for. Raises ParameterInvalid."""
    given: dict[str, Json] = dict(filled(fields))
    if "unmatched" in given:
        given["unmatched"] = given["unmatched"] == "true"
    return read_fields(EventFilter, given).model_dump(exclude_unset=True)


async def _counted(visit: Visit, which: dict[str, Any]) -> dict[str, Any]:
    """The events by source and type, the most first; `next` is not None where counting took too long."""
    around = visit.desk.around
    began = around.clock.monotonic()
    found = await around.bulk.count_events(which, "")
    which = {**which, "until": rfc3339_moment(found["until"])}
    while found["next"] is not None and around.clock.monotonic() - began < LONGEST_LOOK:
        add_events(found, await around.bulk.count_events(which, found["next"]))
    found["groups"].sort(key=lambda group: -int(group["events"]))
    return found
