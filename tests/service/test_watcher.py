"""What counts as a change of files that are watched, and how often."""

import asyncio

import pytest

from gateway import watcher
from gateway.config.settings import Settings
from gateway.config.tokens import add_token
from gateway.core.access import Scope
from gateway.service import Service

SOME_LOOKS = 10


class Watched:
    """A file that is watched, and those that a change of it names from then on."""

    def __init__(self, folder, newcomer, told):
        self.first = folder / "routes.yaml"
        self.first.write_text("before")
        self.files = [self.first]
        self.changes = 0
        self._newcomer = newcomer
        self._told = told
        self._looks = asyncio.Queue()
        self.watcher = watcher.Watcher(self._look, tuple, self._changed)

    def _look(self):
        self._looks.put_nowait(None)
        return self.files

    async def _changed(self):
        self.changes += 1
        if self._newcomer not in self.files:
            self.files = [*self.files, self._newcomer]
            self._told()

    async def looked(self, count):
        """Return when it has looked so often again."""
        for _ in range(count):
            await self._looks.get()


@pytest.fixture
async def watched(tmp_path, monkeypatch):
    monkeypatch.setattr(watcher, "LOOK_EVERY_MS", 50)
    running = []

    def make(told=lambda: None):
        found = Watched(tmp_path, tmp_path / "secret", told)
        found.watcher.start()
        running.append(found)
        return found

    yield make
    for each in running:
        await each.watcher.stop()


async def test_files_that_a_change_brings_are_no_second_change(watched, tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    found = watched()
    found.first.write_text("names the secret")
    while not found.changes:
        await found.looked(1)
    await found.looked(SOME_LOOKS)
    assert found.changes == 1
    (tmp_path / "secret").write_text("another")
    while found.changes < 2:
        await found.looked(1)


async def test_a_file_that_was_written_while_it_was_read_is_a_second_change(watched, tmp_path):
    found = watched(told=lambda: (tmp_path / "secret").write_text("late"))
    found.first.write_text("names the secret")
    while found.changes < 2:
        await found.looked(1)


@pytest.fixture
async def guarded(routes_file, tmp_path):
    """A service that made its own file of tokens just now."""
    settings = Settings(
        routes=routes_file, database=tmp_path / "data" / "gateway.db",
        admin_token_file=tmp_path / "tokens", listen=("127.0.0.1", 0), admin=("127.0.0.1", 0),
    )  # fmt: skip
    service = await Service.open(settings)
    await service.start()
    yield service
    await service.stop()


async def test_a_file_of_tokens_is_taken_over_and_the_routes_are_left_alone(guarded, tmp_path):
    reports, told = [], asyncio.Event()

    def listen(name, _fields):
        reports.append(name)
        if name == "tokens.reloaded":
            told.set()

    guarded.telemetry.listen(listen)
    assert guarded._watcher._seen == guarded._watcher._content()
    assert guarded._token_watcher._seen == guarded._token_watcher._content()
    add_token(tmp_path / "tokens", "reader", frozenset({Scope.READ}))
    await told.wait()
    assert "routes.reloaded" not in reports
    assert guarded._watcher._seen == guarded._watcher._content()


async def test_a_change_that_cannot_be_taken_over_does_not_end_the_watch(watched, caplog):
    found, failed = watched(), []

    async def fail() -> None:
        failed.append(None)
        raise RuntimeError("a fault of the loader")

    taken, found.watcher._changed = found.watcher._changed, fail
    found.first.write_text("trips it")
    while not failed:
        await found.looked(1)
    found.watcher._changed = taken
    found.first.write_text("good again")
    while not found.changes:
        await found.looked(1)
    assert "could not be taken over" in caplog.text
