"""Alertmanager and PagerDuty: raised once, resolved by what mends it."""

import pytest

from gateway import Undeliverable
from handlers.alerting import raise_alert, resolve_alert, resolve_incident, trigger_incident
from tests.kit.build import an_event

ALERTMANAGER = "https://alertmanager.example.com"
ALERTS = f"{ALERTMANAGER}/api/v2/alerts"
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
SECRETS = {"routing_key": "r" * 32}


def a_licence(event_type: str = "license.expiring", expires_at: str = "2027-01-31T00:00:00Z"):
    return an_event(
        event_type=event_type,
        subject="license/1",
        data={"days_left": 14, "license": {"expires_at": expires_at}},
    )


async def test_an_alert_ends_with_the_licence(run, vendor):
    vendor.answers("POST", ALERTS)
    await run(raise_alert, a_licence(), ALERTMANAGER)
    ((_, _, (alert,)),) = vendor.asked
    assert alert["labels"]["subject"] == "license/1"
    assert alert["endsAt"] == "2027-01-31T00:00:00+00:00"
    assert "14 days left" in alert["annotations"]["summary"]


async def test_an_alert_about_what_has_ended_lasts_a_week(run, vendor):
    vendor.answers("POST", ALERTS)
    await run(raise_alert, a_licence("license.expired", "2026-11-01T00:00:00Z"), ALERTMANAGER)
    assert vendor.asked[0][2][0]["endsAt"] == "2026-11-25T11:06:40+00:00"


async def test_a_renewal_resolves_what_the_end_raised(run, vendor):
    vendor.answers("POST", ALERTS, repeat=True)
    await run(raise_alert, a_licence(), ALERTMANAGER)
    await run(resolve_alert, a_licence("license.renewed"), ALERTMANAGER)
    (raised,), (resolved,) = (body for _, _, body in vendor.asked)
    assert raised["labels"] == resolved["labels"]
    assert resolved["endsAt"] == "2026-11-18T11:06:40Z"


async def test_an_incident_is_triggered_and_resolved_by_one_key(run, vendor):
    vendor.answers("POST", PAGERDUTY, 202, json={"status": "success"}, repeat=True)
    await run(trigger_incident, a_licence("license.expired"), PAGERDUTY, secrets=SECRETS)
    await run(resolve_incident, a_licence("license.renewed"), PAGERDUTY, secrets=SECRETS)
    trigger, resolve = (body for _, _, body in vendor.asked)
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == "rights-gateway:license/1"
    assert trigger["routing_key"] == "r" * 32
    assert (trigger["payload"]["severity"], "payload" in resolve) == ("critical", False)


async def test_what_pagerduty_calls_wrong_is_dead_at_once(run, vendor):
    vendor.answers(
        "POST", PAGERDUTY, 400, json={"errors": ["Length of 'routing_key' is incorrect"]}
    )
    with pytest.raises(Undeliverable, match="routing_key"):
        await run(trigger_incident, a_licence(), PAGERDUTY, secrets=SECRETS)


@pytest.mark.parametrize("status", [429, 500])
async def test_what_may_pass_is_retried(run, vendor, status):
    vendor.answers("POST", PAGERDUTY, status, json={})
    answer = await run(trigger_incident, a_licence(), PAGERDUTY, secrets=SECRETS)
    assert answer.status == status
