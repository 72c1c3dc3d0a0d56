"""The gateway's own news: what becomes of deliveries, endpoints, sources and the routes file, as events.

They are for whoever is to be woken, so there are few: of one endpoint the dead letters of several minutes are one
piece of news, with their number and a few of their names. News is matched like any other event. Deliveries of
news, and of what follows from it, make no news themselves: else an alert that cannot be delivered would be told
of by another, and so on.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.core.derived import NEWS, own_event
from gateway.core.model import FOREVER, SECOND, DeliveryId, Event, EventId, Json, Micros, rfc3339

GATHER: Micros = 5 * SECOND
"""What comes within this after the first is told with it."""
EVERY: Micros = 300 * SECOND
"""Of one thing news of one kind comes no more often than this."""

MOST_NAMED = 10
"""So many deliveries, reasons, routes and problems are named; of all others there is the number."""
LONGEST_TEXT = 500
"""Characters of a reason or a problem."""

DEAD = "gateway.delivery.dead"
LATE = "gateway.delivery.late"
DISABLED = "gateway.endpoint.disabled"
RECOVERED = "gateway.endpoint.recovered"
SILENT = "gateway.source.silent"
REJECTED = "gateway.config.rejected"
TYPES = (LATE, DEAD, DISABLED, RECOVERED, SILENT, REJECTED)

STOPPED = frozenset({"disabled", "blocked", "breaker"})
"""How an endpoint stops by itself. That somebody paused it is no news to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something to tell."""

    type: str
    subject: str
    """`endpoint/NAME`, `source/NAME` or `routes`."""
    data: dict[str, Json]
    key: str
    """With this key it is told once within `window`, whichever node comes to know of it."""
    window: Micros = EVERY

    def event(self, event_id: EventId, now: Micros) -> Event:
        """It, as an event."""
        attributes: dict[str, Json] = {
            "specversion": "1.0",
            "id": event_id,
            "source": "/news",
            "type": self.type,
            "subject": self.subject,
            "time": rfc3339(now),
            "datacontenttype": "application/json",
            NEWS: True,
        }
        return own_event(attributes, event_id=event_id, data=self.data, now=now, key=self.key)


@dataclass(slots=True)
class Deaths:
    """The dead letters of one endpoint."""

    count: int = 0
    since: Micros = 0
    until: Micros = 0
    reasons: Counter[str] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    deliveries: list[DeliveryId] = field(default_factory=list)

    def add(self, delivery: DeliveryId, route: str, reason: str, now: Micros) -> None:
        """Count one more."""
        self.count += 1
        self.since, self.until = self.since or now, now
        _count(self.reasons, code_of(reason))
        _count(self.routes, route)
        if len(self.deliveries) < MOST_NAMED:
            self.deliveries.append(delivery)

    def news(self, endpoint: str, owner: str | None) -> News:
        """What is told of them."""
        return News(
            type=DEAD,
            subject=f"endpoint/{endpoint}",
            data={
                "endpoint": endpoint,
                "owner": owner,
                "count": self.count,
                "reason": self.reasons.most_common(1)[0][0],
                "reasons": dict(self.reasons.most_common()),
                "routes": dict(self.routes.most_common()),
                "deliveries": list(self.deliveries),
                "since": rfc3339(self.since),
                "until": rfc3339(self.until),
                "cure": f"see `gateway dead --endpoint {endpoint}`; redeliver them when the cause is mended",
            },
            # The moment too: a delivery that is sent again can be the first to die once more.
            key=f"dead/{endpoint}/{self.deliveries[0]}/{self.until}",
        )


@dataclass(slots=True)
class Lateness:
    """The late deliveries of one endpoint."""

    count: int = 0
    oldest: Micros = FOREVER
    """When the first of them came."""
    events: list[EventId] = field(default_factory=list)
    """The oldest of them, for each time that some became late."""

    def add(self, count: int, oldest: Micros, event: EventId) -> None:
        """Count some more."""
        self.count += count
        self.oldest = min(self.oldest, oldest)
        if len(self.events) < MOST_NAMED:
            self.events.append(event)

    def news(self, endpoint: str, owner: str | None, now: Micros) -> News:
        """What is told of them."""
        return News(
            type=LATE,
            subject=f"endpoint/{endpoint}",
            data={
                "endpoint": endpoint,
                "owner": owner,
                "count": self.count,
                "oldest_seconds": (now - self.oldest) // SECOND,
                "events": list(self.events),
                "cure": f"see `gateway endpoints` and `gateway deliveries --state scheduled --endpoint {endpoint}`",
            },
            key=f"late/{endpoint}/{self.events[0]}",
        )


@dataclass(frozen=True, slots=True)
class Stop:
    """An endpoint that has stopped."""

    state: str
    """One of `STOPPED`."""
    reason: str
    since: Micros | None
    """None: nobody knows."""

    def news(self, endpoint: str, owner: str | None) -> News:
        """What is told when it stops."""
        return News(
            type=DISABLED,
            subject=f"endpoint/{endpoint}",
            data={
                "endpoint": endpoint,
                "owner": owner,
                "state": self.state,
                "reason": self.reason[:LONGEST_TEXT],
                "since": None if self.since is None else rfc3339(self.since),
                "cure": _CURES[self.state].format(endpoint=endpoint),
            },
            key=f"stopped/{endpoint}/{self.state}",
        )

    def recovery(self, endpoint: str, owner: str | None, now: Micros) -> News:
        """What is told when it goes on."""
        return News(
            type=RECOVERED,
            subject=f"endpoint/{endpoint}",
            data={
                "endpoint": endpoint,
                "owner": owner,
                "was": self.state,
                "since": None if self.since is None else rfc3339(self.since),
                "seconds": None if self.since is None else (now - self.since) // SECOND,
                "cure": "its work goes on by itself; what died meanwhile waits: `gateway redeliver`",
            },
            key=f"recovered/{endpoint}",
        )


_CURES = {
    "disabled": "it answered 410 Gone: mend its `url`, then `gateway resume {endpoint}`",
    "blocked": "the egress policy denies its address: `gateway check` names the flag that allows it",
    "breaker": "it is tried again now and then; `gateway resume {endpoint}` does so at once",
}


def silence(source: str, heard_at: Micros, silent_after: Micros, now: Micros) -> News:
    """What is told of a source that nothing has come from since then; once."""
    return News(
        type=SILENT,
        subject=f"source/{source}",
        data={
            "source": source,
            "last_heard": rfc3339(heard_at),
            "silent_seconds": (now - heard_at) // SECOND,
            "silent_after_seconds": silent_after // SECOND,
            "cure": "see that its sender runs and posts here; `gateway inbox --refused` shows what was refused",
        },
        key=f"silent/{source}/{heard_at}",
        window=FOREVER,
    )


def rejection(problems: Sequence[str], in_force: str) -> News:
    """What is told of routes files that were not put in force."""
    told = [problem[:LONGEST_TEXT] for problem in problems]
    digest = hashlib.sha256("\n".join(problems).encode()).hexdigest()[:16]
    return News(
        type=REJECTED,
        subject="routes",
        data={
            "count": len(problems),
            "problems": told[:MOST_NAMED],
            "in_force": in_force,
            "cure": "mend what `gateway check` tells; until then the former file stays in force",
        },
        key=f"rejected/{in_force}/{digest}",
    )


def code_of(reason: str) -> str:
    """What a reason begins with, the same for all that ended alike."""
    return reason.partition(": ")[0].partition(" (after ")[0][:LONGEST_TEXT]


def _count(counts: Counter[str], name: str) -> None:
    """Count one more of that name; of very many names only some have numbers of their own."""
    counts[name if name in counts or len(counts) < MOST_NAMED else "others"] += 1
