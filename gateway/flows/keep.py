"""Events come to rest: routed, kept with all their deliveries in one commit, and only then delivered."""

from collections.abc import Sequence

from gateway.core.derived import OWN_SOURCE
from gateway.core.model import SECOND, Arrival, Delivery, Event, EventId, Micros, Receipt, event_id
from gateway.core.register import NOTHING_KNOWN, Knowledge
from gateway.core.routes import Routes
from gateway.core.routing import plan
from gateway.flows.deliver import Deliver
from gateway.flows.know import Know
from gateway.flows.lanes import Lanes
from gateway.ports import AppendStore, Clock
from gateway.telemetry import Telemetry

LONGEST_STEP_BACK = 3600 * SECOND
"""A clock that was set back by more than this was wrong before: ids follow it."""


class Keep:
    """Keeps events by the routes in force, and gives them their names.

    Names sort in the order in which events come, also where the clock is set back. Several nodes name
    them by the database's clock, as well as each knows it: what `coalesce` takes for the latest rests on that.
    """

    def __init__(  # noqa: PLR0913  # what it joins
        self,
        *,
        routes: Routes,
        store: AppendStore,
        know: Know,
        lanes: Lanes,
        deliver: Deliver,
        clock: Clock,
        telemetry: Telemetry,
        first_serial: int,
    ) -> None:
        self.routes = routes
        self._store = store
        self._know = know
        self._lanes = lanes
        self._deliver = deliver
        self._clock = clock
        self._telemetry = telemetry
        self._serial = first_serial
        self._latest: Micros = 0
        self.ahead: Micros = 0
        """By how much the clock is ahead of the one that names go by."""

    def go_on_after(self, latest: Micros) -> None:
        """Give names that sort after those of that moment, which an earlier run gave."""
        self._latest = latest

    def new_id(self) -> EventId:
        """A name for an event that comes now."""
        self._serial += 1
        now = self._clock.now() - self.ahead
        if 0 < self._latest - now < LONGEST_STEP_BACK:
            now = self._latest
        self._latest = now
        return event_id(now, self._serial)

    async def keep(
        self, events: Sequence[Event], window: Micros, *, came: bool = True
    ) -> list[Receipt]:
        """Keep the events of one source, then begin delivering.

        An earlier event with the same key, not older than *window*, makes one a duplicate. Unless they
        *came* just now, nobody has been heard. When this returns, all are committed and synced. Raises
        StoreUnavailable; then nothing was kept.
        """
        routes = self.routes
        if not routes.ask:
            return await self._keep(events, window, routes, NOTHING_KNOWN, came=came)
        async with self._know.about(events, routes) as knowledge:
            return await self._keep(events, window, routes, knowledge, came=came)

    async def _keep(
        self,
        events: Sequence[Event],
        window: Micros,
        routes: Routes,
        knowledge: Knowledge,
        *,
        came: bool,
    ) -> list[Receipt]:
        now = events[0].received_at
        source = routes.sources.get(events[0].source)
        verified = OWN_SOURCE if source is None else source.proof
        composed = source is not None and source.is_composed
        arrivals = []
        for event in events:
            routed = plan(event, routes, knowledge=knowledge)
            knowledge.learn(routed.learned)
            self._lanes.reserve(routed.deliveries, now)
            arrivals.append(
                Arrival(
                    event=event,
                    routed=routed,
                    since=now - window,
                    routes=routes.fingerprint,
                    verified=verified,
                    composed=composed,
                )
            )
        try:
            receipts = await self._store.append(arrivals)
        except BaseException:
            for arrival in arrivals:
                self._lanes.give_back(arrival.deliveries)
            raise
        for arrival, receipt in zip(arrivals, receipts, strict=True):
            if receipt.duplicate:
                self._lanes.give_back(arrival.deliveries)
            else:
                self._lanes.give_back(arrival.routed.withhold(receipt.fired_before))
                self._deliver.begin(self._whose_turn_it_is(arrival, receipt), now)
        self._telemetry.emit(
            "events.kept", source=events[0].source, arrivals=arrivals, receipts=receipts, came=came
        )
        return receipts

    def _whose_turn_it_is(self, arrival: Arrival, receipt: Receipt) -> list[Delivery]:
        """The deliveries of an event that need not wait for others to end; the rest lose their places."""
        if not receipt.waiting:
            return arrival.deliveries
        self._lanes.give_back(d for d in arrival.deliveries if d.n in receipt.waiting)
        return [d for d in arrival.deliveries if d.n not in receipt.waiting]
