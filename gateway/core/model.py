"""The gateway's nouns as values: events, deliveries, leases, attempts and their outcomes.

Every `…_at` and `…_until` here and in the store is an integer: microseconds since the Unix epoch.
Every duration in code is one of microseconds too; `SECOND` converts.

Values that are made per event are slotted, not frozen, and never copied: tens of thousands are made
each second. Nothing changes an `Event` after it was read.
"""

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, NewType, TypeAlias

if TYPE_CHECKING:
    from ssl import SSLContext

    from gateway.core.awaits import Reply
    from gateway.core.plans import Plan
    from gateway.core.register import Learned

Json: TypeAlias = Any
"""A decoded JSON value; the one place where a type is left open."""

DEEPEST = 64
"""Objects and arrays, one in the other, that are read of an event or an answer."""

Micros: TypeAlias = int
"""Microseconds: since the epoch for a moment, plain for a duration."""

SECOND: Micros = 1_000_000
FOREVER: Micros = 1 << 62
"""After every moment, and longer than any duration."""

EventId = NewType("EventId", str)
DeliveryId = NewType("DeliveryId", str)


def rfc3339(moment: Micros) -> str:
    """A moment as RFC 3339 writes it, in UTC, to the millisecond."""
    seconds, micros = divmod(moment, SECOND)
    text = datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None).isoformat()
    return f"{text}.{micros // 1000:03d}Z"


def rfc3339_moment(text: str) -> Micros | None:
    """The moment that RFC 3339 text names, with its offset from UTC; None: it names none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else round(moment.timestamp() * SECOND)


def event_id(now: Micros, serial: int) -> EventId:
    """A name that sorts by time: the millisecond, then *serial*, which the caller counts up.

    The caller starts its count at a random place, so that processes do not meet.
    """
    return EventId(f"evt_{now // 1000:012x}{serial & 0xFFFF_FFFF_FFFF:012x}")


def received_at(name: str) -> Micros:
    """The moment, to the millisecond, that stands in the name of an event, or of an entry: `abc_…`."""
    return int(name[4:16], 16) * 1000


def first_id(kind: str, moment: Micros) -> str:
    """What sorts before the names of that kind of that millisecond, and after those of all earlier."""
    return f"{kind}_{max(moment, 0) // 1000:012x}"


def inbox_id(event: EventId) -> str:
    """The name of an entry of the inbox, made as an event's is, or of the event that it is about."""
    return "inb_" + event[4:]


def failure_id(event: EventId, i: int | str) -> str:
    """The name of an entry of the inbox that tells of one failure, of several, while an event was routed."""
    return f"{inbox_id(event)}_{i}"


def is_of_event(entry: str) -> bool:
    """Whether that is the name of such an entry."""
    return entry.count("_") > 1


def delivery_id(event: EventId, n: int) -> DeliveryId:
    """The name of the *n*-th delivery of an event; it is the `webhook-id` that its endpoint sees."""
    return DeliveryId(f"dlv_{event[4:]}_{n}")


def parse_delivery_id(text: str) -> tuple[EventId, int] | None:
    """The event and number that a delivery's name stands for, or None when it is no such name."""
    prefix, _, rest = text.partition("_")
    event, _, n = rest.partition("_")
    if prefix != "dlv" or not event or not (n.isascii() and n.isdigit()) or len(n) > 9:
        return None
    return EventId(f"evt_{event}"), int(n)


