"""Many callers, one transaction at a time.

Callers on the event loop submit operations; a committer commits them in batches. Whatever
waits when it is free is the next batch: nobody lingers for company, and under load the
batches grow by themselves until one sync to disk pays for hundreds of events.

The committer is a thread of its own, or a task. To a thread there is one hop per batch, and one back:
the loop and the thread contend for Python's global lock, so each further hop would cost up to a switch
interval.

What waits is memory, and somebody's patience. `check_room` says when new work is better refused, by
three numbers that are kept per batch: how many operations wait, how large they are, and for how long
the oldest has. It is for what comes from outside; outcomes of attempts are always taken.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from gateway.core.errors import StoreBehind, StoreUnavailable
from gateway.core.histogram import MOMENTS, Histogram

Operation = TypeVar("Operation")
Given_contra = TypeVar("Given_contra", contravariant=True)

LARGEST_BATCH = 512
NEVER = float("inf")

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, LARGEST_BATCH)
"""Bounds by which batches are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much may wait before new work is refused."""

    operations: int = 4096
    """Eight batches."""
    size_bytes: int = 16 * 1024 * 1024
    """What is read of a body takes a multiple of it in memory."""
    age_seconds: float = 2
    """Less than the timeout of any sender, so that it hears a refusal instead."""


Entry = tuple[Operation, "asyncio.Future[Any]", int]
"""An operation, who waits for it, and its size in bytes."""


Done = Callable[[Sequence[Any]], None]
"""Is told what came of a batch: one result per operation, an exception where one failed."""


class Committer(Protocol[Given_contra]):
    """Commits one batch after the other. Whatever goes wrong, those who wait hear it."""

    def begin(self, operations: Sequence[Given_contra], done: Done) -> None:
        """Commit a batch, and tell *done*, on the loop; the next one begins after that."""

    async def close(self) -> None:
        """End, with nothing under way."""


class InThread(Generic[Operation]):
    """Commits in a thread of its own."""

    def __init__(
        self, commit: Callable[[Sequence[Operation]], Sequence[Any]], *, name: str
    ) -> None:
        self._commit = commit
        self._loop = asyncio.get_running_loop()
        self._batches: queue.SimpleQueue[tuple[Sequence[Operation], Done] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def begin(self, operations: Sequence[Operation], done: Done) -> None:
        """See `Committer`."""
        self._batches.put((operations, done))

    async def close(self) -> None:
        """See `Committer`."""
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            operations, done = batch
            results: Sequence[Any]
            try:
                results = self._commit(operations)
            except Exception as error:  # noqa: BLE001  # whatever it is, those who wait must hear it
                results = [error] * len(operations)
            self._loop.call_soon_threadsafe(done, results)


class InTask(Generic[Operation]):
    """Commits on the event loop, by a coroutine."""

    def __init__(
        self, commit: Callable[[Sequence[Operation]], Coroutine[Any, Any, Sequence[Any]]]
    ) -> None:
        self._commit = commit
        self._task: asyncio.Task[None] | None = None

    def begin(self, operations: Sequence[Operation], done: Done) -> None:
        """See `Committer`."""
        self._task = asyncio.create_task(self._work(operations, done))

    async def close(self) -> None:
        """See `Committer`."""
        if self._task is not None:
            await self._task

    async def _work(self, operations: Sequence[Operation], done: Done) -> None:
        results: Sequence[Any]
        try:
            results = await self._commit(operations)
        except Exception as error:  # noqa: BLE001  # whatever it is, those who wait must hear it
            results = [error] * len(operations)
        done(results)


class GroupCommit(Generic[Operation]):
    """Hands batches of operations to a committer, and their results back.

    A result that is an exception is raised at its caller.
    """

    def __init__(self, committer: Committer[Operation], *, room: Room | None = None) -> None:
        self._committer = committer
        self._room = room or Room()
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Entry[Operation]] = []
        self._first_waiting_at = NEVER
        self._oldest_at = NEVER
        """When the oldest operation of the batch under way was submitted; nothing of it is younger
        than what waits."""
        self._held_bytes = 0
        self.failure: StoreUnavailable | None = None
        """Why the last batch could not be committed; None: it was."""
        self.on_change: Callable[[], None] = _nobody
        """Called at each failure, and at the first commit after it, before those who wait hear of it."""
        self.seconds = Histogram(MOMENTS)
        """How long batches took, from the loop and back."""
        self.sizes = Histogram(SIZES)
        """Of how many operations they were."""
        self._begun_at = 0.0
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """How many operations are neither committed nor in the batch that is."""
        return len(self._waiting)

    @property
    def waited_seconds(self) -> float:
        """For how long the oldest operation has waited for its commit; 0 when none does."""
        return max(0.0, self._loop.time() - self._oldest_at)

    def check_room(self) -> None:
        """Raise StoreBehind where new work would wait too long, or with too much."""
        room = self._room
        if (
            len(self._waiting) >= room.operations
            or self._held_bytes >= room.size_bytes
            or self._loop.time() - self._oldest_at > room.age_seconds
        ):
            raise StoreBehind(
                f"the database is behind: {len(self._waiting)} operations wait,"
                f" the oldest since {self.waited_seconds:.1f} s",
                cure="see whether its disk is slow or busy; it goes on by itself",
            )

    @property
    def stuck(self) -> bool:
        """Whether the oldest operation has waited for too long."""
        return self._loop.time() - self._oldest_at > self._room.age_seconds

    def fail(self, failure: StoreUnavailable) -> None:
        """Have it known that the store has failed, where it was not a commit that found out."""
        self.failure = failure
        self.on_change()

    def submit(self, operation: Operation, size_bytes: int = 0) -> "asyncio.Future[Any]":
        """Have *operation* committed with the next batch, however much waits."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._waiting:
            self._first_waiting_at = self._loop.time()
        self._waiting.append((operation, future, size_bytes))
        self._held_bytes += size_bytes
        if not self._busy:
            self._busy = True
            self._idle.clear()
            # Not at once: what else this turn of the loop submits may come along.
            self._loop.call_soon(self._hand_over)
        return future

    async def close(self) -> None:
        """Commit what was submitted, then end the committer."""
        while self._busy:
            await self._idle.wait()
        await self._committer.close()

    def _hand_over(self) -> None:
        batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
        self._oldest_at = self._first_waiting_at
        self._begun_at = self._loop.time()
        self._committer.begin(
            [operation for operation, _, _ in batch], partial(self._finish, batch)
        )

    def _finish(self, batch: list[Entry[Operation]], results: Sequence[Any]) -> None:
        self._note(results[-1])
        self.seconds.observe(self._loop.time() - self._begun_at)
        self.sizes.observe(len(batch))
        for (_, future, size_bytes), result in zip(batch, results, strict=True):
            self._held_bytes -= size_bytes
            if future.done():  # its caller was cancelled; the work is done all the same
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        if self._waiting:
            self._hand_over()
        else:
            self._busy = False
            self._oldest_at = NEVER
            self._idle.set()

    def _note(self, last_result: object) -> None:
        """Learn from a batch whether the store can commit; the last of its results is the latest word."""
        failure = last_result if isinstance(last_result, StoreUnavailable) else None
        if failure is not None:
            self.fail(failure)
        elif self.failure is not None:
            self.failure = None
            self.on_change()


def _nobody() -> None:
    """Called before anyone cares."""
