"""`queries:` in a routes file."""

import pytest

from gateway.core.access import digest_of
from gateway.core.model import SECOND

FILE = """\
version: 1
endpoints:
  getty: {{url: "http://127.0.0.1/api", sign: none}}
  cms: {{url: "http://127.0.0.1/cms", handler: "handlers.cms:known"}}
queries:
  images: {{{}}}
"""
WHOLE = "endpoint: getty, callers: anyone"


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("endpoint: getty", "query-callers"),
        ("callers: anyone", "missing-key"),
        ("endpoint: gety, callers: anyone", "unknown-endpoint"),
        ("endpoint: cms, callers: anyone", "query-handler"),
        ("endpoint: getty, callers: all", "unknown-value"),
        ("endpoint: getty, callers: []", "too-short"),
        ("endpoint: getty, callers: [token]", "secret-literal"),
        ("endpoint: getty, callers: [{env: SPACED}]", "secret-form"),
        (WHOLE + ", path: 'a/../b'", "query-path"),
        (WHOLE + ", path: 'a/%2E%2e/b'", "query-path"),
        (WHOLE + ", path: 'a?b=c'", "query-path"),
        (WHOLE + ", path: '/${event.id}'", "query-path"),
        (WHOLE + ", parameters: [a, 'a[]']", "query-parameters"),
        (WHOLE + ", parameters: [a], fixed: {a: '1'}", "query-parameters"),
        (WHOLE + ", parameters: ['a b']", "string-pattern-mismatch"),
        (WHOLE + ", max_answer: 9MiB", "answer-size"),
        (WHOLE + ", max_answer: 0B", "answer-size"),
        (WHOLE + ", rate: 5", "not-a-rate"),
        (WHOLE + ", cache: 5", "not-a-duration"),
        (WHOLE + ", origins: ['*']", "string-pattern-mismatch"),
        (WHOLE + ", method: POST", "unknown-key"),
    ],
)
def test_what_makes_no_sense_is_an_error_with_its_place(load, rest, code):
    problems = load(FILE.format(rest), SPACED="a b").errors
    assert [problem.code for problem in problems] == [code]
    assert problems[0].line == 6
    assert problems[0].cure


def test_a_query_is_what_the_file_says(load):
    rest = (
        "endpoint: getty, path: /search, parameters: [phrase, 'o[]'], fixed: {fields: id}, "
        "callers: [{env: OLD, until: 2030-01-01T00:00:00Z}, {env: NEW}], cache: 10m, stale: 1h, "
        "rate: 5/s, max_answer: 2MiB, origins: ['https://portal.example.com'], owner: portal-team"
    )
    loaded = load(FILE.format(rest), OLD="old-token", NEW="new-token")
    assert loaded.problems == []
    query = loaded.routes.queries["images"]
    assert (query.parameters, query.repeated) == ({"phrase", "o"}, {"o"})
    assert [key.material for key in query.callers] == [
        digest_of("old-token"),
        digest_of("new-token"),
    ]
    assert [key.until is None for key in query.callers] == [False, True]
    assert (query.cache, query.stale) == (600 * SECOND, 3600 * SECOND)
    assert (query.rate, query.most_bytes) == ((5, SECOND), 2 * 1024 * 1024)


def test_an_endpoint_that_is_only_asked_need_not_say_how_posts_are_signed(load):
    text = FILE.replace(", sign: none", "")
    assert load(text.format(WHOLE)).problems == []
    assert [p.code for p in load(text.format("callers: anyone")).errors] == [
        "unsigned",
        "missing-key",
    ]
    faulty = load(text.format(WHOLE + ", cache: 5"))  # what is wrong with it is told, and no more
    assert [p.code for p in faulty.errors] == ["not-a-duration"]


def test_a_second_query_of_a_name_is_told_as_one(load, tmp_path):
    (tmp_path / "more.yaml").write_text(
        "version: 1\nqueries: {images: {endpoint: getty, callers: anyone}}"
    )
    (problem,) = load("include: [more.yaml]\n" + FILE.format(WHOLE)).errors
    assert (problem.code, "another query" in problem.what) == ("duplicate-name", True)


def test_a_token_is_known_to_redaction_and_not_kept(load):
    loaded = load(FILE.format("endpoint: getty, callers: [{env: NEW}]"), NEW="new-token")
    assert "new-token" not in repr(loaded.routes.queries)
