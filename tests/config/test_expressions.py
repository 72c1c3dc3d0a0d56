"""CEL in `${…}`, and the getters that stand in for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.expressions import ExpressionInvalid, Expressions, plain_path
from gateway.core.computed import Scope
from gateway.core.errors import ExpressionFailed

X = Expressions(["body", "headers"])
VARIABLES = {
    "body": {"a": {"b": 1}, "l": [1, 2], "s": "x", "n": None, "t": True, "f": 1.5, "b-c": 7},
    "headers": {"x-id": "7"},
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${body.a.b}", 1),
        ("${body.a}", {"b": 1}),
        ("${body.n}", None),
        ("id-${body.s}/${body.a.b}", "id-x/1"),
        ("${body.t} ${body.f}", "true 1.5"),
        ("plain", "plain"),
        ("", ""),
        ("$${body}", "${body}"),
        ("a $${b} ${body.s}", "a ${b} x"),
        ('${headers["x-id"]}', "7"),
        ("${headers['x-id']}", "7"),
        ('${body["b-c"]}', 7),
        ("${body.l[1]}", 2),
        ("${ {'k': body.s}.k }", "x"),
        ('${body.?zz.orValue("}")}', "}"),
        ("${body.s.upperAscii()}", "X"),
        ("${size(body.l) > 1 ? 'many' : 'one'}", "many"),
        ("${timestamp('2026-01-01T00:00:00Z')}", "2026-01-01T00:00:00Z"),
        ("${duration('90s')}", "90s"),
        ("${duration('36000h')}", "129600000s"),
        ("${duration('1500ms')}", "1.5s"),
        ({"k": ["${body.a.b}", 3, None], "s": "${body.s}!"}, {"k": [1, 3, None], "s": "x!"}),
    ],
)
def test_templates_keep_types_alone_and_make_text_in_company(template, value):
    assert X.template(template)(VARIABLES) == value


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("${body.zz}", 'there is no "zz"'),
        ("${body.l[5]}", "no element 5"),
        ("${body.s.b}", "looked up in text"),
        ("${body.n.b}", "looked up in null"),
        ("${body.a.b + 1.5}", "No matching overloads"),
        ("${body.zz + 1}", "Key not found"),
        ("x${body.n}", "null cannot stand within text"),
        ("x${body.l}", "a list cannot stand within text"),
        ("${b'bytes'}", "nothing that JSON can hold"),
    ],
)  # fmt: skip
def test_an_expression_without_a_value_fails_and_says_why(template, words):
    with pytest.raises(ExpressionFailed, match=words.replace("(", r"\(")):
        X.template(template)(VARIABLES)


def test_an_error_never_passes_for_a_value():
    # The library shows an error as a string that is not empty, and so as true.
    with pytest.raises(ExpressionFailed):
        X.expression("body.missing == 1")(VARIABLES)


def test_evaluation_is_bounded():
    bomb = "[1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, [1,2,3,4,5,6,7,8,9,10].map(c, [1,2,3,4,5,6,7,8,9,10].map(d, [1,2,3,4,5,6,7,8,9,10].map(e, 1)))))"
    with pytest.raises(ExpressionFailed):
        X.expression(bomb)(VARIABLES)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("${bdy.x}", "undeclared reference"),
        ("${body.", "without its"),
        ("${}", "no expression"),
        ("${body.a +}", "at character"),
        ("${'unclosed}", "without its"),
    ],
)
def test_a_faulty_expression_is_found_when_it_is_compiled(template, words):
    with pytest.raises(ExpressionInvalid, match=words) as caught:
        X.template(template)
    assert caught.value.cure


def test_an_unknown_variable_names_the_known_ones():
    with pytest.raises(ExpressionInvalid) as caught:
        X.template("${event.x}")
    assert caught.value.cure.startswith("write `body.…`")


@pytest.mark.parametrize(
    ("source", "cure"),
    [
        ("event.data.a and event.data.b", "write `&&` for `and`"),
        ("event.data.a OR event.data.b", "write `||` for `OR`"),
        ("not event.data.a", "write `!` for `not`"),
        ("event.data.a = 3", "write `==` for `=`"),
        ("event.data.a & event.data.b", "write `&&` for `&`"),
        ("event.data.a | event.data.b", "write `||` for `|`"),
        (
            "event.data.a <> 3 and event.data.b = 1",
            "write `!=` for `<>`, `&&` for `and`, `==` for `=`",
        ),
        ("event.data.a === 3", "write `==` for `===`"),
        ("event.data.a == 3 && event.data.s not in ['a']", "write `!(… in …)` for `not in`"),
        ("event.data.s in ('a', 'b')", "write `in […]` for `in (`"),
        ("event.data.s is null", "write `==` for `is`"),
        ("event.data.s =~ 'x'", "write `….matches(…)` for `=~`"),
        ("event.data.s contains 'x'", "write `….contains(…)` for `contains`"),
        ("event.data.and == 'a and b' event.data.not", "see docs/routes.md, Expressions"),
    ],
)
def test_an_operator_of_another_language_is_told_as_cel_writes_it(source, cure):
    with pytest.raises(ExpressionInvalid) as caught:
        Expressions(["event"]).expression(source)
    assert caught.value.cure == cure


@pytest.mark.parametrize(
    ("source", "cure"),
    [
        ("data.n > 3", "write `event.data.n`"),
        ("subject == 'a'", "write `event.subject`"),
        ("type == 'a'", "`type` is a function of CEL: write `event.type`"),
        ("body.n > 3", "write `event.data.n`: the body is what a source sees"),
        ("headers['x'] == 'a'", "only a source sees headers: map what is needed into `data`"),
        ("evnt.data.n", "write `event.data.n`"),
        ("days_left < 3", "write `event.data.days_left`; text needs quotes"),
        ("now() > timestamp(event.time)", "there is no present time: see `event.time`, when it happened"),
        ("event.time < now", "there is no present time: see `event.time`, when it happened"),
        ("len(event.data.l) > 1", "write `size(…)`"),
        ("event.data.s.len() > 1", "write `size(…)`"),
        ("event.data.s.startWith('a')", "did you mean `startsWith`?"),
        ("nonsense(1)", "there is no such function: docs/routes.md, Expressions, has those there are"),
        ("item.x == 1", "`item` needs `each:`, beside what it stands in"),
        ("callback.url", "`callback` is seen by the targets of a route that has `await:`"),
        ("plan.days", "`plan` is seen in the `emit` of a schedule"),
        ("has(known.asset)", "`known` needs `known:` or `remember:` in the route"),
        ("event.data.a == None", "write `null`"),
    ],
)  # fmt: skip
def test_a_name_that_nothing_has_is_told_with_what_was_meant(source, cure):
    with pytest.raises(ExpressionInvalid) as caught:
        Expressions(["event"]).expression(source)
    assert caught.value.cure == cure


@pytest.mark.parametrize(
    ("source", "cure"),
    [
        ("data.n", "write `body.…`: there is no event yet, but the body of the request"),
        ("event.data.n", "write `body.…`: there is no event yet, but the body of the request"),
        ("header['x-id']", "write `headers`"),
        ("lang", "write `body.lang`; text needs quotes; the variables are body, headers"),
        ("now()", "there is no present time: what a request comes to depends on it alone"),
    ],
)
def test_in_a_source_it_is_told_of_the_body(source, cure):
    with pytest.raises(ExpressionInvalid) as caught:
        X.expression(source)
    assert caught.value.cure == cure


@pytest.mark.parametrize(
    ("source", "form"),
    [
        ('headers["X-Id"]', 'headers["x-id"]'),
        ("headers['X-ID'] == 'a'", 'headers["x-id"]'),
        ('headers[?"X-Id"].orValue("")', 'headers[?"x-id"]'),
        ("headers.X_Id", 'headers["x-id"]'),
    ],
)
def test_a_header_by_a_name_with_capitals_never_has_a_value(source, form):
    with pytest.raises(ExpressionInvalid, match="lower case") as caught:
        X.expression(source)
    assert caught.value.cure == f"write `{form}`"


@pytest.mark.parametrize("source", ["'headers[\"X-Id\"]'", "body.headers.X", "headers['x-id']"])
def test_what_only_looks_like_such_a_header_is_left_alone(source):
    X.expression(source)


names = st.sampled_from(["a", "b", "x-id", "0"])
steps = st.lists(
    st.one_of(
        names.map(lambda n: f'["{n}"]'),
        st.sampled_from([".a", ".b"]),
        st.integers(0, 3).map(lambda i: f"[{i}]"),
    ),
    max_size=4,
).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(path=steps, body=values)
def test_getters_agree_with_cel(path, body):
    source = f"body{path}"
    assert plain_path(source, ("body",)) is not None
    try:
        quick = X.expression(source)({"body": body, "headers": {}})
    except ExpressionFailed:
        quick = ExpressionFailed
    try:
        slow = X.evaluated(source)({"body": body, "headers": {}})
    except ExpressionFailed:
        slow = ExpressionFailed
    assert quick == slow
    assert type(quick) is type(slow)


@pytest.mark.parametrize(
    "body", ["ab\0cd", ["\0"], {"a": {"b\0": 1}}, {"a": ["x", {"b": "\0"}]}, {1 << 70: "\0"}]
)
def test_text_that_cel_would_cut_at_a_nul_fails_the_expression(body):
    """The library's strings end at U+0000: what it would say of the rest is not to be believed."""
    with pytest.raises(ExpressionFailed, match=r"U\+0000"):
        X.expression("body == body")({"body": body, "headers": {}})


