"""What an event says of a licensed image: read in one place, the same by all handlers.

Anything may be missing, for an event is its sender's. What a handler cannot do without raises
Undeliverable: it will not come by waiting.
"""

import re
from datetime import UTC, datetime
from hashlib import sha256

from gateway import Event, Undeliverable
from handlers.lookup import at

CRITICAL = frozenset(
    {"license.expired", "license.revoked", "asset.withdrawn", "usage.restricted", "usage.violation"}
)
"""What is in breach of a licence now, unless someone acts."""

FACTS = {
    "Asset": ("asset.id", "asset_id", "license.asset_id"),
    "Title": ("asset.title",),
    "Credit": ("asset.credit_line",),
    "Licence": ("license.id", "license_id"),
    "Ends": ("license.expires_at", "expired_at"),
    "Days left": ("days_left",),
    "Agreement": ("license.agreement_name", "product.agreement_name"),
    "Territories": ("license.territories",),
    "Channels": ("license.channels",),
    "Restrictions": ("restrictions", "asset.allowed_use.usage_restrictions"),
    "Reason": ("reason",),
}
"""What people are told, and where it stands."""


def about(event: Event) -> str:
    """What the event is about. All events about one licence say the same: alerts and tasks go by it."""
    return event.subject or event.id


def key(event: Event) -> str:
    """The same as a word that any system takes for a label."""
    return "gw-" + sha256(about(event).encode()).hexdigest()[:16]


def asset_id(event: Event) -> str:
    """The provider's number of the image; it is safe in a path, a file name and a query."""
    found = str(_first(event, *FACTS["Asset"]) or "")
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


def severity(event: Event) -> str:
    """`critical`, `error`, `warning` or `info`: by what has happened, or how many days are left."""
    days = at(event.data, "days_left")
    if event.type in CRITICAL:
        return "critical"
    if not isinstance(days, (int, float)):
        return "warning"
    return (
        "critical" if days <= 1 else "error" if days <= 7 else "warning" if days <= 30 else "info"
    )


def texts(event: Event) -> dict[str, str]:
    """Of `title`, `caption`, `artist`, `credit_line` and `copyright` what the event's asset has."""
    names = ("title", "caption", "artist", "credit_line", "copyright")
    found = {name: at(event.data, f"asset.{name}") for name in names}
    return {name: text for name, text in found.items() if isinstance(text, str) and text}


def summary(event: Event) -> str:
    """One line for people."""
    days = at(event.data, "days_left")
    left = "" if days is None else f", {days} day{'s' * (days != 1)} left"
    return f"{event.type}: {about(event)}{left}"


def facts(event: Event) -> dict[str, str]:
    """What is worth telling, by what it is called."""
    found = {label: _first(event, *paths) for label, paths in FACTS.items()}
    return {
        label: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for label, value in found.items()
        if value not in (None, "", [])
    }


def report(event: Event) -> str:
    """The summary and the facts, a line each. The event's id tells this report from another's."""
    lines = [f"{label}: {value}" for label, value in facts(event).items()]
    return "\n".join([summary(event), *lines, f"Event: {event.id} of {event.time}"])


def _first(event: Event, *paths: str) -> object:
    found = (at(event.data, path) for path in paths)
    return next((value for value in found if value is not None), None)
