"""Evidence is written in the commit of what it tells of, as one link for all of that.

A ledger is the chain that one stream of commits writes. It begins with the first entry, and anew wherever
nobody knows whether a commit came to pass: then the new chain names what the former one has come to.
"""

import secrets
import zlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from gateway.core.calls import PreparedCall
from gateway.core.evidence import (
    DIGEST_BYTES,
    OF_GAP,
    OF_LINK,
    SIGNED_EVERY,
    Chain,
    Gap,
    KeptChain,
    KeptLink,
    Link,
    Named,
    canonical,
    digest,
    number_of_event,
)
from gateway.core.evidence_key import EvidenceKey
from gateway.core.model import Arrival, BodyForm, Delivery, EventId, Json, Micros
from gateway.core.retry import Finish, GiveUp, Park, RetryAt
from gateway.core.state import State
from gateway.store.keeping import Append, Fresh
from gateway.store.reading import LookUp
from gateway.store.recording import Record
from gateway.store.steps import Do, Insert, Lock, Row, Steps
from gateway.store.vault import Vault

SALT_BYTES = 16
ENTRY_BYTES = 80
"""About what an entry takes beside its texts: its digest, and where it is found."""
LINK_BYTES = 160

LOCK = ["evidence"]
"""One chain begins after the other: each link is named once."""


class Entry(NamedTuple):
    """What is written of one event."""

    event_id: str
    subject: str | None
    """Of one that was received."""
    text: bytes
    personal: bytes


class Told(NamedTuple):
    """What a commit tells."""

    received: Sequence[Fresh] = ()
    made: Sequence[Record] = ()
    lost: Collection[int] = ()
    """Which of the attempts that were made, by their places, no longer were to move their deliveries."""


class _Head(NamedTuple):
    """How far a chain has come."""

    number: int
    name: str
    seq: int
    hash: bytes
    at: Micros
    stored: int
    signed_at: Micros


class Ledger:
    """Writes one chain. After `note`, whoever commits says `committed`, or `dropped`, or `broken_off`."""

    def __init__(self, key: EvidenceKey, vault: Vault) -> None:
        self._key = key
        self._vault = vault
        self._head: _Head | None = None
        self._next: _Head | None = None

    def note(self, told: Told) -> Steps[None]:
        """Write what a commit tells; nothing, where it tells nothing."""
        self._next = self._head
        if not told.received and not told.made:
            return
        entries, at = entries_of(told), moment_of(told)
        head = self._head
        if head is None:
            head = yield from self._begin(at)
        yield from self._write(head, entries, max(at, head.at))

    def committed(self) -> None:
        """What was noted is there for good."""
        self._head = self._next

    def dropped(self) -> None:
        """Nothing of it is there."""
        self._next = self._head

    def broken_off(self) -> None:
        """Nobody knows whether it is there."""
        self._head = self._next = None

    def _begin(self, at: Micros) -> Steps[_Head]:
        yield Lock(LOCK)
        before = []
        for name, *row in (yield Do("unnamed_heads", ())):
            link = link_of(name, row)
            before.append(Named(name, link.seq, link.hash))
            yield Do("name_head", (row[0], row[0] >> SEQ_BITS))
        chain = Chain(
            name=secrets.token_hex(8),
            begun_at=at,
            key=self._key.public,
            before=tuple(sorted(before)),
        )
        named = orjson.dumps(chain.facts["before"]).decode()
        ((number,),) = yield Do("begin_chain", (chain.name, at, chain.key, named))
        return _Head(number, chain.name, -1, chain.hash, at, 0, 0)

    def _write(self, head: _Head, entries: Sequence[Entry], at: Micros) -> Steps[None]:
        seq, number = head.seq + 1, link_id(head.number, head.seq + 1)
        leaves = b"".join([sha256(each.text).digest() for each in entries])
        link = Link(
            chain=head.name,
            seq=seq,
            at=at,
            previous=head.hash,
            root=sha256(leaves).digest(),
            count=len(entries),
        )
        link_hash = link.hash
        is_due = at - head.signed_at >= SIGNED_EVERY
        signature = self._key.private.sign(OF_LINK + link_hash) if is_due else None
        texts = packed([each.text for each in entries])
        personal = b"\n".join([each.personal for each in entries])
        sealed_by = self._vault.current
        if sealed_by is not None:
            texts = self._vault.seal(entries_place(number), texts)
            personal = self._vault.seal(personal_place(number), personal)
        size = len(texts) + len(personal) + LINK_BYTES + ENTRY_BYTES * len(entries)
        stored = head.stored + size
        signed = (stored, signature, sealed_by, sealed_by)
        yield Do("note_link", (number, at, head.hash, leaves, texts, personal, *signed))
        yield Insert("note_place", self._places(number, entries))
        signed_at = at if is_due else head.signed_at
        self._next = _Head(head.number, head.name, seq, link_hash, at, stored, signed_at)

    def _places(self, link: int, entries: Sequence[Entry]) -> list[Row]:
        places: list[Row] = []
        for i, each in enumerate(entries):
            places.append((number_of_event(each.event_id), link, i))
            if each.subject is not None:
                places.append((self._key.number_of_subject(each.subject), link, i))
        return places


