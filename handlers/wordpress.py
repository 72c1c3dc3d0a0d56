"""Import an asset into WordPress; take its pages offline, and bring them back.

    cms:
      url: https://www.example.com/wp-json/wp/v2
      auth: {basic: {user: gateway, password: {file: secrets/wordpress}}}     # an application password
      handler: handlers.wordpress:unpublish

The pages are the `placements` with `system: wordpress`; their `ref` is the number of the post.
WordPress takes the same upload any number of times. So the asset is looked for first, by the slug that
its file's name makes: after an upload that was cut off, only what was missing is done.

https://developer.wordpress.org/rest-api/reference/media/
https://developer.wordpress.org/rest-api/reference/posts/
"""

from gateway import Endpoint, Event, Response
from handlers.answers import FINAL, Api
from handlers.files import fetch
from handlers.pages import Pages, move_each, refs
from handlers.rights import name, texts

API = Api(
    vendor="WordPress",
    final=FINAL | {501},  # such as rest_trash_not_supported
    final_codes={"rest_upload_sideload_error"},  # "not allowed to upload this file type", with 500
)
OFFLINE, ONLINE = "draft", "publish"


async def import_asset(event: Event, endpoint: Endpoint, *, max_mib: int = 32) -> Response:
    """Upload the file to the media library, unless it is there, and say what it shows and whose it is."""
    slug = name(event)
    query = {"slug": slug, "context": "edit", "_fields": "id,slug"}
    found = API.expect(await endpoint.get("/media", query=query)).json()
    if found:
        number = found[0]["id"]
    else:
        file = await fetch(event, endpoint, max_mib)
        headers = {
            "content-type": file.content_type,
            "content-disposition": f'attachment; filename="{file.name}"',
        }
        uploaded = await endpoint.request("POST", "/media", body=file.content, headers=headers)
        number = API.expect(uploaded).json()["id"]
    described = {"slug": slug, **_description(texts(event))}
    return API.expect(await endpoint.post(f"/media/{int(number)}", json=described))


async def unpublish(event: Event, endpoint: Endpoint, *, placements: Pages = None) -> Response:
    """Make published pages drafts."""
    return await _move(event, endpoint, placements, ONLINE, OFFLINE)


async def republish(event: Event, endpoint: Endpoint, *, placements: Pages = None) -> Response:
    """Publish pages that are drafts. Route only what lifts the reason to it: a renewed licence."""
    return await _move(event, endpoint, placements, OFFLINE, ONLINE)


async def _move(
    event: Event, endpoint: Endpoint, placements: Pages, state: str, to: str
) -> Response:
    """Move every page that is in *state*; the first failure ends it."""

    async def move(number: str) -> Response | None:
        query = {"context": "edit", "_fields": "id,status"}
        page = API.expect(await endpoint.get(f"/posts/{number}", query=query), 404)
        if page.status == 404 or page.json()["status"] != state:  # deleted is as good as offline
            return None
        return API.expect(await endpoint.post(f"/posts/{number}", json={"status": to}))

    return await move_each(_posts(event, placements), move, event)


def _posts(event: Event, placements: Pages) -> list[str]:
    """The numbers of the posts that show the asset: `5`, or `post/5`."""
    numbers = [ref.rpartition("/")[2] for ref in refs(event, "wordpress", placements)]
    return [number for number in numbers if number.isascii() and number.isdigit()]


def _description(about: dict[str, str]) -> dict[str, str]:
    """What WordPress calls it. What the event does not say is left as it is there."""
    credit = about.get("credit_line") or about.get("copyright")
    described = {
        "title": about.get("title"),
        "caption": " / ".join(filter(None, (about.get("caption"), credit))),
        "alt_text": about.get("title"),
        "description": about.get("caption"),
    }
    return {field: text for field, text in described.items() if text}
