"""The audit log: who changed what. An entry is committed with its change, and reported when it is."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace

from gateway.core.access import DONE, AuditEntry, Caller
from gateway.core.errors import GatewayError, StoreUnavailable
from gateway.core.model import SECOND
from gateway.core.rate import TokenBucket
from gateway.ports import Clock, OperateStore
from gateway.telemetry import Telemetry

REFUSED = (60, 60 * SECOND)
"""So many calls that a token may not make are written down at once, and then in that time: who may
change nothing is not to fill the disk either."""


class Audit:
    """Makes entries, and sees that none is lost silently."""

    def __init__(self, store: OperateStore, clock: Clock, telemetry: Telemetry) -> None:
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._refused: dict[str, TokenBucket] = {}
        """By the name of a token."""

    @asynccontextmanager
    async def of(self, by: Caller, action: str, name: str) -> AsyncIterator[AuditEntry]:
        """The entry of a change, to be committed with it; where it is refused, that is written down."""
        entry = self.entry(by, action, name)
        try:
            yield entry
        except GatewayError as error:
            await self._keep(replace(entry, outcome=error.code))
            raise
        self.report(entry)

    async def refused(self, by: Caller, action: str, name: str, error: GatewayError) -> None:
        """Write down that *by* may not do what was asked for, unless that one asks without end."""
        bucket = self._refused.setdefault(by.name, TokenBucket(*REFUSED))
        if bucket.take(self._clock.monotonic()) == 0:
            await self.note(by, action, name, error.code)

    async def note(self, by: Caller, action: str, name: str, outcome: str = DONE) -> None:
        """Write down a change that no commit goes with, or that one came to nothing."""
        await self._keep(replace(self.entry(by, action, name), outcome=outcome))

    def entry(self, by: Caller, action: str, name: str) -> AuditEntry:
        """That of a change: to be committed with it, and then reported."""
        now = self._clock.now()
        return AuditEntry(
            id=f"aud_{now // 1000:012x}{secrets.token_hex(6)}",
            at=now,
            who=by.name,
            address=by.address,
            action=action,
            object=name,
        )

    async def _keep(self, entry: AuditEntry) -> None:
        """Write an entry; where the store cannot, the log has it all the same."""
        try:
            await self._store.note(entry)
        except StoreUnavailable as error:
            self._telemetry.emit("audit.unwritten", error=str(error), **asdict(entry))
        else:
            self.report(entry)

    def report(self, entry: AuditEntry) -> None:
        """Tell of an entry that is written."""
        name = "audit.written" if entry.outcome == DONE else "audit.refused"
        self._telemetry.emit(name, **asdict(entry))
