"""What `retry` and `success` of an endpoint come to, and what is wrong with them."""

import pytest

from gateway.core.errors import ExpressionFailed
from gateway.core.model import SECOND
from gateway.core.retry import HOUR, STANDARD_SCHEDULE, Exponential, Failures, RetryPolicy

HEAD = "version: 1\nendpoints:\n  cms:\n    url: https://cms.example.com/\n    sign: none\n"


def built(load, line: str):
    routes = load(f"{HEAD}    {line}\n").routes
    assert routes is not None
    return routes.endpoints["cms"]


@pytest.mark.parametrize(
    ("line", "policy"),
    [
        ("owner: me", RetryPolicy()),
        ("retry: never", RetryPolicy(())),
        ("retry: {schedule: []}", RetryPolicy(())),
        ("retry: {schedule: [5s, 1m]}", RetryPolicy((5 * SECOND, 60 * SECOND))),
        ("retry: {within: 3h}", RetryPolicy(STANDARD_SCHEDULE, within=3 * HOUR)),
        (
            "retry: {first: 5s, attempts: 10}",
            RetryPolicy(Exponential(first=5 * SECOND, factor=2, longest=24 * HOUR, attempts=10)),
        ),
        (
            "retry: {first: 1m, factor: 1.5, longest: 2h, within: 3d}",
            RetryPolicy(
                Exponential(first=60 * SECOND, factor=1.5, longest=2 * HOUR), within=72 * HOUR
            ),
        ),
        (
            "retry: {on: [5xx, 429, unreachable], never: [501, 510-511, timeout]}",
            RetryPolicy(
                on=Failures(((500, 599), (429, 429)), frozenset({"unreachable"})),
                never=Failures(((501, 501), (510, 511)), frozenset({"timeout"})),
            ),
        ),
    ],
)
def test_what_is_written_comes_to_a_policy(load, line, policy):
    assert built(load, line).retry == policy