def test_a_plain_path_hands_on_a_nul_as_it_is():
    assert X.expression("body.a")({"body": {"a": "ab\0cd"}, "headers": {}}) == "ab\0cd"


def test_text_that_only_spells_a_nul_is_left_alone():
    assert X.expression("size(body)")({"body": r"\u0000", "headers": {}}) == 6
    assert X.expression("size(json(body))")({"body": r'"\\u0000"', "headers": {}}) == 6


@pytest.mark.parametrize("body", [r'"ab\u0000cd"', r'{"a\u0000b": 1}', r'[["\u0000"]]'])
def test_nor_is_text_cut_that_comes_out_of_json(body):
    with pytest.raises(ExpressionFailed, match=r"U\+0000"):
        X.expression("json(body) != null")({"body": body, "headers": {}})


E_X = Expressions(["event", "item"])
EVENT = {
    "data": {
        "days": 14, "name": "Ärger ǅ", "from": "2026-12-01T00:00:00Z", "to": "2026-12-31T12:00:00Z",
        "money": 10.0,
    }
}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("days(14) == duration('336h')", True),
        ("timestamp(event.data.to) - days(event.data.days)", "2026-12-17T12:00:00Z"),
        ("daysBetween(timestamp(event.data.from), timestamp(event.data.to))", 30),
        ("daysBetween(timestamp(event.data.to), timestamp(event.data.from))", -30),
        ("daysBetween(event.data.from, event.data.to)", 30),
        ("daysBetween('2026-12-01', timestamp(event.data.to))", 30),
        ("event.data.name.lower()", "ärger ǆ"),
        ("event.data.name.upper()", "ÄRGER Ǆ"),
        ("event.?data.?owner.orValue('nobody')", "nobody"),
        ("event.data.?days.hasValue()", True),
        ("{?'a': event.?gone, 'b': 1}", {"b": 1}),
        ("event.data.days < 14.5", True),
        ("double(event.data.days) * 2.0", 28.0),
        ("event.data.name.matches('^Ä.*$')", True),
    ],
)
def test_functions_that_users_need(source, value):
    assert E_X.expression(source)(Scope(event=EVENT, item=None)) == value


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("days(event.data.name)", "No matching overloads"),
        ("days(99999999999999)", "OUT_OF_RANGE"),
        ("days(999999999)", "days"),
        ("event.data.gone.lower()", "Key not found"),
        ("daysBetween('monday', event.data.to)", "Invalid isoformat"),
        ("dyn(event.?data)", "an optional wants"),
        ("{'a': dyn(event.?gone)}", "an optional wants"),
        ("[true ? dyn(event.?gone) : 1]", "an optional wants"),
        ("event.data.days * 2.0", "No matching overloads"),
        ("has(event.gone.deep)", "Key not found"),
    ],
)
def test_what_has_no_value_fails_and_never_passes_for_one(source, words):
    with pytest.raises(ExpressionFailed, match=words.replace("(", r"\(")):
        E_X.expression(source)(Scope(event=EVENT, item=None))


