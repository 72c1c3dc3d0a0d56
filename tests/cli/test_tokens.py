"""`gateway tokens`, and the token by which commands call."""

import re

import pytest
from typer.testing import CliRunner

from tests.kit.cli import app
from tests.kit.process import GatewayProcess


@pytest.fixture
def guarded(folder):
    """A gateway with a file of tokens."""
    gateway = GatewayProcess(folder, "--admin-token-file", "tokens").start()
    yield gateway
    gateway.stop()


def new(gateway, *arguments) -> str:
    made = gateway.call("tokens", "new", *arguments, "--file", "tokens")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_commands_beside_the_database_need_no_token_and_others_do(guarded, tmp_path_factory):
    assert guarded.call("events").returncode == 0
    elsewhere = GatewayProcess(tmp_path_factory.mktemp("elsewhere"))
    at = ("--gateway", f"http://{guarded.admin}")
    refused = elsewhere.call("events", *at)
    assert (refused.returncode, "--token-file" in refused.stderr) == (2, True)
    (elsewhere.folder / "t").write_text(new(guarded, "reader", "--scope", "read"))
    guarded.said("other tokens are in force")
    assert elsewhere.call("events", *at, "--token-file", "t").returncode == 0
    elsewhere.environment = {"GATEWAY_TOKEN": (elsewhere.folder / "t").read_text()}
    assert elsewhere.call("events", *at).returncode == 0
    denied = elsewhere.call("pause", "cms", *at)
    assert (denied.returncode, "scope operate" in denied.stderr) == (2, True)


def test_what_was_done_is_told_by_the_name_of_the_token(guarded):
    guarded.environment = {"GATEWAY_TOKEN": new(guarded, "night-shift", "--scope", "operate")}
    guarded.said("other tokens are in force")
    assert guarded.run("pause", "cms").returncode == 0
    guarded.environment = {}
    line = guarded.run("audit", "--action", "pause").stdout.splitlines()[1]
    assert re.search(r"night-shift +127\.0\.0\.1 +pause +done +cms", line)
    assert '"who":"night-shift"' in guarded.run("audit", "--json").stdout


def test_tokens_are_listed_and_removed_and_never_shown_again(guarded):
    token = new(guarded, "ci", "--scope", "read,payload")
    listed = guarded.run("tokens", "list", "--file", "tokens").stdout
    assert re.search(r"ci +payload, read", listed)
    assert guarded.run("tokens", "remove", "ci", "--file", "tokens").returncode == 0
    again = guarded.run("tokens", "remove", "ci", "--file", "tokens")
    assert (again.returncode, "no token ci" in again.stderr) == (1, True)
    assert '"name":"admin"' in guarded.run("tokens", "list", "--file", "tokens", "--json").stdout
    assert token not in (guarded.folder / "tokens").read_text() + listed


@pytest.mark.parametrize(
    ("scope", "hinted"),
    [("payload", True), ("operate,payload", True), ("read,operate", False), ("admin", False)],
)
def test_a_token_that_sees_no_lists_is_said_to(tmp_path, monkeypatch, scope, hinted):
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(app, ["tokens", "new", "x", "--scope", scope, "--file", "tokens"])
    assert made.exit_code == 0
    assert (f"--scope read,{scope}" in made.stderr) is hinted


@pytest.mark.parametrize(
    "arguments", [("new", "a/b"), ("new", "x", "--scope", "all"), ("new", "local"), ("list",)]
)
def test_what_cannot_be_done_exits_2(folder, arguments):
    assert GatewayProcess(folder).call("tokens", *arguments).returncode == 2


def test_a_file_of_the_old_form_keeps_the_gateway_from_starting_and_is_not_shown(folder):
    (folder / "tokens").write_text("s3cr3t-t0ken\n")
    result = GatewayProcess(folder).run("serve", "--admin-token-file", "tokens")
    assert (result.returncode, "remove the file" in result.stderr) == (78, True)
    assert "s3cr3t" not in result.stderr


def test_what_beside_the_database_tells_of_a_token_is_for_its_owner_alone(guarded):
    lock = guarded.folder / "data" / "gateway.db.lock"
    assert lock.stat().st_mode & 0o077 == 0
    assert '"token"' in lock.read_text()
    assert guarded.call("events").returncode == 0  # it has come so far as to heed signals
    assert guarded.terminate() == 0
    assert lock.read_text() == ""
