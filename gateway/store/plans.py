"""Planned events (core/plans.py): what engines have in common of keeping them, and of taking those that are due."""

from collections.abc import Sequence

import orjson

from gateway.core.model import EventId, Micros
from gateway.core.plans import DuePlan, Plan, Planned, plan_id
from gateway.store.steps import Do, Insert, Row, Steps
from gateway.store.vault import Vault


def note_plans(cause: EventId, plans: Sequence[Plan], vault: Vault, place: str = "") -> Steps[None]:
    """Write down what is planned of an event, each in the place of what an older event of its key had planned.

    *place* tells apart what is planned of one event at different times.
    """
    i = 0
    for plan in plans:
        if plan.as_of is not None:
            given = (plan.planner, plan.key, plan.as_of, cause)
            if not (yield Do("note_planned_for", given)):
                continue
            yield Do("drop_plans", (plan.planner, plan.key))
        rows = []
        for planned in plan.events:
            rows.append(_row(plan_id(cause, f"{place}{i}"), cause, plan, planned, vault))
            i += 1
        yield Insert("append_plans", rows)


def _row(name: str, cause: EventId, plan: Plan, planned: Planned, vault: Vault) -> Row:
    """A planned event's columns, in the order of append_plans.sql."""
    told, made = orjson.loads(planned.made), planned.made
    if vault.current is not None:
        made = vault.seal(_place_of(name), made)
    return (
        name,
        plan.planner,
        plan.key,
        planned.due_at,
        int(plan.nearest),
        cause,
        told["type"],
        told.get("subject"),
        made,
        vault.current,
    )


def take_plans(now: Micros, until: Micros, most: int, vault: Vault) -> Steps[list[DuePlan]]:
    """Those that are due, the first first: they are nobody else's until then."""
    rows = yield Do("take_plans", {"now": now, "until": until, "most": most})
    if not vault.knows(*(row[5] for row in rows)):
        vault.unlock((yield Do("read_data_keys")))
    due = [
        DuePlan(
            name, planner, key, due_at, vault.open(data_key, _place_of(name), made), bool(missed)
        )
        for name, planner, key, due_at, made, data_key, missed in rows
    ]
    return sorted(due, key=lambda each: (each.due_at, each.id))


def end_plans(names: Sequence[str]) -> Steps[None]:
    """They were made, or missed."""
    yield Do("end_plans", (list(names),))


def erase_plans_of(subject: str) -> Steps[int]:
    """Nothing is made any more that would tell of *subject*; how many would have."""
    return len((yield Do("erase_plans_of", (subject,))))


def _place_of(name: str) -> str:
    """To what the sealed bytes of one are bound."""
    return f"plans.says:{name}"
