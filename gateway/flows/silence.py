"""Telling of sources that nothing comes from any more, where routes.yaml says how long that may be.

When a source was last heard of is written down every few seconds, so that a restart forgets nothing, and several
nodes know it of one another. Heard of is what was verified, be it a duplicate, a ping or unreadable.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from gateway.core.errors import StoreBehind
from gateway.core.model import SECOND, Micros, rfc3339
from gateway.core.news import News, silence
from gateway.core.routes import Routes
from gateway.flows.loop import Loop
from gateway.ports import Clock, LookUpStore, NoteStore
from gateway.telemetry import Telemetry

EVERY = 10 * SECOND
GRACE = 300 * SECOND
"""For so long after a start nothing is told: what could not be sent while the gateway was down comes now."""


class Silence:
    """Listens for sources, and looks now and then for whom it has not heard."""

    def __init__(
        self,
        *,
        routes: Callable[[], Routes],
        tell: Callable[[News], Awaitable[None]],
        look_up: LookUpStore,
        store: NoteStore,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._routes = routes
        self._tell = tell
        self._look_up = look_up
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._heard: dict[str, Micros] = {}
        """When each source was heard that is in the file, by this node, since it started."""
        self._told: dict[str, Micros] = {}
        """Of which silence everyone has been told: since when nothing had come."""
        self._since = clock.now()
        self.loop = Loop("silence", self._step, clock, telemetry)
        telemetry.listen(self._hear, "events.kept", "event.ignored", "event.unreadable")

    def _hear(self, _name: str, fields: dict[str, Any]) -> None:
        if fields.get("came", True):
            self._heard[fields["source"]] = self._clock.now()

    async def _step(self) -> Micros | None:
        now = self._clock.now()
        for source in list(self._routes().sources.values()):
            if source.silent_after is not None:
                try:
                    await self._look_at(source.name, source.silent_after, now)
                except StoreBehind:
                    return now + SECOND
        return now + EVERY

    async def _look_at(self, source: str, silent_after: Micros, now: Micros) -> None:
        heard_at = await self._last_heard(source, now)
        silent = now - heard_at >= silent_after and now - self._since >= min(GRACE, silent_after)
        if not silent or self._told.get(source) == heard_at:
            return
        told_of = await self._look_up.told_till(f"silent/{source}")
        if told_of != heard_at:
            self._telemetry.emit(
                "source.silent",
                source=source,
                last_heard=rfc3339(heard_at),
                silent_seconds=(now - heard_at) // SECOND,
            )
            await self._tell(silence(source, heard_at, silent_after, now))
            await self._store.note_told(f"silent/{source}", heard_at, told_of)
        self._told[source] = heard_at

    async def _last_heard(self, source: str, now: Micros) -> Micros:
        """When it was last heard of, by any node, over restarts; it counts from now where nobody has looked before."""
        what = f"heard/{source}"
        noted = await self._look_up.told_till(what)
        heard_at = max(noted or 0, self._heard.get(source, 0)) or now
        if heard_at != noted:
            await self._store.note_told(what, heard_at, noted)
        return heard_at
