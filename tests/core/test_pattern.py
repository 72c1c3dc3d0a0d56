"""What a pattern means: conformance cases, the edge cases of the language, and the traps of others.

Every case is put to the pattern, to an index of it, and to the plain reference (tests/kit/reference.py).
"""

import json
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.core.grammar import PatternCompiler, PatternInvalid, compile_pattern
from gateway.core.index import Index
from gateway.core.pattern import DEEPEST, MISSING, undotted
from tests.kit import patterns as some
from tests.kit import reference
from tests.kit.cases import check_each

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/rule_cases.jsonl").read_text().splitlines()
]
LISTS = {"EU": ["DE", "FR"], "mixed": ["a", 1, None, True]}


def matches(pattern, event):
    """Whether an event satisfies a pattern: all three that can tell must agree."""
    compiled = compile_pattern(pattern, LISTS)
    answers = {
        compiled.matches(event),
        bool(Index([compiled]).match(event)),
        reference.matches(pattern, event, LISTS),
    }
    (answer,) = answers
    return answer


def conforms(case):
    try:
        compile_pattern(case["pattern"])
    except PatternInvalid:
        result = "invalid"
    else:
        result = matches(case["pattern"], case["event"])
    assert result == case["expect"]


def test_conformance():
    check_each(((case["id"], case) for case in CASES), conforms)


def test_the_cases_are_many():
    assert len(CASES) > 400


