"""Numbers, moments, and what became of things, in the words of commands and pages."""

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.core.model import SECOND, Json, Micros, is_of_event

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


WITHHELD = {
    "once": "has fired before for",
    "shadow": "is a shadow:",
    "nothing": "matched, and sent nothing:",
    "answer": "heard an answer that does not count:",
}
"""Why a route that matched did not send, before the detail."""


def waits_for(delivery: Mapping[str, Json]) -> str:
    """Which others a delivery waits for, as the API shows it; empty: none."""
    if delivery["state"] != "scheduled" or delivery["waits_for"] is None:
        return ""
    if delivery["waits_for"] == "key":
        return "waits for its turn"
    ends = {"delivered": "be delivered", "ended": "end"}
    awaited = (f"{name} to {ends[end]}" for name, end in delivery["after"].items())
    return f"waits for {', '.join(awaited)}"


def became(entry: Mapping[str, Json]) -> str:
    """What became of a request in the inbox; but for the first, its sender was told that all is well."""
    if entry["refused"]:
        return "refused"
    if entry["event_id"] is None:
        return "unreadable"
    if entry["code"] == "duplicate-differs":
        return "duplicate"
    return (
        "partly routed"
        if is_of_event(entry["id"]) or entry["code"] == "hop-limit"
        else "read again"
    )


POLLED = {
    None: "is asked for the first time",
    "empty": "nothing new",
    "elsewhere": "is asked by another gateway on this database",
    "throttled": "is throttled",
    "unauthorized": "is refused",
    "failed": "fails",
}


def polled(poll: Mapping[str, Json]) -> str:
    """What came of the last time that a source was asked, as the API shows it."""
    if poll["outcome"] == "events":
        return counted(poll["came"], "new event")
    times = f", {poll['failures']} times in a row" if poll["failures"] > 1 else ""
    return f"{POLLED[poll['outcome']]}{times}"
