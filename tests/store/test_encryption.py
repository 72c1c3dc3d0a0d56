"""Encryption at rest: what lies in the file, who can read it, and how the key is changed."""

import sqlite3

import pytest

from gateway.core.errors import BodyCorrupt, ConfigError
from gateway.core.model import BodyForm, InboxEntry
from gateway.core.retry import RetryAt
from gateway.store.rows import event_of
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite.read import reading
from gateway.store.vault import Vault
from tests.kit.build import ENCRYPTION_KEY, NOW, a_delivery, a_lease, an_arrival, an_event
from tests.store.test_contract import a_refusal, an_attempt, an_unreadable, keep_refusals

OTHER_KEY = bytes(32)
MARK = "s3nsitive"


async def fill(store) -> str:
    """Store something of everything that a sender or an endpoint says; the id of its event."""
    event = an_event(data={"name": MARK}, note=MARK, subject=None)
    event.splice = b'{"name": "s3nsitive, mapped"}'
    arrival = an_arrival(event, to=())
    arrival.routed.deliveries.append(
        a_delivery(event, form=BodyForm.OWN, body=MARK.encode(), lease=a_lease())
    )
    await store.append([arrival])
    await store.record(
        arrival.deliveries[0], an_attempt(excerpt=f"answer {MARK} ü"), RetryAt(NOW, "http-500")
    )
    await store.keep(
        InboxEntry(
            id="inb_1", source="getty", code="invalid-json", detail="x", received_at=NOW,
            content_type="text/plain", body=MARK.encode(),
        )
    )  # fmt: skip
    return event.event_id


def everything_in(folder) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.glob("gateway.db*")))


@pytest.mark.parametrize(("keys", "found"), [([], True), ([ENCRYPTION_KEY], False)])
async def test_what_senders_and_endpoints_say_is_not_in_the_file(tmp_path, keys, found):
    store = await SqliteStore.open(tmp_path / "gateway.db", keys)
    await fill(store)
    assert (MARK.encode() in everything_in(tmp_path)) is found
    await store.close()
    assert (MARK.encode() in everything_in(tmp_path)) is found


def rows_of(path) -> list[str]:
    connection = sqlite3.connect(path)
    rows = list(connection.iterdump())
    connection.close()
    return rows


async def assert_readable(store, name):
    event = await store.event(name)
    assert (event.attributes["note"], event.data["name"]) == (MARK, f"{MARK}, mapped")
    assert MARK in (await store.shown_event(name))["body"]
    (attempt,) = await store.attempts(name, 0)
    assert (attempt["excerpt"], "data_key" in attempt) == (f"answer {MARK} ü", False)
    (entry,) = await store.inbox({})
    assert (entry["body"], "data_key" in entry) == (MARK, False)
    (delivery,) = await store.claim("cms", [a_lease()], NOW)
    assert (delivery.body, delivery.event.data["name"]) == (MARK.encode(), f"{MARK}, mapped")
    await store.release([delivery])


async def test_all_of_it_is_read_back_by_the_next_process(tmp_path):
    store = await SqliteStore.open(tmp_path / "gateway.db", [ENCRYPTION_KEY])
    name = await fill(store)
    await assert_readable(store, name)
    await store.close()
    store = await SqliteStore.open(tmp_path / "gateway.db", [ENCRYPTION_KEY])
    await assert_readable(store, name)
    await store.close()
    async with reading(tmp_path / "gateway.db", [ENCRYPTION_KEY]) as reader:
        assert event_of(await reader.event_row(name)).data["name"] == f"{MARK}, mapped"
        (row,) = await reader.recorded({})
        assert event_of(row) is not None


@pytest.mark.parametrize("keys", [[], [OTHER_KEY]])
async def test_without_its_key_nothing_is_read_and_nothing_is_touched(tmp_path, keys):
    path = tmp_path / "gateway.db"
    store = await SqliteStore.open(path, [ENCRYPTION_KEY])
    name = await fill(store)
    await store.close()
    before = rows_of(path)
    with pytest.raises(ConfigError, match="--encryption-key: encryption-key"):
        await SqliteStore.open(path, keys)
    with pytest.raises(ConfigError, match="--encryption-key"):
        async with reading(path, keys) as reader:
            await reader.event_row(name)
    assert rows_of(path) == before


