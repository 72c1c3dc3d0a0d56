"""A person's right to be forgotten: what events about a subject say is taken out, for good.

Done in slices, each of which whoever asks waits for: a slice looks through some events and erases those
about the subject; the last ones see that the bytes are gone from the files too. To begin anew does no harm.
"""

from hashlib import sha256
from typing import NamedTuple

from gateway.core.access import LOCAL, Caller
from gateway.core.model import SECOND, Erased, EventId
from gateway.flows.audit import Audit
from gateway.ports import Clock, OperateStore, PlanStore, TendStore
from gateway.telemetry import Telemetry

LOOKED_THROUGH = 5000
"""So many events in one slice: some ten milliseconds, off the writer's queue."""
BATCH = 32
"""So many events are erased in one commit."""
ALL_SEEN = "evt_~"
"""Behind every event: what is left to do is with the files."""
SLICE = SECOND
"""For so long one slice works at the files."""
GIVEN_BACK = 64 * 4096


class Slice(NamedTuple):
    """What came of one slice."""

    erased: Erased
    after: str | None
    """Where the next begins; None: this was the last."""
    log_emptied: bool = True
    """Whether no erased byte is left in the log; not while something else reads the database."""


class Erase:
    """Erases, and counts what it would."""

    def __init__(
        self,
        *,
        store: TendStore,
        plans: PlanStore,
        audit: OperateStore,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._plans = plans
        self._clock = clock
        self._audit = Audit(audit, clock, telemetry)

    async def count(self, subject: str, after: str) -> Slice:
        """What erasing comes to, in the next slice."""
        last, found = await self._store.of_subject(subject, after, LOOKED_THROUGH)
        return Slice(await self._store.erasable(found) if found else Erased(), last)

    async def erase(self, subject: str, after: str, by: Caller = LOCAL) -> Slice:
        """Take out what the events of the next slice say, if they are about *subject*."""
        if not after:
            await self._plans.erase_plans_of(subject)
        last, found = await self._store.of_subject(subject, after, LOOKED_THROUGH)
        if last is None:
            return await self._clear_files()
        return Slice(await self._erase(subject, found, by) if found else Erased(), last)

    async def _erase(self, subject: str, found: list[EventId], by: Caller) -> Erased:
        total = Erased()
        async with self._audit.of(by, "erase", pseudonym(subject)) as entry:
            for start in range(0, len(found), BATCH):
                batch = found[start : start + BATCH]
                noted = None if total.events or total.cancelled else entry
                total = total.plus(await self._store.erase(batch, self._clock.now(), noted))
        return total

    async def _clear_files(self) -> Slice:
        """Give back what is free in the file, where older copies of the bytes may be, and empty the log."""
        began = self._clock.monotonic()
        while (await self._store.room()).free:
            await self._store.give_back(GIVEN_BACK)
            if self._clock.monotonic() - began > SLICE:
                return Slice(Erased(), ALL_SEEN)
        return Slice(Erased(), None, await self._store.empty_log())


def pseudonym(subject: str) -> str:
    """What the audit log calls a subject that is to be forgotten: who knows it finds the entry."""
    return f"sha256:{sha256(subject.encode()).hexdigest()[:32]}"