@pytest.mark.parametrize("source", ["event.?x", "[event.?x]", "{'a': event.?x}", "optional.none()"])
def test_an_optional_without_its_value_is_found_when_it_is_compiled(source):
    with pytest.raises(ExpressionInvalid) as caught:
        E_X.expression(source)
    assert ".orValue" in caught.value.cure


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("days('14d')", "no matching overload"),
        ("event.data.days >", "at character"),
        ("evnt.data", "undeclared reference"),
        ("nonsense(1)", "undeclared reference"),
    ],
)
def test_types_and_names_are_checked_when_it_is_compiled(source, words):
    with pytest.raises(ExpressionInvalid, match=words):
        E_X.condition(source)


@pytest.mark.parametrize("source", ["'text'", "1 + 1", "[1]", "days(1)", "event.data.name.lower()"])
def test_a_condition_is_true_or_false(source):
    with pytest.raises(ExpressionInvalid, match="neither true nor false"):
        E_X.condition(source)


def test_a_condition_in_braces_is_told_to_be_bare():
    with pytest.raises(ExpressionInvalid) as caught:
        E_X.condition("${event.data.days > 3}")
    assert "`event.data.days > 3`" in caught.value.cure


def test_expressions_about_one_event_share_what_cel_makes_of_it():
    scope = Scope(event=EVENT)
    narrow = Expressions(["event"])
    narrow.evaluated("event.data.days + 1")(scope)
    first = scope.activation
    narrow.evaluated("event.data.days + 2")(scope)
    assert scope.activation is first is not None


@pytest.mark.parametrize(
    ("source", "cure"),
    [
        ('duration("14d") > days(1)', "write `days(14)`"),
        ("duration('soon') > days(1)", "36h"),
        ('timestamp("2026-12-01") < timestamp(event.time)', "2026-12-01T00:00:00Z"),
        ('event.data.x.matches("(")', "RE2"),
    ],
)
def test_a_constant_that_never_has_a_value_is_found_when_it_is_compiled(source, cure):
    with pytest.raises(ExpressionInvalid, match="never has a value") as caught:
        E_X.condition(source)
    assert cure in caught.value.cure


@pytest.mark.parametrize(
    "source",
    [
        'duration("36h") > days(1)',
        'timestamp("2026-12-01T00:00:00Z") < timestamp(event.time)',
        "event.data.x.matches('^[A-Z]+$')",
        "event.data.x == 'duration(\\'14d\\')'",
    ],
)
def test_constants_that_have_a_value_are_left_alone(source):
    E_X.condition(source)
