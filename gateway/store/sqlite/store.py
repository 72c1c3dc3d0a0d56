"""The store on SQLite: every verb of `ports.Store`, most of them one operation for the writer."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gateway.core.access import AuditEntry
from gateway.core.errors import BodyCorrupt, EventErased, StoreUnavailable
from gateway.core.model import (
    Arrival,
    Attempt,
    Delivery,
    Erased,
    Event,
    EventId,
    InboxEntry,
    Json,
    LaneMark,
    Lease,
    Micros,
    Receipt,
    Refusal,
    Routed,
)
from gateway.core.retention import Examined, Horizon, Room
from gateway.core.retry import Decision
from gateway.core.turns import Ready
from gateway.ports import NO_LIMIT
from gateway.store.group_commit import GroupCommit
from gateway.store.lock import Lock
from gateway.store.rows import event_of, packed
from gateway.store.sqlite import change, erase, lease, prune
from gateway.store.sqlite.append import KEEP_IN_INBOX, Append, inbox_row
from gateway.store.sqlite.backup import back_up_before_migration
from gateway.store.sqlite.bulk import SqliteBulk
from gateway.store.sqlite.database import PAGE_BYTES, insert_many, touch, unusable
from gateway.store.sqlite.lease import Claim
from gateway.store.sqlite.read import Reader, shown_event
from gateway.store.sqlite.record import Record
from gateway.store.sqlite.refusals import keep_refusals
from gateway.store.sqlite.writer import Change, Operation, Writer
from gateway.store.vault import NO_DIGEST, Vault
from gateway.telemetry import Telemetry


class SqliteStore:
    """Owns the database file for as long as it is open."""

    def __init__(self, path: Path, lock: Lock, vault: Vault, telemetry: Telemetry) -> None:
        self.path = path
        self._telemetry = telemetry
        self.lock = lock
        self._loop = asyncio.get_running_loop()
        self.on_ready: Callable[[Ready], None] = _nobody
        """See `LeaseStore.on_ready`."""
        self._writer = writer = Writer(path, vault, self._tell_ready)
        self._vault = vault
        self._commits: GroupCommit[Operation] = GroupCommit(writer.commit, name="store-writer")
        self._reader = Reader(path, vault, self._commits.fail)
        self.bulk = SqliteBulk(Reader(path, vault, self._commits.fail), self._change, vault)
        """See `BulkStore`."""

    @classmethod
    async def open(
        cls,
        path: Path,
        keys: Sequence[bytes] = (),
        telemetry: Telemetry | None = None,
        *,
        skip_backup: bool = False,
    ) -> "SqliteStore":
        """Lock, open and migrate the database; it is made where there is none.

        Before it is migrated, a copy is made beside it, unless *skip_backup*.

        Where there are *keys*, what is stored from now on is encrypted; the first of them counts, all
        open what is there. Raises StoreInUse, StoreUnavailable, SchemaTooNew, BackupFailed, or ConfigError where
        the database is encrypted and none of the keys opens it.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = Lock(path)
        except OSError as error:
            raise unusable(path, error) from error
        try:
            if not skip_backup:
                back_up_before_migration(path)
            vault = Vault(keys)
            return cls(path, lock, vault, telemetry or Telemetry())
        except BaseException:
            lock.release()
            raise

    async def close(self) -> None:
        """Commit what was submitted, fold the log into the file, and let go of it."""
        await self._commits.close()
        await self._reader.close()
        await self.bulk.close()
        self._writer.close()
        self.lock.release()

    def _tell_ready(self, ready: Ready) -> None:
        self._loop.call_soon_threadsafe(lambda: self.on_ready(ready))

    async def _change(self, do: Any, *arguments: Any) -> Any:
        return await self._commits.submit(Change(lambda cursor: do(cursor, *arguments)))

    # -- append ------------------------------------------------------------------------------------

    def append(self, arrivals: Sequence[Arrival]) -> Awaitable[list[Receipt]]:
        """See `AppendStore.append`."""
        self._commits.check_room()
        return self._commits.submit(
            Append(arrivals), sum(len(arrival.event.body) for arrival in arrivals)
        )

    async def keep(self, entry: InboxEntry) -> None:
        """See `AppendStore.keep`."""
        await self._change(insert_many, KEEP_IN_INBOX, [inbox_row(entry, self._vault)])

    async def keep_refusals(
        self, refusals: Sequence[Refusal], *, most: int, most_bytes: int
    ) -> None:
        """See `AppendStore.keep_refusals`."""
        await self._change(keep_refusals, refusals, most, most_bytes, self._vault)

    # -- lease -------------------------------------------------------------------------------------

    async def claim(
        self, endpoint: str, leases: Sequence[Lease], now: Micros, most_bytes: int = NO_LIMIT
    ) -> list[Delivery]:
        """See `LeaseStore.claim`."""
        operation = Claim(endpoint, leases, now, most_bytes)
        claimed: list[Delivery] = await self._commits.submit(operation)
        for delivery in operation.buried:
            self._telemetry.emit("delivery.corrupt", delivery=delivery, endpoint=endpoint)
        return claimed

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """See `LeaseStore.release`."""
        await self._change(lease.release, deliveries)

    async def reclaim(self, now: Micros, but: Collection[int] = ()) -> int:
        """See `LeaseStore.reclaim`."""
        return int(await self._change(lease.reclaim, now, but))

    async def next_due(self) -> dict[str, Micros]:
        """See `LeaseStore.next_due`."""
        return await self._reader.next_due()

    async def expire(self, now: Micros, most: int) -> int:
        """See `LeaseStore.expire`."""
        return int(await self._change(lease.expire, now, most))

    # -- record ------------------------------------------------------------------------------------

    def record(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> Awaitable[None]:
        """See `RecordStore.record`."""
        return self._commits.submit(Record(delivery, attempt, decision))

    # -- commit ------------------------------------------------------------------------------------

    @property
    def on_change(self) -> Callable[[], None]:
        """See `CommitStore.on_change`."""
        return self._commits.on_change

    @on_change.setter
    def on_change(self, listener: Callable[[], None]) -> None:
        self._commits.on_change = listener

    @property
    def failure(self) -> StoreUnavailable | None:
        """See `CommitStore.failure`."""
        return self._commits.failure

    @property
    def waiting(self) -> int:
        """See `CommitStore.waiting`."""
        return self._commits.waiting

    @property
    def waited_seconds(self) -> float:
        """See `CommitStore.waited_seconds`."""
        return self._commits.waited_seconds

    @property
    def stuck(self) -> bool:
        """See `CommitStore.stuck`."""
        return self._commits.stuck

    def check_room(self) -> None:
        """See `CommitStore.check_room`."""
        self._commits.check_room()

    async def probe(self) -> None:
        """See `CommitStore.probe`."""
        await self._change(touch)

    # -- look up -----------------------------------------------------------------------------------

    async def event(self, event_id: EventId) -> Event | None:
        """See `LookUpStore.event`."""
        row = await self._reader.event_row(event_id)
        if row is None:
            return None
        if row.is_erased:
            raise EventErased(event_id)
        event = event_of(row)
        if event is None:
            raise _corrupt(event_id)
        return event

    async def shown_event(self, event_id: EventId) -> dict[str, Json] | None:
        """See `LookUpStore.shown_event`."""
        row = await self._reader.event_row(event_id)
        if row is not None and row.is_erased:
            return await self._reader.shown_erased(event_id)
        if row is not None and row.sha256 == NO_DIGEST:  # it was sealed, and does not open
            raise _corrupt(event_id)
        return None if row is None else shown_event(row)

    async def events(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.events`."""
        return await self._reader.events(query)

    async def recorded(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.recorded`."""
        rows = await self._reader.recorded(query)
        # In a thread: a page takes milliseconds, and the loop has requests to answer.
        return await asyncio.to_thread(lambda: [packed(row) for row in rows])

    async def deliveries(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.deliveries`."""
        return await self._reader.deliveries(query)

    async def attempts(self, event_id: EventId, n: int) -> list[dict[str, Json]]:
        """See `LookUpStore.attempts`."""
        return await self._reader.attempts(event_id, n)

    async def withheld(self, event_id: EventId) -> list[dict[str, Json]]:
        """See `LookUpStore.withheld`."""
        return await self._reader.withheld(event_id)

    async def inbox(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.inbox`."""
        return await self._reader.inbox(query)

    async def stats(self) -> dict[str, Json]:
        """See `LookUpStore.stats`."""
        return await self._reader.stats()

    async def audit(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.audit`."""
        return await self._reader.audit(query)

    async def latest_event(self) -> Micros:
        """See `LookUpStore.latest_event`."""
        return await self._reader.latest_event()

    async def late_between(self, after: Micros, until: Micros) -> dict[str, tuple[int, Micros]]:
        """See `LookUpStore.late_between`."""
        return await self._reader.late_between(after, until)

    async def told_till(self, what: str) -> Micros | None:
        """See `LookUpStore.told_till`."""
        return await self._reader.told_till(what)

    async def due_confirmations(self, now: Micros, most: int) -> list[tuple[EventId, str, str]]:
        """See `LookUpStore.due_confirmations`."""
        return await self._reader.due_confirmations(now, most)

    async def next_confirmation(self) -> Micros | None:
        """See `LookUpStore.next_confirmation`."""
        return await self._reader.next_confirmation()

    # -- operate -----------------------------------------------------------------------------------

    async def redeliver(
        self, event_id: EventId, n: int, now: Micros, entry: AuditEntry | None = None
    ) -> str | None:
        """See `OperateStore.redeliver`."""
        state: str | None = await self._change(change.redeliver, event_id, n, now, entry)
        return state

    async def cancel(
        self, event_id: EventId, n: int, now: Micros, reason: str, entry: AuditEntry | None = None
    ) -> str | None:
        """See `OperateStore.cancel`."""
        state: str | None = await self._change(change.cancel, event_id, n, now, reason, entry)
        return state

    async def replay(
        self, event_id: EventId, routed: Routed, now: Micros, entry: AuditEntry | None = None
    ) -> list[int]:
        """See `OperateStore.replay`."""
        numbers: list[int] = await self._change(
            change.replay, event_id, routed, now, entry, self._vault
        )
        return numbers

    async def set_endpoint(
        self, name: str, state: str, reason: str, now: Micros, entry: AuditEntry | None = None
    ) -> None:
        """See `OperateStore.set_endpoint`."""
        await self._change(change.set_endpoint, name, state, reason, now, entry)

    async def note_leased(self, now: Micros) -> None:
        """See `OperateStore.note_leased`."""
        await self._change(change.note_leased, now)

    async def note(self, entry: AuditEntry) -> None:
        """See `OperateStore.note`."""
        await self._change(change.note, entry)

    # -- tend --------------------------------------------------------------------------------------

    async def note_told(self, what: str, till: Micros) -> None:
        """See `NoteStore.note_told`."""
        await self._change(change.note_told, what, till)

    async def end_confirmation(self, event_id: EventId, route: str) -> None:
        """See `NoteStore.end_confirmation`."""
        await self._change(change.end_confirmation, event_id, route)

    async def endpoint_states(self) -> dict[str, dict[str, Json]]:
        """See `OperateStore.endpoint_states`."""
        return await self._reader.endpoint_states()

    async def lanes(self) -> dict[str, LaneMark]:
        """See `LookUpStore.lanes`."""
        return await self._reader.lanes()

    # -- tend --------------------------------------------------------------------------------------

    async def room(self) -> Room:
        """See `TendStore.room`."""
        return await self._reader.room()

    async def count_events(self) -> int:
        """See `TendStore.count_events`."""
        return await self._reader.count_events()

    async def examine(self, after: str, before: Horizon, most: int) -> list[Examined]:
        """See `TendStore.examine`."""
        return await self._reader.examine(after, before, most)

    async def prune(self, events: Sequence[EventId]) -> int:
        """See `TendStore.prune`."""
        return int(await self._change(prune.prune_events, events))

    async def prune_others(self, before: Horizon, most: int) -> dict[str, int]:
        """See `TendStore.prune_others`."""
        gone: dict[str, int] = await self._change(prune.prune_others, before, most)
        return gone

    async def count_others(self, before: Horizon) -> dict[str, int]:
        """See `TendStore.count_others`."""
        return await self._reader.count_others(before)

    async def of_subject(
        self, subject: str, after: str, most: int
    ) -> tuple[str | None, list[EventId]]:
        """See `TendStore.of_subject`."""
        return await self._reader.of_subject(subject, after, most)

    async def erasable(self, events: Sequence[EventId]) -> Erased:
        """See `TendStore.erasable`."""
        return await self._reader.erasable(events)

    async def erase(
        self, events: Sequence[EventId], now: Micros, entry: AuditEntry | None = None
    ) -> Erased:
        """See `TendStore.erase`."""
        erased: Erased = await self._change(erase.erase, events, now, entry)
        return erased

    async def empty_log(self) -> bool:
        """See `TendStore.empty_log`."""
        await self._change(lambda _cursor: self._writer.empty_log())
        return self._writer.log_emptied

    async def give_back(self, most_bytes: int) -> None:
        """See `TendStore.give_back`."""
        pages = -(-most_bytes // PAGE_BYTES)
        apply = partial(prune.give_back, pages=pages)
        await self._commits.submit(Change(apply, pages * PAGE_BYTES))


def _nobody(_ready: Ready) -> None:
    """Told before anyone delivers."""


def _corrupt(event_id: EventId) -> BodyCorrupt:
    return BodyCorrupt(
        f"the stored bytes of {event_id} are not those that came",
        cure="restore the database from a backup, and check the disk",
    )
