"""The store on SQLite: verbs of `ports.Store`, most of them one operation for the writer."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gateway.core.access import AuditEntry
from gateway.core.errors import StoreUnavailable
from gateway.core.evidence_key import EvidenceKey
from gateway.core.histogram import Histogram
from gateway.core.model import (
    Arrival,
    Attempt,
    Delivery,
    Erased,
    EventId,
    Json,
    Lease,
    Micros,
    Receipt,
)
from gateway.core.retention import Horizon, Room
from gateway.core.retry import Decision
from gateway.core.turns import Ready
from gateway.ports import NO_LIMIT, NodeStore
from gateway.store.bulk import Bulk
from gateway.store.evidence import KeptEvidence
from gateway.store.group_commit import GroupCommit, InThread
from gateway.store.keeping import Append
from gateway.store.leasing import Claim
from gateway.store.lock import Lock
from gateway.store.recording import Record
from gateway.store.sqlite import erase, lease, prune
from gateway.store.sqlite.backup import back_up_before_migration
from gateway.store.sqlite.database import PAGE_BYTES, take, touch, unusable
from gateway.store.sqlite.read import Reader
from gateway.store.sqlite.writer import Change, Operation, Writer
from gateway.store.vault import Vault
from gateway.store.verbs import CommonVerbs
from gateway.telemetry import Telemetry


class SqliteStore(CommonVerbs):
    """Owns the database file for as long as it is open."""

    nodes: NodeStore | None = None
    """What the nodes on this database tell each other; None: nobody else delivers from it."""

    def __init__(
        self,
        path: Path,
        lock: Lock,
        vault: Vault,
        telemetry: Telemetry,
        key: EvidenceKey | None = None,
    ) -> None:
        self.path = path
        self._telemetry = telemetry
        self.lock = lock
        self._loop = asyncio.get_running_loop()
        self.on_ready: Callable[[Ready], None] = _nobody
        """See `LeaseStore.on_ready`."""
        self._writer = writer = Writer(path, vault, self._tell_ready, key)
        self._commits: GroupCommit[Operation] = GroupCommit(
            InThread(writer.commit, name="store-writer")
        )
        reader = Reader(path, vault, self._commits.fail)
        super().__init__(reader, vault)
        self._own_reader = reader
        self._bulk_reader = Reader(path, vault, self._commits.fail)
        self.bulk = Bulk(self._bulk_reader, self._change, vault)
        """See `BulkStore`."""
        self.evidence = KeptEvidence(self._bulk_reader, self._change, vault)
        """See `EvidenceStore`."""

    @classmethod
    async def open(
        cls,
        path: Path,
        keys: Sequence[bytes] = (),
        telemetry: Telemetry | None = None,
        *,
        skip_backup: bool = False,
        evidence: EvidenceKey | None = None,
    ) -> "SqliteStore":
        """Lock, open and migrate the database; it is made where there is none.

        Before it is migrated, a copy is made beside it, unless *skip_backup*. With a key for it, *evidence*
        is written.

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
            return cls(path, lock, vault, telemetry or Telemetry(), evidence)
        except BaseException:
            lock.release()
            raise

    async def close(self) -> None:
        """Commit what was submitted, fold the log into the file, and let go of it."""
        await self._commits.close()
        await self._own_reader.close()
        await self._bulk_reader.close()
        self._writer.close()
        self.lock.release()

    def announce(self, **facts: Json) -> None:
        """Write beside the database how whoever serves it can be reached."""
        self.lock.note(**facts)

    def _tell_ready(self, ready: Ready) -> None:
        self._loop.call_soon_threadsafe(lambda: self.on_ready(ready))

    async def _change(self, do: Any, *arguments: Any) -> Any:
        return await self._commits.submit(Change(lambda cursor: take(cursor, do(*arguments))))

    async def _apply(self, do: Any, *arguments: Any) -> Any:
        """Do something of SQLite's own within a transaction."""
        return await self._commits.submit(Change(lambda cursor: do(cursor, *arguments)))

    # -- append ------------------------------------------------------------------------------------

    def append(self, arrivals: Sequence[Arrival]) -> Awaitable[list[Receipt]]:
        """See `AppendStore.append`."""
        self._commits.check_room()
        return self._commits.submit(
            Append(arrivals), sum(len(arrival.event.body) for arrival in arrivals)
        )

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
        await self._apply(lease.release, deliveries)

    async def reclaim(self, now: Micros, but: Collection[int] = ()) -> int:
        """See `LeaseStore.reclaim`."""
        return int(await self._apply(lease.reclaim, now, but))

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
    def commits(self) -> Mapping[str, tuple[Histogram, Histogram]]:
        """See `CommitStore.commits`."""
        return {"all": (self._commits.seconds, self._commits.sizes)}

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
        await self._apply(touch)

    # -- tend --------------------------------------------------------------------------------------

    async def room(self) -> Room:
        """See `TendStore.room`."""
        return await self._own_reader.room()

    async def drop_days(self, before: Horizon) -> int | None:  # noqa: ARG002
        """See `TendStore.drop_days`; in one file days do not lie apart."""
        return None

    async def erase(
        self, events: Sequence[EventId], now: Micros, entry: AuditEntry | None = None
    ) -> Erased:
        """See `TendStore.erase`."""
        erased: Erased = await self._apply(erase.erase, events, now, entry, self._vault)
        return erased

    async def empty_log(self) -> bool:
        """See `TendStore.empty_log`."""
        await self._apply(lambda _cursor: self._writer.empty_log())
        return self._writer.log_emptied

    async def give_back(self, most_bytes: int) -> None:
        """See `TendStore.give_back`."""
        pages = -(-most_bytes // PAGE_BYTES)
        apply = partial(prune.give_back, pages=pages)
        await self._commits.submit(Change(apply, pages * PAGE_BYTES))


def _nobody(_ready: Ready) -> None:
    """Told before anyone delivers."""
