"""Trigger and resolve incidents in PagerDuty.

    pager:
      url: https://events.pagerduty.com/v2/enqueue          # events.eu.pagerduty.com for accounts in the EU
      secrets: {routing_key: {env: PAGERDUTY_ROUTING_KEY}}
      handler: handlers.pagerduty:trigger_incident          # and resolve_incident, on an endpoint of its own

An incident is known by a `dedup_key` that is made of the event's subject: to trigger an open one again
changes nothing, and what a licence's end triggered is resolved when it is renewed.

https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
"""

from gateway import Endpoint, Event, Response
from handlers.answers import Api
from handlers.rights import about
from handlers.wording import severity, summary

API = Api(vendor="PagerDuty", code="status", message="errors.0")
LONGEST_SUMMARY, LONGEST_KEY = 1024, 255


async def trigger_incident(event: Event, endpoint: Endpoint) -> Response:
    """Open an incident, or add to the one that is open about the subject."""
    payload = {
        "summary": summary(event)[:LONGEST_SUMMARY],
        "source": event.source,
        "severity": severity(event),
        "timestamp": event.time,
        "class": event.type,
        "custom_details": event.data,
    }
    return await _enqueue(event, endpoint, {"event_action": "trigger", "payload": payload})


async def resolve_incident(event: Event, endpoint: Endpoint) -> Response:
    """Resolve the incident about the subject, if one is open."""
    return await _enqueue(event, endpoint, {"event_action": "resolve"})


async def _enqueue(event: Event, endpoint: Endpoint, action: dict[str, object]) -> Response:
    key = {
        "routing_key": endpoint.secret("routing_key"),
        "dedup_key": f"rights-gateway:{about(event)}"[:LONGEST_KEY],
    }
    return API.expect(await endpoint.post(json={**key, **action}))
