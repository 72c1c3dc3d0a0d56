"""What came of attempts: what engines have in common of writing it down."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from operator import itemgetter

from gateway.core.model import Attempt, Delivery, LaneMark
from gateway.core.retry import Decision, Finish, GiveUp, Park
from gateway.store.keeping import inbox_row
from gateway.store.plans import note_plans
from gateway.store.rows import calls_of, moved_by
from gateway.store.steps import Do, Insert, Row, Steps
from gateway.store.turns import let_others_go, moved_of, supersede_if_older
from gateway.store.vault import Vault


@dataclass(slots=True)
class Record:
    """Write down an attempt, and what was decided upon it."""

    delivery: Delivery
    attempt: Attempt
    decision: Decision


def close_parked(records: Sequence[Record]) -> Steps[None]:
    """Write down the state of endpoints that attempts have closed."""
    for each in records:
        if isinstance(each.decision, Park):
            ended_at = each.attempt.started_at + each.attempt.duration
            park = each.decision
            yield Do("close_endpoint", (each.delivery.endpoint, park.state, park.reason, ended_at))


def note_lanes(records: Sequence[Record]) -> Steps[None]:
    """Write down what attempts have changed for their lanes."""
    marks: dict[str, LaneMark] = {}
    for each in records:
        name, mark = each.delivery.endpoint, each.attempt.lane
        if mark is not None:
            before = marks.get(name)
            learned = mark.learned or (before is not None and before.learned)
            marks[name] = replace(mark, learned=learned)
    for name, mark in sorted(marks.items(), key=itemgetter(0)):
        yield Do("note_lane", {"name": name, **asdict(mark)})


def follow(records: Sequence[Record], vault: Vault) -> Steps[None]:
    """Write down what follows from answers: the events that are to be made of them, and what the inbox is told."""
    for each in records:
        delivery, attempt = each.delivery, each.attempt
        if attempt.plans:
            place = f"d{delivery.n}_"
            yield from note_plans(delivery.event.event_id, attempt.plans, vault, place)
        yield Insert("keep_in_inbox", [inbox_row(entry, vault) for entry in attempt.noted])


def let_those_go(records: Sequence[Record]) -> Steps[None]:
    """Let those go on that waited for deliveries that were attempted."""
    all_moved, latest = [], 0
    for each in records:
        moved = moved_of(each.delivery)
        if moved is None:
            continue
        all_moved.append(moved)
        ended_at = each.attempt.started_at + each.attempt.duration
        latest = max(latest, ended_at)
        turn = each.delivery.turn
        if (
            turn is not None
            and turn.slot is not None
            and not isinstance(each.decision, (Finish, GiveUp))
        ):
            yield from supersede_if_older(moved.event_id, moved.n, turn.slot, ended_at)
    yield from let_others_go(all_moved, latest)


def move_row(each: Record) -> Row:
    """Where an outcome moves its delivery: its name, the lease, and the columns of `Moved`, attempts second."""
    delivery, attempt = each.delivery, each.attempt
    moved = moved_by(each.decision, attempt.started_at + attempt.duration)
    return (
        delivery.event.event_id,
        delivery.n,
        delivery.lease.token if delivery.lease else None,
        moved.state,
        attempt.number,
        moved.due_at,
        moved.finished_at,
        moved.reason,
    )


def attempt_row(each: Record, vault: Vault) -> Row:
    """An attempt's columns, in the order of append_attempts.sql."""
    attempt = each.attempt
    event_id, n, excerpt = each.delivery.event.event_id, each.delivery.n, attempt.excerpt
    if vault.current is not None and excerpt is not None:
        place = attempt_place(event_id, n, attempt.number)
        excerpt = b64encode(vault.seal(place, excerpt.encode("utf-8", "replace"))).decode("ascii")
    return (
        event_id,
        n,
        attempt.number,
        attempt.started_at,
        attempt.duration,
        attempt.outcome,
        attempt.status,
        attempt.reason,
        excerpt,
        calls_of(attempt),
        None if excerpt is None else vault.current,
    )


def attempt_place(event_id: str, n: int, number: int) -> str:
    """To what the excerpt of an attempt is bound."""
    return f"attempts.excerpt:{event_id}/{n}/{number}"
