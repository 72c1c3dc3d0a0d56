"""init, check, schema, keys."""

import json
import stat

import pytest
from typer.testing import CliRunner

from gateway.core.signing import parse_key
from tests.config.test_routes import THIRTEEN
from tests.kit.cli import app


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments, **more: CliRunner().invoke(app, list(arguments), **more)


def test_init_makes_a_folder_that_checks(run, tmp_path):
    result = run("init", "mine")
    assert result.exit_code == 0
    home = tmp_path / "mine"
    assert {p.name for p in home.iterdir()} == {
        "routes.yaml", "routes.schema.json", "handlers", "secrets", "gateway.toml", ".gitignore",
    }  # fmt: skip
    for secret in (home / "secrets").iterdir():
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert len(parse_key(secret.read_text())) == 32
    assert not list((home / "handlers").glob("__pycache__"))
    assert "cd mine &&" in result.output
    checked = run("check", "mine/routes.yaml", "--production")
    assert (checked.exit_code, "errors" in checked.output) == (0, False)


def test_init_makes_other_secrets_each_time(run, tmp_path):
    run("init", "a"), run("init", "b")
    one, two = ((tmp_path / f / "secrets" / "cms-secret").read_text() for f in "ab")
    assert one != two


def test_init_overwrites_nothing(run, tmp_path):
    (tmp_path / "routes.yaml").write_text("mine")
    result = run("init")
    assert result.exit_code == 2
    assert (tmp_path / "routes.yaml").read_text() == "mine"


def test_check_prints_every_problem_and_exits_2(run, tmp_path):
    (tmp_path / "routes.yaml").write_text(THIRTEEN)
    result = run("check")
    assert result.exit_code == 2
    lines = result.output.splitlines()
    assert len(lines) == 14
    assert lines[1].startswith("routes.yaml:5:5: unknown-key: ")
    assert lines[-1] == "routes.yaml: 13 errors"


def test_check_speaks_json(run, tmp_path):
    (tmp_path / "routes.yaml").write_text(THIRTEEN)
    result = json.loads(run("check", "--json").output)
    assert result["ok"] is False
    assert {"file", "line", "column", "severity", "code", "what", "cure"} == set(
        result["problems"][0]
    )


def test_check_names_the_flag_that_allows_a_denied_endpoint(run, tmp_path):
    text = "version: 1\nendpoints: {x: {url: 'https://10.1.2.3/', sign: none}}\n"
    (tmp_path / "routes.yaml").write_text(text)
    assert "add --egress-allow 10.1.2.3/32" in run("check").output
    assert "egress" not in run("check", "--egress-allow", "10.1.0.0/16").output


def test_check_makes_no_secrets(run, tmp_path):
    text = "version: 1\nendpoints: {x: {url: 'http://127.0.0.1/', sign: {secrets: [{env: X_SECRET}]}}}\n"
    (tmp_path / "routes.yaml").write_text(text)
    result = run("check")
    assert (result.exit_code, "not in the environment: X_SECRET" in result.output) == (0, True)
    assert not (tmp_path / "data").exists()
    assert run("check", "--production").exit_code == 2


def test_an_absent_file_says_what_to_do(run):
    result = run("check")
    assert result.exit_code == 2
    assert "gateway init" in result.output


def test_schema_is_json(run):
    assert json.loads(run("schema").output)["title"] == "routes.yaml, version 1"
