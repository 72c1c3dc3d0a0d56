"""Verbs of `ports.Store` that are steps or questions, and so the same on every engine."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gateway.core.access import AuditEntry
from gateway.core.awaits import Asked, Reply, Verdict
from gateway.core.errors import BodyCorrupt, EventErased, LeaseLost
from gateway.core.listing import Listed, Listing
from gateway.core.model import (
    Delivery,
    Erased,
    Event,
    EventId,
    InboxEntry,
    Json,
    LaneMark,
    Micros,
    Refusal,
    Routed,
    Switch,
)
from gateway.core.plans import DuePlan
from gateway.core.register import Answer, Learned, Look
from gateway.core.retention import Examined, Horizon
from gateway.store import change
from gateway.store.acts import begin_act, take_back_act
from gateway.store.keeping import keep_entry
from gateway.store.leasing import expire
from gateway.store.own_secret import own_secret
from gateway.store.plans import end_plans, erase_plans_of, take_plans
from gateway.store.prune import prune_events, prune_others
from gateway.store.reading import LookUp, shown_event
from gateway.store.refusals import keep_refusals
from gateway.store.rows import event_of, packed
from gateway.store.vault import NO_DIGEST, Vault


class CommonVerbs:
    """What an engine's store is beside its own verbs: it says how steps are taken, in one commit."""

    def __init__(self, reader: LookUp, vault: Vault) -> None:
        self._reader = reader
        self._vault = vault

    async def _change(self, do: Any, *arguments: Any) -> Any:
        """Take the steps that *do* makes of *arguments*, all of them or none; what they come to."""
        raise NotImplementedError

    # -- append, lease -----------------------------------------------------------------------------

    async def keep(self, entry: InboxEntry) -> None:
        """See `AppendStore.keep`."""
        await self._change(keep_entry, entry, self._vault)

    async def keep_refusals(
        self, refusals: Sequence[Refusal], *, most: int, most_bytes: int
    ) -> None:
        """See `AppendStore.keep_refusals`."""
        await self._change(keep_refusals, refusals, most, most_bytes, self._vault)

    async def next_due(self) -> dict[str, Micros]:
        """See `LeaseStore.next_due`."""
        return await self._reader.next_due()

    async def expire(self, now: Micros, most: int) -> int:
        """See `LeaseStore.expire`."""
        return int(await self._change(expire, now, most))

    # -- acts --------------------------------------------------------------------------------------

    async def begin_act(self, delivery: Delivery, key: str, now: Micros) -> Micros | None:
        """See `ActStore.begin_act`."""
        held, begun_at = await self._change(begin_act, delivery, key, now)
        if not held:
            raise _lost(delivery)
        return None if begun_at is None else int(begun_at)

    async def take_back_act(self, delivery: Delivery, key: str) -> None:
        """See `ActStore.take_back_act`."""
        if not await self._change(take_back_act, delivery, key):
            raise _lost(delivery)

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

    async def page(self, listing: Listing, query: Mapping[str, Any]) -> Listed:
        """See `LookUpStore.page`."""
        return await self._reader.page(listing, query)

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
        return (await self._reader.attempts(event_id, n, n)).get(n, [])

    async def attempts_between(
        self, event_id: EventId, first: int, last: int
    ) -> dict[int, list[dict[str, Json]]]:
        """See `LookUpStore.attempts_between`."""
        return await self._reader.attempts(event_id, first, last)

    async def acts_between(self, event_id: EventId, first: int, last: int) -> dict[int, Micros]:
        """See `LookUpStore.acts_between`."""
        return await self._reader.acts_between(event_id, first, last)

    async def withheld(self, event_id: EventId) -> list[dict[str, Json]]:
        """See `LookUpStore.withheld`."""
        return await self._reader.withheld(event_id)

    async def inbox(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.inbox`."""
        return await self._reader.inbox(query)

    async def stats(self) -> dict[str, Json]:
        """See `LookUpStore.stats`."""
        return await self._reader.stats()

    async def entries(self, query: Mapping[str, Any]) -> tuple[list[str], str | None]:
        """See `LookUpStore.entries`."""
        return await self._reader.entries(query)

    async def inbox_entry(self, name: str) -> InboxEntry | None:
        """See `LookUpStore.inbox_entry`."""
        return await self._reader.inbox_entry(name)

    async def count_inbox(self, since: Micros) -> int:
        """See `LookUpStore.count_inbox`."""
        return await self._reader.count_inbox(since)

    async def audit(self, query: Mapping[str, Any]) -> list[dict[str, Json]]:
        """See `LookUpStore.audit`."""
        return await self._reader.audit(query)

    async def latest_event(self) -> Micros:
        """See `LookUpStore.latest_event`."""
        return await self._reader.latest_event()

    async def late_between(
        self, after: Micros, until: Micros
    ) -> dict[str, tuple[int, Micros, EventId]]:
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

    async def settle_entry(self, name: str, event_id: EventId, audit: AuditEntry) -> bool:
        """See `OperateStore.settle_entry`."""
        return bool(await self._change(change.settle_entry, name, event_id, audit))

    async def redeliver(
        self,
        event_id: EventId,
        n: int,
        now: Micros,
        entry: AuditEntry | None = None,
        *,
        act_again: bool = False,
    ) -> str | None:
        """See `OperateStore.redeliver`."""
        do = partial(change.redeliver, act_again=act_again)
        state: str | None = await self._change(do, event_id, n, now, entry)
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
        self,
        name: str,
        to: Switch,
        now: Micros,
        entry: AuditEntry | None = None,
        known: Switch | None = None,
    ) -> bool:
        """See `OperateStore.set_endpoint`."""
        return bool(await self._change(change.set_endpoint, name, to, now, entry, known))

    async def note_leased(self, now: Micros) -> None:
        """See `OperateStore.note_leased`."""
        await self._change(change.note_leased, now)

    async def note(self, entry: AuditEntry) -> None:
        """See `OperateStore.note`."""
        await self._change(change.note, entry)

    # -- tend --------------------------------------------------------------------------------------

    async def note_told(self, what: str, till: Micros, after: Micros | None = None) -> bool:
        """See `NoteStore.note_told`."""
        return bool(await self._change(change.note_told, what, till, after))

    async def position_of(self, source: str) -> str | None:
        """See `PositionStore.position_of`."""
        return await self._reader.position_of(source)

    async def note_position(self, source: str, position: str) -> None:
        """See `PositionStore.note_position`."""
        await self._change(change.note_position, source, position)

    async def take_confirmation(
        self, event_id: EventId, route: str, now: Micros, until: Micros
    ) -> bool:
        """See `NoteStore.take_confirmation`."""
        return bool(await self._change(change.take_confirmation, event_id, route, now, until))

    async def end_confirmation(self, event_id: EventId, route: str) -> None:
        """See `NoteStore.end_confirmation`."""
        await self._change(change.end_confirmation, event_id, route)

    # -- register ----------------------------------------------------------------------------------

    async def look(self, looks: Sequence[Look]) -> dict[Look, Answer]:
        """See `RegisterStore.look`."""
        return await self._reader.look(looks)

    async def register_entries(self, query: Mapping[str, Any]) -> Listed:
        """See `RegisterStore.register_entries`."""
        return await self._reader.register_entries(query)

    async def collections(self) -> list[dict[str, Json]]:
        """See `RegisterStore.collections`."""
        return await self._reader.collections()

    async def teach(
        self, learned: Sequence[Learned], now: Micros, entry: AuditEntry | None = None
    ) -> int:
        """See `OperateStore.teach`."""
        return int(await self._change(change.teach, learned, now, entry, self._vault))

    # -- plans -------------------------------------------------------------------------------------

    async def take_plans(self, now: Micros, until: Micros, most: int) -> list[DuePlan]:
        """See `PlanStore.take_plans`."""
        due: list[DuePlan] = await self._change(take_plans, now, until, most, self._vault)
        return due

    async def end_plans(self, names: Sequence[str]) -> None:
        """See `PlanStore.end_plans`."""
        await self._change(end_plans, names)

    async def drop_plan(self, name: str, entry: AuditEntry | None = None) -> bool:
        """See `PlanStore.drop_plan`."""
        return bool(await self._change(change.drop_plan, name, entry))

    async def decide(self, given: Reply, now: Micros, entry: AuditEntry | None = None) -> Verdict:
        """See `PlanStore.decide`."""
        verdict: Verdict = await self._change(change.decide, given, now, entry, self._vault)
        return verdict

    async def asked(self, planner: str, key: str, event_id: EventId) -> Asked:
        """See `PlanStore.asked`."""
        return await self._reader.asked(planner, key, event_id)

    async def own_secret(self, purpose: str, fresh: bytes) -> bytes:
        """See `PlanStore.own_secret`."""
        return bytes(await self._change(own_secret, purpose, fresh, self._vault))

    async def erase_plans_of(self, subject: str) -> int:
        """See `PlanStore.erase_plans_of`."""
        return int(await self._change(erase_plans_of, subject))

    async def plans(self, query: Mapping[str, Any]) -> Listed:
        """See `LookUpStore.plans`."""
        return await self._reader.plans(query)

    async def next_plan(self) -> Micros | None:
        """See `PlanStore.next_plan`."""
        return await self._reader.next_plan()

    async def endpoint_states(self) -> dict[str, dict[str, Json]]:
        """See `OperateStore.endpoint_states`."""
        return await self._reader.endpoint_states()

    async def lanes(self) -> dict[str, LaneMark]:
        """See `LookUpStore.lanes`."""
        return await self._reader.lanes()

    # -- tend --------------------------------------------------------------------------------------

    async def count_events(self) -> int:
        """See `TendStore.count_events`."""
        return await self._reader.count_events()

    async def examine(self, after: str, before: Horizon, most: int) -> list[Examined]:
        """See `TendStore.examine`."""
        return await self._reader.examine(after, before, most)

    async def prune(self, events: Sequence[EventId]) -> int:
        """See `TendStore.prune`."""
        return int(await self._change(prune_events, events))

    async def prune_others(self, before: Horizon, most: int) -> dict[str, int]:
        """See `TendStore.prune_others`."""
        gone: dict[str, int] = await self._change(prune_others, before, most)
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


def _lost(delivery: Delivery) -> LeaseLost:
    return LeaseLost(f"the lease on {delivery.id} ran out")


def _corrupt(event_id: EventId) -> BodyCorrupt:
    return BodyCorrupt(
        f"the stored bytes of {event_id} are not those that came",
        cure="restore the database from a backup, and check the disk",
    )