# Of each pattern: fields that satisfy it, and fields that do not. `a` stands for {"a": a}.
TOLD_APART = {
    # literals
    "a scalar stands for a list of one": ("x", ["x"], ["y", "", None, 0]),
    "a list is a choice": (["x", 1, None], ["x", 1, None], ["1", 0, False, ""]),
    "a number is no text": (35, [35, 35.0, 3.5e1], ["35", 35.1, True]),
    "text is no number": ("35", ["35"], [35]),
    "true is no 1": (True, [True], [1, 1.0, "true", False]),
    "1 is no true": (1, [1, 1.0], [True, "1"]),
    "0 is neither false nor null": (0, [0, 0.0, -0.0], [False, None, ""]),
    "false is no 0": (False, [False], [0, None, ""]),
    "null is null": (None, [None, [None]], ["null", [], {}, {"k": None}, 0, False, ""]),
    "large whole numbers are exact": (2**53 + 1, [2**53 + 1], [2**53, 2**53 + 2, float(2**53)]),
    "larger ones are doubles": (2**64, [float(2**64)], [2**64 - 1]),
    "what looks like an address is text": ("10.0.0.1", ["10.0.0.1"], ["10.0.0.01", "010.0.0.1"]),
    "the empty text": ("", [""], [None, [], "x"]),
    "a star is a star": ("license.*", ["license.*"], ["license.expired"]),
    "case matters": ("a", ["a"], ["A"]),
    # operators on text
    "exactly": ({"exactly": "x"}, ["x"], ["X", "xy"]),
    "prefix": ({"prefix": "ab"}, ["ab", "abc"], ["a", "xab", "AB", 5, None, True]),
    "an empty prefix": ({"prefix": ""}, ["", "x"], [None, 0, True, [], {}]),
    "an empty suffix": ({"suffix": ""}, ["", "x"], [None, 0, True, [], {}]),
    "a prefix of digits is about text": ({"prefix": "1"}, ["12"], [12]),
    "suffix": ({"suffix": "ab"}, ["ab", "xab"], ["b", "abx", "AB", 5]),
    "prefix, case ignored": ({"prefix": {"equals-ignore-case": "STRA"}}, ["straße"], ["sta", 5]),
    "suffix, case ignored": ({"suffix": {"equals-ignore-case": "SSE"}}, ["Straße"], ["se", 5]),
    "case is folded": ({"equals-ignore-case": "straße"}, ["STRASSE", "Straße"], ["strase", 5]),
    "the Kelvin sign is a k": ({"equals-ignore-case": "k"}, ["K", "\u212a"], ["x"]),
    "a final sigma is a sigma": ({"equals-ignore-case": "ΟΔΟΣ"}, ["οδος", "οδοσ"], ["οδο"]),
    "wildcard": ({"wildcard": "a*b*c"}, ["abc", "axbxc", "a\n/b*c"], ["ac", "abcd", "xabc", 5]),
    "wildcard: the ends do not overlap": ({"wildcard": "aba*ba"}, ["ababa", "abaxba"], ["aba"]),
    "wildcard: only stars": ({"wildcard": "*"}, ["", "x"], [5, None, [], {}]),
    "wildcard: no star": ({"wildcard": "x"}, ["x"], ["xx"]),
    "wildcard: escapes": ({"wildcard": r"\**\\"}, ["*\\", "*x\\"], ["x\\", "*"]),
    "wildcard, case ignored": ({"wildcard": {"equals-ignore-case": "A*SS"}}, ["axß"], ["a", 5]),
    "contains": ({"contains": "b*"}, ["b*", "ab*c"], ["b", "abc", 5]),
    "contains nothing": ({"contains": ""}, ["", "x"], [5, None]),
    "contains, case ignored": ({"contains": {"equals-ignore-case": "SS"}}, ["aßb"], ["s"]),
    # numbers
    "a comparison": ({"numeric": [">", 5]}, [6, 5.1, 2**63], [5, "6", True, None]),
    "a range": ({"numeric": [">=", 0, "<", 5]}, [0, 4.9, -0.0], [5, -1, False, "1"]),
    "a point": ({"numeric": [">=", 5, "<=", 5]}, [5, 5.0], [5.1, "5"]),
    "equal": ({"numeric": ["=", 1]}, [1, 1.0], [True, "1", 2]),
    "less or equal": ({"numeric": ["<=", 5]}, [5, -1], [5.1, None]),
    "bounds": ({"gt": 1, "lte": 5}, [1.1, 5], [1, 5.1, "3", True]),
    "bounds that are exact": ({"gt": 2**53}, [2**53 + 1], [2**53, float(2**53)]),
    "bounds hold for one value": ({"gte": 10, "lt": 20}, [10, [5, 15]], [20, [5, 25]]),
    "decimal": ({"decimal": {"gt": "499.90"}}, ["499.91", "5e2", "+500"], ["499.9", "x", 500, ""]),
    "decimal bounds": ({"decimal": {"gte": 0.1, "lt": "1"}}, ["0.1", "0.10"], ["1", "0.09", 0.5]),
    "decimal is exact": ({"decimal": {"lte": "0.3"}}, ["0.3"], ["0.30000000000000000001"]),
    # anything-but
    "anything but text": ({"anything-but": "a"}, ["b", "", 5, None, True], ["a", [], {}, {"k": 1}]),
    "anything but a number": ({"anything-but": 1}, ["1", True, 2], [1, 1.0]),
    "anything but null": ({"anything-but": None}, [0, "", False], [None, []]),
    "anything but a truth value": ({"anything-but": [True, "x"]}, [False, 1, "true"], [True, "x"]),
    "anything but, of an array": ({"anything-but": "a"}, [["a", "b"]], [["a", "a"], []]),
    "anything but a prefix": ({"anything-but": {"prefix": "ab"}}, ["a", 5, None], ["ab", "abc"]),
    "anything but suffixes": ({"anything-but": {"suffix": ["x", "y"]}}, ["z", 5], ["ax", "ay"]),
    "anything but a case": ({"anything-but": {"equals-ignore-case": "ss"}}, ["s"], ["ß", "SS"]),
    "anything but a wildcard": ({"anything-but": {"wildcard": ["a*", "*b"]}}, ["ba"], ["a", "b"]),
    # presence
    "exists": ({"exists": True}, [None, "", False, [0]], [[], {}, {"k": 1}, [[]], [{}]]),
    "does not exist": ({"exists": False}, [[], {}, {"k": 1}, [{}]], [None, "", False, [0]]),
    "present": ({"present": True}, [None, "", [], {}, {"k": 1}], []),
    "not present": ({"present": False}, [], [None, "", [], {}, {"k": 1}]),
    "a container that has nothing": (
        {"present": True, "exists": False}, [[], {}, {"k": 1}], [None, [0]],
    ),
    # networks
    "cidr": ({"cidr": "10.1.2.3/8"}, ["10.0.0.0", "10.255.255.255"], ["11.0.0.0", "::1", "x", 5]),
    "cidr of one address": ({"cidr": "10.0.0.1/32"}, ["10.0.0.1"], ["10.0.0.2", "10.0.0.01"]),
    "cidr of all": ({"cidr": "0.0.0.0/0"}, ["1.2.3.4"], ["::1", "::ffff:1.2.3.4", "1.2.3"]),
    "cidr of version 6": ({"cidr": "::1/128"}, ["::1", "0:0:0:0:0:0:0:1"], ["::2", "::1%lo"]),
    "cidr of several": ({"cidr": ["10.0.0.0/8", "fe80::/10"]}, ["10.1.1.1", "fe80::1"], ["9.9.9.9"]),
    # lists, and all
    "in a list by name": ({"in": "EU"}, ["DE", ["US", "FR"]], ["US", "EU", None]),
    "in a list of all kinds": ({"in": "mixed"}, ["a", 1, None, True], [0, False, "1"]),
    "in these values": ({"in": ["a", 2]}, ["a", 2.0], ["b", "2"]),
    "all": ({"all": ["a", {"prefix": "b"}]}, [["a", "bc"], ["bc", "x", "a"]], ["a", ["a"], ["b"]]),
    "all of it, or another": ([{"all": ["a", "b"]}, "c"], [["a", "b"], "c"], ["a", "b"]),
    "several operators": ({"prefix": "a", "suffix": "z"}, ["az", ["az"]], [["ab", "xz"], "a"]),
    "an operator and all": ({"all": ["a", "b"], "in": ["c"]}, [["a", "b", "c"]], [["a", "b"], "c"]),
    # arrays
    "arrays of arrays": ("x", [["x"], [[["x"]]], [[], ["y", "x"]]], [[], [[]], [["y"]]]),
    "many values, or none at all": (
        [1, 2, 3, 4, "x", {"exists": False}], ["x", 3, [], {}], ["y", [0], None],
    ),
}  # fmt: skip


