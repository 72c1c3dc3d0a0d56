"""Numbers and moments in words, for commands and pages."""

from datetime import UTC, datetime

from gateway.core.model import SECOND, Micros

UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
"""With how many seconds each has."""


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun, and a verb where there is one: `1 route`, `2,000 routes`, `2 deliveries`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def ago(moment: str | None, now: Micros) -> str:
    """An RFC 3339 moment as the time since then, or until then."""
    if moment is None:
        return ""
    then = datetime.fromisoformat(moment).astimezone(UTC).timestamp()
    seconds = then - now / SECOND
    size = abs(seconds)
    unit, length = next((each for each in UNITS if size >= each[1]), UNITS[-1])
    text = f"{round(size / length)}{unit}"
    return f"in {text}" if seconds > 0 else f"{text} ago"