@pytest.mark.parametrize(
    ("line", "place", "what", "cure"),
    [
        ("retry: {}", "6:12 retry-forms", "there is nothing in it", "write `schedule:"),
        ("retry: none", "6:12 unknown-value", '"none" is no value', "`never` means one attempt"),
        ("retry: {schedule: [5s], first: 5s}", "6:12 retry-forms", "so first does nothing", "remove"),
        ("retry: {schedule: [5s], factor: 2, attempts: 3}", "6:12 retry-forms", "so attempts, factor", "remove"),
        ("retry: {attempts: 3}", "6:12 retry-forms", "attempts belongs to delays that grow", "add `first: 5s`"),
        ("retry: {first: 5s}", "6:12 retry-forms", "nothing ends the attempts", "add `attempts: 10`"),
        ("retry: {first: 1h, longest: 5s, attempts: 3}", "6:12 retry-forms", "less than `first`", "longer"),
        ("retry: {schedule: [5m], within: 1m}", "6:12 retry-forms", "over before the second", "`retry: never`"),
        ("retry: {first: 0s, attempts: 3}", "6:20 no-time", "less than a second", "write 5s"),
        ("retry: {within: 500ms}", "6:21 no-time", "less than a second", "write 5s"),
        ("retry: {first: 5s, factor: 0.5, attempts: 3}", "6:32 greater-than-equal", '"factor" is 0.5', "larger"),
        ("retry: {first: 5s, attempts: 0}", "6:34 greater-than-equal", '"attempts" is 0', "larger"),
        ("retry: {max_attempts: 5}", "6:13 unknown-key", '"max_attempts"', '"attempts"'),
        ("retry: {on: []}", "6:17 too-short", '"on" is an empty list', "name at least one"),
        ("retry: {on: 5xx}", "6:17 wrong-type", '"on" is text', '["5xx"]'),
        ("retry: {on: [500, 2xx]}", "6:23 retry-rule", "no failures", "`not-successful`"),
        ("retry: {on: [600]}", "6:18 retry-rule", "no failures", "300 and 599"),
        ("retry: {on: [599-500]}", "6:18 retry-rule", "no failures", "300 and 599"),
        ("retry: {on: [true]}", "6:18 retry-rule", "True is no failure", "a reason"),
        ('retry: {on: ["502"]}', "6:18 retry-rule", "no failure", "the number alone, `502`"),
        ("retry: {on: [http-502]}", "6:18 retry-rule", "no failure", "the number alone, `502`"),
        ("retry: {on: [5XX]}", "6:18 retry-rule", "no failure", "write `5xx`"),
        ("retry: {never: [timeuot]}", "6:21 retry-rule", "no failure", 'did you mean "timeout"?'),
        ("retry: {never: [egress-denied]}", "6:21 retry-rule", "no failure", "leave it out"),
        ("retry: {never: [50x]}", "6:21 retry-rule", "no failure", "write 502, 5xx, 500-599"),
        ("retry: {on: [429, 502], never: [5xx]}", "6:23 retry-rule", "`never` has it too", "remove it"),
        ("retry: {on: [timeout], never: [unreachable]}", "6:18 retry-rule", "`never` has it too", "remove it"),
        ("success: ", "6:13 nothing-said", "nothing behind it", "write an expression"),
        ("success: ${response.status == 200}", "6:14 expression", "is wrapped", "write `response.status == 200`"),
        ("success: response.status", "6:14 expression", "is a number, neither true nor false", "compare it"),
        ("success: size(response.text)", "6:14 expression", "is int, neither true nor false", "compare it"),
        ("success: status == 200", "6:14 expression", "undeclared reference", "write `response.status`"),
        ("success: body.ok", "6:14 expression", "undeclared reference", "write `response.body.ok`"),
        ("success: ok == true", "6:14 expression", "undeclared reference", "write `response.body.ok`"),
        ("success: event.type == 'a'", "6:14 expression", "undeclared reference", "write `response.…`"),
        ("success: response.stauts == 200", "6:14 expression", "never has a value", "write `response.status`"),
        ("success: response.applied", "6:14 expression", "never has a value", "write `response.body.applied`"),
        ("success: response.headers['X-Id'] == 'a'", "6:14 expression", "lower case", '`response.headers["x-id"]`'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place_and_the_cure(load, line, place, what, cure):
    loaded = load(f"{HEAD}    {line}\n")
    (problem,) = loaded.problems
    assert f"{problem.line}:{problem.column} {problem.code}" == place
    assert what in problem.what
    assert cure in problem.cure


def test_every_item_that_is_wrong_is_told(problems):
    text = f"{HEAD}    retry: {{on: [a, 502, 700], never: [b]}}\n"
    assert problems(text) == ["6:18 retry-rule", "6:26 retry-rule", "6:40 retry-rule"]


@pytest.mark.parametrize(
    "line",
    [
        "retry: {on: [5xx], never: [501]}",
        "retry: {on: [500-505], never: [500-504]}",
        "retry: {on: [500-505], never: [501-505]}",
        "retry: {on: [unreachable], never: [timeout]}",
        "retry: {on: [handler-raised], never: [unreachable]}",
    ],
)
def test_what_never_has_only_in_part_is_no_contradiction(problems, line):
    assert problems(f"{HEAD}    {line}\n") == []


def test_a_condition_that_looks_into_a_body_is_compiled(load):
    success = built(load, "success: response.body.applied == true").success
    assert success({"response": {"body": {"applied": True}}}) is True
    with pytest.raises(ExpressionFailed):
        success({"response": {"body": None}})


def test_a_text_that_is_no_field_of_an_answer_is_left_alone(load):
    assert built(load, 'success: response.text == "response.nothing"').success is not None


def test_without_a_condition_there_is_nothing_to_ask(load):
    assert built(load, "owner: me").success is None
