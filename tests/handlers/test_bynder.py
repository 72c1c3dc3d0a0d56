"""Bynder: rights written to its assets, and uses of them reported once."""

from urllib.parse import parse_qs

import pytest

from gateway.core.model import Accepted, Hopeless, Refused, Skipped
from handlers.bynder import report_usage, update_asset, withdraw_usage
from tests.handlers.conftest import an_expiring_licence

PORTAL = "https://example.bynder.com"
MEDIA = f"{PORTAL}/api/v4/media/A1-B2/"
USAGE = f"{PORTAL}/api/media/usage"
PAGE = "https://www.example.com/story-1/"
USE = {"integration_id": "gw", "asset_id": "A1-B2", "uri": PAGE}
PLACES = [
    {"system": "bynder", "ref": "A1-B2"},
    {"system": "wordpress", "ref": "post/5", "url": PAGE},
    {"system": "plone", "ref": "no/url"},
]


def used(*places):
    asset = {"id": "847116840", "copyright": "pascal kiszon"}
    return an_expiring_licence("asset.published", placements=list(places or PLACES), asset=asset)


def form(asked) -> dict[str, str]:
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    return {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}


async def test_rights_are_written_to_the_asset_each_time_alike(run, vendor):
    vendor.answers("POST", MEDIA, 202, json={}, repeat=True)
    for _ in range(2):
        outcome = await run(update_asset, used(), PORTAL, properties={"M1": "2026-12-31"})
        assert isinstance(outcome, Accepted)
    first, second = map(form, vendor.asked)
    assert first == second == {"copyright": "pascal kiszon", "metaproperty.M1": "2026-12-31"}


async def test_an_asset_that_bynder_does_not_have_is_left_out(run, vendor):
    vendor.answers("POST", MEDIA, 404, json={"message": "Not found"})
    assert isinstance(await run(update_asset, used(), PORTAL), Skipped)
    assert isinstance(await run(update_asset, used(PLACES[1]), PORTAL), Skipped)


async def test_what_bynder_calls_wrong_is_dead_at_once(run, vendor):
    vendor.answers("POST", MEDIA, 400, json={"message": "metaproperty M1 is unknown"})
    outcome = await run(update_asset, used(), PORTAL, properties={"M1": "x"})
    assert outcome == Hopeless("Bynder answers 400: metaproperty M1 is unknown")


@pytest.mark.parametrize(("status", "wait"), [(429, "300"), (401, None), (500, None), (503, None)])
async def test_what_may_pass_is_retried_and_after_429_not_for_five_minutes(
    run, vendor, status, wait
):
    vendor.answers("POST", MEDIA, status, json={})
    outcome = await run(update_asset, used(), PORTAL)
    assert isinstance(outcome, Refused)
    assert outcome.response.headers.get("retry-after") == wait


async def test_a_use_is_reported_once(run, vendor):
    vendor.answers("GET", USAGE, json=[], query=USE)
    vendor.answers("POST", USAGE, 201, json={})
    event = used()
    assert isinstance(await run(report_usage, event, PORTAL, integration_id="gw"), Accepted)
    summary = "asset.published: license/lic_1, 14 days left"
    reported = {**USE, "timestamp": event.time, "additional": summary}
    assert form(vendor.asked[-1]) == reported
    vendor.answers("GET", USAGE, json=[{"id": "1", **USE}], query=USE)
    assert isinstance(await run(report_usage, event, PORTAL, integration_id="gw"), Skipped)


@pytest.mark.parametrize(("status", "kind"), [(204, Accepted), (404, Skipped), (503, Refused)])
async def test_a_use_is_withdrawn(run, vendor, status, kind):
    vendor.answers("DELETE", USAGE, status, query=USE)
    outcome = await run(withdraw_usage, used(), PORTAL, integration_id="gw")
    assert isinstance(outcome, kind)
