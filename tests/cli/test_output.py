"""How commands speak."""

import re
import sys
from io import StringIO
from pathlib import Path

import pytest

from gateway.cli import output
from gateway.cli.client import Client
from gateway.cli.inbox import _print_entry, _print_inbox
from gateway.cli.operate import (
    _print_deliveries,
    _print_delivery,
    _print_status,
)
from gateway.cli.output import own_command, printable
from gateway.core.attention import troubles
from tests.kit.build import NOW


def test_control_characters_do_not_reach_the_terminal():
    assert printable("a\x1b[2Jb\nc\u202ed") == "a�[2Jb�c�d"


def a_delivery(**more):
    """A delivery as the admin API shows it."""
    return {
        "id": "dlv_1", "state": "scheduled", "endpoint": "cms", "route": "all", "target": None,
        "attempts": 0, "due_at": "2026-11-18T11:06:40.000Z", "waits_for": None, "after": None,
        "owner": None, "reason": None,
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("waiting", "told"),
    [
        (
            {"waits_for": "after", "after": {"pause": "delivered"}},
            "waits for pause to be delivered",
        ),
        (
            {"waits_for": "after", "after": {"a": "ended", "b": "ended"}},
            "waits for a to end, b to end",
        ),
        ({"waits_for": "key", "reason": "http-503"}, "http-503; waits for its turn"),
    ],
)
def test_a_delivery_that_waits_for_others_says_so_and_is_not_due(capsys, waiting, told):
    _print_deliveries({"items": [a_delivery(**waiting)]}, "none")
    header, line = capsys.readouterr().out.splitlines()
    assert "due" not in header
    assert line.endswith(f"  {told}")


def test_what_has_waited_for_another_is_due(capsys):
    _print_deliveries({"items": [a_delivery(after={"pause": "delivered"})]}, "none")
    header, line = capsys.readouterr().out.splitlines()
    assert "due" in header
    assert "waits" not in line


@pytest.mark.parametrize(
    ("outcome", "status", "reason", "told"),
    [
        ("accepted", 200, None, "accepted 200 in 12 ms"),
        ("refused", 503, None, "refused 503 in 12 ms"),
        ("refused", 200, "not-successful", "refused 200 not-successful in 12 ms"),
        ("unreachable", None, "timeout", "unreachable timeout in 12 ms"),
    ],
)
def test_an_attempt_is_told_with_its_status_and_its_reason(capsys, outcome, status, reason, told):
    attempt = {
        "number": 1, "started_at": None, "outcome": outcome, "status": status, "reason": reason,
        "duration_ms": 12.3, "calls": [],
    }  # fmt: skip
    _print_delivery(a_delivery(state="dead", attempts=[attempt]))
    assert capsys.readouterr().out.splitlines()[1].endswith(f": {told}")


@pytest.mark.parametrize(
    ("refused", "code", "event", "what"),
    [
        (True, "verification-failed", None, "refused"),
        (False, "invalid-json", None, "unreadable"),
        (False, "duplicate-differs", "evt_1", "duplicate"),
        (False, "invalid-json", "evt_1", "read again"),
    ],
)
def test_the_inbox_tells_what_became_of_each_request_and_why(terminal, refused, code, event, what):
    why = "what the sender has to know in more words than there is room for in one line"
    entry = {
        "id": "inb_01a20bc652c97a0479536b65", "source": "getty", "refused": refused, "code": code,
        "event_id": event, "received_at": "2026-11-18T11:06:40.000Z", "detail": why,
    }  # fmt: skip
    _, *rows = terminal(80, lambda: _print_inbox({"items": [entry]}, "none"))
    told = " ".join(" ".join(rows).split())
    assert f"{entry['id']}  {what}" in rows[0]
    assert code in told
    assert why in told
    assert all(len(row) <= 80 for row in rows)


def an_entry(**more):
    """A refused request as the admin API shows it, whole."""
    return {
        "id": "inb_1", "source": "getty", "code": "verification-failed", "detail": "x", "event_id": None,
        "refused": True, "received_at": "2026-11-18T11:06:40.000Z", "peer": "192.0.2.7", "method": "POST",
        "headers": [["host", "h"]], "body_bytes": 2, "sha256": "01" * 32, "body": "{}",
    } | more  # fmt: skip


def test_an_entry_without_its_body_says_which_scope_shows_it(capsys):
    entry = an_entry(left_out={"fields": ["body"], "scope": "payload"})
    del entry["body"]
    _print_entry(entry)
    shown = capsys.readouterr().out
    assert "host: h\n" in shown
    assert shown.endswith("\nits body is left out: a token with the scope payload shows it\n")


def test_headers_that_have_changed_are_told_as_one_line(capsys):
    _print_entry(an_entry(headers="(what was stored here has changed)"))
    assert "\nPOST\n(what was stored here has changed)\n" in capsys.readouterr().out


