"""Import an asset into Drupal's media library; take its pages offline, and bring them back.

    cms:
      url: https://www.example.com/jsonapi
      auth: {basic: {user: gateway, password: {file: secrets/drupal}}}
      handler: handlers.drupal:unpublish

The pages are the `placements` with `system: drupal`; their `ref` is `node/article/UUID`. An asset
has a UUID that is made of its number: Drupal answers 409 where there is one already. Modules JSON:API
(with writing allowed) and basic_auth. A file whose upload came to nothing else is removed by Drupal.

https://www.drupal.org/docs/core-modules-and-themes/core-modules/jsonapi-module
"""

from uuid import NAMESPACE_URL, uuid5

from gateway import Endpoint, Event, Response
from handlers.answers import Api
from handlers.files import fetch
from handlers.pages import Pages, move_each, path_of, refs
from handlers.rights import name, texts

API = Api(vendor="Drupal", code="errors.0.title", message="errors.0.detail")
TYPE = {"accept": "application/vnd.api+json", "content-type": "application/vnd.api+json"}


async def import_asset(
    event: Event,
    endpoint: Endpoint,
    *,
    bundle: str = "image",
    field: str = "field_media_image",
    max_mib: int = 32,
) -> Response:
    """Make a media entity of the file, or name the one that is there anew."""
    media, path = str(uuid5(NAMESPACE_URL, name(event))), path_of(f"media/{bundle}")
    resource: dict[str, object] = {"type": f"media--{bundle}", "id": media}
    resource["attributes"] = {"name": texts(event).get("title", name(event))}
    known = await endpoint.request("GET", f"{path}/{media}", headers=TYPE)
    if API.expect(known, 404).ok:
        return await _write(endpoint, "PATCH", f"{path}/{media}", resource)
    shown = {
        "data": {"type": "file--file", "id": await _uploaded(event, endpoint, path, field, max_mib)}
    }
    return await _write(endpoint, "POST", path, {**resource, "relationships": {field: shown}})


async def unpublish(event: Event, endpoint: Endpoint, *, placements: Pages = None) -> Response:
    """Take published pages offline."""
    return await _move(event, endpoint, placements, online=False)


async def republish(event: Event, endpoint: Endpoint, *, placements: Pages = None) -> Response:
    """Publish pages that are offline. Route only what lifts the reason to it: a renewed licence."""
    return await _move(event, endpoint, placements, online=True)


async def _uploaded(
    event: Event, endpoint: Endpoint, path: str, field: str, max_mib: int
) -> object:
    """The UUID of the file in Drupal."""
    file = await fetch(event, endpoint, max_mib)
    headers = {
        **TYPE,
        "content-type": "application/octet-stream",
        "content-disposition": f'file; filename="{file.name}"',
    }
    place = f"{path}{path_of(field)}"
    answer = await endpoint.request("POST", place, body=file.content, headers=headers)
    return API.expect(answer).json()["data"]["id"]


async def _write(
    endpoint: Endpoint, method: str, path: str, resource: dict[str, object]
) -> Response:
    answer = await endpoint.request(method, path, json={"data": resource}, headers=TYPE)
    return API.expect(answer)


async def _move(event: Event, endpoint: Endpoint, placements: Pages, *, online: bool) -> Response:
    async def move(ref: str) -> Response | None:
        kind, _, uuid = ref.rpartition("/")
        path, query = path_of(ref), {f"fields[{kind.replace('/', '--')}]": "status"}
        answer = await endpoint.request("GET", path, headers=TYPE, query=query)
        if API.expect(answer, 404).status == 404:  # deleted, which is as good as offline
            return None
        page = answer.json()["data"]
        if page["attributes"]["status"] is online:
            return None
        changed = {"type": page["type"], "id": uuid, "attributes": {"status": online}}
        return await _write(endpoint, "PATCH", path, changed)

    return await move_each(refs(event, "drupal", placements), move, event)
