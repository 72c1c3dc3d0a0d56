"""What the flows need of the world, as Protocols.

The store is six small ones; `Store` is their sum, for the composition root. All of its verbs are
atomic: what one promises is committed and synced when it returns, or nothing of it is.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from gateway.core.access import AuditEntry
from gateway.core.errors import StoreUnavailable
from gateway.core.model import (
    Arrival,
    Attempt,
    Call,
    Delivery,
    Event,
    EventId,
    InboxEntry,
    Json,
    Lease,
    Micros,
    Outcome,
    Receipt,
    Refusal,
    Response,
    Routed,
)
from gateway.core.retry import Decision


class Clock(Protocol):
    """Time and chance."""

    def now(self) -> Micros:
        """The wall clock: for what is stored, signed and shown."""

    def monotonic(self) -> Micros:
        """A clock that never jumps: for durations and rates."""

    def chance(self) -> float:
        """A number in [-1, 1], for jitter."""

    def on_jump(self, wake: Callable[[], None]) -> None:
        """Have *wake* called whenever the wall clock is set anew, so that nobody sleeps past it."""


class AppendStore(Protocol):
    """Where events come to rest."""

    def append(self, arrivals: Sequence[Arrival]) -> Awaitable[list[Receipt]]:
        """Keep the events with all their deliveries, in one commit, and say which were duplicates.

        Deliveries that hold a lease are leased, the others scheduled for now. A duplicate keeps
        neither event nor deliveries; with another body than the first, it goes to the inbox. Nor are
        deliveries kept of routes whose `once` has fired for that value: the receipt names them.
        Raises StoreUnavailable, or at once StoreBehind: then nothing of it is kept.
        """

    async def keep(self, entry: InboxEntry) -> None:
        """Put a request that made no event into the inbox."""

    async def keep_refusals(
        self, refusals: Sequence[Refusal], *, most: int, most_bytes: int
    ) -> None:
        """Put requests that were refused into the inbox, and only the newest of them all stay there.

        At most so many stay, of at most so many bytes. Entries of another kind are left alone.
        """


class LeaseStore(Protocol):
    """Who may attempt what, until when."""

    async def claim(self, endpoint: str, leases: Sequence[Lease], now: Micros) -> list[Delivery]:
        """Give the leases to the endpoint's deliveries that are due, the longest due first."""

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """Return leases without an attempt; deliveries whose lease was lost are left alone."""

    async def reclaim(self, now: Micros, but: Collection[int] = ()) -> int:
        """Put every delivery whose lease ended before *now* back on schedule; how many there were.

        Leases with the tokens *but* are left alone: what they brought is still to be recorded.
        """

    async def next_due(self) -> dict[str, Micros]:
        """For each endpoint with scheduled deliveries, when the first of them is due."""


