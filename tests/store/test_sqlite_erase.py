"""Erasing, as SQLite does it: nothing of what was said is left in any file."""

import pytest

from tests.kit.build import an_arrival, an_event
from tests.store.test_encryption import everything_in
from tests.store.test_erase import MARK, a_person, attempted, erased


@pytest.fixture
def store(sqlite_store):
    return sqlite_store


async def scrubbed(store) -> bool:
    while (await store.room()).free:
        await store.give_back(1 << 20)
    return await store.empty_log()


async def test_what_was_said_is_gone_from_every_file_while_it_is_open(store, tmp_path):
    arrivals = [await a_person(store, pad=pad) for pad in (1, 5, 40, 300, 900) for _ in range(6)]
    others = [an_arrival(an_event(subject="x", data={"x": "y" * 900})) for _ in range(200)]
    for i, arrival in enumerate(arrivals):
        await attempted(store, arrival)
        await store.append(others[i * 5 : i * 5 + 5])
    assert MARK.encode() in everything_in(tmp_path)  # the subject stays plain
    assert await erased(store, *arrivals) == (30, 0, 0)
    assert await scrubbed(store)
    assert MARK.encode() not in everything_in(tmp_path)
    assert len((await store.event(others[3].event.event_id)).data["x"]) == 900


async def test_bytes_of_what_was_pruned_before_are_gone_too(store, tmp_path):
    arrivals = [await a_person(store, pad=400) for _ in range(40)]
    for arrival in arrivals:
        await attempted(store, arrival)
    assert await store.prune([a.event.event_id for a in arrivals[1:]]) == 39
    await erased(store, arrivals[0])
    await scrubbed(store)
    connection = store._writer._connection
    connection.execute("DELETE FROM inbox")  # entries go by their own time
    await scrubbed(store)
    assert MARK.encode() not in everything_in(tmp_path)


async def test_the_log_is_not_emptied_under_a_reader_and_it_is_said(store):
    await store.append([an_arrival()])
    await store._reader.rows("BEGIN")
    await store._reader.rows("SELECT count(*) FROM events")
    await store.append([an_arrival()])
    assert not await store.empty_log()
    await store._reader.rows("COMMIT")
    assert await store.empty_log()
