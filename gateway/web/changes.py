"""Paths of the admin API that change something. Their names are those of the audit log."""

from starlette.responses import Response

from gateway.core.access import DONE
from gateway.core.errors import Changed
from gateway.web.call import Call, json_answer
from gateway.web.etags import names, tag_of_endpoint


async def replay(call: Call) -> Response:
    """Route an event again."""
    names, failures = await call.around.operate.replay(call.part, call.caller)
    return json_answer({"deliveries": names, "failures": failures}, 202)


async def redeliver(call: Call) -> Response:
    """Put a delivery back on schedule."""
    await call.around.operate.redeliver(call.part, call.caller)
    return json_answer({"id": call.part, "state": "scheduled"}, 202)


async def cancel(call: Call) -> Response:
    """Do not make a delivery."""
    await call.around.operate.cancel(call.part, "cancelled by an operator", call.caller)
    return json_answer({"id": call.part, "state": "cancelled"})


async def cancel_plan(call: Call) -> Response:
    """Do not make a planned event."""
    await call.around.operate.cancel_plan(call.part, call.caller)
    return json_answer({"id": call.part, "state": "cancelled"})


async def read_again(call: Call) -> Response:
    """Read an entry of the inbox once more."""
    receipts = await call.around.read_again.again(call.part, call.caller)
    shown = [{"id": each.event_id, "duplicate": each.duplicate} for each in receipts]
    return json_answer({"events": shown}, 202)


async def pause(call: Call) -> Response:
    """Begin no attempt at an endpoint."""
    await _check_unchanged(call)
    await call.around.operate.pause(call.part, call.caller, call.filters["reason"].strip())
    return _switched(call, "paused")


async def resume(call: Call) -> Response:
    """Begin attempts at it again."""
    await _check_unchanged(call)
    await call.around.operate.resume(call.part, call.caller)
    return _switched(call, "open")


def _switched(call: Call, state: str) -> Response:
    tag = tag_of_endpoint(call.around.operate.endpoint(call.part))
    return json_answer({"name": call.part, "state": state}, etag=tag)


async def _check_unchanged(call: Call) -> None:
    """Raises Changed where the endpoint is not as `If-Match` says that the caller knew it."""
    known = call.headers.get("if-match")
    if known is None:
        return
    endpoint = call.around.operate.endpoint(call.part)
    if names(known, tag_of_endpoint(endpoint)):
        return
    changes = await call.around.shown.audit({"object": call.part, "limit": 20})
    done = (each for each in changes.items if each["action"] in SWITCHES)
    by = next(
        (f", by {each['who']} at {each['at']}" for each in done if each["outcome"] == DONE), ""
    )
    reason = f" ({endpoint['reason']})" if endpoint["reason"] else ""
    what = f"the endpoint {call.part} is {endpoint['state']}{reason}{by}"
    error = Changed(what, cure="look at it again, and then decide")
    await call.around.operate.refused(call.action, call.part, call.caller, error)
    raise error


SWITCHES = frozenset({"pause", "resume"})


async def resume_all(call: Call) -> Response:
    """End the pause of a start."""
    await call.around.operate.resume_all(call.caller)
    return json_answer({"held_by": call.around.status()["held_by"]})


async def prune(call: Call) -> Response:
    """A slice of what retention lets go of."""
    flow, after = call.around.prune, call.filters["cursor"]
    done = await (
        flow.count(after) if call.filters["dry_run"] else flow.on_request(after, call.caller)
    )
    return json_answer({**done.gone, "next": done.after})


async def erase(call: Call) -> Response:
    """A slice of what is known of a subject."""
    flow, subject, after = call.around.erase, call.filters["subject"], call.filters["cursor"]
    done = await (
        flow.count(subject, after)
        if call.filters["dry_run"]
        else flow.erase(subject, after, call.caller)
    )
    told = done.erased._asdict()
    return json_answer({**told, "log_emptied": done.log_emptied, "next": done.after})
