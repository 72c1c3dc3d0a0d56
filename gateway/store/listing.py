"""Listings: from what is asked for to a statement, and how much of the history that looks through.

No index is kept for the filters of people: each would cost every event that comes, for what is asked once in
a while. Rows are walked from the newest, by the key of their table or by an index that the gateway's own work
needs anyway, and what does not fit is passed over. So that no page takes long it looks through so many rows at
most; then it ends, with less than was asked for, and says where to go on.

Of a key, ids of events sort by time: `since` and `until` of events bound the walk, and so does the beginning of
an id. What goes by itself through an index (a *walk*): all of a table, events that no route took, deliveries
that are dead or cancelled, requests that were refused, what is about one event. What is still to be done is
found by each engine in its own way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.core.listing import Listing
from gateway.core.model import Json, first_id, parse_delivery_id
from gateway.core.state import State

LOOKED_THROUGH = 5_000
"""Rows of a page at most, where they lie one beside the other;"""
LOOKED_UP = 1_500
"""and where each has to be looked up, or something for it."""

ENDED_BADLY = frozenset({State.DEAD, State.CANCELLED})
"""In these states, a partial index has them."""
UNFINISHED = frozenset({State.SCHEDULED, State.LEASED})
MILLISECOND = 1000
LAST = "~"
"""Sorts after all characters of an id."""

Filters = Mapping[str, str]
"""By the name that is asked for, what a row has to be; `{has}` is whether one text is in another."""

EVENT_FILTERS: Filters = {
    "source": "source = ?",
    "type": "type = ?",
    "subject": "subject = ?",
    "since": "received_at >= ?",
    "until": "received_at < ?",
    "text": "({has}(id, ?) > 0 OR {has}(key, ?) > 0)",
    "state": "? IN (SELECT state FROM {deliveries} WHERE event_id = events.id)",
}
OF_EVENT = "(SELECT {} FROM events WHERE events.id = event_id)"
"""Row by row, so that no engine takes it for a join and begins with all events."""
DELIVERY_FILTERS: Filters = {
    "n": "n = ?",
    "state": "state = ?",
    "endpoint": "endpoint = ?",
    "route": "route = ?",
    "key": "key = ?",
    "reason": "reason_code = ?",
    "since": "created_at >= ?",
    "until": "created_at < ?",
    "source": OF_EVENT.format("source") + " = ?",
    "type": OF_EVENT.format("type") + " = ?",
    "subject": OF_EVENT.format("subject") + " = ?",
    "text": "({has}(event_id, ?) > 0 OR {has}(" + OF_EVENT.format("events.key") + ", ?) > 0)",
}
INBOX_FILTERS: Filters = {
    "outcome": "outcome = ?",
    "unread": "(event_id IS NULL) = (? <> 0)",
    "source": "source = ?",
    "code": "code = ?",
    "since": "received_at >= ?",
    "until": "received_at < ?",
    "text": "({has}(id, ?) > 0 OR {has}(event_id, ?) > 0)",
}
AUDIT_FILTERS: Filters = {
    "who": "who = ?",
    "action": "action = ?",
    "object": "object = ?",
    "since": "at >= ?",
    "until": "at < ?",
}
LOOK_UPS = frozenset(
    {(Listing.EVENTS, "state")}
    | {(Listing.DELIVERIES, name) for name in ("source", "type", "subject", "text")}
)
"""What has to be looked up in another table for each row."""


@dataclass(slots=True)
class Walk:
    """The order in which rows are looked at: newest first."""

    table: str
    key: tuple[str, ...] = ("id",)
    conditions: list[str] = field(default_factory=list)
    """Which an index knows, beside where it begins and ends:"""
    upper: tuple[Any, ...] | None = None
    """before this,"""
    lower: tuple[Any, ...] | None = None
    """and not after it."""
    parameters: list[Any] = field(default_factory=list)
    within: str = "{}"
    """Where the rows that are looked at are not those that are listed: how the latter are found by them."""
    looked: list[str] = field(default_factory=list)
    """Conditions on rows that are looked at."""
    looked_parameters: list[Any] = field(default_factory=list)
    through: int = LOOKED_THROUGH
    bounded: bool = False
    """Whether there can be no more rows than one may look through."""

    def where(self, condition: str, *parameters: object) -> None:
        """Walk only there."""
        self.conditions.append(condition)
        self.parameters += parameters

    def look(self, condition: str, *parameters: object) -> None:
        """List only such."""
        self.looked.append(condition)
        self.looked_parameters += parameters

    def before(self, at: object) -> None:
        """Begin after that one. Of two such places the older: engines go from whichever they read first."""
        place = _place(at)
        self.upper = place if self.upper is None else min(self.upper, place)

    def down_to(self, at: object) -> None:
        """End with it; of two such places with the newer."""
        place = _place(at)
        self.lower = place if self.lower is None else max(self.lower, place)

    def _bounds(self, first: str) -> tuple[list[str], list[Any]]:
        """Conditions on the key, of which *first* is the first column."""
        conditions: list[str] = []
        parameters: list[Any] = []
        for operator, place in (("<", self.upper), (">=", self.lower)):
            if place is not None:
                names = ", ".join((first, *self.key[1 : len(place)]))
                conditions.append(f"({names}) {operator} ({', '.join('?' * len(place))})")
                parameters += place
        return conditions, parameters

    def _walked(self) -> tuple[list[str], list[Any]]:
        conditions, parameters = self._bounds(self.key[0])
        return [*self.conditions, *conditions], [*self.parameters, *parameters]

    def only_of(self, parts: Sequence[str], parameters: Sequence[object]) -> "Walk":
        """The same, but by the events with deliveries in these *parts*, all of which may be read."""
        events = " UNION ALL ".join(
            f"SELECT event_id FROM deliveries WHERE {part}" for part in parts
        )
        # The plus keeps SQLite from walking the table itself, for its order, down to those bounds.
        bounds, places = self._bounds(f"+{self.key[0]}")
        return Walk(
            self.table,
            self.key,
            parameters=[*parameters] * len(parts),
            within=f"{self.key[0]} IN ({events}){{}}",
            looked=[*self.conditions, *bounds, *self.looked],
            looked_parameters=[*self.parameters, *places, *self.looked_parameters],
            bounded=True,
        )

    @property
    def has_an_end(self) -> bool:
        """Whether it has to be asked where it ends."""
        return not self.bounded and (bool(self.looked) or self.within != "{}")

    def end(self) -> tuple[str, list[Any]]:
        """The statement that finds the last row that is looked at."""
        order = ", ".join(f"{name} DESC" for name in self.key)
        conditions, parameters = self._walked()
        sql = (
            f"SELECT {', '.join(self.key)} FROM {self.table}{_all(conditions)}"
            f" ORDER BY {order} LIMIT 1 OFFSET {self.through - 1}"
        )
        return sql, parameters

    def rows(self, select: str, order: str, limit: int) -> tuple[str, list[Any]]:
        """The statement that lists."""
        conditions, parameters = self._walked()
        if self.within != "{}":
            conditions = [self.within.format(_all(conditions))]
        sql = f"{select}{_all([*conditions, *self.looked])} ORDER BY {order} LIMIT {limit}"
        return sql, [*parameters, *self.looked_parameters]


def _place(at: object) -> tuple[Any, ...]:
    """A place in the order of a key, or of its first column."""
    return at if isinstance(at, tuple) else (at,)


def _all(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """In what the engines differ."""

    has: str
    """The function that finds one text in another."""
    deliveries: str
    """All of them."""
    finished: str
    """Those that have ended, or a table in which an index has them."""
    unfinished: str | None
    """A table of those that are still to be made, if there is one."""
    among: str
    """Whether a value is among those that a statement finds, which is run first and not joined with."""


def walk(listing: Listing, query: Mapping[str, Any], dialect: Dialect) -> Walk:
    """How a listing is walked through for what is asked."""
    asked = {name: value for name, value in query.items() if name != "limit"}
    return _WALKS[listing](asked, dialect)


def _events(asked: dict[str, Any], dialect: Dialect) -> Walk:
    found = Walk("events")
    state = asked.get("state")
    if "id" in asked:
        found.where("id = ?", asked.pop("id"))
        found.bounded = True
    elif asked.get("unmatched"):
        found.where("matched = 0")
        found.through = LOOKED_UP
    elif state in ENDED_BADLY:
        found = _by_deliveries(dialect.finished, dialect)
        _ended_badly(found, asked.pop("state"))
    elif state in UNFINISHED and dialect.unfinished is not None:
        found = _by_deliveries(dialect.unfinished, dialect)
        found.where("state = ?", asked.pop("state"))
    if "unmatched" in asked and not asked.pop("unmatched"):
        found.look("matched <> 0")
    _bound_by_time(found, "evt", asked)
    _bound_by_id(found, asked, "evt", "dlv")
    _rest(found, Listing.EVENTS, EVENT_FILTERS, asked, dialect)
    return found


def _deliveries(asked: dict[str, Any], dialect: Dialect) -> Walk:
    found = Walk(dialect.deliveries, ("event_id", "n"))
    state = asked.get("state")
    if "event" in asked:
        found.where("event_id = ?", asked.pop("event"))
        found.bounded = True
    elif state in ENDED_BADLY:
        found.table = dialect.finished
        _ended_badly(found, asked.pop("state"))
        if "endpoint" in asked:
            found.where("endpoint = ?", asked.pop("endpoint"))
    elif state in UNFINISHED and dialect.unfinished is not None:
        found.table = dialect.unfinished
    if "until" in asked:  # a replay makes deliveries long after its event came, and none before
        found.before(first_id("evt", asked["until"] + MILLISECOND))
    text = asked.get("text", "")
    if (parsed := parse_delivery_id(text)) is not None and len(parsed[0]) >= WHOLE:
        del asked["text"]
        found.where("(event_id, n) = (?, ?)", *parsed)
    else:
        _bound_by_id(found, asked, "evt", "dlv")
    _rest(found, Listing.DELIVERIES, DELIVERY_FILTERS, asked, dialect)
    return found


def _inbox(asked: dict[str, Any], dialect: Dialect) -> Walk:
    found = Walk("inbox")
    if "id" in asked:
        found.where("id = ?", asked.pop("id"))
        found.bounded = True
    elif "event" in asked:
        found.where("event_id = ?", asked.pop("event"))
        found.bounded = True
    if "refused" in asked:
        condition = "refused = 1" if asked["refused"] else "refused = 0"
        (found.where if asked.pop("refused") else found.look)(condition)
    _bound_by_time(found, "inb", asked)
    _bound_by_id(found, asked, "inb")
    _rest(found, Listing.INBOX, INBOX_FILTERS, asked, dialect)
    return found


def _audit(asked: dict[str, Any], dialect: Dialect) -> Walk:
    found = Walk("audit")
    _bound_by_time(found, "aud", asked)
    _rest(found, Listing.AUDIT, AUDIT_FILTERS, asked, dialect)
    return found


WHOLE = len("evt_") + 24
"""Characters of an event's id."""

