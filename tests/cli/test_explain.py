"""gateway explain."""

import asyncio
import json
import re
import sqlite3
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gateway.catalogue import sample
from gateway.cli.explain import LONGEST_BODY, MOST_EVENTS, MOST_REQUESTS, Printing
from gateway.cli.main import code_of
from gateway.core.errors import BodyCorrupt, GatewayError
from gateway.core.model import Event
from gateway.explaining import explained
from gateway.store.sqlite import SqliteStore
from tests.kit.build import NOW, an_arrival, an_event, some_routes
from tests.kit.cli import app

ROUTES = """\
version: 1
sources:
  getty: {verify: {preset: standard-webhooks, secrets: [{env: GETTY_SECRET}]}}
  dam:
    verify: {preset: standard-webhooks, secrets: [{env: DAM_SECRET}]}
    event:
      - {when: has(body.ping), ignore: true}
      - {each: "${body.assets}", type: asset.updated, subject: "${item.id}", data: "${item}"}
endpoints:
  cms:
    url: https://cms.example.com/api
    sign: {secrets: [{env: CMS_SECRET}]}
    auth: {bearer: {env: CMS_TOKEN}}
  reviews:
    url: https://reviews.example.com
    handler: handlers.reviews:open_review
    auth: {basic: {user: me, password: {env: REVIEWS_PASSWORD}}}
  raw: {url: "https://raw.example.com", sign: none, body: raw}
routes:
"""
HANDLER = "async def open_review(event, endpoint, who=''):\n    return await endpoint.post('/')\n"
KEY = "whsec_" + "d" * 43 + "="
EVENT = {
    "specversion": "1.0", "id": "a-1", "source": "/x", "type": "license.expiring", "subject": "l/1",
    "time": "2026-11-20T09:14:03Z", "data": {"days_left": 9, "places": ["wp", "drupal", "wp"]},
}  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CMS_SECRET", KEY)
    monkeypatch.setenv("CMS_TOKEN", "token-of-cms")
    monkeypatch.setenv("REVIEWS_PASSWORD", "password-of-reviews")

    def run(*arguments: str, stdin: object = None):
        given = stdin if isinstance(stdin, str) else json.dumps(stdin)
        return CliRunner().invoke(app, ["explain", *arguments], input=given)

    return run


