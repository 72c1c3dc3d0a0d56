"""Write what may be done with an asset into Bynder, and report there where it is used.

    dam:
      url: https://example.bynder.com
      auth:
        oauth2:
          token_url: https://example.bynder.com/v6/authentication/oauth2/token
          client_id: 2f0c8f4e
          client_secret: {file: secrets/bynder}
      handler: handlers.bynder:update_asset

The assets are the event's `placements` with `system: bynder`; their `ref` is Bynder's id. Metaproperties
are named by the route, by their ids:

    to: [{endpoint: dam, with: {properties: {A1B2-…: "${event.data.license.expires_at}"}}}]

What is written twice is the same as written once; a usage is looked for before it is reported. After
too many requests Bynder wants five minutes without any, and says so nowhere.

https://bynder.docs.apiary.io/
"""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from gateway import Endpoint, Event, Response
from handlers.answers import Api
from handlers.lookup import at
from handlers.pages import move_each, refs
from handlers.rights import texts
from handlers.wording import summary

API = Api(vendor="Bynder", rest_seconds=300)
FORM = {"content-type": "application/x-www-form-urlencoded"}
USAGE = "/api/media/usage"


async def update_asset(
    event: Event, endpoint: Endpoint, *, properties: Mapping[str, str] | None = None
) -> Response:
    """Write the asset's copyright and description, and the metaproperties that the route names."""
    about = texts(event)
    named = {"copyright": about.get("copyright"), "description": about.get("caption")}
    fields = {field: text for field, text in named.items() if text}
    fields |= {f"metaproperty.{each}": str(value) for each, value in (properties or {}).items()}

    async def update(media: str) -> Response | None:
        path = f"/api/v4/media/{quote(media, safe='')}/"
        answer = API.expect(await _post(endpoint, path, fields), 404)
        return answer if answer.ok else None

    return await move_each(refs(event, "bynder") if fields else (), update, event)


async def report_usage(event: Event, endpoint: Endpoint, *, integration_id: str) -> Response:
    """Report each of the event's pages that has a `url` as a use of the asset, unless it is known."""

    async def report(media_at_page: tuple[str, str]) -> Response | None:
        usage = _usage(integration_id, media_at_page)
        known = API.expect(await endpoint.get(USAGE, query=usage), 404)
        if known.ok and known.json():
            return None
        more = {"timestamp": event.time, "additional": summary(event)}
        return API.expect(await _post(endpoint, USAGE, {**usage, **more}))

    return await move_each(_uses(event), report, event)


async def withdraw_usage(event: Event, endpoint: Endpoint, *, integration_id: str) -> Response:
    """Withdraw what was reported of the event's pages."""

    async def withdraw(media_at_page: tuple[str, str]) -> Response | None:
        query = _usage(integration_id, media_at_page)
        answer = API.expect(await endpoint.request("DELETE", USAGE, query=query), 404)
        return answer if answer.ok else None

    return await move_each(_uses(event), withdraw, event)


def _usage(integration_id: str, media_at_page: tuple[str, str]) -> dict[str, str]:
    media, url = media_at_page
    return {"integration_id": integration_id, "asset_id": media, "uri": url}


def _uses(event: Event) -> list[tuple[str, str]]:
    """Each of the assets with the address of each page that shows it."""
    placements = at(event.data, "placements") or []
    urls = [at(each, "url") for each in placements if at(each, "system") != "bynder"]
    return [(media, str(url)) for media in refs(event, "bynder") for url in urls if url]


async def _post(endpoint: Endpoint, path: str, fields: Mapping[str, str]) -> Response:
    return await endpoint.request("POST", path, body=urlencode(fields).encode(), headers=FORM)
