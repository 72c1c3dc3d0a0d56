"""Expressions taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.expressions import plain_path
from gateway.config.syntax import (
    Call,
    Constant,
    Items,
    Loop,
    Name,
    Select,
    literals_aside,
    parsed,
    path_of,
)

EVENT = Name("event")


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("5", 5), ("-3", -3), ("-9223372036854775808", -(2**63)), ("3u", 3), ("2.5", 2.5), ("true", True),
        ("false", False), ("null", None), ("''", ""), ("'ü\\n'", "ü\n"), ("r'\\d'", r"\d"),
    ],
)  # fmt: skip
def test_a_constant_is_its_value(source, value):
    found = parsed(source)
    assert found == Constant(value)
    assert type(found.value) is type(value)


@pytest.mark.parametrize(
    ("source", "node"),
    [
        ("event.data.a", Select(Select(EVENT, "data"), "a")),
        ("has(event.a)", Select(EVENT, "a", is_test=True)),
        ("event['a'][0]", Call("_[_]", None, (Call("_[_]", None, (EVENT, Constant("a"))), Constant(0)))),
        ("event.?a", Call("_?._", None, (EVENT, Constant("a")))),
        ("event[?'a']", Call("_[?_]", None, (EVENT, Constant("a")))),
        ("event.a.size()", Call("size", Select(EVENT, "a"), ())),
        ("'a' in event", Call("@in", None, (Constant("a"), EVENT))),
        ("[1, event]", Items((Constant(1), EVENT))),
        ("{'a': event}", Items((Constant("a"), EVENT), is_list=False)),
        ("!event.a", Call("!_", None, (Select(EVENT, "a"),))),
    ],
)  # fmt: skip
def test_an_expression_is_what_it_is_made_of(source, node):
    assert parsed(source if "?" not in source else f"({source}).orValue(0)") == (
        node if "?" not in source else Call("orValue", node, (Constant(0),))
    )


def test_a_macro_is_a_loop():
    found = parsed("event.all(x, x.y)")
    assert isinstance(found, Loop)
    assert (found.over, found.item) == (EVENT, "x")
    assert any(Select(Name("x"), "y") in getattr(n, "arguments", ()) for n in found.nodes)


@given(
    st.lists(
        st.sampled_from([".data", ".a_1", ".b"]) | st.integers(0, 99).map("[{}]".format),
        max_size=20,
    )
)
def test_a_plain_path_is_what_would_be_parsed(steps):
    source = f"event{''.join(steps)}"
    assert path_of(plain_path(source, ["event"])) == parsed(source)


@pytest.mark.parametrize(
    ("source", "aside"),
    [
        ("event.x1 < 14 && event.y == 'lic_1'", 'event.x1 < 987654321 && event.y == "\u25cc0"'),
        ("event['a1'].?b[0] == 2.5", "event['a1'].?b[987654321] == 987654321.5"),
        ("event[?'a1'] == 'web' && 3u == 1e5", "event[?'a1'] == 'web' && 3u == 1e5"),
        ('event.x == """a1"""', 'event.x == """a1"""'),
        ("event.x == '''a1'''", "event.x == '''a1'''"),
    ],
)
def test_literals_are_put_aside_but_for_names(source, aside):
    assert literals_aside(source) == aside


def test_what_does_not_compile_says_nothing():
    assert parsed("event.") == Constant(None)
