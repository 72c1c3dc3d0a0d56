"""The commands that talk to a gateway that runs."""

import json
import re

import pytest

from tests.kit.process import GatewayProcess


def sent(running, *flags: str) -> str:
    result = running.call("send", *flags)
    assert result.returncode == 0, result.stderr
    return re.search(r"evt_\w+", result.stdout)[0]


def test_the_first_lines_say_where_it_is_and_what_to_type_next(running):
    text = "\n".join(running.lines)
    assert f"http://{running.public}/in/getty" in text
    assert f"http://{running.admin}" in text
    assert "made up for development, kept in data/development-secrets.json (mode 600)" in text
    assert not re.search("  (listens|hosts|proxies) ", text)
    assert "encrypted" not in text
    assert re.search(r"Now send it an event.*\n\n  .*gateway send", text)


def test_the_first_lines_have_the_settings_that_are_there_for_senders(tmp_path):
    (tmp_path / "routes.yaml").write_text("version: 1\nsources: {open: {verify: none}}\n")
    gateway = GatewayProcess(
        tmp_path, "--public-url", "https://hooks.example.com", "--allowed-host", "other.example.com",
        "--trusted-proxy", "10.0.0.0/8", "--encryption-key", "key", "--listen", "0.0.0.0:0",
    )  # fmt: skip
    assert gateway.call("keys", "encryption", "--out", "key").returncode == 0
    gateway.start()
    text = "\n".join(gateway.lines)
    gateway.stop()
    assert re.search(r"webhooks +https://hooks\.example\.com/in/open", text)
    assert re.search(r"listens +at all addresses of this machine, port [1-9]", text)
    assert re.search(r"hosts +hooks\.example\.com, other\.example\.com: requests", text)
    assert re.search(r"proxies +10\.0\.0\.0/8: their X-Forwarded-For", text)
    assert re.search(r"database +data/gateway\.db \(what comes is encrypted\)", text)


def test_a_sent_event_is_seen_arriving_verified(running):
    result = running.call("send", "--wait")
    assert result.returncode == 0
    assert "202 kept as evt_" in result.stdout
    for endpoint in ("cms", "workflow", "alerting"):
        assert re.search(rf"{endpoint} +licence-expiring +delivered", result.stdout)
    arrived = [line for line in running.lines if line.startswith("-->")]
    assert {line.split()[2] for line in arrived} >= {"/cms", "/workflow", "/alerting"}
    assert all("signature ok" in line for line in arrived)


@pytest.mark.parametrize("sample", ["license.expiring", "asset.updated", "terms.changed"])
def test_every_sample_is_kept(running, sample):
    name = sent(running, "--sample", sample)
    shown = json.loads(running.call("events", name, "--json").stdout)
    assert (shown["attributes"]["type"], len(shown["deliveries"]) > 0) == (sample, True)


def test_a_sample_can_be_sent_as_any_source(running):
    name = sent(running, "--source", "dam")
    assert json.loads(running.call("events", name, "--json").stdout)["source"] == "dam"


def test_what_is_no_event_is_said_to_be_in_the_inbox(running):
    result = running.call("send", "-", "--wait", stdin=b'{"no": "type"}')
    assert re.search(
        r"202 kept in the inbox as inb_\w+: no event\nsee why: .* inbox", result.stdout
    )
    assert result.returncode == 0