def packed(texts: Sequence[bytes]) -> bytes:
    """Entries as they are stored.

    This is half of what evidence costs. A smaller window, or less memory, costs full commits half as much
    again; a larger one costs a commit of one entry more than its work.
    """
    compress = zlib.compressobj(1, zlib.DEFLATED, WINDOW, MEMORY)
    return compress.compress(b"\n".join(texts)) + compress.flush()


def unpacked(stored: bytes | None) -> list[bytes]:
    """The entries that were packed so; none where they were changed: that will show."""
    if stored is None:
        return []
    try:
        return zlib.decompress(stored, WINDOW).split(b"\n")
    except zlib.error:
        return []


WINDOW = -14
"""16 KiB, and nothing around it."""
MEMORY = 7
"""Of 9: 64 KiB."""

SEQ_BITS = 40
"""Of a link's id: a chain of a thousand commits a second takes decades to use them up."""


def link_id(chain: int, seq: int) -> int:
    """By which the database knows a link."""
    return chain << SEQ_BITS | seq


def entries_place(link: int) -> str:
    """To what the entries of a link are bound where they are encrypted."""
    return f"evidence_links.entries:{link}"


def personal_place(link: int) -> str:
    """Likewise what is personal of them."""
    return f"evidence_links.personal:{link}"


def link_of(chain: str, row: Sequence[Any]) -> Link:
    """The link that a row holds: id, at, previous, leaves."""
    number, at, previous, leaves = row[:4]
    return Link(
        chain=chain,
        seq=number & (1 << SEQ_BITS) - 1,
        at=at,
        previous=previous,
        root=digest(leaves),
        count=len(leaves) // DIGEST_BYTES,
    )


# -- what a commit tells -------------------------------------------------------------------------------


def told_by(operations: Sequence[Any], results: Sequence[Any]) -> Told:
    """What operations tell, given what came of them.

    An attempt whose lease was lost was made all the same: somebody was told.
    """
    received: list[Fresh] = []
    made: list[Record] = []
    lost: list[int] = []
    for operation, result in zip(operations, results, strict=True):
        if type(operation) is Record:
            if result is not None:
                lost.append(len(made))
            made.append(operation)
        elif type(operation) is Append:
            for arrival, receipt in zip(operation.arrivals, result, strict=True):
                if not receipt.duplicate:
                    received.append((arrival, receipt.fired_before))
    return Told(received, made, lost)


def moment_of(told: Told) -> Micros:
    """When the latest happened of it."""
    received = [arrival.event.received_at for arrival, _ in told.received]
    made = [each.attempt.started_at + each.attempt.duration for each in told.made]
    return max([*received, *made])


# -- entries -------------------------------------------------------------------------------------------

STATES: Mapping[type, str] = {
    Finish: State.DELIVERED.value,
    RetryAt: State.SCHEDULED.value,
    GiveUp: State.DEAD.value,
    Park: State.SCHEDULED.value,
}


def entries_of(told: Told) -> list[Entry]:
    """One for each event that was received, one for each of which attempts were made."""
    by_event: dict[str, list[tuple[Record, bool]]] = {}
    for i, each in enumerate(told.made):
        by_event.setdefault(each.delivery.event.event_id, []).append((each, i in told.lost))
    salts = _salts(len(told.received) + len(by_event))
    return [
        *[_received(arrival, fired, next(salts)) for arrival, fired in told.received],
        *[_attempted(several, next(salts)) for several in by_event.values()],
    ]


def _salts(count: int) -> Iterator[str]:
    """Two in one for each entry: one for itself, one for what is personal."""
    text = secrets.token_hex(SALT_BYTES * 2 * count)
    return iter(
        [text[start : start + SALT_BYTES * 4] for start in range(0, len(text), SALT_BYTES * 4)]
    )


