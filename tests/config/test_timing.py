"""Order and time in a routes file: what a target, a route and an endpoint say of when."""

import pytest

from gateway.core.computed import Scope
from gateway.core.model import SECOND, Priority
from gateway.core.routes import AT_ONCE, Coalesce, Confirm

FILE = """\
version: 1
endpoints:
  cms: {{url: "http://127.0.0.1/api", sign: none}}
  keyed: {{url: "http://127.0.0.1/api", sign: none, key: "${{event.subject}}", late_after: 5m}}
  one: {{url: "http://127.0.0.1/1", sign: none, groups: [all]}}
  two: {{url: "http://127.0.0.1/2", sign: none, groups: [all]}}
routes:
  - {{name: a, match: {{}}, to: [{}]}}
"""
KEY = "key: '${event.data.id}'"


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("{endpoint: cms, key: event.subject}", "string-pattern-mismatch"),
        ("{endpoint: cms, key: '${nope}'}", "expression"),
        ("{endpoint: cms, coalesce: {settle: 5s, max: 60s}}", "coalesce-key"),
        (f"{{endpoint: cms, {KEY}, coalesce: {{settle: 60s, max: 5s}}}}", "coalesce-order"),
        (f"{{endpoint: cms, {KEY}, coalesce: {{settle: 0s, max: 5s}}}}", "no-time"),
        (f"{{endpoint: cms, {KEY}, coalesce: {{settle: 5s}}}}", "missing-key"),
        (
            f"{{endpoint: cms, {KEY}, delay: 5s, coalesce: {{settle: 5s, max: 5s}}}}",
            "coalesce-when",
        ),
        ("{endpoint: cms, delay: 5s, at: '${event.time}'}", "delay-and-at"),
        ("{endpoint: cms, delay: 5}", "not-a-duration"),
        ("{endpoint: cms, delay: 1h, expires_after: 1h}", "expires-first"),
        ("{endpoint: cms, expires_after: 0s}", "no-time"),
        ("{endpoint: cms, after: {nope: ended}}", "unknown-target"),
        ("{endpoint: cms, name: x, after: {x: ended}}", "after-itself"),
        (
            "{endpoint: cms, name: x, after: {y: ended}}, {endpoint: one, name: y, after: {x: ended}}",
            "after-circle",
        ),
        ("{endpoint: one, name: y}, {endpoint: cms, after: {y: done}}", "unknown-value"),
    ],
)
def test_what_makes_no_sense_is_an_error_with_its_place(load, target, code):
    problems = load(FILE.format(target)).errors
    assert [problem.code for problem in problems] == [code]
    assert problems[0].line == 8
    assert problems[0].cure


def test_a_target_that_says_nothing_of_when_goes_at_once(load):
    routes = load(FILE.format("cms, {endpoint: one, when: 'true'}")).routes
    assert all(target.timing is AT_ONCE for target in routes.routes[0].to)


def test_what_a_target_says_is_what_its_deliveries_get(load):
    target = (
        f"{{endpoint: cms, {KEY}, coalesce: {{settle: 5s, max: 1m}}, expires_after: 2h}},"
        " {endpoint: one, delay: 10m}, {endpoint: two, at: '${event.time}'}"
    )
    first, second, third = (t.timing for t in load(FILE.format(target)).routes.routes[0].to)
    scope = Scope(event={"data": {"id": "7"}, "time": "2026-12-01T00:00:00Z"})
    assert first.key(scope) == "7"
    assert first.coalesce == Coalesce(5 * SECOND, 60 * SECOND)
    assert first.expires_after == 7200 * SECOND
    assert second.delay == 600 * SECOND
    assert third.at(scope) == "2026-12-01T00:00:00Z"


def test_a_key_of_each_item_sees_the_item(load):
    target = "{endpoint: cms, each: '${event.data.all}', key: '${item.id}', call: {}}"
    timing = load(FILE.format(target)).routes.routes[0].to[0].timing
    assert timing.key(Scope(event={}, item={"id": 3})) == 3


def test_coalesce_may_go_by_the_key_of_its_endpoint(load):
    target = "{endpoint: keyed, coalesce: {settle: 5s, max: 60s}}"
    assert load(FILE.format(target)).errors == []


def test_targets_stand_after_those_that_they_wait_for(load):
    target = (
        "{endpoint: cms, name: last, after: {all: ended}},"
        " {group: all, name: all, after: {first: delivered}}, {endpoint: keyed, name: first}"
    )
    (route,) = load(FILE.format(target)).routes.routes
    assert [target.endpoint for target in route.to] == ["keyed", "one", "two", "cms"]
    assert route.to[1].timing.after == {"first": True}


def test_an_endpoint_has_a_key_and_a_time_after_which_it_is_late(load):
    endpoint = load(FILE.format("keyed")).routes.endpoints["keyed"]
    assert endpoint.key(Scope(event={"subject": "asset/1"})) == "asset/1"
    assert endpoint.late_after == 300 * SECOND


def test_a_route_has_a_priority_and_a_promise(load):
    text = FILE.format("cms").replace(
        "match: {}", "match: {}, priority: high, confirm: {within: 1h, else: x.unconfirmed}"
    )
    (route,) = load(text).routes.routes
    assert route.priority is Priority.HIGH
    assert route.confirm == Confirm(3600 * SECOND, "x.unconfirmed")


def test_a_source_may_not_be_called_as_the_gateways_own(load):
    text = FILE.format("cms").replace(
        "endpoints:", "sources: {gateway: {verify: none}}\nendpoints:"
    )
    assert [p.code for p in load(text).errors] == ["reserved-name"]


def test_a_route_may_match_what_the_gateway_makes(load):
    text = FILE.format("cms").replace("match: {}", "match: {source: gateway}")
    assert "source" not in " ".join(p.code for p in load(text).problems)
