"""The one background loop: do a step, then wait until there is something to do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.core.errors import StoreUnavailable
from gateway.core.model import SECOND, Micros
from gateway.ports import Clock
from gateway.telemetry import Telemetry

LONGEST_WAIT = 30 * SECOND
"""A step is taken at least this often: whatever was missed, or however a clock jumped, ends then."""

AFTER_FAILURE = SECOND


class Loop:
    """Runs *step* again and again: at the moment that it returns, when woken, and now and then.

    A step that fails is reported and tried again a second later; so it is while the store is unavailable,
    of which flows/intake.py tells once, for all.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[Micros | None]],
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._name = name
        self._step = step
        self._clock = clock
        self._telemetry = telemetry
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        clock.on_jump(self.wake)

    def start(self) -> None:
        """Begin, with a step at once."""
        self._task = asyncio.create_task(self._run(), name=f"loop {self._name}")

    def wake(self) -> None:
        """Have the next step taken now."""
        self._woken.set()

    async def stop(self) -> None:
        """End, without waiting for a step under way to finish."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                due_at = await self._step()
            except StoreUnavailable as error:  # no fault of the step: a traceback tells nothing
                logging.getLogger(__name__).warning("the loop %s waits: %s", self._name, error)
                due_at = self._failed(error)
            except Exception as error:
                logging.getLogger(__name__).exception("the loop %s failed", self._name)
                due_at = self._failed(error)
            await self._wait(due_at)

    def _failed(self, error: Exception) -> Micros:
        """Report it; when the step is to be taken again."""
        self._telemetry.emit("loop.failed", loop=self._name, error=repr(error))
        return self._clock.now() + AFTER_FAILURE

    async def _wait(self, due_at: Micros | None) -> None:
        wait = LONGEST_WAIT if due_at is None else min(due_at - self._clock.now(), LONGEST_WAIT)
        try:
            async with asyncio.timeout(max(0, wait) / SECOND):
                await self._woken.wait()
        except TimeoutError:
            pass
