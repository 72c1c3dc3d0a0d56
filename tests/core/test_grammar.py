"""What is a pattern and what is none: every fault has a place, a code, and a cure that helps."""

import time

import pytest

from gateway.core.grammar import (
    COMBINING,
    DEEPEST_PLACE,
    ELSEWHERE,
    MOST_RULES,
    OPERATORS,
    PatternCompiler,
    PatternInvalid,
    compile_pattern,
    likely_operator,
)
from gateway.core.pattern import DEEPEST
from tests.kit.cases import check_each

LISTS = {"EU": ["DE", "FR"], "broken": ["DE", ["FR"]]}


def faults_of(pattern):
    with pytest.raises(PatternInvalid) as caught:
        compile_pattern(pattern, LISTS)
    return caught.value.faults


SHAPE, OPERATOR, ARGUMENT = "pattern-shape", "pattern-operator", "pattern-argument"
OR, SIZE, NUMBER, DEPTH = "pattern-or", "pattern-size", "pattern-number", "pattern-depth"

MALFORMED = [
    # What is not shaped as a pattern.
    ("x", (), SHAPE, "not a mapping", "match:"),
    (["x"], (), SHAPE, "not a mapping", "match:"),
    ({"a": {}}, ("a",), SHAPE, "empty mapping", "remove"),
    ({"a": []}, ("a",), SHAPE, "empty list", "remove"),
    ({"a": [[1]]}, ("a", 0), SHAPE, "an alternative is", "one list"),
    ({"a": [{}]}, ("a", 0), SHAPE, "an alternative is", "one list"),
    ({"a": {"b": {"c": []}}}, ("a", "b", "c"), SHAPE, "empty list", "remove"),
    ({"a": {"in": "broken"}}, ("a", "in", 1), SHAPE, "single value", "write text"),
    ({"a": {"anything-but": [{"prefix": "x"}]}}, ("a", "anything-but", 0), SHAPE, "single", "text"),
    # Operators that there are none of.
    ({"a": {"prefx": "b", "suffix": "c"}}, ("a", "prefx"), OPERATOR, "stands beside", '"prefix"'),
    ({"a": [{"prefx": "b"}]}, ("a", 0, "prefx"), OPERATOR, "no operator", '"prefix"'),
    ({"a": [{"PREFIX": "b"}]}, ("a", 0, "PREFIX"), OPERATOR, "no operator", '"prefix"'),
    ({"a": [{"anything_but": "b"}]}, ("a", 0, "anything_but"), OPERATOR, "no", '"anything-but"'),
    ({"a": [{"startsWith": "b"}]}, ("a", 0, "startsWith"), OPERATOR, "no operator", '"prefix"'),
    ({"a": [{"zzzz": "b"}]}, ("a", 0, "zzzz"), OPERATOR, "no operator", "use one of exactly"),
    ({"a": [{"prefix": "b", "zz": 1}]}, ("a", 0, "zz"), OPERATOR, "no operator", "use one of"),
    ({"$OR": [{"a": 1}, {"b": 1}]}, ("$OR",), OPERATOR, "not known", "$or"),
    ({"$ors": [{"a": 1}, {"b": 1}]}, ("$ors",), OPERATOR, "not known", "$or"),
    # Operators about fields.
    ({"$or": {"a": 1}}, ("$or",), OR, "two or more", "$or: ["),
    ({"$or": [{"a": 1}]}, ("$or",), OR, "two or more", "$or: ["),
    ({"$or": [{"a": 1}, 2]}, ("$or", 1), OR, "mappings of fields", "field"),
    ({"$or": [{"prefix": "a"}, {"b": 1}]}, ("$or", 0, "prefix"), OR, "is an operator", "first"),
    ({"$or": [{"a": 1}, {}]}, ("$or", 1), SHAPE, "empty mapping", "remove"),
    ({"$and": []}, ("$and",), OR, "one or more", "$and: ["),
    ({"$and": {"a": 1}}, ("$and",), OR, "one or more", "$and: ["),
    ({"$not": [{"a": 1}]}, ("$not",), OR, "a mapping of fields", "$not: {"),
    ({"$not": {}}, ("$not",), SHAPE, "empty mapping", "remove"),
    ({"$not": {"prefix": "a"}}, ("$not", "prefix"), OR, "is an operator", "field first"),
    # Arguments.
    ({"a": {"exists": "yes"}}, ("a", "exists"), ARGUMENT, "true or false", "exists: true"),
    ({"a": {"exists": 1}}, ("a", "exists"), ARGUMENT, "true or false", "exists: true"),
    ({"a": {"present": None}}, ("a", "present"), ARGUMENT, "true or false", "present: true"),
    ({"a": {"exactly": 3}}, ("a", "exactly"), ARGUMENT, "wants text", "quote"),
    ({"a": {"prefix": 3}}, ("a", "prefix"), ARGUMENT, "wants text", "quote"),
    ({"a": {"prefix": ["x"]}}, ("a", "prefix"), ARGUMENT, "wants text", "one text"),
    ({"a": {"suffix": {"prefix": "x"}}}, ("a", "suffix"), ARGUMENT, "wants text", "one text"),
    ({"a": {"suffix": {"equals-ignore-case": 1}}}, ("a", "suffix", "equals-ignore-case"), ARGUMENT,
     "wants text", "quote"),
    ({"a": {"equals-ignore-case": None}}, ("a", "equals-ignore-case"), ARGUMENT, "text", "quote"),
    ({"a": {"contains": 1}}, ("a", "contains"), ARGUMENT, "wants text", "quote"),
    ({"a": {"wildcard": 1}}, ("a", "wildcard"), ARGUMENT, "wants text", "quote"),
    ({"a": {"wildcard": "a**"}}, ("a", "wildcard"), ARGUMENT, "two stars", "write one"),
    ({"a": {"wildcard": r"\\**"}}, ("a", "wildcard"), ARGUMENT, "two stars", "write one"),
    ({"a": {"wildcard": r"a\b"}}, ("a", "wildcard"), ARGUMENT, "a backslash", r"`\\`"),
    ({"a": {"wildcard": "a\\"}}, ("a", "wildcard"), ARGUMENT, "a backslash", r"`\\`"),
    ({"a": {"anything-but": []}}, ("a", "anything-but"), ARGUMENT, "at least one", "name one"),
    ({"a": {"anything-but": {}}}, ("a", "anything-but"), ARGUMENT, "takes values", "prefix"),
    ({"a": {"anything-but": {"cidr": "x"}}}, ("a", "anything-but"), ARGUMENT, "takes", "prefix"),
    ({"a": {"anything-but": {"prefix": "x", "suffix": "y"}}}, ("a", "anything-but"), ARGUMENT,
     "takes values", "prefix"),
    ({"a": {"anything-but": {"prefix": ""}}}, ("a", "anything-but", "prefix"), ARGUMENT,
     "not empty", "nothing"),
    ({"a": {"anything-but": {"suffix": []}}}, ("a", "anything-but", "suffix"), ARGUMENT,
     "not empty", "nothing"),
    ({"a": {"anything-but": {"wildcard": ["a*", 1]}}}, ("a", "anything-but", "wildcard"), ARGUMENT,
     "wants text", "quote"),
    ({"a": {"numeric": 5}}, ("a", "numeric"), ARGUMENT, "one comparison", "numeric: ["),
    ({"a": {"numeric": [">"]}}, ("a", "numeric"), ARGUMENT, "one comparison", "numeric: ["),
    ({"a": {"numeric": ["=>", 3]}}, ("a", "numeric"), ARGUMENT, "no comparison", '">="'),
    ({"a": {"numeric": [3, ">"]}}, ("a", "numeric"), ARGUMENT, "no number", "compare"),
    ({"a": {"numeric": [">", True]}}, ("a", "numeric"), ARGUMENT, "no number", "compare"),
    ({"a": {"numeric": ["<", 5, ">", 1]}}, ("a", "numeric"), ARGUMENT, "wrong way", "lower"),
    ({"a": {"numeric": [">", 5, "<", 1]}}, ("a", "numeric"), ARGUMENT, "empty", "lower"),
    ({"a": {"numeric": [">", 5, "<=", 5]}}, ("a", "numeric"), ARGUMENT, "empty", "lower"),
    ({"a": {"numeric": ["=", 5, "<", 6]}}, ("a", "numeric"), ARGUMENT, "wrong way", "lower"),
    ({"a": {"lte": "14"}}, ("a", "lte"), ARGUMENT, "no number", "without quotes"),
    ({"a": {"lte": "x"}}, ("a", "lte"), ARGUMENT, "no number", "compare"),
    ({"a": {"decimal": 5}}, ("a", "decimal"), ARGUMENT, "one or two of", "decimal: {"),
    ({"a": {"decimal": {}}}, ("a", "decimal"), ARGUMENT, "one or two of", "decimal: {"),
    ({"a": {"decimal": {"prefix": "1"}}}, ("a", "decimal"), ARGUMENT, "one or two", "decimal: {"),
    ({"a": {"decimal": {"gt": 1, "gte": 1}}}, ("a", "decimal"), ARGUMENT, "one side", "decide"),
    ({"a": {"decimal": {"lt": 1, "lte": 1}}}, ("a", "decimal"), ARGUMENT, "one side", "decide"),
    ({"a": {"decimal": {"gt": "x"}}}, ("a", "decimal", "gt"), ARGUMENT, "no decimal", "499.90"),
    ({"a": {"decimal": {"gt": "1" * 101}}}, ("a", "decimal", "gt"), ARGUMENT, "no decimal", "text"),
    ({"a": {"decimal": {"gt": None}}}, ("a", "decimal", "gt"), ARGUMENT, "no number", "compare"),
    ({"a": {"cidr": []}}, ("a", "cidr"), ARGUMENT, "wants a network", "10.0.0.0/8"),
    ({"a": {"cidr": 10}}, ("a", "cidr"), ARGUMENT, "no network", "10.0.0.0/8"),
    ({"a": {"cidr": "10.0.0.1"}}, ("a", "cidr"), ARGUMENT, "no network", "10.0.0.0/8"),
    ({"a": {"cidr": "10.0.0.0/33"}}, ("a", "cidr"), ARGUMENT, "no network", "10.0.0.0/8"),
    ({"a": {"cidr": "10.0.0.01/8"}}, ("a", "cidr"), ARGUMENT, "no network", "10.0.0.0/8"),
    ({"a": {"cidr": "fe80::%1/10"}}, ("a", "cidr"), ARGUMENT, "no network", "10.0.0.0/8"),
    ({"a": {"cidr": ["10.0.0.0/8", "x/8"]}}, ("a", "cidr"), ARGUMENT, "x/8", "10.0.0.0/8"),
    ({"a": {"all": 1}}, ("a", "all"), ARGUMENT, "wants a list", "all: ["),
    ({"a": {"all": []}}, ("a", "all"), ARGUMENT, "wants a list", "all: ["),
    ({"a": {"all": [1, [2]]}}, ("a", "all", 1), SHAPE, "an alternative is", "one list"),
    ({"a": {"in": 5}}, ("a", "in"), ARGUMENT, "name of a list", "lists"),
    ({"a": {"in": []}}, ("a", "in"), ARGUMENT, "name of a list", "lists"),
    ({"a": {"in": "EUR"}}, ("a", "in"), "unknown-list", 'no list "EUR"', 'mean "EU"'),
    ({"a": {"in": "zzz"}}, ("a", "in"), "unknown-list", 'no list "zzz"', "EU, broken"),
    # Numbers that JSON cannot hold.
    ({"a": float("nan")}, ("a",), NUMBER, "no finite number", "JSON"),
    ({"a": [float("inf")]}, ("a", 0), NUMBER, "no finite number", "JSON"),
    ({"a": 10**400}, ("a",), NUMBER, "no finite number", "JSON"),
    ({"a": {"gt": float("-inf")}}, ("a", "gt"), NUMBER, "no finite number", "JSON"),
    ({"a": {"decimal": {"gt": float("inf")}}}, ("a", "decimal", "gt"), NUMBER, "finite", "JSON"),
]  # fmt: skip


