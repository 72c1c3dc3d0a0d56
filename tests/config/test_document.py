"""YAML, read strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.document import Place, read_document


def value_of(text: str):
    document = read_document(text.encode(), "routes.yaml")
    assert not document.problems, [str(problem) for problem in document.problems]
    return document.value


def problem_of(text: str | bytes):
    content = text if isinstance(text, bytes) else text.encode()
    document = read_document(content, "routes.yaml")
    assert document.problems
    return document.problems[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"), ("on", "on"), ("yes", "yes"), ("12:30", "12:30"), ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"), ("0755", 755), ("0o17", 15), ("0x1f", 31), ("1e3", 1000.0), (".5", 0.5),
        ("-3", -3), ("~", None), ("null", None), ("", None), ("true", True), ("False", False),
        ('"5"', "5"), ("'true'", "true"), ("1.5.2", "1.5.2"), ("30s", "30s"),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    assert value_of(f"a: {text}") == {"a": value}


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "yaml-duplicate-key", 3, 1),
        ("a: &x 1\nb: *x\n", "yaml-anchor", 1, 4),
        ("b: *x\n", "yaml-anchor", 1, 4),
        ("a: {<<: {b: 1}}\n", "yaml-anchor", 1, 5),
        ("a: !!python/object:os.system 1\n", "yaml-tag", 1, 4),
        ("a: .inf\n", "yaml-number", 1, 4),
        ("a: 1e400\n", "yaml-number", 1, 4),
        ("a: 1\n---\nb: 2\n", "yaml-documents", 2, 1),
        ("? [a]\n: b\n", "yaml-key", 1, 3),
        ("a: [1, 2\nb: 3\n", "yaml-syntax", 2, 2),
        ("a:\n\tb: 1\n", "yaml-syntax", 2, 1),
        ('when: "a" == "b"\n', "yaml-syntax", 1, 11),
    ],
)
def test_what_is_not_read_is_named_with_its_place_and_cure(text, code, line, column):
    problem = problem_of(text)
    assert (problem.code, problem.line, problem.column) == (code, line, column)
    assert problem.cure


def test_every_duplicate_key_is_told_not_just_the_first():
    document = read_document(b"a: 1\na: 2\nb: {c: 1, c: 2}\n", "routes.yaml")
    assert [problem.line for problem in document.problems] == [2, 3]


@pytest.mark.parametrize("text", [b"[" * 200_000, b"{a: " * 100_000, b"a:\n" + b"- " * 100_000])
def test_depth_is_checked_before_anything_is_composed(text):
    assert problem_of(text).code == "yaml-depth"


def test_a_file_of_more_than_sixteen_mebibytes_is_not_read():
    assert problem_of(b"a: " + b"x" * 16 * 1024 * 1024).code == "yaml-size"


@pytest.mark.parametrize("text", [b"\xff\xfea\x00", b"a: \xe9", b"a: \x00"])
def test_what_is_no_text_is_said_to_be_none(text):
    assert problem_of(text).code in {"yaml-encoding", "yaml-syntax"}


def test_places_lead_to_values_and_to_keys():
    document = read_document(b"routes:\n  - name: a\n    to: [cms, pager]\n", "routes.yaml")
    assert document.place(("routes", 0, "to", 1)) == Place(3, 15)
    assert document.place(("routes", 0, "to"), key=True) == Place(3, 5)


def test_what_is_not_there_is_placed_at_the_nearest_around_it():
    document = read_document(b"routes:\n  - name: a\n", "routes.yaml")
    assert document.place(("routes", 0, "match", "type")) == Place(2, 5)
    assert document.place(("sources", "x")) == Place(1, 1)


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_problem(content):
    document = read_document(content, "routes.yaml")
    for problem in document.problems:
        assert problem.cure


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#,? \n\t01.~"), max_size=60))
def test_no_yaml_is_more_than_a_problem(content):
    read_document(content.encode(), "routes.yaml")


TRAPS = [
    ('when: "a" == event.type', "when: '\"a\" == event.type'", "yaml-syntax"),
    ("when: 'a' == event.type", "when: \"'a' == event.type\"", "yaml-syntax"),
    ("when: [1, 2].exists(n, n == 1)", 'when: "[1, 2].exists(n, n == 1)"', "yaml-syntax"),
    ("when: {'a': 1}.a == 1", "when: \"{'a': 1}.a == 1\"", "yaml-syntax"),
    ("when: !has(event.subject)", 'when: "!has(event.subject)"', "yaml-tag"),
    ("when: !event.data.active && true", 'when: "!event.data.active && true"', "yaml-syntax"),
    ("when: !(a || b)", 'when: "!(a || b)"', "yaml-syntax"),
    ("when: a > 1 ? true : false", 'when: "a > 1 ? true : false"', "yaml-syntax"),
    ("id: *.jpg", 'id: "*.jpg"', "yaml-syntax"),
    ("id: *jpg", 'id: "*jpg"', "yaml-anchor"),
    ("id: @acme", 'id: "@acme"', "yaml-syntax"),
    ("id: `x`", 'id: "`x`"', "yaml-syntax"),
    ("id: >= 5", 'id: ">= 5"', "yaml-syntax"),
    ('when: event.subject == "a #1"', "when: 'event.subject == \"a #1\"'", "yaml-cut"),
    ("id: ${body.a #1}", 'id: "${body.a #1}"', "yaml-cut"),
    ("text: asset #${body.id} of it", 'text: "asset #${body.id} of it"', "yaml-cut"),
    ("x: {id: ${body.id}}", 'x: {id: "${body.id}"}', "yaml-syntax"),
    ("x: {id: a/${body.id}, type: b}", 'x: {id: "a/${body.id}", type: b}', "yaml-syntax"),
    ('x: {id: ${headers["a"]}}', "x: {id: '${headers[\"a\"]}'}", "yaml-syntax"),
    ("x: [${a}, ${b}]", 'x: ["${a}", "${b}"]', "yaml-syntax"),
    ("x: {when: a ? b : c, to: [d]}", 'x: {when: "a ? b : c", to: [d]}', "yaml-syntax"),
    ('x: {when: "a" == b, to: [d]}', "x: {when: '\"a\" == b', to: [d]}", "yaml-syntax"),
    ("x: {when: !has(a), to: [d]}", 'x: {when: "!has(a)", to: [d]}', "yaml-tag"),
    ("x: {when: [1].size() > 0}", 'x: {when: "[1].size() > 0"}', "yaml-syntax"),
    ('x: {when: a == "b, c"}', "x: {when: 'a == \"b, c\"'}", "yaml-cut"),
    ("x: {when: f(b, c)}", 'x: {when: "f(b, c)"}', "yaml-cut"),
    ("x: {file: {suffix: @acme.com}}", 'x: {file: {suffix: "@acme.com"}}', "yaml-syntax"),
    ("x: {n: {numeric: [>=, 5]}}", 'x: {n: {numeric: [">=", 5]}}', "yaml-syntax"),
]


@pytest.mark.parametrize(("line", "works", "code"), TRAPS)
@pytest.mark.parametrize(
    ("before", "indent", "behind"),
    [("", "", ""), ("a:\n", "  - ", "\nb: 1"), ("b: 1\n", "", "  # note")],
)
def test_a_trap_is_recognised_and_the_working_line_printed(
    line, works, code, before, indent, behind
):
    problem = problem_of(f"{before}{indent}{line}{behind}\n")
    assert (problem.code, problem.line) == (code, before.count("\n") + 1)
    written = problem.cure.removeprefix("write `").removesuffix("`")
    assert written == f"{indent.strip()} {works}".strip() + (behind if "note" in behind else "")
    value_of(f"{before}{indent.replace('- ', '')}{written}\n")


@pytest.mark.parametrize(
    ("text", "works"),
    [
        ("x: {a: b,\n  id: ${c},\n  d: e}\n", 'id: "${c}",'),
        ("x: {a: b,\n  id: ${c}}\n", 'id: "${c}"}'),
        ("x:\n  - {id: ${c},\n     d: e}\n", '- {id: "${c}",'),
        ("x: [\n  {type: ${a}, when: a ? b : c},\n  z]\n", '{type: "${a}", when: "a ? b : c"},'),
    ],
)
def test_so_it_is_in_a_line_of_many(text, works):
    assert problem_of(text).cure == f"write `{works}`"


@pytest.mark.parametrize(
    "text",
    [
        'when: event.type == "a"  # it\'s so\n',
        "text: don't  # can't\n",
        'size: 5" # inches\n',
        "id: ${body.id}  # or ${body.key}\n",
        "to: [a (b, c)]\n",
        "x: {a: rock 'n roll, b: c}\n",
        "text: a#b\n",
        'when: |\n  "a" == b # c\n',
        "url: http://a/b#c\n",
        "text: 'a # b'\n",
    ],
)
def test_what_is_well_is_no_trap(text):
    value_of(text)


@pytest.mark.parametrize(
    "text", ["a: [1, 2\nb: 3\n", "foo: bar\n  baz: 1\n", "x: {a: [b}\n", "a: !!set x\n"]
)
def test_where_nothing_helps_the_cure_is_a_general_one(text):
    assert "write `" not in problem_of(text).cure


def test_a_comment_allows_what_it_names_in_its_line_or_in_the_next():
    document = read_document(b"a: 1  # lint: allow x, y-z\n  # lint: allow w\nb: 2\nc: 3\n", "r")
    told = [
        (line, code)
        for line in range(1, 5)
        for code in ("w", "x", "y-z")
        if document.allows(line, code)
    ]
    assert told == [(1, "x"), (1, "y-z"), (2, "w"), (3, "w")]


LARGE = """\
# lists come first
version: 1
lists:
  EU: [AT, BE]
