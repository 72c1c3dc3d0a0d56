"""The ballast, on a real file system."""

import errno
import os
import stat

import pytest

from gateway.store.disk import Disk, ballast_path, has_room, release

MIB = 1024 * 1024


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path / "gateway.db", ballast=2 * MIB, reserve=4 * MIB)
    yield made
    made.release_ballast()


def test_the_ballast_takes_its_room_on_the_disk_and_gives_it_back(disk, tmp_path):
    assert not disk.has_ballast
    disk.make_ballast()
    assert disk.has_ballast
    file = ballast_path(tmp_path / "gateway.db").stat()
    assert file.st_blocks * 512 >= 2 * MIB  # it is no hole
    assert stat.S_IMODE(file.st_mode) == 0o600
    disk.release_ballast()
    assert not disk.has_ballast
    assert list(tmp_path.iterdir()) == []


def test_a_ballast_of_an_earlier_run_that_was_smaller_is_made_whole(disk, tmp_path):
    ballast_path(tmp_path / "gateway.db").write_bytes(b"\0" * MIB)
    assert not disk.has_ballast
    disk.make_ballast()
    assert disk.has_ballast


def test_where_it_cannot_be_made_nothing_is_left(tmp_path):
    too_much = Disk(tmp_path / "gateway.db", ballast=MIB, reserve=0)
    too_much.ballast_bytes = 1 << 60
    too_much.make_ballast()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.ENOSPC])
def test_a_quota_that_is_used_up_is_no_room_like_a_full_disk(disk, tmp_path, monkeypatch, number):
    database = tmp_path / "gateway.db"
    assert has_room(database)

    def refused(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", refused)
    monkeypatch.setattr(os, "posix_fallocate", refused)
    assert not has_room(database)
    assert not disk.make_ballast()
    assert list(tmp_path.iterdir()) == []
    number = errno.EIO
    assert has_room(database)  # that is another trouble
    assert disk.make_ballast()


def test_without_a_ballast_nothing_is_made_and_nothing_missed(tmp_path):
    none = Disk(tmp_path / "gateway.db", ballast=0, reserve=0)
    assert none.has_ballast
    none.make_ballast()
    release(ballast_path(tmp_path / "gateway.db"))
    assert list(tmp_path.iterdir()) == []


def test_of_a_small_disk_only_a_share_is_taken(tmp_path):
    seen = os.statvfs(tmp_path)
    whole = seen.f_blocks * seen.f_frsize
    greedy = Disk(tmp_path / "gateway.db", ballast=whole, reserve=whole)
    assert greedy.ballast_bytes == whole // 8
    assert greedy.reserve_bytes == whole // 16
    assert 0 < greedy.free_bytes() < whole
