"""Reaching the database: its URL, its connections, its statements and its errors.

A session is one connection, made when it is first needed and anew after it was lost. Whatever goes wrong
with it, whoever was using it is told that nothing was kept, or that nobody knows: that too is no success,
and to do it again does no harm.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any, NamedTuple, TypeVar

import asyncpg

from gateway.core.errors import DiskFull, StoreUnavailable, StoreUnusable
from gateway.core.postgres_url import PostgresUrl
from gateway.core.turns import Ready
from gateway.store.postgres.reach import connect
from gateway.store.steps import Do, Insert, Lock, Result, Row, Steps, is_shared, shared_statement

COMMAND_SECONDS = 5
ANSWER_SECONDS = 4
"""What somebody waits for has come to an end by then, whatever it takes: connecting, too."""

SETTINGS = {
    "statement_timeout": f"{COMMAND_SECONDS}s",
    # A node that stops in the middle of one may hold what all others wait for: they wait longer than this.
    "idle_in_transaction_session_timeout": "2s",
    "synchronous_commit": "on",  # or what was acknowledged is lost with the machine
    # A node that is gone, or cannot be reached, is not waited for longer than this.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10s",
    "jit": "off",
    # Every statement looks at ranges of an index. A table that was empty when a plan was made, and is
    # not any more, would be read whole by it.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}

PLANNED_ANEW_SECONDS = 30
"""A plan that was made for an empty table is not kept for longer: it may read all of what comes into it."""

MOST_TRIES = 5
"""So often a transaction is begun anew that met another one."""

Answer = TypeVar("Answer")


# -- statements ----------------------------------------------------------------------------------------

KEPT = (
    "event_id, n, route, endpoint, form, body, sha256, target, created_at, data_key, priority, leads,"
    " key, place, after, slot, since, late_at"
)
"""The columns of a delivery that stay what they are when it ends, or goes back on schedule."""


MOVED = f"{KEPT}, attempts, round_from, due_at, expires_at"
"""Those that go along when it ends without an attempt."""


class Text(NamedTuple):
    """A statement as PostgreSQL takes it."""

    sql: str
    names: tuple[str, ...]
    """Of its parameters, where they have names."""


PLACE = re.compile(r"\?(\d*)|(?<![:\w]):([a-z_]+)")


def placed(text: str) -> Text:
    """A statement whose parameters are `?`, `?2` or `:name`, with `$1`, `$2` … in their places."""
    names: list[str] = []
    count = 0

    def place(found: re.Match[str]) -> str:
        nonlocal count
        number, name = found.groups()
        if name is None:
            count += 1
            return f"${number or count}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    code = re.sub(r"--.*", "", text).replace("{kept}", KEPT).replace("{moved}", MOVED)
    return Text(PLACE.sub(place, code).strip(), tuple(names))


@cache
def text_of(name: str) -> str:
    """The statement of that name as it was written."""
    if is_shared(name):
        return shared_statement(name)
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def statement(name: str) -> Text:
    """The statement of that name."""
    return placed(text_of(name))


# -- values --------------------------------------------------------------------------------------------

# PostgreSQL's text cannot hold NUL, and senders' can. What stands for it is a code point that Unicode
# keeps free of meaning; where that stands itself, it is told apart.
MARK = "\ufdd0"
NUL_MARKED, MARK_MARKED = MARK + "0", MARK + "1"


def storable(value: object) -> object:
    """A parameter as it can be stored."""
    if isinstance(value, str):
        if "\0" in value or MARK in value:
            return value.replace(MARK, MARK_MARKED).replace("\0", NUL_MARKED)
    elif isinstance(value, list):
        return [storable(each) for each in value]
    return value


def as_it_was(value: Any) -> Any:
    """What was stored."""
    if isinstance(value, str) and MARK in value:
        return value.replace(NUL_MARKED, "\0").replace(MARK_MARKED, MARK)
    return value


# -- errors --------------------------------------------------------------------------------------------

OURS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.SyntaxOrAccessError,
)
"""What is wrong with *our* work passes as it is."""

AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Two transactions stood in each other's way, and this one was rolled back."""

LOST = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # where a connection ends in the middle of something
    OSError,
    TimeoutError,
    EOFError,
)

KINDS: Mapping[str, type[StoreUnavailable]] = {
    "53100": DiskFull,
    "28": StoreUnusable,
    "3D": StoreUnusable,
    "42501": StoreUnusable,
}
CURES = {
    "53100": "the disk of the database is full: free some space; the gateway goes on by itself",
    "533": "raise max_connections of the database, or run fewer nodes; it goes on by itself",
    "28": "see user and password in --database",
    "3D": "create the database, or name another one with --database",
    "42501": "give its user the rights that docs/postgres.md lists",
    "25006": "name the primary with --database: this is a standby, or one that was told to be read-only",
    "57014": "see what the database is busy with; it goes on by itself",
    "57P": "the database stops or starts; it goes on by itself",
}
REACH = "see whether the database runs and can be reached; it goes on by itself"


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise a StoreUnavailable, with its cure, where the database cannot do its work."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise _unavailable(what, error) from error
    except OURS:
        raise
    except LOST as error:
        raise _unavailable(what, error) from error


def _unavailable(what: str, error: BaseException) -> StoreUnavailable:
    code = getattr(error, "sqlstate", None) or ""
    by_length = [code[:length] for length in (5, 3, 2)]
    kind = next((KINDS[each] for each in by_length if each in KINDS), StoreUnavailable)
    cure = next((CURES[each] for each in by_length if each in CURES), REACH)
    told = str(error).splitlines()[0] if str(error) else type(error).__name__
    return kind(f"{what}: {told}{f' ({code})' if code else ''}", cure=cure)


