"""Evidence as every engine keeps it, and what shows of it when somebody changes the database."""

import json

import pytest
import pytest_asyncio

from gateway.core.errors import LeaseLost
from gateway.core.model import SECOND, CallRecord
from gateway.core.proof import Proof, verify
from gateway.core.retry import Finish, RetryAt
from gateway.flows.evidence import Asked, Evidence
from gateway.store.evidence import SEQ_BITS
from gateway.store.postgres import PostgresStore
from gateway.store.sqlite import SqliteStore
from tests.kit.build import (
    ENCRYPTION_KEY,
    EVIDENCE_KEY,
    NOW,
    a_lease,
    an_arrival,
    an_event,
)
from tests.kit.stores import raw
from tests.store.conftest import ENGINES
from tests.store.test_contract import an_attempt

PUBLIC = "whpk_ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ="


class At:
    """A clock that stands."""

    def now(self) -> int:
        return NOW + 60 * SECOND


@pytest_asyncio.fixture(params=ENGINES)
async def database(request, tmp_path):
    """Opens stores on one database, on every engine, that write evidence."""
    keys = [ENCRYPTION_KEY] if request.param.endswith("encrypted") else []
    opened = []

    async def on_sqlite():
        return await SqliteStore.open(tmp_path / "gateway.db", keys, evidence=EVIDENCE_KEY)

    async def keep(opening):
        opened.append(await opening)
        return opened[-1]

    if request.param.startswith("sqlite"):
        yield lambda: keep(on_sqlite())
    else:
        postgres = request.getfixturevalue("postgres")
        async with postgres.database() as url:
            yield lambda: keep(PostgresStore.open(url, keys, evidence=EVIDENCE_KEY))
            for store in opened:
                await store.close()
        return
    await opened[-1].close()


@pytest_asyncio.fixture
async def store(database):
    return await database()


async def bundle(store, **asked) -> list[bytes]:
    evidence = Evidence(store.evidence, EVIDENCE_KEY, At(), "0")
    return [line.rstrip(b"\n") async for line in await evidence.bundle(Asked(**asked))]


async def everything(store) -> list[bytes]:
    return await bundle(store)


async def proof_of(store, **asked) -> Proof:
    return verify(await bundle(store, **asked), [PUBLIC])


def entries(proof: Proof, what: str) -> list[dict]:
    return [entry for entry, _ in proof.entries if entry["what"] == what]


async def received_and_told(store, subject="asset/1", endpoint="cms", at=NOW, **event):
    arrival = an_arrival(
        an_event(subject=subject, received_at=at, **event), to=(endpoint,), leased=True
    )
    await store.append([arrival])
    (delivery,) = arrival.deliveries
    attempt = an_attempt(started_at=at, to="https://cms.example/hook", answer="ab" * 32)
    await store.record(delivery, attempt, Finish(None))
    return arrival


async def test_what_was_received_and_who_was_told_is_there_and_holds(store):
    arrival = await received_and_told(store)
    proof = await proof_of(store)
    assert proof.faults == []
    (received,), (attempted,) = entries(proof, "received"), entries(proof, "attempted")
    assert (received["event"], received["id"]) == (arrival.event.event_id, arrival.event.id)
    assert received["body"] == __import__("hashlib").sha256(arrival.event.body).hexdigest()
    (told,) = attempted["attempts"]
    assert (told["endpoint"], told["to"], told["status"]) == (
        "cms",
        "https://cms.example/hook",
        200,
    )
    assert (told["state"], told["answer"], told["lost"]) == ("delivered", "ab" * 32, False)
    assert {personal["subject"] for _, personal in proof.entries if personal} == {"asset/1"}


async def test_no_body_and_no_excerpt_is_in_it(store):
    arrival = an_arrival(an_event(data={"a": "s3nsitive"}), leased=True)
    await store.append([arrival])
    attempt = an_attempt(outcome="raised", status=None, reason="s3nsitive", excerpt="s3nsitive")
    await store.record(arrival.deliveries[0], attempt, RetryAt(NOW, "s3nsitive"))
    assert "s3nsitive" not in b"".join(await bundle(store)).decode()


