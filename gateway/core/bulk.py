"""Sending again in bulk: what an operation is to do, how far it has come, and at what pace.

An operation goes page by page, and each page is one commit that moves the operation on with it. So it
can be interrupted anywhere and goes on where it was: no delivery is put back twice by it, and no event
routed twice. The gateway drives none by itself. Whoever wants the next page asks for it, and who stops
asking has stopped it.

What it puts on schedule is spread over time, at the operation's rate, and never lies further ahead than
AHEAD: soon after the last question, the last of it has been attempted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from gateway.core.model import SECOND, EventId, Json, Micros, Routed

AHEAD: Micros = 5 * SECOND
"""How far ahead of now a page may put deliveries on schedule."""

Rate = tuple[int, Micros]
"""So many, in so long."""

DEFAULT_RATE: Rate = (20, SECOND)
"""A lane with ten places at an endpoint that answers in 100 ms carries five times as much: what comes
meanwhile goes on."""


class Action(StrEnum):
    """What an operation does."""

    REDELIVER = "redeliver"
    """Put dead or cancelled deliveries back on schedule."""
    REPLAY = "replay"
    """Route stored events again."""


@dataclass(slots=True, kw_only=True)
class Operation:
    """One bulk redelivery or replay."""

    id: str
    action: Action
    filter: Mapping[str, Json]
    """By the names of the API; moments are microseconds, and `until` is always among them."""
    rate: Rate
    """Deliveries put back, or events routed again."""
    started_at: Micros
    due_at: Micros
    """When what comes next is due at the earliest."""
    position: Sequence[Json] | None = None
    """The last that was looked at, in the order of the pages; None: nothing yet."""
    pages: int = 0
    """How many have been done."""
    done: int = 0
    """Deliveries put back, or events routed again."""
    made: int = 0
    """New deliveries, where events were."""
    failed: int = 0
    """Events of which something could not be routed."""
    finished_at: Micros | None = None


class Ended(NamedTuple):
    """A dead or cancelled delivery: the names of the order in which an operation takes them."""

    endpoint: str
    event_id: EventId
    n: int


Item = TypeVar("Item")


@dataclass(slots=True)
class Page(Generic[Item]):
    """What an operation takes next."""

    items: list[Item]
    last: Sequence[Json] | None
    """The position after it."""
    exhausted: bool
    """Whether nothing follows."""


@dataclass(slots=True)
class Replayed:
    """One event on its way to be routed again."""

    event_id: EventId
    routed: Routed
    now: Micros
    """When that is; each delivery's turn says when it is due."""


@dataclass(slots=True)
class Progress:
    """How far an operation has come, and when to ask for its next page."""

    operation: Operation
    wait: Micros = 0
    failures: list[dict[str, Json]] = field(default_factory=list)
    """What could not be routed, of the page that was done."""


def add_groups(found: dict[str, Json], page: Mapping[str, Json]) -> None:
    """Add to a count of groups what another page of it tells; the largest first, and where it goes on."""
    groups = {(group["endpoint"], group["reason"]): group for group in found["groups"]}
    for group in page["groups"]:
        known = groups.setdefault((group["endpoint"], group["reason"]), {**group, "deliveries": 0})
        known["deliveries"] += group["deliveries"]
    for name in ("deliveries", "more_groups"):
        found[name] += page[name]
    found["groups"] = sorted(groups.values(), key=lambda group: -int(group["deliveries"]))
    found["next"] = page["next"]


def add_events(found: dict[str, Json], page: Mapping[str, Json]) -> None:
    """Add to a count of events what another page of it tells; by source and type, and where it goes on."""
    counts = {(group["source"], group["type"]): group["events"] for group in found["groups"]}
    for group in page["groups"]:
        key = (group["source"], group["type"])
        counts[key] = counts.get(key, 0) + group["events"]
    found["groups"] = [{"source": s, "type": t, "events": n} for (s, t), n in counts.items()]
    found["events"] += page["events"]
    found["next"] = page["next"]


def due_times(operation: Operation, now: Micros, most: int) -> list[Micros]:
    """When each delivery or event of the next page is due; empty: it is too early to ask for one.

    It is so until half of what may lie ahead has passed: pages of one would be many commits.
    """
    first = max(operation.due_at, now)
    ahead = first - now
    if ahead > AHEAD // 2:
        return []
    count = min(most, max(1, int((AHEAD - ahead) / _interval(operation.rate))))
    return [first + round(i * _interval(operation.rate)) for i in range(count)]


def due_after(operation: Operation, last_due_at: Micros) -> Micros:
    """When the first of the page after that which ends then is due."""
    return last_due_at + round(_interval(operation.rate))


def wait_for_page(operation: Operation, now: Micros) -> Micros:
    """How long until it makes sense to ask for the next page."""
    if operation.finished_at is not None:
        return 0
    return max(0, operation.due_at - now - AHEAD // 2)


def _interval(rate: Rate) -> float:
    number, per = rate
    return per / number
