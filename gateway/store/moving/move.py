"""Moving, from one to the other: read what is there, write what is missing, and compare.

What the source holds has a digest for each table. All of them together name the move, so that it can go on
only from a source that holds the same, and what has arrived is compared with them.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from gateway.core.errors import Conflict, MoveRefused
from gateway.core.postgres_url import PostgresUrl
from gateway.store.moving.digest import Digest
from gateway.store.moving.source import Source, opened
from gateway.store.moving.tables import TABLES
from gateway.store.moving.target import Move, Target, reached

Progress = Callable[[str, str, int, int], None]
"""Told what is done (reading, moving, comparing), to which table, how many rows are done, and of how many."""

Digests = dict[str, Digest]
"""Of each table."""


class Moved(NamedTuple):
    """What is in both, by now."""

    source: Digests
    target: Digests | None
    """None: it had been moved before, and was not looked at again."""

    @property
    def differing(self) -> list[str]:
        """The tables in which the two are not the same."""
        return [
            name
            for name, of_it in self.source.items()
            if of_it != (self.target or self.source)[name]
        ]


async def move(path: Path, url: PostgresUrl, progress: Progress) -> Moved:
    """Move all that a SQLite file holds into a PostgreSQL database, or the rest of it; and compare.

    Only where both are the same afterwards, gateways may open the database. Raises MoveRefused where it
    holds anything else, StoreInUse, StoreUnavailable or SchemaTooNew.
    """
    with opened(path) as source:
        async with reached(url) as target:
            begun = await target.move()
            digests = await _read(source, target, progress)
            if begun is None:
                await target.begin(_name(digests), source.place)
            else:
                _check_same(begun, digests)
                if begun.is_complete:
                    return Moved(digests, None)
            await target.make_days(source.days())
            await _copy(source, target, digests, progress)
            await target.analyze()
            moved = Moved(digests, await _compare(target, digests, progress))
            if not moved.differing:
                await target.end()
            return moved


async def compare(path: Path, url: PostgresUrl, progress: Progress) -> Moved:
    """Compare what has been moved with what it was moved from; nothing is written.

    Raises Conflict where not all has been moved, and what `move` raises.
    """
    with opened(path) as source:
        async with reached(url) as target:
            begun = await target.move()
            if begun is None or not begun.is_complete:
                raise Conflict(
                    "it has not been moved completely", cure="run this without --verify-only"
                )
            digests = await _read(source, target, progress)
            _check_same(begun, digests)
            return Moved(digests, await _compare(target, digests, progress))


def _name(digests: Digests) -> str:
    """What a move of all that is called."""
    facts = [(name, of_it.rows, of_it.hex) for name, of_it in digests.items()]
    return sha256(repr(facts).encode()).hexdigest()


def _check_same(begun: Move, digests: Digests) -> None:
    if begun.id != _name(digests):
        raise MoveRefused(
            f"what is in the database came from {begun.source}, and the source holds something else by now",
            cure="move into another, empty database; or, if that is a wrong source, name the right one",
        )


async def _read(source: Source, target: Target, progress: Progress) -> Digests:
    digests = {}
    for table in TABLES:
        total = source.count(table)
        digest = digests[table.name] = Digest()
        for page in source.compared(table):
            digest.add(page)
            progress("reading", table.name, digest.rows, total)
            await target.stay()
    return digests


async def _copy(source: Source, target: Target, digests: Digests, progress: Progress) -> None:
    for table in TABLES:
        after, rows = await target.position(table)
        for page in source.pages(table, after):
            await target.add(table, page)
            rows += len(page)
            progress("moving", table.name, rows, digests[table.name].rows)


async def _compare(target: Target, digests: Digests, progress: Progress) -> Digests:
    found = {}
    for table in TABLES:
        digest = found[table.name] = Digest()
        async for page in target.compared(table):
            digest.add(page)
            progress("comparing", table.name, digest.rows, digests[table.name].rows)
    return found
