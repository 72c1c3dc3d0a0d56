"""Raise and resolve alerts, in Prometheus Alertmanager and in PagerDuty.

    alerting:
      url: https://alertmanager.example.com
      sign: none
      handler: handlers.alerting:raise_alert          # and resolve_alert, on an endpoint of its own

    pager:
      url: https://events.pagerduty.com/v2/enqueue
      secrets: {routing_key: {env: PAGERDUTY_ROUTING_KEY}}
      handler: handlers.alerting:trigger_incident     # and resolve_incident

Both know an alert by labels or a `dedup_key`, made of the event's subject here: to raise it again
changes nothing, and what a licence's end raised is resolved when it is renewed.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
"""

from datetime import datetime, timedelta

from gateway import Endpoint, Event, Response, Undeliverable

AT_LEAST = timedelta(days=7)
CRITICAL = frozenset({"license.expired", "license.revoked", "usage.violation"})


async def raise_alert(event: Event, endpoint: Endpoint) -> Response:
    """Raise an alert; it resolves by itself when the licence ends, but not within a week.

    Without an end, Alertmanager would resolve it after five minutes.
    """
    alert = {
        "labels": _labels(event),
        "annotations": _annotations(event),
        "startsAt": event.time,
        "endsAt": _ends_at(event),
    }
    return await endpoint.post("/api/v2/alerts", json=[alert])


async def resolve_alert(event: Event, endpoint: Endpoint) -> Response:
    """Resolve what was raised about the same subject: the same labels, with an end that has passed."""
    alert = {"labels": _labels(event), "annotations": _annotations(event), "endsAt": event.time}
    return await endpoint.post("/api/v2/alerts", json=[alert])


async def trigger_incident(event: Event, endpoint: Endpoint) -> Response:
    """Open an incident, or add to the one that is open about the subject."""
    payload = {
        "summary": _summary(event)[:1024],
        "source": event.source,
        "severity": "critical" if event.type in CRITICAL else "warning",
        "timestamp": event.time,
        "class": event.type,
        "custom_details": event.data,
    }
    return await _enqueue(event, endpoint, "trigger", payload)


async def resolve_incident(event: Event, endpoint: Endpoint) -> Response:
    """Resolve the incident about the subject, if one is open."""
    return await _enqueue(event, endpoint, "resolve", None)


async def _enqueue(
    event: Event, endpoint: Endpoint, action: str, payload: dict[str, object] | None
) -> Response:
    key, dedup_key = endpoint.secret("routing_key"), f"rights-gateway:{_about(event)}"[:255]
    body = {"routing_key": key, "event_action": action, "dedup_key": dedup_key}
    answer = await endpoint.post(json=body if payload is None else {**body, "payload": payload})
    if answer.status == 400:  # PagerDuty says that the body is wrong: no retry mends that
        raise Undeliverable(f"PagerDuty refuses the event: {answer.text[:500]}")
    return answer


def _about(event: Event) -> str:
    return event.subject or event.id


def _ends_at(event: Event) -> str:
    raised_at = datetime.fromisoformat(event.time)
    expires_at = (event.data.get("license") or {}).get("expires_at")
    ends_at = raised_at + AT_LEAST
    return max(ends_at, datetime.fromisoformat(expires_at) if expires_at else ends_at).isoformat()


def _labels(event: Event) -> dict[str, str]:
    return {"alertname": "ImageRights", "subject": _about(event), "service": "rights-gateway"}


def _annotations(event: Event) -> dict[str, str]:
    return {"summary": _summary(event), "type": event.type}


def _summary(event: Event) -> str:
    days = event.data.get("days_left")
    left = f", {days} days left" if days is not None else ""
    return f"{event.type}: {_about(event)}{left}"
