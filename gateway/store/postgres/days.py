"""Days of the history, each a partition of its own: made ahead, and dropped whole.

Whoever writes an event of a day makes that day's partitions and the next day's. Where it cannot be done
nothing fails: rows without a day of their own go into the default partition, and stay there.

A day is dropped when little of it has to stay: that is moved to the default partition in the same
transaction, and by then nobody can touch it. One that cannot be dropped is left alone for a while, and the
next one is looked at.
"""

import asyncio
import logging
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg

from gateway.core.errors import StoreUnavailable
from gateway.core.model import SECOND, Micros, first_id
from gateway.core.retention import DAY, Horizon
from gateway.store.postgres.database import MOVED, Session, Text, Work

TABLES = ("events", "ended_deliveries", "attempts", "withheld")
AHEAD = 3
"""Today, and two days in which to find a moment when nobody reads the history for long."""
AGAIN_SECONDS = 60
"""After it could not be done. To ask for the lock again at once would stop those who write again and again."""

EXAMINED = 2000
"""So many events of a day are looked at together."""
MOST_MOVED = 1000
"""Where more events of a day have to stay, it goes row by row."""
LOOK_AGAIN_SECONDS = 3600
"""After a day could not be dropped: to know what has to stay, up to all of it is read."""

COLUMNS = {
    "events": "*",
    "attempts": "*",
    "withheld": "*",
    "ended_deliveries": f"{MOVED}, state, finished_at, reason",  # another one is computed of these
}

LIST = Text(
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1",
    (),
)
IS_THERE = Text("SELECT to_regclass($1) IS NOT NULL", ())
NOW = Text("SELECT (extract(epoch FROM now()) * 1000000)::bigint", ())
WAIT_FOR_LOCK = Text("SET LOCAL lock_timeout = '100ms'", ())
"""Who waits for it keeps all others waiting: for no longer than they do not notice."""


def day_of(moment: Micros) -> Micros:
    """When the day of a moment began, in UTC."""
    return moment - moment % DAY


def partition(table: str, day: Micros) -> str:
    """The name of a day's partition."""
    return f"{table}_{datetime.fromtimestamp(day // SECOND, tz=UTC):%Y%m%d}"


class Dropped(NamedTuple):
    """A day on its way out."""

    day: Micros
    low: str
    high: str


class Days:
    """Knows which days have been made."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._made: set[Micros] = set()
        self._put_off: dict[Micros, float] = {}
        """Until when days are left alone that could not be dropped."""
        self._loop = asyncio.get_running_loop()
        self._again_at = 0.0

    def lacks(self, moment: Micros) -> bool:
        """Whether partitions of the day of *moment* are to be made now, or of those after it."""
        return self._loop.time() >= self._again_at and any(
            day not in self._made for day in _ahead(moment)
        )

    async def make_today(self) -> None:
        """Make those of the day that it is by the database's clock."""
        ((moment,),) = await self.session.run(lambda work: work.rows(NOW, ()))
        await self.make(moment)

    async def make(self, moment: Micros) -> None:
        """Make them. Where a day has rows in the default partition it stays there; else it is tried again."""
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
        except StoreUnavailable as error:
            self._made.discard(day)
            self._again_at = self._loop.time() + AGAIN_SECONDS
            logging.getLogger(__name__).debug("no partition yet for %s: %s", day, error)
        except asyncpg.IntegrityConstraintViolationError as error:
            logging.getLogger(__name__).debug("no partition for %s: %s", day, error)

    async def next_to_drop(self, before: Horizon) -> Dropped | None:
        """The oldest day with partitions of its own, all of which lies before that horizon."""
        for (name,) in await self.session.run(lambda work: work.rows(LIST, ())):
            day = _day_named(name)
            if day is None or self._put_off.get(day, 0) > self._loop.time():
                continue
            if day + DAY > min(before.finished, before.oldest_window):
                return None
            return Dropped(day, first_id("evt", day), first_id("evt", day + DAY))
        return None

    def put_off(self, dropped: Dropped) -> None:
        """Leave a day alone for a while."""
        self._put_off[dropped.day] = self._loop.time() + LOOK_AGAIN_SECONDS

    async def drop(self, dropped: Dropped, staying: Collection[str]) -> bool:
        """Drop a day but for what is *staying*; False: somebody reads the history for long."""
        try:
            await _drop(self.session, dropped, staying)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                raise
            logging.getLogger(__name__).debug("%s is not dropped yet: %s", dropped.day, error)
            return False
        self._put_off.pop(dropped.day, None)
        return True


async def _drop(session: Session, dropped: Dropped, staying: Collection[str]) -> None:
    """Drop a day's partitions, but for the events that are *staying*, and those with work to do by now."""

    async def within(work: Work) -> None:
        await work.rows(WAIT_FOR_LOCK, ())
        await work.lock([f"day {dropped.day}"])
        ((there,),) = await work.rows(IS_THERE, (partition("events", dropped.day),))
        if not there:  # another node has dropped it meanwhile
            return
        for table in TABLES:
            part = partition(table, dropped.day)
            await work.rows(Text(f"ALTER TABLE {table} DETACH PARTITION {part}", ()), ())
        busy = await work.do("busy_between", dropped.low, dropped.high)
        names = list({*staying, *(name for (name,) in busy)})
        for table in TABLES:
            part, columns = partition(table, dropped.day), COLUMNS[table]
            to = table if columns == "*" else f"{table} ({columns})"
            key = "id" if table == "events" else "event_id"
            # The names are ours, and made of a date.
            move = f"INSERT INTO {to} SELECT {columns} FROM {part} WHERE {key} = ANY($1::text[])"  # noqa: S608
            await work.rows(Text(move, ()), (names,))
            await work.rows(Text(f"DROP TABLE {part}", ()), ())

    await session.transact(within)


def _day_named(partition_name: str) -> Micros | None:
    """The day of a partition of events; None: it is the one for all others."""
    found = re.search(r"events_(\d{8})$", partition_name)
    if found is None:
        return None
    start = datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC)
    return round(start.timestamp()) * SECOND


def _ahead(moment: Micros) -> Iterator[Micros]:
    for i in range(AHEAD):
        yield day_of(moment) + i * DAY


def _creation(table: str, day: Micros) -> str:
    low, high = first_id("evt", day), first_id("evt", day + DAY)
    return (
        f"CREATE TABLE IF NOT EXISTS {partition(table, day)} PARTITION OF {table}"
        f" FOR VALUES FROM ('{low}') TO ('{high}')"
    )
