"""How long what is stored is kept: of each kind the moment before which it goes.

An event goes whole, with its deliveries, their attempts and what was withheld, or not at all; and it
stays as long as anything about it is still to be done, or its idempotency key is remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.core.model import SECOND, EventId, Micros, received_at

DAY: Micros = 86_400 * SECOND

REMEMBERED: Micros = 3 * DAY
"""For how long the keys of a source count that is no longer in the routes file: it may come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What an operator wants kept."""

    finished: Micros = 7 * DAY
    """Events of which nothing is left to do, since their last delivery ended."""
    dead: Micros = 90 * DAY
    """Events with a dead letter, likewise; and operations that sent many again, since they ended."""
    inbox: Micros = 30 * DAY
    """The inbox, and events that no route took."""
    once: Micros = 400 * DAY
    """For which values a `once` has fired."""
    audit: Micros = 400 * DAY
    evidence: Micros | None = None
    """What was received, and who was told; None: for good."""
    size_bytes: int = 10 * 1024**3
    """When more is in use, finished events go before their time, oldest first."""
    events: int | None = None
    """When there are more, likewise; None: there may be any number."""


class Examined(NamedTuple):
    """What decides about one event."""

    id: EventId
    source: str | None
    """Where its key came in; None: it has no key, or one older than every window."""
    rows: int
    """How many deliveries and attempts go with it."""
    unfinished: bool
    dead: bool
    unmatched: bool
    ended_at: Micros | None
    """When its last delivery ended; None: it had none."""

    @property
    def received_at(self) -> Micros:
        """When it came, to the millisecond."""
        return received_at(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """A retention at a moment: what lies before it goes."""

    finished: Micros
    dead: Micros
    unmatched: Micros
    inbox: Micros
    once: Micros
    audit: Micros
    windows: Mapping[str, Micros]
    """By source, since when its keys are remembered."""
    other_window: Micros
    """The same of sources that are not in the routes file."""

    @property
    def latest(self) -> Micros:
        """No event that was received later goes."""
        return max(self.finished, self.dead, self.unmatched)

    @property
    def oldest_window(self) -> Micros:
        """No key that came in earlier is remembered."""
        return min([self.other_window, *self.windows.values()])

    def lets_go(self, event: Examined) -> bool:
        """Whether *event* is kept no longer."""
        if event.unfinished or self._remembers(event):
            return False
        ended_at = event.received_at if event.ended_at is None else event.ended_at
        if event.dead:
            return ended_at < self.dead
        return ended_at < (self.unmatched if event.unmatched else self.finished)

    def _remembers(self, event: Examined) -> bool:
        if event.source is None:
            return False
        return event.received_at >= self.windows.get(event.source, self.other_window)


def horizon(
    retention: Retention, windows: Mapping[str, Micros], now: Micros, *, too_large: bool
) -> Horizon:
    """Where *retention* stands *now*; *windows* are the sources' own, by name.

    When the database is *too_large*, or holds too many events, age no longer keeps what is finished or
    was never taken.
    """
    return Horizon(
        finished=now if too_large else now - retention.finished,
        dead=now - retention.dead,
        unmatched=now if too_large else now - retention.inbox,
        inbox=now - retention.inbox,
        once=now - retention.once,
        audit=now - retention.audit,
        windows={name: now - window for name, window in windows.items()},
        other_window=now - REMEMBERED,
    )


class Room(NamedTuple):
    """What the database takes of its disk, in bytes."""

    used: int
    free: int
    """Within the file, for what comes next."""


SMALLEST_SLACK_BYTES = 16 * 1024**2
SLACK_SHARE = 8


def bytes_to_give_back(room: Room) -> int:
    """How much of the file's free space to give back: new events find an eighth of it, and 16 MiB.

    To give all of it back would be to ask for it again at once.
    """
    slack = max(SMALLEST_SLACK_BYTES, sum(room) // SLACK_SHARE)
    return max(0, room.free - slack)
