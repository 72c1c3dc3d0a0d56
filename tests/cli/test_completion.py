"""What a shell is told that a word could become."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.cli import called

ENDPOINTS = ["alerting", "cms", "workflow"]


def completed(folder: Path, *words: str, **environment: str) -> list[str]:
    """What bash is offered for the last of these words."""
    asked = {
        "_GATEWAY_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("gateway", *words)),
        "COMP_CWORD": str(len(words)), **environment,
    }  # fmt: skip
    told = called(folder, asked)
    assert told.stderr == ""
    return told.stdout.split()


def test_commands_and_options_are_completed(tmp_path):
    assert sorted(completed(tmp_path, "re")) == ["redeliver", "register", "replay", "resume"]
    assert "--endpoint" in completed(tmp_path, "dead", "--")


@pytest.mark.parametrize(
    "words",
    [
        ("pause", ""), ("resume", ""), ("endpoints", ""), ("ping", ""), ("keys", "rotate", ""),
        ("deliveries", "--endpoint", ""), ("dead", "--endpoint", ""), ("redeliver", "--endpoint", ""),
        ("replay", "--endpoint", ""), ("tail", "--endpoint", ""),
    ],
    ids=" ".join,
)  # fmt: skip
def test_endpoints_are_those_of_the_gateway_that_runs(running, words):
    assert completed(running.folder, *words) == ENDPOINTS
    assert completed(running.folder, *words[:-1], "c") == ["cms"]


def test_of_a_gateway_that_is_named_only_its_own_are_offered(running, tmp_path, folder):
    at = f"http://{running.admin}"
    (tmp_path / "routes.yaml").write_text("endpoints: {mine: {}}")
    assert completed(tmp_path, "pause", "", GATEWAY_ADMIN_URL=at) == ENDPOINTS
    assert completed(tmp_path, "pause", "", GATEWAY_ADMIN_URL="http://127.0.0.1:9") == []


@pytest.mark.parametrize(
    ("text", "names"),
    [("endpoints: {b: {}, a: x}", ["a", "b"]), ("endpoints: [a", []), ("[]", []), (None, [])],
)
def test_where_no_gateway_runs_they_are_those_of_the_routes_file_and_no_fault_is_told(
    tmp_path, text, names
):
    if text is not None:
        (tmp_path / "routes.yaml").write_text(text)
    assert completed(tmp_path, "ping", "") == names


def test_what_bash_is_given_to_read_completes(running):
    """As `gateway --install-completion` puts it into place."""
    program = Path(sys.executable).with_name("gateway")
    # Typer looks for the shell among the processes above: here as in a terminal, whatever runs the tests.
    line = ["bash", "-c", f"{program} --show-completion; exit $?"]
    shown = subprocess.run(line, capture_output=True, text=True, check=True)
    asks = f"COMP_WORDS=({program} pause c); COMP_CWORD=2; _gateway_completion {program}"
    told = subprocess.run(
        ["bash", "-c", f'{shown.stdout}\n{asks}; echo "${{COMPREPLY[@]}}"'],
        cwd=running.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.split() == ["cms"]
