"""What is known and what is planned, from the command line."""

import json
import re
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from tests.cli.test_bulk import api
from tests.kit.process import GatewayProcess

ROUTES = """\
version: 1
sources: {open: {verify: none}}
endpoints:
  cms: {url: "http://127.0.0.1:9/", sign: none}
routes:
  - {name: keep, match: {type: license.acquired}, remember: {collection: license, key: "${event.data.id}"}}
  - name: withdrawn
    match: {type: asset.withdrawn}
    known:
      license: ${event.data.license}
      all: {collection: license, where: {asset_id: "${event.data.asset_id}"}}
    to:
      - {endpoint: cms, when: has(known.license), each: "${known.all}", call: {path: "/${item.id}"}}
  - name: review
    match: {type: license.requested}
    to: [{endpoint: cms, call: {json: "${callback}"}}]
    await:
      key: ${event.data.id}
      answers: {approve: license.approved, reject: license.rejected}
      within: 2d
      else: license.rejected
schedules:
  expiry:
    match: {type: license.acquired}
    key: ${event.data.id}
    at: ${event.data.expires_at}
    before: [30d, 1d]
    emit: {type: license.expiring, data: {days_left: "${plan.days}"}}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A gateway that has taken a licence."""
    folder = tmp_path_factory.mktemp("register")
    (folder / "routes.yaml").write_text(ROUTES)
    gateway = GatewayProcess(folder).start()
    event = folder / "licence.json"
    data = {"id": "lic_1", "asset_id": "a1", "expires_at": "2099-12-31T00:00:00Z"}
    event.write_text(json.dumps({"type": "license.acquired", "data": data}))
    told = gateway.call("send", "--source", "open", str(event))
    assert told.returncode == 0, told.stderr
    yield gateway
    gateway.stop()


def ask(running, *words: str):
    return running.call(*words)


def test_what_is_known_is_found_copied_and_told_again(running, tmp_path):
    assert "license" in ask(running, "register").stdout
    (entry,) = json.loads(
        ask(running, "register", "find", "license", "--where", "asset_id=a1", "--json").stdout
    )["items"]
    assert entry["value"]["id"] == "lic_1"
    assert (
        "nothing of license fits"
        in ask(running, "register", "find", "license", "--where", "asset_id=a2").stdout
    )
    assert (
        "nothing is known of licence; the register has: license"
        in ask(running, "register", "find", "licence").stdout
    )
    assert '"asset_id":"a1"' in ask(running, "register", "find", "license", "lic_1").stdout
    for name in ("l.jsonl", "l.csv"):
        out = tmp_path / name
        form = out.suffix[1:]
        assert (
            ask(
                running, "register", "export", "license", "--out", str(out), "--format", form
            ).returncode
            == 0
        )
        told = ask(running, "register", "import", "copy", str(out))
        assert "1 of 1 entries were taken" in told.stdout
        (copy,) = api(running, "register/copy")["items"]
        assert (copy["key"], copy["value"], copy["as_of"]) == (
            "lic_1",
            entry["value"],
            entry["as_of"],
        )
    assert [each.name for each in tmp_path.glob("*.part")] == []


def test_a_sheet_has_the_fields_in_its_columns(running, tmp_path):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("key,asset_id,as_of\nl1,a1,\nl2,a2,2020-01-01T00:00:00Z\n")
    assert "2 of 2" in ask(running, "register", "import", "sheet", str(sheet)).stdout
    sheet.write_text("key,asset_id,as_of\nl1,old,2020-01-01T00:00:00Z\n")
    assert (
        "of 1 something newer is known"
        in ask(running, "register", "import", "sheet", str(sheet)).stdout
    )
    assert [e["value"]["asset_id"] for e in api(running, "register/sheet")["items"]] == ["a1", "a2"]


def test_a_sheet_of_a_spreadsheet_is_read_and_what_is_not_yet_so_is_so_from_now_on(
    running, tmp_path
):
    sheet = tmp_path / "excel.csv"
    sheet.write_text("key,asset_id,as_of\nl1,a1,2099-01-01T00:00:00Z\n", encoding="utf-8-sig")
    assert "1 of 1" in ask(running, "register", "import", "excel", str(sheet)).stdout
    (entry,) = api(running, "register/excel")["items"]
    assert entry["value"]["asset_id"] == "a1"
    assert entry["as_of"] < "2099"


