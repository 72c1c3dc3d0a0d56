"""Trace context, as it comes with a request and goes on with each attempt (https://www.w3.org/TR/trace-context/).

It is kept with an event as CloudEvents' extension for it (attributes `traceparent` and `tracestate`,
https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md). The ids of spans are made of
names that the gateway has anyway: whoever makes a span later, or on another node, knows them.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

from gateway.core.model import Delivery, Event, Json, Micros

PARENT, STATE = "traceparent", "tracestate"
"""Attributes of events, …"""
HEADER, STATE_HEADER = b"traceparent", b"tracestate"
"""… and headers of requests."""
LONGEST_STATE = 512
SAMPLED, RANDOM = 1, 2
"""Flags: whoever began the trace keeps it; its id is a random one (level 2 of the standard). Others are reserved."""
_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_STATE = re.compile(r"[\x20-\x7e]+")


class Context(NamedTuple):
    """Which trace something belongs to, and below which of its spans."""

    trace: str
    span: str
    flags: int

    @property
    def sampled(self) -> bool:
        """Whether whoever began the trace keeps it."""
        return bool(self.flags & SAMPLED)


def parsed(text: Json) -> Context | None:
    """What a `traceparent` says; None: nothing that may be relied on (section 3.2)."""
    found = _PARENT.fullmatch(text) if isinstance(text, str) else None
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    if not int(found["trace"], 16) or not int(found["span"], 16):
        return None
    # Of a later version no flag is known but this one; of this one, what is reserved has to be zero (sections 3.2.2.5 and 3.2.4).
    known = SAMPLED | RANDOM if found["version"] == "00" else SAMPLED
    return Context(found["trace"], found["span"], int(found["flags"], 16) & known)


def arriving(headers: Mapping[bytes, bytes], repeated: Collection[bytes]) -> dict[str, Json]:
    """The attributes by which an event keeps the context of its request; empty: that has none, or a bad one."""
    given = headers.get(HEADER)
    if given is None or HEADER in repeated:
        return {}
    parent = given.decode("latin-1").strip(" \t")
    if parsed(parent) is None:
        return {}
    state = headers.get(STATE_HEADER, b"").decode("latin-1").strip(" \t")
    return {PARENT: parent, STATE: state} if _may_be_state(state) else {PARENT: parent}


def combined(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The `tracestate` that comes in several headers: one list, in their order (section 3.3.1)."""
    return b",".join(value for name, value in headers if name == STATE_HEADER)


def departing(attributes: Mapping[str, Json], attempt: Context | None = None) -> dict[str, str]:
    """The headers by which an endpoint learns of an *attempt*; empty: its event came without a context.

    Where nobody makes spans, no attempt is one, and the context goes on as it came. In another trace than
    the sender's, its state means nothing.
    """
    context = parsed(attributes.get(PARENT))
    if context is None:
        return {}
    trace, span, flags = context if attempt is None else attempt
    headers = {PARENT: f"00-{trace}-{span}-{flags:02x}"}
    state = attributes.get(STATE)
    if trace == context.trace and isinstance(state, str) and _may_be_state(state):
        headers[STATE] = state
    return headers


def _may_be_state(text: str) -> bool:
    return len(text) <= LONGEST_STATE and _STATE.fullmatch(text) is not None


def received(event: Event, *, sampled: bool) -> Context:
    """The span in which an event was taken in: in its sender's trace, or else in one of its own."""
    sender = parsed(event.attributes.get(PARENT))
    span = _digest(event.event_id, 16)
    if sender is None:
        return Context(_digest(f"trace of {event.event_id}", 32), span, int(sampled))
    return Context(sender.trace, span, sender.flags & ~SAMPLED | sampled)


def replay_of(event_id: str, at: Micros, *, sampled: bool) -> Context:
    """The span of a replay: what is sent for it is a trace of its own, below it."""
    name = f"replay of {event_id} at {at}"
    return Context(_digest(f"trace of {name}", 32), _digest(name, 16), int(sampled))


def above_attempts(delivery: Delivery, *, sampled: bool) -> Context:
    """The span that made a delivery: a replay, or the one in which its event was taken in."""
    if delivery.replayed_at is None:
        return received(delivery.event, sampled=sampled)
    return replay_of(delivery.event.event_id, delivery.replayed_at, sampled=sampled)


def attempted(delivery: Delivery, number: int, *, sampled: bool) -> Context:
    """The span of an attempt, counted from 1."""
    above = above_attempts(delivery, sampled=sampled)
    return above._replace(span=_digest(f"{delivery.id} {number}", 16))


def _digest(text: str, digits: int) -> str:
    return sha256(text.encode()).hexdigest()[:digits]
