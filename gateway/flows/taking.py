"""What a poll brought, kept: as events, or in the inbox where it cannot be read."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import orjson

from gateway.core.errors import BodyMalformed, ExpressionFailed, MediaTypeUnsupported
from gateway.core.model import InboxEntry, Json, Response, inbox_id
from gateway.core.routes import Source
from gateway.core.verifying import Inbound
from gateway.flows.ingest import tell_misfits
from gateway.flows.keep import Keep
from gateway.flows.reading import STRUCTURED, Reading, read
from gateway.ports import AppendStore, Clock
from gateway.telemetry import Telemetry


class Taken(NamedTuple):
    """What an answer came to."""

    listed: int
    """Events in it."""
    new: int
    """Those that had not come before, or the answer itself in the inbox."""


class Taking:
    """Keeps what comes by one source; what it returns from is committed and synced."""

    def __init__(
        self, source: Source, *, keep: Keep, store: AppendStore, clock: Clock, telemetry: Telemetry,
        check_room: Callable[[], None],
    ) -> None:  # fmt: skip
        self.source = source
        self._keep = keep
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._unreadable = b""
        """What was put aside last."""
        self.check_room = check_room
        """Raises StoreUnavailable or StoreBehind where nothing could be kept now."""

    async def keep(self, events: Sequence[dict[str, Json]]) -> int:
        """Keep CloudEvents, all in one commit; how many are new. Raises StoreUnavailable; then none was kept.

        Each is read by itself: how much a body may hold is meant for one event. One that cannot be read goes into
        the inbox.
        """
        found = [await self._read(orjson.dumps(event), STRUCTURED) for event in events]
        return (await self._kept([each for each in found if each is not None])).new

    async def take(self, answer: Response) -> Taken:
        """Keep what the source's `event:` makes of an answer, or the answer itself, unreadable."""
        before = self._unreadable
        found = await self._read(answer.body, answer.headers.get("content-type", ""))
        if found is None:
            return Taken(0, int(self._unreadable != before))
        return await self._kept([found])

    async def put_aside(self, answer: Response, what: str, code: str = "body-unreadable") -> None:
        """Keep an answer in the inbox."""
        await self._put_aside(answer.body, answer.headers.get("content-type", ""), what, code)

    async def _read(self, body: bytes, content_type: str) -> Reading | None:
        """None: it cannot be read, and is in the inbox."""
        headers = {b"content-type": content_type.encode("latin-1", "replace")}
        request = Inbound("POST", headers, frozenset(), body, self._clock.now())
        try:
            return read(self.source, request, None, self._keep.new_id)
        except (BodyMalformed, ExpressionFailed, MediaTypeUnsupported) as error:
            if body != self._unreadable:  # it may be asked for again and again
                await self._put_aside(body, content_type, str(error), error.code)
                self._unreadable = body
            return None

    async def _kept(self, readings: Sequence[Reading]) -> Taken:
        events = [event for reading in readings for event in reading.events]
        misfits = [misfit for reading in readings for misfit in reading.misfits]
        receipts = await self._keep.keep(events, self.source.dedupe_window) if events else []
        if misfits:
            tell_misfits(self._telemetry, self.source, misfits)
        return Taken(len(events), sum(not each.duplicate for each in receipts))

    async def _put_aside(self, body: bytes, content_type: str, what: str, code: str) -> None:
        name = inbox_id(self._keep.new_id())
        await self._store.keep(
            InboxEntry(
                id=name,
                source=self.source.name,
                code=code,
                detail=what,
                received_at=self._clock.now(),
                content_type=content_type,
                body=body,
                headers=(),
                proven_id=None,
            )
        )
        self._telemetry.emit("event.unreadable", source=self.source.name, code=code, entry=name)