def test_each_event_of_a_batch_is_waited_for(running):
    events = [{"specversion": "1.0", "source": "/b", "type": "x.y", "id": f"b{i}"} for i in (1, 2)]
    header = ("--header", "content-type: application/cloudevents-batch+json")
    result = running.call("send", "-", "--wait", *header, stdin=json.dumps(events).encode())
    assert result.stdout.count("202 kept as evt_") == 2
    assert result.stdout.count("no route took it") == 2


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("send", "gone.json"), "gone.json cannot be read: No such file or directory"),
        (("explain", "--event", "gone.json"), "gone.json cannot be read"),
        (("listen", "--secret-file", "gone"), "gone cannot be read"),
        (("listen", "--listen", "8090"), "is no HOST:PORT"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(running, command, words):
    result = running.call(*command)
    assert (result.returncode, "Traceback" in result.stderr) == (2, False)
    assert words in " ".join(result.stderr.replace("│", " ").split())


def test_a_gateway_that_is_no_url_does_not_answer(running):
    result = running.call("status", "--gateway", "notaurl")
    assert (result.returncode, "does not answer" in result.stderr) == (75, True)


def test_a_port_that_is_taken_is_named_and_nothing_else_is_said(running, tmp_path):
    taken = running.flags[1]
    (tmp_path / "routes.yaml").write_text("version: 1\n")
    other = GatewayProcess(tmp_path)
    result = other.call("serve", "--sample-receiver", taken)
    assert result.returncode == 78
    assert result.stderr.count("\n") == 1
    assert f"cannot listen at {taken}: Address already in use" in result.stderr


def test_a_file_is_sent_as_it_is_and_a_second_time_is_a_duplicate(running):
    body = {
        "specversion": "1.0",
        "id": "mine-1",
        "source": "/me",
        "type": "x.y",
        "data": {"n": 1.50},
    }
    (running.folder / "event.json").write_text(json.dumps(body))
    first = json.loads(running.call("send", "event.json", "--json").stdout)
    again = json.loads(running.call("send", "event.json", "--json").stdout)
    assert (first["status"], first["duplicate"], again["duplicate"]) == (202, False, True)
    assert first["id"] == again["id"]
    assert running.call("events", first["id"]).stdout.strip().endswith("no route took it")


def test_what_is_refused_is_said_and_exits_1(running):
    (running.folder / "bad.txt").write_text("no json")
    result = running.call("send", "bad.txt")
    assert result.returncode == 0  # it was proven: it is kept in the inbox
    assert "inb_" in result.stdout
    assert "invalid-json" in running.run("inbox").stdout


def test_events_and_deliveries_are_listed(running):
    name = sent(running)
    assert name in running.call("events", "--type", "license.expiring").stdout
    listed = json.loads(running.call("deliveries", "--endpoint", "cms", "--json").stdout)["items"]
    delivery = next(d for d in listed if d["event_id"] == name)
    shown = running.call("deliveries", delivery["id"]).stdout
    assert f"{delivery['id']}  delivered  to cms by licence-expiring" in shown
    assert "1. " in shown
    for text in (name[:20], name):
        assert name in running.call("events", "--text", text, "--state", "delivered").stdout
    query = ("--event", name, "--type", "license.expiring", "--endpoint", "cms")
    (found,) = json.loads(running.call("deliveries", *query, "--json").stdout)["items"]
    assert found["id"] == delivery["id"]
    assert running.call("deliveries", "--text", "no-such").stdout == "no such deliveries\n"


def test_without_unmatched_events_it_is_said_that_all_were_taken(running):
    sent(running)
    assert running.call("events", "--unmatched", "--since", "2099-01-01T00:00:00Z").stdout == (
        "no unmatched events: routes took every one\n"
    )
    assert running.call("events", "--type", "nothing.such").stdout == "no such events\n"


def test_pause_cancel_redeliver_resume(running):
    assert running.run("pause", "workflow").stdout == "workflow is paused\n"
    name = sent(running)
    listed = json.loads(running.run("deliveries", "--endpoint", "workflow", "--json").stdout)[
        "items"
    ]
    (delivery,) = (d["id"] for d in listed if d["event_id"] == name)
    assert running.run("cancel", delivery).returncode == 0
    assert running.call("cancel", delivery).returncode == 1
    assert "paused" in running.call("status").stdout
    assert running.run("redeliver", delivery).returncode == 0
    assert running.run("resume", "workflow").stdout == "workflow is open\n"


def test_endpoints_shows_each_lane_and_why_nothing_begins(running):
    running.call("pause", "workflow", "--reason", "they [b]migrate[/b]")
    table = running.call("endpoints").stdout
    header, *lines = table.splitlines()
    assert header.split()[:5] == ["endpoint", "state", "breaker", "running", "waiting"]
    (line,) = (line for line in lines if line.startswith("workflow"))
    assert "paused" in line
    assert line.endswith("they [b]migrate[/b]")
    shown = json.loads(running.call("endpoints", "workflow", "--json").stdout)
    assert (shown["state"], shown["breaker"]) == ("paused", "closed")
    running.call("resume", "workflow")
    assert "migrate" not in running.call("endpoints", "workflow").stdout
    assert running.run("endpoints", "nope").returncode == 1


def test_replay_makes_new_deliveries(running):
    name = sent(running, "--sample", "asset.updated")
    result = running.run("replay", name)
    assert result.stdout.startswith("1 new delivery: dlv_")


def test_status_is_a_table_or_json_and_exits_1_when_something_needs_attention(running):
    (running.folder / "bad.txt").write_text("no json")
    running.call("send", "bad.txt")
    result = running.call("status")
    assert result.returncode == 1
    assert "see `gateway inbox`" in result.stdout
    assert json.loads(running.call("status", "--json").stdout)["attention"]


def test_the_inbox_says_why_a_webhook_was_refused_and_strangers_need_no_attention(running):
    before = json.loads(running.call("status", "--json").stdout)["attention"]
    (running.folder / "forged.json").write_text('{"type": "a.b", "data": "\x1b[31m[red]"}')
    result = running.call("send", "forged.json", "--header", "webhook-signature: v1,AAAA")
    assert result.returncode == 1
    items: list[dict] = []
    while not items:  # it is written behind the scenes
        items = json.loads(running.call("inbox", "--refused", "--json").stdout)["items"]
    entry = items[0]
    shown = running.call("inbox", entry["id"]).stdout
    assert f"verification-failed: the request could not be verified: {entry['outcome']}" in shown
    assert "webhook-signature: <redacted, 7 bytes>" in shown
    assert '"data": "\N{REPLACEMENT CHARACTER}[31m[red]"' in shown
    assert entry["id"] not in running.call("inbox", "--not-refused").stdout
    assert json.loads(running.call("status", "--json").stdout)["attention"] == before


def test_a_filter_that_nothing_fits_does_not_say_that_the_inbox_is_empty(running):
    assert running.call("inbox", "--code", "no-such-code").stdout == "no entry fits\n"
    refused = running.call("inbox", "--outcome", "bad_sigature")
    assert (refused.returncode, 'did you mean "bad_signature"?' in refused.stderr) == (2, True)


def test_ping_reaches_an_endpoint_past_the_queue(running):
    result = running.run("ping", "cms", "--json")
    assert json.loads(result.stdout)["taken"] is True
    unknown = running.call("ping", "nope")
    assert (unknown.returncode, "known: alerting, cms, workflow" in unknown.stderr) == (1, False)
    assert "there is no endpoint nope" in unknown.stderr


@pytest.mark.parametrize(
    "arguments",
    [("events", "evt_0"), ("deliveries", "dlv_0_0"), ("redeliver", "dlv_0_0"), ("pause", "x/y")],
)
def test_what_is_not_there_exits_1_with_one_line(running, arguments):
    result = running.call(*arguments)
    assert result.returncode == 1
    assert result.stderr.startswith("gateway: ")
    assert len(result.stderr.splitlines()) == 1


def test_dead_letters_are_listed_and_exit_1(running):
    assert (running.call("dead").returncode, running.call("dead").stdout) == (
        0,
        "no dead letters\n",
    )


def test_changes_are_sought_by_what_was_changed_and_until_when(running):
    for name in ("cms", "workflow"):
        running.call("pause", name)
        running.call("resume", name)
    found = json.loads(running.call("audit", "--object", "cms", "--json").stdout)["items"]
    assert {each["object"] for each in found} == {"cms"}
    assert running.call("audit", "--until", "1h").stdout == "no such changes\n"


def test_a_second_gateway_on_the_same_database_exits_75(running):
    result = running.call("serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    assert result.returncode == 75
    assert f"in use by process {running.pid}" in result.stderr


def test_piped_tables_have_no_colours(running):
    sent(running)
    assert "\x1b" not in running.run("events").stdout


def test_without_a_gateway_the_cure_is_named(tmp_path):
    result = GatewayProcess(tmp_path).call("status")
    assert result.returncode == 2
    assert "start one with `gateway serve`" in result.stderr


def test_a_gateway_that_does_not_answer_exits_75(tmp_path):
    result = GatewayProcess(tmp_path).call("status", "--gateway", "http://127.0.0.1:1")
    assert result.returncode == 75


def test_an_unknown_command_exits_2(tmp_path):
    assert GatewayProcess(tmp_path).run("srve").returncode == 2


def test_a_bad_configuration_at_start_exits_78(tmp_path):
    (tmp_path / "routes.yaml").write_text("version: 1\nrotues: []\n")
    result = GatewayProcess(tmp_path).run("serve")
    assert result.returncode == 78
    assert (
        'routes.yaml:2:1: unknown-key: unknown key "rotues"; did you mean "routes"?'
        in result.stderr
    )


def test_production_refuses_to_make_secrets_up(folder):
    result = GatewayProcess(folder).call("serve", "--production")
    assert result.returncode == 78
    assert "the environment variable GETTY_WEBHOOK_SECRET is not set" in result.stderr
    assert not (folder / "data" / "development-secrets.json").exists()


def test_a_sample_receiver_is_refused_in_production(tmp_path):
    (tmp_path / "routes.yaml").write_text("version: 1\n")
    result = GatewayProcess(tmp_path).call(
        "serve", "--production", "--sample-receiver", "127.0.0.1:0"
    )
    assert (result.returncode, "sample-receiver" in result.stderr) == (78, True)


def test_a_database_that_cannot_be_made_is_not_worth_trying_again(folder):
    (folder / "file").write_text("")
    result = GatewayProcess(folder).call("serve", "--database", "file/gateway.db")
    assert (result.returncode, "Traceback" in result.stderr) == (78, False)
    assert "--database" in result.stderr


def test_a_whole_number_beyond_64_bits_is_printed_as_it_came(running):
    (running.folder / "large.json").write_text(
        '{"type": "a.b", "data": {"n": 1180591620717411303425}}'
    )
    event = re.search(r"evt_\w+", running.call("send", "large.json").stdout)[0]
    assert '"n":1180591620717411303425' in running.call("events", event, "--json").stdout
