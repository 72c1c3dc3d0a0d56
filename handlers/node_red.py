"""Ask a flow of Node-RED for a decision: a signed post, which carries where the answer is wanted.

    approvals:
      url: https://flows.example.com/approvals
      sign: {secrets: [{file: secrets/approvals}]}
      handler: handlers.node_red:request_decision

A route says where the flow posts its decision to: a source of this gateway, as the flow reaches it.
Without it, the event's own `callback_url` is handed on:

    to: [{endpoint: approvals, with: {callback_url: "https://gateway.example.com/in/approvals"}}]

The post is signed as Standard Webhooks say, so that the flow knows who asks; its `webhook-id` is the
same each time that it is made, and a flow that remembers those asks a person once.

https://nodered.org/docs/user-guide/nodes#http-in
https://www.standardwebhooks.com/
"""

from gateway import Endpoint, Event, Response, Undeliverable
from handlers.answers import FINAL, Api
from handlers.lookup import at
from handlers.rights import about
from handlers.wording import summary

API = Api(vendor="Node-RED", final=FINAL - {404})  # 404: the flow is being deployed


async def request_decision(
    event: Event, endpoint: Endpoint, *, callback_url: str | None = None
) -> Response:
    """Post what is to be decided, and where to."""
    url = callback_url or at(event.data, "callback_url")
    if not url:
        raise Undeliverable(f"neither the route nor {event.id} has a `callback_url`")
    question = {
        "request_id": at(event.data, "request_id") or event.id,
        "type": event.type,
        "subject": about(event),
        "time": event.time,
        "summary": summary(event),
        "callback_url": url,
        "data": event.data,
    }
    return API.expect(await endpoint.post(json=question))
