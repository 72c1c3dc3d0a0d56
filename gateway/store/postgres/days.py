"""Days of the history, each a partition of its own: made ahead, and dropped whole.

Whoever writes an event of a day makes that day's partitions and the next day's. Where it cannot be done
nothing fails: rows without a day of their own go into the default partition, and stay there.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import asyncpg

from gateway.core.model import SECOND, Micros, first_id
from gateway.core.retention import DAY
from gateway.store.postgres.database import Session, Text, Work

TABLES = ("events", "ended_deliveries", "attempts", "withheld")
AHEAD = 2
"""Today and tomorrow."""

WAIT_FOR_LOCK = Text("SET LOCAL lock_timeout = '2s'", ())


def day_of(moment: Micros) -> Micros:
    """When the day of a moment began, in UTC."""
    return moment - moment % DAY


def partition(table: str, day: Micros) -> str:
    """The name of a day's partition."""
    return f"{table}_{datetime.fromtimestamp(day // SECOND, tz=UTC):%Y%m%d}"


class Days:
    """Knows which days have been made."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._made: set[Micros] = set()

    def lacks(self, moment: Micros) -> bool:
        """Whether partitions of the day of *moment* are to be made, or of the one after it."""
        return any(day not in self._made for day in _ahead(moment))

    async def make(self, moment: Micros) -> None:
        """Make them, if that can be done now; it is tried once a day by each node."""
        for day in _ahead(moment):
            if day not in self._made:
                self._made.add(day)
                await self._make(day)

    async def _make(self, day: Micros) -> None:
        async def create(work: Work) -> None:
            await work.rows(WAIT_FOR_LOCK, ())
            await work.lock([f"day {day}"])
            for table in TABLES:
                await work.rows(Text(_creation(table, day), ()), ())

        try:
            await self.session.transact(create)
        except asyncpg.PostgresError as error:
            # The default partition has rows of that day already: the day stays there.
            logging.getLogger(__name__).debug("no partition for %s: %s", day, error)


def _ahead(moment: Micros) -> Iterator[Micros]:
    for i in range(AHEAD):
        yield day_of(moment) + i * DAY


def _creation(table: str, day: Micros) -> str:
    low, high = first_id("evt", day), first_id("evt", day + DAY)
    return (
        f"CREATE TABLE IF NOT EXISTS {partition(table, day)} PARTITION OF {table}"
        f" FOR VALUES FROM ('{low}') TO ('{high}')"
    )
