"""Events that the gateway itself makes of others.

They take the same way as any other: stored, matched, delivered. They come from the source `gateway`, which no
file can define, and carry the CloudEvents extensions `correlationid` and `causationid`
(https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/correlation.md): what it all began
with, and what this one follows from. `hopcount` counts how often the gateway has done so in a row: an event
that causes itself comes to an end.
"""

import json

from gateway.core.model import Event, EventId, Json, Micros, rfc3339

OWN_SOURCE = "gateway"
MOST_HOPS = 16
NEWS = "news"
"""The attribute of the gateway's own news (news.py), and of what follows from it: it is true."""

CONTENT_TYPE = "application/cloudevents+json"


def hops_of(event: Event) -> int:
    """How many events of the gateway's own making have led to this one."""
    hops = event.attributes.get("hopcount")
    return hops if isinstance(hops, int) and not isinstance(hops, bool) and hops > 0 else 0


def is_news(event: Event) -> bool:
    """Whether an event is news of the gateway's own, or follows from it. No sender can say so of its events."""
    return event.source == OWN_SOURCE and event.attributes.get(NEWS) is True


def derived(
    cause: Event,
    *,
    event_id: EventId,
    event_type: str,
    origin: str,
    data: Json,
    now: Micros,
    key: str,
) -> Event:
    """An event that follows from *cause*, about the same subject.

    *origin* says what in the gateway made it. There is never a second one with the same *key*.
    """
    subject = {} if cause.subject is None else {"subject": cause.subject}
    attributes: dict[str, Json] = {
        "specversion": "1.0",
        "id": event_id,
        "source": origin,
        "type": event_type,
        **subject,
        "time": rfc3339(now),
        "datacontenttype": "application/json",
        **lineage(cause),
    }
    return own_event(attributes, event_id=event_id, data=data, now=now, key=key)


def lineage(cause: Event) -> dict[str, Json]:
    """The attributes that say what an event follows from."""
    return {
        "correlationid": cause.attributes.get("correlationid", cause.id),
        "causationid": cause.id,
        "hopcount": hops_of(cause) + 1,
        **({NEWS: True} if is_news(cause) else {}),
    }


def own_event(
    attributes: dict[str, Json], *, event_id: EventId, data: Json, now: Micros, key: str
) -> Event:
    """An event of the gateway's own with these attributes."""
    head = json.dumps(attributes, ensure_ascii=False, separators=(",", ":")).encode()[:-1]
    splice = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    head += b',"data":'
    return Event(
        event_id=event_id,
        source=OWN_SOURCE,
        attributes=attributes,
        head=head,
        splice=splice,
        body=head + splice + b"}",
        content_type=CONTENT_TYPE,
        received_at=now,
        key=key,
        data=data,
    )
