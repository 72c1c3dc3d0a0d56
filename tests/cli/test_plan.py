"""gateway plan: against a gateway that runs, and against a database where none does."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from gateway.cli.main import code_of
from gateway.cli.planned import _deliveries
from gateway.core.errors import GatewayError
from gateway.core.model import SECOND
from gateway.core.retry import GiveUp
from gateway.planning import Findings
from gateway.store.rows import EventRow, data_columns, digest_of, packed
from gateway.store.sqlite import SqliteStore
from tests.kit.build import a_lease, an_arrival, an_event
from tests.kit.cli import app
from tests.kit.process import GatewayProcess
from tests.store.test_contract import an_attempt

ROUTES = """\
version: 1
sources:
  getty: {verify: none}
  dam: {verify: none, event: {type: "${body.kind}"}}
endpoints:
  cms: {url: http://127.0.0.1:9/cms, sign: none}
  pager: {url: http://127.0.0.1:9/pager, sign: none}
routes:
  - {name: expiring, match: {type: license.expiring}, to: [cms, pager]}
  - {name: ended, match: {type: license.expired}, to: [cms]}
"""
ENDED = "  - {name: ended, match: {type: license.expired}, to: [cms]}\n"
NARROWER = ROUTES.replace(
    "{type: license.expiring}", "{type: license.expiring, subject: license/1}"
)
WITHOUT_PAGER = ROUTES.replace("[cms, pager]", "[cms]").replace(
    "  pager: {url: http://127.0.0.1:9/pager, sign: none}\n", ""
)


def cloudevent(event_type: str, subject: str) -> bytes:
    fields = {"specversion": "1.0", "id": f"{event_type} {subject}", "source": "/t",
              "type": event_type, "subject": subject, "data": {"n": 1}}  # fmt: skip
    return json.dumps(fields).encode()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A gateway that has received three events and delivers none of it."""
    home = tmp_path_factory.mktemp("planned")
    (home / "routes.yaml").write_text(ROUTES)
    gateway = GatewayProcess(home).start()
    for endpoint in ("cms", "pager"):
        assert gateway.call("pause", endpoint).returncode == 0
    for event_type, n in (("license.expiring", 1), ("license.expiring", 2), ("license.expired", 3)):
        body = cloudevent(event_type, f"license/{n}")
        assert gateway.call("send", "-", stdin=body).returncode == 0
    yield gateway
    gateway.stop()


@pytest.fixture(autouse=True)
def gave_way(monkeypatch) -> list[int]:
    """By how much it lowered its priority; this process keeps its own."""
    by: list[int] = []
    monkeypatch.setattr(os, "nice", by.append)
    return by


def planned(gateway: GatewayProcess, text: str, *flags: str) -> "subprocess.CompletedProcess[str]":
    """Run it in this process, in the gateway's folder; a process takes a second to begin."""
    (gateway.folder / "new.yaml").write_text(text)
    command = ["plan", "new.yaml", *flags]
    with contextlib.chdir(gateway.folder):
        result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    code, error = result.exit_code, result.stderr
    if isinstance(result.exception, GatewayError):
        code, error = code_of(result.exception), f"{error}gateway: {result.exception}"
    elif not isinstance(result.exception, SystemExit | None):
        raise result.exception
    return subprocess.CompletedProcess(command, code, result.stdout, error)


def told(gateway: GatewayProcess, text: str, *flags: str) -> dict:
    result = planned(gateway, text, "--json", *flags)
    assert result.returncode in (0, 1), result.stderr
    found = json.loads(result.stdout)
    assert (result.returncode == 0) is found["ok"]
    return found


def by_place(found: dict, kind: str) -> dict[str, int]:
    rows = found["deliveries"]
    return {f"{row['route']} {row['endpoint']}": row[kind] for row in rows if row[kind]}


# -- a gateway that runs ---------------------------------------------------------------------------


def test_an_unchanged_file_changes_nothing(running):
    result = planned(running, ROUTES)
    assert (result.returncode, result.stderr) == (0, "")
    assert "nothing changes" in result.stdout
    assert "none was read" in result.stdout


def test_it_gives_way_to_a_gateway_on_the_same_machine(running, gave_way):
    planned(running, NARROWER)
    assert gave_way == [10]


def test_what_is_dropped_is_told_by_route_and_endpoint_with_an_example_and_exits_1(running):
    result = planned(running, NARROWER)
    assert result.returncode == 1
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "against 3 events recorded in 7 days" in lines
    assert "~ route expiring match" in lines
    for endpoint in ("cms", "pager"):
        assert f"expiring {endpoint} 1 · · · 1" in lines
    assert "route expiring: 1 such event seen in 7 days" in lines
    (example,) = [
        line for line in lines if line.startswith("dropped") and line.endswith("expiring → cms")
    ]
    assert "license.expiring license/2" in example
    assert lines[-1] == "✗ 2 deliveries dropped"


def test_the_same_is_told_as_json(running):
    found = told(running, NARROWER)
    assert (found["ok"], found["reasons"]) == (False, ["2 deliveries dropped"])
    assert found["totals"] == {"dropped": 2, "added": 0, "changed": 0, "moved": 0}
    assert by_place(found, "dropped") == {"expiring cms": 1, "expiring pager": 1}
    assert found["evidence"] == [{"route": "expiring", "events": 1, "passed": 1}]
    assert {each["subject"] for each in found["examples"]} == {"license/2"}
    assert found["events"]["count"] == 3
    status = json.loads(running.call("status", "--json").stdout)
    assert found["in_force"]["fingerprint"] == status["routes"]["fingerprint"]


def test_additions_are_no_fault_unless_they_pass_a_limit(running):
    text = ROUTES + "  - {name: all, match: {}, to: [pager]}\n"
    assert by_place(told(running, text), "added") == {"all pager": 3}
    assert told(running, text, "--max-added", "3")["ok"] is True
    assert told(running, text, "--max-added", "2")["reasons"] == ["3 deliveries added, more than 2"]


def test_so_many_examples_are_given_as_are_asked_for(running):
    text = ROUTES + "  - {name: all, match: {}, to: [pager]}\n"
    for count in (0, 1, 2):
        assert len(told(running, text, "--examples", str(count))["examples"]) == count


def test_an_endpoint_that_is_gone_with_work_waiting_exits_1_though_nothing_is_dropped(running):
    found = told(running, WITHOUT_PAGER, "--until", "1d")
    assert found["totals"]["dropped"] == 0
    assert found["reasons"] == ["endpoint pager is gone, with 2 deliveries waiting"]
    result = planned(running, WITHOUT_PAGER, "--until", "1d")
    assert (
        "- endpoint  pager  it has 2 deliveries waiting, and none of it can be sent"
        in result.stdout
    )


def test_an_endpoint_with_another_name_leaves_its_work_behind(running):
    text = ROUTES.replace("  pager:", "  beeper:").replace("pager]", "beeper]")
    found = told(running, text)
    assert "endpoint pager is gone, with 2 deliveries waiting" in found["reasons"]
    assert "> endpoint  beeper  was pager  pager has 2" in planned(running, text).stdout


def test_an_endpoint_that_goes_elsewhere_takes_its_work_along(running):
    found = told(running, ROUTES.replace("9/pager", "9/other"))
    (part,) = found["file"]
    assert (found["ok"], part["keys"], part["waiting"]) == (True, ["url"], 2)
    assert found["events"]["read"] is False


def test_a_route_for_which_there_is_no_evidence_says_so(running):
    text = ROUTES + "  - {name: new, match: {type: order.placed}, to: [cms]}\n"
    assert "route new: 0 such events seen in 7 days" in planned(running, text).stdout
    assert "0 such events seen in 12 hours" in planned(running, text, "--since", "12h").stdout
    judged = ROUTES.replace(ENDED, ENDED.replace("to:", "when: 'event.data.n > 1', to:"))
    out = planned(running, judged).stdout
    assert "route ended: 1 such event seen in 7 days, of which `when` lets 0 through" in out


def test_another_mapping_is_said_not_to_be_tried(running):
    result = planned(running, ROUTES.replace("${body.kind}", "${body.type}"))
    assert result.returncode == 0
    assert "~ source    dam  event" in result.stdout
    assert (
        "not backtested: source dam: recorded events are as the `event:` in force" in result.stdout
    )


def test_a_source_that_is_gone_is_told_with_the_events_that_came_by_it(running):
    result = planned(running, ROUTES.replace("  getty:", "  shop:"))
    assert result.returncode == 1
    assert "> source    shop  was getty  3 events came by /in/getty, which would be refused" in (
        result.stdout
    )
    assert "✗ 5 deliveries dropped" in result.stdout


def test_a_route_with_another_name_is_moved(running):
    result = planned(running, ROUTES.replace("name: ended", "name: over"))
    assert result.returncode == 0
    assert "ended > over: 1 delivery to cms, as before" in result.stdout


def test_what_a_new_once_has_fired_for_is_said_to_be_unknown(running):
    once = ROUTES.replace(ENDED, ENDED.replace("to:", 'once: "${event.subject}", to:'))
    result = planned(running, once)
    assert "route ended: its `once` is only known to fire within the recorded" in result.stdout


def test_shadow_is_counted_apart(running):
    result = planned(running, ROUTES.replace("name: ended,", "name: ended, mode: shadow,"))
    assert "ended, shadow: holds back 1 event, 0 before" in result.stdout
    assert result.returncode == 1


def test_expressions_that_fail_are_told(running):
    result = planned(running, ROUTES.replace(ENDED, ENDED.replace("to:", "when: event.no.x, to:")))
    assert "ended: 1 time, 0 before; evt_" in result.stdout


def test_a_file_with_errors_is_told_with_its_places_and_exits_2(running):
    result = planned(running, ROUTES.replace("match: {type: license.expired}", "match: {type: []}"))
    assert result.returncode == 2
    assert result.stderr.startswith("new.yaml:10:")
    found = planned(running, "version: 1\nrotues: []\n", "--json")
    assert (found.returncode, json.loads(found.stdout)["problems"][0]["code"]) == (2, "unknown-key")
    assert "cannot be read" in running.call("plan", "gone.yaml").stderr


def test_a_file_that_is_not_there_is_to_be_named_anew(running):
    result = running.call("plan", "nope.yaml")
    assert result.returncode == 2
    assert "nope.yaml: no-file: " in result.stderr
    assert result.stderr.endswith("; mend the path\n")


@pytest.mark.parametrize(
    "flags",
    [("--since", "yesterday"), ("--since", "1h", "--until", "2h"), ("--since", "2026-01-01")],
)
def test_a_span_that_is_none_is_refused(running, flags):
    result = planned(running, ROUTES, *flags)
    assert (result.returncode, "Traceback" in result.stderr) == (2, False)


def test_a_moment_will_do_as_well_as_a_duration(running):
    found = told(running, NARROWER, "--since", "2026-01-01T00:00:00Z")
    assert (found["events"]["since"], found["events"]["count"]) == ("2026-01-01T00:00:00.000Z", 3)


def test_a_pipe_gets_no_colours_and_no_bar_and_the_shell_the_code(running):
    (running.folder / "new.yaml").write_text(NARROWER)
    result = running.run("plan", "new.yaml")
    assert (result.returncode, "\x1b" in result.stdout, result.stderr) == (1, False, "")


# -- from elsewhere --------------------------------------------------------------------------------


def test_from_ci_neither_secrets_nor_handlers_nor_a_database_are_needed(tmp_path):
    home, ci = tmp_path / "home", tmp_path / "ci"
    (home / "handlers").mkdir(parents=True), ci.mkdir()
    (home / "handlers" / "__init__.py").write_text("")
    (home / "handlers" / "mine.py").write_text("async def do(event, endpoint): ...\n")
    text = ROUTES.replace(
        "{url: http://127.0.0.1:9/pager, sign: none}",
        "{url: {env: PAGER_URL}, handler: 'handlers.mine:do', auth: {bearer: {env: PAGER_TOKEN}}}",
    )
    (home / "routes.yaml").write_text(text)
    environment = {"PAGER_URL": "http://127.0.0.1:9/", "PAGER_TOKEN": "s3cret"}
    gateway = GatewayProcess(home, "--admin-token-file", "token", environment=environment).start()
    try:
        token = gateway.call(
            "tokens", "new", "ci", "--scope", "read,payload", "--file", "token"
        ).stdout
        gateway.said("other tokens are in force")
        assert gateway.call("send", "-", stdin=cloudevent("license.expired", "l/1")).returncode == 0
        (ci / "token").write_text(token)
        there = GatewayProcess(ci)
        flags = ("--gateway", f"http://{gateway.admin}", "--token-file", "token")
        assert told(there, text, *flags)["file"] == []
        found = told(there, text.replace(ENDED, ""), *flags)
        assert by_place(found, "dropped") == {"ended cms": 1}
        refused = planned(there, text, *flags[:2])
        assert (refused.returncode, "--token-file" in refused.stderr) == (2, True)
        assert sorted(each.name for each in ci.iterdir()) == ["new.yaml", "token"]
        for output in (planned(there, WITHOUT_PAGER, *flags), refused):
            assert "s3cret" not in output.stdout + output.stderr
    finally:
        gateway.stop()


def test_a_gateway_that_does_not_answer_exits_75(tmp_path):
    result = planned(GatewayProcess(tmp_path), ROUTES, "--gateway", "http://127.0.0.1:1")
    assert (result.returncode, "does not answer" in result.stderr) == (75, True)


class Admin:
    """An admin API that tells what it is given, and notes what it is asked."""

    def __init__(self, text: str | None = ROUTES, events: int = 0, *, hang_after: int = 99) -> None:
        self.asked: list[tuple[str, str, dict]] = []
        self.release = threading.Event()
        now = time.time_ns() // 1000 - 60 * SECOND
        self.items = [
            packed(row_of(an_event(received_at=now + n * 1000, subject=f"license/{n}")))
            for n in range(events)
        ]
        admin = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
                admin.asked.append((self.command, place, query))
                answer = admin.answer(place, query, text)
                if len(admin.asked) > hang_after:
                    admin.release.wait(20)
                self.send_response(404 if answer is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(answer or {"detail": "no such path"}).encode())

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, place: str, query: dict, text: str | None) -> dict | None:
        if place == "/api/v1/stats":
            return {"scheduled": {}, "dead": {}}
        if place == "/api/v1/routes/files":
            files = [{"name": "routes.yaml", "text": text}]
            return text and {"version": "9.9", "fingerprint": "f", "files": files}
        after = query.get("cursor", [""])[0]
        items = [item for item in self.items if item["id"] > after][: int(query["limit"][0])]
        return {"items": items, "next": items[-1]["id"] if items else None}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


def row_of(event) -> EventRow:
    data, start, end = data_columns(event)
    return EventRow(
        event.event_id, event.source, event.key, event.received_at, event.content_type, event.body,
        event.head, data, start, end, digest_of(event.body, event.head, data),
    )  # fmt: skip


def test_a_gateway_is_only_asked_page_by_page_and_told_nothing(tmp_path):
    with Admin(events=1200) as admin:
        found = told(GatewayProcess(tmp_path), NARROWER, "--gateway", admin.url)
    assert found["totals"]["dropped"] == 2 * 1199
    assert {method for method, _, _ in admin.asked} == {"GET"}
    pages = [query for _, place, query in admin.asked if place.endswith("/recorded")]
    assert [page["limit"] for page in pages] == [["500"]] * 4
    assert [page.get("cursor") for page in pages] == [
        None, *([admin.items[n]["id"]] for n in (499, 999, 1199)),
    ]  # fmt: skip
    assert all(page["since"] < page["until"] for page in pages)


def test_routes_in_force_that_this_version_cannot_read_are_said_to_be_so(tmp_path):
    with Admin(ROUTES + "marvels: []\n") as admin:
        result = planned(GatewayProcess(tmp_path), ROUTES, "--gateway", admin.url)
    assert result.returncode == 2
    assert f"the routes in force at {admin.url}, a gateway of version 9.9, cannot be read by" in (
        result.stderr
    )
    assert 'unknown key "marvels"' in result.stderr


def test_a_gateway_that_is_too_old_to_be_asked_is_said_to_be_so(tmp_path):
    with Admin(None) as admin:
        result = planned(GatewayProcess(tmp_path), ROUTES, "--gateway", admin.url)
    assert (result.returncode, "is too old to tell which routes" in result.stderr) == (2, True)


def test_events_told_in_another_way_are_no_traceback(tmp_path):
    with Admin(events=1) as admin:
        del admin.items[0]["head"]
        result = planned(GatewayProcess(tmp_path), NARROWER, "--gateway", admin.url)
    assert (result.returncode, "tells its events in another way" in result.stderr) == (2, True)


# -- a database that nobody serves -----------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A folder with the routes, whose gateway does not run."""
    (tmp_path / "routes.yaml").write_text(ROUTES)
    return GatewayProcess(tmp_path)


def keep(folder: GatewayProcess, *events, to=()) -> None:
    """Put events into its database."""

    async def keep() -> None:
        store = await SqliteStore.open(folder.folder / "data" / "gateway.db")
        await store.append([an_arrival(event, to=to) for event in events])
        await store.close()

    asyncio.run(keep())


def recent(**more):
    return an_event(received_at=time.time_ns() // 1000 - 3600 * SECOND, **more)


def files(folder: GatewayProcess) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in (folder.folder / "data").iterdir()}


def test_where_no_gateway_runs_its_database_is_read_and_left_as_it_is(folder):
    keep(folder, recent(subject="license/1"), recent(subject="license/2"), to=("pager",))
    before = files(folder)
    found = told(folder, WITHOUT_PAGER)
    assert by_place(found, "dropped") == {"expiring pager": 2}
    assert found["reasons"][1] == "endpoint pager is gone, with 2 deliveries waiting"
    assert found["in_force"]["where"] == "routes.yaml"
    assert files(folder) == before


def test_dead_letters_of_an_endpoint_that_is_gone_count_as_work(folder):
    keep(folder, recent(), to=("pager",))

    async def bury() -> None:
        store = await SqliteStore.open(folder.folder / "data" / "gateway.db")
        (claimed,) = await store.claim("pager", [a_lease()], time.time_ns() // 1000)
        await store.record(claimed, an_attempt(), GiveUp("http-500"))
        await store.close()

    asyncio.run(bury())
    found = told(folder, WITHOUT_PAGER, "--until", "2d")
    assert found["reasons"] == ["endpoint pager is gone, with 1 delivery dead"]


def test_the_file_to_compare_with_can_be_named(folder):
    keep(folder, recent())
    (folder.folder / "old.yaml").write_text(WITHOUT_PAGER)
    assert by_place(told(folder, ROUTES, "--routes", "old.yaml"), "added") == {"expiring pager": 1}
    (folder.folder / "old.yaml").write_text("version: 2\n")
    result = planned(folder, ROUTES, "--routes", "old.yaml")
    assert (result.returncode, "old.yaml:1:" in result.stderr) == (2, True)


def test_a_route_with_another_name_begins_its_once_anew(folder):
    keep(folder, recent(event_type="license.expired"))
    once = ROUTES.replace(ENDED, ENDED.replace("to:", 'once: "${event.subject}", to:'))
    (folder.folder / "old.yaml").write_text(once)
    new = once.replace("name: ended", "name: over")
    result = planned(folder, new, "--routes", "old.yaml")
    assert "route over: under its new name its `once` has not fired for anything" in result.stdout
    assert (result.returncode, "1 delivery to cms, as before" in result.stdout) == (0, True)


def test_old_events_are_left_out(folder):
    keep(folder, an_event(received_at=time.time_ns() // 1000 - 8 * 86400 * SECOND), recent())
    assert told(folder, NARROWER)["events"]["count"] == 1
    assert told(folder, NARROWER, "--since", "9d")["events"]["count"] == 2


def test_without_events_it_says_that_nothing_is_shown(folder):
    keep(folder)
    result = planned(folder, NARROWER)
    assert result.returncode == 0
    assert "no events in 7 days: nothing shows what the routes would do" in result.stdout


def test_an_event_of_many_megabytes_is_compared_like_any_other(folder):
    keep(folder, *(recent(data={"x": "y" * 4_000_000}, subject=f"l/{n}") for n in range(3)))
    assert by_place(told(folder, NARROWER), "dropped") == {"expiring cms": 3, "expiring pager": 3}


def test_an_event_whose_bytes_have_changed_is_told_and_the_others_go_on(folder):
    events = [recent(subject="l/1"), recent(subject="l/2")]
    keep(folder, *events)
    with sqlite3.connect(folder.folder / "data" / "gateway.db") as connection:
        connection.execute("UPDATE events SET body = x'00' WHERE id = ?", (events[0].event_id,))
    connection.close()
    result = planned(folder, NARROWER)
    words = "1 event cannot be read: the stored bytes are not those that came, the first"
    assert f"{words} {events[0].event_id}" in result.stdout
    assert told(folder, NARROWER)["totals"]["dropped"] == 2


def test_without_a_gateway_and_a_database_the_cure_is_named(folder):
    result = planned(folder, ROUTES)
    assert (result.returncode, "--gateway" in result.stderr) == (2, True)
    assert not (folder.folder / "data").exists()


# -- at a terminal ---------------------------------------------------------------------------------


def at_a_terminal(folder: GatewayProcess, *flags: str, until: str, number: int = 0):
    """Run it with a terminal for its errors; end it by a signal once that shows the words."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "gateway", "plan", "new.yaml", *flags],
        cwd=folder.folder, stdout=subprocess.PIPE, stderr=theirs,
        env={**os.environ, "COLUMNS": "100", "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
            if number and until.encode() in seen:
                os.kill(child.pid, number)
                number = 0
    except OSError:  # the terminal's other end is closed
        pass
    os.close(ours)
    output, _ = child.communicate(timeout=20)
    return child.returncode, seen.decode(), output.decode()


def test_a_bar_shows_how_far_it_is_and_goes(folder):
    (folder.folder / "new.yaml").write_text(NARROWER)
    keep(folder, *(recent(subject=f"l/{n}") for n in range(3)))
    code, shown, output = at_a_terminal(folder, until="")
    assert (code, "reading events" in shown) == (1, True)
    assert shown.endswith(("\x1b[2K", "\x1b[?25h\r\x1b[1A\x1b[2K"))
    assert "reading events" not in output


def test_broken_off_at_a_gateway_it_leaves_without_a_trace(tmp_path):
    (tmp_path / "new.yaml").write_text(NARROWER)
    with Admin(events=600, hang_after=2) as admin:
        code, shown, output = at_a_terminal(
            GatewayProcess(tmp_path), "--gateway", admin.url, until=" 500 ", number=signal.SIGINT
        )
    assert (code, output, "Traceback" in shown) == (130, "", False)
    assert "\x1b[?25h" in shown  # the cursor is back


def test_broken_off_at_a_database_it_leaves_the_folder_as_it_was(folder):
    slow = "".join(
        f"  - {{name: r{n}, match: {{}}, when: 'event.data.days_left == {n}', to: [cms]}}\n"
        for n in range(1000)
    )
    (folder.folder / "new.yaml").write_text(ROUTES + slow)
    keep(folder, *(recent(subject=f"l/{n}") for n in range(1000)))
    before = files(folder)
    code, shown, output = at_a_terminal(folder, until="reading events", number=signal.SIGINT)
    assert (code, output, "Traceback" in shown) == (130, "", False)
    assert files(folder) == before


def test_who_owns_a_route_is_told_beside_its_deliveries():
    findings = Findings(owners={"a": "rights-team"})
    findings.tallies["a", "cms"].dropped = 1
    findings.tallies["b", "cms"].dropped = 1
    assert [(row["route"], row["owner"]) for row in _deliveries(findings)] == [
        ("a", "rights-team"),
        ("b", None),
    ]
