"""What the flows need of the world, as Protocols.

The store is a few small ones; `Store` is their sum, for the composition root. All of its verbs are
atomic: what one promises is committed and synced when it returns, or nothing of it is.
"""

import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from gateway.core.access import AuditEntry
from gateway.core.awaits import Asked, Reply, Verdict
from gateway.core.bulk import Ended, Operation, Page, Replayed
from gateway.core.errors import StoreUnavailable
from gateway.core.evidence import KeptChain, KeptLink
from gateway.core.histogram import Histogram
from gateway.core.listing import Listed, Listing
from gateway.core.model import (
    Arrival,
    Attempt,
    Call,
    Delivery,
    Erased,
    Event,
    EventId,
    InboxEntry,
    Json,
    LaneMark,
    Lease,
    Micros,
    Outcome,
    Receipt,
    Refusal,
    Response,
    Routed,
    Switch,
)
from gateway.core.nodes import Around, Beat
from gateway.core.plans import DuePlan
from gateway.core.register import Answer, Learned, Look
from gateway.core.retention import Examined, Horizon, Room
from gateway.core.retry import Decision
from gateway.core.turns import Ready

if TYPE_CHECKING:  # it brings megabytes along
    from gateway.core.evidence_key import EvidenceKey


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

        Deliveries that hold a lease are leased, the others scheduled; those for which others have to end
        first are scheduled in any case, and the receipt names them. Of one with a slot, the moment at
        which it is due is written into its turn. A duplicate keeps neither event nor deliveries; with another body than the first, it goes to the inbox. Nor are
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


NO_LIMIT = sys.maxsize


class LeaseStore(Protocol):
    """Who may attempt what, until when."""

    on_ready: Callable[[Ready], None]
    """Told after each commit, of whatever kind, what may be attempted that had to wait for others."""

    async def claim(
        self, endpoint: str, leases: Sequence[Lease], now: Micros, most_bytes: int = NO_LIMIT
    ) -> list[Delivery]:
        """Give the leases to the endpoint's deliveries that are due and whose turn it is.

        No more than have bodies of *most_bytes* together, or one. Those of higher priority go first,
        but for a share; within one, those that have been due the longest. What has expired, or what a
        newer one has superseded, ends instead.
        """

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """Return leases without an attempt; deliveries whose lease was lost are left alone."""

    async def reclaim(self, now: Micros, but: Collection[int] = ()) -> int:
        """Put every delivery whose lease ended before *now* back on schedule; how many there were.

        Leases with the tokens *but* are left alone: what they brought is still to be recorded.
        """

    async def next_due(self) -> dict[str, Micros]:
        """For each endpoint with scheduled deliveries, when the first of them is due.

        Those that wait for others to end do not count.
        """

    async def expire(self, now: Micros, most: int) -> int:
        """Cancel scheduled deliveries that have expired, at most so many; how many there were."""


class ActStore(Protocol):
    """What handlers do that may not be repeated, written down before it is done.

    One key names one act at an endpoint, whichever delivery begins it.
    """

    async def begin_act(self, delivery: Delivery, key: str, now: Micros) -> Micros | None:
        """Write down that *delivery* begins an act; when it was begun before, None: it was not.

        Raises LeaseLost, with nothing written, where the delivery is somebody else's by now.
        """

    async def take_back_act(self, delivery: Delivery, key: str) -> None:
        """An act that *delivery* began was certainly not done: it may be begun again. Raises LeaseLost."""