def test_a_malformed_pattern_is_refused_with_place_code_and_cure():
    def is_refused(case):
        pattern, place, code, what, cure = case
        (fault,) = faults_of(pattern)
        assert (fault.place, fault.code) == (place, code)
        assert what in fault.what
        assert cure in fault.cure

    check_each(((repr(case[0])[:100], case) for case in MALFORMED), is_refused)


def test_all_faults_of_a_pattern_are_told_at_once():
    pattern = {
        "type": [{"prefx": "a"}, {"suffix": 1}],
        "data": {"n": {"gt": "x", "lt": "y"}, "m": []},
        "$or": [{"a": {"in": "US"}}, {"b": {"cidr": ["x", "y"]}}],
        "ok": 1,
    }
    assert [fault.place for fault in faults_of(pattern)] == [
        ("type", 0, "prefx"), ("type", 1, "suffix"),
        ("data", "n", "gt"), ("data", "n", "lt"), ("data", "m"),
        ("$or", 0, "a", "in"), ("$or", 1, "b", "cidr"), ("$or", 1, "b", "cidr"),
    ]  # fmt: skip


def test_a_fault_reads_as_a_sentence():
    with pytest.raises(PatternInvalid, match=r'^"prefx" is no operator; did you mean "prefix"\?$'):
        compile_pattern({"a": [{"prefx": "b"}]})


