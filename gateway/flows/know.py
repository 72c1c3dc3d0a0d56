"""What the register knows of events before they are routed.

Events about the same thing are routed one after the other, so that each is compared with what the one before it told.
That holds within one gateway. Two that come to several gateways at the same moment may both be compared with what
was known before them; which of them counts, their times decide.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.core.model import Event
from gateway.core.register import Knowledge, Look
from gateway.core.routes import Routes
from gateway.core.routing import looks_of
from gateway.ports import RegisterStore


class Know:
    """Asks the register."""

    def __init__(self, store: RegisterStore) -> None:
        self._store = store
        self._locks: dict[Look, asyncio.Lock] = {}
        self._wanted: Counter[Look] = Counter()

    @asynccontextmanager
    async def about(self, events: Sequence[Event], routes: Routes) -> AsyncIterator[Knowledge]:
        """What is known of what these are about; it stays so until what they tell is kept. Raises StoreUnavailable."""
        looks = dict.fromkeys(look for event in events for look in looks_of(event, routes))
        if not looks:
            yield Knowledge()
            return
        async with AsyncExitStack() as held:
            # In one order, so that no two wait for each other.
            for look in sorted(each for each in looks if each.key is not None):
                await held.enter_async_context(self._alone(look))
            yield Knowledge(await self._store.look(list(looks)))

    @asynccontextmanager
    async def _alone(self, look: Look) -> AsyncIterator[None]:
        """While nobody else has to do with that thing."""
        lock = self._locks.setdefault(look, asyncio.Lock())
        self._wanted[look] += 1
        try:
            async with lock:
                yield
        finally:
            self._wanted[look] -= 1
            if not self._wanted[look]:
                del self._wanted[look], self._locks[look]
