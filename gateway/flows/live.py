"""What happens, as it happens, for whoever watches: events that come, requests that are refused, attempts.

It listens to telemetry, and does nothing while nobody watches. Who reads more slowly than things happen
misses some of them, and is told how many: nobody who works waits for somebody who looks.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gateway.core.model import (
    SECOND,
    Arrival,
    Attempt,
    Delivery,
    Json,
    Micros,
    Receipt,
    rfc3339,
)
from gateway.core.retry import Decision, Finish, GiveUp, RetryAt
from gateway.ports import Clock

KEPT = 1000
"""So much waits for one who watches."""

Item = dict[str, Json]
"""What happened: `what`, `at` and `failed`, and what there is to say of it."""


class Watcher:
    """One who watches."""

    def __init__(self, wanted: Mapping[str, Json]) -> None:
        self._wanted = wanted
        self._waiting: asyncio.Queue[Item | None] = asyncio.Queue()
        self._missed = 0

    def tell(self, item: Item) -> None:
        """Have it know, if it wants to."""
        if any(item.get(name) != value for name, value in self._wanted.items()):
            return
        if self._waiting.qsize() >= KEPT:
            self._missed += 1
        else:
            self._waiting.put_nowait(item)

    def end(self) -> None:
        """There is nothing more to come."""
        self._waiting.put_nowait(None)

    async def next(self) -> Item | None:
        """What happened next; None: there is nothing more to come. Of what it missed, first how much."""
        if self._missed and self._waiting.empty():
            missed, self._missed = self._missed, 0
            return {"what": "missed", "count": missed}
        return await self._waiting.get()


class Live:
    """Tells those who watch."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._is_over = False

    @contextmanager
    def watch(self, wanted: Mapping[str, Json]) -> Iterator[Watcher]:
        """Watch what has these values, as long as the context lasts."""
        watcher = Watcher(wanted)
        self._watchers.add(watcher)
        if self._is_over:
            watcher.end()
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """Tell all who watch, and who comes yet, that it is over."""
        self._is_over = True
        for watcher in self._watchers:
            watcher.end()

    def __call__(self, name: str, fields: dict[str, Any]) -> None:
        """Hear of one report."""
        if not self._watchers:
            return
        for item in self._items(name, fields):
            for watcher in self._watchers:
                watcher.tell(item)

    def _items(self, name: str, fields: dict[str, Any]) -> Iterator[Item]:
        if name == "events.kept":
            yield from map(_event, fields["arrivals"], fields["receipts"])
        elif name == "attempt.recorded":
            yield _attempt(**fields)
        elif name in {"event.refused", "event.unreadable", "event.ignored"}:
            yield {
                "what": "request",
                "at": rfc3339(self._clock.now()),
                "failed": name != "event.ignored",
                "source": fields["source"],
                "outcome": fields.get("code", "ignored"),
                "entry": fields.get("entry"),
            }


def _event(arrival: Arrival, receipt: Receipt) -> Item:
    event, routed = arrival.event, arrival.routed
    outcome = "accepted" if routed.matched else "unmatched"
    return {
        "what": "event",
        "at": rfc3339(event.received_at),
        "failed": bool(routed.failures),
        "id": receipt.event_id,
        "source": event.source,
        "type": event.attributes["type"],
        "subject": event.attributes.get("subject"),
        "outcome": "duplicate" if receipt.duplicate else outcome,
        "deliveries": 0 if receipt.duplicate else len(routed.deliveries),
    }


def _attempt(delivery: Delivery, attempt: Attempt, decision: Decision) -> Item:
    event = delivery.event
    return {
        "what": "attempt",
        "at": rfc3339(attempt.started_at + attempt.duration),
        "failed": not isinstance(decision, Finish),
        "id": delivery.id,
        "event": event.event_id,
        "source": event.source,
        "type": event.attributes["type"],
        "subject": event.attributes.get("subject"),
        "endpoint": delivery.endpoint,
        "route": delivery.route,
        "number": attempt.number,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "reason": attempt.reason,
        "duration_ms": attempt.duration / 1000,
        "then": _then(decision, attempt.started_at + attempt.duration),
    }


def _then(decision: Decision, ended_at: Micros) -> str:
    """What becomes of the delivery."""
    match decision:
        case Finish():
            return "delivered"
        case RetryAt(due_at):
            return f"again in {max(0, due_at - ended_at) / SECOND:.0f}s"
        case GiveUp(reason):
            return f"dead: {reason}"
        case _:
            return f"waits: its endpoint is {decision.state}"
