"""Pages of the inbox: what was refused, unreadable, or only partly routed."""

from typing import Any

from starlette.responses import Response

from gateway.core.errors import BodyCorrupt, Conflict, NotFound
from gateway.core.verifying import OUTCOMES
from gateway.core.words import counted
from gateway.web.asked import Inbox, read_fields
from gateway.web.dashboard.render import link
from gateway.web.dashboard.visit import LONGEST_LOOK, Visit

AT_A_TIME = 200
MOST_COUNTED = 10_000
"""So many that are left are counted."""


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
    """Whether there are some of that source that were not read again, from where that has come."""
    query = _unread(visit.asked("source"), visit.asked("read_from"))
    return (await _count(visit, query, most=1))[0] > 0


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
    """Read the unreadable ones of a source once more: so many at a time, the newest first.

    What cannot be read stays where it is, so the page that follows goes on after the last that was tried.
    """
    source, after = visit.form.get("source", ""), visit.form.get("cursor", "")
    done, failures, tried = 0, [], 0
    while tried < AT_A_TIME:
        names, following = await visit.desk.around.look_up.entries(
            {**_unread(source, after), "limit": AT_A_TIME - tried}
        )
        for name in names:
            failure = await _read_one(visit, name)
            failures += [failure] if failure else []
            done += not failure
        tried += len(names)
        after = following or ""
        if not after:
            break
    word = f"Read: {counted(done, 'entry', 'entries')}."
    if failures:
        word += f" {counted(len(failures), 'entry', 'entries')} could not be. {failures[0]}."
    left, more = (0, False)
    if after:
        left, more = await _count(visit, _unread(source, after), MOST_COUNTED)
    if not left and not more:
        return visit.done(word, link("inbox", source=source))
    word += f" Older ones: {'at least ' if more else ''}{left:,}; press again to go on with them."
    return visit.done(word, link("inbox", source=source, read_from=after))


async def _read_one(visit: Visit, name: str) -> str:
    """Read an entry once more: why it cannot be, or nothing."""
    try:
        await visit.desk.around.read_again.again(name, visit.caller)
    except (Conflict, NotFound, BodyCorrupt) as error:
        return f"{name}: {error.what}"
    return ""


def _unread(source: str, after: str) -> dict[str, Any]:
    """Entries that were not read, of that source or of all, older than *after*."""
    given = {name: value for name, value in (("source", source), ("cursor", after)) if value}
    asked = read_fields(Inbox, given).model_dump(exclude_unset=True)
    return {**asked, "refused": 0, "unread": 1}


async def _count(visit: Visit, query: dict[str, Any], most: int) -> tuple[int, bool]:
    """How many entries fit, up to *most* or for as long as nobody waits for it; whether there may be more."""
    clock, found = visit.desk.around.clock, 0
    began, query = clock.monotonic(), dict(query)
    while found < most and clock.monotonic() - began < LONGEST_LOOK:
        names, following = await visit.desk.around.look_up.entries({**query, "limit": most - found})
        found += len(names)
        if following is None:
            return found, False
        query["cursor"] = following
    return found, True
