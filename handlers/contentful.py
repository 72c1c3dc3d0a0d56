"""Import an asset into Contentful; take entries and assets offline, and publish them again.

    cms:
      url: https://api.contentful.com/spaces/abc123/environments/master
      auth: {bearer: {file: secrets/contentful}}
      handler: handlers.contentful:unpublish

The pages are `placements` of the event with `system: contentful` and `ref: entry/ID` or `asset/ID`.
An asset has an id of our own, and Contentful fetches its file by itself. It wants the version that a
change was made upon: where another change came first (409), the next attempt reads and writes anew.

https://www.contentful.com/developers/docs/references/content-management-api/
"""

from urllib.parse import quote

from gateway import Endpoint, Event, Response, RetryLater
from handlers.answers import Api
from handlers.files import url_of
from handlers.lookup import at
from handlers.pages import Pages, move_each, refs
from handlers.rights import name, texts

API = Api(vendor="Contentful", code="sys.id", reset="x-contentful-ratelimit-reset")
TYPE = {"content-type": "application/vnd.contentful.management.v1+json"}
PROCESSING_SECONDS = 10
VERSIONS = ("version", "publishedVersion")
FIELDS = {"title": "title", "caption": "description"}


async def import_asset(
    event: Event,
    endpoint: Endpoint,
    *,
    locale: str = "en-US",
    content_type: str = "image/jpeg",
    publish: bool = True,
) -> Response:
    """Make an asset of the file, or write its texts anew; published once Contentful has the file."""
    path = f"/assets/{name(event)}"
    asset = await _written(endpoint, path, event, locale, content_type)
    version, published = (at(asset.json(), f"sys.{each}") for each in VERSIONS)
    if not at(asset.json(), f"fields.file.{locale}.url"):
        API.expect(await _put(endpoint, f"{path}/files/{locale}/process", version))
        if publish:
            raise RetryLater("Contentful fetches the file", after=PROCESSING_SECONDS)
    elif publish and (published is None or version > published + 1):  # publishing makes one more
        asset = API.expect(await _put(endpoint, f"{path}/published", version))
    return asset


async def unpublish(event: Event, endpoint: Endpoint, *, placements: Pages = None) -> Response:
    """Take what is published offline."""
    return await _move(event, endpoint, placements, online=False)


async def republish(event: Event, endpoint: Endpoint, *, placements: Pages = None) -> Response:
    """Publish what is offline. Route only what lifts the reason to it: a renewed licence."""
    return await _move(event, endpoint, placements, online=True)


async def _written(
    endpoint: Endpoint, path: str, event: Event, locale: str, content_type: str
) -> Response:
    """The asset as it is to be, written where it is not so; what else it has stays."""
    found = API.expect(await endpoint.get(path), 404)
    former = found.json() if found.ok else {}
    fields = dict(at(former, "fields") or {})
    for field, text in {"title": name(event), **texts(event)}.items():
        if field in FIELDS:
            fields[FIELDS[field]] = {**fields.get(FIELDS[field], {}), locale: text}
    if not at(fields, f"file.{locale}"):
        file = {"contentType": content_type, "fileName": name(event), "upload": url_of(event)}
        fields["file"] = {**fields.get("file", {}), locale: file}
    if found.ok and fields == at(former, "fields"):
        return found
    asset = {**{key: former[key] for key in former if key == "metadata"}, "fields": fields}
    return API.expect(await _put(endpoint, path, at(former, "sys.version"), asset))


async def _move(event: Event, endpoint: Endpoint, placements: Pages, *, online: bool) -> Response:
    async def move(ref: str) -> Response | None:
        kind, _, number = ref.rpartition("/")
        path = f"/{'assets' if kind == 'asset' else 'entries'}/{quote(number, safe='')}"
        page = API.expect(await endpoint.get(path), 404)
        if page.status == 404:  # deleted, which is as good as offline
            return None
        version, published = (at(page.json(), f"sys.{each}") for each in VERSIONS)
        if (published is not None) is online:
            return None
        if not online:
            return API.expect(await endpoint.delete(f"{path}/published"))
        return API.expect(await _put(endpoint, f"{path}/published", version))

    return await move_each(refs(event, "contentful", placements), move, event)


async def _put(endpoint: Endpoint, path: str, version: object, json: object = None) -> Response:
    headers = TYPE if version is None else {**TYPE, "x-contentful-version": str(version)}
    return await endpoint.request("PUT", path, json=json, headers=headers)