def test_an_unknown_list_is_cured_even_when_there_are_none():
    with pytest.raises(PatternInvalid, match=r"\(none\)"):
        compile_pattern({"a": {"in": "EU"}})


def test_what_others_call_an_operator_leads_to_ours():
    def leads_to_ours(case):
        word, ours = case
        (fault,) = faults_of({"a": [{word: "x"}]})
        assert fault.cure == f'did you mean "{ours}"?'
        assert ours in OPERATORS

    check_each(((case[0], case) for case in sorted(ELSEWHERE.items())), leads_to_ours)


def test_a_word_like_no_operator_leads_to_none():
    assert likely_operator("zzzz") is None


# -- what is one -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"a": "x"}, {"a": ["x"]}),
        ({"a": {"prefix": "x"}}, {"a": [{"prefix": "x"}]}),
        ({"a.b": 1}, {"a": {"b": 1}}),
        ({"a": {"exactly": "x"}}, {"a": "x"}),
        ({"a": {"wildcard": r"\*\\"}}, {"a": "*\\"}),
        ({"a": {"wildcard": {"equals-ignore-case": "X"}}}, {"a": {"equals-ignore-case": "X"}}),
        ({"a": {"gte": 1, "lte": 5}}, {"a": {"numeric": [">=", 1, "<=", 5]}}),
        ({"a": {"numeric": [">=", 5, "<=", 5]}}, {"a": {"numeric": ["=", 5]}}),
        ({"a": {"exists": True, "prefix": "x"}}, {"a": {"prefix": "x"}}),
        ({"$and": [{"a": 1}, {"b": 2}]}, {"a": 1, "b": 2}),
        ({"a": 1, "$and": [{"a": 1}]}, {"a": 1}),
        ({"a": {"all": [1, 2]}}, {"$and": [{"a": 1}, {"a": 2}]}),
        ({"a": {"$or": [{"b": 1}, {"c": 2}]}}, {"$or": [{"a.b": 1}, {"a.c": 2}]}),
    ],
)
def test_two_spellings_are_one_pattern(one, same):
    assert compile_pattern(one) == compile_pattern(same)