def _received(arrival: Arrival, fired: frozenset[str], salts: str) -> Entry:
    event, matched = arrival.event, arrival.routed.matched
    attributes = event.attributes
    subject = attributes.get("subject")
    # In the order of their names: so they are canonical as they are written.
    facts: dict[str, Json] = {
        "at": event.received_at,
        "body": sha256(event.body).hexdigest(),
        "bytes": len(event.body),
        "event": event.event_id,
        "id": event.id,
        "personal": None,
        "routes": [route for route in matched if route not in fired] if fired else matched,
        "salt": salts[: SALT_BYTES * 2],
        "source": event.source,
        "time": attributes["time"],
        "type": attributes["type"],
        "verified": arrival.verified,
        "what": "received",
    }
    personal = None if subject is None else {"salt": salts[SALT_BYTES * 2 :], "subject": subject}
    return _entry(event.event_id, subject, facts, personal)


def _attempted(several: Sequence[tuple[Record, bool]], salts: str) -> Entry:
    """What was told of one event: to whom, when, with which answer."""
    event = several[0][0].delivery.event
    sent: dict[str, str] = {}
    calls: dict[str, Json] = {}
    told = []
    for record, lost in several:
        attempt, delivery = record.attempt, record.delivery
        told.append(
            {
                "answer": attempt.answer,
                "at": attempt.started_at,
                "delivery": delivery.n,
                "endpoint": delivery.endpoint,
                "lost": lost,
                "number": attempt.number,
                "outcome": attempt.outcome,
                # A code; of other outcomes it may be a handler's words.
                "reason": attempt.reason if attempt.outcome == "unreachable" else None,
                "route": delivery.route,
                "sent": _sent(delivery, sent),
                "state": STATES[type(record.decision)],
                "status": attempt.status,
                "to": attempt.to,
                "took": attempt.duration,
            }
        )
        if attempt.calls:
            calls[f"{delivery.n}.{attempt.number}"] = [
                [call.method, call.url.partition("?")[0], call.status] for call in attempt.calls
            ]
    facts: dict[str, Json] = {
        "attempts": told,
        "event": event.event_id,
        "personal": None,
        "salt": salts[: SALT_BYTES * 2],
        "source": event.source,
        "type": event.attributes["type"],
        "what": "attempted",
    }
    personal = {"calls": calls, "salt": salts[SALT_BYTES * 2 :]} if calls else None
    return _entry(event.event_id, None, facts, personal)


def _entry(
    event_id: str, subject: str | None, facts: dict[str, Json], personal: dict[str, Json] | None
) -> Entry:
    if personal is None:
        return Entry(event_id, subject, orjson.dumps(facts), b"")
    aside = orjson.dumps(personal, option=orjson.OPT_SORT_KEYS)
    facts["personal"] = sha256(aside).hexdigest()
    return Entry(event_id, subject, orjson.dumps(facts), aside)


def _sent(delivery: Delivery, known: dict[str, str]) -> str | None:
    """The digest of what was posted; None where a handler makes its own calls."""
    form = delivery.form
    if form is BodyForm.ARGUMENTS:
        return None
    if form is BodyForm.CALL:
        return sha256(PreparedCall.unpacked(delivery.body or b"").body).hexdigest()
    if form is BodyForm.OWN:
        return sha256(delivery.body or b"").hexdigest()
    if form not in known:
        known[form] = sha256(delivery.content()[1]).hexdigest()
    return known[form]


# -- erasing -------------------------------------------------------------------------------------------


def erase_personal(names: Sequence[EventId], vault: Vault) -> Steps[None]:
    """Take out what is personal of all entries about events; the entries stay what they are."""
    places: dict[int, set[int]] = {}
    for name in names:
        for link, i in (yield Do("find_places", (number_of_event(name),))):
            places.setdefault(link, set()).add(i)
    for link, chosen in places.items():
        ((texts, personal, *keys),) = yield Do("read_entries", (link,))
        if not vault.knows(*keys):
            vault.unlock((yield Do("read_data_keys")))
        entries = unpacked(vault.open(keys[0], entries_place(link), texts))
        aside = (vault.open(keys[1], personal_place(link), personal) or b"").split(b"\n")
        gone = {
            i for i in chosen if i >= len(entries) or orjson.loads(entries[i])["event"] in names
        }
        left = b"\n".join([b"" if i in gone else each for i, each in enumerate(aside)])
        if vault.current is not None:
            left = vault.seal(personal_place(link), left)
        yield Do("erase_personal", (left, vault.current, link))


