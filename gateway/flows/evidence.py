"""A bundle of evidence: lines of JSON, each of which `core/proof.py` can check, and at their end a signed manifest.

It is made as it is read: a chain, its links, and of each the entries that were asked for. A link is signed
itself, or shown with those after it up to one that is; the last of a chain the manifest speaks for.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from gateway.core.evidence import (
    DIGEST_BYTES,
    FORMAT,
    OF_BUNDLE,
    KeptChain,
    KeptLink,
    Named,
    canonical,
    number_of_event,
)
from gateway.core.evidence_key import EvidenceKey
from gateway.core.model import Json, Micros
from gateway.ports import Clock, EvidenceStore

PAGE = 200
"""So many links are read at once."""

Chosen = tuple[int, dict[str, Json], dict[str, Json] | None]
"""An entry by its place, with what is personal of it."""
Places = Mapping[int, set[int]]
"""By number of a link, which of its entries."""
PlacesByChain = dict[int, dict[int, set[int]]]
"""By number of a chain, places in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a bundle is to be about; without any of it, everything."""

    subject: str | None = None
    event: str | None = None
    source: str | None = None
    since: Micros | None = None
    until: Micros | None = None

    @property
    def is_of_some(self) -> bool:
        """Whether of a commit only some entries may be shown."""
        return not (self.subject is None and self.event is None and self.source is None)

    def covers(self, at: Micros) -> bool:
        """Whether a moment is in the period."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(slots=True)
class _Written:
    """The lines so far, as the manifest tells of them."""

    lines: list[str] = field(default_factory=list)
    heads: list[Named] = field(default_factory=list)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("chains", "links", "received", "attempted"), 0)
    )

    def line(self, facts: Json) -> bytes:
        """One more."""
        text = canonical(facts)
        self.lines.append(sha256(text).hexdigest())
        return text + b"\n"


