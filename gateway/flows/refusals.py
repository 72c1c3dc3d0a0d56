"""Refused requests, kept so that "why was my webhook refused?" has an answer.

They come from anyone, so they must not become a load: of many only some are taken, few wait, and only
the newest stay. The answer to the sender never waits for any of this, and does not depend on it: what
cannot be kept is dropped, and the metrics have counted it.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from gateway.core.errors import (
    MethodNotAllowed,
    PathUnknown,
    RateLimited,
    RequestRefused,
    StoreUnavailable,
    UnknownSource,
)
from gateway.core.kept_headers import redacted
from gateway.core.model import SECOND, Micros, Refusal, event_id, inbox_id
from gateway.core.rate import TokenBucket
from gateway.flows.loop import Loop
from gateway.ports import AppendStore, Clock
from gateway.telemetry import Telemetry

NOT_KEPT = (MethodNotAllowed, PathUnknown, RateLimited, UnknownSource)
"""Their answers say all that there is to say."""

OF_A_SOURCE, OF_ALL = (100, 100 * SECOND), (500, 10 * SECOND)
"""So many at once, and then so many in that time: a person's attempts all get in, and a flood at one
source takes a quarter of an hour to push out what the others' senders did."""

MOST_WAITING = 256
"""More are not held for a store that is behind."""

MOST_KEPT, MOST_KEPT_BYTES = 1000, 16 * 1024 * 1024
LONGEST_BODY = 16 * 1024
"""Of a body no more is kept."""


class Head(NamedTuple):
    """What is known of a request before its body is read."""

    method: str
    headers: Sequence[tuple[bytes, bytes]]
    peer: str


class Refusals:
    """Takes refused requests in passing, and writes them down behind the scenes."""

    def __init__(
        self, *, store: AppendStore, clock: Clock, telemetry: Telemetry, first_serial: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._serial = first_serial
        self._of_all = TokenBucket(*OF_ALL)
        self._of_source: dict[str, TokenBucket] = {}
        self._waiting: list[Refusal] = []
        self.loop = Loop("refusals", self._write, clock, telemetry)

    def note(self, source: str, error: RequestRefused, head: Head) -> str | None:
        """Have a refused request kept, if there is room for it now; its name in the inbox."""
        if isinstance(error, NOT_KEPT) or not self._has_room(source):
            return None
        self._serial += 1
        now = self._clock.now()
        name, outcome, body = inbox_id(event_id(now, self._serial)), error.outcome, error.body
        types = (value for name, value in head.headers if name == b"content-type")
        self._waiting.append(
            Refusal(
                id=name,
                source=source,
                code=error.code,
                outcome=outcome,
                detail=str(error) if outcome is None else f"{error.what}: {outcome}",
                received_at=now,
                peer=head.peer,
                method=head.method,
                headers=redacted(head.headers),
                content_type=next(types, b"").decode("latin-1")[:256],
                body=(body or b"")[:LONGEST_BODY],
                body_bytes=None if body is None else len(body),
                sha256=None if body is None else sha256(body).digest(),
            )
        )
        self.loop.wake()
        return name

    async def close(self) -> None:
        """Write down what waits, and end."""
        await self.loop.stop()
        await self._write()

    def _has_room(self, source: str) -> bool:
        now = self._clock.monotonic()
        bucket = self._of_source.get(source)
        if bucket is None:
            bucket = self._of_source[source] = TokenBucket(*OF_A_SOURCE)
        return (
            len(self._waiting) < MOST_WAITING
            and bucket.take(now) == 0
            and self._of_all.take(now) == 0
        )

    async def _write(self) -> Micros | None:
        """Write down what waits, all at once; where the store cannot, that is that."""
        refusals, self._waiting = self._waiting, []
        if not refusals:
            return None
        try:
            await self._store.keep_refusals(refusals, most=MOST_KEPT, most_bytes=MOST_KEPT_BYTES)
        except StoreUnavailable as error:
            self._telemetry.emit("refusals.lost", count=len(refusals), error=str(error))
        else:
            self._telemetry.emit("refusals.kept", count=len(refusals))
        return None