def test_an_operator_tells_values_apart():
    def tells_apart(case):
        wanted, good, bad = case
        assert [value for value in good if not matches({"a": wanted}, {"a": value})] == []
        assert [value for value in bad if matches({"a": wanted}, {"a": value})] == []

    check_each(TOLD_APART.items(), tells_apart)


def test_a_field_that_is_not_there_satisfies_only_who_wants_that():
    def wants_it_or_not(case):
        wanted, _, _ = case
        alternatives = wanted if isinstance(wanted, list) else [wanted]
        wants_nothing = any(
            each in ({"exists": False}, {"present": False}) for each in alternatives
        )
        assert matches({"a": wanted}, {"b": "x"}) is wants_nothing
        assert matches({"a": {"b": wanted}}, {"a": "x"}) is wants_nothing

    check_each(TOLD_APART.items(), wants_it_or_not)


# -- fields together -----------------------------------------------------------------------------------------


def test_every_field_has_to_be_satisfied():
    assert matches({"a": 1, "gone": 2}, {"a": 1, "gone": 2})
    assert not matches({"a": 1, "gone": 2}, {"a": 1})


def test_everything_is_matched_only_when_asked_for():
    assert matches({}, {})
    assert matches({}, {"a": 1})
    with pytest.raises(PatternInvalid):
        compile_pattern({"a": {}})


