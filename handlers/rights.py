"""What an event says of a licensed image: read in one place, the same by all handlers.

Anything may be missing, for an event is its sender's. What a handler cannot do without raises
Undeliverable: it will not come by waiting.
"""

import re
from datetime import UTC, datetime
from hashlib import sha256

from gateway import Event, Undeliverable
from handlers.lookup import at

ASSET_IDS = ("asset.id", "asset_id", "license.asset_id")
"""Where its number may stand."""


def about(event: Event) -> str:
    """What the event is about. All events about one licence say the same: alerts and tasks go by it."""
    return event.subject or event.id


def key(event: Event) -> str:
    """The same as a word that any system takes for a label."""
    return "gw-" + sha256(about(event).encode()).hexdigest()[:16]


def asset_id(event: Event) -> str:
    """The provider's number of the image; it is safe in a path, a file name and a query."""
    found = str(first(event, *ASSET_IDS) or "")
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", found):
        raise Undeliverable(f"{event.id} names no asset by `asset.id` or `asset_id`")
    return found


def name(event: Event) -> str:
    """What the image is called wherever it is imported: by this it is found again."""
    return f"getty-{asset_id(event)}"


def ends_at(event: Event) -> datetime | None:
    """When the licence ends."""
    text = at(event.data, "license.expires_at")
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Undeliverable(f"`license.expires_at` of {event.id} is no time: {text}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def due_on(event: Event) -> str | None:
    """The day on which the licence ends, such as 2026-12-31, in UTC."""
    end = ends_at(event)
    return end.astimezone(UTC).date().isoformat() if end else None


def texts(event: Event) -> dict[str, str]:
    """Of `title`, `caption`, `artist`, `credit_line` and `copyright` what the event's asset has."""
    names = ("title", "caption", "artist", "credit_line", "copyright")
    found = {name: at(event.data, f"asset.{name}") for name in names}
    return {name: text for name, text in found.items() if isinstance(text, str) and text}


def first(event: Event, *paths: str) -> object:
    """What stands at the first of *paths* at which anything does."""
    found = (at(event.data, path) for path in paths)
    return next((value for value in found if value is not None), None)
