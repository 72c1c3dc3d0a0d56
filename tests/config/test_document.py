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
