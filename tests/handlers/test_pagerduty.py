"""PagerDuty: triggered once, resolved by what mends it."""

import pytest

from gateway.core.model import Accepted, Hopeless, Refused
from handlers.pagerduty import resolve_incident, trigger_incident
from tests.handlers.conftest import an_expiring_licence
from tests.kit.build import an_event

EVENTS = "https://events.pagerduty.com/v2/enqueue"
SECRETS = {"routing_key": "r" * 32}
TAKEN = {"status": "success", "message": "Event processed", "dedup_key": "…"}


async def test_an_incident_is_triggered_again_and_resolved_by_one_key(run, vendor):
    vendor.answers("POST", EVENTS, 202, json=TAKEN, repeat=True)
    for handler, event in (
        (trigger_incident, an_expiring_licence()),
        (trigger_incident, an_expiring_licence("license.expired", days_left=0)),
        (resolve_incident, an_expiring_licence("license.renewed", days_left=None)),
    ):
        assert isinstance(await run(handler, event, EVENTS, secrets=SECRETS), Accepted)
    first, again, resolve = vendor.bodies
    assert first["dedup_key"] == again["dedup_key"] == "rights-gateway:license/lic_1"
    assert (first["payload"]["severity"], again["payload"]["severity"]) == ("warning", "critical")
    assert resolve == {
        "routing_key": "r" * 32,
        "dedup_key": "rights-gateway:license/lic_1",
        "event_action": "resolve",
    }


@pytest.mark.parametrize(
    ("days", "severity"),
    [(60, "info"), (30, "warning"), (7, "error"), (1, "critical"), (0, "critical"), (None, "warning")],
)  # fmt: skip
async def test_the_fewer_days_are_left_the_worse_it_is(run, vendor, days, severity):
    vendor.answers("POST", EVENTS, 202, json=TAKEN)
    await run(trigger_incident, an_expiring_licence(days_left=days), EVENTS, secrets=SECRETS)
    assert vendor.bodies[0]["payload"]["severity"] == severity


async def test_what_is_too_long_for_pagerduty_is_cut(run, vendor):
    vendor.answers("POST", EVENTS, 202, json=TAKEN)
    event = an_event(subject="s" * 2000)
    await run(trigger_incident, event, EVENTS, secrets=SECRETS)
    (body,) = vendor.bodies
    assert (len(body["dedup_key"]), len(body["payload"]["summary"])) == (255, 1024)


async def test_what_pagerduty_calls_wrong_is_dead_at_once(run, vendor):
    told = {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"],
    }
    vendor.answers("POST", EVENTS, 400, json=told)
    outcome = await run(trigger_incident, an_expiring_licence(), EVENTS, secrets=SECRETS)
    assert outcome == Hopeless(
        "PagerDuty answers 400 invalid event: "
        "Length of 'routing_key' is incorrect (should be 32 characters)"
    )


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_retried(run, vendor, status):
    vendor.answers("POST", EVENTS, status, json={})
    outcome = await run(trigger_incident, an_expiring_licence(), EVENTS, secrets=SECRETS)
    assert isinstance(outcome, Refused)


async def test_without_its_key_nothing_is_sent(run, vendor):
    outcome = await run(trigger_incident, an_expiring_licence(), EVENTS)
    assert isinstance(outcome, Hopeless)
    assert "routing_key" in outcome.reason
