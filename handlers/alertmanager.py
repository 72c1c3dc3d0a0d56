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

from gateway import Endpoint, Event, Response
from handlers.answers import Api
from handlers.rights import about, ends_at
from handlers.wording import facts, severity, summary

API = Api(vendor="Alertmanager")
SEVERITIES = ("critical", "error", "warning", "info")
AT_LEAST = timedelta(days=7)


async def raise_alert(event: Event, endpoint: Endpoint) -> Response:
    """Raise an alert; it resolves by itself when the licence ends, but not within a week.

    Without an end, Alertmanager would resolve it after five minutes.
    """
    now = severity(event)
    raised = {**_alert(event, now, _last_day(event)), "startsAt": event.time}
    others = [_alert(event, each, event.time) for each in SEVERITIES if each != now]
    return API.expect(await endpoint.post("/api/v2/alerts", json=[raised, *others]))


async def resolve_alert(event: Event, endpoint: Endpoint) -> Response:
    """Resolve what was raised about the same subject: the same labels, with an end that has passed."""
    alerts = [_alert(event, each, event.time) for each in SEVERITIES]
    return API.expect(await endpoint.post("/api/v2/alerts", json=alerts))


def _alert(event: Event, how_bad: str, ends: str) -> dict[str, object]:
    """An alert. One that was never raised and has ended is told to nobody."""
    labels = {
        "alertname": "ImageRights",
        "service": "rights-gateway",
        "subject": about(event),
        "severity": how_bad,
    }
    told = {label.lower().replace(" ", "_"): text for label, text in facts(event).items()}
    annotations = {**told, "summary": summary(event), "type": event.type}
    return {"labels": labels, "annotations": annotations, "endsAt": ends}


def _last_day(event: Event) -> str:
    last = datetime.fromisoformat(event.time).astimezone(UTC) + AT_LEAST
    return max(last, ends_at(event) or last).isoformat()
