"""What people are told of an event: how bad it is, in one line, and what there is to know."""

from gateway import Event
from handlers.lookup import at
from handlers.rights import ASSET_IDS, about, first

CRITICAL = frozenset(
    {"license.expired", "license.revoked", "asset.withdrawn", "usage.restricted", "usage.violation"}
)
"""What is in breach of a licence now, unless someone acts."""

FACTS = {
    "Asset": ASSET_IDS,
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


def summary(event: Event) -> str:
    """One line for people."""
    days = at(event.data, "days_left")
    left = "" if days is None else f", {days} day{'s' * (days != 1)} left"
    return f"{event.type}: {about(event)}{left}"


def facts(event: Event) -> dict[str, str]:
    """What is worth telling, by what it is called."""
    found = {label: first(event, *paths) for label, paths in FACTS.items()}
    return {
        label: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for label, value in found.items()
        if value not in (None, "", [])
    }


def report(event: Event) -> str:
    """The summary and the facts, a line each. The event's id tells this report from another's."""
    lines = [f"{label}: {value}" for label, value in facts(event).items()]
    return "\n".join([summary(event), *lines, f"Event: {event.id} of {event.time}"])