@pytest.fixture
def write(tmp_path):
    """Write a routes file with these routes."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "reviews.py").write_text(HANDLER)

    def write(*routes: str) -> None:
        lines = "".join(f"  - {route}\n" for route in routes) or "  []\n"
        (tmp_path / "routes.yaml").write_text(ROUTES + lines)

    return write


HIT = "{name: hit, owner: rights, match: {type: license.expiring}, to: [cms]}"


# -- which match, and why others do not ------------------------------------------------------------------


def test_it_tells_what_matches_why_others_do_not_and_what_is_sent(run, folder):
    event = sample("license.expiring", NOW)
    event["data"]["days_left"] = 30
    result = run(stdin=event)
    assert result.exit_code == 1
    assert (
        "✗ licence-expiring (rights-team): 1 of 2 parts failed\n"
        "      data.days_left is 30, wanted {lte: 14}" in result.output
    )
    event["data"]["days_left"] = 3
    result = run("--source", "getty", stdin=event)
    assert result.exit_code == 0
    assert "✓ licence-expiring (rights-team) → cms, workflow, alerting\n" in result.output
    assert (
        'type is "license.expiring", wanted "license.expired" or "license.revoked"' in result.output
    )
    assert "POST http://127.0.0.1:8090/cms" in result.output
    assert "webhook-signature: (hidden)" in result.output


def test_it_reads_plain_json_by_the_sources_mapping(run, folder):
    body = {"asset": {"id": "1"}, "changed_at": "2026-11-20T09:14:03Z"}
    (folder / "body.json").write_text(json.dumps(body))
    result = run("--source", "dam", "--event", "body.json")
    assert (result.exit_code, "x-dam-delivery" in result.output) == (1, True)
    result = run("--source", "dam", "--event", "body.json", "-H", "X-Dam-Delivery: d-1")
    assert (result.exit_code, "✓ asset-changed (web-team) → cms" in result.output) == (0, True)


def test_a_not_that_holds_is_the_reason(run, write):
    write("{name: r, match: {type: license.expiring, $not: {subject: l/1}}, to: [cms]}")
    output = run(stdin=EVENT).output
    assert "1 of 2 parts failed" in output
    assert '$not: {subject: "l/1"} holds, and must not' in output


def test_of_many_routes_the_nearest_are_shown_and_the_others_counted(run, write):
    far = [f"{{name: far-{i}, match: {{type: x, subject: y}}, to: [cms]}}" for i in range(9)]
    write(*far, "{name: near, match: {type: license.expiring, subject: y}, to: [cms]}", HIT)
    result = run(stdin=EVENT)
    assert re.findall(r"[✓✗] ([\w-]+)", result.output) == [
        "hit", "near", "far-0", "far-1", "far-2", "far-3",
    ]  # fmt: skip
    assert "5 more routes do not match: --all shows why" in result.output
    everything = run("--all", stdin=EVENT).output
    assert (everything.count("✗"), "more route" in everything) == (10, False)
    assert len(json.loads(run("--json", stdin=EVENT).output)["events"][0]["routes"]) == 6
    assert len(json.loads(run("--json", "--all", stdin=EVENT).output)["events"][0]["routes"]) == 11


@pytest.mark.parametrize("content", [EVENT, {"asset": {"id": 1}}, [{"asset": 1}]])
def test_an_event_in_place_of_the_routes_file_is_recognised(run, folder, content, monkeypatch):
    (folder / "exp.json").write_text(json.dumps(content))
    monkeypatch.setenv("COLUMNS", "200")
    result = run("exp.json", stdin=EVENT)
    assert result.exit_code == 2
    assert "is this an event? --event exp.json" in result.output


def test_a_file_without_routes_says_so(run, write):
    write()
    result = run(stdin=EVENT)
    assert (result.exit_code, "there are no routes" in result.output) == (1, True)


def test_an_event_that_is_too_wide_says_so(run, write):
    write("{name: r, match: {data: {places: {anything-but: x}}}, to: [cms]}")
    result = run(stdin={**EVENT, "data": {"places": [0] * 100_001}})
    assert (result.exit_code, "! " in result.output) == (1, True)


# -- what expressions said ---------------------------------------------------------------------------------


def test_a_when_that_is_false_keeps_a_route_from_matching(run, write):
    write("{name: r, match: {}, when: event.data.days_left > 30, to: [cms]}")
    result = run(stdin=EVENT)
    assert result.exit_code == 1
    assert "✗ r\n      when event.data.days_left > 30 is false\n" in result.output


@pytest.mark.parametrize(
    ("on_error", "mark", "words", "code"),
    [
        ("inbox", "✗", "so this is not sent, and the inbox says why", 1),
        ("match", "✓", "so it counts as true (on_error: match)", 0),
        ("skip", "✗", "so this is not sent, and only counted (on_error: skip)", 1),
    ],
)
def test_a_when_that_fails_says_why_and_what_on_error_makes_of_it(
    run, write, on_error, mark, words, code
):
    write(f"{{name: r, on_error: {on_error}, match: {{}}, when: event.data.nope, to: [cms]}}")
    result = run(stdin=EVENT)
    assert f"{mark} r" in result.output
    assert '! when: `event.data.nope`: there is no "nope"' in result.output
    assert words in result.output
    assert result.exit_code == code


def test_once_shadow_each_and_names_of_targets_are_told(run, write):
    write(
        "{name: r, owner: me, mode: shadow, match: {}, once: '${event.subject}', to: [{name: pause,"
        " endpoint: cms, each: '${event.data.places}', when: item == \"wp\","
        " call: {path: '/${item}'}}, {endpoint: cms, when: event.data.days_left < 3}]}"
    )
    result = run(stdin=EVENT)
    assert result.exit_code == 0
    for line in (
        "✓ r (me, shadow: sends nothing) → cms (2)",
        "once ${event.subject} is l/1; whether it has fired for it before is not looked up",
        "pause, cms: each ${event.data.places} has 3 items",
        'pause, cms: when item == "wp" is true for 2 of 3',
        "cms: when event.data.days_left < 3 is false",
        "r/pause → cms (shadow: not sent)",
    ):
        assert f"{line}\n" in result.output


def test_a_handler_is_named_with_its_arguments(run, write):
    write("{name: r, match: {}, to: [{endpoint: reviews, with: {who: '${event.subject}'}}]}")
    words = 'handlers.reviews:open_review would call https://reviews.example.com\n  who: "l/1"\n'
    assert words in run(stdin=EVENT).output


# -- from a request to events ------------------------------------------------------------------------------


def test_what_a_source_ignores_is_said(run, write):
    write(HIT)
    result = run("--source", "dam", stdin={"ping": 1})
    assert (result.exit_code, "dam ignores it" in result.output) == (1, True)


def test_several_events_are_told_of_one_after_the_other(run, write):
    write("{name: r, match: {subject: b}, to: [cms]}")
    result = run("--source", "dam", stdin={"assets": [{"id": "a"}, {"id": "b"}]})
    assert result.exit_code == 0
    assert "dam makes 2 events of it" in result.output
    assert re.findall(r"^\d\. asset.updated  \w", result.output, re.MULTILINE) == [
        "1. asset.updated  a", "2. asset.updated  b",
    ]  # fmt: skip


def test_of_very_many_events_the_first_are_shown(run, write):
    write(HIT)
    body = {"assets": [{"id": str(i)} for i in range(MOST_EVENTS + 2)]}
    output = run("--source", "dam", stdin=body).output
    assert (output.count("✗ hit"), "2 more events: --all" in output) == (MOST_EVENTS, True)
    assert run("--source", "dam", "--all", stdin=body).output.count("✗ hit") == MOST_EVENTS + 2


def test_what_goes_to_the_inbox_says_why_and_what_to_do(run, write):
    write(HIT)
    result = run(stdin={"n": 1})
    assert result.exit_code == 1
    assert "it makes no event, and goes to the inbox (event-unmapped)" in result.output
    assert "the body names no event type" in result.output
    assert "what to do: give the source an `event:` mapping, or send CloudEvents" in result.output
    told = json.loads(run("--json", stdin={"n": 1}).output)
    assert (told["outcome"], told["problem"]["code"]) == ("inbox", "event-unmapped")


def test_what_is_refused_says_so(run, write):
    write(HIT)
    result = run("-H", "content-type: text/plain", stdin="hi")
    assert "it makes no event, and is refused (media-type-unsupported)" in result.output


# -- requests ----------------------------------------------------------------------------------------------


def test_no_secret_is_shown_in_either_form(run, write):
    write(
        "{name: r, match: {}, to: [cms, reviews, {endpoint: cms, call: {}},"
        " {endpoint: reviews, call: {}}]}"
    )
    for form in ((), ("--json",)):
        output = run(*form, stdin=EVENT).output
        assert "(hidden)" in output
        for secret in (KEY, "token-of-cms", "password-of-reviews", "bWU6cGFzc3dvcmQ", "v1,"):
            assert secret not in output


def test_json_has_the_event_its_routes_and_its_requests(run, write):
    write(HIT)
    told = json.loads(run("--json", stdin=EVENT).output)
    (event,) = told["events"]
    assert (event["event"]["id"], event["routes"][0]["fires"]) == ("a-1", True)
    assert json.loads(event["requests"][0]["body"]) == EVENT


def test_a_short_body_is_laid_out_and_the_same_again_is_not_repeated(run, write):
    write("{name: r, match: {}, to: [cms]}", "{name: s, match: {}, to: [cms]}")
    output = run(stdin=EVENT).output
    assert output.count('    "days_left": 9,\n') == 1
    assert output.count("\n  the same body\n") == 1


def test_a_long_body_is_cut_with_a_note(run, write):
    write(HIT)
    result = run(stdin={**EVENT, "data": "x" * 5000})
    assert re.search(r"… [23],\d\d\d more characters: --json has them", result.output)
    assert len(result.output) < LONGEST_BODY + 1000
    assert "x" * 5000 in run("--json", stdin={**EVENT, "data": "x" * 5000}).output


def test_a_body_that_is_no_json_is_shown_as_it_is(run, write):
    write("{name: r, match: {}, to: [raw]}")
    flags = [
        f"-Hce-{n}: {v}"
        for n, v in (("specversion", "1.0"), ("id", "1"), ("source", "/x"), ("type", "t"))
    ]
    output = run(*flags, "-H", "content-type: text/plain", stdin="one\ntwo").output
    assert output.endswith("  one\n  two\n")


def test_an_expression_of_several_lines_is_told_in_one(run, write):
    write('{name: r, match: {}, when: "event.data\\n  .days_left > 3", to: [cms]}')
    assert "when event.data   .days_left > 3 is true\n" in run(stdin=EVENT).output


def test_of_very_many_requests_the_first_are_shown(run, write):
    write("{name: r, match: {}, to: [{endpoint: cms, each: '${event.data.places}', call: {}}]}")
    event = {**EVENT, "data": {"places": list(range(MOST_REQUESTS + 3))}}
    output = run(stdin=event).output
    assert (output.count("POST "), "3 more requests: --all" in output) == (MOST_REQUESTS, True)
    assert run("--all", stdin=event).output.count("POST ") == MOST_REQUESTS + 3


# -- a terminal --------------------------------------------------------------------------------------------


def test_control_characters_of_an_event_never_reach_the_terminal(run, write):
    evil = "\x1b[2J\r\n  ✓ forged\x07\u202e\x9b"
    write(
        "{name: r, match: {subject: x}, to: [cms]}",
        "{name: s, match: {}, when: event.data.evil, once: '${event.subject}', to: [cms]}",
        "{name: t, match: {}, once: '${event.subject}', to: [cms, {endpoint: cms,"
        " call: {path: '/${event.subject}', query: {q: '${event.subject}'}}},"
        " {endpoint: reviews, with: {who: '${event.subject}'}}]}",
    )
    event = {
        **EVENT,
        "subject": evil,
        "id": evil,
        "type": f"x{evil}",
        "data": {evil: evil, "evil": evil},
    }
    output = run(stdin=event).output
    assert set(re.findall(r"[^\x20-\x7e✓✗→…�]", output)) == {"\n"}
    assert not re.search(r"^ *✓ forged", output, re.MULTILINE)
    raw = json.loads(run("--json", stdin=event).output)
    assert raw["events"][0]["event"]["subject"] == evil


def test_what_cannot_be_read_may_hold_control_characters(run, write):
    write(HIT)
    result = run(
        stdin='{"specversion": "1.0", "id": "1", "source": "x", "type": "y", "\\u001b[2J": 1}'
    )
    assert result.exit_code == 1
    assert "\x1b" not in result.output


def test_it_fits_a_terminal_of_80_columns_and_has_colours_only_there(run, write):
    words = {"type": "x.y", "subject": "a long subject " * 8, "data": {"text": "many words " * 40}}
    match = {"subject": "another " * 12, "data": {"text": {"exists": False}}}
    told = explained(
        some_routes((match, "cms"), ({}, "cms")), None, json.dumps(words).encode(), {}, NOW
    )
    told["events"][0]["requests"].clear()  # a body is shown as it is
    terminal, pipe = StringIO(), StringIO()
    Printing(Console(file=terminal, width=80, force_terminal=True), everything=False).result(told)
    Printing(Console(file=pipe, width=200), everything=False).result(told)
    plain = re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())
    assert max(map(len, plain.splitlines())) <= 80
    assert plain != terminal.getvalue()
    assert "\x1b" not in pipe.getvalue()
    assert max(map(len, pipe.getvalue().splitlines())) > 80


# -- arguments ---------------------------------------------------------------------------------------------


def test_the_routes_file_is_an_argument_or_an_option(run, write, tmp_path):
    write(HIT)
    (tmp_path / "routes.yaml").rename("other.yaml")
    assert run(stdin=EVENT).exit_code != 0
    assert run("other.yaml", stdin=EVENT).exit_code == 0
    assert run("--routes", "other.yaml", stdin=EVENT).exit_code == 0
    assert run("other.yaml", "--event", "-", stdin=EVENT).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.yaml", "--routes", "b.yaml"), "two routes files"),
        (("evt_1", "--event", "x.json"), "two events"),
        (("evt_1", "--source", "getty"), "no --source"),
        (("--event", "evt_1", "-H", "a: b"), "no --source"),
        (("--event", "gone.json"), "gone.json cannot be read"),
    ],
)
def test_what_cannot_be_meant_exits_2(run, write, arguments, words):
    write(HIT)
    result = run(*arguments)
    assert (result.exit_code, words in " ".join(result.output.replace("│", " ").split())) == (
        2,
        True,
    )


def test_an_unknown_source_names_the_known(run, write):
    write(HIT)
    result = run("--source", "nope", stdin={})
    assert "known: getty, dam" in str(result.exception)


def test_a_faulty_routes_file_says_what_is_wrong_with_it_and_exits_2(run, write):
    write("{name: r, match: {}, to: [cmz]}")
    error = run(stdin=EVENT).exception
    assert isinstance(error, GatewayError)
    assert (code_of(error), 'did you mean "cms"?' in str(error)) == (2, True)


# -- a recorded event --------------------------------------------------------------------------------------


def test_a_recorded_event_is_explained_while_the_gateway_runs_and_after(running):
    sent = json.loads(running.call("send", "--sample", "license.expiring", "--json").stdout)
    name = sent["id"]
    while_it_runs = running.run("explain", name)
    assert while_it_runs.returncode == 0, while_it_runs.stderr
    assert f"from getty  {name}\n" in while_it_runs.stdout
    assert "✓ licence-expiring (rights-team) → cms, workflow, alerting" in while_it_runs.stdout
    named = running.call("explain", name, "--gateway", f"http://{running.admin}", "--json")
    assert running.call("explain", "gone.yaml", "--event", name).returncode == 2
    missing = running.call("explain", "evt_0")
    assert (missing.returncode, "there is no event evt_0" in missing.stderr) == (1, True)
    running.kill()
    try:
        afterwards = running.call("explain", "routes.yaml", "--event", name, "--json")
        missing = running.call("explain", "evt_0")
    finally:
        running.start()
    assert afterwards.returncode == 0, afterwards.stderr
    assert but_for_the_moment(afterwards.stdout) == but_for_the_moment(named.stdout)
    assert (missing.returncode, "there is no event evt_0" in missing.stderr) == (1, True)


def but_for_the_moment(told: str) -> str:
    return re.sub(r'"webhook-timestamp":"\d+"', "", told)


@pytest.fixture
def kept(tmp_path) -> Event:
    """An event in the database of a gateway that has ended."""
    event = an_event(subject="l/1")

    async def keep() -> None:
        store = await SqliteStore.open(tmp_path / "data" / "gateway.db")
        await store.append([an_arrival(event)])
        await store.close()

    (tmp_path / "data").mkdir()
    asyncio.run(keep())
    return event


def test_a_recorded_event_is_read_without_a_trace(run, write, kept, tmp_path):
    write(HIT)
    before = sorted((tmp_path / "data").iterdir())
    result = run("--event", kept.event_id, "--json")
    (request,) = json.loads(result.output)["events"][0]["requests"]
    assert request["body"].encode() == kept.envelope
    assert sorted((tmp_path / "data").iterdir()) == before


def test_a_recorded_event_whose_bytes_have_changed_is_not_explained(run, write, kept, tmp_path):
    write(HIT)
    with sqlite3.connect(tmp_path / "data" / "gateway.db") as connection:
        connection.execute("UPDATE events SET body = x'00'")
    connection.close()
    assert isinstance(run(kept.event_id).exception, BodyCorrupt)


def test_a_recorded_event_without_a_gateway_and_a_database_says_so(run, write):
    write(HIT)
    error = run("evt_1").exception
    assert "no gateway serves data/gateway.db" in str(error)
