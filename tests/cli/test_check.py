"""gateway check: warnings, and tests."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite.database import log_path
from tests.kit.build import an_arrival, an_event
from tests.kit.cli import app

ROOT = Path(__file__).parents[2]
ROUTES = """\
version: 1
sources:
  getty: {verify: {scheme: token, secrets: [{env: T}]}}
endpoints:
  cms: {url: "http://127.0.0.1:9/cms", sign: none}
  pager: {url: "http://127.0.0.1:9/pager", sign: none}
routes:
  - {name: expiring, match: {type: license.expiring, data: {days_left: {lte: 14}}}, to: [cms, pager]}
"""
GOOD = "  - {name: good, event: {type: license.expiring, data: {days_left: 3}}, expect: [cms, pager]}\n"
BAD = "  - {name: bad, event: {type: license.expiring, data: {days_left: 30}}, expect: [cms]}\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `gateway check` in an empty folder, the text of its routes file given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("T", "t0ken")

    def run(text: str | None, *arguments: str):
        if text is not None:
            (tmp_path / "routes.yaml").write_text(text)
        return CliRunner().invoke(app, ["check", *arguments])

    return run


def test_the_public_url_can_be_given(run):
    text = ROUTES.replace("{scheme: token, ", "{preset: square, ")
    assert "public-url-missing" in run(text).output
    result = run(text, "--public-url", "https://hooks.example.com")
    assert (result.exit_code, "public-url-missing" in result.output) == (0, False)


def test_an_encrypted_database_without_its_key_is_left_aside_and_said_to_be(run, tmp_path):
    async def record() -> None:
        (tmp_path / "data").mkdir()
        store = await SqliteStore.open(tmp_path / "data" / "gateway.db", [bytes(32)])
        await store.append([an_arrival(an_event())])
        await store.close()

    asyncio.run(record())
    result = run(ROUTES)
    assert result.exit_code == 0
    assert "the database is encrypted, and no key is given; set GATEWAY_ENCRYPTION_KEY" in (
        result.stderr
    )


# -- warnings --------------------------------------------------------------------------------------------


def test_warnings_are_told_and_do_not_keep_a_file_from_being_used(run):
    text = ROUTES.replace("license.expiring", "license.*").replace(", pager]", "]")
    result = run(text)
    assert result.exit_code == 0
    assert "routes.yaml:8:36: warning: literal-wildcard: " in result.output
    assert "routes.yaml:6:3: warning: endpoint-unused: " in result.output
    assert "ok: 1 route, 2 endpoints, 1 source (2 warnings)" in result.output


def test_strict_makes_warnings_fail(run):
    assert run(ROUTES, "--strict").exit_code == 0
    text = ROUTES.replace(", pager]", "]")
    assert run(text, "--strict").exit_code == 1
    allowed = text.replace(
        'pager", sign: none}', 'pager", sign: none}  # lint: allow endpoint-unused'
    )
    assert run(allowed, "--strict").exit_code == 0


def test_a_comment_silences_any_warning(run):
    text = ROUTES.replace("{scheme: token, secrets: [{env: T}]}", "none")
    assert "unverified" in run(text).output
    assert (
        "unverified"
        not in run(text.replace("verify: none}", "verify: none}  # lint: allow unverified")).output
    )


def test_warnings_stand_in_the_order_of_the_file(run):
    text = ROUTES.replace("{scheme: token, secrets: [{env: T}]}", "none").replace(", pager]", "]")
    places = [(p["line"], p["code"]) for p in json.loads(run(text, "--json").output)["problems"]]
    assert places == [(3, "unverified"), (6, "endpoint-unused")]


def test_problems_of_tests_stand_among_those_of_routes_where_they_are(run):
    text = ROUTES.replace("type: license.expiring, data", "type: license.*, data")
    test = "tests:\n  - {name: a, event: {type: x}, expect: [cmz]}\n"
    text = text.replace("endpoints:\n", f"{test}endpoints:\n")
    places = [(p["line"], p["code"]) for p in json.loads(run(text, "--json").output)["problems"]]
    assert places == [(5, "unknown-endpoint"), (10, "literal-wildcard")]


def test_the_file_can_be_named_as_for_other_commands(run, tmp_path):
    (tmp_path / "other.yaml").write_text(ROUTES)
    result = run(None, "--routes", "other.yaml")
    assert (result.exit_code, "other.yaml: ok" in result.output) == (0, True)
    both = run(ROUTES, "routes.yaml", "--routes", "other.yaml")
    assert (both.exit_code, "two routes files" in both.output) == (2, True)


@pytest.fixture
def recorded(tmp_path):
    """Put events into the database that the folder has."""

    def recorded(*events):
        async def fill():
            (tmp_path / "data").mkdir(exist_ok=True)
            store = await SqliteStore.open(tmp_path / "data" / "gateway.db")
            await store.append([an_arrival(event) for event in events])
            await store.close()

        asyncio.run(fill())

    return recorded


def test_recorded_events_are_evidence_and_are_read_without_a_trace(run, recorded, tmp_path):
    assert "number-as-text" not in run(ROUTES).output
    recorded(*(an_event(event_type="license.expiring", data={"days_left": "14"}) for _ in range(3)))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}
    result = run(ROUTES)
    assert "warning: number-as-text" in result.output
    assert "write `{decimal: {lte: 14}}`" in result.output
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()} == before
    assert not log_path(tmp_path / "data" / "gateway.db").exists()


def test_the_newest_events_are_what_counts(run, recorded, monkeypatch):
    monkeypatch.setattr("gateway.cli.check.MOST_EVENTS", 4)
    old, new = ({"days_left": "14"}, {"days_left": 14})
    recorded(*(an_event(event_type="license.expiring", data=old) for _ in range(3)))
    recorded(*(an_event(event_type="license.expiring", data=new) for _ in range(4)))
    assert "number-as-text" not in run(ROUTES).output
    monkeypatch.setattr("gateway.cli.check.MOST_EVENTS", 100)
    recorded(*(an_event(event_type="license.expiring", data=old) for _ in range(100)))
    assert "number-as-text" in run(ROUTES).output


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00"])
def test_a_database_that_cannot_be_read_is_passed_over(run, tmp_path, content):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gateway.db").write_bytes(content)
    result = run(ROUTES)
    assert (result.exit_code, result.exception) == (0, None)
    assert (tmp_path / "data" / "gateway.db").read_bytes() == content


# -- tests -----------------------------------------------------------------------------------------------


def test_tests_are_tried_only_when_asked_for(run):
    result = run(f"{ROUTES}tests:\n{GOOD}{BAD}")
    assert result.exit_code == 0
    assert "2 tests: try with --tests" in result.output


def test_tests_that_pass_are_told_and_exit_0(run):
    result = run(f"{ROUTES}tests:\n{GOOD}", "--tests")
    assert result.exit_code == 0
    assert result.output.splitlines()[-2:] == ["✓ good", "1 test: 1 passed"]


def test_a_test_that_fails_shows_the_difference_and_exits_1(run):
    result = run(f"{ROUTES}tests:\n{GOOD}{BAD}", "--tests")
    assert result.exit_code == 1
    assert result.output.splitlines()[-6:] == [
        "✓ good",
        "✗ bad  routes.yaml:11:5",
        "    expected  cms",
        "    got       nothing",
        "    missing   cms (expiring: data.days_left is 30, wanted {lte: 14})",
        "2 tests: 1 passed, 1 failed",
    ]


def test_too_much_and_what_failed_are_shown(run):
    text = ROUTES.replace(", to:", ", when: event.data.web, to:")
    result = run(f"{text}tests:\n{GOOD}", "--tests")
    assert "    failed    route expiring, when: " in result.output
    bad = GOOD.replace("[cms, pager]", "[cms, cms]")
    result = run(f"{ROUTES}tests:\n{bad}", "--tests")
    assert "    too much  pager (by expiring)" in result.output
    assert "    missing   cms (it is sent there once)" in result.output


def test_results_are_told_as_json(run):
    result = run(f"{ROUTES}tests:\n{GOOD}{BAD}", "--tests", "--json")
    told = json.loads(result.output)
    assert (result.exit_code, told["ok"], told["passed"], told["failed"]) == (1, True, 1, 1)
    assert told["tests"][1] == {
        "name": "bad", "file": "routes.yaml", "line": 11, "column": 5, "passed": False,
        "expected": ["cms"], "got": [], "unexpected": [], "plans": [], "failures": [], "notes": [],
        "missing": [{"endpoint": "cms", "route": "expiring", "why": "data.days_left is 30, wanted {lte: 14}"}],
    }  # fmt: skip
    assert "tests" not in json.loads(run(None, "--json").output)


@pytest.mark.parametrize("flags", [(), ("--tests",)])
def test_a_faulty_test_is_an_error_with_or_without_the_flag(run, flags):
    result = run(f"{ROUTES}tests:\n{GOOD.replace('pager', 'pagr')}", *flags)
    assert result.exit_code == 2
    assert 'routes.yaml:10:87: unknown-endpoint: there is no endpoint "pagr"' in result.output
    assert "routes.yaml: 1 error" in result.output


def test_no_tests_where_they_are_asked_for_is_something_to_mend(run):
    result = run(ROUTES, "--tests")
    assert result.exit_code == 2
    assert "NAME.routes-test.yaml" in result.output


def test_tests_of_a_faulty_file_are_not_tried(run):
    result = run(ROUTES.replace("to: [cms", "to: [cmz") + f"tests:\n{GOOD}", "--tests")
    assert (result.exit_code, "no test was tried; mend the errors first" in result.output) == (
        2,
        True,
    )


def test_the_tests_of_the_example_pass(run, tmp_path):
    shutil.copy(ROOT / "routes.yaml", tmp_path)
    result = run(None, "--tests", "--strict")
    assert result.exit_code == 0, result.output
    assert "failed" not in result.output
    assert result.output.count("✓") >= 4


def test_so_do_those_of_a_new_folder(run, tmp_path):
    assert CliRunner().invoke(app, ["init", "mine"]).exit_code == 0
    result = run(None, "mine/routes.yaml", "--tests", "--production")
    assert result.exit_code == 0, result.output
    assert result.output.count("✓") >= 4
