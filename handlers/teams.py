"""Tell a channel of Microsoft Teams what has happened, by a workflow ("when a webhook request is received").

    alerting:
      url: {env: TEAMS_WORKFLOW_URL}          # https://….api.powerplatform.com/…&sig=…: whoever knows it may post
      handler: handlers.teams:notify

A route may add a button:

    to: [{endpoint: alerting, with: {link: "https://dam.example.com/${event.data.asset.id}"}}]

A workflow knows no alerts: nothing is resolved or said once only. 202 says that the workflow runs, not
that the card was posted: that stands in the history of its runs.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
https://adaptivecards.io/explorer/
"""

from gateway import Endpoint, Event, Response
from handlers.answers import Api
from handlers.wording import facts, severity, summary

API = Api(vendor="Teams", code="error.code", message="error.message")
COLORS = {"critical": "Attention", "error": "Attention", "warning": "Warning", "info": "Default"}
LONGEST_FACT = 1000
"""A card of more than 28 KB is not posted."""


async def notify(event: Event, endpoint: Endpoint, *, link: str = "") -> Response:
    """Post a card with the summary and the facts of the event."""
    found = {label: text[:LONGEST_FACT] for label, text in facts(event).items()}
    title = {
        "type": "TextBlock",
        "text": summary(event)[:LONGEST_FACT],
        "weight": "Bolder",
        "color": COLORS[severity(event)],
        "wrap": True,
    }
    table = {"type": "FactSet", "facts": [{"title": t, "value": v} for t, v in found.items()]}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "full"},
        "body": [title, table],
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": link}] if link else [],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return API.expect(await endpoint.post(json={"type": "message", "attachments": [attachment]}))
