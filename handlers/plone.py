"""Import an asset into Plone; retract its pages, and publish them again.

    cms:
      url: https://www.example.com/Plone
      auth: {basic: {user: gateway, password: {file: secrets/plone}}}
      handler: handlers.plone:retract

The pages are the `placements` with `system: plone`; their `ref` is a path such as `news/story-1`.
An image has an id of the asset's number in its folder. Where Plone says that this is in use, the image
is there, and only its metadata is written. Plone itself stops showing it when its licence ends.

https://plonerestapi.readthedocs.io/en/latest/
"""

from base64 import b64encode

from gateway import Endpoint, Event, Response
from handlers.answers import Api
from handlers.files import fetch
from handlers.lookup import at
from handlers.pages import Pages, move_each, path_of, refs
from handlers.rights import ends_at, name, texts

API = Api(vendor="Plone", code="type")
IN_USE = "already in use"
JSON = {"accept": "application/json"}


async def import_asset(
    event: Event, endpoint: Endpoint, *, folder: str = "", max_mib: int = 32
) -> Response:
    """Make an image in *folder* of the asset's file, or say anew what the one that is there shows."""
    place = path_of(folder.strip("/")) if folder else ""
    image = f"{place}/{name(event)}"
    known = await endpoint.request("GET", f"{image}/@workflow", headers=JSON)
    if API.expect(known, 404).ok:
        return await _describe(event, endpoint, image)
    file = await fetch(event, endpoint, max_mib)
    content = {
        "@type": "Image",
        "id": name(event),
        **_metadata(event),
        "image": {
            "data": b64encode(file.content).decode(),
            "encoding": "base64",
            "filename": file.name,
            "content-type": file.content_type,
        },
    }
    made = await endpoint.request("POST", place, json=content, headers=JSON)
    if made.status == 400 and IN_USE in made.text:
        return await _describe(event, endpoint, image)
    return API.expect(made)


async def retract(event: Event, endpoint: Endpoint, *, placements: Pages = None) -> Response:
    """Make published pages private."""
    return await _move(event, endpoint, "retract", placements)


async def publish(event: Event, endpoint: Endpoint, *, placements: Pages = None) -> Response:
    """Publish pages that are not. Route only what lifts the reason to it: a renewed licence."""
    return await _move(event, endpoint, "publish", placements)


async def _describe(event: Event, endpoint: Endpoint, image: str) -> Response:
    answer = await endpoint.request("PATCH", image, json=_metadata(event), headers=JSON)
    return API.expect(answer)


async def _move(event: Event, endpoint: Endpoint, transition: str, placements: Pages) -> Response:
    """Make the transition of every page that has it before it."""

    async def move(ref: str) -> Response | None:
        at_page = f"{path_of(ref)}/@workflow"
        page = API.expect(await endpoint.request("GET", at_page, headers=JSON), 404)
        if page.status == 404 or transition not in _transitions(page):  # it is there, or gone
            return None
        path, why = f"{at_page}/{transition}", {"comment": f"{event.type} {event.id}"}
        return API.expect(await endpoint.request("POST", path, json=why, headers=JSON))

    return await move_each(refs(event, "plone", placements), move, event)


def _transitions(page: Response) -> set[str]:
    return {
        str(at(each, "@id")).rpartition("/")[2] for each in at(page.json(), "transitions") or ()
    }


def _metadata(event: Event) -> dict[str, object]:
    """What the event says; what it does not say is left as it is there."""
    about, end = texts(event), ends_at(event)
    fields = {
        "title": about.get("title", name(event)),
        "description": about.get("caption"),
        "rights": about.get("copyright") or about.get("credit_line"),
        "expires": end.isoformat() if end else None,
    }
    return {field: value for field, value in fields.items() if value}