def test_or_is_a_choice_beside_what_else_is_wanted():
    pattern = {"a": 1, "$or": [{"b": 1}, {"c": {"d": 1}}]}
    assert matches(pattern, {"a": 1, "b": 1})
    assert matches(pattern, {"a": 1, "c": {"d": 1}})
    assert not matches(pattern, {"a": 1})
    assert not matches(pattern, {"a": 2, "b": 1})


def test_or_within_a_field_is_about_its_fields():
    pattern = {"a": {"$or": [{"b": 1}, {"c": 1}]}}
    assert matches(pattern, {"a": {"c": 1}})
    assert not matches(pattern, {"c": 1})


def test_and_wants_all_of_several_choices():
    pattern = {"$and": [{"$or": [{"a": 1}, {"a": 2}]}, {"$or": [{"b": 1}, {"c": 1}]}]}
    assert matches(pattern, {"a": 2, "c": 1})
    assert not matches(pattern, {"a": 2})


def test_not_wants_a_whole_pattern_not_to_match():
    pattern = {"a": 1, "$not": {"b": 1, "c": 1}}
    assert matches(pattern, {"a": 1, "b": 1})
    assert not matches(pattern, {"a": 1, "b": 1, "c": 1})


def test_not_of_an_array_is_about_every_element():
    assert not matches({"$not": {"a": "x"}}, {"a": ["x", "y"]})
    assert matches({"a": {"anything-but": "x"}}, {"a": ["x", "y"]})


def test_not_within_not_is_affirmative():
    pattern = {"$not": {"$not": {"a": 1}}}
    assert matches(pattern, {"a": 1})
    assert not matches(pattern, {"a": 2})


def test_not_with_a_choice_wants_none_of_it():
    pattern = {"$not": {"$or": [{"a": 1}, {"b": 1}]}}
    assert matches(pattern, {"a": 2, "b": 2})
    assert not matches(pattern, {"a": 2, "b": 1})


def test_one_path_twice_means_both():
    assert matches({"a": {"b": {"gt": 1}}, "a.b": {"lt": 5}}, {"a": {"b": 3}})
    assert not matches({"a": {"b": {"gt": 1}}, "a.b": {"lt": 5}}, {"a": {"b": 7}})
    assert not matches({"a": 1, "$or": [{"a": 2}, {"b": 1}]}, {"a": 1})
    assert matches({"a": 1, "$or": [{"a": 2}, {"b": 1}]}, {"a": [1, 2]})


def test_a_field_may_be_wanted_as_a_value_and_as_an_object():
    pattern = {"a": "x", "a.b": 1}
    assert matches(pattern, {"a": ["x", {"b": 1}]})
    assert not matches(pattern, {"a": {"b": 1}})


# -- keys with dots ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [{"a": {"b": {"c": 1}}}, {"a.b.c": 1}, {"a.b": {"c": 1}}])
@pytest.mark.parametrize(
    "event", [{"a": {"b": {"c": 1}}}, {"a.b.c": 1}, {"a": {"b.c": 1}}, {"a.b": {"c": 1}}]
)
def test_a_key_with_dots_is_the_same_as_nested_objects(pattern, event):
    assert matches(pattern, event)
    assert not matches(pattern, json.loads(json.dumps(event).replace("1", "2")))


def test_keys_that_lead_to_one_field_give_it_the_values_of_all():
    event = {"a.b": 1, "a": {"b": [2], "c": 3}}
    assert matches({"a": {"b": {"all": [1, 2]}, "c": 3}}, event)
    assert matches({"a.b": {"all": [1, "x"]}}, {"a.b": "x", "a": {"b": 1}})
    assert matches({"a": "x", "a.b": 1}, {"a.b": 1, "a": "x"})


def test_an_object_and_the_elements_of_an_array_stay_apart():
    event = {"a.b": 1, "a": [{"c": 1}, {"d": 1}], "a.e": 1}
    assert matches({"a": {"b": 1, "e": 1}}, event)
    assert not matches({"a": {"b": 1, "c": 1}}, event)
    assert not matches({"a": {"c": 1, "d": 1}}, event)


