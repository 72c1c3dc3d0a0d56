"""What is kept, and until when."""

import pytest

from gateway.core.model import EventId, event_id, received_at
from gateway.core.retention import (
    DAY,
    REMEMBERED,
    Examined,
    Retention,
    Room,
    bytes_to_give_back,
    horizon,
)
from tests.kit.build import NOW

MIB = 1024**2


def examined(age: int, **more) -> Examined:
    """An event that came so long ago, and of which nothing is left to do."""
    defaults = {
        "id": event_id(NOW - age, 1),
        "source": None,
        "rows": 2,
        "unfinished": False,
        "dead": False,
        "unmatched": False,
        "ended_at": NOW - age,
    }
    return Examined(**{**defaults, **more})


def goes(event: Examined, *, too_large: bool = False, **windows: int) -> bool:
    return horizon(Retention(), windows, NOW, too_large=too_large).lets_go(event)


@pytest.mark.parametrize(
    ("kind", "days"),
    [({}, 7), ({"dead": True}, 90), ({"unmatched": True, "ended_at": None}, 30)],
)
def test_each_kind_goes_after_its_own_time_and_not_before(kind, days):
    def event(age: int) -> Examined:
        ended = {} if "ended_at" in kind else {"ended_at": NOW - age}
        return examined(age, **kind, **ended)

    assert not goes(event(days * DAY))
    assert goes(event(days * DAY + 1000))


@pytest.mark.parametrize("too_large", [False, True])
def test_what_is_not_finished_stays_however_old_it_is(too_large):
    assert not goes(examined(4000 * DAY, unfinished=True), too_large=too_large)


def test_an_old_event_whose_last_delivery_has_just_ended_stays():
    assert not goes(examined(80 * DAY, ended_at=NOW - DAY))


def test_a_key_is_remembered_as_long_as_its_source_says():
    event = examined(20 * DAY, source="billing")
    assert not goes(event, billing=21 * DAY)
    assert goes(event, billing=19 * DAY)


@pytest.mark.parametrize("too_large", [False, True])
def test_a_key_of_a_source_that_is_gone_counts_for_the_usual_time(too_large):
    keep = Retention(finished=0)
    for age, gone in ((REMEMBERED - DAY, False), (REMEMBERED + DAY, True)):
        before = horizon(keep, {}, NOW, too_large=too_large)
        assert before.lets_go(examined(age, source="gone")) is gone


def test_when_there_is_too_much_only_what_is_finished_or_unmatched_goes_early():
    assert goes(examined(DAY), too_large=True)
    assert goes(examined(DAY, unmatched=True, ended_at=None), too_large=True)
    assert not goes(examined(DAY, dead=True), too_large=True)
    assert not goes(examined(DAY, source="getty"), too_large=True, getty=2 * DAY)


def test_no_event_is_looked_at_that_cannot_go():
    before = horizon(Retention(), {"a": 30 * DAY}, NOW, too_large=False)
    assert before.latest == NOW - 7 * DAY
    assert before.oldest_window == NOW - 30 * DAY


def test_an_event_tells_when_it_came_by_its_name():
    assert received_at(EventId(event_id(NOW, 7))) == NOW // 1000 * 1000


@pytest.mark.parametrize(
    ("used", "free", "back"),
    [
        (0, 16 * MIB, 0),
        (0, 17 * MIB, MIB),
        (700 * MIB, 100 * MIB, 0),
        (600 * MIB, 200 * MIB, 100 * MIB),
    ],
)
def test_what_new_events_will_want_is_not_given_back(used, free, back):
    assert bytes_to_give_back(Room(used, free)) == back
