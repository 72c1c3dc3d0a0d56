"""Put an asset's file into Mailchimp's file manager, where campaigns take their images from.

    marketing:
      url: https://us21.api.mailchimp.com/3.0          # the data centre is the end of the API key
      auth: {basic: {user: gateway, password: {file: secrets/mailchimp}}}          # the key; any user
      handler: handlers.mailchimp:import_asset

A route may say into which folder, by its number:

    to: [{endpoint: marketing, with: {folder: 42}}]

Mailchimp takes the same file any number of times, and cannot be asked for a name. So the newest five
hundred files are looked through first. `remove_asset` takes the file out again when its licence ends.

https://mailchimp.com/developer/marketing/api/file-manager-files/
"""

from base64 import b64encode

from gateway import Endpoint, Event, Response, Skip
from handlers.answers import Api
from handlers.files import fetch
from handlers.lookup import at
from handlers.rights import name

API = Api(vendor="Mailchimp", code="title", message="detail")
FILES = "/file-manager/files"
NEWEST = {
    "fields": "files.id,files.name",
    "sort_field": "added_date",
    "sort_dir": "DESC",
    "count": "500",  # of more, the answer may be longer than is read
}
LARGEST_MIB = 10


async def import_asset(event: Event, endpoint: Endpoint, *, folder: int | None = None) -> Response:
    """Upload the file, unless it is there."""
    if number := await _file(event, endpoint):
        raise Skip(f"file {number} is there already")
    file = await fetch(event, endpoint, LARGEST_MIB)
    upload: dict[str, object] = {
        "name": file.name,
        "file_data": b64encode(file.content).decode(),
    }
    if folder is not None:
        upload["folder_id"] = folder
    return API.expect(await endpoint.post(FILES, json=upload))


async def remove_asset(event: Event, endpoint: Endpoint) -> Response:
    """Take the file out; campaigns that were sent show it no more."""
    number = await _file(event, endpoint)
    removed = API.expect(await endpoint.delete(f"{FILES}/{number}"), 404) if number else None
    if removed is None or not removed.ok:
        raise Skip(f"{name(event)} is not among the newest files")
    return removed


async def _file(event: Event, endpoint: Endpoint) -> int:
    """The number of the asset's file; 0 where it is not among the newest."""
    found = API.expect(await endpoint.get(FILES, query=NEWEST)).json()
    for each in at(found, "files") or ():
        if str(at(each, "name")).partition(".")[0] == name(event):
            return int(each["id"])
    return 0
