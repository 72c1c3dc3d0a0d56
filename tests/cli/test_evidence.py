"""`gateway evidence`: a bundle of a gateway that runs, or of its database, and what is wrong with one."""

import json
import shutil

import pytest

from tests.kit.process import GatewayProcess

SUBJECT = "asset/847116840"


@pytest.fixture(scope="module")
def told(running):
    """A gateway that has told of an event about a subject."""
    event = {
        "specversion": "1.0", "id": "e-1", "source": "/me", "type": "license.expiring",
        "subject": SUBJECT, "data": {"days_left": 3, "note": "s3nsitive"},
    }  # fmt: skip
    (running.folder / "event.json").write_text(json.dumps(event))
    assert running.call("send", "event.json", "--wait").returncode == 0
    return running


def test_it_says_who_was_told_when(told):
    shown = told.run("evidence", "--subject", SUBJECT).stdout
    assert "received from getty" in shown
    assert "verified: standard-webhooks" in shown
    for endpoint in ("cms", "workflow", "alerting"):
        assert endpoint in shown
    assert "delivered" in shown


@pytest.mark.parametrize("out", ["bundle", "bundle.jsonl"])
def test_a_bundle_is_checked_without_a_gateway_and_names_the_line_that_is_wrong(
    told, tmp_path, out
):
    told.run("evidence", "--subject", SUBJECT, "--out", str(tmp_path / out))
    key = told.run("evidence", "key").stdout.strip()
    alone = GatewayProcess(tmp_path)
    good = alone.call("evidence", "verify", out, "--key", key)
    assert (good.returncode, "holds: 1 event received, 3 attempts" in good.stdout) == (0, True)
    assert "received from getty" in alone.call("evidence", "show", out).stdout
    file = tmp_path / out / "evidence.jsonl" if out == "bundle" else tmp_path / out
    assert b"s3nsitive" not in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(b'"source":"getty"', b'"source":"nobody"', 1))
    bad = alone.call("evidence", "verify", out)
    assert bad.returncode == 1
    assert "line 4: this line is not as it was made" in bad.stderr
    assert "line 4: entry 0 of link" in bad.stderr
    assert json.loads(alone.call("evidence", "verify", out, "--json").stdout)["holds"] is False
    other = "whpk_" + "A" * 43 + "="
    assert alone.call("evidence", "verify", out, "--key", other).returncode == 1
    assert alone.call("evidence", "verify", "nothing").returncode == 1


def test_a_database_that_no_gateway_serves_tells_the_same(told, tmp_path):
    told.run("backup", str(tmp_path / "copy.db"))
    shutil.copy(told.folder / "data/gateway.db.evidence-key", tmp_path / "copy.db.evidence-key")
    alone = GatewayProcess(tmp_path)
    of_copy = json.loads(
        alone.call("evidence", "--database", "copy.db", "--subject", SUBJECT, "--json").stdout
    )
    of_gateway = json.loads(told.run("evidence", "--subject", SUBJECT, "--json").stdout)
    assert of_copy["told"] == of_gateway["told"] != []
    missing = alone.call("evidence", "--database", "none.db")
    assert (missing.returncode, "no gateway serves none.db" in missing.stderr) == (2, True)