def test_presence_is_brought_by_keys_with_dots():
    assert matches({"a": {"present": True}}, {"a.b": 1})
    assert not matches({"x": {"a": {"present": False}}}, {"x": {"a.b.c": 1}})
    assert not matches({"b": 1, "$not": {"a": {"present": True}}}, {"a.c": 1, "b": 1})


def test_what_is_negated_is_found_below_keys_with_dots():
    assert not matches({"a": "x", "$not": {"b": {"c": 1}}}, {"a": "x", "b.c": 1})
    assert not matches({"$not": {"a": 1, "$not": {"b.c": 1}}}, {"a": 1})
    assert matches({"$not": {"a": 1, "$not": {"b.c": 1}}}, {"a": 1, "b": {"c": 1}})


def test_keys_of_a_label_are_found():
    event = {"labels": {"app.kubernetes.io/name": "web"}}
    assert matches({"labels": {"app.kubernetes.io/name": "web"}}, event)
    assert matches({"labels.app.kubernetes.io/name": {"prefix": "w"}}, event)


# -- arrays of objects -----------------------------------------------------------------------------------------

ITEMS = {"items": [{"kind": "image", "id": 1}, {"kind": "film", "id": 2, "gone": None}]}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ({"kind": "image", "id": 1}, True),
        ({"kind": "image", "id": 2}, False),
        ({"kind": "image", "gone": {"exists": False}}, True),
        ({"kind": "film", "gone": {"exists": False}}, False),
        ({"kind": "film", "gone": {"present": False}}, False),
        ({"kind": "image", "gone": {"present": False}}, True),
        ({"kind": "film", "$not": {"id": 1}}, True),
        ({"kind": "film", "$not": {"id": 2}}, False),
        ({"gone": {"exists": False}}, False),
        ({"lost": {"exists": False}}, True),
        ({"$not": {"id": 2}}, False),
        ({"$not": {"id": 3}}, True),
        ({"kind": ["film", {"exists": False}], "id": 1}, False),
        ({"id": [3, {"exists": False}]}, False),
        ({"$or": [{"kind": "image", "id": 2}, {"kind": "film", "id": 2}]}, True),
        ({"$or": [{"kind": "image", "id": 2}, {"kind": "film", "id": 1}]}, False),
        ({"kind": {"all": ["image", "film"]}}, False),
        ({"id": {"gt": 0, "lt": 3}, "kind": {"anything-but": "film"}}, True),
    ],
)
def test_fields_below_one_array_are_judged_in_one_element(items, expected):
    assert matches({"items": items}, ITEMS) is expected
    assert matches({"items": items}, {"items": ITEMS["items"][::-1]}) is expected
    assert matches({"items": items}, {"items": [[[each]] for each in ITEMS["items"]]}) is expected


def test_an_order_of_fields_does_not_matter_to_what_is_absent():
    pattern = {"items": {"kind": "image", "gone": {"exists": False}}}
    backwards = {"items": {"gone": {"exists": False}, "kind": "image"}}
    assert matches(pattern, ITEMS)
    assert matches(backwards, ITEMS)


def test_or_is_judged_in_the_element_of_the_fields_beside_it():
    pattern = {"items": {"kind": "image"}, "$or": [{"items": {"id": 1}}, {"items": {"id": 2}}]}
    assert matches(pattern, {"items": [{"kind": "image", "id": 2}]})
    assert not matches(pattern, {"items": [{"kind": "image", "id": 3}, {"kind": "film", "id": 2}]})


def test_not_outside_an_array_is_about_all_of_its_elements():
    assert not matches({"items": {"kind": "image"}, "$not": {"items": {"id": 2}}}, ITEMS)
    assert matches({"items": {"kind": "image"}, "$not": {"items": {"id": 3}}}, ITEMS)


