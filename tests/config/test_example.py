"""The routes file at the top of the repository."""

from pathlib import Path

import orjson
import pytest

from gateway.catalogue import catalogue_types, sample
from gateway.config.settings import Settings
from gateway.core.model import event_id
from gateway.core.verifying import Inbound, Sending
from gateway.explaining import explained
from gateway.flows.reading import read
from gateway.loading import check

ROOT = Path(__file__).parents[2]
NOW = 1_795_000_000_000_000


@pytest.fixture
def routes(tmp_path):
    settings = Settings(routes=ROOT / "routes.yaml", database=tmp_path / "gateway.db")
    checked = check(settings, {}, keep=False)
    assert [str(problem) for problem in checked.problems] == []
    return checked.routes


def targets(routes, event) -> dict[str, list[str]]:
    result = explained(routes, "getty", orjson.dumps(event), {}, NOW)
    (explanation,) = result["events"]
    return {
        route["name"]: [target["endpoint"] for target in route["to"]]
        for route in explanation["routes"]
        if route["fires"]
    }


@pytest.mark.parametrize(
    ("event_type", "expected"),
    [
        ("license.expiring", {"licence-expiring": ["cms", "workflow", "alerting"]}),
        ("asset.updated", {"asset-changed": ["cms"]}),
        ("terms.changed", {"terms-tightened": ["workflow", "alerting"]}),
    ],
)
def test_it_routes_all_three_families(routes, event_type, expected):
    assert event_type in catalogue_types()
    assert targets(routes, sample(event_type, NOW)) == expected


def test_a_licence_with_a_month_to_go_disturbs_nobody(routes):
    event = sample("license.expiring", NOW)
    event["data"]["days_left"] = 30
    assert targets(routes, event) == {}


def test_loosened_terms_disturb_nobody(routes):
    event = sample("terms.changed", NOW)
    event["data"]["severity"] = "loosened"
    assert targets(routes, event) == {}


def test_the_dam_is_read_by_its_mapping(routes):
    body = orjson.dumps({"asset": {"id": "847116840"}, "changed_at": "2026-11-20T09:14:03Z"})
    source = routes.sources["dam"]
    headers = {n.encode(): v.encode() for n, v in source.verifier.sign(Sending(body, NOW)).items()}
    request = Inbound("POST", {**headers, b"x-dam-delivery": b"d-1"}, frozenset(), body, NOW)
    assert source.verifier.verify(
        Inbound("POST", {k.lower(): v for k, v in request.headers.items()}, frozenset(), body, NOW)
    ).ok
    (event,) = read(source, request, None, lambda: event_id(NOW, 1)).events
    assert (event.id, event.type, event.subject) == ("d-1", "asset.updated", "asset/847116840")
    assert event.data == {"asset": {"id": "847116840"}, "lifecycle": "update"}