class Event:
    """One accepted request, in CloudEvents 1.0 terms; stored once, never changed.

    `id` is the sender's, `event_id` the gateway's own. `source` is the gateway source it came in by,
    which is proven; `origin` is what a CloudEvents sender says of itself. `data` is the decoded body.
    """

    __slots__ = (
        "_data",
        "_envelope",
        "_fields",
        "attributes",
        "body",
        "content_type",
        "event_id",
        "head",
        "key",
        "received_at",
        "source",
        "splice",
    )

    def __init__(  # noqa: PLR0913  # a record of ten facts
        self,
        *,
        event_id: EventId,
        source: str,
        attributes: dict[str, Json],
        head: bytes,
        splice: bytes,
        body: bytes,
        content_type: str,
        received_at: Micros,
        key: str | None = None,
        data: Json = None,
    ) -> None:
        self.event_id = event_id
        self.source = source
        self.attributes = attributes
        """The CloudEvents context attributes as they go out."""
        self.head = head
        """The envelope up to where the data stands."""
        self.splice = splice
        """The data as it stands in the envelope, byte for byte; empty when there is none."""
        self.body = body
        """The request's body as received."""
        self.content_type = content_type
        self.received_at = received_at
        self.key = key
        """The idempotency key, unique within the source."""
        self._data = data
        self._envelope: bytes | None = None
        self._fields: dict[str, Json] | None = None

    @property
    def id(self) -> str:
        """The sender's id of the event (the gateway's own where it sent none)."""
        return str(self.attributes["id"])

    @property
    def type(self) -> str:
        """What happened, such as `license.expiring`."""
        return str(self.attributes["type"])

    @property
    def subject(self) -> str | None:
        """What it happened to, such as `asset/847116840`."""
        return self.attributes.get("subject")

    @property
    def time(self) -> str:
        """When it happened (RFC 3339), as the sender says; when it was received where it does not."""
        return str(self.attributes["time"])

    @property
    def origin(self) -> str | None:
        """What a CloudEvents sender calls itself; None for other senders."""
        outward: str = self.attributes["source"]
        return None if outward == default_origin(self.source) else outward

    @property
    def data(self) -> Json:
        """The event's content, decoded."""
        return self._data

    @property
    def extensions(self) -> dict[str, Json]:
        """CloudEvents extension attributes."""
        return {
            name: value for name, value in self.attributes.items() if name not in CORE_ATTRIBUTES
        }

    @property
    def fields(self) -> dict[str, Json]:
        """What `match`, `when` and `${event…}` see."""
        if self._fields is None:
            fields = {
                name: value
                for name, value in self.attributes.items()
                if name not in {"specversion", "datacontenttype"}
            }
            origin = fields["source"]
            fields["source"] = self.source
            if origin != default_origin(self.source):
                fields["origin"] = origin
            if self.splice:
                fields["data"] = self._data
            self._fields = fields
        return self._fields

    @property
    def envelope(self) -> bytes:
        """The event as structured CloudEvents JSON, the data byte for byte as it came."""
        if self._envelope is None:
            self._envelope = self.head + self.splice + b"}"
        return self._envelope

    def __repr__(self) -> str:
        return f"Event({self.event_id}, {self.type} from {self.source})"


def happened_at(event: Event) -> Micros:
    """When an event happened, by which newer and older are told apart.

    That is what its sender says, but never later than it came: else one wrong clock would make all that follows old.
    """
    told = rfc3339_moment(event.time)
    return event.received_at if told is None else min(told, event.received_at)


CORE_ATTRIBUTES = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"}
)


def default_origin(source: str) -> str:
    """The CloudEvents `source` of events whose sender names none."""
    return f"/in/{source}"


class BodyForm(StrEnum):
    """What a delivery's body is made of."""

    EVENT = "event"
    """The event as structured CloudEvents JSON."""
    RAW = "raw"
    """The bytes that came in."""
    OWN = "own"
    """JSON rendered for this delivery when its event was routed, kept with it."""
    CALL = "call"
    """A whole request, rendered and kept likewise (calls.py)."""
    ARGUMENTS = "arguments"
    """What the handler gets as keyword arguments, as JSON, rendered and kept likewise."""


