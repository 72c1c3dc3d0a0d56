"""`gateway.testing.matches` and `Matcher`: patterns tried on decoded JSON."""

import json

import pytest

from gateway.core.errors import ConfigError
from gateway.testing import Matcher, matches


def test_a_pattern_matches_or_not():
    assert matches({"a": {"gte": 1}}, {"a": 1})
    assert not matches({"a": {"gte": 1}}, {"a": 0})


def test_a_malformed_pattern_is_refused_with_every_fault_and_its_name():
    with pytest.raises(ConfigError) as caught:
        Matcher({"good": {"a": 1}, "bad": {"a": [], "b": {"prefix": 1}}, "worse": 3})
    assert [problem.file for problem in caught.value.problems] == ["bad.a", "bad.b.prefix", "worse"]
    assert all(problem.cure for problem in caught.value.problems)


def test_the_names_of_those_that_match_are_given():
    matcher = Matcher({"one": {"a": 1}, "two": {"a": [1, 2]}, "three": {"a": 3}})
    assert matcher.match({"a": 1}) == {"one", "two"}
    assert matcher.match({}) == set()


def test_lists_are_known_by_name():
    assert matches({"a": {"in": "EU"}}, {"a": "DE"}, lists={"EU": ["DE"]})
    with pytest.raises(ConfigError, match="no list"):
        matches({"a": {"in": "EU"}}, {})


def test_numbers_beyond_64_bits_are_doubles_as_in_the_gateway():
    event = json.loads('{"a": 123456789012345678901234567890}')
    assert matches({"a": 123456789012345678901234567890}, event)
    assert matches({"a": 1.2345678901234568e29}, event)
    assert not matches({"a": 18446744073709551615}, {"a": 18446744073709551614})


def test_an_event_may_nest_deep():
    value = 1
    for _ in range(5_000):
        value = [value]
    assert matches({"a": 1}, {"a": value})


@pytest.mark.parametrize("pattern", [{1: 2}, {True: 1}, {"a": {None: [1]}}])
def test_keys_that_are_not_text_are_refused(pattern):
    with pytest.raises(ConfigError, match=r"no name of a field|no operator"):
        matches(pattern, {"a": 1})


def test_a_number_that_no_double_can_hold_matches_nothing_finite():
    assert not matches({"a": 1}, {"a": 10**400})
    assert matches({"a": {"gt": 1}}, {"a": 10**400})