class Evidence:
    """Makes bundles of what a store holds."""

    def __init__(self, store: EvidenceStore, key: EvidenceKey, clock: Clock, version: str) -> None:
        self._store = store
        self._key = key
        self._clock = clock
        self._version = version

    async def bundle(self, asked: Asked) -> AsyncIterator[bytes]:
        """Its lines, the manifest last: of the chains that there are now. Raises StoreUnavailable before the first."""
        chains = await self._store.chains()
        names = await self._names(asked, chains)
        return self._lines(asked, chains, None if names is None else await self._places(names))

    async def _lines(
        self, asked: Asked, chains: Sequence[KeptChain], places: PlacesByChain | None
    ) -> AsyncIterator[bytes]:
        written = _Written()
        yield written.line(
            {
                "line": "bundle",
                "format": FORMAT,
                "asked": {
                    name: getattr(asked, name)
                    for name in ("subject", "event", "source", "since", "until")
                },
                "made_at": self._clock.now(),
                "gateway": self._version,
            }
        )
        for chain in chains:
            wanted = None if places is None else places.get(chain.number, {})
            async for line in self._chain(chain, asked, wanted, written):
                yield line
        yield canonical(self._manifest(written)) + b"\n"

    async def _names(self, asked: Asked, chains: Sequence[KeptChain]) -> set[str] | None:
        """The events that are asked for; None: that has to be looked for."""
        names = None if asked.event is None else {asked.event}
        if asked.subject is not None:
            of_subject = await self._of_subject(asked.subject, chains)
            names = of_subject if names is None else names & of_subject
        return names

    async def _of_subject(self, subject: str, chains: Sequence[KeptChain]) -> set[str]:
        """The events about a subject. Of one that was erased nobody can tell more than its number does."""
        known = {kept.number: kept for kept in chains}
        names = set()
        for chain, seq, i in await self._store.find(self._key.number_of_subject(subject)):
            if chain not in known:  # a node has begun it since
                continue
            entries = await self._store.entries(known[chain], seq)
            if i < len(entries):
                entry, personal = map(_read, entries[i])
                if personal.get("subject", subject) == subject:
                    names.add(str(entry.get("event")))
        return names

    async def _places(self, names: set[str]) -> PlacesByChain:
        """Where events are told of."""
        places: dict[int, dict[int, set[int]]] = {}
        for name in names:
            for chain, seq, i in await self._store.find(number_of_event(name)):
                places.setdefault(chain, {}).setdefault(seq, set()).add(i)
        return places

    async def _chain(
        self, kept: KeptChain, asked: Asked, wanted: Places | None, written: _Written
    ) -> AsyncIterator[bytes]:
        shown = False
        async for link, chosen in self._links(kept, asked, wanted):
            if not shown:
                shown = True
                yield written.line({"line": "chain", **kept.chain.facts})
                written.counts["chains"] += 1
                if kept.gap is not None:
                    yield written.line({"line": "gap", **json.loads(kept.gap)})
            written.counts["links"] += 1
            yield written.line(_link_line(link, with_leaves=bool(chosen)))
            for i, entry, personal in chosen:
                what = str(entry.get("what"))
                written.counts[what] = written.counts.get(what, 0) + 1
                yield written.line(
                    {
                        "line": "entry",
                        "chain": link.link.chain,
                        "seq": link.link.seq,
                        "i": i,
                        "entry": entry,
                        "personal": personal,
                    }
                )
            head = link.link
        if shown:
            written.heads.append(Named(head.chain, head.seq, head.hash))

    async def _links(
        self, kept: KeptChain, asked: Asked, wanted: Places | None
    ) -> AsyncIterator[tuple[KeptLink, list[Chosen]]]:
        """The links of a chain that are shown, each with the entries of it that are."""
        seq: int | None = 0 if wanted is None else min(wanted, default=None)
        if wanted is None and asked.since is not None:
            seq = await self._first_since(kept, asked.since)
        is_open = False
        while seq is not None and seq <= kept.last:
            page = await self._store.links(kept, seq, kept.last, PAGE)
            if not page:
                return
            seq = page[-1].link.seq + 1
            for link in page:
                chosen = await self._chosen(kept, link, asked, wanted)
                if chosen or is_open or (not asked.is_of_some and asked.covers(link.link.at)):
                    is_open = link.signature is None
                    yield link, chosen
                if not is_open:
                    following = _following(link.link.seq, asked, wanted, link.link.at)
                    if following is None or following > link.link.seq + 1:
                        seq = following
                        break

    async def _chosen(
        self, kept: KeptChain, link: KeptLink, asked: Asked, wanted: Places | None
    ) -> list[Chosen]:
        """The entries of a link that are shown."""
        at, seq = link.link.at, link.link.seq
        if not asked.covers(at):
            return []
        if wanted is not None and seq not in wanted:
            return []
        chosen: list[Chosen] = []
        for i, (text, personal) in enumerate(await self._store.entries(kept, seq)):
            if wanted is not None and i not in wanted[seq]:
                continue
            entry = _read(text)
            if asked.source is None or entry.get("source") == asked.source:
                chosen.append((i, entry, _read(personal) if personal else None))
        return chosen

    async def _first_since(self, kept: KeptChain, since: Micros) -> int:
        """The number of the first link that is not older: their moments ascend."""
        low, high = 0, kept.last + 1
        while low < high:
            middle = (low + high) // 2
            found = await self._store.links(kept, middle, kept.last, 1)
            if not found or found[0].link.at >= since:
                high = middle
            else:
                low = found[0].link.seq + 1
        return low

    def _manifest(self, written: _Written) -> dict[str, Json]:
        facts: dict[str, Json] = {
            "line": "manifest",
            "format": FORMAT,
            "counts": written.counts,
            "heads": [[each.chain, each.seq, each.hash.hex()] for each in written.heads],
            "lines": written.lines,
            "key": self._key.public,
        }
        signature = self._key.private.sign(OF_BUNDLE + canonical(facts))
        return {**facts, "signature": signature.hex()}


def _read(text: bytes) -> dict[str, Json]:
    """What is kept; where somebody has made no JSON of it, nothing: then it is not what was committed."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _following(seq: int, asked: Asked, wanted: Places | None, at: Micros) -> int | None:
    """The next link to look at, once nothing more has to be shown of what follows; None: there is none."""
    if asked.until is not None and at >= asked.until:
        return None
    if wanted is None:
        return seq + 1
    return min((each for each in wanted if each > seq), default=None)


def _link_line(kept: KeptLink, *, with_leaves: bool) -> dict[str, Json]:
    """A link; the digests of its entries only where one of them is shown."""
    line: dict[str, Json] = {"line": "link", **kept.link.facts}
    if with_leaves:
        leaves = kept.leaves
        line["leaves"] = [
            leaves[start : start + DIGEST_BYTES].hex()
            for start in range(0, len(leaves), DIGEST_BYTES)
        ]
    if kept.signature is not None:
        line["signature"] = kept.signature.hex()
    return line
