"""The match grammar: conformance cases, and the traps that others fell into."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.pattern import OPERATORS, PatternError, compile_pattern

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/rule_cases.jsonl").read_text().splitlines()
]
NOT_YET = {"wildcard", "cidr", "equals-ignore-case", "exactly"}


def operators_in(pattern: object) -> set[str]:
    """The operator names that a pattern uses, known or not."""
    if isinstance(pattern, dict):
        inner = [operators_in(value) for value in pattern.values()]
        return set(pattern).union(*inner)
    if isinstance(pattern, list):
        return set().union(*map(operators_in, pattern)) if pattern else set()
    return set()


def supported(case: dict) -> bool:
    """Whether a case is about what this version of the language has."""
    return not operators_in(case["pattern"]) & NOT_YET and case["category"] != "dotted"


@pytest.mark.parametrize("case", [c for c in CASES if supported(c)], ids=lambda c: c["id"])
def test_conformance(case):
    try:
        result = compile_pattern(case["pattern"]).matches(case["event"])
    except PatternError:
        result = "invalid"
    assert result == case["expect"]


def test_the_cases_are_many():
    assert sum(map(supported, CASES)) > 250


def matches(pattern: dict, event: dict) -> bool:
    return compile_pattern(pattern).matches(event)


def test_a_scalar_stands_for_a_list_of_one():
    assert matches({"a": "x"}, {"a": "x"})
    assert not matches({"a": "x"}, {"a": "y"})


def test_several_operators_in_one_mapping_must_hold_for_one_value():
    pattern = {"a": {"gte": 10, "lt": 20}}
    assert matches(pattern, {"a": 10})
    assert not matches(pattern, {"a": 20})
    assert not matches(pattern, {"a": [5, 25]})


def test_a_dotted_path_is_a_nested_one():
    assert matches({"data.days_left": {"lte": 14}}, {"data": {"days_left": 14}})


def test_a_truth_value_is_no_number():
    assert not matches({"a": 1}, {"a": True})
    assert not matches({"a": True}, {"a": 1})
    assert not matches({"a": {"gte": 0}}, {"a": True})


def test_a_number_is_no_text():
    assert not matches({"a": 35}, {"a": "35"})
    assert matches({"a": 35}, {"a": 35.0})


def test_fields_below_one_array_are_matched_by_one_element():
    pattern = {"items": {"kind": "image", "id": 2}}
    assert matches(pattern, {"items": [{"kind": "image", "id": 2}]})
    assert not matches(pattern, {"items": [{"kind": "image", "id": 1}, {"kind": "film", "id": 2}]})


def test_or_is_judged_together_with_the_fields_beside_it():
    pattern = {"items": {"kind": "image"}, "$or": [{"items": {"id": 1}}, {"items": {"id": 2}}]}
    assert matches(pattern, {"items": [{"kind": "image", "id": 2}]})
    assert not matches(pattern, {"items": [{"kind": "image", "id": 3}, {"kind": "film", "id": 2}]})


def test_everything_is_matched_only_when_asked_for():
    assert matches({}, {"a": 1})
    with pytest.raises(PatternError):
        compile_pattern({"a": {}})


def test_ten_thousand_nested_arrays_are_crushed_without_recursion():
    value: object = "x"
    for _ in range(10_000):
        value = [value]
    assert matches({"a": "x"}, {"a": value})


@pytest.mark.parametrize(
    ("pattern", "path", "word"),
    [
        ({"type": {"prefx": "a", "suffix": "b"}}, ("type", "prefx"), "no operator"),
        ({"type": [{"prefx": "a"}]}, ("type", 0, "prefx"), "no operator"),
        ({"data": {"n": {"numeric": ["=>", 3]}}}, ("data", "n", "numeric"), "no comparison"),
        ({"data": {"n": {"lte": "14"}}}, ("data", "n", "lte"), "no number"),
        ({"$or": [{"a": 1}]}, ("$or",), "two or more"),
        ({"a": []}, ("a",), "empty list"),
        ({"a": {"exists": "yes"}}, ("a", "exists"), "true or false"),
        ({"a": {"prefix": 3}}, ("a", "prefix"), "wants text"),
        ({"a": [{"anything-but": []}]}, ("a", 0, "anything-but"), "at least one"),
        ({"a": {"b": 1}, "a.b.c": 2}, (), "value and as an object"),
    ],
)
def test_a_malformed_pattern_names_the_place(pattern, path, word):
    with pytest.raises(PatternError, match=word) as caught:
        compile_pattern(pattern)
    assert caught.value.path == path
    assert caught.value.cure


def test_or_that_multiplies_beyond_measure_is_refused():
    branches = [{"a": i} for i in range(40)]
    pattern = {"$or": branches, "b": 1}
    assert compile_pattern(pattern)
    nested = {"$or": [{"$or": branches, "x": 1}, {"y": 1}]}
    assert compile_pattern(nested)
    product = {"one.$or": 1}
    assert compile_pattern(product)
    with pytest.raises(PatternError, match="multiply"):
        compile_pattern({"$or": [{"$or": branches, "z": i} for i in range(40)]})


def test_a_miss_names_field_wanted_and_seen():
    pattern = compile_pattern({"type": "license.expiring", "data": {"days_left": {"lte": 14}}})
    (miss,) = pattern.misses({"type": "license.expiring", "data": {"days_left": 30}})
    assert (miss.path, miss.wanted, miss.seen) == ("data.days_left", "{lte: 14}", "30")


def test_a_miss_on_what_is_not_there_says_so():
    pattern = compile_pattern({"data": {"license": {"id": "x"}}})
    (miss,) = pattern.misses({"data": {}})
    assert (miss.path, miss.seen) == ("data.license.id", "nothing")


def test_the_misses_are_those_of_the_nearest_branch():
    pattern = compile_pattern({"$or": [{"a": 1, "b": 1}, {"c": 1}]})
    assert [miss.path for miss in pattern.misses({"a": 2, "b": 2, "c": 2})] == ["c"]
    assert pattern.misses({"c": 1}) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "b", "ab"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=12,
)
alternatives = st.lists(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["a", "b", "ab"])
    | st.fixed_dictionaries({"prefix": st.sampled_from(["a", "b"])})
    | st.fixed_dictionaries({"anything-but": st.sampled_from(["a", 1])})
    | st.fixed_dictionaries({"exists": st.booleans()}),
    min_size=1, max_size=3,
)  # fmt: skip
patterns = st.dictionaries(
    st.sampled_from("ab"),
    st.recursive(
        alternatives, lambda p: st.dictionaries(st.sampled_from("ab"), p, min_size=1, max_size=2)
    ),
    min_size=1,
    max_size=2,
)


@given(pattern=patterns, event=st.dictionaries(st.sampled_from("ab"), json_values, max_size=2))
def test_misses_are_told_exactly_when_there_is_no_match(pattern, event):
    compiled = compile_pattern(pattern)
    assert bool(compiled.misses(event)) is not compiled.matches(event)


def test_operators_are_listed_for_messages():
    assert set(OPERATORS) >= {"prefix", "suffix", "anything-but", "numeric", "exists"}
