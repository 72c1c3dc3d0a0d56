"""The store on PostgreSQL: verbs of `ports.Store`, in three streams that do not wait for each other.

Events that come, outcomes of attempts, and everything else that writes have a connection each. What waits
while one commits is its next batch. Nothing is known here that the database does not know: other nodes
write to it too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

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
    received_at,
)
from gateway.core.nodes import Around, Beat
from gateway.core.postgres_url import PostgresUrl
from gateway.core.retention import Horizon, Room
from gateway.core.retry import Decision
from gateway.core.turns import Ready
from gateway.ports import NO_LIMIT, NodeStore
from gateway.store.bulk import Bulk
from gateway.store.erase import erase
from gateway.store.evidence import KeptEvidence, Ledger, told_by
from gateway.store.group_commit import GroupCommit, InTask
from gateway.store.keeping import Append
from gateway.store.leasing import Claim
from gateway.store.postgres import append, days, lease, nodes, record
from gateway.store.postgres.database import ANSWER_SECONDS, OURS, Session, Text, Work
from gateway.store.postgres.days import Days, Dropped
from gateway.store.postgres.migrate import migrate
from gateway.store.postgres.read import Reader
from gateway.store.postgres.vault import Keys
from gateway.store.recording import Record
from gateway.store.verbs import CommonVerbs
from gateway.telemetry import Telemetry

NAME = "gateway"
READERS = 3

TELL_COUNTS = Text("SELECT pg_stat_force_next_flush()", ())
"""Has a connection tell what it has written and deleted; by itself it does so after up to ten seconds."""

Operation = TypeVar("Operation")
OUR_FAULTS = (*OURS, ValueError, TypeError, OverflowError)
"""What one operation of a batch can be at fault for; the others are done without it."""


@dataclass(slots=True)
class Change:
    """An operation that is done by itself: in a transaction, and what may go because of it is told."""

    apply: Callable[[Work], Awaitable[Any]]


class PostgresStore(CommonVerbs):
    """One node's part in a database."""

    def __init__(
        self,
        url: PostgresUrl,
        keys: Keys,
        telemetry: Telemetry,
        key: EvidenceKey | None = None,
    ) -> None:
        """Evidence is written where there is a *key* to sign it: each of the two streams has its own chain."""
        self._telemetry = telemetry
        self._keys = keys
        self.on_ready: Callable[[Ready], None] = _nobody
        """See `LeaseStore.on_ready`."""
        self._arrivals = Session(url, f"{NAME} events", within=ANSWER_SECONDS)
        self._outcomes, self._rest = (
            Session(url, f"{NAME} {what}") for what in ("outcomes", "changes")
        )
        self._nodes = Session(url, f"{NAME} nodes")
        self._days = Days(Session(url, f"{NAME} days"))
        self._making_days: asyncio.Task[None] | None = None
        self._appends: GroupCommit[Append | Change] = GroupCommit(InTask(self._append))
        self._records: GroupCommit[Record | Change] = GroupCommit(InTask(self._record))
        self._changes: GroupCommit[Change | Claim] = GroupCommit(InTask(self._change_each))
        self._streams: tuple[GroupCommit[Any], ...] = (self._appends, self._records, self._changes)
        reader = Reader(
            url, keys.vault, name=f"{NAME} reader", most=READERS, failed=self._changes.fail
        )
        super().__init__(reader, keys.vault)
        self._own_reader = reader
        self._bulk_reader = Reader(
            url, keys.vault, name=f"{NAME} bulk reader", most=1, failed=self._changes.fail
        )
        self.bulk = Bulk(self._bulk_reader, self._change, keys.vault)
        """See `BulkStore`."""
        self.evidence = KeptEvidence(self._bulk_reader, self._change, keys.vault)
        """See `EvidenceStore`."""
        self._received, self._told = (
            None if key is None else Ledger(key, keys.vault) for _ in range(2)
        )

    @classmethod
    async def open(
        cls,
        url: PostgresUrl,
        keys: Sequence[bytes] = (),
        telemetry: Telemetry | None = None,
        *,
        evidence: EvidenceKey | None = None,
    ) -> "PostgresStore":
        """Reach and migrate the database.

        Where there are *keys*, what is stored from now on is encrypted; the first of them counts, all
        open what is there. Raises StoreUnavailable, SchemaTooNew, or ConfigError where the database is
        encrypted and none of the keys opens it. With a key for it, *evidence* is written.
        """
        known = Keys(keys)
        await migrate(url, known)
        store = cls(url, known, telemetry or Telemetry(), evidence)
        try:
            await store._days.make_today()  # before the first event of it comes
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Commit what was submitted, and let go of the connections."""
        for stream in self._streams:
            await stream.close()
        if self._making_days is not None:
            await self._making_days
        sessions = (self._arrivals, self._outcomes, self._rest, self._nodes, self._days.session)
        for session in sessions:
            await session.close()
        await self._own_reader.close()
        await self._bulk_reader.close()

    def announce(self, **facts: Json) -> None:
        """See `SqliteStore.announce`; here nobody looks for it."""

    async def _change(self, do: Any, *arguments: Any) -> Any:
        return await self._changes.submit(Change(lambda work: work.take(do(*arguments))))

    # -- append ------------------------------------------------------------------------------------

    def append(self, arrivals: Sequence[Arrival]) -> Awaitable[list[Receipt]]:
        """See `AppendStore.append`."""
        self._appends.check_room()
        return self._appends.submit(
            Append(arrivals), sum(len(arrival.event.body) for arrival in arrivals)
        )

    async def _append(self, operations: Sequence[Append | Change]) -> Sequence[Any]:
        return await _by_kind(
            operations, Append, self._append_all, partial(self._apply, self._arrivals)
        )

    async def _append_all(self, appends: Sequence[Append]) -> list[Any]:
        def work(work: Work) -> Coroutine[Any, Any, list[list[Receipt]]]:
            return append.append(work, appends, self._keys)

        receipts: list[list[Receipt]]
        if self._received is None and append.is_one_statement(appends):
            receipts = await self._arrivals.run(work)
        else:
            receipts = await self._with_evidence(self._received, self._arrivals, appends, work)
        self._look_at_days(received_at(appends[-1].arrivals[-1].event.event_id))
        return receipts

    def _look_at_days(self, moment: Micros) -> None:
        """Have the days made that are to come, before anything of them does."""
        idle = self._making_days is None or self._making_days.done()
        if idle and self._days.lacks(moment):
            self._making_days = asyncio.create_task(self._days.make(moment))

    # -- lease -------------------------------------------------------------------------------------

    async def claim(
        self, endpoint: str, leases: Sequence[Lease], now: Micros, most_bytes: int = NO_LIMIT
    ) -> list[Delivery]:
        """See `LeaseStore.claim`."""
        operation = Claim(endpoint, leases, now, most_bytes)
        claimed: list[Delivery] = await self._changes.submit(operation)
        for delivery in operation.buried:
            self._telemetry.emit("delivery.corrupt", delivery=delivery, endpoint=endpoint)
        return claimed

    async def _change_each(self, operations: Sequence[Change | Claim]) -> list[Any]:
        results: list[Any] = []
        for operation in operations:
            try:
                if isinstance(operation, Claim):
                    claimed, ready = await lease.claim(self._rest, operation, self._keys)
                    self._tell(ready)
                    results.append(claimed)
                else:
                    results.append(await self._apply(self._rest, operation))
            except (StoreUnavailable, *OUR_FAULTS) as error:
                results.append(error)
        return results

    async def _apply(self, session: Session, change: Change) -> Any:
        answer, ready = await session.transact(change.apply)
        self._tell(ready)
        return answer

    def _tell(self, ready: Ready) -> None:
        if ready:
            self.on_ready(ready)

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """See `LeaseStore.release`."""
        await self._changes.submit(Change(lambda work: lease.release(work, deliveries)))

    async def reclaim(self, now: Micros, but: Collection[int] = ()) -> int:
        """See `LeaseStore.reclaim`."""
        return int(await self._changes.submit(Change(lambda work: lease.reclaim(work, now, but))))

    # -- record ------------------------------------------------------------------------------------

    def record(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> Awaitable[None]:
        """See `RecordStore.record`."""
        return self._records.submit(Record(delivery, attempt, decision))

    async def _record(self, operations: Sequence[Record | Change]) -> Sequence[Any]:
        return await _by_kind(
            operations, Record, self._record_all, partial(self._apply, self._outcomes)
        )

    async def _record_all(self, records: Sequence[Record]) -> list[Any]:
        def work(work: Work) -> Coroutine[Any, Any, list[Any]]:
            return record.record(work, records, self._vault)

        if self._told is None and record.is_one_statement(records):
            return await self._outcomes.run(work)
        return await self._with_evidence(self._told, self._outcomes, records, work)

    # -- evidence ----------------------------------------------------------------------------------

    async def _with_evidence(
        self,
        ledger: Ledger | None,
        session: Session,
        operations: Sequence[Any],
        work: Callable[[Work], Awaitable[list[Any]]],
    ) -> list[Any]:
        """Do *work* in a transaction, with what is to be told for good of *operations*."""

        async def within(done: Work) -> list[Any]:
            results = await work(done)
            if ledger is not None:
                await done.take(ledger.note(told_by(operations, results)))
            return results

        try:
            results, ready = await session.transact(within)
        except BaseException:
            if ledger is not None:  # who knows whether it was committed
                ledger.broken_off()
            raise
        if ledger is not None:
            ledger.committed()
        self._tell(ready)
        return results

    # -- commit ------------------------------------------------------------------------------------

    @property
    def on_change(self) -> Callable[[], None]:
        """See `CommitStore.on_change`."""
        return self._appends.on_change

    @on_change.setter
    def on_change(self, listener: Callable[[], None]) -> None:
        for stream in self._streams:
            stream.on_change = listener

    @property
    def failure(self) -> StoreUnavailable | None:
        """See `CommitStore.failure`."""
        failures = (stream.failure for stream in self._streams)
        return next((failure for failure in failures if failure is not None), None)

    @property
    def waiting(self) -> int:
        """See `CommitStore.waiting`."""
        return sum(stream.waiting for stream in self._streams)

    @property
    def commits(self) -> Mapping[str, tuple[Histogram, Histogram]]:
        """See `CommitStore.commits`."""
        names = ("events", "outcomes", "changes")
        return {
            name: (stream.seconds, stream.sizes)
            for name, stream in zip(names, self._streams, strict=True)
        }

    @property
    def waited_seconds(self) -> float:
        """See `CommitStore.waited_seconds`."""
        return max(stream.waited_seconds for stream in self._streams)

    @property
    def stuck(self) -> bool:
        """See `CommitStore.stuck`."""
        return any(stream.stuck for stream in self._streams)

    def check_room(self) -> None:
        """See `CommitStore.check_room`."""
        for stream in self._streams:
            stream.check_room()

    async def probe(self) -> None:
        """See `CommitStore.probe`."""
        await asyncio.gather(*(stream.submit(Change(_touch)) for stream in self._streams))

    # -- nodes -------------------------------------------------------------------------------------

    @property
    def nodes(self) -> NodeStore:
        """What the nodes on this database tell each other."""
        return self

    async def beat(self, beat: Beat) -> Around:
        """See `NodeStore.beat`."""
        around, _ = await self._nodes.transact(lambda work: nodes.beat(work, beat))
        self._look_at_days(around.now)  # days may pass without an event
        states, marks = await asyncio.gather(self.endpoint_states(), self.lanes())
        return replace(around, states=states, marks=marks)

    async def leave(self, node: str) -> None:
        """See `NodeStore.leave`."""
        await self._nodes.transact(lambda work: nodes.leave(work, node))

    async def take_probe(self, endpoint: str, now: Micros, until: Micros) -> bool:
        """See `NodeStore.take_probe`."""
        change = Change(lambda work: nodes.take_probe(work, endpoint, now, until))
        return bool(await self._changes.submit(change))

    # -- tend --------------------------------------------------------------------------------------

    async def room(self) -> Room:
        """See `TendStore.room`."""
        # What was deleted last is counted, too: else it would be deleted once more.
        await self._rest.run(lambda work: work.rows(TELL_COUNTS, ()), "cannot read")
        return await self._own_reader.room()

    async def drop_days(self, before: Horizon) -> int | None:
        """See `TendStore.drop_days`."""
        dropped = await self._days.next_to_drop(before)
        if dropped is None:
            return None
        gone, staying = await self._let_go_of(dropped, before)
        if len(staying) > days.MOST_MOVED:
            self._days.put_off(dropped)
            return 0
        if not await self._days.drop(dropped, staying):
            self._days.put_off(dropped)
            return None  # no other day could be dropped either
        return gone

    async def _let_go_of(self, dropped: Dropped, before: Horizon) -> tuple[int, list[str]]:
        """Forget the keys of a day's events; how many may go, and which have to stay, if they are few."""
        staying: list[str] = []
        after, gone = dropped.low, 0
        while len(staying) <= days.MOST_MOVED:
            page = await self.examine(after, before, days.EXAMINED)
            page = [event for event in page if event.id < dropped.high]
            if not page:
                break
            going = [event.id for event in page if before.lets_go(event)]
            staying += [event.id for event in page if not before.lets_go(event)]
            await self._changes.submit(Change(partial(_forget, going)))
            gone, after = gone + len(going), page[-1].id
        return gone, staying

    async def erase(
        self, events: Sequence[EventId], now: Micros, entry: AuditEntry | None = None
    ) -> Erased:
        """See `TendStore.erase`."""
        erased: Erased = await self._change(erase, events, now, entry, self._vault)
        return erased

    async def empty_log(self) -> bool:
        """See `TendStore.empty_log`; the database's own log is out of reach."""
        return True

    async def give_back(self, most_bytes: int) -> None:
        """See `TendStore.give_back`; autovacuum does."""


