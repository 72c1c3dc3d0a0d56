"""Bundles: whole, and changed by somebody on their way."""

import json

import pytest
import pytest_asyncio

from gateway.core.evidence import OF_BUNDLE, canonical
from gateway.core.evidence_key import EvidenceKey
from gateway.core.proof import verify
from gateway.store.sqlite import SqliteStore
from tests.kit.build import EVIDENCE_KEY, NOW
from tests.store.test_evidence import PUBLIC, bundle, received_and_told, three_links


@pytest_asyncio.fixture
async def store(tmp_path):
    opened = await SqliteStore.open(tmp_path / "gateway.db", evidence=EVIDENCE_KEY)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def lines(store):
    for i in range(3):
        await received_and_told(store, subject=f"asset/{i}", at=NOW + i * 10_000_000)
    found = await bundle(store)
    assert verify(found, [PUBLIC]).faults == []
    return found


def told(lines, pinned=PUBLIC) -> dict[int, str]:
    return dict(verify(lines, [pinned]).faults)


def test_a_line_that_was_changed_is_named(lines):
    for i in range(len(lines) - 1):
        changed = [*lines]
        changed[i] = changed[i].replace(b'"line"', b'"line" ', 1)
        assert told(changed) == {i + 1: "this line is not as it was made"}, i


def test_every_line_that_is_missing_is_named(lines):
    for i in range(len(lines) - 1):
        found = verify([*lines[:i], *lines[i + 1 :]], [PUBLIC]).faults
        assert (i + 1, f"line {i + 1} of the bundle is missing before this one") in found, i


def test_a_line_in_another_place_is_named(lines):
    lines[4], lines[6] = lines[6], lines[4]
    assert "in another place" in " ".join(told(lines).values())


def test_a_line_that_was_put_in_is_named(lines):
    assert told([*lines[:3], b'{"line":"note"}', *lines[3:]])[4] in {
        "this line is none of the bundle's",
        "this is no line of evidence",
    }


def test_a_bundle_that_was_cut_off_says_so(lines):
    assert told(lines[:-1])[0] == "its manifest is missing: the end of the bundle was cut off"
    assert told([])[0] == "its manifest is missing: the end of the bundle was cut off"


def test_a_manifest_that_was_changed_does_not_hold(lines):
    lines[-1] = lines[-1].replace(b'"links":6', b'"links":5')
    assert told(lines) == {len(lines): "the manifest is not what was signed"}


def test_a_bundle_that_another_key_signed_is_refused_where_the_key_is_pinned(lines):
    other = "whpk_" + "A" * 43 + "="
    assert "is signed with" in told(lines, other)[len(lines)]
    assert verify(lines).holds


async def test_whoever_has_the_key_of_bundles_cannot_make_up_an_entry(lines):
    """A manifest that fits what was made up: the links do not."""
    entry = json.loads(lines[3])
    entry["entry"]["source"] = "somebody-else"
    lines[3] = canonical(entry)
    facts = json.loads(lines[-1])
    del facts["signature"]
    facts["lines"][3] = __import__("hashlib").sha256(lines[3]).hexdigest()
    facts["signature"] = EVIDENCE_KEY.private.sign(OF_BUNDLE + canonical(facts)).hex()
    lines[-1] = canonical(facts)
    assert list(told(lines)) == [4]
    assert "is not what was committed" in told(lines)[4]


@pytest.mark.parametrize("line", [b"", b"[]", b"nothing", b'{"line":"link"}', b'{"line":"entry","chain":1}', b"\xff"])  # fmt: skip
def test_nonsense_is_named_and_not_read(lines, line):
    lines[2] = line
    assert not verify(lines, [PUBLIC]).holds


async def test_the_links_up_to_the_next_signature_come_along(store):
    """Within a second only the first is signed."""
    await three_links(store)
    names = [json.loads(line)["entry"]["event"] for line in await bundle(store) if b'"line":"entry"' in line]  # fmt: skip
    lines = await bundle(store, event=names[1])
    assert [json.loads(line)["seq"] for line in lines if b'"line":"link"' in line] == [1, 2]
    assert verify(lines, [PUBLIC]).faults == []


async def test_a_chain_that_another_key_signed_is_named(tmp_path):
    """Whoever can write to the database makes a whole chain, and the gateway shows it."""
    other = EvidenceKey(bytes(32))
    store = await SqliteStore.open(tmp_path / "other.db", evidence=other)
    try:
        await three_links(store)
        lines = await bundle(store)
    finally:
        await store.close()
    assert "name that with --key" in told(lines)[2]
    assert not verify(lines).holds
    assert verify(lines, [PUBLIC, other.public]).holds
