"""Where routes send: targets, groups, calls; what is wrong with them, and what they render."""

import pytest

from gateway.core.calls import PreparedCall
from gateway.core.computed import Scope
from gateway.core.errors import ExpressionFailed
from gateway.core.model import BodyForm

FILE = """\
version: 1
endpoints:
  cms: {{url: "http://127.0.0.1/api", sign: none, groups: [publishers]}}
  print: {{url: "http://127.0.0.1/print", sign: none, groups: [publishers]}}
  tracker: {{url: "http://127.0.0.1/t", handler: "handlers.cms:known"}}
  api: {{url: "http://127.0.0.1/unsigned"}}
routes:
  - {{name: a, match: {{}}, to: [{}]}}
"""
API = "{endpoint: api, call: {}}"


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("{endpoint: cmz}", "unknown-endpoint"),
        ("publishers", "unknown-endpoint"),
        ("{group: publisher}", "unknown-group"),
        ("{endpoint: cms, group: publishers}", "target-place"),
        ("{when: 'true'}", "target-place"),
        ("{endpoint: cms, call: {}, with: {}}", "call-and-with"),
        ("cms, cms", "duplicate-target"),
        ("cms, {endpoint: cms}", "duplicate-target"),
        ("cms, {group: publishers}", "duplicate-target"),
        ("{name: x, endpoint: cms}, {name: x, endpoint: print}", "duplicate-name"),
        ("{endpoint: cms, with: {a: 1}}", "with-nobody"),
        ("{endpoint: tracker, with: {z: 1}}", "handler-arguments"),
        ("{endpoint: tracker, with: {'a b': 1}}", "handler-arguments"),
        ("{endpoint: cms, each: '${event.data}'}", "each-alike"),
        ("{endpoint: cms, each: event.data, call: {}}", "string-pattern-mismatch"),
        ("{endpoint: cms, when: '${event.data.x}'}", "expression"),
        ("{endpoint: cms, when: }", "nothing-said"),
        ("{endpoint: cms, each: null, call: {}}", "nothing-said"),
        ("{endpoint: cms, when: event.data +}", "expression"),
        ("{endpoint: cms, when: \"'text'\"}", "expression"),
        ("{endpoint: cms, when: item == 1}", "expression"),
        ("{endpoint: cms, call: {path: '/${item}'}}", "expression"),
        ("{endpoint: cms, call: {path: '/a?b'}}", "call-path"),
        ("{endpoint: cms, call: {path: '/a b'}}", "call-path"),
        ("{endpoint: cms, call: {path: 'https://evil.example/x'}}", "call-path"),
        ("{endpoint: cms, call: {path: 'http://${event.data.host}/x'}}", "call-path"),
        ("{endpoint: cms, call: {path: '/../b'}}", "call-path"),
        ("{endpoint: cms, call: {method: TRACE}}", "unknown-value"),
        ("{endpoint: cms, call: {headers: {Host: x}}}", "call-header"),
        ("{endpoint: cms, call: {headers: {Authorization: x}}}", "call-header"),
        ("{endpoint: cms, call: {headers: {Expect: 100-continue}}}", "call-header"),
        ("{endpoint: cms, call: {headers: {TE: trailers}}}", "call-header"),
        ("{endpoint: cms, call: {headers: {X: '${'}}}", "expression"),
        ("{endpoint: cms, call: {json: {a: '${nope}'}}}", "expression"),
        ("{endpoint: cms, call: {query: {a: '${nope}'}}}", "expression"),
        ("{endpoint: cms, call: {jsn: 1}}", "unknown-key"),
        (f"api, {API}", "unsigned"),
    ],
)
def test_faults_of_a_target(load, target, code):
    found = load(FILE.format(f"{target}, {API}"))
    assert code in [problem.code for problem in found.errors], found.problems


def test_a_misspelt_key_of_a_call_names_the_nearest(load):
    (problem,) = load(FILE.format("{endpoint: cms, call: {jsn: 1}}, " + API)).errors
    assert problem.cure == 'did you mean "json"?'


def test_a_group_named_as_an_endpoint_is_told_how_to_be_written(load):
    (problem,) = load(FILE.format(f"publishers, {API}")).errors
    assert problem.cure == "it is a group: write `{group: publishers}`"


