"""A lane per endpoint: what is under way to it, what waits in memory, and when more may begin.

A lane has places. A place is taken by a delivery from the moment it is leased until its attempt has
ended; `concurrency` of those are attempts under way, the others wait in memory for their turn. What
finds no place, or no room for its body, stays scheduled in the store, and is claimed when places come
free. So one endpoint's backlog costs no other lane anything, and memory stays bounded.

Three things make a lane wait for a moment: its rate, its breaker, and an endpoint that has asked to be
left alone. What could not begin soon holds no lease meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from gateway.core.breaker import Breaker, BreakerState
from gateway.core.model import SECOND, Delivery, LaneMark, Lease, Micros, Switch
from gateway.core.rate import Pace
from gateway.core.retry import HOUR
from gateway.core.routes import EndpointConfig
from gateway.core.sharing import Queue

LEASE_MARGIN = 10 * SECOND
"""A lease outlasts its attempt's timeout by this."""

FEWEST_PLACES = 32

MOST_BYTES = 4 * 1024 * 1024
"""Bodies that a lane holds together; a larger one it holds alone. Of 128 KiB they fill `FEWEST_PLACES`."""

AHEAD = SECOND
"""Only what may begin within this is leased: far less than a lease's margin."""

LONGEST_HOLD = HOUR
"""A whole lane is held back by a Retry-After for no longer than this."""


PAUSED = "paused"
"""Why no lane begins an attempt in a gateway that was started so, until someone resumes them all."""


OUT_OF_TOUCH = "out-of-touch"
"""… in a node that has not heard of the others for too long."""
CLOCK_OFF = "clock-off"
"""… in a node whose clock is not the others'."""


