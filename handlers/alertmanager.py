"""Raise and resolve alerts in Prometheus Alertmanager.

    alerting:
      url: https://alertmanager.example.com
      handler: handlers.alertmanager:raise_alert          # and resolve_alert, on an endpoint of its own

Alertmanager knows an alert by its labels, which are made of the event's subject and of how bad it is:
to raise it again changes nothing, and what a licence's end raised is resolved when it is renewed. As
fewer days are left an alert gets worse: it is raised anew, and the milder one resolved with it.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from gateway import Endpoint, Event, Response, Skip
from handlers.answers import Api
from handlers.rights import about, ends_at
from handlers.wording import facts, severity, summary

API = Api(vendor="Alertmanager")
ALERTS = "/api/v2/alerts"
AT_LEAST = timedelta(days=7)


async def raise_alert(event: Event, endpoint: Endpoint) -> Response:
    """Raise an alert; it resolves by itself when the licence ends, but not within a week.

    Without an end, Alertmanager would resolve it after five minutes.
    """
    labels = {**_labels(event), "severity": severity(event)}
    milder_or_worse = [each for each in await _raised(event, endpoint) if each != labels]
    raised = {**_alert(event, labels, _last_day(event)), "startsAt": event.time}
    ended = [_alert(event, each, event.time) for each in milder_or_worse]
    return API.expect(await endpoint.post(ALERTS, json=[raised, *ended]))


async def resolve_alert(event: Event, endpoint: Endpoint) -> Response:
    """Resolve what was raised about the same subject: the same labels, with an end that has passed."""
    alerts = [_alert(event, each, event.time) for each in await _raised(event, endpoint)]
    if not alerts:
        raise Skip(f"no alert about {about(event)} is raised")
    return API.expect(await endpoint.post(ALERTS, json=alerts))


async def _raised(event: Event, endpoint: Endpoint) -> list[dict[str, str]]:
    """The labels of what is raised about the event's subject."""
    filters = urlencode([("filter", f"{n}={_quoted(text)}") for n, text in _labels(event).items()])
    return [each["labels"] for each in API.expect(await endpoint.get(f"{ALERTS}?{filters}")).json()]


def _labels(event: Event) -> dict[str, str]:
    return {"alertname": "ImageRights", "service": "rights-gateway", "subject": about(event)}


def _alert(event: Event, labels: dict[str, str], ends: str) -> dict[str, object]:
    told = {label.lower().replace(" ", "_"): text for label, text in facts(event).items()}
    annotations = {**told, "summary": summary(event), "type": event.type}
    return {"labels": labels, "annotations": annotations, "endsAt": ends}


def _last_day(event: Event) -> str:
    last = datetime.fromisoformat(event.time).astimezone(UTC) + AT_LEAST
    return max(last, ends_at(event) or last).isoformat()


def _quoted(text: str) -> str:
    """A text as a matcher of Alertmanager's has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