_WALKS: Mapping[Listing, Callable[[dict[str, Any], Dialect], Walk]] = {
    Listing.EVENTS: _events,
    Listing.DELIVERIES: _deliveries,
    Listing.INBOX: _inbox,
    Listing.AUDIT: _audit,
}


def _by_deliveries(table: str, dialect: Dialect) -> Walk:
    """Events, found by what is in a table of deliveries."""
    among = dialect.among.format(f"SELECT event_id FROM {table}{{}}")
    return Walk(table, ("event_id",), within=f"id {among}")


def _ended_badly(found: Walk, state: str) -> None:
    """In so many words, or SQLite does not see that the index of these rows will do."""
    found.where("state IN ('dead', 'cancelled')")
    found.through = LOOKED_UP
    found.where("state = ?", state)


def _bound_by_time(found: Walk, kind: str, asked: Mapping[str, Any]) -> None:
    """Ids tell milliseconds; the moments themselves are compared besides."""
    if "since" in asked:
        found.down_to(first_id(kind, asked["since"]))
    if "until" in asked:
        found.before(first_id(kind, asked["until"] + MILLISECOND))


def _bound_by_id(found: Walk, asked: dict[str, Any], *kinds: str) -> None:
    """A text that begins as one of our ids is the beginning of one; of a delivery's, its event's counts."""
    text = asked.get("text", "")
    if text.startswith(tuple(f"{kind}_" for kind in kinds)):
        beginning = f"{kinds[0]}_{asked.pop('text')[4:].partition('_')[0]}"
        found.down_to(beginning)
        found.before(beginning + LAST)


def _rest(
    found: Walk, listing: Listing, filters: Filters, asked: dict[str, Any], dialect: Dialect
) -> None:
    """Where the page begins, and what is only looked at."""
    if "cursor" in asked:
        found.before(asked.pop("cursor"))
    for name, value in asked.items():
        condition = filters[name].format(has=dialect.has, deliveries=dialect.deliveries)
        found.look(condition, *[_plain(value)] * condition.count("?"))
        if (listing, name) in LOOK_UPS:
            found.through = LOOKED_UP


def _plain(value: Json) -> Json:
    """Both engines keep truths as 0 and 1."""
    return int(value) if isinstance(value, bool) else value