def test_a_mapping_of_operators_is_an_operator():
    assert compile_pattern({"a": {"exists": True}}) != compile_pattern({"a.exists": True})


def test_a_field_may_bear_the_name_of_an_operator_where_it_can_be_nothing_else():
    assert compile_pattern({"a": {"prefix": ["x"], "size": [1]}}) == compile_pattern(
        {"a.prefix": "x", "a.size": 1}
    )
    assert compile_pattern({"prefix": "x"}) == compile_pattern({"prefix": ["x"]})


def test_many_plain_values_are_looked_up_together():
    ((condition,),) = compile_pattern({"a": [1, 2, 3, None, "x", {"prefix": "y"}]}).rules
    assert [str(test) for test in condition.tests] == [
        '1 or 2 or 3 or null or "x"',
        '{prefix: "y"}',
    ]
    assert str(condition) == '1 or 2 or 3 or null or "x" or {prefix: "y"}'


def test_what_is_the_same_in_two_patterns_is_shared():
    compiler = PatternCompiler()
    ((one, _),) = compiler.compile({"a": {"prefix": "x"}, "b": 1}).rules
    ((other, _),) = compiler.compile({"a": {"prefix": "x"}, "c": 1}).rules
    assert one is other


def test_whole_numbers_beyond_64_bits_are_as_the_decoder_makes_them():
    assert compile_pattern({"a": 2**64}) == compile_pattern({"a": float(2**64)})
    assert compile_pattern({"a": 2**64 - 1}) != compile_pattern({"a": 2**64 - 2})


