"""A gateway whose database is encrypted, and the commands that read it."""

import json

from tests.cli.test_plan import cloudevent
from tests.kit.process import GatewayProcess

ROUTES = """\
version: 1
sources: {open: {verify: none}}
endpoints: {cms: {url: "http://127.0.0.1:9/", sign: none}}
routes: [{name: all, match: {}, to: [cms]}]
"""


def test_a_key_is_made_used_needed_and_found_by_the_other_commands(tmp_path):
    (tmp_path / "routes.yaml").write_text(ROUTES)
    gateway = GatewayProcess(tmp_path, "--encryption-key", "key")
    made = gateway.call("keys", "encryption", "--out", "key")
    assert (made.returncode, (tmp_path / "key").stat().st_mode & 0o777) == (0, 0o600)
    assert "--encryption-key key --encryption-key OLD" in made.stdout
    assert gateway.call("keys", "encryption", "--out", "key").returncode == 2
    gateway.start()
    assert gateway.call("send", "-", stdin=cloudevent("license.expired", "l/1")).returncode == 0
    event = json.loads(gateway.call("events", "--json").stdout)["items"][0]["id"]
    gateway.terminate()
    refused = gateway.call("serve")
    assert (refused.returncode, "--encryption-key" in refused.stderr) == (78, True)
    (tmp_path / "new.yaml").write_text(ROUTES.replace("match: {}", "match: {type: other}"))
    for command in (("explain", event), ("plan", "new.yaml", "--json")):
        refused = gateway.call(*command)
        assert (refused.returncode, "set GATEWAY_ENCRYPTION_KEY" in refused.stderr) == (2, True)
        assert "--encryption-key" not in refused.stderr
    gateway.environment = {"GATEWAY_ENCRYPTION_KEY": "key"}
    assert gateway.call("explain", event).returncode == 0
    planned = gateway.call("plan", "new.yaml", "--json")
    assert (planned.returncode, '"count":1,"corrupt":0' in planned.stdout) == (1, True), (
        planned.stdout
    )