class RecordStore(Protocol):
    """What came of attempts."""

    def record(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> Awaitable[None]:
        """Add *attempt* and move its delivery on: both in one commit, or neither.

        Raises LeaseLost when the lease ran out first. Someone else owns the delivery by then, so the
        caller drops the outcome and writes nothing.
        """


class CommitStore(Protocol):
    """How committing fares, and how much waits for it."""

    on_change: Callable[[], None]
    """Called at each failure, and at the first commit after it, before those who wait hear of it."""

    @property
    def failure(self) -> StoreUnavailable | None:
        """Why the last commit failed; None: it did not."""

    @property
    def waiting(self) -> int:
        """How many operations wait for their commit to begin."""

    @property
    def waited_seconds(self) -> float:
        """For how long the oldest operation has waited for its commit; 0 when none does."""

    @property
    def stuck(self) -> bool:
        """Whether that is too long."""

    def check_room(self) -> None:
        """Raise StoreBehind where so much waits, or for so long, that new events are better refused."""

    async def probe(self) -> None:
        """Commit and sync something that changes nothing. Raises StoreUnavailable."""


class Disk(Protocol):
    """The disk that a store writes to."""

    ballast_bytes: int
    """The size of the ballast; 0: there is none."""
    reserve_bytes: int
    """Where less than this is free, no more events are taken."""

    def free_bytes(self) -> int:
        """How much room is left."""

    @property
    def has_ballast(self) -> bool:
        """Whether the ballast is in its place, or none is wanted."""

    def make_ballast(self) -> None:
        """Take room that can be given back; where there is too little, nothing is taken."""

    def release_ballast(self) -> None:
        """Give it back."""


class LookUpStore(Protocol):
    """Reading, for people and their tools. Rows are decoded JSON, as the admin API shows them."""

    async def event(self, event_id: EventId) -> Event | None:
        """The event with that id, its digest checked. Raises BodyCorrupt."""

    async def shown_event(self, event_id: EventId) -> dict[str, Json] | None:
        """The same for a person to read: its columns, its attributes, its data, its body as text."""

    async def events(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """Events, newest first, by the filters of the API."""

    async def recorded(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """Events with every byte that was stored, oldest first, to be evaluated somewhere else.

        Of *query*, `since` and `until` are moments, told to the millisecond by the ids; `cursor` is
        the id after which to go on, `limit` the most. What a page carries is bounded too: a few
        large events make a short one. It is empty only where nothing follows.
        """

    async def deliveries(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """Deliveries, newest first, by the filters of the API."""

    async def attempts(self, event_id: EventId, n: int) -> list[dict[str, Json]]:
        """The attempts of one delivery, in order."""

    async def withheld(self, event_id: EventId) -> list[dict[str, Json]]:
        """What routes that matched an event did not send, and why."""

    async def inbox(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """What was refused, unreadable or only partly routed, newest first."""

    async def stats(self) -> dict[str, Json]:
        """How much is waiting and dead per endpoint, and how much is in the inbox."""

    async def audit(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """Who changed what, newest first."""

    async def endpoint_states(self) -> dict[str, dict[str, Json]]:
        """`state`, `reason` and `changed_at` of each endpoint that is not open."""


class OperateStore(Protocol):
    """What operators change, each with the entry of the audit log that is committed with it.

    Where nothing changes, no entry is written; `note` is for what came to nothing.
    """

    async def redeliver(
        self, event_id: EventId, n: int, now: Micros, entry: AuditEntry | None = None
    ) -> str | None:
        """Put a dead or cancelled delivery back on schedule, with its whole retry schedule before it.

        Returns the state that it was in, whether or not that allowed the move; None: there is none.
        """

    async def cancel(
        self, event_id: EventId, n: int, now: Micros, reason: str, entry: AuditEntry | None = None
    ) -> str | None:
        """Cancel a scheduled delivery; returns as `redeliver` does."""

    async def replay(
        self, event_id: EventId, routed: Routed, now: Micros, entry: AuditEntry | None = None
    ) -> list[int]:
        """Add new deliveries to a stored event; their numbers.

        Those of a route whose `once` has fired by another event are not added.
        """

    async def set_endpoint(
        self, name: str, state: str, reason: str, now: Micros, entry: AuditEntry | None = None
    ) -> None:
        """Write down that an endpoint is `open`, `paused`, `disabled` or `blocked`."""

    async def note(self, entry: AuditEntry) -> None:
        """Write an entry of the audit log on its own."""


class Store(AppendStore, LeaseStore, RecordStore, CommitStore, LookUpStore, OperateStore, Protocol):
    """All of it, and its end."""

    async def close(self) -> None:
        """Finish what was begun, and let go of the database."""


class Sender(Protocol):
    """One HTTP exchange."""

    async def send(self, call: Call) -> Outcome:
        """What came of *call*: Accepted, Refused or Unreachable. Follows no redirect, raises nothing."""

    async def close(self) -> None:
        """Close idle connections."""


class Endpoint(Protocol):
    """A small HTTP client for handlers, bound to one endpoint.

    Base URL, authentication, signature, timeouts, egress policy and size limits come with it, and an
    `idempotency-key` for each call that is the same on each attempt. Calls are recorded under the
    attempt. *path* is appended to the endpoint's URL, encoded where it has to be; one that would lead
    out of it raises Undeliverable. Raises Unanswered where no answer came.
    """

    @property
    def name(self) -> str:
        """The endpoint's name in routes.yaml."""

    @property
    def idempotency_key(self) -> str:
        """The delivery's id, the same on each attempt: for APIs that want a key in the body."""

    def secret(self, name: str) -> str:
        """The secret that routes.yaml names so under `secrets:` of this endpoint."""

    async def request(
        self,
        method: str,
        path: str = "",
        *,
        json: Json = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Response:
        """The endpoint's answer, whatever its status."""

    async def get(self, path: str = "", *, query: Mapping[str, str] | None = None) -> Response:
        """`request` with GET."""

    async def post(self, path: str = "", *, json: Json = None) -> Response:
        """`request` with POST."""

    async def put(self, path: str = "", *, json: Json = None) -> Response:
        """`request` with PUT."""

    async def patch(self, path: str = "", *, json: Json = None) -> Response:
        """`request` with PATCH."""

    async def delete(self, path: str = "") -> Response:
        """`request` with DELETE."""


class Handler(Protocol):
    """A coroutine function of handlers/ that speaks an endpoint's own API."""

    async def __call__(self, event: Event, endpoint: Endpoint, **arguments: Json) -> Response:
        """Do it. The response is the outcome; where there is nothing to do, raise Skip.

        *arguments* are what the route's target has under `with:`.
        """
