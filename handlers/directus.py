"""Keep an item of each asset in Directus: whose it is, and what may be done with it until when.

    dam:
      url: https://directus.example.com
      auth: {bearer: {file: secrets/directus}}
      handler: handlers.directus:upsert_item

A route says into which collection, and what; without `fields`, the texts of the asset and the terms of
its licence, which the collection has to have fields for:

    to: [{endpoint: dam, with: {collection: images, fields: {ends: "${event.data.license.expires_at}"}}}]

The collection's key is a text, `id`, made of the asset's number: Directus says where there is one
already (RECORD_NOT_UNIQUE), and then that is written. The token has to be allowed to read the items,
or Directus answers the same (204) for one that was written and for one that is gone.

https://directus.io/docs/api/items
"""

from collections.abc import Mapping
from urllib.parse import quote

from gateway import Endpoint, Event, Response, Unsuccessful
from handlers.answers import Api
from handlers.lookup import at
from handlers.rights import name, texts

API = Api(vendor="Directus", code="errors.0.extensions.code", message="errors.0.message")
NOT_UNIQUE = "RECORD_NOT_UNIQUE"
TERMS = {
    "license_id": "license.id",
    "expires_at": "license.expires_at",
    "territories": "license.territories",
    "channels": "license.channels",
}
"""Fields, and where in the event they stand."""


async def upsert_item(
    event: Event,
    endpoint: Endpoint,
    *,
    collection: str = "assets",
    fields: Mapping[str, object] | None = None,
) -> Response:
    """Create the item, or write its fields where there is one; other fields of it stay."""
    path, number = f"/items/{quote(collection, safe='')}", name(event)
    written = _terms(event) if fields is None else dict(fields)
    created = await endpoint.post(path, json={**written, "id": number})
    if API.code_of(created) != NOT_UNIQUE:
        return API.expect(created)
    changed = API.expect(await endpoint.patch(f"{path}/{number}", json=written))
    if changed.status == 204:  # the item is gone again: the next attempt creates it
        raise Unsuccessful(changed)
    return changed


def _terms(event: Event) -> dict[str, object]:
    terms = {field: at(event.data, path) for field, path in TERMS.items()}
    return {**texts(event), **{field: value for field, value in terms.items() if value is not None}}
