"""Whether events can be taken, and attempts begin, as far as the store can write it down."""

import asyncio

import pytest

from gateway.core.errors import DiskFull, StoreBroken, StoreUnavailable
from gateway.core.model import SECOND
from gateway.core.retry import Finish
from tests.flows.test_deliver import Broken, arrive, to_cms
from tests.kit.build import NOW, an_event

MIB = 1024 * 1024


class FakeDisk:
    """A disk that has as much room as a test says."""

    ballast_bytes = 16 * MIB
    reserve_bytes = 64 * MIB

    def __init__(self, free_mib: float = 1000) -> None:
        self.room_bytes = int(free_mib * MIB)
        """Free, and in the ballast."""
        self.has_ballast = False
        self.quota_bytes: int | None = None
        """What may be taken, whatever is free."""

    def free_bytes(self) -> int:
        return self.room_bytes - (self.ballast_bytes if self.has_ballast else 0)

    def make_ballast(self) -> bool:
        self.has_ballast = self.quota_bytes is None or self.quota_bytes >= self.ballast_bytes
        return self.has_ballast

    def release_ballast(self) -> None:
        self.has_ballast = False


def is_refused(flows) -> bool:
    try:
        flows.intake.check()
    except StoreUnavailable:
        return True
    return False


# -- the store -------------------------------------------------------------------------------------


async def test_while_commits_fail_nothing_is_taken_and_the_first_that_succeeds_ends_it(
    make_flows, clock
):
    flows = make_flows(to_cms())
    assert flows.intake.ready
    broken = Broken(flows.store)
    with pytest.raises(StoreUnavailable):
        await arrive(flows)
    assert is_refused(flows)
    assert not flows.intake.ready
    assert flows.intake.status()["state"] == "storage-unavailable"
    broken.mend()
    clock.advance(1)  # nobody sends anything
    await flows.seen("store.recovered")
    assert not is_refused(flows)
    assert flows.intake.ready
    assert flows.intake.status()["state"] == "ok"
    assert flows.lanes.held_by == set()
    await arrive(flows)
    await flows.seen("attempt.recorded")


async def test_a_failure_that_lasts_is_reported_once_and_tried_once_a_second(make_flows, clock):
    flows = make_flows(to_cms())
    broken = Broken(flows.store)
    with pytest.raises(StoreUnavailable):
        await arrive(flows)
    tried, began = [], asyncio.get_running_loop().time()
    fails = flows.store._commits._committer._commit
    flows.store._commits._committer._commit = lambda operations: (
        tried.append(1),
        fails(operations),
    )[1]
    for _ in range(3):
        count = len(tried)
        clock.advance(1)
        while len(tried) == count:
            await flows.store.next_due()
    for _ in range(100):  # nobody tries because time passes that is not a second
        await flows.store.next_due()
    # Two loops try; the clock wakes them, and what waits for a second of it waits for a real one.
    assert len(tried) <= 2 * (1 + 3 + asyncio.get_running_loop().time() - began)
    assert len([name for name, _ in flows.reports if name == "store.unavailable"]) == 1
    broken.mend()


async def test_a_broken_store_is_never_tried_again(make_flows, clock):
    flows = make_flows(to_cms())
    flows.store._writer._broken = StoreBroken("the disk lost it")
    with pytest.raises(StoreBroken):
        await arrive(flows)
    assert flows.broken.is_set()
    flows.store._writer._broken = None  # were it asked again, it would answer now
    clock.advance(5)
    await flows.store.next_due()
    assert is_refused(flows)
    assert flows.lanes.held_by == {"store"}


async def test_an_outcome_that_outlasts_its_lease_is_recorded_and_the_attempt_not_made_again(
    make_flows, clock
):
    flows = make_flows(to_cms(concurrency=1))
    flows.sender.may_answer.clear()
    await arrive(flows)
    broken = Broken(flows.store)
    flows.sender.may_answer.set()
    await flows.seen("store.unavailable")
    assert len(flows.recorder.tokens()) == 1
    clock.advance(3600)  # the store was down for an hour
    broken.mend()
    await flows.seen("attempt.recorded")
    assert await flows.states() == {"cms": "delivered"}
    assert len(flows.sender.calls) == 1
    assert flows.recorder.tokens() == []


