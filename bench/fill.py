"""Databases with work that waits, made by the store's own writer: so a gateway finds what it would have left."""

import gc
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.events import CONTENT_TYPE, event
from gateway.clock import SystemClock
from gateway.core.model import Arrival, Delivery, Event, Micros, Routed, event_id
from gateway.core.retry import HOUR
from gateway.core.routes import Source
from gateway.core.verifying import Inbound, NoVerifier
from gateway.flows.reading import read
from gateway.store.sqlite.append import Append
from gateway.store.sqlite.writer import Writer
from gateway.store.vault import Vault

BATCH = 2_000
TELL_EVERY = 100_000
FIRST = 10**9
"""Their numbers begin here: none of them is a duplicate of what is sent later."""


def fill(
    database: Path, count: int, endpoints: Sequence[str], progress: Callable[[int], None]
) -> None:
    """Make a database in which so many events of the last hour are due at each of the endpoints.

    Where one is named several times, it has so many deliveries of each event. *progress* is told now
    and then how many events there are.
    """
    database.parent.mkdir(parents=True)
    begin, step = SystemClock().now() - HOUR, HOUR / count
    example = _read(event(FIRST), begin)
    writer = Writer(database, Vault(), lambda _ready: None)
    gc.disable()  # it would look at each batch again and again
    try:
        for start in range(0, count, BATCH):
            arrivals = [
                _arrival(_like(example, FIRST + number, begin + int(number * step)), endpoints)
                for number in range(start, min(start + BATCH, count))
            ]
            (kept,) = writer.commit([Append(arrivals)])
            if isinstance(kept, Exception):
                raise kept
            done = start + len(arrivals)
            if done % TELL_EVERY == 0 or done == count:
                progress(done)
    finally:
        gc.enable()
        writer.close()


def _read(body: bytes, received_at: Micros) -> Event:
    source = Source(name="bench", verifier=NoVerifier())
    headers = {b"content-type": CONTENT_TYPE.encode()}
    request = Inbound("POST", headers, frozenset(), body, received_at)
    (kept,) = read(source, request, None, lambda: event_id(received_at, 0)).events
    return kept


def _like(example: Event, number: int, received_at: Micros) -> Event:
    """What reading would make of the event of that number: to read a million takes a minute."""
    old, new = str(FIRST), str(number)
    old_bytes, new_bytes = old.encode(), new.encode()
    return Event(
        event_id=event_id(received_at, number),
        source=example.source,
        attributes=example.attributes
        | {"subject": example.attributes["subject"].replace(old, new)},
        head=example.head.replace(old_bytes, new_bytes),
        splice=example.splice.replace(old_bytes, new_bytes),
        body=example.body.replace(old_bytes, new_bytes),
        content_type=example.content_type,
        received_at=received_at,
        key=(example.key or "").replace(old, new),
    )


def _arrival(kept: Event, endpoints: Sequence[str]) -> Arrival:
    deliveries = [Delivery(kept, n, f"to-{name}", name) for n, name in enumerate(endpoints)]
    routed = Routed(deliveries, [each.route for each in deliveries])
    return Arrival(event=kept, routed=routed, since=0)
