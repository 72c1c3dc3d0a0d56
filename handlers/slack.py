"""Tell a Slack channel what has happened.

    alerting:
      url: {env: SLACK_WEBHOOK_URL}          # https://hooks.slack.com/services/…: whoever knows it may post
      handler: handlers.slack:notify

A route may add a button:

    to: [{endpoint: alerting, with: {link: "https://dam.example.com/${event.data.asset.id}"}}]

An incoming webhook knows no alerts: nothing is resolved or said once only. Where an answer was lost the
next attempt says the same again. Slack says `ok` in the body of a success, and may say 200 to a failure.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from gateway import Endpoint, Event, Response, Undeliverable
from handlers.answers import FINAL, Api
from handlers.wording import facts, severity, summary

# 403 is action_prohibited: an administrator forbids it. 404, 410: webhook or channel are gone.
API = Api(vendor="Slack", final=FINAL | {403})
ICONS = {
    "critical": ":rotating_light:",
    "error": ":red_circle:",
    "warning": ":warning:",
    "info": ":information_source:",
}
LONGEST_HEADER, LONGEST_FIELD, MOST_FIELDS = 150, 2000, 10


async def notify(event: Event, endpoint: Endpoint, *, link: str = "") -> Response:
    """Post the summary and the facts of the event."""
    header = f"{ICONS[severity(event)]} {summary(event)}"[:LONGEST_HEADER]
    blocks: list[dict[str, object]] = [
        {"type": "header", "text": {"type": "plain_text", "text": header}}
    ]
    if fields := [_field(label, text) for label, text in facts(event).items()]:
        blocks.append({"type": "section", "fields": fields[:MOST_FIELDS]})
    if link:
        open_it = {"type": "plain_text", "text": "Open"}
        button = {"type": "button", "text": open_it, "url": link}
        blocks.append({"type": "actions", "elements": [button]})
    answer = await endpoint.post(json={"text": _escaped(summary(event)), "blocks": blocks})
    if API.expect(answer).text.strip() != "ok":
        raise Undeliverable(API.told(answer))
    return answer


def _field(label: str, text: str) -> dict[str, object]:
    return {"type": "mrkdwn", "text": f"*{label}*\n{_escaped(text)}"[:LONGEST_FIELD]}


def _escaped(text: str) -> str:
    """What an event says is text: it mentions nobody and links nowhere."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
