"""Carries operations on that were begun from a page: their pages, one after the other, until they end.

A command asks for its operation's next page itself, so that Ctrl-C ends it. A browser cannot be relied on for
that. What is carried on here ends with the process too; then whoever began it goes on with it.
"""

import secrets

from gateway.core.access import Caller
from gateway.core.bulk import Action, Progress, Rate
from gateway.core.errors import Conflict, NotFound
from gateway.core.model import Micros
from gateway.flows.bulk import Bulk, Filter
from gateway.flows.loop import AFTER_FAILURE, Loop
from gateway.ports import Clock
from gateway.telemetry import Telemetry


class CarryOn:
    """Knows which operations to carry on, and does their pages when they are due."""

    def __init__(self, bulk: Bulk, clock: Clock, telemetry: Telemetry) -> None:
        self._bulk = bulk
        self._clock = clock
        self._under_way: dict[str, tuple[Action, Rate, Caller, Micros]] = {}
        """What each does, at what rate, for whom, and when its next page is due."""
        self.loop = Loop("carry on", self._step, clock, telemetry)

    async def begin(self, action: Action, sought: Filter, rate: Rate, by: Caller) -> str:
        """Begin an operation, and carry it on: its name. Raises what `Bulk.go_on` does."""
        name = f"op_{secrets.token_hex(8)}"
        await self._page(name, action, sought, rate, by)
        return name

    async def go_on(self, name: str, by: Caller) -> None:
        """Carry on one that was begun before. Raises NotFound or Conflict."""
        operation = await self._bulk.operation(name)
        await self._page(name, operation.action, None, operation.rate, by)

    def __contains__(self, name: str) -> bool:
        """Whether that one is carried on."""
        return name in self._under_way

    async def _page(
        self, name: str, action: Action, sought: Filter | None, rate: Rate, by: Caller
    ) -> None:
        progress = await self._bulk.go_on(action, name, sought, rate, by)
        self._note(name, (action, rate, by), progress)
        self.loop.wake()

    def _note(self, name: str, how: tuple[Action, Rate, Caller], progress: Progress) -> None:
        if progress.operation.finished_at is None:
            self._under_way[name] = (*how, self._clock.now() + progress.wait)
        else:
            self._under_way.pop(name, None)

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        in_turn = sorted(self._under_way.items(), key=lambda each: each[1][-1])
        for name, (action, rate, by, due_at) in in_turn:
            if due_at > now:
                break
            # Put off first: where something goes wrong with it, the others are due before it is again.
            self._under_way[name] = (action, rate, by, now + AFTER_FAILURE)
            try:
                progress = await self._bulk.go_on(action, name, None, rate, by)
            except (Conflict, NotFound):  # somebody else carries it on, or it has been pruned
                self._under_way.pop(name, None)
            else:
                self._note(name, (action, rate, by), progress)
        return min((due_at for *_, due_at in self._under_way.values()), default=None)
