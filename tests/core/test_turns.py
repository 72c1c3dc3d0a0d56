"""The rules of turns, as functions of what the caller knows."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.model import SECOND, After, EventId, event_id
from gateway.core.retry import Finish, GiveUp, RetryAt
from gateway.core.state import State
from gateway.core.turns import awaited, due_after_quiet, in_time, one_after, place_of, unmet
from tests.kit.build import NOW, a_delivery

moments = st.integers(NOW, NOW + 10**15)
spans = st.integers(0, 10**12)


def test_places_sort_as_their_events_came():
    first, second = event_id(NOW, 7), event_id(NOW + SECOND, 3)
    assert place_of(first) < place_of(second)


def test_a_place_taken_later_sorts_by_when_it_was_taken():
    planned, between = event_id(NOW, 1), event_id(NOW + SECOND, 2)
    assert place_of(planned, NOW + 2 * SECOND) > place_of(between)
    assert place_of(planned, NOW) == place_of(planned)


def test_the_place_after_another_is_the_next_that_an_event_could_have():
    assert one_after(place_of(event_id(NOW, 0xFF))) == place_of(event_id(NOW, 0x100))
    last_of_its_millisecond = place_of(event_id(NOW, 0xFFFF_FFFF_FFFF))
    assert one_after(last_of_its_millisecond) == place_of(event_id(NOW + 1000, 0))


@given(now=moments, settle=spans, longest=spans, ago=spans)
def test_quiet_is_waited_for_but_no_longer_than_said(now, settle, longest, ago):
    due_at = due_after_quiet(now, settle, longest, now - ago)
    assert now <= due_at <= now + settle
    assert due_at <= max(now, now - ago + longest)


STATES = {0: State.DELIVERED, 1: State.DEAD, 2: State.SCHEDULED, 3: State.LEASED}


def test_a_delivery_waits_until_all_that_it_waits_for_have_ended():
    assert unmet([(0, 0, "a", True), (2, 2, "b", False)], STATES) is None
    assert unmet([(3, 3, "a", True)], STATES) is None
    assert unmet([(0, 0, "a", True), (1, 1, "b", False)], STATES) == ""


def test_it_cannot_go_ahead_when_one_was_not_delivered_that_had_to_be():
    reason = unmet([(1, 1, "pause", True), (2, 2, "b", False)], STATES)
    assert reason == "after-not-delivered: pause is dead"


def test_what_is_waited_for_is_told_in_as_few_pieces_as_there_are():
    made = [a_delivery(n=n) for n in range(6)]
    after = [
        After(made[:3], "pages", delivered=True),
        After([made[3], made[5]], "cms", delivered=False),
    ]
    assert awaited(after) == [(0, 2, "pages", True), (3, 3, "cms", False), (5, 5, "cms", False)]


def test_all_of_a_piece_are_waited_for():
    assert unmet([(0, 2, "pages", False)], STATES) is None
    assert unmet([(0, 1, "pages", False)], STATES) == ""


def test_what_is_not_there_any_more_keeps_nobody_waiting():
    assert unmet([(9, 9, "gone", True)], STATES) == ""


def test_a_retry_comes_no_later_than_the_delivery_expires():
    late, soon = RetryAt(NOW + 9 * SECOND, "http-500"), RetryAt(NOW + SECOND, "http-500")
    assert in_time(late, NOW + 5 * SECOND) == RetryAt(NOW + 5 * SECOND, "http-500")
    assert in_time(soon, NOW + 5 * SECOND) is soon
    for end in (Finish(), GiveUp("http-500")):
        assert in_time(end, NOW) is end


def test_a_place_has_nothing_but_what_sorts():
    assert (
        place_of(EventId("evt_0123456789ab0000000000ff"), NOW) == f"{NOW // 1000:012x}0000000000ff"
    )
