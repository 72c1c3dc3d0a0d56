"""The register, on every engine: kept with the event that tells it, found by key and by fields."""

from gateway.core.access import AuditEntry
from gateway.core.register import Entry, Learned, Look, field_of
from tests.kit.build import NOW, an_arrival, an_event


def told(key: str, value, *, as_of: int = NOW, collection: str = "license") -> Learned:
    return Learned(collection, key, value, as_of)


async def learn(store, *learned: Learned, **more):
    arrival = an_arrival(an_event(**more), to=(), learned=learned)
    await store.append([arrival])
    return arrival.event


async def known(store, key: str, collection: str = "license"):
    look = Look(collection, key)
    return (await store.look([look]))[look]


async def keys(store, *where, **query) -> list[str]:
    conditions = [(name, operator, field_of(name, value)) for name, operator, value in where]
    found = await store.register_entries({"collection": "license", "where": conditions, **query})
    return [each["key"] for each in found.items]


async def test_the_latest_by_the_time_of_its_event_is_known(store):
    await learn(store, told("l1", {"n": "a\0ü"}, as_of=NOW))
    assert await known(store, "l1") == Entry({"n": "a\0ü"}, NOW)
    await learn(store, told("l1", {"n": 0}, as_of=NOW - 1))
    await learn(store, told("l1", {"n": 2}, as_of=NOW))
    assert await known(store, "l1") == Entry({"n": 2}, NOW)
    assert await known(store, "l2") is None
    assert await known(store, "l1", "asset") is None


async def test_what_is_forgotten_is_not_found_and_no_older_event_brings_it_back(store):
    await learn(store, told("l1", {"n": 1}))
    await learn(store, told("l1", None, as_of=NOW + 1))
    await learn(store, told("l1", {"n": 1}, as_of=NOW))
    assert await known(store, "l1") == Entry(None, NOW + 1)
    assert await keys(store, ("n", "=", 1)) == []
    await learn(store, told("l1", {"n": 2}, as_of=NOW + 2))
    assert await keys(store, ("n", "=", 2)) == ["l1"]


async def test_a_duplicate_tells_nothing(store):
    await learn(store, told("l1", {"n": 1}), key="same")
    await learn(store, told("l1", {"n": 2}, as_of=NOW + 1), key="same")
    assert await known(store, "l1") == Entry({"n": 1}, NOW)


async def test_entries_are_found_by_their_fields_and_paged_by_their_keys(store):
    await learn(
        store,
        told("l1", {"asset": "a1", "expires_at": "2026-12-01T00:00:00Z", "territories": ["DE", "FR"]}),
        told("l2", {"asset": "a1", "expires_at": "2027-01-01T00:00:00+01:00", "territories": ["*"]}),
        told("l3", {"asset": "a2", "expires_at": None, "seats": 9, "territories": []}),
        told("l1", {"asset": "a1"}, collection="other"),
    )  # fmt: skip
    assert await keys(store, ("asset", "=", "a1")) == ["l1", "l2"]
    assert await keys(store, ("territories", "=", "FR")) == ["l1"]
    assert await keys(store, ("asset", "=", "a1"), ("territories", "=", "*")) == ["l2"]
    assert await keys(store, ("expires_at", "<", "2026-12-31T23:30:00Z")) == ["l1", "l2"]
    assert await keys(store, ("expires_at", ">=", "2026-12-01"), ("expires_at", "<", "2026-12-02")) == ["l1"]  # fmt: skip
    assert await keys(store, ("seats", ">=", 9)) == ["l3"]
    assert await keys(store, ("seats", ">=", 10)) == []
    assert await keys(store, key="l2") == ["l2"]
    page = await store.register_entries({"collection": "license", "limit": 2})
    assert (len(page.items), page.next) == (2, "l2")
    rest = await store.register_entries({"collection": "license", "limit": 2, "cursor": page.next})
    assert ([each["key"] for each in rest.items], rest.next) == (["l3"], None)
    assert await store.collections() == [
        {"collection": "license", "entries": 3},
        {"collection": "other", "entries": 1},
    ]


async def test_those_that_fit_are_asked_for_the_newest_first(store):
    await learn(store, told("l1", {"asset": "a1", "n": 1}, as_of=NOW - 1))
    await learn(store, told("l2", {"asset": "a1", "n": 2}))
    look = Look("license", None, (("asset", "a1"),))
    assert (await store.look([look]))[look] == [{"asset": "a1", "n": 2}, {"asset": "a1", "n": 1}]


async def test_a_value_that_changes_is_found_by_what_it_is_now(store):
    await learn(store, told("l1", {"asset": "a1"}))
    await learn(store, told("l1", {"asset": "a2"}, as_of=NOW + 1))
    assert await keys(store, ("asset", "=", "a1")) == []
    assert await keys(store, ("asset", "=", "a2")) == ["l1"]


async def test_what_an_erased_event_told_is_not_known_any_more(store):
    event = await learn(store, told("l1", {"asset": "a1"}))
    await store.erase([event.event_id], NOW)
    assert await known(store, "l1") is None
    assert await keys(store, ("asset", "=", "a1")) == []


async def test_a_person_can_tell_and_is_audited(store):
    await learn(store, told("l1", {"n": 1}, as_of=NOW + 9))
    entry = AuditEntry(id="aud_1", at=NOW, who="me", address="", action="teach", object="license")
    assert await store.teach([told("l1", {"n": 0}), told("l2", {"n": 2})], NOW, entry) == 1
    assert await known(store, "l1") == Entry({"n": 1}, NOW + 9)
    assert await known(store, "l2") == Entry({"n": 2}, NOW)
    assert [each["action"] for each in await store.audit({})] == ["teach"]
