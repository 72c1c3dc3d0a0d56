"""`gateway tokens`, and the token by which commands call."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from typer.testing import CliRunner

from tests.cli.conftest import copy_example
from tests.kit.cli import app
from tests.kit.process import GatewayProcess


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A gateway with a file of tokens, for this module."""
    folder = tmp_path_factory.mktemp("guarded")
    copy_example(folder)
    gateway = GatewayProcess(folder, "--admin-token-file", "tokens").start()
    yield gateway
    gateway.stop()


@pytest.fixture
def remote(guarded, tmp_path):
    """What calls that gateway from elsewhere, over a token that may do everything."""
    name = f"remote-{tmp_path.name.replace('_', '-').lower()}"[:60]
    (tmp_path / "token").write_text(new(guarded, name, "--scope", "admin"))
    at = {"GATEWAY_ADMIN_URL": f"http://{guarded.admin}", "GATEWAY_TOKEN_FILE": "token"}
    return GatewayProcess(tmp_path, environment=at)


COMMANDS_THAT_TALK = {
    command.name or command.callback.__name__
    for command in app.registered_commands
    if "token_file" in inspect.signature(command.callback).parameters
}


def new(gateway, *arguments) -> str:
    """A token, once it is in force."""
    before = len(gateway.lines)
    made = gateway.call("tokens", "new", *arguments, "--file", "tokens")
    assert made.returncode == 0, made.stderr
    gateway.said("other tokens are in force", before)
    return made.stdout.strip()


def test_commands_beside_the_database_need_no_token_and_others_do(guarded, tmp_path_factory):
    assert guarded.call("events").returncode == 0
    elsewhere = GatewayProcess(tmp_path_factory.mktemp("elsewhere"))
    at = ("--gateway", f"http://{guarded.admin}")
    refused = elsewhere.call("events", *at)
    assert (refused.returncode, "--token-file" in refused.stderr) == (2, True)
    (elsewhere.folder / "t").write_text(new(guarded, "reader", "--scope", "read"))
    assert elsewhere.call("events", *at, "--token-file", "t").returncode == 0
    elsewhere.environment = {"GATEWAY_TOKEN": (elsewhere.folder / "t").read_text()}
    assert elsewhere.call("events", *at).returncode == 0
    denied = elsewhere.call("pause", "cms", *at)
    assert (denied.returncode, "scope operate" in denied.stderr) == (2, True)


def test_every_command_that_talks_to_a_gateway_does_so_from_elsewhere_over_a_token(
    guarded, remote, tmp_path
):
    event = re.search(r"evt_\w+", guarded.call("send").stdout)[0]
    delivery = f"dlv_{event.removeprefix('evt_')}_0"
    shutil.copy(guarded.folder / "routes.yaml", tmp_path)
    commands = {
        "pause cms --reason moving": "cms is paused",
        "endpoints cms": "moving",
        "status": "rights-gateway",
        "events": event,
        f"events {event}": delivery,
        "deliveries": delivery,
        f"deliveries {delivery}": "to cms",
        f"cancel {delivery}": "is cancelled",
        f"redeliver {delivery}": "back on schedule",
        "redeliver --state cancelled --since 1h --yes": "no such deliveries",
        "resume cms": "cms is open",
        f"replay {event}": "new deliver",
        "replay --since 1h --dry-run": "It would make",
        "dead": "no dead letters",
        "dead --by reason": "no dead letters",
        "inbox": "the inbox is empty",
        "planned": "nothing is planned",
        "audit --action pause": "remote-",
        "prune --dry-run": "would go",
        "erase --subject nobody --dry-run": "0 events",
        f"explain --event {event}": "licence-expiring",
        "plan routes.yaml": "nothing changes",
    }
    for command, word in commands.items():
        told = remote.call(*command.split())
        assert word in told.stdout, f"{command}: {told.stdout}{told.stderr}"
    # The rest of them: what is answered has to be asked first, one signs, one does not end.
    talking = {each for each in COMMANDS_THAT_TALK if each not in {c.split()[0] for c in commands}}
    assert talking == {"answer", "poll", "send", "tail"}


def test_tail_shows_what_happens_elsewhere(guarded, remote):
    tail = subprocess.Popen(
        [sys.executable, "-m", "gateway", "tail", "--json"], cwd=remote.folder,
        env={**os.environ, **remote.environment}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with tail:
        reading = ThreadPoolExecutor(1).submit(tail.stdout.readline)
        while not reading.done():  # it does not tell when it has begun
            assert guarded.call("send").returncode == 0
        assert json.loads(reading.result())["what"]
        tail.kill()


def test_what_was_done_is_told_by_the_name_of_the_token(guarded):
    shift = GatewayProcess(
        guarded.folder,
        environment={"GATEWAY_TOKEN": new(guarded, "night-shift", "--scope", "operate")},
    )
    assert shift.run("pause", "cms").returncode == 0
    assert guarded.call("resume", "cms").returncode == 0
    line = guarded.call("audit", "--action", "pause").stdout.splitlines()[1]
    assert re.search(r"night-shift +127\.0\.0\.1 +pause +done +cms", line)
    assert '"who":"night-shift"' in guarded.call("audit", "--json").stdout


def test_tokens_are_listed_and_removed_and_never_shown_again(guarded):
    token = new(guarded, "ci", "--scope", "read,payload")
    listed = guarded.call("tokens", "list", "--file", "tokens").stdout
    assert re.search(r"ci +payload, read", listed)
    before = len(guarded.lines)
    assert guarded.run("tokens", "remove", "ci", "--file", "tokens").returncode == 0
    guarded.said("other tokens are in force", before)
    again = guarded.call("tokens", "remove", "ci", "--file", "tokens")
    assert (again.returncode, "no token ci" in again.stderr) == (1, True)
    assert '"name":"admin"' in guarded.call("tokens", "list", "--file", "tokens", "--json").stdout
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
    result = GatewayProcess(folder).call("serve", "--admin-token-file", "tokens")
    assert (result.returncode, "remove the file" in result.stderr) == (78, True)
    assert "s3cr3t" not in result.stderr


def test_what_beside_the_database_tells_of_a_token_is_for_its_owner_alone(guarded):
    lock = guarded.folder / "data" / "gateway.db.lock"
    assert lock.stat().st_mode & 0o077 == 0
    assert '"token"' in lock.read_text()
    assert guarded.call("events").returncode == 0  # it has come so far as to heed signals
    assert guarded.terminate() == 0
    assert lock.read_text() == ""
