"""Whether a bundle of evidence holds: line by line, without a gateway and without a database.

Two things are checked apart. The manifest has the digest of every line and is signed: what was changed in the
bundle since it was made shows there. And the lines have to fit together: what was changed in the database
before shows in that.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.core.ed25519 import parse_public
from gateway.core.evidence import (
    FORMAT,
    OF_BUNDLE,
    OF_GAP,
    OF_LINK,
    Chain,
    Gap,
    Link,
    Named,
    canonical,
    digest,
    root_of,
)
from gateway.core.model import Json

MOST_COMPARED = 20_000
"""Longer bundles of which lines were changed are compared place by place."""


@dataclass(slots=True)
class Proof:
    """What came of checking a bundle."""

    faults: list[tuple[int, str]] = field(default_factory=list)
    """By number of the line, from 1; 0: the bundle as a whole."""
    key: str | None = None
    """Who made it."""
    asked: dict[str, Json] = field(default_factory=dict)
    made_at: int | None = None
    chains: int = 0
    links: int = 0
    entries: list[tuple[dict[str, Json], dict[str, Json] | None]] = field(default_factory=list)
    """Each with what is personal of it."""
    erased: int = 0
    """Entries of which what is personal was erased."""
    gaps: int = 0
    """Chains whose beginnings were kept no longer."""

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.faults


@dataclass(slots=True)
class _OfChain:
    """A chain as far as it has been read."""

    chain: Chain
    gap: Gap | None = None
    last: Link | None = None
    last_line: int = 0
    is_open: bool = False
    """Whether the last link waits for one that is signed."""
    leaves: Sequence[bytes] = ()
    shown: set[int] = field(default_factory=set)


def verify(lines: Iterable[bytes], pinned: Collection[str] = ()) -> Proof:
    """Check a bundle, its manifest the last line; with keys that are *pinned*, also whose it is.

    Chains have to be signed with one of those, or with that of the manifest.
    """
    proof = Proof()
    texts = [line for line in lines if line]
    read = [_read(text) for text in texts]
    manifest = read[-1] if read else None
    if not isinstance(manifest, dict) or manifest.get("line") != "manifest":
        proof.faults.append((0, "its manifest is missing: the end of the bundle was cut off"))
        manifest = None
    else:
        _check_manifest(proof, manifest, texts[:-1], pinned, len(texts))
    body = read if manifest is None else read[:-1]
    _Reading(proof, manifest, pinned).all(body)
    proof.faults = sorted(set(proof.faults))
    return proof


def _read(text: bytes) -> dict[str, Json] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


# -- the manifest --------------------------------------------------------------------------------------


def _check_manifest(
    proof: Proof,
    manifest: dict[str, Json],
    texts: Sequence[bytes],
    pinned: Collection[str],
    line: int,
) -> None:
    facts = {name: value for name, value in manifest.items() if name != "signature"}
    proof.key = str(manifest.get("key"))
    if not _signed(proof.key, OF_BUNDLE + canonical(facts), manifest.get("signature")):
        proof.faults.append((line, "the manifest is not what was signed"))
    if pinned and proof.key not in pinned:
        told = " or ".join(pinned)
        proof.faults.append((line, f"it is signed with {proof.key}, and not with {told}"))
    if manifest.get("format") != FORMAT:
        proof.faults.append((line, f"its format is {manifest.get('format')}, not {FORMAT}"))
    listed = manifest.get("lines")
    _compare(proof, listed if isinstance(listed, list) else [], texts)


def _compare(proof: Proof, listed: Sequence[str], texts: Sequence[bytes]) -> None:
    """Say which lines are not those of which the bundle was made."""
    found = [sha256(text).hexdigest() for text in texts]
    if found == listed:
        return
    made, here = set(listed), set(found)
    if len(found) > MOST_COMPARED:
        for i, each in enumerate(found):
            if each not in made:
                proof.faults.append((i + 1, "this line is not as it was made"))
        return
    for what, a, b, c, d in SequenceMatcher(None, listed, found, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        for k in range(max(b - a, d - c)):
            place = c + k + 1
            if k < d - c and found[c + k] in made:
                was = listed.index(found[c + k]) + 1
                proof.faults.append((place, f"this is line {was} of the bundle, in another place"))
            elif k < d - c and k < b - a:
                proof.faults.append((place, "this line is not as it was made"))
            elif k < d - c:
                proof.faults.append((place, "this line is none of the bundle's"))
            elif listed[a + k] not in here:
                proof.faults.append((d + 1, f"line {a + k + 1} of the bundle is missing before this one"))  # fmt: skip


# -- what fits together --------------------------------------------------------------------------------


class _Reading:
    """Reads line after line."""

    def __init__(
        self, proof: Proof, manifest: dict[str, Json] | None, pinned: Collection[str]
    ) -> None:
        self._proof = proof
        self._trusted = set(pinned) or {str(proof.key)}
        self._chains: dict[str, _OfChain] = {}
        self._heads = {
            (each[0], each[1]): each[2] for each in (manifest or {}).get("heads", []) if len(each) == 3
        }  # fmt: skip
        self._of_some = False

    def all(self, lines: Sequence[dict[str, Json] | None]) -> None:
        """Check every line, and what is missing at their end."""
        if not lines or lines[0] is None or lines[0].get("line") != "bundle":
            self._fault(1, "the bundle does not begin with what was asked for")
        for number, line in enumerate(lines, start=1):
            try:
                self._one(number, line)
            except (KeyError, ValueError, TypeError, IndexError, AttributeError):
                self._fault(number, "this is no line of evidence")
        for of_chain in self._chains.values():
            self._end_of_link(of_chain)
            self._end_of_run(of_chain)
        self._check_before()

    def _fault(self, number: int, what: str) -> None:
        self._proof.faults.append((number, what))

    def _one(self, number: int, line: dict[str, Json] | None) -> None:
        match (line or {}).get("line"), line:
            case "bundle", dict(found):
                self._proof.asked, self._proof.made_at = found["asked"], found["made_at"]
                asked = found["asked"]
                self._of_some = any(asked[name] for name in ("subject", "event", "source"))
            case "chain", dict(found):
                self._chain(number, found)
            case "gap", dict(found):
                self._gap(number, found)
            case "link", dict(found):
                self._link(number, found)
            case "entry", dict(found):
                self._entry(number, found)
            case _:
                self._fault(number, "this is no line of evidence")

    def _chain(self, number: int, found: dict[str, Json]) -> None:
        chain = Chain(
            name=found["chain"],
            begun_at=found["begun_at"],
            key=str(found["key"]),
            before=tuple(Named(n, s, bytes.fromhex(h)) for n, s, h in found["before"]),
        )
        if chain.name in self._chains:
            self._fault(number, f"chain {chain.name} begins for a second time")
        self._check_key(number, chain.name, chain.key)
        self._chains[chain.name] = _OfChain(chain)
        self._proof.chains += 1

    def _check_key(self, number: int, chain: str, key: Json) -> None:
        if key not in self._trusted and self._proof.key is not None:
            self._fault(number, f"chain {chain} is signed with {key}: name that with --key if it is yours")  # fmt: skip

    def _gap(self, number: int, found: dict[str, Json]) -> None:
        of_chain = self._chains[found["chain"]]
        gap = Gap(
            chain=found["chain"],
            until=found["until"],
            hash=bytes.fromhex(found["hash"]),
            at=found["at"],
            let_go_at=found["let_go_at"],
        )
        if not _signed(found["key"], OF_GAP + canonical(gap.facts), found["signature"]):
            self._fault(number, f"that chain {gap.chain} was cut off is not what was signed")
        self._check_key(number, gap.chain, found["key"])
        of_chain.gap = gap
        self._proof.gaps += 1

    def _link(self, number: int, found: dict[str, Json]) -> None:
        link = Link(
            chain=found["chain"],
            seq=found["seq"],
            at=found["at"],
            previous=bytes.fromhex(found["previous"]),
            root=bytes.fromhex(found["root"]),
            count=found["count"],
        )
        if link.chain not in self._chains:
            self._fault(number, f"the beginning of chain {link.chain} is missing")
            return
        of_chain = self._chains[link.chain]
        self._end_of_link(of_chain)
        self._check_order(number, link, of_chain)
        leaves = [bytes.fromhex(each) for each in found.get("leaves", [])]
        if "leaves" in found and (root_of(leaves) != link.root or len(leaves) != link.count):
            self._fault(number, f"the digests in link {link.seq} are not those that were committed")
        signature = found.get("signature")
        is_good = signature is None or _signed(of_chain.chain.key, OF_LINK + link.hash, signature)
        if not is_good:
            self._fault(number, f"link {link.seq} of chain {link.chain} is not what was signed")
        of_chain.last, of_chain.last_line = link, number
        of_chain.is_open = signature is None
        of_chain.leaves, of_chain.shown = leaves, set()
        self._proof.links += 1

    def _check_order(self, number: int, link: Link, of_chain: _OfChain) -> None:
        """Whether a link follows what was shown before it."""
        last, name = of_chain.last, f"link {link.seq} of chain {link.chain}"
        before: bytes | None = None
        if last is not None and link.seq <= last.seq:
            self._fault(number, f"{name} stands behind link {last.seq}")
            return
        if last is not None and link.seq == last.seq + 1:
            before = last.hash
        elif link.seq == 0:
            before = of_chain.chain.hash
        elif of_chain.gap is not None and link.seq == of_chain.gap.until + 1:
            before = of_chain.gap.hash
        elif last is not None and (of_chain.is_open or not self._of_some):
            missing = f"links {last.seq + 1} to {link.seq - 1}"
            self._fault(number, f"{missing} of chain {link.chain} are missing before this one")
        elif last is None and not self._of_some and self._proof.asked.get("since") is None:
            first = 0 if of_chain.gap is None else of_chain.gap.until + 1
            missing = f"links {first} to {link.seq - 1}"
            self._fault(number, f"{missing} of chain {link.chain} are missing before this one")
        if before is not None and link.previous != before:
            self._fault(number, f"{name} does not follow the one before it: one of the two was changed")  # fmt: skip

    def _end_of_link(self, of_chain: _OfChain) -> None:
        """Whether all of a link is shown, where all was asked for."""
        last = of_chain.last
        if last is None or self._of_some or not self._in_period(last):
            return
        for i in range(last.count):
            if i not in of_chain.shown:
                self._fault(of_chain.last_line, f"entry {i} of link {last.seq} of chain {last.chain} is missing")  # fmt: skip

    def _in_period(self, link: Link) -> bool:
        since, until = (self._proof.asked.get(name) for name in ("since", "until"))
        return (since is None or link.at >= since) and (until is None or link.at < until)

    def _end_of_run(self, of_chain: _OfChain) -> None:
        """Whether the last link is signed, or is the head that the manifest speaks for."""
        last = of_chain.last
        if last is None or not of_chain.is_open:
            return
        if self._heads.get((last.chain, last.seq)) != last.hash.hex():
            self._fault(of_chain.last_line, f"no signature covers link {last.seq} of chain {last.chain}")  # fmt: skip

    def _check_before(self) -> None:
        """Whether chains end as those say that began after them."""
        for later in self._chains.values():
            for named in later.chain.before:
                earlier = self._chains.get(named.chain)
                if earlier is None or earlier.last is None:
                    continue
                last = earlier.last
                if last.seq == named.seq and last.hash != named.hash:
                    self._fault(earlier.last_line, f"chain {later.chain.name} names another link {named.seq} of chain {named.chain}")  # fmt: skip
                if last.seq < named.seq and not self._of_some and self._proof.asked.get("until") is None:  # fmt: skip
                    self._fault(earlier.last_line, f"links {last.seq + 1} to {named.seq} of chain {named.chain} are missing behind this one")  # fmt: skip

    def _entry(self, number: int, found: dict[str, Json]) -> None:
        of_chain = self._chains.get(found["chain"])
        seq, i, entry, personal = found["seq"], found["i"], found["entry"], found["personal"]
        if of_chain is None or of_chain.last is None or of_chain.last.seq != seq:
            self._fault(number, f"link {seq} of chain {found['chain']} is missing before this entry")  # fmt: skip
            return
        what = f"entry {i} of link {seq} of chain {found['chain']}"
        if i in of_chain.shown:
            self._fault(number, f"{what} is there for a second time")
        of_chain.shown.add(i)
        leaves = of_chain.leaves
        if not 0 <= i < len(leaves) or digest(canonical(entry)) != leaves[i]:
            self._fault(number, f"{what} is not what was committed")
        elif personal is None:
            self._proof.erased += entry["personal"] is not None
        elif digest(canonical(personal)).hex() != entry["personal"]:
            self._fault(number, f"what is personal of {what} is not what was committed")
        self._proof.entries.append((entry, personal))


def _signed(key: Json, content: bytes, signature: Json) -> bool:
    try:
        public = Ed25519PublicKey.from_public_bytes(parse_public(key))
        public.verify(bytes.fromhex(signature), content)
    except (InvalidSignature, TypeError, ValueError, AttributeError):
        return False
    return True
