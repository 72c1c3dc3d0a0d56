"""Pages of the inbox: what was refused, unreadable, or only partly routed."""

from typing import Any

from starlette.responses import Response

from gateway.core.errors import Conflict, NotFound
from gateway.core.verifying import OUTCOMES
from gateway.core.words import counted
from gateway.web.asked import Inbox
from gateway.web.dashboard.render import link
from gateway.web.dashboard.visit import Visit

AT_A_TIME = 200


async def show_all(visit: Visit) -> Response:
    """The newest entries, or those that were sought."""
    query = visit.listing(Inbox)
    found = await visit.desk.around.shown.inbox(query, visit.caller)
    return visit.listed(
        "inbox.html",
        found,
        query,
        outcomes=OUTCOMES,
        unread=await _has_unread(visit),
        sources=sorted(visit.desk.around.in_force().sources),
    )


async def _has_unread(visit: Visit) -> bool:
    query: dict[str, Any] = {"refused": 0, "unread": 1, "limit": 1}
    if source := visit.asked("source"):
        query["source"] = source
    return bool(await visit.desk.around.look_up.inbox(query))


async def show(visit: Visit) -> Response:
    """One entry, whole."""
    entry = await visit.desk.around.shown.inbox_entry(visit.part("id"), visit.caller)
    return visit.page("inbox_entry.html", entry=entry)


async def read_again(visit: Visit) -> Response:
    """Read one once more, and go to its event."""
    receipts = await visit.desk.around.read_again.again(visit.part("id"), visit.caller)
    made = counted(sum(not each.duplicate for each in receipts), "event")
    known = sum(each.duplicate for each in receipts)
    word = f" {known} had come before." if known else ""
    return visit.done(f"Read: {made}.{word}", link("events", receipts[0].event_id))


async def read_all_again(visit: Visit) -> Response:
    """Read the unreadable ones of a source once more: at most so many at a time, the newest first."""
    around, source = visit.desk.around, visit.form.get("source", "")
    query = {
        "refused": 0,
        "unread": 1,
        "limit": AT_A_TIME,
        **({"source": source} if source else {}),
    }
    done, failed = 0, ""
    entries = await around.look_up.inbox(query)
    for entry in entries:
        try:
            await around.read_again.again(entry["id"], visit.caller)
            done += 1
        except (Conflict, NotFound) as error:
            failed = f" {entry['id']}: {error.what}."
    left = len(entries) - done
    word = f" {counted(left, 'entry', 'entries')} could not be.{failed}" if left else ""
    return visit.done(
        f"Read: {counted(done, 'entry', 'entries')}.{word}", link("inbox", source=source)
    )
