"""Telling the gateway's own news (core/news.py), as events.

What happens is heard of in passing, and gathered: the hot path adds to a count. It is told behind the scenes, a few
seconds after the first of it, and of one endpoint no more often than every few minutes. So what is held in
memory is bounded by the number of endpoints. It is lost in a crash: what it is about is in the store.

News that no route would take is not made.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from gateway.core.derived import is_news
from gateway.core.errors import StoreBehind, StoreUnavailable
from gateway.core.model import SECOND, Delivery, Micros
from gateway.core.news import (
    EVERY,
    GATHER,
    STOPPED,
    Deaths,
    Lateness,
    News,
    Stop,
    rejection,
)
from gateway.core.retry import Decision, GiveUp
from gateway.core.routing import plan
from gateway.flows.keep import Keep
from gateway.flows.loop import Loop
from gateway.ports import Clock
from gateway.telemetry import Telemetry

MOST_WAITING = 1_000
"""So much that cannot be told now is held; beyond it the oldest goes."""

ENDPOINT, FILE = "endpoint", "routes"

Thing: TypeAlias = tuple[str, str]
"""What is gathered of, and of which endpoint."""


class Tell:
    """Hears what happens, and makes events of it."""

    def __init__(
        self,
        *,
        keep: Keep,
        redact: Callable[[str], str],
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._keep = keep
        self._redact = redact
        self._clock = clock
        self._telemetry = telemetry
        self._deaths: dict[str, Deaths] = {}
        self._late: dict[str, Lateness] = {}
        self._stopped: dict[str, Stop | None] = {}
        """Endpoints that may have changed since they were last told of; None: they go on."""
        self._told_stopped: dict[str, Stop] = {}
        """Endpoints of which everyone has been told that they have stopped."""
        self._rejected: tuple[list[str], str] | None = None
        self._due: dict[Thing, Micros] = {}
        self._told_at: dict[Thing, Micros] = {}
        self._waiting: deque[tuple[Thing, News]] = deque(maxlen=MOST_WAITING)
        """What could not be told yet. Of a thing that is in it, more is gathered until it has been told."""
        self.loop = Loop("news", self._step, clock, telemetry)
        for name, hear in (
            ("attempt.recorded", self._hear_attempt),
            ("delivery.corrupt", self._hear_corrupt),
            ("deliveries.late", self._hear_late),
            ("endpoint.closed", self._hear_closed),
            ("endpoint.opened", self._hear_opened),
            ("routes.rejected", self._hear_rejected),
        ):
            telemetry.listen(hear, name)

    async def tell(self, news: News) -> None:
        """Make an event of it, if a route would take it, and keep it. Raises StoreUnavailable or StoreBehind."""
        now = self._clock.now()
        event = news.event(self._keep.new_id(), now)
        routed = plan(event, self._keep.routes)
        if routed.matched or routed.failures:
            await self._keep.keep([event], news.window)

    async def close(self) -> None:
        """Tell all that is gathered, and end; what the store does not take is lost."""
        await self.loop.stop()
        try:
            await self._tell_waiting()
            self._take(max(self._due.values(), default=0))
            await self._tell_waiting()
        except (StoreUnavailable, StoreBehind):
            self._telemetry.emit("news.lost", count=len(self._waiting))

    # -- hearing -----------------------------------------------------------------------------------

    def _hear_attempt(self, _name: str, fields: dict[str, Any]) -> None:
        decision: Decision = fields["decision"]
        delivery: Delivery = fields["delivery"]
        if isinstance(decision, GiveUp) and not is_news(delivery.event):
            self._add_death(delivery.endpoint, delivery.id, delivery.route, decision.reason)

    def _hear_corrupt(self, _name: str, fields: dict[str, Any]) -> None:
        # Whether it was news is not known any more; but each of these takes a fault of the disk.
        self._add_death(fields["endpoint"], fields["delivery"], "unknown", "body-corrupt")

    def _add_death(self, endpoint: str, delivery: Any, route: str, reason: str) -> None:
        deaths = self._deaths.get(endpoint)
        if deaths is None:
            deaths = self._deaths[endpoint] = Deaths()
            self._gather("dead", endpoint)
        deaths.add(delivery, route, reason, self._clock.now())

    def _hear_late(self, _name: str, fields: dict[str, Any]) -> None:
        endpoint = fields["endpoint"]
        if endpoint not in self._late:
            self._late[endpoint] = Lateness()
            self._gather("late", endpoint)
        oldest = self._clock.now() - fields["oldest_seconds"] * SECOND
        self._late[endpoint].add(fields["count"], oldest, fields["oldest_event"])

    def _hear_closed(self, _name: str, fields: dict[str, Any]) -> None:
        if fields["state"] in STOPPED:
            stop = Stop(fields["state"], self._redact(fields["reason"]), self._clock.now())
            self._note_endpoint(fields["endpoint"], stop)

    def _hear_opened(self, _name: str, fields: dict[str, Any]) -> None:
        endpoint, was = fields["endpoint"], fields["was"]
        if was not in STOPPED:
            return
        if endpoint not in self._stopped and endpoint not in self._told_stopped:
            self._told_stopped[endpoint] = Stop(was, "", None)  # by an earlier run
        self._note_endpoint(endpoint, None)

    def _note_endpoint(self, endpoint: str, stop: Stop | None) -> None:
        if endpoint not in self._stopped:
            self._gather(ENDPOINT, endpoint)
        self._stopped[endpoint] = stop

    def _hear_rejected(self, _name: str, fields: dict[str, Any]) -> None:
        if self._rejected is None:
            self._gather(FILE, "")
        problems = [self._redact(problem) for problem in fields["problems"]]
        self._rejected = problems, fields["in_force"]

    def _gather(self, kind: str, name: str) -> None:
        """Have it told soon; or later, where the same has been told of lately."""
        thing, now = (kind, name), self._clock.now()
        self._due[thing] = max(now + GATHER, self._told_at.get(thing, now - EVERY) + EVERY)
        self.loop.wake()

    # -- telling -----------------------------------------------------------------------------------

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        self._take(now)
        self._told_at = {
            thing: at for thing, at in self._told_at.items() if now - EVERY < at <= now
        }
        try:
            await self._tell_waiting()
        except StoreBehind:
            return now + SECOND
        return min(self._due.values(), default=None)

    def _take(self, until: Micros) -> None:
        """Put what is due by then in line to be told."""
        now = self._clock.now()
        waiting = {thing for thing, _ in self._waiting}
        for thing in [thing for thing, due_at in self._due.items() if due_at <= until]:
            if thing in waiting:
                continue
            del self._due[thing]
            news = self._news(*thing, now)
            if news is not None:
                self._waiting.append((thing, news))

    def _news(self, kind: str, name: str, now: Micros) -> News | None:
        """What there is to tell of it now; None: nothing has changed after all."""
        if kind == FILE:
            rejected, self._rejected = self._rejected, None
            return None if rejected is None else rejection(*rejected)
        endpoint = self._keep.routes.endpoints.get(name)
        owner = None if endpoint is None else endpoint.owner
        if kind == "dead":
            return self._deaths.pop(name).news(name, owner)
        if kind == "late":
            return self._late.pop(name).news(name, owner, now)
        stop, told = self._stopped.pop(name), self._told_stopped.pop(name, None)
        if stop is None:
            return None if told is None else told.recovery(name, owner, now)
        self._told_stopped[name] = stop
        return None if told is not None and told.state == stop.state else stop.news(name, owner)

    async def _tell_waiting(self) -> None:
        while self._waiting:
            thing, news = self._waiting[0]
            await self.tell(news)
            self._waiting.popleft()
            now = self._told_at[thing] = self._clock.now()
            if thing in self._due:  # it came while this waited
                self._due[thing] = max(self._due[thing], now + EVERY)