class Priority(IntEnum):
    """Which of an endpoint's deliveries go first: smaller numbers do, and leave some of the places to others."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


@dataclass(slots=True, frozen=True)
class After:
    """What another target makes of the same event, and has to end first."""

    deliveries: Sequence["Delivery"]
    """At least one; their numbers ascend."""
    name: str
    """That of the target."""
    delivered: bool
    """Whether all of it has to be delivered, and not only to end."""


@dataclass(slots=True)
class Turn:
    """When a delivery may be attempted, where that is not simply at once.

    Deliveries with the same `key` to one endpoint take turns: one in flight, in the order in which they
    came (core/turns.py has the whole of it).
    """

    key: str | None = None
    due_at: Micros | None = None
    """Not before; None: at once."""
    put_off_to: Micros = 0
    """Nor before this, where many are sent again; it takes its place all the same."""
    expires_at: Micros | None = None
    """From when on it is not attempted any more."""
    late_at: Micros | None = None
    """From when on it counts as late."""
    after: Sequence[After] = ()
    slot: str | None = None
    """Of those that share it, only the latest is sent."""
    settle: Micros = 0
    """For so long nothing newer may come into the slot …"""
    longest: Micros = 0
    """… but it waits no longer than this, counted from the first that was not sent."""

    @property
    def at_once(self) -> bool:
        """Whether nothing but others of its key can keep it from being attempted now."""
        return self.due_at is None and not self.after and self.slot is None


@dataclass(slots=True)
class Delivery:
    """The promise of one event to one endpoint by one route, as a worker holds it."""

    event: Event
    n: int
    route: str
    endpoint: str
    form: BodyForm = BodyForm.EVENT
    body: bytes | None = None
    target: str | None = None
    """The name of the route's target, where it has one."""
    attempts: int = 0
    """Attempts made so far, over all rounds."""
    round_from: int = 0
    """How many of them were made before it was last put back on schedule by a person."""
    round_since: Micros | None = None
    """When the first of those made since then began; None: none was."""
    lease: "Lease | None" = None
    priority: int = Priority.NORMAL
    turn: Turn | None = None
    leads: bool = False
    """Whether others of its event wait for its end."""
    replayed_at: Micros | None = None
    """When the replay was that made it, where it is claimed; None: it was made when its event came."""

    @property
    def id(self) -> DeliveryId:
        """Its name, and the `webhook-id` that its endpoint sees."""
        return delivery_id(self.event.event_id, self.n)

    @property
    def size_bytes(self) -> int:
        """How large its bodies are; in memory it takes about four times as much, while it is sent."""
        return len(self.event.body) + (0 if self.body is None else len(self.body))

    def content(self) -> tuple[str, bytes]:
        """The content type and the exact bytes to post: the same on every attempt."""
        match self.form:
            case BodyForm.RAW:
                return self.event.content_type, self.event.body
            case BodyForm.OWN:
                return "application/json", self.body or b""
            case _:
                return "application/cloudevents+json", self.event.envelope

    def arguments(self) -> dict[str, Json]:
        """What its handler gets beside event and endpoint."""
        if self.form is not BodyForm.ARGUMENTS or self.body is None:
            return {}
        given: dict[str, Json] = json.loads(self.body)
        return given


@dataclass(slots=True, frozen=True)
class Lease:
    """One worker's right to the next attempt, until a moment; every write about it shows `token`."""

    token: int
    until: Micros


@dataclass(slots=True, kw_only=True)
class Response:
    """What an endpoint answered: at most 64 KiB of its body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name; of a repeated header, the last."""
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as UTF-8 text, with what is not replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Json:
        """The body, decoded. Raises ValueError when it is no JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Tls:
    """How TLS is spoken with an endpoint: who the gateway is there, and whom it believes.

    Two are equal whose `fingerprint` is: that of the files they were read from.
    """

    fingerprint: str
    context: "SSLContext" = field(repr=False, compare=False)


@dataclass(slots=True, kw_only=True)
class Call:
    """One HTTP request on its way to an endpoint."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    """Among them those that prove who we are."""
    body: bytes = field(repr=False)
    timeout: Micros
    """For the whole exchange, connecting included."""
    tls: Tls | None = None
    """None: as with any public server."""
    most_bytes: int | None = None
    """So much of the answer's body is read; None: as much as of any. The lean sender never asks."""
    only_once: bool = False
    """Whether it goes out on a connection of its own: on one that was kept and has ended, it would be sent again."""


@dataclass(slots=True)
class Accepted:
    """The endpoint took it."""

    response: Response


@dataclass(slots=True)
class Refused:
    """The endpoint answered, but not with success."""

    response: Response
    reason: str = ""
    """Why it is none, where its status does not say."""