def test_pairs_of_fields_in_one_element_each_are_not_enough():
    pattern = {"a": {"x": 1, "y": 1, "z": 1}}
    pairs = [{"x": 1, "y": 1}, {"y": 1, "z": 1}, {"x": 1, "z": 1}]
    assert not matches(pattern, {"a": pairs})
    assert matches(pattern, {"a": [*pairs, {"x": 1, "y": 1, "z": 1}]})


def test_arrays_in_arrays_are_bound_together():
    event = {"a": [{"n": 1, "b": [{"x": 1, "y": 2}]}, {"n": 2, "b": [{"x": 1, "y": 1}]}]}
    assert matches({"a": {"n": 2, "b": {"x": 1, "y": 1}}}, event)
    assert not matches({"a": {"n": 1, "b": {"x": 1, "y": 1}}}, event)
    assert matches({"a": {"n": 1, "b": {"x": 1, "y": {"anything-but": 1}}}}, event)
    assert not matches({"a": {"n": 1, "b": {"z": {"exists": True}}}}, event)
    assert matches({"a": {"n": 1, "b": {"$not": {"y": 1}}}}, event)


def test_sibling_arrays_are_independent():
    event = {"a": [{"x": 1}, {"x": 2}], "b": [{"y": 1}, {"y": 2}]}
    assert matches({"a": {"x": 1}, "b": {"y": 2}}, event)


def test_scalars_in_an_array_bind_no_element():
    assert matches({"a": {"all": ["x", "y"]}, "a.b": 1}, {"a": ["x", {"b": 1}, "y"]})


# -- what is deep or long ----------------------------------------------------------------------------------------


def nested(depth, wrap, value="x"):
    for _ in range(depth):
        value = wrap(value)
    return value


def test_ten_thousand_nested_arrays_are_crushed_without_recursion():
    event = {"a": nested(10_000, lambda inner: [inner])}
    compiled = compile_pattern({"a": "x"})
    assert compiled.matches(event)
    assert Index([compiled]).match(event) == [0]


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1, 900])
def test_a_deep_event_is_matched_as_deep_as_patterns_go(depth):
    event = nested(depth, lambda inner: {"a": [inner], "b.c": 1})
    assert matches(nested(DEEPEST, lambda inner: {"a": inner}), event) is (depth == DEEPEST)


def test_keys_with_thousands_of_dots_are_harmless():
    event = {"a." * 5_000 + "x": 1, "a." * 5_000 + "y": 1, "b": {"c.d": 1}}
    compiled = compile_pattern({"b": {"c": {"d": 1}}, "a": {"a": {"present": True}}})
    assert compiled.matches(event)
    assert Index([compiled]).match(event) == [0]


def test_keys_that_lead_to_the_same_deep_place_are_harmless():
    inner = nested(900, lambda inner: {"a": inner})
    event = {"a": inner, "a.a": inner, "a.a.a": {"a": inner}}
    assert compile_pattern({"a": {"a": {"present": True}}}).matches(event)


# -- properties ----------------------------------------------------------------------------------------------


def agree(pattern, event):
    """All that can tell whether an event satisfies a pattern agree, and misses are told if it does not."""
    try:
        compiled = PatternCompiler(some.LISTS).compile(pattern)
    except PatternInvalid:
        assume(False)  # a range that is empty
    expected = reference.matches(pattern, event, some.LISTS)
    assert compiled.matches(event) is expected
    assert bool(Index([compiled]).match(event)) is expected
    misses, of = compiled.misses(undotted(event))
    assert bool(misses) is not expected
    assert len(misses) <= max(of, 1)
    assert all(miss.wanted and miss.seen for miss in misses)


@given(pattern=some.patterns(), event=some.EVENTS)
@example(pattern={"a": {"b": 1, "$not": {"c": 1}}}, event={"a": [{"b": 1, "c": 1}, {"b": 1}]})
def test_a_pattern_means_what_the_reference_says(pattern, event):
    agree(pattern, event)