class Terminal(StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


COLUMNS = ("id", "endpoint", "route", "state", "attempts", "due", "owner", "reason")
ROW = (
    "dlv_01a20bc652c97a0479536b65_1", "cms-of-the-newsroom", "licence-expiring/pages", "superseded",
    3, "in 10m", "", "http-503 (after 10 attempts): the service is not to be had at this time",
)  # fmt: skip


@pytest.fixture
def terminal(monkeypatch):
    """The lines that something prints, on a terminal of so many columns, or in a pipe."""

    def terminal(width: int | None, prints) -> list[str]:
        stream = Terminal() if width else StringIO()
        monkeypatch.setenv("COLUMNS", str(width or ""))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stdout", stream)
        prints()
        return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()

    return terminal


@pytest.fixture
def table(terminal):
    """What a table looks like."""

    def table(*rows, width: int | None, columns=COLUMNS) -> list[str]:
        return terminal(width, lambda: output.print_table(columns, rows, empty="none"))

    return table


@pytest.mark.parametrize("width", [80, 100, 120])
def test_on_a_narrow_terminal_ids_and_states_stay_whole_and_nothing_is_lost(table, width):
    head, first, *rest = table(ROW, width=width)
    assert first.startswith(ROW[0])
    assert "superseded" in first
    assert head.startswith("id")
    words = " ".join([first, *rest]).replace(",", "").split()
    assert set(ROW[-1].split()) <= set(words)
    assert all(len(line) <= width for line in (head, first, *rest))


def test_what_is_narrower_than_ids_and_states_has_them_among_each_other(table):
    head, first, *rest = table(ROW, width=40)
    assert (head, first) == ("id", ROW[0])
    assert "state superseded" in " ".join(" ".join(rest).split())
    assert all(len(line) <= 40 for line in rest)


@pytest.mark.parametrize("width", [60, 66, 70])
def test_a_name_that_is_too_long_is_cut_and_no_word_is_broken(table, width):
    columns = ("endpoint", "state", "waiting", "since", "on")
    long, on = "the-workflow-of-the-newsroom-" + 34 * "x", 30 * "y"
    row = (long, "open", 3, "5m ago", on)
    head, first, *below = table(row, columns=columns, width=width)
    assert re.match(rf"{long[:15]}[a-z-]*…  open   3        5m ago$", first)
    assert below == [f"  on {on}"]
    assert all(len(line) <= width for line in (head, first, *below))
    assert long in " ".join(table(row, columns=columns, width=None))


def test_a_column_that_is_empty_in_every_row_is_left_out(table):
    assert "owner" not in table(ROW, width=200)[0]
    assert "owner" in table(ROW, (*ROW[:6], "web-team", ""), width=200)[0]


def test_in_a_pipe_each_row_is_a_line_without_spaces_at_its_end(table):
    long = (*ROW[:-1], "x" * 300)
    lines = table(long, (*ROW[:-1], ""), width=None)
    assert len(lines) == 3
    assert long[-1] in lines[1]
    assert [line for line in lines if line != line.rstrip()] == []


def test_in_a_pipe_a_long_word_moves_no_row_but_its_own(table):
    columns = ("when", "on", "outcome")
    rows = ("5m ago", "op_" + "x" * 100, "done"), ("6m ago", "cms", "done")
    lines = table(*rows, columns=columns, width=None)
    assert [len(line) for line in lines] == [8 + 40 + 9, 8 + 103 + 6, 8 + 40 + 6]


def test_a_table_without_rows_says_so(table):
    assert table(width=80) == ["none"]


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


def test_status_fits_a_screen_however_many_endpoints_there_are(terminal):
    """What is not well is shown before what is."""
    endpoints = [
        {
            "name": f"endpoint-{i}-of-the-newsroom", "state": "paused" if i == 30 else "open",
            "breaker": "closed", "running": 0, "owner": "the-night-desk", "reason": None,
        }
        for i in range(50)
    ]  # fmt: skip
    dead = {f"endpoint-{i}-of-the-newsroom": {"count": i} for i in range(10, 25)}
    state = {
        "version": "1", "ready": True, "store": {"state": "ok", "reason": ""}, "held_by": [], "nodes": [], "polls": [],
        "endpoints": endpoints, "late": {}, "failing": [],
        "routes": {"file": "routes.yaml", "fingerprint": "abc", "rejected": [], "unverified": []},
        "stats": {"dead": dead, "scheduled": {}, "unmatched": 0, "inbox": 0, "refused": 0},
    }  # fmt: skip
    told_first = [each.text for each in troubles(state, 0, NOW)][::-1]
    state["attention"] = ["[/] is no markup", *told_first]
    client = Client("http://127.0.0.1:8081", None)
    lines = terminal(80, lambda: _print_status(client, state))
    told = "\n".join(lines)
    assert len(lines) <= 18
    assert all(len(line) <= 80 for line in lines)
    assert re.search(r"endpoint-30-of-the-newsroom +paused", told)
    assert re.search(r"endpoint-24-of-the-newsroom +open .* 24 ", told)
    assert "and 44 others: see `gateway endpoints`" in told
    assert "! [/] is no markup" in told
    assert "! and 10 more: see `gateway status --json`" in told
