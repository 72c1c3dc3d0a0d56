"""Events come to rest: deduplicated, kept with all their deliveries.

Most need nothing but to be written, and a batch of them is one statement. Those that take turns with
others, or fire once, are written in a transaction in which their turns are asked for.
"""

from collections.abc import Sequence
from typing import Any

from gateway.core.errors import StoreUnavailable
from gateway.core.model import Arrival, EventId, InboxEntry, Receipt
from gateway.store.keeping import (
    NONE,
    Append,
    Fresh,
    delivery_row,
    differs,
    event_row,
    failures_of,
    fire,
    inbox_row,
    keep_fresh,
    told_of,
    withheld_rows,
)
from gateway.store.postgres.database import Work
from gateway.store.postgres.vault import Keys
from gateway.store.steps import Row
from gateway.store.vault import Vault

MOST_TRIES = 5
"""So often an event is written anew whose key was there, and was gone when it was looked up."""


def _is_plain(append: Append) -> bool:
    """Whether its events only have to be written."""
    return not any(
        arrival.routed.firings
        or arrival.routed.confirmations
        or arrival.routed.plans
        or arrival.routed.replies
        or arrival.routed.learned
        or any(delivery.turn is not None for delivery in arrival.deliveries)
        for arrival in append.arrivals
    )


Known = tuple[EventId, bytes | None]
"""The event that has a key, and its body; None: it cannot be compared any more."""


async def append(work: Work, appends: Sequence[Append], keys: Keys) -> list[list[Receipt]]:
    """Do them all, in the order in which they came."""
    arrivals = [arrival for each in appends for arrival in each.arrivals]
    plain = all(_is_plain(each) for each in appends)
    keep = _keep_plain if plain else _keep_in_turn
    receipts: list[Receipt] = []
    # A statement cannot find out that two of its own rows have the same key.
    for batch in _without_twins(arrivals):
        receipts += await keep(work, batch, keys)
    left = iter(receipts)
    return [[next(left) for _ in each.arrivals] for each in appends]


def is_one_statement(appends: Sequence[Append]) -> bool:
    """Whether nothing of it needs a transaction around it."""
    arrivals = [arrival for each in appends for arrival in each.arrivals]
    return all(_is_plain(each) for each in appends) and len(_without_twins(arrivals)) == 1


def _without_twins(arrivals: Sequence[Arrival]) -> list[list[Arrival]]:
    """Arrivals in their order, cut wherever a key comes again."""
    batches: list[list[Arrival]] = [[]]
    seen: set[tuple[str, str]] = set()
    for arrival in arrivals:
        event = arrival.event
        if event.key is not None:
            if (event.source, event.key) in seen:
                batches.append([])
                seen.clear()
            seen.add((event.source, event.key))
        batches[-1].append(arrival)
    return batches


async def _keep_plain(work: Work, arrivals: Sequence[Arrival], keys: Keys) -> list[Receipt]:
    fresh: set[str] = set()
    known: dict[tuple[str, str | None], Known] = {}
    left = arrivals
    for _ in range(MOST_TRIES):
        fresh |= await _write_plain(work, left, keys.vault)
        known |= await _known(work, left, fresh, keys)
        # Between the two statements a key may have been let go of; in a transaction it is locked.
        left = [a for a in left if a.event.event_id not in fresh and _key_of(a) not in known]
        if not left:
            break
    else:
        raise StoreUnavailable(
            "cannot commit: keys of events come and go", cure="it goes on by itself"
        )
    entries = _differing(arrivals, fresh, known)
    await work.insert("keep_in_inbox", [inbox_row(entry, keys.vault) for entry in entries])
    return [_receipt(arrival, fresh, known) for arrival in arrivals]


async def _write_plain(work: Work, arrivals: Sequence[Arrival], vault: Vault) -> set[str]:
    """Write those that are no duplicates; which they were."""
    events = [(*event_row(a, NONE, vault), a.since) for a in arrivals]
    sent = [
        delivery_row(d, a.event.received_at, a.event.received_at, d.lease, vault)
        for a in arrivals
        for d in a.deliveries
    ]
    withheld = [
        row
        for a in arrivals
        if a.routed.withheld
        for row in withheld_rows(a.event.event_id, a.routed, NONE, a.event.received_at)
    ]
    noted = [inbox_row(e, vault) for a in arrivals if a.routed.failures for e in failures_of(a)]
    found = await work.do(
        "append_plain",
        *columns(events, 18),
        *columns(sent, 16),
        *columns(withheld, 5),
        *columns(noted, 10),
    )
    return {name for (name,) in found}


async def _keep_in_turn(work: Work, arrivals: Sequence[Arrival], keys: Keys) -> list[Receipt]:
    keyed = [
        (a.event.event_id, a.event.source, a.event.key, a.event.received_at, a.since)
        for a in arrivals
        if a.event.key is not None
    ]
    taken = await work.do("take_keys", *columns(keyed, 5)) if keyed else []
    fresh = {name for (name,) in taken}
    fresh |= {a.event.event_id for a in arrivals if a.event.key is None}
    known = await _known(work, arrivals, fresh, keys)
    kept: list[Fresh] = []
    entries = _differing(arrivals, fresh, known)
    for arrival in arrivals:
        event = arrival.event
        if event.event_id in fresh:
            fired = await work.take(fire(event.event_id, arrival.routed, event.received_at))
            kept.append((arrival, fired))
            entries += failures_of(arrival)
    waiting = await work.take(keep_fresh(kept, entries, keys.vault))
    fired_before = {arrival.event.event_id: fired for arrival, fired in kept}
    receipts = [_receipt(arrival, fresh, known, fired_before) for arrival in arrivals]
    return told_of(waiting, [receipts])[0]


async def _known(
    work: Work, arrivals: Sequence[Arrival], fresh: set[str], keys: Keys
) -> dict[tuple[str, str | None], Known]:
    """The events whose keys others have brought again."""
    sought = [_key_of(a) for a in arrivals if a.event.event_id not in fresh]
    if not sought:
        return {}
    found: dict[tuple[str, str | None], Known] = {}
    for source, key, name, _, body, data_key, erased_at in await work.do(
        "find_duplicates", *columns(sought, 2)
    ):
        opened = None
        if body is not None and erased_at is None:
            await keys.learn(work, [data_key])
            opened = keys.vault.open(data_key, f"events.body:{name}", body)
        found[source, key] = (EventId(name), opened)
    return found


def _key_of(arrival: Arrival) -> tuple[str, str | None]:
    return arrival.event.source, arrival.event.key


def _differing(
    arrivals: Sequence[Arrival], fresh: set[str], known: dict[tuple[str, str | None], Known]
) -> list[InboxEntry]:
    entries = []
    for arrival in arrivals:
        event = arrival.event
        if event.event_id not in fresh and not arrival.composed:
            first, body = known[_key_of(arrival)]
            if body not in (event.body, None):
                entries.append(differs(event, first))
    return entries


def _receipt(
    arrival: Arrival,
    fresh: set[str],
    known: dict[tuple[str, str | None], Known],
    fired_before: dict[EventId, frozenset[str]] | None = None,
) -> Receipt:
    event = arrival.event
    if event.event_id not in fresh:
        return Receipt(known[_key_of(arrival)][0], duplicate=True)
    fired = (fired_before or {}).get(event.event_id, NONE)
    return Receipt(event.event_id, duplicate=False, fired_before=fired)


def columns(rows: Sequence[Row], count: int) -> list[list[Any]]:
    """Rows as so many columns: each is one parameter."""
    return (
        [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]
    )