sources:
  getty:
    verify: none  # a comment

  dam: {verify: none}
routes:
  # - name: not this one
  - name: a
    match:
      type: [a, b]
      data: {x: 1,
        y: 2}

  - {name: b, match: {}, to: [cms]}
  -   name: c
      to:
        - cms
        - endpoint: cms
          call: {path: /x}
      when: |
        - not an item
        event.x == 1

  - name: d
tests:
- name: e
  expect: [cms,
    pager]
- name: f
endpoints: {cms: {url: x}}
other: [a,
  b]
"""


def test_places_in_a_large_file_are_those_in_a_small_one(monkeypatch):
    small = read_document(LARGE.encode(), "routes.yaml")
    paths = [
        *small.places.values,
        *small.places.keys,
        ("routes", 1, "gone", 2),
        ("routes", 9),
        ("gone", 1),
    ]
    monkeypatch.setattr("gateway.config.document.LARGE", 100)
    for path in paths:
        for key in (False, True):
            large = read_document(LARGE.encode(), "routes.yaml")
            assert large.place(path, key=key) == small.place(path, key=key), (path, key)


def test_a_place_in_a_large_file_is_found_without_reading_all_of_it():
    text = "".join(f"  - {{name: r{i}, match: {{type: t{i}}}, to: [cms]}}\n" for i in range(5_000))
    document = read_document(f"version: 1\nroutes:\n{text}".encode(), "routes.yaml")
    assert document.place(("routes", 4_000, "match", "type")) == Place(4_003, 33)
    assert document._places is None