class RecordStore(Protocol):
    """What came of attempts."""

    def record(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> Awaitable[None]:
        """Add *attempt* and move its delivery on: both in one commit, or neither.

        In the same commit those may go that waited for it.

        Raises LeaseLost when the lease ran out first. Someone else owns the delivery by then, so the
        caller drops the outcome and writes nothing. What the attempt changed for its lane is kept
        in either case.
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

    @property
    def commits(self) -> Mapping[str, tuple[Histogram, Histogram]]:
        """For each of the streams of commits that it has, how many seconds they took, and of how many operations."""

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

    def make_ballast(self) -> bool:
        """Take room that can be given back; where there is too little, nothing is taken, and it is False."""

    def release_ballast(self) -> None:
        """Give it back."""


class LookUpStore(Protocol):
    """Reading, for people and their tools. Rows are decoded JSON, as the admin API shows them."""

    async def event(self, event_id: EventId) -> Event | None:
        """The event with that id, its digest checked. Raises BodyCorrupt."""

    async def shown_event(self, event_id: EventId) -> dict[str, Json] | None:
        """The same for a person to read: its columns, its attributes, its data, its body as text."""

    async def page(self, listing: Listing, query: Mapping[str, Any]) -> Listed:
        """A page of a listing, newest first, by the filters of the API: web/asked.py has them.

        Beside those: `id` of an event or an entry, `n` of an event's delivery, `unread` of entries.
        Moments are microseconds; a `cursor` of deliveries is the event's id and the number.
        """

    async def events(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """The items of such a page."""

    async def recorded(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """Events with every byte that was stored, oldest first, to be evaluated somewhere else.

        Of *query*, `since` and `until` are moments, told to the millisecond by the ids; `cursor` is
        the id after which to go on, `limit` the most. What a page carries is bounded too: a few
        large events make a short one. It is empty only where nothing follows.
        """

    async def deliveries(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """The items of such a page; all, of one event."""

    async def attempts(self, event_id: EventId, n: int) -> list[dict[str, Json]]:
        """The attempts of one delivery, in order."""

    async def attempts_between(
        self, event_id: EventId, first: int, last: int
    ) -> dict[int, list[dict[str, Json]]]:
        """The attempts of an event's deliveries with numbers from *first* to *last*, by those numbers."""

    async def acts_between(self, event_id: EventId, first: int, last: int) -> dict[int, Micros]:
        """When acts were begun that deliveries with these numbers began, or found begun, by those numbers."""

    async def withheld(self, event_id: EventId) -> list[dict[str, Json]]:
        """What routes that matched an event did not send, and why."""

    async def inbox(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """The items of such a page: what was refused, unreadable or only partly routed."""

    async def entries(self, query: Mapping[str, Any]) -> tuple[list[str], str | None]:
        """The ids alone of such a page, and where it goes on."""

    async def inbox_entry(self, name: str) -> InboxEntry | None:
        """An entry of the inbox, its body byte for byte. Raises BodyCorrupt."""

    async def count_inbox(self, since: Micros) -> int:
        """How many requests the inbox got since then that were not refused."""

    async def stats(self) -> dict[str, Json]:
        """Per endpoint, how much is scheduled, how much of it waits behind others, and how much is dead.

        Of what is scheduled, `first_at` is when the first is due that waits for no other; None: all do.
        And how much is in the inbox.
        """

    async def audit(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """The items of such a page: who changed what."""

    async def latest_event(self) -> Micros:
        """The moment, to the millisecond, that the name of the latest event tells; 0: there is none."""

    async def late_between(
        self, after: Micros, until: Micros
    ) -> dict[str, tuple[int, Micros, EventId]]:
        """Per endpoint, how many unfinished deliveries have become late then, when the oldest came, and its event."""

    async def told_till(self, what: str) -> Micros | None:
        """Up to which moment something of that kind has been reported."""

    async def due_confirmations(self, now: Micros, most: int) -> list[tuple[EventId, str, str]]:
        """The event, the route and the type of what says that it failed, of confirmations that are due."""

    async def next_confirmation(self) -> Micros | None:
        """When the next confirmation is due."""

    async def plans(self, query: Mapping[str, Any]) -> Listed:
        """A page of planned events, the next first, by `planner`, `key`, `type`, `event_id` and `until`.

        A `cursor` is the moment and the name after which to go on: `MICROSECONDS/NAME`.
        """

    async def endpoint_states(self) -> dict[str, dict[str, Json]]:
        """`state`, `reason` and `changed_at` of each endpoint that is not open."""

    async def lanes(self) -> dict[str, LaneMark]:
        """What was marked of each lane, where there is anything."""


class OperateStore(Protocol):
    """What operators change, each with the entry of the audit log that is committed with it.

    Where nothing changes, no entry is written; `note` is for what came to nothing.
    """

    async def settle_entry(self, name: str, event_id: EventId, audit: AuditEntry) -> bool:
        """Note of which event an entry of the inbox is; False: that has been noted before."""

    async def redeliver(
        self,
        event_id: EventId,
        n: int,
        now: Micros,
        entry: AuditEntry | None = None,
        *,
        act_again: bool = False,
    ) -> str | None:
        """Put a dead or cancelled delivery back on schedule, with its whole retry schedule before it.

        With *act_again*, the acts that it began, or found begun, may be begun again.
        Returns the state that it was in, whether or not that allowed the move; None: there is none.
        """

    async def cancel(
        self, event_id: EventId, n: int, now: Micros, reason: str, entry: AuditEntry | None = None
    ) -> str | None:
        """Cancel a scheduled delivery; returns as `redeliver` does."""

    async def drop_plan(self, name: str, entry: AuditEntry | None = None) -> bool:
        """One is not to be made; whether it still was to be."""

    async def teach(
        self, learned: Sequence[Learned], now: Micros, entry: AuditEntry | None = None
    ) -> int:
        """Keep what a person tells of things; of how many nothing newer is known."""

    async def replay(
        self, event_id: EventId, routed: Routed, now: Micros, entry: AuditEntry | None = None
    ) -> list[int]:
        """Add new deliveries to a stored event; their numbers.

        Those of a route whose `once` has fired by another event are not added.
        """

    async def set_endpoint(
        self,
        name: str,
        to: Switch,
        now: Micros,
        entry: AuditEntry | None = None,
        known: Switch | None = None,
    ) -> bool:
        """Write down that an endpoint is `open`, `paused`, `disabled` or `blocked`.

        What is open has a closed breaker, and is held back no longer. Where it is not as it is *known*,
        nothing is written; whether it was. The two are one transaction, and no other node writes between.
        """

    async def note_leased(self, now: Micros) -> None:
        """Mark the lanes of what is leased as having begun an attempt, now at the latest.

        That is the worst that can be true after a crash: what was under way, nobody recorded.
        """

    async def note(self, entry: AuditEntry) -> None:
        """Write an entry of the audit log on its own."""


class TendStore(Protocol):
    """What keeps the store from growing without end. Each verb is short; callers take turns."""

    async def room(self) -> Room:
        """How large the store is, and how much of that is free."""

    async def count_events(self) -> int:
        """How many events there are; takes a moment for each million."""

    async def examine(self, after: str, before: Horizon, most: int) -> list[Examined]:
        """The next *most* events behind *after*, oldest first; none where all that may go was seen."""

    async def drop_days(self, before: Horizon) -> int | None:
        """Delete the next day whole, where all of it is so old and little of it has to stay; how many events.

        0: too much of it has to stay, but there may be others. None: no day can be deleted now; what is left
        goes event by event.
        """

    async def prune(self, events: Sequence[EventId]) -> int:
        """Delete events with all that belongs to them; how many. Those with work to do stay, whole."""

    async def prune_others(self, before: Horizon, most: int) -> dict[str, int]:
        """Delete up to *most* of each of `inbox`, `once` and `audit`; how many."""

    async def count_others(self, before: Horizon) -> dict[str, int]:
        """How many of each `prune_others` would delete."""

    async def of_subject(
        self, subject: str, after: str, most: int
    ) -> tuple[str | None, list[EventId]]:
        """Look through the next *most* events behind *after*: the last, and those about *subject*.

        The last is None where there are no more.
        """

    async def erasable(self, events: Sequence[EventId]) -> Erased:
        """What `erase` would come to."""

    async def erase(
        self, events: Sequence[EventId], now: Micros, entry: AuditEntry | None = None
    ) -> Erased:
        """Take out what events say, and cancel what is still to be sent of them.

        Of an event that is being sent the rest is cancelled, and it is left otherwise as it is.
        """

    async def empty_log(self) -> bool:
        """Leave nothing of what is erased in the log beside the database; False: someone reads it."""

    async def give_back(self, most_bytes: int) -> None:
        """Make the file smaller by so much of what is free in it."""


class NoteStore(Protocol):
    """What the gateway notes for itself."""

    async def note_told(self, what: str, till: Micros, after: Micros | None = None) -> bool:
        """Write down up to which moment something of that kind has been reported, if that was *after* until now.

        None: nothing was. False: it is another moment by now, another node's, and stays.
        """

    async def take_confirmation(
        self, event_id: EventId, route: str, now: Micros, until: Micros
    ) -> bool:
        """Whether a confirmation that is due is the caller's to look at: no other node has it until then.

        If it is not ended by then, it is due again.
        """

    async def end_confirmation(self, event_id: EventId, route: str) -> None:
        """A confirmation has been looked at: it is over."""


class PositionStore(Protocol):
    """Up to where sources that are asked were read."""

    async def position_of(self, source: str) -> str | None:
        """As it was written down last; None: it was not yet."""

    async def note_position(self, source: str, position: str) -> None:
        """Write it down, after what was read is kept: what is read twice is a duplicate, what was skipped is lost."""


class PlanStore(Protocol):
    """Events that the gateway itself is to make: core/plans.py has the whole of it."""

    async def take_plans(self, now: Micros, until: Micros, most: int) -> list[DuePlan]:
        """At most so many that are due, the first first: they are nobody else's until then.

        If they are not ended by then, they are due again.
        """

    async def end_plans(self, names: Sequence[str]) -> None:
        """They were made, or missed: they are over."""

    async def decide(self, given: Reply, now: Micros, entry: AuditEntry | None = None) -> Verdict:
        """Have the event come that an answer leads to, if nobody has answered before and time is not up."""

    async def asked(self, planner: str, key: str, event_id: EventId) -> Asked:
        """What may be answered to an event, or was."""

    async def own_secret(self, purpose: str, fresh: bytes) -> bytes:
        """The secret that all nodes of the database use for a purpose: *fresh*, where there is none yet."""

    async def erase_plans_of(self, subject: str) -> int:
        """Nothing is to be made any more that would tell of *subject*; how many would have."""

    async def next_plan(self) -> Micros | None:
        """When the next one is due."""


class RegisterStore(Protocol):
    """What is known of things: core/register.py has the whole of it. What events tell, `AppendStore` keeps with them."""

    async def look(self, looks: Sequence[Look]) -> dict[Look, Answer]:
        """The answers to these questions. Raises BodyCorrupt."""

    async def register_entries(self, query: Mapping[str, Any]) -> Listed:
        """A page of the entries of a `collection` by their keys, or one by `key`, as far as they fit `where`.

        That has a name, an operator (`=`, `>=` or `<`) and a `Field` for each condition. A `cursor` is a key.
        """

    async def collections(self) -> list[dict[str, Json]]:
        """Each `collection`, with how many `entries` it has."""


class BulkStore(Protocol):
    """What sends again in bulk. Its reads are on a connection of their own and keep nobody waiting.

    Filters are by the names of the API, moments in microseconds. `redeliver` and `replay` do the next
    page of an operation and move that on, as it is given, in one commit; where another call has done
    that page before, they do nothing, and say None.
    """

    async def operation(self, name: str) -> Operation | None:
        """The operation of that name."""

    async def operations(self, limit: int) -> list[Operation]:
        """The operations that were begun last, the newest first."""

    async def begin(self, operation: Operation, entry: AuditEntry) -> None:
        """Write down an operation, with its entry of the audit log; nothing, where there is one so named."""

    async def groups(
        self, query: Mapping[str, Any], after: Sequence[Json] | None
    ) -> dict[str, Json]:
        """How many dead or cancelled deliveries fit, and the largest groups by endpoint and reason.

        Among those that were looked at; `next` is the last of them, where others follow.
        """

    async def ended(
        self, query: Mapping[str, Any], after: Sequence[Json] | None, limit: int
    ) -> Page[Ended]:
        """The dead or cancelled deliveries that fit: endpoint after endpoint, of each the oldest first.

        Few where many do not fit.
        """

    async def events(
        self, query: Mapping[str, Any], after: Sequence[Json] | None, limit: int
    ) -> Page[EventId]:
        """The events that fit, the oldest first; few where many do not, or where they are large."""

    async def count_events(self, query: Mapping[str, Any], after: str) -> dict[str, Json]:
        """How many events fit, by source and type, among those that were looked at; and `next`."""

    async def redeliver(
        self, operation: Operation, due: Sequence[tuple[Ended, Micros]]
    ) -> int | None:
        """Put deliveries back on schedule, due then; how many still were dead or cancelled."""

    async def replay(self, operation: Operation, events: Sequence[Replayed]) -> int | None:
        """Add new deliveries to stored events, as `OperateStore.replay` does; how many were made."""


class EvidenceStore(Protocol):
    """What was written for good of what was received and delivered: core/evidence.py has the whole of it."""

    async def chains(self) -> list[KeptChain]:
        """All chains, in the order in which they began."""

    async def links(self, chain: KeptChain, first: int, last: int, most: int) -> list[KeptLink]:
        """Its links with numbers from *first* to *last*, in their order, at most so many."""

    async def entries(self, chain: KeptChain, seq: int) -> list[tuple[bytes, bytes]]:
        """The entries of a link, in their order, each with what is personal of it.

        That is empty where nothing is, or where it was erased.
        """

    async def find(self, number: int) -> list[tuple[int, int, int]]:
        """Where that is told of for which a number stands, and others with the same: chain, link, entry."""

    async def let_go(self, before: Micros, now: Micros, most: int, key: "EvidenceKey") -> int:
        """Delete links that are older, at most so many; how many. That they were there is signed with *key*."""

    async def size_bytes(self) -> int:
        """About how much room it takes."""


class NodeStore(Protocol):
    """What gateways on one database tell each other."""

    async def beat(self, beat: Beat) -> Around:
        """Note that a node is there, and give it what it may have now.

        All in one commit. What nodes held that have not told of themselves for longer than an attempt of
        theirs can last is free.
        """

    async def leave(self, node: str) -> None:
        """A node is there no more, and holds nothing."""

    async def take_probe(self, endpoint: str, now: Micros, until: Micros) -> bool:
        """Whether the caller is to make the probe that is due: nobody else does until then."""


class Store(
    AppendStore,
    LeaseStore,
    ActStore,
    RecordStore,
    CommitStore,
    LookUpStore,
    OperateStore,
    TendStore,
    NoteStore,
    PositionStore,
    PlanStore,
    RegisterStore,
    Protocol,
):
    """All of it, and its end."""

    async def close(self) -> None:
        """Finish what was begun, and let go of the database."""


class Sender(Protocol):
    """One HTTP exchange."""

    async def send(self, call: Call) -> Outcome:
        """What came of *call*: Accepted, Refused or Unreachable. Follows no redirect, raises nothing."""

    async def close(self) -> None:
        """Close idle connections."""


LARGEST_FILE_BYTES = 32 * 1024 * 1024
"""What a handler fetches is no larger, unless it says so itself."""


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

    async def begin_act(self, key: str) -> timedelta | None:
        """Write down that what may not be repeated is about to be done; None: go on, and do it.

        Else how long ago it was begun, by an earlier attempt, or by another delivery: do not do it, but find
        out what came of it. *key* names the act at this endpoint. What is called after this in the same
        attempt is sent once, and never again by the gateway itself. Raises LeaseLost where the delivery is
        somebody else's by now.
        """

    async def act_failed(self, key: str) -> None:
        """The act that was begun was certainly not done: it may be begun again."""

    async def fetch(
        self, url: str, *, max_bytes: int = LARGEST_FILE_BYTES, types: Collection[str] = ()
    ) -> Response:
        """A file from any URL that the egress policy allows: the answer with its whole body, in memory.

        The request carries nothing of this endpoint: no authentication, no signature, no certificate.
        At most three redirects are followed, and each address is asked about. Raises Undeliverable
        where a file is larger than *max_bytes*, or has a type that is none of *types* (`image/*`),
        where any are given; what is no 2xx is returned as it is.
        """


class Handler(Protocol):
    """A coroutine function of handlers/ that speaks an endpoint's own API."""

    async def __call__(self, event: Event, endpoint: Endpoint, **arguments: Json) -> Response:
        """Do it. The response is the outcome; where there is nothing to do, raise Skip.

        *arguments* are what the route's target has under `with:`.
        """
