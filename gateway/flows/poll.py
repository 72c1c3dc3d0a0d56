"""Sources that are asked, as nobody posts to them: one poller for each, by the routes in force.

Where several nodes share a database, one of them asks: whoever has taken the lease, and goes on renewing it. So it
is seldom, and harmless, that two ask at once: what comes twice has the same ids.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias, assert_never

from gateway.core.access import LOCAL, Caller
from gateway.core.errors import Conflict, NotFound, PollFailed, StoreUnavailable
from gateway.core.model import SECOND, Json, Micros, rfc3339
from gateway.core.polling import LONGEST_WAIT as LONGEST_BACK_OFF
from gateway.core.polling import Poll, wait_after
from gateway.core.routes import Routes, Source
from gateway.flows.asking import Asking
from gateway.flows.audit import Audit
from gateway.flows.changes import Changes
from gateway.flows.downloads import ListOfDownloads
from gateway.flows.enriching import Enriching
from gateway.flows.feed import Feed
from gateway.flows.keep import Keep
from gateway.flows.loop import Loop
from gateway.flows.products import Products
from gateway.flows.taking import Taking
from gateway.ports import Clock, Sender, Store
from gateway.telemetry import Telemetry

LEASE = 300 * SECOND
"""For so long one node asks; longer than a step takes with all its waits for the rate."""
LOOK_AGAIN = 30 * SECOND
"""So often the others look whether it still does."""

Come: TypeAlias = Callable[[], Awaitable[tuple[int, bool]]]
"""What asks once: how many new events came, and whether more may wait. Raises PollFailed."""


class Pollers:
    """All pollers. They begin, change and end with the routes file."""

    def __init__(  # noqa: PLR0913  # what it joins
        self, *, routes: Callable[[], Routes], keep: Keep, store: Store, sender: Sender,
        check_room: Callable[[], None], clock: Clock, telemetry: Telemetry, shared: bool,
    ) -> None:  # fmt: skip
        self._audit = Audit(store, clock, telemetry)
        self._routes = routes
        self._keep = keep
        self._store = store
        self._sender = sender
        self._check_room = check_room
        self._clock = clock
        self._telemetry = telemetry
        self._shared = shared
        """Whether other nodes may be on this database."""
        self._running: dict[str, Poller] = {}
        self.loop = Loop("polls", self._step, clock, telemetry)

    def shown(self) -> list[dict[str, Json]]:
        """Every poller of this node, as the API shows it."""
        return [poller.shown() for _, poller in sorted(self._running.items())]

    async def now(self, name: str, by: Caller = LOCAL) -> dict[str, Json]:
        """Ask for a source at once, whatever it waits for: what came, as `shown`.

        Raises NotFound, Conflict where it cannot be asked here, StoreUnavailable.
        """
        async with self._audit.of(by, "poll", name) as entry:
            told = await self._poller(name).now()
            await self._store.note(entry)
        return told

    def _poller(self, name: str) -> "Poller":
        source = self._routes().sources.get(name)
        if source is None:
            raise NotFound(f"there is no source {name}", cure="see `sources` in the routes file")
        if source.poll is None:
            cure = "only one with `poll` is asked"
            raise Conflict(f"the source {name} is posted to", cure=cure)
        poller = self._running.get(name)
        if poller is None:
            raise Conflict(f"{name} has just come into force", cure="try again in a moment")
        return poller

    async def close(self) -> None:
        """End all of them; what is under way is broken off, and comes again."""
        for poller in self._running.values():
            await poller.close()
        self._running.clear()

    async def _step(self) -> Micros | None:
        sources = self._routes().sources
        wanted = {name: source for name, source in sources.items() if source.poll is not None}
        for name, poller in list(self._running.items()):
            source = wanted.get(name)
            if source is not None and source.poll == poller.source.poll:
                poller.use(source)
            else:
                await poller.close()
                del self._running[name]
        for name, source in wanted.items():
            if name not in self._running:
                self._running[name] = self._begin(source)
        return None

    def _begin(self, source: Source) -> "Poller":
        taking = Taking(
            source, keep=self._keep, store=self._store, clock=self._clock,
            telemetry=self._telemetry, check_room=self._check_room,
        )  # fmt: skip
        poller = Poller(
            source, taking, self._sender, self._store, self._clock, self._telemetry, shared=self._shared
        )  # fmt: skip
        poller.loop.start()
        return poller


class Poller:
    """Asks for one source again and again."""

    def __init__(
        self, source: Source, taking: Taking, sender: Sender, store: Store,
        clock: Clock, telemetry: Telemetry, *, shared: bool,
    ) -> None:  # fmt: skip
        assert source.poll is not None  # noqa: S101  # such sources only
        self.source = source
        self._poll: Poll = source.poll
        self._taking = taking
        self._leases = store if shared else None
        self._clock = clock
        self._telemetry = telemetry
        self._asking = Asking(source.name, self._poll, sender, clock)
        clock.on_jump(self._asking.wake)
        self._come = _coming(source.name, self._poll, self._asking, taking, store, clock, telemetry)
        self._turn = asyncio.Lock()
        """Of whoever asks: the loop, or an operator."""
        self._lease_until: Micros | None = None
        self._failures = 0
        self._last: dict[str, Json] = {"outcome": None, "reason": None, "asked_at": None, "came": 0}
        self._next_at: Micros | None = None
        self.loop = Loop(f"poll {source.name}", self._step, clock, telemetry)

    def shown(self) -> dict[str, Json]:
        """When it last asked, and what came."""
        return {
            "source": self.source.name,
            "preset": self._poll.preset,
            **self._last,
            "failures": self._failures,
            "next_at": None if self._next_at is None else rfc3339(self._next_at),
        }

    async def close(self) -> None:
        """End; what is under way is broken off, and another node may ask at once."""
        await self.loop.stop()
        await self._asking.close()
        if self._leases is not None and self._lease_until is not None:
            what = f"poll/{self.source.name}"
            with suppress(StoreUnavailable):  # then the lease runs out by itself
                await self._leases.note_told(what, self._clock.now(), self._lease_until)

    def use(self, source: Source) -> None:
        """Read what comes as this source does from now on; whom it asks is the same."""
        self.source = source
        self._taking.source = source

    async def now(self) -> dict[str, Json]:
        """Ask at once: what came. Raises Conflict where another node asks, StoreUnavailable."""
        async with self._turn:
            if not await self._is_ours(renew=True):
                what = f"another gateway on this database asks for {self.source.name}"
                raise Conflict(what, cure="try again there: see `gateway status`")
            self._next_at = await self._asked()
        self.loop.wake()
        return self.shown()

    async def _step(self) -> Micros:
        async with self._turn:
            is_due = self._is_due()
            if not await self._is_ours(renew=is_due):
                self._last = {**self._last, "outcome": "elsewhere", "reason": None}
                self._failures, self._next_at = 0, None
                return self._clock.now() + LOOK_AGAIN
            if is_due or self._next_at is None:
                self._next_at = await self._asked()
            return self._next_at

    def _is_due(self) -> bool:
        """Whether it is time to ask; a clock that was set back is no reason to wait any longer."""
        if self._next_at is None:
            return True
        longest = max(self._poll.every, LONGEST_BACK_OFF)
        return not 0 < self._next_at - self._clock.now() <= longest

    async def _asked(self) -> Micros:
        """Ask once; when to ask again."""
        self._taking.check_room()  # what cannot be kept is not fetched
        asked_at = self._clock.now()
        try:
            came, more = await self._come()
        except PollFailed as error:
            return self._failed(asked_at, error.outcome, str(error))
        except StoreUnavailable:  # no fault of what is asked
            raise
        except Exception as error:
            logging.getLogger(__name__).exception("the poll of %s failed", self.source.name)
            return self._failed(asked_at, "failed", f"a fault of the gateway: {error!r}")
        self._failures = 0
        self._tell(asked_at, "events" if came else "empty", came, None)
        return self._clock.now() if more else asked_at + self._poll.every

    def _failed(self, asked_at: Micros, outcome: str, reason: str) -> Micros:
        """Count a poll that failed; when to ask again."""
        self._failures += 1
        self._tell(asked_at, outcome, 0, reason)
        return self._clock.now() + wait_after(self._failures, self._clock.chance())

    def _tell(self, asked_at: Micros, outcome: str, came: int, reason: str | None) -> None:
        self._last = {
            "asked_at": rfc3339(asked_at),
            "outcome": outcome,
            "came": came,
            "reason": reason,
        }
        name = "source.polled" if reason is None else "poll.failed"
        fields: dict[str, Any] = {"source": self.source.name, "outcome": outcome, "came": came}
        if reason is not None:
            fields |= {"reason": reason, "failures": self._failures}
        self._telemetry.emit(name, **fields)

    async def _is_ours(self, *, renew: bool) -> bool:
        """Whether this node is the one that asks; its lease is renewed to do so, or where half of it is over."""
        if self._leases is None:
            return True
        what, now = f"poll/{self.source.name}", self._clock.now()
        noted = await self._leases.told_till(what)
        if noted is not None and noted > now and noted != self._lease_until:
            return False
        if not renew and noted is not None and noted - now > LEASE // 2:
            return True
        until = now + LEASE
        ours = await self._leases.note_told(what, until, noted)
        self._lease_until = until if ours else None
        return ours


def _coming(
    source: str, poll: Poll, asking: Asking, taking: Taking, store: Store, clock: Clock,
    telemetry: Telemetry,
) -> Come:  # fmt: skip
    match poll.preset:
        case "http":
            return Feed(asking, taking, store, poll.cursor)
        case "getty-asset-changes":
            enriching = None
            if poll.enrich is not None:
                enriching = Enriching(source, poll.enrich, asking, store, telemetry)
            return Changes(asking, taking, poll.batch, enriching)
        case "getty-downloads":
            return ListOfDownloads(asking, taking, store, clock, company=poll.company)
        case "getty-products":
            return Products(asking, taking, store, clock, poll)
        case _:
            assert_never(poll.preset)