async def test_reclaiming_leaves_out_what_waits_to_be_recorded(make_flows, clock):
    flows = make_flows(to_cms())
    asked = []
    reclaim = flows.store.reclaim

    async def noted(now, but=()):
        asked.append(list(but))
        return await reclaim(now, but)

    flows.store.reclaim = noted
    await arrive(flows)
    (recorded,) = await flows.seen("attempt.recorded")
    outcome = (recorded["delivery"], recorded["attempt"], Finish())
    flows.recorder._unrecorded.append(outcome)
    clock.advance(10)
    while [recorded["delivery"].lease.token] not in asked:
        await flows.store.next_due()
    flows.recorder._unrecorded.clear()


# -- the disk --------------------------------------------------------------------------------------


async def test_a_disk_that_fills_up_goes_down_the_steps_and_up_again(make_flows, clock):
    disk = FakeDisk()
    flows = make_flows(to_cms(), disk=disk)
    await flows.intake.look()
    assert disk.has_ballast
    disk.room_bytes = 70 * MIB
    await flows.intake.look()
    assert is_refused(flows)
    assert flows.lanes.held_by == set()  # what is stored goes on
    assert disk.has_ballast
    disk.room_bytes = 20 * MIB
    await flows.intake.look()
    assert not disk.has_ballast
    assert flows.lanes.held_by == set()  # in the room of the ballast
    disk.room_bytes = 7 * MIB
    await flows.intake.look()
    assert flows.lanes.held_by == {"disk"}
    disk.room_bytes = 95 * MIB
    await flows.intake.look()
    assert is_refused(flows)
    assert flows.lanes.held_by == set()
    disk.room_bytes = 96 * MIB
    await flows.intake.look()
    assert not is_refused(flows)
    assert disk.has_ballast
    names = [name for name, _ in flows.reports if name.startswith("disk.")]
    assert names == ["disk.low", "disk.full", "disk.recovered"]


async def test_a_quota_that_is_used_up_lasts_until_there_is_room_for_the_ballast(make_flows):
    """What the file system says is free is for others."""
    disk = FakeDisk()
    flows = make_flows(to_cms(), disk=disk)
    await flows.intake.look()
    disk.quota_bytes = 0
    await flows.intake._look(failed=True)
    for _ in range(3):
        await flows.intake.look()
    with pytest.raises(DiskFull, match="a quota used up"):
        flows.intake.check()
    disk.quota_bytes = 16 * MIB
    await flows.intake.look()
    assert not is_refused(flows)
    told = [name for name, _ in flows.reports if name.startswith("disk.")]
    assert told == ["disk.full", "disk.recovered"]


async def test_a_ballast_that_cannot_be_made_is_told_once(make_flows, monkeypatch):
    disk = FakeDisk()
    monkeypatch.setattr(disk, "make_ballast", lambda: True)
    flows = make_flows(to_cms(), disk=disk)
    for _ in range(3):
        await flows.intake.look()
    monkeypatch.undo()
    await flows.intake.look()
    disk.release_ballast()
    monkeypatch.setattr(disk, "make_ballast", lambda: True)
    await flows.intake.look()
    told = [name for name, _ in flows.reports if name.startswith("disk.")]
    assert told == ["disk.without_ballast"] * 2
    assert not is_refused(flows)


async def test_the_sender_hears_that_the_disk_is_full_and_the_operator_how_much_is_left(
    make_flows,
):
    flows = make_flows(to_cms(), disk=FakeDisk(50))
    await flows.intake.look()
    with pytest.raises(DiskFull, match="50 MiB left"):
        flows.intake.check()
    status = flows.intake.status()
    assert (status["state"], status["free_bytes"], status["ballast"]) == (
        "disk-full", 50 * MIB, False,
    )  # fmt: skip


async def test_a_commit_that_finds_no_room_throws_the_ballast_off(make_flows, clock):
    disk = FakeDisk()
    flows = make_flows(to_cms(), disk=disk)
    await flows.intake.look()
    group = flows.store._commits._committer
    commit = group._commit
    group._commit = lambda operations: [DiskFull("no room")] * len(operations)
    with pytest.raises(DiskFull):
        await arrive(flows, an_event())
    await flows.seen("disk.full")
    assert not disk.has_ballast
    assert is_refused(flows)
    group._commit = commit
    clock.advance(1)
    await flows.seen("disk.recovered")
    assert disk.has_ballast
    assert not is_refused(flows)
    await arrive(flows, an_event(received_at=NOW + 2 * SECOND))
    await flows.seen("attempt.recorded")
