"""`schedules:` and `emit:` in a routes file."""

import pytest

FILE = """\
version: 1
endpoints:
  cms: {{url: "http://127.0.0.1/api", sign: none}}
schedules:
  expiry: {{match: {{type: a}}, {}}}
"""
EMIT = "emit: {type: b, data: {days: '${plan.days}'}}"
WHOLE = f"key: '${{event.id}}', at: '${{event.time}}', {EMIT}"


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("key: '${event.id}', at: '${event.time}'", "missing-key"),
        (f"key: event.id, at: '${{event.time}}', {EMIT}", "string-pattern-mismatch"),
        (f"key: '${{plan.days}}', at: '${{event.time}}', {EMIT}", "expression"),
        ("key: '${event.id}', at: '${event.time}', emit: {type: '${nope}'}", "expression"),
        (WHOLE + ", before: []", "too-short"),
        (WHOLE + ", before: [5]", "not-a-duration"),
        (WHOLE + ", local: {time: '9', zone: Europe/Berlin}", "string-pattern-mismatch"),
        (WHOLE + ", local: {time: '09:00', zone: Europe/Berlim}", "unknown-zone"),
        (WHOLE + ", before: [36h], local: {time: '09:00', zone: Europe/Berlin}", "schedule-days"),
        (WHOLE + ", cancel: {type: {startswith: x}}", "pattern-operator"),
        (WHOLE + ", missed: none", "unknown-value"),
    ],
)
def test_what_makes_no_sense_is_an_error_with_its_place(load, rest, code):
    problems = load(FILE.format(rest)).errors
    assert [problem.code for problem in problems] == [code]
    assert problems[0].line == 5
    assert problems[0].cure


def test_a_zone_is_found_by_its_name_and_a_wrong_one_by_the_nearest(load):
    (problem,) = load(FILE.format(WHOLE + ", local: {time: '09:00', zone: Europe/Berlim}")).errors
    assert "Europe/Berlin" in problem.cure
    (problem,) = load(FILE.format(WHOLE + ", local: {time: '09:00', zone: CEST}")).errors
    assert problem.cure.startswith("write the name of a place, such as `Europe/Berlin`")


def test_a_schedule_is_what_the_file_says(load):
    rest = WHOLE + ", before: [1d, 30d], local: {time: '09:00', zone: Europe/Berlin}, missed: all"
    (schedule,) = load(FILE.format(rest)).routes.schedules.all
    assert [days // 86_400_000_000 for days in schedule.before] == [30, 1]
    assert (schedule.name, schedule.nearest) == ("expiry", False)
    assert str(schedule.local.zone) == "Europe/Berlin"


ROUTES = """\
version: 1
endpoints:
  cms: {{url: "http://127.0.0.1/api", sign: none}}
routes:
  - {{name: a, match: {{type: a}}, {}}}
"""


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("owner: me", "missing-key"),
        ("emit: {type: ''}", "string-too-short"),
        ("emit: {type: b, when: '${event.id == \"1\"}'}", "expression"),
        ("emit: {type: b, data: '${response.body}'}", "expression"),
        ("to: [{endpoint: cms, emit: {type: b, when: response.code == 1}}]", "expression"),
        ("to: [{endpoint: cms, emit: {type: b}}, {endpoint: cms, when: 'true'}]", "emit-target"),
    ],
)
def test_an_emit_that_makes_no_sense_is_an_error(load, rest, code):
    problems = load(ROUTES.format(rest)).errors
    assert [problem.code for problem in problems] == [code]
    assert problems[0].cure


def test_a_route_may_only_make_events(load):
    loaded = load(ROUTES.format("emit: [{type: b}, {type: c}]"))
    assert loaded.problems == []
    assert len(loaded.routes.routes[0].emit) == 2