def targets(load, text: str):
    loaded = load(FILE.format(f"{text}, {API}"))
    assert loaded.errors == []
    return loaded.routes.routes[0].to


def test_an_endpoint_that_is_only_called_needs_no_signature(load):
    assert [t.endpoint for t in targets(load, "cms")] == ["cms", "api"]


def test_a_group_is_written_out(load):
    made = targets(load, "{group: publishers, name: p, call: {}}")
    assert [(t.endpoint, t.name) for t in made[:2]] == [("cms", "p"), ("print", "p")]


def test_one_endpoint_may_be_sent_several_requests(load):
    made = targets(load, "cms, {endpoint: cms, call: {path: /a}}, {endpoint: cms, when: 'true'}")
    assert [t.endpoint for t in made[:3]] == ["cms", "cms", "cms"]


def call(load, text: str, **data) -> PreparedCall:
    target = targets(load, f"{{endpoint: cms, each: '${{event.data.items}}', call: {text}}}")[0]
    assert target.form is BodyForm.CALL
    scope = Scope(event={"data": data}, item=data.pop("item", None))
    return PreparedCall.unpacked(target.render(scope))


def test_values_in_a_path_stay_one_segment(load):
    assert (
        call(load, "{path: '/p/${item}/x'}", item="a/b ü?#%").path == "/p/a%2Fb%20%C3%BC%3F%23%25/x"
    )
    assert call(load, "{path: '/p-${item}'}", item=7).path == "/p-7"


@pytest.mark.parametrize("item", ["", "..", ".", None, [1]])
def test_values_that_would_lead_elsewhere_have_no_path(load, item):
    with pytest.raises(ExpressionFailed):
        call(load, "{path: '/p/${item}'}", item=item)


def test_a_query_takes_scalars_and_lists_and_leaves_out_null(load):
    made = call(load, "{query: {a: [1, x], b: '${item}', c: null, d: true}}", item="&=ü")
    assert made.query == "a=1&a=x&b=%26%3D%C3%BC&d=true"
    with pytest.raises(ExpressionFailed):
        call(load, "{query: {a: '${item}'}}", item={"k": 1})


def test_a_header_cannot_hold_what_ends_it(load):
    assert call(load, "{headers: {X-A: 'v-${item}'}}", item="1").headers == {"x-a": "v-1"}
    with pytest.raises(ExpressionFailed):
        call(load, "{headers: {X-A: '${item}'}}", item="a\r\nX-B: c")


def test_json_is_the_body_and_without_it_there_is_none(load):
    made = call(load, "{json: {a: '${item}'}}", item=[1])
    assert (made.body, made.headers) == (b'{"a":[1]}', {"content-type": "application/json"})
    assert call(load, "{json: null}").body == b"null"
    assert (call(load, "{}").body, call(load, "{}").method) == (b"", "POST")


ROUTE = """\
version: 1
lists: {{EU: [DE, FR]}}
endpoints: {{cms: {{url: "http://127.0.0.1/", sign: none}}}}
routes:
  - {{name: a, match: {{type: x}}, to: [cms], {}}}
"""


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("when: ", "nothing-said"),
        ("once: ~", "nothing-said"),
        ("when: event.data.x ==", "expression"),
        ("when: '${event.data.x == 1}'", "expression"),
        ("when: 1 + 1", "expression"),
        ("when: item == 1", "expression"),
        ("once: event.data.id", "string-pattern-mismatch"),
        ("once: '${nope}'", "expression"),
        ("on_error: ignore", "unknown-value"),
        ("mode: off", "unknown-value"),
        ("whn: 'true'", "unknown-key"),
    ],
)
def test_faults_of_a_route(load, keys, code):
    assert code in [problem.code for problem in load(ROUTE.format(keys)).errors]


def test_a_list_is_known_by_its_name(load):
    text = ROUTE.replace("{{type: x}}", "{{data: {{country: {{in: EU}}}}}}")
    routes = load(text.format("mode: shadow")).routes
    assert routes.routes[0].pattern.matches({"data": {"country": "FR"}})
    assert not routes.routes[0].pattern.matches({"data": {"country": "US"}})
    (problem,) = load(text.replace("in: EU", "in: EUU").format("mode: live")).errors
    assert (problem.code, problem.cure) == ("unknown-list", 'did you mean "EU"?')