# -- work ----------------------------------------------------------------------------------------------


class Work:
    """What is done on a connection: within a transaction, or as a statement that is one."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._locked: set[str] = set()
        self.ready: Ready = []
        """What may go, once it is committed."""

    async def rows(self, text: Text, given: Sequence[object] | Mapping[str, object]) -> list[Row]:
        """Run a statement; all its rows."""
        values = [given[name] for name in text.names] if isinstance(given, Mapping) else given
        found = await self._connection.fetch(text.sql, *map(storable, values))
        return [tuple(map(as_it_was, row)) for row in found]

    async def do(self, name: str, *given: object) -> list[Row]:
        """Run the statement of that name."""
        return await self.rows(statement(name), given)

    async def insert(self, name: str, rows: Sequence[Sequence[object]]) -> None:
        """Run an INSERT for many rows."""
        if rows:
            values = [[storable(value) for value in row] for row in rows]
            await self._connection.executemany(statement(name).sql, values)

    async def lock(self, names: Sequence[str]) -> None:
        """Keep other nodes from what these names stand for, until the transaction ends."""
        wanted = set(names) - self._locked
        if wanted:
            # In one order, so that no two transactions wait for each other.
            await self.do("lock", sorted(map(_number_of, wanted)))
            self._locked |= wanted

    async def take(self, steps: Steps[Result]) -> Result:
        """Take all steps; what they come to."""
        answer: Sequence[Row] = ()
        try:
            step = next(steps)
            while True:
                if isinstance(step, Do):
                    answer = await self.rows(statement(step.name), step.given)
                elif isinstance(step, Insert):
                    await self.insert(step.name, step.rows)
                elif isinstance(step, Lock):
                    await self.lock(step.names)
                else:
                    self.ready += step.ready
                step = steps.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result


MOST_LOCKS = 4096
"""Of keys, slots and events: each that is held takes room in a table that the whole server shares."""
ALONE = ("shares", "day")
"""What is locked often, or for long: it shares its number with no key."""


def _number_of(name: str) -> int:
    """What a name is to PostgreSQL's advisory locks. Two that share one wait for each other, no more."""
    number = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)
    return number if name.startswith(ALONE) else number % MOST_LOCKS


class Session:
    """One connection, made anew when it was lost; who comes while it is used waits for it."""

    def __init__(
        self,
        url: PostgresUrl,
        name: str,
        *,
        within: float | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Whatever is done with it ends *within* so many seconds; *settings* are on top of `SETTINGS`."""
        self._url = url
        self._within = within
        self._name = name
        self._settings = {**SETTINGS, **(settings or {})}
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._failed: StoreUnavailable | None = None
        self._tries = 0
        self._try_at = 0.0

    async def transact(self, work: Callable[[Work], Awaitable[Answer]]) -> tuple[Answer, Ready]:
        """Do *work* in a transaction; what it came to, and what may go because of it."""

        async def within(connection: Any) -> tuple[Answer, Ready]:
            transaction, done = connection.transaction(), Work(connection)
            await transaction.start()
            try:
                answer = await work(done)
            except (
                *OURS,
                *AGAIN,
            ):  # after all else the connection is dropped, which may be silent: nobody waits for it
                await transaction.rollback()
                raise
            await transaction.commit()
            return answer, done.ready

        return await self._use(within, "cannot commit")

    async def run(
        self, work: Callable[[Work], Awaitable[Answer]], what: str = "cannot commit"
    ) -> Answer:
        """Do *work*, each of whose statements is committed by itself."""
        return await self._use(lambda connection: work(Work(connection)), what)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with suppress(*LOST):
                await self._connection.close(timeout=1)
            self._drop()

    async def _use(self, work: Callable[[Any], Awaitable[Answer]], what: str) -> Answer:
        try:
            with translated(what):
                async with asyncio.timeout(self._within), self._turn:
                    return await self._tried(work)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, TimeoutError) and error is not self._failed:
                self._note_failure(error)
            raise

    async def _tried(self, work: Callable[[Any], Awaitable[Answer]]) -> Answer:
        tries = 0
        while True:
            tries += 1
            connection = await self._connected()
            try:
                return await work(connection)
            except OURS:
                raise
            except BaseException as error:
                if isinstance(error, AGAIN) and tries < MOST_TRIES:
                    continue
                # Nobody knows what the connection is worth now, nor whether a commit has succeeded.
                self._drop()
                raise

    async def _connected(self) -> Any:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        if self._failed is not None and self._loop.time() < self._try_at:
            raise self._failed.with_traceback(None)
        try:
            with translated(f"cannot reach {self._url}"):
                self._connection = await connect(
                    self._url,
                    self._name,
                    self._settings,
                    command_timeout=COMMAND_SECONDS,
                    statement_cache_size=1024,
                    max_cached_statement_lifetime=PLANNED_ANEW_SECONDS,
                )
        except StoreUnavailable as error:
            self._note_failure(error)
            raise
        self._failed, self._tries = None, 0
        return self._connection

    def _note_failure(self, error: StoreUnavailable) -> None:
        """Who waited meanwhile hears it at once, and does not wait as long again."""
        self._failed = error
        self._try_at = self._loop.time() + min(2.0, 0.05 * 2**self._tries)
        self._tries = min(self._tries + 1, 10)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
