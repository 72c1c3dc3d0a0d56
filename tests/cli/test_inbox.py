"""The inbox, from the command line, with a gateway that runs: what could not be read is read again."""

import json
import re

import pytest

from tests.kit.process import GatewayProcess

ROUTES = """\
version: 1
sources:
  dam:
    verify: {preset: standard-webhooks, secrets: [{env: DAM_SECRET}]}
    event: {type: "${body.KIND}", id: "${body.id}", data: "${body}"}
endpoints:
  cms: {url: "http://127.0.0.1:9/", sign: none}
routes:
  - {name: all, match: {type: [{prefix: asset.}]}, to: [cms]}
"""
SECRET = {"DAM_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwSw"}


@pytest.fixture
def running(tmp_path):
    """A gateway whose source reads what is not there."""
    (tmp_path / "routes.yaml").write_text(ROUTES)
    gateway = GatewayProcess(tmp_path, environment=SECRET).start()
    yield gateway
    gateway.stop()


def unreadable(running, number: int) -> str:
    body = json.dumps({"kind": "asset.updated", "id": f"id-{number}"}).encode()
    told = running.call("send", "-", "--source", "dam", stdin=body).stdout
    return re.search(r"inb_\w+", told)[0]


def mend(running) -> None:
    before = len(running.lines)
    (running.folder / "routes.yaml").write_text(ROUTES.replace("KIND", "kind"))
    running.said("new routes are in force", before)


def test_one_entry_is_read_again_once_its_source_is_mended(running):
    entry = unreadable(running, 1)
    refused = running.call("inbox", entry, "--read-again")
    assert (refused.returncode, "it still cannot be read" in refused.stderr) == (1, True)
    mend(running)
    told = running.call("inbox", entry, "--read-again")
    event = re.fullmatch(rf"{entry} is (evt_\w+)\n", told.stdout)[1]
    assert "asset.updated" in running.call("events", event).stdout
    assert re.search(rf"{entry} +read again +dam", running.call("inbox").stdout)


def test_all_that_fit_are_read_again_the_oldest_first_after_they_were_counted(running):
    entries = [unreadable(running, number) for number in (1, 2, 3)]
    again = ("inbox", "--read-again", "--all", "--source", "dam")
    failed = running.call(*again, "--yes")
    assert (failed.returncode, failed.stdout) == (1, "0 entries read: 0 events\n")
    assert f"{entries[0]}: it still cannot be read" in failed.stderr
    mend(running)
    unread = running.call("inbox", "--unread", "--json")
    assert len(json.loads(unread.stdout)["items"]) == 3
    assert running.call(*again, "--dry-run").stdout == "3 entries would be read\n"
    assert running.call(*again).returncode == 2  # nobody can be asked
    assert running.call("events").stdout == "no events: send one with `gateway send`\n"
    assert running.call(*again, "--yes").stdout == "3 entries read: 3 events\n"
    items = json.loads(running.call("events", "--json").stdout)["items"]
    assert [each["key"] for each in items] == ["id-3", "id-2", "id-1"]
    assert json.loads(running.call(*again, "--yes", "--json").stdout) == {"entries": 0}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--read-again",), ("inb_1", "--read-again", "--all"), ("--all",), ("inb_1", "--yes"),
        ("inb_1", "--read-again", "--source", "dam"), ("inb_1", "--read-again", "--dry-run"),
        ("--read-again", "--all", "--refused", "--yes"), ("--read-again", "--all", "--not-unread", "--yes"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_says_nothing_or_two_things_is_refused_before_any_gateway_is_asked(
    tmp_path, arguments
):
    nobody = GatewayProcess(tmp_path, environment={"GATEWAY_ADMIN_URL": "http://127.0.0.1:9"})
    assert nobody.call("inbox", *arguments).returncode == 2
