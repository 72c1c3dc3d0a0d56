"""What the register is asked and told, without a store."""

import pytest

from gateway.core.computed import Scope
from gateway.core.errors import ExpressionFailed
from gateway.core.model import SECOND, rfc3339
from gateway.core.register import (
    MOST_FIELDS,
    MOST_FOUND,
    Ask,
    Entry,
    Field,
    Interest,
    Knowledge,
    Look,
    Remember,
    field_of,
    fields_of,
)
from tests.kit.build import NOW, an_event

ASSET = Remember(
    collection="asset",
    key=lambda scope: scope["event"]["data"]["id"],
    value=lambda scope: scope["event"]["data"],
)
LOOK = Look("asset", "a1")


def an_asset(**more):
    return an_event(data={"id": "a1", **more}, time=rfc3339(NOW))


def seen(interest: Interest, event, answers=None):
    return interest.seen(event, Scope(event=event.fields), Knowledge(answers))


def test_what_was_known_before_is_seen_and_what_was_forgotten_or_never_known_is_not():
    interest = Interest(remembers=[ASSET])
    event = an_asset(title="new")
    assert list(interest.looks(Scope(event=event.fields))) == [LOOK]
    assert seen(interest, event) == {"known": {}, "stale": False}
    old = Entry({"title": "old"}, NOW - SECOND)
    assert seen(interest, event, {LOOK: old})["known"] == {"asset": {"title": "old"}}
    assert seen(interest, event, {LOOK: Entry(None, NOW)}) == {"known": {}, "stale": False}


def test_an_event_that_is_older_than_what_is_known_is_stale():
    interest = Interest(remembers=[ASSET])
    assert seen(interest, an_asset(), {LOOK: Entry({}, NOW + 1)})["stale"]
    assert not seen(interest, an_asset(), {LOOK: Entry({}, NOW)})["stale"]


def test_entries_are_asked_for_by_a_key_and_by_fields():
    by_key = Ask(name="asset", collection="asset", key=lambda _: "a1")
    by_field = Ask(name="uses", collection="placement", where={"asset_id": lambda _: 7})
    interest = Interest(asks=[by_key, by_field])
    answers = {
        LOOK: Entry({"id": "a1"}, NOW),
        Look("placement", None, (("asset_id", "7"),)): [1, 2],
    }
    assert list(interest.looks({})) == list(answers)
    assert seen(interest, an_asset(), answers)["known"] == {"asset": {"id": "a1"}, "uses": [1, 2]}


def test_more_entries_than_can_be_looked_at_have_no_value():
    ask = Ask(name="uses", collection="placement", where={"asset_id": lambda _: "7"})
    many = {Look("placement", None, (("asset_id", "7"),)): [0] * (MOST_FOUND + 1)}
    with pytest.raises(ExpressionFailed, match="more than 1,000 entries of placement"):
        seen(Interest(asks=[ask]), an_asset(), many)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (lambda _: None, "forget: true"),
        (lambda _: "x" * 70_000, "70,002 bytes"),
        (lambda _: float("nan"), "value"),
    ],
)
def test_what_cannot_be_kept_fails(value, told):
    remember = Remember(collection="asset", key=lambda _: "a1", value=value)
    with pytest.raises(ExpressionFailed, match=told):
        Interest(remembers=[remember]).learned(an_asset(), {})


def test_what_an_event_told_is_known_to_the_next_unless_it_was_stale():
    interest, knowledge = Interest(remembers=[ASSET]), Knowledge({LOOK: None})
    for title, age in (("new", 0), ("old", SECOND)):
        event = an_event(data={"id": "a1", "title": title}, time=rfc3339(NOW - age))
        knowledge.learn(interest.learned(event, Scope(event=event.fields)))
    assert knowledge.entry(LOOK) == Entry({"id": "a1", "title": "new"}, NOW)


def test_the_fields_of_a_value():
    value = {
        "id": "a1", "n": 3, "price": 1.5, "ok": True, "none": None, "tags": ["x", "y", "x", ["z"]],
        "deep": {"er": {"still": "in", "far": {"too": "deep"}}}, "list": [{"ref": "r"}],
    }  # fmt: skip
    assert fields_of(value) == [
        Field("id", "a1", None),
        Field("n", "3", 3.0),
        Field("price", "1.5", 1.5),
        Field("ok", "true", None),
        Field("tags", "x", None),
        Field("tags", "y", None),
        Field("deep.er.still", "in", None),
        Field("list.ref", "r", None),
    ]
    assert fields_of("text") == []
    assert len(fields_of({str(i): i for i in range(MOST_FIELDS + 9)})) == MOST_FIELDS


def test_moments_are_compared_as_moments_however_they_are_written():
    first, same, date = (
        field_of("at", text).number
        for text in ("2026-12-01T00:00:00Z", "2026-12-01T01:00:00+01:00", "2026-12-01")
    )
    assert first == same == date
    assert field_of("at", "2026 pieces").number is None
    assert len(field_of("at", "x" * 999).text) == 200
