"""What a gateway that asks has told, and kept."""

from typing import Any

from gateway.core.model import Json
from gateway.service import Service


async def polled(service: Service, outcome: str, count: int = 1) -> dict[str, Any]:
    """Wait for so many polls that ended so; the last."""
    while True:
        found = [f for n, f in service.reports if n in ("source.polled", "poll.failed")]
        found = [fields for fields in found if fields["outcome"] == outcome]
        if len(found) >= count:
            return found[count - 1]
        service.heard.clear()
        await service.heard.wait()


async def polled_times(service: Service, count: int) -> None:
    """Wait for so many polls, whatever they brought."""
    while sum(name in ("source.polled", "poll.failed") for name, _ in service.reports) < count:
        service.heard.clear()
        await service.heard.wait()


async def events_of(service: Service) -> list[dict[str, Json]]:
    """All events, the oldest first, with their data."""
    found = await service._store.events({"limit": 500})
    events = [await service._store.event(each["id"]) for each in reversed(found)]
    return [{**each.attributes, "data": each.data} for each in events]