@pytest.mark.parametrize("line", ["{", '{"value": 1}', '{"key": 1, "value": 1}', "[]"])
def test_a_line_that_is_no_entry_is_named(running, tmp_path, line):
    file = tmp_path / "bad.jsonl"
    file.write_text(f'{{"key": "a", "value": 1}}\n{line}\n')
    told = ask(running, "register", "import", "bad", str(file))
    assert told.returncode == 2
    assert "line 2 is no entry" in told.stderr


def test_what_is_planned_is_listed_and_can_be_cancelled(running):
    (first, second) = json.loads(ask(running, "planned", "--schedule", "expiry", "--json").stdout)[
        "items"
    ]
    assert (first["type"], first["key"], first["due_at"]) == (
        "license.expiring",
        "lic_1",
        "2099-12-01T00:00:00.000Z",
    )
    assert "license.expiring" in ask(running, "planned", "--key", "lic_1").stdout
    assert ask(running, "cancel", first["id"]).returncode == 0
    assert ask(running, "cancel", first["id"]).returncode != 0
    left = api(running, "plans?schedule=expiry")["items"]
    assert [each["id"] for each in left] == [second["id"]]
    assert "nothing is planned" in ask(running, "planned", "--type", "other").stdout


def test_what_was_asked_can_be_answered_once(running, tmp_path):
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"type": "license.requested", "data": {"id": "req_1"}}))
    assert ask(running, "send", "--source", "open", str(request)).returncode == 0
    listed = ask(running, "planned", "--route", "review", "--key", "req_1", "--json").stdout
    (waits,) = json.loads(listed)["items"]
    assert (waits["type"], waits["planner"]) == ("license.rejected", "awaits/review")
    shown = ask(running, "events", waits["event_id"]).stdout
    assert "awaits/review planned license.rejected" in shown
    assert f"key req_1, as {waits['id']}" in shown
    wrong = ask(running, "answer", waits["id"], "maybe")
    assert (wrong.returncode, "choose one of approve, reject" in wrong.stderr) == (2, True)
    told = ask(running, "answer", waits["id"], "approve", "--by", "ann", "--reason", "fine")
    assert told.stdout == f"{waits['id']} is answered: approve\n"
    again = ask(running, "answer", waits["id"], "reject")
    assert (again.returncode, "gateway planned" in again.stderr) == (1, True)
    assert [each["action"] for each in api(running, "audit")["items"]][:1] == ["answer"]


def test_an_explanation_knows_what_the_register_does_or_is_supposed_to(running, tmp_path):
    event = tmp_path / "withdrawn.json"
    data = {"license": "lic_1", "asset_id": "a1"}
    event.write_text(json.dumps({"type": "asset.withdrawn", "data": data}))
    words = ("explain", "--source", "open", "--event", str(event), "--json")

    def requests(*more: str) -> list[str]:
        told = json.loads(ask(running, *words, *more).stdout)
        return [each["url"] for each in told["events"][0]["requests"]]

    assert requests() == ["http://127.0.0.1:9/lic_1"]
    known = tmp_path / "known.json"
    known.write_text(
        '{"license": {"lic_1": {"asset_id": "a1", "id": "x"}, "l": {"asset_id": "b"}}}'
    )
    assert requests("--known", str(known)) == ["http://127.0.0.1:9/x"]
    known.write_text("[]")
    assert ask(running, *words, "--known", str(known)).returncode == 2


def test_without_a_gateway_the_register_counts_as_empty(tmp_path):
    (tmp_path / "routes.yaml").write_text(ROUTES)
    event = tmp_path / "withdrawn.json"
    data = {"license": "lic_1", "asset_id": "a1"}
    event.write_text(json.dumps({"type": "asset.withdrawn", "data": data}))
    words = ("explain", "--source", "open", "--event", str(event), "--json")
    alone = GatewayProcess(tmp_path).call(*words)
    assert "the register counts as empty" in alone.stderr
    assert json.loads(alone.stdout)["events"][0]["requests"] == []


def test_an_explanation_shows_links_that_nobody_can_use(running, tmp_path):
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"type": "license.requested", "data": {"id": "req_2"}}))
    told = ask(running, "send", "--source", "open", str(request)).stdout
    name = re.search(r"evt_\w+", told)[0]
    body = json.loads(ask(running, "explain", name, "--json").stdout)["events"][0]["requests"][0][
        "body"
    ]
    shown = json.loads(body)["approve"]
    assert "/callback/" in shown
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(running.url + urlsplit(shown).path)
    assert "when the answer is approve" in ask(running, "explain", name).stdout