async def _by_kind(
    operations: Sequence[Any],
    kind: type[Operation],
    do_all: Callable[[Sequence[Operation]], Awaitable[list[Any]]],
    do_one: Callable[[Change], Awaitable[Any]],
) -> list[Any]:
    """Do those of one kind together, and the others one by one; one result each.

    None is at fault for what another could not do: what is committed has been, whatever follows.
    """
    results: dict[int, Any] = {}
    chosen = [i for i, operation in enumerate(operations) if isinstance(operation, kind)]
    if chosen:
        outcomes: list[Any]
        try:
            outcomes = await _all_or_each([operations[i] for i in chosen], do_all)
        except StoreUnavailable as error:
            outcomes = [error] * len(chosen)
        results.update(zip(chosen, outcomes, strict=True))
    for i, operation in enumerate(operations):
        if i not in results:
            try:
                results[i] = await do_one(operation)
            except (StoreUnavailable, *OUR_FAULTS) as error:
                results[i] = error
    return [results[i] for i in range(len(operations))]


async def _all_or_each(
    operations: Sequence[Operation], do_all: Callable[[Sequence[Operation]], Awaitable[list[Any]]]
) -> list[Any]:
    """Do them together; where one of them cannot be done, the others without it."""
    try:
        return await do_all(operations)
    except OUR_FAULTS as error:
        if len(operations) == 1:
            return [error]
        return [result for each in operations for result in await _all_or_each([each], do_all)]


async def _forget(going: list[EventId], work: Work) -> None:
    """Delete what stands outside of the days, of events that go with theirs."""
    await work.do("forget_events", going)


async def _touch(work: Work) -> None:
    """Commit something that changes nothing: the commit is a real one, with its sync."""
    await work.do("touch")


def _nobody(_ready: Ready) -> None:
    """Told before anyone delivers."""