class Lane:
    """One endpoint's way out."""

    def __init__(self, endpoint: EndpointConfig) -> None:
        self.waiting: Queue[Delivery] = Queue()
        self.running = 0
        self.reserved = 0
        """Places promised to deliveries whose event is being committed."""
        self.held_bytes = 0
        """How large the bodies are of what has a place."""
        self.state = "open"
        """`open`, or why it is not: `paused`, `disabled`, `blocked`; `gone` from routes.yaml."""
        self.reason = ""
        self.since: Micros | None = None
        """When it came into that state; None: it is open, or nobody knows."""
        self.due_at: Micros | None = None
        """When the first of its scheduled deliveries is due, as far as is known; None: none is."""
        self.held_until: Micros = 0
        """Until when the endpoint has asked to be left alone; 0: it has not."""
        self.begun_at: Micros = 0
        """When an attempt last began, where there is a rate."""
        self.endpoint = endpoint
        self.share: int | None = None
        """How many of the endpoint's attempts at once are this node's; None: there are no other nodes."""
        self.breaker = Breaker(endpoint.breaker)
        self.pace = None if endpoint.rate is None else Pace(*endpoint.rate)
        self.places = self._places()
        """How many deliveries it holds at most."""

    def configure(self, endpoint: EndpointConfig) -> None:
        """Go by what the endpoint says now."""
        if endpoint.rate != self.endpoint.rate:
            self.pace = None if endpoint.rate is None else Pace(*endpoint.rate)
            if self.pace is not None:
                self.pace.began(self.begun_at)
        self.breaker.use(endpoint.breaker)
        self.endpoint = endpoint
        self.places = self._places()

    @property
    def width(self) -> int:
        """How many attempts may be under way at once."""
        share = self.share
        return self.endpoint.concurrency if share is None else min(share, self.endpoint.concurrency)

    def share_in(self, share: int) -> None:
        """Have so many of the endpoint's attempts at once, and others the rest."""
        self.share = share
        self.places = self._places()

    def _places(self) -> int:
        if not self.width:
            return 0
        most = max(2 * self.width, FEWEST_PLACES)
        return most if self.pace is None else min(most, self.pace.most_within(AHEAD))

    @property
    def held(self) -> int:
        """How many it holds."""
        return self.running + len(self.waiting) + self.reserved

    @property
    def is_open(self) -> bool:
        """Whether attempts may begin."""
        return self.state == "open"

    @property
    def switch(self) -> Switch:
        """How it is switched, as the store has it."""
        return Switch(self.state, self.reason)

    @property
    def standing(self) -> str:
        """Its state; `breaker`: it is open, and its breaker keeps it from beginning."""
        return "breaker" if self.is_open and not self.breaker.is_closed else self.state

    def reopen(self) -> None:
        """Let attempts begin, whatever had stopped them."""
        self.state, self.reason, self.since = "open", "", None
        self.held_until = 0
        self.breaker.close()

    # -- when --------------------------------------------------------------------------------------

    def wait(self, now: Micros) -> Micros:
        """How long rate, breaker and endpoint let nothing begin; 0: they do."""
        if self.pace is None and not self.held_until and self.breaker.is_closed:
            return 0
        wait = self.breaker.wait(now)
        if self.pace is not None:
            wait = max(wait, self.pace.wait(now))
        if self.held_until:
            self.held_until = min(self.held_until, now + LONGEST_HOLD)  # the clock was set back
            if self.held_until <= now:
                self.held_until = 0
            else:
                wait = max(wait, self.held_until - now)
        return wait

    def acts_in(self, wait: Micros) -> Micros:
        """When there is something to do for a lane that has so long to wait: what it leases ahead."""
        return wait - AHEAD if wait > AHEAD and self.breaker.is_closed else wait

    def begin(self, now: Micros) -> int:
        """An attempt begins, where `wait` is 0: the number by which its breaker knows it."""
        if self.pace is not None:
            self.pace.take(now)
            self.begun_at = now
        return self.breaker.begin()

    def hold(self, wait: Micros, now: Micros) -> None:
        """Leave the endpoint alone for so long, as it has asked; 0: it has not."""
        if wait:
            self.held_until = max(self.held_until, now + min(wait, LONGEST_HOLD))

    # -- how many ----------------------------------------------------------------------------------

    def takes(self, now: Micros) -> bool:
        """Whether a delivery that holds a lease may wait here for its turn."""
        if not self.is_open or not self.width:
            return False
        if self.breaker.is_closed:
            return self.wait(now) <= AHEAD
        return self.wait(now) == 0 and not self.waiting

    def room(self, now: Micros) -> int:
        """How many more deliveries may be leased straight from their event.

        While older ones are due, half of the places are kept for them; so is the breaker's probe.
        """
        if not self.is_open or not self.breaker.is_closed or self.wait(now) > AHEAD:
            return 0
        if self.held_bytes >= MOST_BYTES:
            return 0
        places = self.places
        if self.due_at is not None and self.due_at <= now:
            places //= 2
        return places - self.held

    def claimable(self, now: Micros) -> int:
        """How many of its scheduled deliveries to claim now: none until a fair number fits."""
        if not self.is_open or self.due_at is None or self.due_at > now:
            return 0
        wait = self.wait(now)
        if not self.breaker.is_closed:
            # What began before the breaker opened may hang for long: it takes no place from the probe.
            idle = not self.waiting and not self.reserved
            return int(wait == 0 and idle and self.running < self.width)
        if self.held_bytes >= MOST_BYTES:
            return 0
        free = self.places - self.held
        return free if wait <= AHEAD and free >= max(1, self.places // 4) else 0

    def lease(self, token: int, now: Micros) -> Lease:
        """A lease that lasts one attempt that begins now."""
        return Lease(token, now + self.endpoint.timeout + LEASE_MARGIN)

    # -- what outlives the process -----------------------------------------------------------------

    def mark(self, *, learned: bool) -> LaneMark:
        """What has to be known of it after a restart, and by others; whether the breaker has just *learned*."""
        breaker = self.breaker
        return LaneMark(
            begun_at=self.begun_at,
            held_until=self.held_until,
            since=breaker.since,
            probe_at=breaker.probe_at,
            probes=breaker.probes,
            reason=breaker.reason,
            learned=learned,
        )

    def restore(self, mark: LaneMark) -> None:
        """Be as the mark says."""
        self.begun_at, self.held_until = mark.begun_at, mark.held_until
        if self.pace is not None:
            self.pace.began(mark.begun_at)
        self.breaker.restore(mark)

    def follow(self, mark: LaneMark) -> None:
        """Know what another node has learned. A probe of our own that is under way knows better."""
        if mark.begun_at > self.begun_at:
            self.begun_at = mark.begun_at
            if self.pace is not None:
                self.pace.began(mark.begun_at)
        self.held_until = mark.held_until
        if self.breaker.state is not BreakerState.PROBING:
            self.breaker.follow(mark)


class Lanes:
    """All lanes, by endpoint name, and the tokens of the leases they give out."""

    def __init__(self, first_token: int) -> None:
        self._lanes: dict[str, Lane] = {}
        self._token = first_token
        self.held_by: set[str] = set()
        """Why no lane begins an attempt at the moment (`store`, `draining`, `paused`); empty when they may."""
        self.wake: Callable[[], None] = _nobody
        """Called whenever there may be something to claim."""
        self._shared = False
        """Whether other nodes have lanes to the same endpoints."""

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __getitem__(self, endpoint: str) -> Lane:
        return self._lanes[endpoint]

    def get(self, endpoint: str) -> Lane | None:
        """The lane of that endpoint, if there is one."""
        return self._lanes.get(endpoint)

    def configure(self, endpoints: Mapping[str, EndpointConfig]) -> list[Lane]:
        """Take over the endpoints in force: which lanes are new, or back, and open.

        Those of endpoints that went stop.
        """
        new = []
        for name, endpoint in endpoints.items():
            lane = self._lanes.get(name)
            if lane is None:
                lane = self._lanes[name] = Lane(endpoint)
                if self._shared:
                    lane.share_in(0)
                new.append(lane)
            else:
                lane.configure(endpoint)
                if lane.state == "gone":
                    lane.state, lane.reason = "open", ""
                    new.append(lane)
        for name, lane in self._lanes.items():
            if name not in endpoints:
                lane.state, lane.reason = "gone", "it is no longer in routes.yaml"
                lane.since = None
        return new

    def share(self) -> None:
        """Begin with no share of any endpoint: other nodes may have all."""
        self._shared = True
        for lane in self:
            lane.share_in(0)

    def reserve(self, deliveries: Iterable[Delivery], now: Micros) -> None:
        """Lease a place to each delivery that finds one; the others get none and will be scheduled."""
        if self.held_by:
            return
        for delivery in deliveries:
            if delivery.turn is not None and not delivery.turn.at_once:
                continue
            lane = self._lanes[delivery.endpoint]
            if lane.room(now) > 0:
                lane.reserved += 1
                lane.held_bytes += delivery.size_bytes
                delivery.lease = lane.lease(self.next_token(), now)

    def give_back(self, deliveries: Iterable[Delivery]) -> None:
        """Free the places of deliveries that were not kept after all."""
        for delivery in deliveries:
            if delivery.lease is not None:
                lane = self._lanes[delivery.endpoint]
                lane.reserved -= 1
                lane.held_bytes -= delivery.size_bytes
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
