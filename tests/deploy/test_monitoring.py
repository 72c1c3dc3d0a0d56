"""What watches a gateway speaks of metrics that there are, and its alerts fire when they have to."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import aiohttp
import pytest
import yaml

from gateway.testing import Gateway
from tests.faults.machine import needs

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yaml"
DASHBOARD = json.loads((ROOT / "deploy/grafana/gateway.json").read_text())
PAGE = (ROOT / "docs/monitoring.md").read_text()
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
SHOWN = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
OF_NODES = {
    "gateway_nodes",
    "gateway_nodes_lost",
    "gateway_nodes_differ",
    "gateway_node_clock_ahead_seconds",
}
"""Those that only a gateway on PostgreSQL has."""
IN_TIME = {
    "gateway_database_bytes",
    "gateway_deliveries_late_total",
    "gateway_deliveries_corrupt_total",
}
"""Those that are there once the store was measured, or something of the kind has happened."""

ROUTES = """
version: 1
sources:
  open: {verify: none, rate: 100/s, event: {type: asset.updated}}
endpoints:
  cms: {url: "https://cms.example/hook", sign: none}
routes:
  - {name: all, match: {type: [asset.updated]}, to: [cms]}
"""


def promtool(*arguments):
    needs("promtool", there=shutil.which("promtool") is not None)
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def names_in(text):
    return set(re.findall(r"\bgateway_[a-z_]+", text))


@pytest.fixture
async def exposed(tmp_path):
    """The names of all metrics of a gateway that has delivered, as PromQL knows them."""
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES)
    async with Gateway(routes) as gateway:
        await gateway.post("open", b"{}", {"content-type": "application/json"})
        await gateway.settled()
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{gateway.service.admin_url}/metrics") as answer,
        ):
            text = await answer.text()
    return set(re.findall(r"^(gateway_[a-z_]+)", text, re.MULTILINE))


def test_alerts_fire_when_they_have_to():
    promtool("check", "rules", ALERTS)
    promtool("test", "rules", ALERTS.with_name("alerts_test.yaml"))


def test_what_the_dashboard_asks_is_promql(tmp_path):
    asked = [
        {
            "record": f"panel:{number}",
            "expr": expr.replace("$__rate_interval", "5m").replace("$endpoint", ".*"),
        }
        for number, expr in enumerate(SHOWN)
    ]
    rules = tmp_path / "dashboard.yaml"
    rules.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": asked}]}))
    promtool("check", "rules", rules)


async def test_alerts_and_the_dashboard_ask_for_what_there_is(exposed):
    asked = names_in(" ".join([*SHOWN, *(rule["expr"] for rule in RULES)]))
    assert asked - exposed - OF_NODES - IN_TIME == set()


async def test_every_metric_is_documented(exposed):
    histograms = {name.removesuffix("_bucket") for name in exposed if name.endswith("_bucket")}
    plain = {n for n in exposed if not any(n.startswith(f"{h}_") for h in histograms)} | histograms
    assert plain | OF_NODES | IN_TIME <= names_in(PAGE)


def test_every_alert_says_what_to_do():
    told = re.findall(r"^\| `(Gateway\w+)` \|", PAGE, re.MULTILINE)
    assert told == [rule["alert"] for rule in RULES]


def test_no_two_panels_lie_on_each_other():
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for p in places
        for x in range(p["x"], p["x"] + p["w"])
        for y in range(p["y"], p["y"] + p["h"])
    ]
    assert len(cells) == len(set(cells))