@dataclass(slots=True)
class Unreachable:
    """No answer came; `reason` is a stable code, `detail` what the network said."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A handler found nothing to do."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hopeless:
    """A handler, or the event's content, says that it can never succeed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """A handler asks to try again, after a while of its own choosing or by the schedule (None)."""

    reason: str
    after: Micros | None


@dataclass(frozen=True, slots=True)
class Raised:
    """A handler failed; `detail` is its traceback, for the operator."""

    reason: str
    detail: str


Outcome: TypeAlias = Accepted | Refused | Unreachable | Skipped | Hopeless | Postponed | Raised
"""What one attempt learned."""


@dataclass(slots=True, kw_only=True)
class CallRecord:
    """One request that a handler made, kept under its attempt."""

    method: str
    url: str
    status: int | None
    reason: str | None
    duration: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMark:
    """What has to be known of an endpoint's lane after a restart."""

    begun_at: Micros = 0
    """When an attempt last began, where there is a rate to keep; it may have been earlier."""
    held_until: Micros = 0
    """Until when the endpoint has asked to be left alone."""
    since: Micros = 0
    """When its breaker opened; 0: it is closed, and what follows says nothing."""
    probe_at: Micros = 0
    probes: int = 0
    """How many have failed since."""
    reason: str = ""
    learned: bool = True
    """Whether the breaker has just moved. If not, what the store knows of it stays: another node may know better."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try at a delivery, as it is written down."""

    number: int
    started_at: Micros
    duration: Micros
    outcome: str
    """`accepted`, `refused`, `unreachable`, `skipped`, `hopeless`, `postponed` or `raised`."""
    status: int | None = None
    reason: str | None = None
    excerpt: str | None = None
    """The start of the answer's body, or of the traceback: at most 16 KiB."""
    calls: list[CallRecord] = field(default_factory=list)
    lane: LaneMark | None = None
    """What it changed for the endpoint's lane, if anything: written down in the same commit."""
    to: str | None = None
    """The URL of its endpoint, without a query or a secret: for evidence."""
    plans: Sequence["Plan"] = ()
    """The events that the gateway is to make of what it learned: kept in the same commit."""
    noted: Sequence["InboxEntry"] = ()
    """What the inbox is told of it: likewise."""
    answer: str | None = None
    """The SHA-256 of the answer's body as it was read, in hex; None: there was no body. Likewise."""


ALL_ROUTES = "(all)"
"""Stands for a route's name where an event could be matched with none."""


@dataclass(slots=True, frozen=True)
class Failure:
    """An expression of a route that failed for an event."""

    route: str
    code: str
    detail: str
    to_inbox: bool
    """Whether the inbox is to have it; it is counted in any case."""


@dataclass(slots=True, frozen=True)
class Withheld:
    """What a route that matched did not send, and why not."""

    route: str
    reason: str
    """`shadow`: its mode; `once`: it had fired for that value before; `nothing`: no target took it."""
    detail: str


@dataclass(slots=True, frozen=True)
class Confirmation:
    """A promise of a route: by then all of the event's deliveries by it are delivered, or an event says which are not."""

    route: str
    due_at: Micros
    otherwise: str
    """The type of that event."""


NO_FIRINGS: Mapping[str, str] = {}


@dataclass(slots=True)
class Routed:
    """What the routes make of an event."""

    deliveries: list[Delivery] = field(default_factory=list)
    matched: list[str] = field(default_factory=list)
    """The routes that matched, `when` included."""
    # Most events have none of these, and tens of thousands of events come each second.
    withheld: Sequence[Withheld] = ()
    firings: Mapping[str, str] = field(default_factory=lambda: NO_FIRINGS)
    """By route with a `once`: its value. Where it has fired before, its deliveries are not made."""
    confirmations: Sequence["Confirmation"] = ()
    plans: Sequence["Plan"] = ()
    """The events that the gateway is to make of it."""
    learned: Sequence["Learned"] = ()
    """What the register is told."""
    replies: Sequence["Reply"] = ()
    """What it answers of what routes have asked."""
    failures: Sequence[Failure] = ()

    def withhold(self, routes: Collection[str]) -> list[Delivery]:
        """Take back the deliveries of routes that have fired before; which they were."""
        if not routes:
            return []
        taken = [delivery for delivery in self.deliveries if delivery.route in routes]
        self.confirmations = [each for each in self.confirmations if each.route not in routes]
        self.plans = [each for each in self.plans if each.route not in routes]
        self.deliveries = [each for each in self.deliveries if each.route not in routes]
        more = [Withheld(route, "once", self.firings[route]) for route in routes]
        self.withheld = [*self.withheld, *more]
        return taken


