"""What operators change: redeliver, cancel, replay; and the state of endpoints."""

from collections.abc import Sequence

from gateway.core.access import AuditEntry
from gateway.core.awaits import Reply, Verdict
from gateway.core.model import OPEN, EventId, Micros, Routed, Switch
from gateway.core.register import Learned
from gateway.store import plans
from gateway.store.acts import forget_acts
from gateway.store.keeping import append_deliveries, fire, note_withheld
from gateway.store.register import learn
from gateway.store.steps import Do, Lock, Steps
from gateway.store.turns import Moved, let_others_go, wait_again
from gateway.store.vault import Vault


def redeliver(
    event_id: EventId, n: int, now: Micros, entry: AuditEntry | None, *, act_again: bool = False
) -> Steps[str | None]:
    """Put a dead or cancelled delivery back on schedule; the state that it was in."""
    state = yield from _state(event_id, n)
    if (yield from put_back(event_id, n, now)):
        if act_again:
            yield from forget_acts(event_id, n)
        yield from note(entry)
    return state


def put_back(event_id: EventId, n: int, due_at: Micros) -> Steps[bool]:
    """Have a dead or cancelled delivery due then, with its whole schedule before it; whether it was one.

    What was cancelled because this one had not been delivered waits for it again.
    """
    found = yield Do("redeliver", (due_at, event_id, n))
    for (leads,) in found:
        if leads:
            yield from wait_again(event_id)
    return bool(found)


def cancel(
    event_id: EventId, n: int, now: Micros, reason: str, entry: AuditEntry | None
) -> Steps[str | None]:
    """Cancel a scheduled delivery; the state that it was in."""
    state = yield from _state(event_id, n)
    moved = [Moved(*row) for row in (yield Do("cancel", (now, reason, event_id, n)))]
    if moved:
        yield from let_others_go(moved, now)
        yield from note(entry)
    return state


def settle_entry(name: str, event_id: EventId, audit: AuditEntry | None) -> Steps[bool]:
    """Note of which event an entry of the inbox is, now that it could be read; whether nobody did before."""
    settled = yield Do("settle_entry", (event_id, name))
    if settled:
        yield from note(audit)
    return bool(settled)


def _state(event_id: EventId, n: int) -> Steps[str | None]:
    for (state,) in (yield Do("read_state", (event_id, n))):
        return str(state)
    return None


def replay(
    event_id: EventId, routed: Routed, now: Micros, entry: AuditEntry | None, vault: Vault
) -> Steps[list[int]]:
    """Add new deliveries to a stored event, numbered after those it has; their numbers.

    None are added where it was pruned or erased since it was read.
    """
    yield Lock([event_id])  # or two that route it again would give the same numbers
    if (yield Do("read_erased", (event_id,))) != [(None,)]:
        return []
    ((first,),) = yield Do("count_deliveries", (event_id,))
    fired = yield from fire(event_id, routed, now)
    yield from note_withheld(event_id, routed, fired, now)
    kept = [delivery for delivery in routed.deliveries if delivery.route not in fired]
    for n, delivery in enumerate(kept, start=first):
        delivery.n = n
    yield from append_deliveries([(delivery, now) for delivery in kept], vault, again=True)
    # What schedules plan of it, and what it has not asked yet; but what routes make of it at once they have made.
    planned = [plan for plan in routed.plans if plan.route is None or plan.asks]
    yield from plans.note_plans(event_id, planned, vault, f"{int(now)}_")
    yield from learn(routed.learned, event_id, now, vault)
    yield from note(entry)
    return [delivery.n for delivery in kept]


def set_endpoint(
    name: str, to: Switch, now: Micros, entry: AuditEntry | None, known: Switch | None
) -> Steps[bool]:
    """Write down an endpoint's state, if it is as it is *known*: whether it was.

    An open one has no row, and its breaker is closed.
    """
    yield Lock([f"endpoint {name}"])  # an open one has no row to lock
    if known is not None:
        found = yield Do("read_endpoint", (name,))
        if known != (Switch(*found[0]) if found else OPEN):
            return False
    if to == OPEN:
        yield Do("open_endpoint", (name,))
        yield Do("reopen_lane", (name,))
    else:
        yield Do("close_endpoint", (name, *to, now))
    yield from note(entry)
    return True


def drop_plan(name: str, entry: AuditEntry | None) -> Steps[bool]:
    """A person does not want it to be made; whether it was still to be."""
    found = yield from plans.drop_plan(name)
    if found:
        yield from note(entry)
    return found


def decide(given: Reply, now: Micros, entry: AuditEntry | None, vault: Vault) -> Steps[Verdict]:
    """Have an answer count, if none did before."""
    verdict = yield from plans.decide(given, now, vault)
    if verdict.decided:
        yield from note(entry)
    return verdict


def teach(
    learned: Sequence[Learned], now: Micros, entry: AuditEntry | None, vault: Vault
) -> Steps[int]:
    """Keep what a person tells of things; of how many nothing newer is known."""
    kept = yield from learn(learned, None, now, vault)
    yield from note(entry)
    return kept


def note_leased(now: Micros) -> Steps[None]:
    """Have what is leased count as begun, at the latest now: nobody knows whether it was."""
    yield Do("note_leased", (now,))


def note(entry: AuditEntry | None) -> Steps[None]:
    """Write an entry of the audit log, in the commit of what it tells of."""
    if entry is not None:
        yield Do(
            "note_audit",
            (
                entry.id,
                entry.at,
                entry.who,
                entry.address,
                entry.action,
                entry.object,
                entry.outcome,
            ),
        )


def note_told(what: str, till: Micros, after: Micros | None) -> Steps[bool]:
    """Write down up to which moment something has been reported, if that was *after* until now."""
    return bool((yield Do("note_told", (what, till, after))))


def note_position(source: str, position: str) -> Steps[None]:
    """Write down up to where a source was read."""
    yield Do("note_position", (source, position))


def take_confirmation(event_id: EventId, route: str, now: Micros, until: Micros) -> Steps[bool]:
    """Whether a confirmation that is due is the caller's to look at: it is nobody else's until then."""
    facts = {"event_id": event_id, "route": route, "now": now, "until": until}
    return bool((yield Do("take_confirmation", facts)))


def end_confirmation(event_id: EventId, route: str) -> Steps[None]:
    """A confirmation is over."""
    yield Do("end_confirmation", (event_id, route))
