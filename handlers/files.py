"""The file of a licensed image, from the URL at which its provider delivers it."""

from dataclasses import dataclass
from mimetypes import guess_extension

from gateway import Endpoint, Event, RetryLater, Undeliverable
from handlers.lookup import at
from handlers.rights import name

GONE = frozenset({400, 401, 403, 404, 410})
"""What a delivery URL answers that is no longer valid: Getty's are for 24 hours."""

MEBIBYTE = 1024 * 1024
TYPES = ("image/*", "video/*")


@dataclass(frozen=True, slots=True)
class File:
    """A file in memory."""

    name: str
    content_type: str
    content: bytes


def url_of(event: Event) -> str:
    """Where the file is. Raises Undeliverable where the event does not say."""
    url = at(event.data, "download.uri")
    if not isinstance(url, str) or not url:
        raise Undeliverable(f"{event.id} has no `download.uri`: nobody told where the file is")
    return url


async def fetch(event: Event, endpoint: Endpoint, max_mib: int) -> File:
    """The event's file. Raises Undeliverable where it is gone, is too large, or is no image or film.

    A fault of who delivers it says nothing of the endpoint: the attempt is put off.
    """
    answer = await endpoint.fetch(url_of(event), max_bytes=max_mib * MEBIBYTE, types=TYPES)
    if answer.status in GONE:
        raise Undeliverable(
            f"the file of {name(event)} is gone ({answer.status}): such URLs are valid for a day"
        )
    if not answer.ok:
        raise RetryLater(f"the file of {name(event)} cannot be had now ({answer.status})")
    content_type = answer.headers["content-type"].partition(";")[0].strip().lower()
    extension = guess_extension(content_type) or ""
    return File(f"{name(event)}{extension}", content_type, answer.body)
