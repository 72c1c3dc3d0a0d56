"""A lane per endpoint: what is under way to it, what waits in memory, and when more is due.

A lane has places. A place is taken by a delivery from the moment it is leased until its attempt has
ended; `concurrency` of those are attempts under way, the others wait in memory for their turn. What
finds no place stays scheduled in the store, and is claimed when places come free. So one endpoint's
backlog costs no other lane anything, and memory stays bounded.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from gateway.core.model import SECOND, Delivery, Lease, Micros
from gateway.core.routing import EndpointConfig

LEASE_MARGIN = 10 * SECOND
"""A lease outlasts its attempt's timeout by this."""

FEWEST_PLACES = 32


PAUSED = "paused"
"""Why no lane begins an attempt in a gateway that was started so, until someone resumes them all."""


class Lane:
    """One endpoint's way out."""

    def __init__(self, endpoint: EndpointConfig) -> None:
        self.endpoint = endpoint
        self.waiting: deque[Delivery] = deque()
        self.running = 0
        self.reserved = 0
        """Places promised to deliveries whose event is being committed."""
        self.state = "open"
        """`open`, or why it is not: `paused`, `disabled`, `blocked`; `gone` from routes.yaml."""
        self.reason = ""
        self.due_at: Micros | None = None
        """When the first of its scheduled deliveries is due, as far as is known; None: none is."""

    @property
    def places(self) -> int:
        """How many deliveries it holds at most."""
        return max(2 * self.endpoint.concurrency, FEWEST_PLACES)

    @property
    def held(self) -> int:
        """How many it holds."""
        return self.running + len(self.waiting) + self.reserved

    @property
    def is_open(self) -> bool:
        """Whether attempts may begin."""
        return self.state == "open"

    def room(self, now: Micros) -> int:
        """How many more deliveries may be leased straight from their event.

        While older ones are due, half of the places are kept for them.
        """
        if not self.is_open:
            return 0
        places = self.places
        if self.due_at is not None and self.due_at <= now:
            places //= 2
        return places - self.held

    def claimable(self, now: Micros) -> int:
        """How many of its scheduled deliveries to claim now: none until a fair number fits."""
        if not self.is_open or self.due_at is None or self.due_at > now:
            return 0
        free = self.places - self.held
        return free if free >= self.places // 4 else 0

    def lease(self, token: int, now: Micros) -> Lease:
        """A lease that lasts one attempt that begins now."""
        return Lease(token, now + self.endpoint.timeout + LEASE_MARGIN)


class Lanes:
    """All lanes, by endpoint name, and the tokens of the leases they give out."""

    def __init__(self, first_token: int) -> None:
        self._lanes: dict[str, Lane] = {}
        self._token = first_token
        self.held_by: set[str] = set()
        """Why no lane begins an attempt at the moment (`store`, `draining`, `paused`); empty when they may."""
        self.wake: Callable[[], None] = _nobody
        """Called whenever there may be something to claim."""

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __getitem__(self, endpoint: str) -> Lane:
        return self._lanes[endpoint]

    def get(self, endpoint: str) -> Lane | None:
        """The lane of that endpoint, if there is one."""
        return self._lanes.get(endpoint)

    def configure(self, endpoints: Mapping[str, EndpointConfig]) -> None:
        """Take over the endpoints in force: new lanes open, those of endpoints that went stop."""
        for name, endpoint in endpoints.items():
            lane = self._lanes.get(name)
            if lane is None:
                self._lanes[name] = Lane(endpoint)
            else:
                lane.endpoint = endpoint
                if lane.state == "gone":
                    lane.state, lane.reason = "open", ""
        for name, lane in self._lanes.items():
            if name not in endpoints:
                lane.state, lane.reason = "gone", "it is no longer in routes.yaml"

    def reserve(self, deliveries: Iterable[Delivery], now: Micros) -> None:
        """Lease a place to each delivery that finds one; the others get none and will be scheduled."""
        if self.held_by:
            return
        for delivery in deliveries:
            lane = self._lanes[delivery.endpoint]
            if lane.room(now) > 0:
                lane.reserved += 1
                delivery.lease = lane.lease(self.next_token(), now)

    def give_back(self, deliveries: Iterable[Delivery]) -> None:
        """Free the places of deliveries that were not kept after all."""
        for delivery in deliveries:
            if delivery.lease is not None:
                self._lanes[delivery.endpoint].reserved -= 1
                delivery.lease = None

    def next_token(self) -> int:
        """A token that no other lease ever had."""
        self._token += 1
        return self._token

    def note_due(self, endpoint: str, due_at: Micros) -> None:
        """A delivery to *endpoint* is scheduled for then."""
        lane = self._lanes.get(endpoint)
        if lane is not None and (lane.due_at is None or due_at < lane.due_at):
            lane.due_at = due_at
            self.wake()

    def hold(self, reason: str) -> None:
        """Begin no attempt anywhere until `let_go` is called for the same reason."""
        self.held_by.add(reason)

    def let_go(self, reason: str) -> None:
        """End a hold; what waits goes on when no other is left."""
        self.held_by.discard(reason)
        self.wake()

    def ended(self, lane: Lane, now: Micros) -> None:
        """One of the lane's workers has stopped: its place is free."""
        lane.running -= 1
        if lane.claimable(now):
            self.wake()


def _nobody() -> None:
    """Called before anyone claims."""
