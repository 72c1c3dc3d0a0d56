"""Many callers, one transaction at a time."""

import asyncio
import threading

import pytest

from gateway.store.group_commit import LARGEST_BATCH, GroupCommit


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
    group = GroupCommit(recording, name="test")
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
    group = GroupCommit(lambda ops: [ValueError(str(op)) if op % 2 else op for op in ops], name="t")
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

    group = GroupCommit(commit, name="test")
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
