"""Take an asset's pages offline in WordPress, and bring them back.

    cms:
      url: https://www.example.com/wp-json/wp/v2
      auth: {basic: {user: gateway, password: {file: secrets/wordpress}}}     # an application password
      handler: handlers.cms:unpublish

The pages are the event's `placements` with `system: wordpress`; their `ref` is the number of the post.
WordPress has no idempotency keys, so each page is read first and written only if that changes it: an
attempt that failed half-way is made again without harm.

https://developer.wordpress.org/rest-api/reference/posts/
"""

from gateway import Endpoint, Event, Response, Skip

OFFLINE, ONLINE = "draft", "publish"


async def unpublish(event: Event, endpoint: Endpoint) -> Response:
    """Make published pages drafts."""
    return await _move(event, endpoint, ONLINE, OFFLINE)


async def republish(event: Event, endpoint: Endpoint) -> Response:
    """Publish pages that are drafts. Route only what lifts the reason to it: a renewed licence."""
    return await _move(event, endpoint, OFFLINE, ONLINE)


async def _move(event: Event, endpoint: Endpoint, state: str, to: str) -> Response:
    """Move every page of the event that is in *state*; the first answer that is a failure ends it."""
    changed = None
    for number in _posts(event):
        page = await endpoint.get(
            f"/posts/{number}", query={"context": "edit", "_fields": "id,status"}
        )
        if page.status == 404:  # deleted, which is as good as offline
            continue
        if not page.ok:
            return page
        if page.json()["status"] == state:
            changed = await endpoint.post(f"/posts/{number}", json={"status": to})
            if not changed.ok:
                return changed
    if changed is None:
        raise Skip(f"no page of {event.subject or event.id} is to be changed")
    return changed


def _posts(event: Event) -> list[int]:
    """The numbers of the posts that show the asset: `5`, or `post/5`."""
    placements = event.data.get("placements") or []
    refs = [str(p.get("ref", "")) for p in placements if p.get("system") == "wordpress"]
    numbers = [ref.rpartition("/")[2] for ref in refs]
    return [int(number) for number in numbers if number.isascii() and number.isdigit()]
