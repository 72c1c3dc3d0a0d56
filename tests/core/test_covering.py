"""What one pattern says of another."""

import pytest
from hypothesis import given

from gateway.core.covering import (
    accepts_all,
    are_disjoint,
    covers,
    example_of,
    excluded_by,
    is_satisfiable,
)
from gateway.core.grammar import PatternInvalid, compile_pattern
from gateway.core.operators import Both
from gateway.core.pattern import Negation, Pattern, holds, undotted
from tests.kit.patterns import EVENTS, LEAVES, LISTS, OPERATORS, in_arrays, one_field, patterns


def compiled(match: dict) -> Pattern | None:
    try:
        return compile_pattern(match, LISTS)
    except PatternInvalid:
        return None


def test_of(operators):
    """The test that a mapping of operators comes to, where it is one."""
    pattern = compiled({"a": operators})
    if pattern is None or len(pattern.rules[0]) != 1 or len(pattern.rules[0][0].tests) != 1:
        return None
    return pattern.rules[0][0].tests[0]


test_of.__test__ = False


@given(OPERATORS, OPERATORS, LEAVES)
def test_tests_say_nothing_of_each_other_that_is_not_so(one, other, leaf):
    this, that = test_of(one), test_of(other)
    if this is None or that is None:
        return
    both = this.accepts(leaf), that.accepts(leaf)
    assert not (accepts_all(this, that) and both == (False, True))
    assert not (are_disjoint(this, that) and both == (True, True))
    assert is_satisfiable(this) or not this.accepts(leaf)
    assert accepts_all(this, this)
    assert are_disjoint(this, that) == are_disjoint(that, this)


def say_nothing_that_is_not_so(wide: Pattern, narrow: Pattern, event: dict) -> None:
    for one in wide.rules:
        for other in narrow.rules:
            if covers(one, other) and holds(other, event):
                assert holds(one, event)
            assert covers(other, other)
    for rule in narrow.rules:
        for part in rule:
            if isinstance(part, Negation) and excluded_by(part, rule):
                assert not holds(rule, event)


@given(patterns(), patterns(), EVENTS)
def test_patterns_say_nothing_of_each_other_that_is_not_so(one, other, event):
    wide = compiled(one)
    for match in (other, {"$and": [one, other]}, {"$and": [one], "$not": other}):
        narrow = compiled(match)
        if wide is not None and narrow is not None:
            say_nothing_that_is_not_so(wide, narrow, undotted(event))


@given(in_arrays(), in_arrays())
def test_nor_in_arrays(one, other):
    (match, event), (more, again) = one, other
    wide = compiled(match)
    for narrow in (compiled({"$and": [match, more]}), compiled(more)):
        if wide is not None and narrow is not None:
            say_nothing_that_is_not_so(wide, narrow, undotted(event))
            say_nothing_that_is_not_so(wide, narrow, undotted(again))


@given(one_field(), one_field())
def test_nor_in_one_field(one, other):
    (match, event), (more, _) = one, other
    wide, narrow = compiled(match), compiled(more)
    if wide is not None and narrow is not None:
        say_nothing_that_is_not_so(wide, narrow, undotted(event))


@pytest.mark.parametrize(
    "match",
    [
        {"type": ["a", "b"], "data": {"n": {"gte": 1, "lt": 2}, "to": {"prefix": "x"}}},
        {"data": {"n": {"gt": 5}, "p": {"decimal": {"gt": 5}}, "ip": {"cidr": "10.0.0.0/8"}}},
        {"data": {"w": {"wildcard": "a*b*c"}, "x": {"anything-but": ["a"]}, "y": {"exists": True}}},
        {"data": {"x": {"prefix": "a", "contains": "a"}, "y": {"present": True}, "z": {"lt": 5}}},
        {
            "subject": {"exists": False},
            "data": {"o": [True, None], "f": {"equals-ignore-case": "A"}},
        },
        {"n": {"numeric": [">", 0, "<", 1]}, "m": {"all": ["a"]}, "s": {"in": "many"}},
    ],
)
def test_an_example_satisfies_its_rule_where_that_is_simple(match):
    (rule,) = compile_pattern(match, LISTS).rules
    example = example_of(rule)
    assert holds(rule, example)


def test_a_field_that_would_have_to_be_two_things_has_no_example():
    (rule,) = compile_pattern({"$and": [{"a": 1}, {"a.b": 2}]}).rules
    assert example_of(rule) is None


def test_both_is_told_apart():
    assert isinstance(test_of({"prefix": "a", "suffix": "b"}), Both)
    assert accepts_all(test_of({"prefix": "a"}), test_of({"prefix": "ab", "suffix": "c"}))
    assert accepts_all(test_of({"prefix": "a", "suffix": "c"}), test_of({"wildcard": "ab*c"}))
