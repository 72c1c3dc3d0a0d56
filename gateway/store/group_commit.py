"""Many callers, one transaction at a time.

Callers on the event loop submit operations; a thread of its own commits them in batches. Whatever
waits when the thread is free is the next batch: nobody lingers for company, and under load the
batches grow by themselves until one sync to disk pays for hundreds of events.

One hop to the thread and one back per batch: the loop and the thread contend for Python's global
lock, so each further hop would cost up to a switch interval.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

Operation = TypeVar("Operation")

LARGEST_BATCH = 512


class GroupCommit(Generic[Operation]):
    """Hands batches of operations to *commit*, which runs in a thread, and their results back.

    *commit* returns one result per operation; a result that is an exception is raised at its caller.
    """

    def __init__(
        self, commit: Callable[[Sequence[Operation]], Sequence[Any]], *, name: str
    ) -> None:
        self._commit = commit
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Operation, asyncio.Future[Any]]] = []
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._batches: queue.SimpleQueue[list[tuple[Operation, asyncio.Future[Any]]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many operations are neither committed nor in the batch that is."""
        return len(self._waiting)

    def submit(self, operation: Operation) -> "asyncio.Future[Any]":
        """Have *operation* committed with the next batch."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((operation, future))
        if not self._busy:
            self._busy = True
            self._idle.clear()
            # Not at once: what else this turn of the loop submits may come along.
            self._loop.call_soon(self._hand_over)
        return future

    async def close(self) -> None:
        """Commit what was submitted, then end the thread."""
        while self._busy:
            await self._idle.wait()
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
        self._batches.put(batch)

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                results = self._commit([operation for operation, _ in batch])
            except Exception as error:  # noqa: BLE001  # whatever it is, those who wait must hear it
                results = [error] * len(batch)
            self._loop.call_soon_threadsafe(self._finish, batch, results)

    def _finish(
        self, batch: list[tuple[Operation, "asyncio.Future[Any]"]], results: Sequence[Any]
    ) -> None:
        for (_, future), result in zip(batch, results, strict=True):
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
            self._idle.set()
