"""The pages that show an asset, taken offline or brought back one by one.

The pages are the `placements` of the event, or those that the route hands on, from the register say:

    with: {placements: "${known.placement}"}

None of the systems has idempotency keys, so each page is read first and written only if that changes
it: an attempt that failed half-way is made again without harm.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar
from urllib.parse import quote

from gateway import Event, Response, Skip
from handlers.lookup import at
from handlers.rights import about

Page = TypeVar("Page")
Pages = Iterable[Mapping[str, object]] | None
"""Where an asset is shown: `system`, `ref`, `url`. None: where the event says."""


def refs(event: Event, system: str, placements: Pages = None) -> list[str]:
    """The `ref` of each of *placements*, by default the event's, in *system*."""
    found = at(event.data, "placements") or [] if placements is None else placements
    return [
        ref
        for each in found
        if at(each, "system") == system and (ref := str(at(each, "ref") or "").strip("/"))
    ]


def path_of(ref: str) -> str:
    """A ref as a path: each of its segments encoded."""
    return "/" + "/".join(quote(segment, safe="") for segment in ref.split("/"))


async def move_each(
    pages: Iterable[Page], move: Callable[[Page], Awaitable[Response | None]], event: Event
) -> Response:
    """Call *move* for each page; None is what it returns of a page that it left alone.

    The last answer. Raises Skip where no page was to be changed.
    """
    changed = None
    for page in pages:
        changed = await move(page) or changed
    if changed is None:
        raise Skip(f"no page of {about(event)} is to be changed")
    return changed