# -- limits ------------------------------------------------------------------------------------------------


def branches(count, name="a"):
    return [{name: i} for i in range(count)]


def test_or_may_come_to_so_many_rules_and_no_more():
    assert len(compile_pattern({"$or": branches(MOST_RULES), "b": 1}).rules) == MOST_RULES
    square = {"$and": [{"$or": branches(32)}, {"$or": branches(32, "b")}]}
    assert len(compile_pattern(square).rules) == MOST_RULES
    (fault,) = faults_of({**square, "$or": branches(2, "c")})
    assert (fault.place, fault.code) == ((), SIZE)
    assert str(2 * MOST_RULES) in fault.what


def test_alternatives_that_multiply_beyond_measure_are_refused():
    several = [{"all": list(range(i, i + 33))} for i in range(2)]
    (fault,) = faults_of({"a": several})
    assert (fault.place, fault.code) == (("a",), SIZE)


def test_negations_in_negations_that_multiply_beyond_measure_are_refused():
    (fault,) = faults_of({"$not": {"$or": branches(40), "$not": {"$or": branches(40, "b")}}})
    assert (fault.place, fault.code) == (("$not",), SIZE)


def test_terabytes_of_rules_are_refused_at_once():
    pattern = {"$and": [{"$or": branches(1000, f"f{i}")} for i in range(50)]}
    began = time.process_time()  # others use the machine, too
    faults_of(pattern)
    assert time.process_time() - began < 5


def nested(depth, wrap, value=1):
    for _ in range(depth):
        value = wrap(value)
    return value


def test_fields_may_nest_so_deep_and_no_deeper():
    assert compile_pattern(nested(DEEPEST, lambda inner: {"a": inner}))
    (fault,) = faults_of(nested(DEEPEST + 1, lambda inner: {"a": inner}))
    assert (fault.place, fault.code) == (("a",) * (DEEPEST + 1), DEPTH)


def test_a_dotted_path_may_be_as_long_as_nested_fields():
    assert compile_pattern({".".join("a" * DEEPEST): 1})
    assert faults_of({".".join("a" * (DEEPEST + 1)): 1})[0].code == DEPTH


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: {"$not": inner},
        lambda inner: {"$and": [inner]},
        lambda inner: {"$or": [inner, {"b": 1}]},
        lambda inner: {"a": {"$not": inner}},
        lambda inner: {".".join("a" * 60): {"$not": inner}},
    ],
)
@pytest.mark.parametrize("depth", [DEEPEST_PLACE + 2, 10_000])
def test_what_combines_fields_nests_no_deeper_than_can_be_judged(wrap, depth):
    assert faults_of(nested(depth, wrap, {"a": 1}))[0].code == DEPTH


def test_operators_in_operators_nest_no_deeper_than_can_be_read():
    assert faults_of({"a": nested(10_000, lambda inner: {"all": [inner]})})[0].code == DEPTH


def test_the_deepest_negations_can_be_judged():
    even = nested(DEEPEST_PLACE - 2, lambda inner: {"$not": inner}, {"a": 1})
    assert compile_pattern(even).matches({"a": 1})
    assert not compile_pattern(even).matches({"a": 2})


def test_names_that_combine_are_no_operators():
    assert not set(COMBINING) & set(OPERATORS)