async def test_a_bundle_about_a_subject_shows_nothing_of_others_but_digests(store):
    await store.append([an_arrival(an_event(subject=f"asset/{i}")) for i in range(3)])
    lines = await bundle(store, subject="asset/1")
    proof = verify(lines, [PUBLIC])
    assert proof.faults == []
    assert [personal["subject"] for _, personal in proof.entries] == ["asset/1"]
    assert b"asset/0" not in b"".join(lines)
    assert len(json.loads(lines[2])["leaves"]) == 3


async def test_it_can_be_asked_for_by_event_source_and_time(store):
    first = await received_and_told(store)
    await received_and_told(store, source="dam", at=NOW + 10 * SECOND)

    async def events(**asked):
        proof = await proof_of(store, **asked)
        assert proof.faults == []
        return {(entry["source"], entry["what"]) for entry, _ in proof.entries}

    both = {("getty", "received"), ("getty", "attempted")}
    of_dam = {("dam", "received"), ("dam", "attempted")}
    assert await events() == both | of_dam
    assert await events(event=first.event.event_id) == both
    assert await events(source="dam") == of_dam
    assert await events(since=NOW + 5 * SECOND) == of_dam
    assert await events(until=NOW + 5 * SECOND) == both
    assert await events(subject="nobody") == set()


async def test_a_duplicate_is_received_once(store):
    for _ in range(2):
        await store.append([an_arrival(an_event(key="k"))])
    assert len(entries(await proof_of(store), "received")) == 1


async def test_an_attempt_whose_lease_was_lost_was_made_all_the_same(store):
    arrival = an_arrival(leased=True)
    await store.append([arrival])
    (delivery,) = arrival.deliveries
    delivery.lease = a_lease(1)
    with pytest.raises(LeaseLost):
        await store.record(delivery, an_attempt(), Finish(None))
    (attempted,) = entries(await proof_of(store), "attempted")
    assert [told["lost"] for told in attempted["attempts"]] == [True]


async def test_what_a_commit_could_not_write_is_no_evidence(store):
    await received_and_told(store)
    broken = an_arrival(an_event())
    broken.event.content_type = object()
    with pytest.raises(Exception):  # noqa: B017
        await store.append([broken])
    await received_and_told(store)
    proof = await proof_of(store)
    assert (proof.faults, len(entries(proof, "received"))) == ([], 2)


async def test_a_chain_names_those_before_it(database):
    store = await database()
    await received_and_told(store)
    await store.close()
    store = await database()
    await received_and_told(store, at=NOW + 10 * SECOND)
    proof = await proof_of(store)
    assert proof.faults == []
    assert proof.chains == (2 if isinstance(store, SqliteStore) else 4)
    lines = [json.loads(line) for line in await bundle(store)]
    named = {each[0] for line in lines if line["line"] == "chain" for each in line["before"]}
    assert len(named) == (1 if isinstance(store, SqliteStore) else 3)


async def test_a_chain_that_begins_meanwhile_is_left_to_the_next_bundle(database, monkeypatch):
    store = await database()
    await received_and_told(store)
    known = await store.evidence.chains()
    await store.close()
    store = await database()
    await received_and_told(store, at=NOW + 10 * SECOND)

    async def chains():
        return known

    monkeypatch.setattr(store.evidence, "chains", chains)
    proof = await proof_of(store, subject="asset/1")
    assert (proof.faults, len(entries(proof, "received"))) == ([], 1)


async def test_erasing_takes_the_subject_out_and_leaves_that_it_was_told(store):
    arrival = an_arrival(an_event(subject="person/1"), leased=True)
    await store.append([arrival])
    call = CallRecord(method="GET", url="https://x/person/1", status=200, reason=None, duration=1)
    await store.record(arrival.deliveries[0], an_attempt(calls=[call]), Finish(None))
    assert b"person/1" in b"".join(await bundle(store))
    await store.erase([arrival.event.event_id], NOW)
    lines = await bundle(store, event=arrival.event.event_id)
    proof = verify(lines, [PUBLIC])
    assert (proof.faults, proof.erased) == ([], 2)
    assert b"person/1" not in b"".join(lines)
    # Who knows whom to ask about still finds it.
    assert len((await proof_of(store, subject="person/1")).entries) == 2