def let_go(
    chain: KeptChain, before: Micros, now: Micros, most: int, key: EvidenceKey, vault: Vault
) -> Steps[int]:
    """Delete the oldest links of a chain that are older than *before*, at most so many; how many.

    That they were there is signed. The last link of a chain stays: later ones name it.
    """
    bounds = (link_id(chain.number, 0), link_id(chain.number, chain.last))
    going = [row for row in (yield Do("first_links", (*bounds, most))) if row[1] < before]
    if not going:
        return 0
    if not vault.knows(*[each for row in going for each in row[6:]]):
        vault.unlock((yield Do("read_data_keys")))
    for row in going:
        for what in _numbers(row, key, vault):
            yield Do("prune_place", (what, row[0]))
    last = link_of(chain.chain.name, going[-1])
    gap = Gap(chain=last.chain, until=last.seq, hash=last.hash, at=last.at, let_go_at=now)
    signature = key.private.sign(OF_GAP + canonical(gap.facts)).hex()
    told = orjson.dumps({**gap.facts, "key": key.public, "signature": signature}).decode()
    yield Do("note_gap", (told, chain.number))
    yield Do("prune_links", (going[0][0], going[-1][0]))
    return len(going)


def _numbers(row: Row, key: EvidenceKey, vault: Vault) -> Iterator[int]:
    """Under which numbers the entries of a link are found; of a subject that was erased nobody knows."""
    link, _, _, _, texts, personal, *keys = row
    for text in unpacked(vault.open(keys[0], entries_place(link), texts)):
        yield number_of_event(orjson.loads(text)["event"])
    for text in (vault.open(keys[1], personal_place(link), personal) or b"").split(b"\n"):
        if text and (subject := orjson.loads(text).get("subject")):
            yield key.number_of_subject(subject)


# -- reading -------------------------------------------------------------------------------------------


Change = Callable[..., Awaitable[Any]]
"""Takes steps, given their function and its arguments, in one commit."""


class KeptEvidence:
    """See `ports.EvidenceStore`."""

    def __init__(
        self, reader: LookUp, change: Change | None = None, vault: Vault | None = None
    ) -> None:
        """Where nothing is to be let go of, *reader* is enough."""
        self._reader = reader
        self._change = change
        self._vault = vault

    async def chains(self) -> list[KeptChain]:
        """See `EvidenceStore.chains`."""
        return [_chain(row) for row in await self._reader.run("read_chains")]

    async def links(self, chain: KeptChain, first: int, last: int, most: int) -> list[KeptLink]:
        """See `EvidenceStore.links`."""
        bounds = (link_id(chain.number, first), link_id(chain.number, last))
        found = await self._reader.run("read_links", (*bounds, most))
        return [KeptLink(link_of(chain.chain.name, row), row[3], row[4]) for row in found]

    async def entries(self, chain: KeptChain, seq: int) -> list[tuple[bytes, bytes]]:
        """See `EvidenceStore.entries`."""
        number = link_id(chain.number, seq)
        for texts, personal, *keys in await self._reader.run("read_entries", (number,)):
            entries = await self._reader.opened(keys[0], entries_place(number), texts)
            beside = await self._reader.opened(keys[1], personal_place(number), personal)
            found = unpacked(entries)
            aside = (beside or b"").split(b"\n")
            return list(
                zip(found, aside if len(aside) == len(found) else [b""] * len(found), strict=True)
            )
        return []

    async def let_go(self, before: Micros, now: Micros, most: int, key: EvidenceKey) -> int:
        """See `EvidenceStore.let_go`."""
        assert self._change is not None  # noqa: S101  # whoever tends it can change it
        gone = 0
        for chain in await self.chains():
            if chain.last > 0 and gone < most:
                given = (chain, before, now, most - gone, key, self._vault)
                gone += await self._change(let_go, *given)
        return gone

    async def size_bytes(self) -> int:
        """See `EvidenceStore.size_bytes`."""
        ((size,),) = await self._reader.run("measure_evidence")
        return int(size)

    async def find(self, number: int) -> list[tuple[int, int, int]]:
        """See `EvidenceStore.find`."""
        found = await self._reader.run("find_places", (number,))
        return [(link >> SEQ_BITS, link & (1 << SEQ_BITS) - 1, i) for link, i in found]


def _chain(row: Row) -> KeptChain:
    number, name, begun_at, key, before, gap, last = row
    named = tuple(Named(each[0], each[1], bytes.fromhex(each[2])) for each in orjson.loads(before))
    chain = Chain(name=name, begun_at=begun_at, key=key, before=named)
    return KeptChain(number, chain, -1 if last is None else last & (1 << SEQ_BITS) - 1, gap)
