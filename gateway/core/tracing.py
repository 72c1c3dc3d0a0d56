"""Trace context, as it comes with a request and goes on with each attempt (https://www.w3.org/TR/trace-context/).

It is kept with an event as CloudEvents' extension for it (attributes `traceparent` and `tracestate`,
https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md). The ids of spans are made of
names that the gateway has anyway: whoever makes a span later, or on another node, knows them.
"""

import re
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import NamedTuple

from gateway.core.model import Json

PARENT, STATE = "traceparent", "tracestate"
"""Attributes of events, …"""
HEADER, STATE_HEADER = b"traceparent", b"tracestate"
"""… and headers of requests."""
LONGEST_STATE = 512
_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_STATE = re.compile(r"[\x20-\x7e]+")


class Context(NamedTuple):
    """Which trace something belongs to, and below which of its spans."""

    trace: str
    span: str
    flags: str

    @property
    def sampled(self) -> bool:
        """Whether whoever began the trace keeps it."""
        return bool(int(self.flags, 16) & 1)


def parsed(text: Json) -> Context | None:
    """What a `traceparent` says; None: nothing that may be relied on (section 3.2)."""
    found = _PARENT.fullmatch(text) if isinstance(text, str) else None
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    if not int(found["trace"], 16) or not int(found["span"], 16):
        return None
    return Context(found["trace"], found["span"], found["flags"])


def arriving(headers: Mapping[bytes, bytes], repeated: Collection[bytes]) -> dict[str, Json]:
    """The attributes by which an event keeps the context of its request; empty: that has none, or a bad one."""
    given = headers.get(HEADER)
    if given is None or HEADER in repeated:
        return {}
    parent = given.decode("latin-1").strip(" \t")
    if parsed(parent) is None:
        return {}
    state = headers.get(STATE_HEADER, b"").decode("latin-1").strip(" \t")
    if STATE_HEADER in repeated or len(state) > LONGEST_STATE or not _STATE.fullmatch(state):
        return {PARENT: parent}
    return {PARENT: parent, STATE: state}


def departing(attributes: Mapping[str, Json], span: str | None) -> dict[str, str]:
    """The headers by which an endpoint learns of the attempt's *span*; empty: its event came without a context.

    Where nobody makes spans, there is none, and the context goes on as it came.
    """
    context = parsed(attributes.get(PARENT))
    if context is None:
        return {}
    headers = {PARENT: f"00-{context.trace}-{span or context.span}-{context.flags}"}
    state = attributes.get(STATE)
    if isinstance(state, str) and len(state) <= LONGEST_STATE and _STATE.fullmatch(state):
        headers[STATE] = state
    return headers


def span_of_event(event_id: str) -> str:
    """The id of the span in which an event was taken in."""
    return _digest(event_id, 16)


def trace_of_event(event_id: str) -> str:
    """The id of its trace, where it came with none."""
    return _digest(f"trace of {event_id}", 32)


def span_of_attempt(delivery: str, attempt: int) -> str:
    """The id of the span of an attempt, counted from 1."""
    return _digest(f"{delivery} {attempt}", 16)


def _digest(text: str, digits: int) -> str:
    return sha256(text.encode()).hexdigest()[:digits]
