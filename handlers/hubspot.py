"""Have HubSpot import an asset's file, for as long as its licence lasts.

    marketing:
      url: https://api.hubapi.com
      auth: {bearer: {file: secrets/hubspot}}          # a private app's token, with the scope `files`
      handler: handlers.hubspot:import_asset

A route says where to, and who may see it:

    to: [{endpoint: marketing, with: {folder: /getty, access: PUBLIC_NOT_INDEXABLE}}]

HubSpot fetches the file by itself, later. So the file is looked for by its name first: found, its end is
made that of the licence, and the delivery is done; not found, the import is asked for, and the next
attempt looks again. HubSpot deletes the file when the licence ends: send `license.renewed` here too.

https://developers.hubspot.com/docs/api-reference/files-files-v3/guide
"""

from datetime import UTC

from gateway import Endpoint, Event, Response, RetryLater
from handlers.answers import Api
from handlers.files import url_of
from handlers.lookup import at
from handlers.rights import ends_at, name

API = Api(vendor="HubSpot", code="category")
FILES = "/files/v3/files"
IMPORT_SECONDS = 60


async def import_asset(
    event: Event, endpoint: Endpoint, *, folder: str = "/getty", access: str = "PRIVATE"
) -> Response:
    """Import the file, or give the one that is there the end of the licence."""
    if number := await _file(event, endpoint, folder):
        end = {"expiresAt": _end(event)} if _end(event) else {"clearExpires": True}
        return API.expect(await endpoint.patch(f"{FILES}/{number}", json=end))
    wanted = {
        "url": url_of(event),
        "name": name(event),
        "folderPath": folder,
        "access": access,
        "overwrite": False,
        "duplicateValidationStrategy": "RETURN_EXISTING",
        "duplicateValidationScope": "EXACT_FOLDER",
        **({"expiresAt": _end(event)} if _end(event) else {}),
    }
    API.expect(await endpoint.post(f"{FILES}/import-from-url/async", json=wanted))
    raise RetryLater("HubSpot imports the file", after=IMPORT_SECONDS)


async def _file(event: Event, endpoint: Endpoint, folder: str) -> int:
    """The number of the asset's file in *folder*; 0 where it is not there."""
    query = {"name": name(event), "limit": "20"}  # it finds what contains the name
    found = API.expect(await endpoint.get(f"{FILES}/search", query=query)).json()
    for each in at(found, "results") or ():
        place = str(at(each, "path")).strip("/").rpartition("/")[0]
        named = str(at(each, "name")).partition(".")[0]
        if (place, named) == (folder.strip("/"), name(event)):
            return int(each["id"])
    return 0


def _end(event: Event) -> str | None:
    end = ends_at(event)
    return end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if end else None