@given(some.one_field())
def test_an_operator_means_what_the_reference_says(pattern_and_event):
    agree(*pattern_and_event)


@given(some.in_arrays())
def test_arrays_are_read_as_the_reference_says(pattern_and_event):
    agree(*pattern_and_event)


@given(pattern=some.patterns(), event=some.EVENTS, order=st.randoms())
def test_the_order_of_keys_and_fields_does_not_matter(pattern, event, order):
    try:
        compiled = PatternCompiler(some.LISTS).compile(pattern)
    except PatternInvalid:
        assume(False)  # a range that is empty
    pattern, event = (
        dict(order.sample(sorted(each.items()), len(each))) for each in (pattern, event)
    )
    assert PatternCompiler(some.LISTS).compile(pattern).matches(event) is compiled.matches(event)


# -- why not ---------------------------------------------------------------------------------------------------


def misses(pattern, event):
    return [(m.path, m.wanted, m.seen) for m in compile_pattern(pattern, LISTS).misses(event)[0]]


def test_a_miss_names_field_wanted_and_seen():
    pattern = {"type": "license.expiring", "data": {"days_left": {"lte": 14}}}
    event = {"type": "license.expiring", "data": {"days_left": 30}}
    assert misses(pattern, event) == [("data.days_left", "{lte: 14}", "30")]


def test_a_miss_on_what_is_not_there_says_so():
    assert misses({"data": {"id": "x"}}, {"data": {}}) == [("data.id", '"x"', "nothing")]
    assert repr(MISSING) == "MISSING"


def test_a_miss_tells_all_alternatives():
    wanted = ["x", {"prefix": "y"}, {"exists": False}, {"present": True}, {"present": False}]
    ((condition,),) = compile_pattern({"a": wanted}).rules
    assert str(condition) == (
        '"x" or {prefix: "y"} or {exists: false} or {present: true} or {present: false}'
    )
    assert misses({"a": ["x", {"exists": False}]}, {"a": "z"}) == [
        ("a", '"x" or {exists: false}', '"z"')
    ]


def test_the_misses_are_those_of_the_nearest_branch():
    pattern = compile_pattern({"$or": [{"a": 1, "b": 1}, {"c": 1}]})
    found, of = pattern.misses({"a": 2, "b": 2, "c": 2})
    assert ([miss.path for miss in found], of) == (["c"], 1)
    assert pattern.misses({"c": 1}) == ([], 1)


def test_the_misses_in_an_array_are_those_of_the_nearest_element():
    pattern = {"items": {"kind": "film", "id": 2, "gone": 1}}
    assert misses(pattern, ITEMS) == [("items.gone", "1", "null")]
    assert misses({"items": {"id": {"exists": False}}}, ITEMS) == [
        ("items.id", "{exists: false}", "1")
    ]


def test_what_is_negated_and_true_is_a_miss():
    assert misses({"$not": {"a": 1}}, {"a": 1}) == [("$not", "not {a: 1}", "{a: 1}")]
    assert misses({"a": {"$not": {"b": 1}}}, {"a": {"b": 1}}) == [("a", "not {b: 1}", "{b: 1}")]
    assert misses({"$not": {"a": 1}}, {"a": 2}) == []


def test_what_was_seen_is_cut_short():
    ((_, _, seen),) = misses({"a": 1}, {"a": "x" * 1000})
    assert (len(seen), seen[-1]) == (80, "…")


@pytest.mark.parametrize(
    ("bound", "text", "expected"),
    [
        ({"gte": 123456789012345678901}, "123456789012345678901", True),
        ({"gt": 123456789012345678901}, "123456789012345678901", False),
        ({"lte": 10**99}, "1e99", True),
    ],
)
def test_decimal_is_exact_for_whole_numbers_of_any_size(bound, text, expected):
    assert compile_pattern({"a": {"decimal": bound}}).matches({"a": text}) is expected
