"""Many callers, one transaction at a time."""

import asyncio
import threading

import pytest

from gateway.core.errors import StoreBehind, StoreUnavailable
from gateway.store.group_commit import LARGEST_BATCH, GroupCommit, InTask, InThread, Room


class Recording:
    """Commits by noting the batches; holds each until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.begun = threading.Event()

    def __call__(self, operations):
        self.begun.set()
        self.may_commit.wait()
        self.batches.append(list(operations))
        return [operation * 10 for operation in operations]


@pytest.fixture
async def commits():
    recording = Recording()
    group = GroupCommit(InThread(recording, name="test"))
    yield group, recording
    recording.may_commit.set()
    await group.close()


async def test_what_one_turn_of_the_loop_submits_is_one_batch(commits):
    group, recording = commits
    assert await asyncio.gather(*(group.submit(i) for i in range(5))) == [0, 10, 20, 30, 40]
    assert recording.batches == [[0, 1, 2, 3, 4]]


async def test_what_waits_while_a_batch_commits_is_the_next_one(commits):
    group, recording = commits
    recording.may_commit.clear()
    first = group.submit(1)
    await asyncio.to_thread(recording.begun.wait)
    later = [group.submit(i) for i in (2, 3)]
    assert group.waiting == 2
    recording.may_commit.set()
    await asyncio.gather(first, *later)
    assert recording.batches == [[1], [2, 3]]


async def test_a_batch_has_a_largest_size(commits):
    group, recording = commits
    await asyncio.gather(*(group.submit(i) for i in range(LARGEST_BATCH + 1)))
    assert [len(batch) for batch in recording.batches] == [LARGEST_BATCH, 1]


async def test_each_caller_gets_its_own_exception():
    group = GroupCommit(
        InThread(lambda ops: [ValueError(str(op)) if op % 2 else op for op in ops], name="t")
    )
    results = await asyncio.gather(*(group.submit(i) for i in range(3)), return_exceptions=True)
    assert [str(r) for r in results] == ["0", "1", "2"]
    assert isinstance(results[1], ValueError)
    await group.close()


async def test_a_commit_that_raises_is_heard_by_all_and_the_next_goes_on():
    calls = []

    def commit(operations):
        calls.append(operations)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return operations

    group = GroupCommit(InThread(commit, name="test"))
    results = await asyncio.gather(group.submit(1), group.submit(2), return_exceptions=True)
    assert [str(r) for r in results] == ["broken", "broken"]
    assert await group.submit(3) == 3
    await group.close()


async def test_a_caller_that_went_away_does_not_disturb_the_others(commits):
    group, recording = commits
    recording.may_commit.clear()
    gone, stays = group.submit(1), group.submit(2)
    await asyncio.to_thread(recording.begun.wait)
    gone.cancel()
    recording.may_commit.set()
    assert await stays == 20
    assert recording.batches == [[1, 2]]


async def test_closing_commits_what_was_submitted(commits):
    group, recording = commits
    future = group.submit(7)
    await group.close()
    assert future.result() == 70
    assert recording.batches == [[7]]


# -- when too much waits ---------------------------------------------------------------------------


@pytest.fixture
async def held():
    """A group whose first batch does not end until it is let go."""
    recording = Recording()
    recording.may_commit.clear()
    groups = []

    def begin(**room) -> GroupCommit:
        groups.append(GroupCommit(InThread(recording, name="test"), room=Room(**room)))
        return groups[-1]

    yield begin, recording
    recording.may_commit.set()
    for group in groups:
        await group.close()


async def test_a_queue_that_is_full_has_no_room_and_has_it_again_when_it_is_committed(held):
    begin, recording = held
    group = begin(operations=2, age_seconds=1000)
    first = group.submit(1)
    await asyncio.to_thread(recording.begun.wait)
    waiting = [group.submit(2)]
    group.check_room()
    waiting.append(group.submit(3))
    with pytest.raises(StoreBehind, match="2 operations wait"):
        group.check_room()
    waiting.append(group.submit(4))  # what is not asked about is taken all the same: outcomes are
    recording.may_commit.set()
    await asyncio.gather(first, *waiting)
    group.check_room()


async def test_bytes_count_until_they_are_committed(held):
    begin, recording = held
    group = begin(size_bytes=100, age_seconds=1000)
    futures = [group.submit(1, 60)]
    group.check_room()
    futures.append(group.submit(2, 60))
    with pytest.raises(StoreBehind):
        group.check_room()
    recording.may_commit.set()
    await asyncio.gather(*futures)
    group.check_room()


async def test_a_commit_that_takes_too_long_leaves_no_room_and_says_for_how_long(held):
    begin, recording = held
    group = begin(age_seconds=0)
    assert not group.stuck
    assert group.waited_seconds == 0
    future = group.submit(1)
    await asyncio.to_thread(recording.begun.wait)
    assert group.stuck
    assert group.waited_seconds > 0
    with pytest.raises(StoreBehind, match="the oldest since"):
        group.check_room()
    recording.may_commit.set()
    await future
    assert not group.stuck
    group.check_room()


async def test_what_waited_for_a_slow_commit_is_as_old_when_its_own_begins(held):
    begin, recording = held
    group = begin()
    first = group.submit(1)
    await asyncio.to_thread(recording.begun.wait)
    second = group.submit(2)
    submitted_at = group._first_waiting_at
    first.add_done_callback(lambda _: recording.may_commit.clear())
    recording.may_commit.set()
    await first
    assert group._oldest_at == submitted_at
    recording.may_commit.set()
    await second


async def test_whether_commits_fail_is_known_before_those_who_wait_hear_of_it():
    outcomes = [StoreUnavailable("no"), StoreUnavailable("still no"), 0, 0]
    group = GroupCommit(
        InThread(lambda operations: [outcomes.pop(0) for _ in operations], name="test")
    )
    order = []
    group.on_change = lambda: order.append(str(group.failure))
    for _ in range(4):
        future = group.submit(1)
        future.add_done_callback(lambda _: order.append("heard"))
        await asyncio.gather(future, return_exceptions=True)
    assert order == ["no", "heard", "still no", "heard", "None", "heard", "heard"]
    assert group.failure is None
    await group.close()


async def test_a_task_commits_as_a_thread_does():
    batches = []

    async def commit(operations):
        batches.append(list(operations))
        if 13 in operations:
            raise ValueError("13")
        return [operation * 10 for operation in operations]

    group = GroupCommit(InTask(commit))
    assert await asyncio.gather(*(group.submit(i) for i in range(3))) == [0, 10, 20]
    with pytest.raises(ValueError, match="13"):
        await group.submit(13)
    last = group.submit(4)
    await group.close()
    assert await last == 40
    assert batches == [[0, 1, 2], [13], [4]]


async def test_batches_are_counted_by_how_long_they_took_and_how_many_they_were(commits):
    group, recording = commits
    recording.may_commit.clear()
    waiting = asyncio.gather(*(group.submit(i) for i in range(3)))
    await asyncio.to_thread(recording.begun.wait)
    assert group.seconds.cumulated()[-1] == 0  # it is not over
    recording.may_commit.set()
    await waiting
    await group.submit(4)
    assert group.sizes.cumulated()[:3] == [1, 1, 2]  # one of one, one of three
    assert group.seconds.cumulated()[-1] == 2
    assert group.seconds.total > 0
