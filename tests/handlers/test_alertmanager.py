"""Alertmanager: raised once, worse as time runs out, resolved by what mends it."""

from urllib.parse import urlencode

import pytest

from gateway.core.model import Accepted, Hopeless, Refused, Skipped
from handlers.alertmanager import raise_alert, resolve_alert
from tests.handlers.conftest import an_expiring_licence
from tests.kit.build import an_event

SITE = "https://alertmanager.example.com"
ALERTS = f"{SITE}/api/v2/alerts"
LABELS = {
    "alertname": "ImageRights",
    "service": "rights-gateway",
    "subject": "license/lic_1",
}
WARNING, ERROR = ({**LABELS, "severity": each} for each in ("warning", "error"))


def has_raised(vendor, *labels, subject: str = '"license/lic_1"', status: int = 200) -> None:
    filters = [
        ("filter", 'alertname="ImageRights"'),
        ("filter", 'service="rights-gateway"'),
        ("filter", f"subject={subject}"),
    ]
    raised = [{"labels": each, "status": {"state": "active"}} for each in labels]
    vendor.answers("GET", f"{ALERTS}?{urlencode(filters)}", status, json=raised)


async def test_an_alert_ends_with_the_licence(run, vendor):
    has_raised(vendor)
    vendor.answers("POST", ALERTS)
    event = an_expiring_licence()
    assert isinstance(await run(raise_alert, event, SITE), Accepted)
    ((alert,),) = vendor.bodies
    assert alert["labels"] == WARNING
    assert (alert["startsAt"], alert["endsAt"]) == (event.time, "2026-12-31T23:59:59+00:00")
    assert "14 days left" in alert["annotations"]["summary"]
    assert alert["annotations"]["days_left"] == "14"


async def test_an_alert_about_what_has_ended_lasts_a_week(run, vendor):
    vendor.answers("POST", ALERTS, repeat=True)
    ended = {"license": {"expires_at": "2026-11-01T00:00:00"}}
    for event in (an_event(event_type="license.expired", data=ended), an_event(data={})):
        has_raised(vendor, subject='"license/1"')
        await run(raise_alert, event, SITE)
    week = "2026-11-25T11:06:40+00:00"
    assert [alert["endsAt"] for (alert,) in vendor.bodies] == [week, week]


async def test_raised_again_it_is_the_same_alert(run, vendor):
    vendor.answers("POST", ALERTS, repeat=True)
    event = an_expiring_licence()
    has_raised(vendor)
    await run(raise_alert, event, SITE)
    has_raised(vendor, WARNING)
    await run(raise_alert, event, SITE)
    first, second = vendor.bodies
    assert first == second


async def test_what_gets_worse_is_raised_anew_and_the_milder_one_resolved(run, vendor):
    vendor.answers("POST", ALERTS)
    event = an_expiring_licence(days_left=5)
    has_raised(vendor, WARNING)
    await run(raise_alert, event, SITE)
    ((worse, milder),) = vendor.bodies
    assert (worse["labels"], worse["endsAt"]) == (ERROR, "2026-12-31T23:59:59+00:00")
    assert (milder["labels"], milder["endsAt"]) == (WARNING, event.time)


async def test_a_renewal_resolves_what_the_end_raised(run, vendor):
    vendor.answers("POST", ALERTS)
    renewed = an_expiring_licence("license.renewed", days_left=None)
    has_raised(vendor, ERROR)
    assert isinstance(await run(resolve_alert, renewed, SITE), Accepted)
    ((alert,),) = vendor.bodies
    assert (alert["labels"], alert["endsAt"]) == (ERROR, renewed.time)
    has_raised(vendor)
    outcome = await run(resolve_alert, renewed, SITE)
    assert outcome == Skipped("no alert about license/lic_1 is raised")


async def test_a_subject_asks_for_nothing_but_itself(run, vendor):
    has_raised(vendor, subject=r'"a\"b\\c"')
    outcome = await run(resolve_alert, an_event(subject='a"b\\c'), SITE)
    assert isinstance(outcome, Skipped)


@pytest.mark.parametrize("body", ["bad labels", {"code": 601, "message": "bad labels"}])
async def test_what_alertmanager_calls_wrong_is_dead_at_once(run, vendor, body):
    has_raised(vendor)
    vendor.answers("POST", ALERTS, 400, json=body)
    outcome = await run(raise_alert, an_expiring_licence(), SITE)
    assert isinstance(outcome, Hopeless)
    assert "bad labels" in outcome.reason


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("handler", [raise_alert, resolve_alert])
async def test_what_may_pass_is_retried(run, vendor, status, handler):
    has_raised(vendor, status=status)
    assert isinstance(await run(handler, an_expiring_licence(), SITE), Refused)
