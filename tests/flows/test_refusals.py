"""Refused requests: taken in passing, few of them, and never anyone's burden."""

import asyncio
from hashlib import sha256

import pytest

from gateway.core.errors import (
    BodyTooLarge,
    MethodNotAllowed,
    RateLimited,
    StoreUnavailable,
    VerificationFailed,
)
from gateway.core.model import SECOND
from gateway.flows.refusals import (
    LONGEST_BODY,
    MOST_WAITING,
    OF_A_SOURCE,
    OF_ALL,
    Head,
    Refusals,
)
from gateway.telemetry import Telemetry

HEAD = Head("POST", [(b"content-type", b"application/json"), (b"cookie", b"a=b")], "192.0.2.7")


def refused(body: bytes = b"{}") -> VerificationFailed:
    error = VerificationFailed("bad_signature")
    error.body = body
    return error


class Kept:
    """What a store would have kept; it fails as told."""

    def __init__(self) -> None:
        self.batches: list[list] = []
        self.fails = False

    async def keep_refusals(self, refusals, *, most, most_bytes):
        if self.fails:
            raise StoreUnavailable("the disk is full")
        self.batches.append(list(refusals))


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def refusals(kept, clock) -> Refusals:
    return Refusals(store=kept, clock=clock, telemetry=Telemetry(), first_serial=1)


async def test_a_refused_request_is_kept_with_why_and_from_whom(make_flows):
    flows = make_flows()
    flows.refusals.note("getty", refused(b"{broken"), HEAD)
    await flows.seen("refusals.kept")
    (entry,) = await flows.store.inbox({})
    assert entry["refused"] is True
    assert (entry["source"], entry["code"]) == ("getty", "verification-failed")
    assert (entry["outcome"], entry["peer"], entry["method"]) == (
        "bad_signature",
        "192.0.2.7",
        "POST",
    )
    assert entry["detail"] == "the request could not be verified: bad_signature"
    assert entry["headers"] == [
        ["content-type", "application/json"],
        ["cookie", "<redacted, 3 bytes>"],
    ]
    assert (entry["content_type"], entry["body"]) == ("application/json", "{broken")


async def test_of_a_long_body_the_start_is_kept_with_the_length_and_digest_of_all(refusals, kept):
    refusals.note("getty", refused(b"x" * 100_000), HEAD)
    await refusals.close()
    ((entry,),) = kept.batches
    assert (len(entry.body), entry.body_bytes) == (LONGEST_BODY, 100_000)
    assert len(entry.sha256) == 32


@pytest.mark.parametrize(
    "error", [RateLimited("x", retry_after_seconds=1), MethodNotAllowed("x", allow="POST")]
)
async def test_what_its_answer_explains_is_not_kept(refusals, kept, error):
    refusals.note("getty", error, HEAD)
    await refusals.close()
    assert kept.batches == []


async def test_of_a_body_that_was_not_read_neither_length_nor_digest_is_told(refusals, kept):
    refusals.note("getty", BodyTooLarge("x"), HEAD)
    refusals.note("getty", refused(b""), HEAD)
    await refusals.close()
    unread, empty = kept.batches[0]
    assert (unread.body, unread.body_bytes, unread.sha256) == (b"", None, None)
    assert (empty.body_bytes, empty.sha256) == (0, sha256(b"").digest())


async def test_of_a_flood_at_one_source_only_some_are_kept_and_the_others_stay_free(
    refusals, kept, clock
):
    most, seconds = OF_A_SOURCE
    for _ in range(most * 2):
        refusals.note("getty", refused(), HEAD)
    refusals.note("dam", refused(), HEAD)
    clock.advance(seconds / most / SECOND)
    for _ in range(2):
        refusals.note("getty", refused(), HEAD)
    await refusals.close()
    sources = [entry.source for batch in kept.batches for entry in batch]
    assert sources == ["getty"] * most + ["dam", "getty"]


async def test_of_a_flood_at_many_sources_only_some_are_kept(refusals, kept):
    for number in range(OF_ALL[0] * 2):
        refusals.note(f"source-{number}", refused(), HEAD)
        await refusals._write()
    assert sum(map(len, kept.batches)) == OF_ALL[0]


async def test_only_a_few_wait_for_a_store_that_is_behind(refusals, kept, clock):
    for number in range(1000):
        clock.advance(1)
        refusals.note(f"source-{number}", refused(), HEAD)
    await refusals.close()
    assert sum(map(len, kept.batches)) == MOST_WAITING


async def test_what_a_store_cannot_keep_is_dropped_and_the_next_is_kept(refusals, kept):
    kept.fails = True
    refusals.note("getty", refused(), HEAD)
    await refusals.close()
    kept.fails = False
    refusals.note("getty", refused(b"next"), HEAD)
    await refusals.close()
    assert [entry.body for batch in kept.batches for entry in batch] == [b"next"]


async def test_noting_a_refusal_makes_no_task(refusals):
    before = len(asyncio.all_tasks())
    refusals.note("getty", refused(), HEAD)
    assert len(asyncio.all_tasks()) == before