@pytest.mark.parametrize("changed", ["AAAA", "A"])
async def test_headers_that_do_not_open_are_said_to_have_changed(tmp_path, changed):
    path = tmp_path / "gateway.db"
    store = await SqliteStore.open(path, [ENCRYPTION_KEY])
    await store.keep(an_unreadable(b"x", headers=(("host", "h"),)))
    await keep_refusals(store, a_refusal())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE inbox SET headers = ?", (changed,))
    connection.close()
    with pytest.raises(BodyCorrupt, match="inb_00000"):
        await store.inbox_entry("inb_00000")
    (refused,) = await store.inbox({"refused": 1})
    assert refused["headers"] == "(what was stored here has changed)"
    await store.close()


async def test_a_database_that_gets_a_key_keeps_what_was_plain_readable(tmp_path):
    store = await SqliteStore.open(tmp_path / "gateway.db")
    plain = an_arrival(an_event(key="k"))
    await store.append([plain])
    await store.close()
    store = await SqliteStore.open(tmp_path / "gateway.db", [ENCRYPTION_KEY])
    sealed = an_arrival()
    again = an_arrival(an_event(key="k"))
    (receipt,) = await store.append([again])
    await store.append([sealed])
    assert receipt.duplicate
    for each in (plain, sealed):
        assert (await store.event(each.event.event_id)).body == each.event.body
    await store.close()


async def test_a_duplicate_is_compared_with_what_was_sealed(tmp_path):
    store = await SqliteStore.open(tmp_path / "gateway.db", [ENCRYPTION_KEY])
    first, again, other = an_event(key="k"), an_event(key="k"), an_event(key="k", data={"x": 1})
    again.body = first.body
    for event in (first, again, other):
        await store.append([an_arrival(event)])
    (entry,) = await store.inbox({})
    assert (entry["code"], entry["body"]) == ("duplicate-differs", other.body.decode())
    await store.close()


async def test_a_key_is_changed_by_naming_the_new_one_first(tmp_path):
    path = tmp_path / "gateway.db"
    store = await SqliteStore.open(path, [ENCRYPTION_KEY])
    name = await fill(store)
    await store.close()
    await (await SqliteStore.open(path, [OTHER_KEY, ENCRYPTION_KEY])).close()
    store = await SqliteStore.open(path, [OTHER_KEY])
    await assert_readable(store, name)
    await store.close()
    with pytest.raises(ConfigError, match="another key"):
        await SqliteStore.open(path, [ENCRYPTION_KEY])


async def test_bytes_of_one_row_do_not_open_in_another(tmp_path):
    store = await SqliteStore.open(tmp_path / "gateway.db", [ENCRYPTION_KEY])
    one, two = an_arrival(), an_arrival()
    await store.append([one, two])
    store._writer._connection.execute(
        "UPDATE events SET body = (SELECT body FROM events WHERE id = ?) WHERE id = ?",
        (one.event.event_id, two.event.event_id),
    )
    for look in (store.event, store.shown_event):
        with pytest.raises(BodyCorrupt):
            await look(two.event.event_id)
    assert (await store.event(one.event.event_id)).body == one.event.body
    await store.close()


async def test_equal_bodies_do_not_look_equal(tmp_path):
    """Nor do their digests: one of the plain bytes would tell which events are the same."""
    store = await SqliteStore.open(tmp_path / "gateway.db", [ENCRYPTION_KEY])
    one, two = an_event(), an_event()
    two.body, two.head, two.splice = one.body, one.head, one.splice
    await store.append([an_arrival(one), an_arrival(two)])
    await store.close()
    connection = sqlite3.connect(tmp_path / "gateway.db")
    rows = connection.execute("SELECT body, head, sha256 FROM events").fetchall()
    connection.close()
    assert rows[0][0] != rows[1][0]
    assert rows[0][1] != rows[1][1]
    assert {row[2] for row in rows} == {b""}


def test_no_two_bytes_are_sealed_with_the_same_key_and_nonce():
    vault = Vault([ENCRYPTION_KEY])
    vault.begin(1)
    nonces = {vault.seal("x", b"y")[:12] for _ in range(1000)}
    assert len(nonces) == 1000
    first = vault.seal("x", b"y")
    vault.begin(2)
    assert vault.open(2, "x", first) is None
    assert vault.open(1, "x", first) == b"y"


async def test_each_process_has_a_data_key_of_its_own(tmp_path):
    path = tmp_path / "gateway.db"
    for _ in range(2):
        await (await SqliteStore.open(path, [ENCRYPTION_KEY])).close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT id FROM data_keys").fetchall() == [(1,), (2,)]
    connection.close()