@dataclass(slots=True, kw_only=True)
class Arrival:
    """An event on its way into the store, with all that it was routed to."""

    event: Event
    routed: Routed
    since: Micros
    """An earlier event with the same source and key makes this one a duplicate if it is not older."""
    routes: str = ""
    """The fingerprint of the routes files that it was routed by."""
    verified: str = "none"
    """How it was proven who sent it: for evidence."""
    composed: bool = False
    """What it says was put together here, of several answers: a duplicate may say more, or less, than the first."""

    @property
    def deliveries(self) -> list[Delivery]:
        """What it was routed to."""
        return self.routed.deliveries


@dataclass(slots=True, frozen=True)
class Receipt:
    """What became of an arrival: the id that names it, which is an older one for a duplicate."""

    event_id: EventId
    duplicate: bool
    fired_before: frozenset[str] = frozenset()
    """The routes whose `once` had fired before: their deliveries were not made."""
    waiting: frozenset[int] = frozenset()
    """The deliveries, by number, that others have to end before; the lease of such a one was not taken."""


@dataclass(slots=True, kw_only=True)
class InboxEntry:
    """A request that made no event, kept for a person to look at."""

    id: str
    source: str
    code: str
    detail: str
    received_at: Micros
    content_type: str
    body: bytes
    event_id: EventId | None = None
    """The event that it is about, or that was made of it in the end."""
    headers: Sequence[tuple[str, str]] = ()
    """By which it may be read once more: see core/kept_headers.py."""
    proven_id: str | None = None
    """The name that its sender gave it, as far as verification vouches for that."""
    refused: bool = False


def entry_about(event: Event, *, name: str, code: str, detail: str, at: Micros) -> InboxEntry:
    """What the inbox is told of an event that is kept: its body stands there."""
    return InboxEntry(
        id=name,
        source=event.source,
        code=code,
        detail=detail,
        received_at=at,
        content_type=event.content_type,
        body=b"",
        event_id=event.event_id,
    )


@dataclass(slots=True)
class Refusal:
    """A request that was refused, kept so that its sender's question has an answer.

    Nothing of it is proven: it is shown as text, and nothing follows from it.
    """

    id: str
    source: str
    code: str
    outcome: str | None
    """Why verification failed, where it did."""
    detail: str
    received_at: Micros
    peer: str
    """The address that it came from."""
    method: str
    headers: list[tuple[str, str]]
    """Redacted."""
    content_type: str
    body: bytes
    """Its start."""
    body_bytes: int | None
    """How long it was; None: it was not read."""
    sha256: bytes | None
    """Of all of it, where it was read."""


class Switch(NamedTuple):
    """How an endpoint is switched: `open`, or the state that it was put into, and why."""

    state: str
    reason: str


OPEN = Switch("open", "")


class Erased(NamedTuple):
    """What became of a request to erase events."""

    events: int = 0
    """So many are erased."""
    cancelled: int = 0
    """Deliveries that were still to be made."""
    under_way: int = 0
    """Events that are left: an attempt at one of their deliveries is being made."""

    def plus(self, other: "Erased") -> "Erased":
        """Both together."""
        return Erased(
            self.events + other.events,
            self.cancelled + other.cancelled,
            self.under_way + other.under_way,
        )


def basic_authorization(user: str, password: str) -> str:
    """The `Authorization` header's value for HTTP basic authentication (RFC 7617, UTF-8)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def kind_of(value: Json) -> str:
    """What a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a truth value"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
