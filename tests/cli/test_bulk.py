"""Sending again in bulk, from the command line, with a gateway that runs."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.request

import pytest
from typer.testing import CliRunner

from bench.processes import free_port
from tests.kit.cli import app
from tests.kit.process import GatewayProcess

ROUTES = """\
version: 1
sources: {{open: {{verify: none}}}}
endpoints:
  down: {{url: "http://127.0.0.1:{port}/", sign: none, breaker: off, retry: {{schedule: []}}}}
routes:
  - {{name: all, match: {{type: [{{prefix: asset.}}]}}, to: [down]}}
"""


@pytest.fixture
def running(tmp_path):
    """A gateway whose one endpoint nobody serves."""
    (tmp_path / "routes.yaml").write_text(ROUTES.format(port=free_port()))
    gateway = GatewayProcess(tmp_path).start()
    yield gateway
    gateway.stop()


def post(running, count: int, event_type: str = "asset.updated") -> None:
    events = [
        {"specversion": "1.0", "id": f"{event_type}-{i}", "source": "/t", "type": event_type}
        for i in range(count)
    ]
    request = urllib.request.Request(
        f"{running.url}/in/open", json.dumps(events).encode(),
        {"content-type": "application/cloudevents-batch+json"}, method="POST",
    )  # fmt: skip
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 202


def api(running, path: str):
    with urllib.request.urlopen(f"http://{running.admin}/api/v1/{path}") as answer:
        return json.loads(answer.read())


def counts(running) -> dict[str, int]:
    """How many deliveries are scheduled and dead."""
    stats = api(running, "stats")
    return {
        state: sum(e["count"] for e in stats[state].values()) for state in ("scheduled", "dead")
    }


def dead_letters(running, count: int) -> None:
    """So many, at an endpoint that is paused by then."""
    post(running, count)
    while counts(running)["dead"] < count:
        pass
    running.call("pause", "down")


def start(running, *arguments: str, stdin=None, stderr=subprocess.PIPE, stdout=subprocess.PIPE):
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=running.folder, env={**os.environ, "COLUMNS": "200", "TERM": "xterm"},
        stdin=stdin, stdout=stdout, stderr=stderr,
    )  # fmt: skip


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(running):
    dead_letters(running, 3)
    shown = running.call("redeliver", "--endpoint", "down", "--since", "1h", "--dry-run")
    assert shown.returncode == 0
    assert re.search(r"down +paused +connection-refused +3 +dlv_", shown.stdout)
    found = json.loads(running.call("redeliver", "--state", "dead", "--dry-run", "--json").stdout)
    assert found["deliveries"] == 3
    assert counts(running) == {"scheduled": 0, "dead": 3}


def test_dead_letters_are_grouped_with_the_command_that_redelivers_each_group(running):
    dead_letters(running, 3)
    shown = running.run("dead", "--by", "reason")
    assert shown.returncode == 1
    command = re.search(
        r"gateway (redeliver --endpoint down --reason connection-refused)", shown.stdout
    )
    done = running.call(*command[1].split(), "--yes", "--rate", "1000/s")
    assert done.stdout.splitlines()[-1] == "3 deliveries are back on schedule"
    assert counts(running) == {"scheduled": 3, "dead": 0}
    assert running.call("dead", "--by", "reason").stdout == "no dead letters\n"


def test_dead_letters_are_sought_by_key_source_and_what_is_in_an_id(running):
    dead_letters(running, 3)
    name = json.loads(running.call("dead", "--limit", "1", "--json").stdout)["items"][0]["id"]
    event = f"evt_{name.split('_')[1]}"
    for options, count in (
        (("--source", "open"), 3), (("--source", "other"), 0), (("--text", event), 1), (("--key", "none"), 0),
    ):  # fmt: skip
        found = running.call("dead", *options, "--json")
        assert (len(json.loads(found.stdout)["items"]), found.returncode) == (count, bool(count)), (
            options
        )
    assert running.call("dead", "--by", "reason", "--source", "open").returncode == 2


def test_without_a_terminal_nobody_is_asked_and_nothing_is_done(running):
    dead_letters(running, 1)
    refused = running.call("redeliver", "--endpoint", "down")
    assert (refused.returncode, "--dry-run first, then --yes" in refused.stderr) == (2, True)
    assert counts(running)["dead"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("redeliver",), ("replay", "--yes"), ("redeliver", "dlv_0_0", "--endpoint", "down"),
        ("redeliver", "--since", "yesterday"), ("replay", "--resume", "op_1", "--source", "open"),
        ("redeliver", "--resume", "op_00000001", "--dry-run"), ("replay", "evt_0", "--dry-run"),
        ("redeliver", "--act-again"), ("redeliver", "--endpoint", "down", "--act-again"),
    ],
)  # fmt: skip
def test_what_says_nothing_or_two_things_is_refused_before_any_gateway_is_asked(arguments):
    refused = CliRunner().invoke(app, [*arguments, "--gateway", "http://127.0.0.1:1"])
    assert (refused.exit_code, "Usage:" in refused.stderr) == (2, True)


def test_where_nothing_fits_nothing_is_begun(running):
    assert (
        running.call("redeliver", "--state", "cancelled", "--yes").stdout == "no such deliveries\n"
    )
    assert running.call("replay", "--source", "nobody", "--yes").stdout == "no such events\n"
    assert api(running, "operations")["items"] == []


def interrupted(running, *arguments: str, after: int) -> tuple[int, str]:
    """Ctrl-C once so many are done: the exit code, and what was said."""
    child = start(running, *arguments)
    while not (found := api(running, "operations")["items"]) or found[0]["done"] < after:
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    return child.returncode, said.decode()


def test_an_interrupted_redelivery_run_again_does_what_is_left(running):
    dead_letters(running, 60)
    code, said = interrupted(
        running, "redeliver", "--endpoint", "down", "--yes", "--rate", "10/s", after=50
    )
    assert code == 130
    assert re.search(
        r"so far 50 deliveries .*; go on with `gateway redeliver --resume op_\w+`", said
    )
    assert counts(running) == {"scheduled": 50, "dead": 10}
    again = running.call("redeliver", "--endpoint", "down", "--yes", "--json", "--rate", "1000/s")
    assert json.loads(again.stdout)["done"] == 10
    assert counts(running) == {"scheduled": 60, "dead": 0}


def test_an_interrupted_replay_goes_on_and_routes_no_event_twice(running):
    running.call("pause", "down")
    post(running, 60)
    code, said = interrupted(
        running, "replay", "--type", "asset.updated", "--yes", "--rate", "10/s", after=50
    )
    assert code == 130
    name = re.search(r"--resume (op_\w+)", said)[1]
    post(running, 2, "asset.created")
    resumed = running.call("replay", "--resume", name)
    assert resumed.stdout == "60 events routed again: 60 new deliveries\n"
    assert running.call("replay", "--resume", name).stdout == resumed.stdout
    items = api(running, "events?type=asset.updated&limit=500")["items"]
    for event in items:
        assert len(api(running, f"events/{event['id']}")["deliveries"]) == 2


def test_an_event_that_fails_is_named_and_the_exit_code_says_so(running):
    running.call("pause", "down")
    post(running, 2)
    text = (running.folder / "routes.yaml").read_text()
    text += "  - {name: odd, match: {}, when: 'event.data.gone == 1', to: [down]}\n"
    (running.folder / "routes.yaml").write_text(text)
    running.said("in force")
    done = running.call("replay", "--since", "1h", "--yes")
    assert done.returncode == 1
    assert (
        done.stdout.splitlines()[-1] == "2 events routed again: 2 new deliveries; 2 events failed"
    )
    assert len(re.findall(r"^evt_\w+ odd: ", done.stderr, re.MULTILINE)) == 4  # foretold, and done


def at_a_terminal(running, answer: bytes, *arguments: str) -> tuple[int, str]:
    """Run a command on a pseudo-terminal and answer its question."""
    master, slave = pty.openpty()
    child = start(running, *arguments, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    said = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while chunk := os.read(master, 4096):
            said += chunk
            if b"[y/N]" in said and answer:
                os.write(master, answer)
                answer = b""
    os.close(master)
    return child.wait(30), said.decode()


def test_at_a_terminal_it_shows_asks_and_shows_how_far_it_is(running):
    dead_letters(running, 3)
    code, said = at_a_terminal(running, b"n\n", "redeliver", "--endpoint", "down")
    assert (code, "connection-refused" in said) == (1, True)
    assert "Put 3 deliveries back on schedule, 20/s? [y/N]" in said
    assert counts(running)["dead"] == 3
    code, said = at_a_terminal(running, b"y\n", "redeliver", "--endpoint", "down")
    assert (code, "3/3" in said) == (0, True)
    assert counts(running)["dead"] == 0


def test_a_gateway_that_stops_meanwhile_leaves_an_operation_to_go_on_with(running):
    dead_letters(running, 60)
    child = start(running, "redeliver", "--endpoint", "down", "--yes", "--rate", "10/s")
    while not (found := api(running, "operations")["items"]) or found[0]["done"] < 50:
        assert child.poll() is None
    running.kill()
    _, said = child.communicate(timeout=30)
    assert (child.returncode, "go on with `gateway redeliver --resume" in said.decode()) == (
        75,
        True,
    )
    running.start()
    resumed = running.call("redeliver", "--resume", found[0]["id"])
    assert resumed.stdout == "60 deliveries are back on schedule\n"
    assert counts(running) == {"scheduled": 60, "dead": 0}


def test_one_of_each_is_sent_again_by_its_id(running):
    dead_letters(running, 1)
    (delivery,) = api(running, "deliveries")["items"]
    done = running.call("redeliver", delivery["id"])
    assert done.stdout == f"{delivery['id']} is back on schedule\n"
    assert running.call("redeliver", delivery["id"]).returncode == 1
    made = running.call("replay", delivery["event_id"])
    assert re.fullmatch(r"1 new delivery: dlv_\w+_1\n", made.stdout)
