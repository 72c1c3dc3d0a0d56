"""Paths of the admin API that change something. Their names are those of the audit log."""

from starlette.responses import Response

from gateway.core.errors import ExpressionFailed, ParameterInvalid
from gateway.core.register import told_by_hand
from gateway.flows.answers import Given
from gateway.flows.operate import Known
from gateway.web.asked import AnswerPlan, Teach
from gateway.web.call import Call, json_answer
from gateway.web.etags import names, tag_of_endpoint


async def replay(call: Call) -> Response:
    """Route an event again."""
    names, failures = await call.around.operate.replay(call.part, call.caller)
    return json_answer({"deliveries": names, "failures": failures}, 202)


async def redeliver(call: Call) -> Response:
    """Put a delivery back on schedule."""
    act_again = bool(call.filters.get("act_again"))
    await call.around.operate.redeliver(call.part, call.caller, act_again=act_again)
    return json_answer({"id": call.part, "state": "scheduled"}, 202)


async def cancel(call: Call) -> Response:
    """Do not make a delivery."""
    await call.around.operate.cancel(call.part, "cancelled by an operator", call.caller)
    return json_answer({"id": call.part, "state": "cancelled"})


async def cancel_plan(call: Call) -> Response:
    """Do not make a planned event."""
    await call.around.operate.cancel_plan(call.part, call.caller)
    return json_answer({"id": call.part, "state": "cancelled"})


async def answer_plan(call: Call) -> Response:
    """Answer what a route has asked."""
    given = call.given(AnswerPlan)
    await call.around.operate.answer_plan(
        call.part, Given(given.answer, given.by, given.reason), call.caller
    )
    return json_answer({"id": call.part, "answer": given.answer})


async def poll(call: Call) -> Response:
    """Ask for a source at once."""
    return json_answer(await call.around.pollers.now(call.part, call.caller))


async def teach(call: Call) -> Response:
    """Tell the register of things."""
    now = call.around.clock.now()
    items = call.given(Teach).items
    try:
        learned = [
            told_by_hand(
                call.part, each.key, each.value, now if each.as_of is None else min(each.as_of, now)
            )
            for each in items
        ]
    except ExpressionFailed as error:
        raise ParameterInvalid(
            f"items: {error}", cure="mend it, and send all of them again"
        ) from None
    kept = await call.around.operate.teach(call.part, learned, call.caller)
    return json_answer({"kept": kept})


async def read_again(call: Call) -> Response:
    """Read an entry of the inbox once more."""
    receipts = await call.around.read_again.again(call.part, call.caller)
    shown = [{"id": each.event_id, "duplicate": each.duplicate} for each in receipts]
    return json_answer({"events": shown}, 202)


async def pause(call: Call) -> Response:
    """Begin no attempt at an endpoint."""
    reason = call.filters["reason"].strip()
    await call.around.operate.pause(call.part, call.caller, reason, _known(call))
    return _switched(call, "paused")


async def resume(call: Call) -> Response:
    """Begin attempts at it again."""
    await call.around.operate.resume(call.part, call.caller, _known(call))
    return _switched(call, "open")


def _switched(call: Call, state: str) -> Response:
    tag = tag_of_endpoint(call.around.operate.endpoint(call.part))
    return json_answer({"name": call.part, "state": state}, etag=tag)


def _known(call: Call) -> Known | None:
    """Whether an endpoint is as `If-Match` says that the caller knew it; None: it says nothing."""
    given = call.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    return lambda endpoint: names(given, tag_of_endpoint(endpoint))


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