async def test_it_outlives_the_events(store):
    arrival = await received_and_told(store)
    await store.prune([arrival.event.event_id])
    assert await store.event(arrival.event.event_id) is None
    assert len((await proof_of(store, subject="asset/1")).entries) == 2


# -- somebody changes the database ---------------------------------------------------------------------


async def three_links(store) -> None:
    for i in range(3):
        await store.append([an_arrival(an_event(received_at=NOW + i), to=())])


def faults(proof: Proof) -> str:
    return "; ".join(what for _, what in proof.faults)


LINK = 1 << SEQ_BITS


async def test_a_link_that_was_taken_out_is_named(store):
    await three_links(store)
    await raw(store, f"DELETE FROM evidence_links WHERE id = {LINK + 1}")
    assert "links 1 to 1 of chain" in faults(await proof_of(store))


async def test_the_end_that_was_cut_off_is_named_once_another_chain_has_begun(database):
    store = await database()
    await three_links(store)
    await store.close()
    store = await database()
    await three_links(store)
    await raw(store, f"DELETE FROM evidence_links WHERE id = {LINK + 2}")
    assert "links 2 to 2 of chain" in faults(await proof_of(store))


async def test_entries_that_were_changed_are_named(store):
    await three_links(store)
    await raw(
        store,
        f"UPDATE evidence_links SET entries = (SELECT entries FROM evidence_links WHERE id = {LINK})"
        f" WHERE id = {LINK + 1}",
    )
    assert "of link 1 of chain" in faults(await proof_of(store))


async def test_links_that_changed_places_are_named(store):
    await three_links(store)
    for was, becomes in ((LINK, LINK + 9), (LINK + 1, LINK), (LINK + 9, LINK + 1)):
        await raw(store, f"UPDATE evidence_links SET id = {becomes} WHERE id = {was}")
    assert "link 0 of chain" in faults(await proof_of(store))


async def test_a_moment_that_was_changed_is_named(store):
    await three_links(store)
    await raw(store, f"UPDATE evidence_links SET at = at + 1 WHERE id = {LINK + 1}")
    found = faults(await proof_of(store))
    assert "link 2 of chain" in found


async def test_a_chain_that_was_made_anew_without_the_key_is_named(store):
    await three_links(store)
    await raw(store, f"UPDATE evidence_links SET at = at - 1 WHERE id = {LINK}")
    assert "link 0 of chain" in faults(await proof_of(store))
    assert "is not what was signed" in faults(await proof_of(store))


# -- retention -----------------------------------------------------------------------------------------


async def test_what_is_let_go_of_leaves_a_signed_gap(store):
    await three_links(store)
    await store.evidence.let_go(NOW + 2, NOW + 60 * SECOND, 100, EVIDENCE_KEY)
    lines = await bundle(store)
    proof = verify(lines, [PUBLIC])
    assert (proof.faults, proof.gaps, len(proof.entries)) == ([], 1, 1)
    assert await raw(store, "SELECT count(*) FROM evidence_places") == [(2,)]
    await raw(store, f"UPDATE evidence_links SET previous = leaves WHERE id = {LINK + 2}")
    assert "link 2 of chain" in faults(await proof_of(store))


async def test_a_gap_that_nobody_signed_is_named(store):
    await three_links(store)
    await store.evidence.let_go(NOW + 1, NOW, 100, EVIDENCE_KEY)
    await raw(store, f"DELETE FROM evidence_links WHERE id = {LINK + 1}")
    assert "links 1 to 1 of chain" in faults(await proof_of(store))
    (((gap),),) = await raw(store, "SELECT gap FROM evidence_chains")
    wider = gap.replace('"until":0', '"until":1')
    await raw(store, f"UPDATE evidence_chains SET gap = '{wider}'")
    assert "is not what was signed" in faults(await proof_of(store))


async def test_the_last_link_of_a_chain_stays_and_its_size_is_known(store):
    await three_links(store)
    size = await store.evidence.size_bytes()
    assert size > 0
    assert await store.evidence.let_go(NOW + 9 * SECOND, NOW, 100, EVIDENCE_KEY) == 2
    assert await store.evidence.size_bytes() < size
    assert await store.evidence.let_go(NOW + 9 * SECOND, NOW, 100, EVIDENCE_KEY) == 0
