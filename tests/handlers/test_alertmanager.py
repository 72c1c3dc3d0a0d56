"""Alertmanager: raised once, worse as time runs out, resolved by what mends it."""

from datetime import UTC, datetime

import pytest

from gateway.core.model import Accepted, Hopeless, Refused
from handlers.alertmanager import raise_alert, resolve_alert
from tests.handlers.conftest import an_expiring_licence
from tests.kit.build import an_event

SITE = "https://alertmanager.example.com"
ALERTS = f"{SITE}/api/v2/alerts"


def firing(alerts, at: str) -> list[dict[str, str]]:
    """The labels of those that have not ended by then."""
    now = datetime.fromisoformat(at)
    return [each["labels"] for each in alerts if datetime.fromisoformat(each["endsAt"]) > now]


async def test_an_alert_ends_with_the_licence(run, vendor):
    vendor.answers("POST", ALERTS)
    event = an_expiring_licence()
    assert isinstance(await run(raise_alert, event, SITE), Accepted)
    (alerts,) = vendor.bodies
    (labels,) = firing(alerts, event.time)
    assert labels == {
        "alertname": "ImageRights",
        "service": "rights-gateway",
        "subject": "license/lic_1",
        "severity": "warning",
    }
    assert alerts[0]["endsAt"] == "2026-12-31T23:59:59+00:00"
    assert "14 days left" in alerts[0]["annotations"]["summary"]
    assert alerts[0]["annotations"]["days_left"] == "14"


async def test_an_alert_about_what_has_ended_lasts_a_week(run, vendor):
    vendor.answers("POST", ALERTS, repeat=True)
    ended = an_event(
        event_type="license.expired", data={"license": {"expires_at": "2026-11-01T00:00:00"}}
    )
    for event in (ended, an_event(data={})):
        await run(raise_alert, event, SITE)
    week = datetime(2026, 11, 25, 11, 6, 40, tzinfo=UTC).isoformat()
    assert [alerts[0]["endsAt"] for alerts in vendor.bodies] == [week, week]


async def test_raised_again_it_is_the_same_alert(run, vendor):
    vendor.answers("POST", ALERTS, repeat=True)
    event = an_expiring_licence()
    for _ in range(2):
        await run(raise_alert, event, SITE)
    assert vendor.bodies[0] == vendor.bodies[1]


async def test_what_gets_worse_is_raised_anew_and_the_milder_one_resolved(run, vendor):
    vendor.answers("POST", ALERTS, repeat=True)
    for event in (an_expiring_licence(), an_expiring_licence(days_left=5)):
        await run(raise_alert, event, SITE)
    first, second = vendor.bodies
    (milder,), (worse,) = firing(first, event.time), firing(second, event.time)
    assert (milder["severity"], worse["severity"]) == ("warning", "error")
    assert milder in [each["labels"] for each in second]


async def test_a_renewal_resolves_what_the_end_raised(run, vendor):
    vendor.answers("POST", ALERTS, repeat=True)
    await run(raise_alert, an_expiring_licence(), SITE)
    renewed = an_expiring_licence("license.renewed", days_left=None)
    assert isinstance(await run(resolve_alert, renewed, SITE), Accepted)
    raised, resolved = vendor.bodies
    assert firing(raised, renewed.time)[0] in [each["labels"] for each in resolved]
    assert firing(resolved, renewed.time) == []


@pytest.mark.parametrize("body", ["bad labels", {"code": 601, "message": "bad labels"}])
async def test_what_alertmanager_calls_wrong_is_dead_at_once(run, vendor, body):
    vendor.answers("POST", ALERTS, 400, json=body)
    outcome = await run(raise_alert, an_expiring_licence(), SITE)
    assert isinstance(outcome, Hopeless)
    assert "bad labels" in outcome.reason


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_retried(run, vendor, status):
    vendor.answers("POST", ALERTS, status)
    assert isinstance(await run(raise_alert, an_expiring_licence(), SITE), Refused)
