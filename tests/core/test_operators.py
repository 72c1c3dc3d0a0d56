"""What one leaf can be asked."""

import pytest

from gateway.core.grammar import compile_pattern
from gateway.core.operators import (
    DEEPEST_SHOWN,
    LONGEST_DECIMAL,
    Anything,
    AnythingBut,
    Both,
    Cidr,
    Constant,
    DecimalRange,
    Folded,
    Literal,
    OneOf,
    Prefix,
    Range,
    Suffix,
    Wildcard,
    address_of,
    decimal_of,
    joined,
    shown,
)


def the_test(wanted):
    """The one test that a field's condition comes to."""
    ((condition,),) = compile_pattern({"a": wanted}, {"EU": ["DE", "FR"]}).rules
    (test,) = condition.tests
    return test


@pytest.mark.parametrize(
    ("wanted", "printed"),
    [
        ("x", '"x"'),
        (35, "35"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        ({"exactly": "x"}, '"x"'),
        ({"equals-ignore-case": "x"}, '{equals-ignore-case: "x"}'),
        ({"prefix": "x"}, '{prefix: "x"}'),
        ({"suffix": {"equals-ignore-case": "x"}}, '{suffix: {equals-ignore-case: "x"}}'),
        ({"wildcard": "a*b"}, '{wildcard: "a*b"}'),
        ({"contains": "a*b"}, '{contains: "a*b"}'),
        ({"anything-but": "x"}, '{anything-but: "x"}'),
        ({"anything-but": ["x", 1]}, '{anything-but: ["x", 1]}'),
        ({"anything-but": {"prefix": "x"}}, '{anything-but: {prefix: "x"}}'),
        ({"numeric": ["=", 5]}, '{numeric: ["=", 5]}'),
        ({"numeric": [">", 0, "<=", 5]}, "{gt: 0, lte: 5}"),
        ({"gte": 1, "lt": 5}, "{gte: 1, lt: 5}"),
        ({"lte": 5}, "{lte: 5}"),
        ({"gte": 5, "lte": 5}, '{numeric: ["=", 5]}'),
        ({"decimal": {"gt": "1.50"}}, "{decimal: {gt: 1.50}}"),
        ({"decimal": {"gte": 2, "lte": 2}}, "{decimal: {gte: 2, lte: 2}}"),
        ({"cidr": "10.1.2.3/8"}, '{cidr: "10.0.0.0/8"}'),
        ({"cidr": ["10.0.0.0/8", "::1/128"]}, '{cidr: ["10.0.0.0/8", "::1/128"]}'),
        ({"exists": True}, "{exists: true}"),
        ({"in": "EU"}, "{in: EU}"),
        ({"in": ["DE", 1]}, '"DE" or 1'),
        ({"prefix": "a", "suffix": "z"}, '{prefix: "a", suffix: "z"}'),
        ({"exactly": "x", "in": ["x", None]}, '{exactly: "x", in: ["x", null]}'),
        ({"in": "EU", "prefix": "D"}, '{in: EU, prefix: "D"}'),
    ],
)
def test_a_test_prints_as_it_reads(wanted, printed):
    assert str(the_test(wanted)) == printed


def test_values_print_as_yaml_has_them():
    assert shown({"a": [1, "b", None, True, False, {"c": 1.5}]}) == (
        '{a: [1, "b", null, true, false, {c: 1.5}]}'
    )


def test_what_nests_very_deep_is_left_out_of_print():
    value: object = "x"
    for _ in range(10_000):
        value = [value]
    assert shown(value) == "[" * (DEEPEST_SHOWN + 1) + "…" + "]" * (DEEPEST_SHOWN + 1)


@pytest.mark.parametrize(
    ("test", "leaves"),
    [
        (Literal("a"), ["a"]),
        (Literal(1), [1, 1.0]),
        (Literal(2**53 + 1), [2**53 + 1]),
        (Literal(0), [0, -0.0]),
        (Constant(True), [True]),
        (Constant(False), [False]),
        (Constant(None), [None]),
        (Folded.of("Straße"), ["STRASSE", "straße"]),
        (Prefix(""), ["", "a", "ab", "STRASSE", "straße", "10.0.0.1", "1.50"]),
        (Prefix("STRA", fold=True), ["STRASSE", "straße"]),
        (Suffix("b"), ["ab"]),
        (Suffix("SSE", fold=True), ["STRASSE", "straße"]),
        (Wildcard(("", "S", "E"), "*S*E"), ["STRASSE"]),
        (Range(1, 2**53, with_low=False), [2**53]),
        (DecimalRange(), ["1.50"]),
        (Cidr(()), []),
        (AnythingBut((Prefix(""),)), [1, 1.0, 0, -0.0, 2**53, 2**53 + 1, True, False, None]),
        (OneOf.of([Literal("a"), Literal(1), Constant(False)]), ["a", 1, 1.0, False]),
        (Both((Prefix("a"), Suffix("b"))), ["ab"]),
    ],
)
def test_a_test_accepts_exactly_these(test, leaves):
    everything = ["", "a", "ab", "STRASSE", "straße", "10.0.0.1", "1.50", 1, 1.0, 0, -0.0, 2**53,
                  2**53 + 1, True, False, None]  # fmt: skip
    accepted = [leaf for leaf in everything if test.accepts(leaf)]
    assert sorted(map(repr, accepted)) == sorted(map(repr, leaves))
    assert all(Anything().accepts(leaf) for leaf in everything)


def test_a_wildcard_between_two_ends_does_not_use_a_letter_twice():
    assert not Wildcard(("ab", "ba"), "ab*ba").accepts("aba")
    assert Wildcard(("ab", "ba"), "ab*ba").accepts("abba")
    assert not Wildcard(("a", "bc", "c"), "a*bc*c").accepts("abc")


def test_ranges_are_joined_into_one():
    assert joined([Range(low=1), Range(high=5, with_high=False)]) == Range(1, 5, with_high=False)
    assert joined([Range(low=1), Range(low=1, with_low=False)]) == Range(low=1, with_low=False)
    assert joined([Range(high=3), Range(high=5, with_high=False)]) == Range(high=3)


def test_ranges_are_joined_beside_other_tests():
    other = AnythingBut((Literal(3),))
    assert joined([Range(low=1), other, Range(high=5)]) == Both((Range(1, 5), other))


def test_one_test_joined_is_itself():
    assert joined([Prefix("a")]) == Prefix("a")


@pytest.mark.parametrize(
    "text",
    ["", ".5", "5.", "1,5", " 1", "1 ", "0x1", "inf", "NaN", "1e12345", "--1", "\u0661", "1_0"],
)
def test_what_is_no_decimal_number_is_none(text):
    assert decimal_of(text) is None


def test_a_decimal_number_is_not_longer_than_sense():
    assert decimal_of("1" * LONGEST_DECIMAL) is not None
    assert decimal_of("1" * (LONGEST_DECIMAL + 1)) is None
    assert decimal_of(5) is None


@pytest.mark.parametrize(
    "text", ["10.0.0.01", "fe80::1%eth0", "10.0.0", "10.0.0.256", "", " ::1", "1" * 100, "::1/128"]
)
def test_what_is_no_address_is_none(text):
    assert address_of(text) is None


def test_tests_that_accept_the_same_are_equal():
    assert the_test({"gte": 1, "lt": 5}) == the_test({"numeric": [">=", 1, "<", 5]})
    assert hash(the_test({"in": ["a", "b"]})) == hash(the_test({"in": ["a", "b"]}))
    assert Literal(1) != Constant(True)
