"""When what a schedule plans is due."""

import contextlib
from datetime import time
from zoneinfo import ZoneInfo

import pytest

from gateway.core.errors import ExpressionFailed, HopLimit
from gateway.core.grammar import compile_pattern
from gateway.core.model import SECOND, happened_at, rfc3339, rfc3339_moment
from gateway.core.plans import Emit
from gateway.core.schedules import DAY, Local, Schedule, Schedules
from tests.kit.build import NOW, an_event

BERLIN = ZoneInfo("Europe/Berlin")
NINE = Local(time(9), BERLIN)


def moment(text: str) -> int:
    found = rfc3339_moment(text)
    assert found is not None
    return found


def a_schedule(**more) -> Schedule:
    given = {
        "name": "expiry",
        "pattern": compile_pattern({"type": "license.acquired"}),
        "key": lambda scope: scope["event"]["data"]["id"],
        "at": lambda scope: scope["event"]["data"]["expires_at"],
        "emit": Emit(
            type=lambda _: "license.expiring", data=lambda scope: {"days": scope["plan"]["days"]}
        ),
    }
    return Schedule(**{**given, **more})


def a_licence(expires_at, **more):
    data = {"id": "lic_1", "expires_at": expires_at}
    return an_event(event_type="license.acquired", data=data, **more)


def dues(schedule: Schedule, event) -> list[str]:
    plan = schedule.plan(event, event.received_at, cancels=False)
    return [rfc3339(planned.due_at) for planned in plan.events]


def test_what_is_due_so_long_before_a_moment():
    schedule = a_schedule(before=(30 * DAY, DAY, 0))
    assert dues(schedule, a_licence("2027-03-31T12:00:00Z")) == [
        "2027-03-01T12:00:00.000Z",
        "2027-03-30T12:00:00.000Z",
        "2027-03-31T12:00:00.000Z",
    ]


def test_what_has_passed_is_not_planned():
    now = rfc3339(NOW + 2 * DAY)
    assert dues(a_schedule(before=(2 * DAY, DAY)), a_licence(now)) == [rfc3339(NOW + DAY)]


def test_a_thing_that_never_ends_has_no_reminders():
    plan = a_schedule().plan(a_licence(None), NOW, cancels=False)
    assert plan.events == ()
    assert plan.key == "lic_1"


def test_days_are_those_of_the_zone_and_so_is_the_hour_also_over_a_change_of_clocks():
    schedule = a_schedule(before=(DAY, 0), local=NINE)
    # Clocks go forward in Berlin on 28 March 2027; what ends at 23:30 UTC ends on the next day there.
    assert dues(schedule, a_licence("2027-03-28T23:30:00Z")) == [
        "2027-03-28T07:00:00.000Z",
        "2027-03-29T07:00:00.000Z",
    ]
    assert dues(schedule, a_licence("2027-03-28T12:00:00+02:00")) == [
        "2027-03-27T08:00:00.000Z",
        "2027-03-28T07:00:00.000Z",
    ]


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2027-03-28T12:00:00Z", "2027-03-28T01:30:00.000Z"),  # there is no 02:30 on that day
        ("2027-10-31T12:00:00Z", "2027-10-31T00:30:00.000Z"),  # there are two: the first
    ],
)
def test_an_hour_that_is_not_there_or_there_twice(at, due):
    schedule = a_schedule(local=Local(time(2, 30), BERLIN))
    assert dues(schedule, a_licence(at)) == [due]


def test_what_cancels_plans_nothing():
    plan = a_schedule().plan(a_licence("2027-03-31T12:00:00Z"), NOW, cancels=True)
    assert (plan.key, plan.events) == ("lic_1", ())


@pytest.mark.parametrize("at", ["soon", 14, "2027-03-31T12:00:00"])
def test_what_is_no_moment_fails(at):
    with pytest.raises(ExpressionFailed, match="at: it is"):
        a_schedule().plan(a_licence(at), NOW, cancels=False)


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "0001-01-01"])
def test_the_edge_of_the_calendar_fails_and_breaks_nothing(at):
    with contextlib.suppress(ExpressionFailed):
        dues(a_schedule(before=(DAY,)), a_licence(at))
    with pytest.raises(ExpressionFailed):
        dues(a_schedule(local=NINE, before=(0, DAY)), a_licence(at))


def test_a_thing_without_a_name_is_none():
    with pytest.raises(ExpressionFailed, match="key: it is empty"):
        dues(a_schedule(key=lambda _: ""), a_licence("2027-03-31T12:00:00Z"))


def test_an_event_that_others_led_to_too_often_plans_no_more():
    with pytest.raises(HopLimit, match="16 events"):
        a_schedule().plan(a_licence("2027-03-31T12:00:00Z", hopcount=16), NOW, cancels=False)


def test_an_event_happened_when_its_sender_says_but_not_in_the_future():
    assert happened_at(an_event(time=rfc3339(NOW - SECOND))) == NOW - SECOND
    assert happened_at(an_event(time=rfc3339(NOW + SECOND))) == NOW
    assert happened_at(an_event(time="yesterday")) == NOW


def test_which_schedules_an_event_concerns():
    one = a_schedule(name="one", cancel=compile_pattern({"type": "license.revoked"}))
    other = a_schedule(name="other")
    schedules = Schedules([one, other])
    assert schedules.match({"type": "license.acquired"}) == [(one, False), (other, False)]
    assert schedules.match({"type": "license.revoked"}) == [(one, True)]
    assert not Schedules()
