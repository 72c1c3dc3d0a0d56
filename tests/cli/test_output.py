"""How commands speak."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli import output
from gateway.cli.output import own_command, printable


def test_control_characters_do_not_reach_the_terminal():
    assert printable("a\x1b[2Jb\nc\u202ed") == "a�[2Jb�c�d"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-11-18T11:06:35.000Z", "5s ago"),
        ("2026-11-18T11:16:40.000Z", "in 10m"),
        ("2026-11-18T09:06:40.000Z", "2h ago"),
        ("2026-11-15T11:06:40.000Z", "3d ago"),
        (None, ""),
    ],
)
def test_moments_are_told_from_now(monkeypatch, moment, text):
    monkeypatch.setattr(output, "_now", lambda: datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC))
    assert output.ago(moment) == text


def test_the_next_command_is_one_that_can_be_typed(monkeypatch, tmp_path):
    program = tmp_path / "bin" / "gateway"
    program.parent.mkdir()
    program.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", str(program.parent))
    assert own_command() == "gateway"
    monkeypatch.setenv("PATH", "/nowhere")
    assert own_command() == "bin/gateway"
    monkeypatch.setattr(sys, "argv", [str(Path("gateway") / "__main__.py")])
    assert own_command().endswith("-m gateway")
