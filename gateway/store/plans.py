"""Planned events (core/plans.py): what engines have in common of keeping them, and of taking those that are due.

Those that wait for an answer (core/awaits.py) are due when that is given, if nobody gave one before.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from gateway.core.awaits import Asked, Reply, Verdict, with_more
from gateway.core.listing import Listed
from gateway.core.model import EventId, Micros
from gateway.core.plans import AWAITS, DuePlan, Plan, Planned, plan_id
from gateway.store.questions import Questions, limit_of, with_times
from gateway.store.steps import Do, Insert, Lock, Row, Steps
from gateway.store.vault import Vault

PLAN_COLUMNS = ("id", "planner", "key", "due_at", "type", "subject", "event_id")
PLANS = f"SELECT {', '.join(PLAN_COLUMNS)} FROM plans"  # noqa: S608


class _Awaited(NamedTuple):
    """A plan of a question: an answer that may come, or what comes while there is none. As read_awaited.sql has it."""

    id: str
    event_id: EventId
    due_at: Micros
    subject: str | None
    says: bytes
    data_key: int | None
    answer: str | None
    """None: it comes when it is due."""


def note_plans(cause: EventId, plans: Sequence[Plan], vault: Vault, place: str = "") -> Steps[None]:
    """Write down what is planned of an event, each in the place of what an older event of its key had planned.

    *place* tells apart what is planned of one event at different times.
    """
    i = 0
    for plan in plans:
        if plan.asks:
            yield Lock([lock_of(plan)])
            if (yield from _has_asked(plan, cause)):
                continue
        if plan.as_of is not None:
            given = (plan.planner, plan.key, plan.as_of, cause)
            if not (yield Do("note_planned_for", given)):
                continue
            about = plan.planner, plan.key
            yield Do("drop_waiting", about * 2) if plan.asks else Do("drop_plans", about)
        rows = []
        for planned in plan.events:
            rows.append(_row(plan_id(cause, f"{place}{i}"), cause, plan, planned, vault))
            i += 1
        yield Insert("append_plans", rows)


def lock_of(what: Plan | Reply) -> str:
    """Asking about a key and answering take turns: an answer is not to meet half of a newer question."""
    return f"plans/{what.planner}/{what.key}"


def _has_asked(plan: Plan, cause: EventId) -> Steps[bool]:
    """Whether an event has put its question before."""
    found = yield Do("read_planned_for", (plan.planner, plan.key))
    return bool(found) and found[0][0] == cause


def _row(name: str, cause: EventId, plan: Plan, planned: Planned, vault: Vault) -> Row:
    """A planned event's columns, in the order of append_plans.sql."""
    told = orjson.loads(planned.made)
    return (
        name,
        plan.planner,
        plan.key,
        planned.due_at,
        int(plan.nearest),
        cause,
        told["type"],
        told.get("subject"),
        _sealed(name, planned.made, vault),
        vault.current,
        planned.answer,
    )


def take_plans(now: Micros, until: Micros, most: int, vault: Vault) -> Steps[list[DuePlan]]:
    """Those that are due, the first first: they are nobody else's until then."""
    rows = yield Do("take_plans", {"now": now, "until": until, "most": most})
    yield from _unlock(vault, [row[5] for row in rows])
    due = [
        DuePlan(
            name, planner, key, due_at, vault.open(data_key, _place_of(name), made), bool(missed)
        )
        for name, planner, key, due_at, made, data_key, missed in rows
    ]
    return sorted(due, key=lambda each: (each.due_at, each.id))


def end_plans(names: Sequence[str]) -> Steps[None]:
    """They were made, or missed."""
    yield from _end_answers((yield Do("end_plans", (list(names),))))


def drop_plan(name: str) -> Steps[bool]:
    """One is not to be made; whether it still was to be."""
    found = yield Do("drop_plan", (name,))
    for *question, due_at in found:
        if question[0].startswith(AWAITS):
            left = yield from _awaited(*question)
            if not any(each.answer is None and each.due_at > due_at for each in left):
                yield Do("end_question", question)  # without its end, there is none
    return bool(found)


def _end_answers(gone: Sequence[Row]) -> Steps[None]:
    """Nobody can answer any more where what ends the waiting has come, or is not to come."""
    for question in dict.fromkeys(map(tuple, gone)):
        if question[0].startswith(AWAITS):
            left = yield from _awaited(*question)
            if all(each.answer is not None for each in left):
                yield Do("end_answers", question)


def decide(given: Reply, now: Micros, vault: Vault) -> Steps[Verdict]:
    """Have the event come that an answer leads to, if nobody has answered before, and time is not up."""
    yield Lock([lock_of(given)])
    chosen = yield from _chosen(given, now)
    if chosen is None:
        return (yield from _before(given))
    question = given.planner, given.key, chosen.event_id
    says, data_key = bytes(chosen.says), chosen.data_key
    yield from _unlock(vault, [data_key])
    made = vault.open(data_key, _place_of(chosen.id), says)
    if made is not None:  # else the inbox is told when it is to be made
        says, data_key = _sealed(chosen.id, with_more(made, given.told), vault), vault.current
    yield Do("give_answer", (now, says, data_key, chosen.id))
    yield Do("end_answers", question)
    yield Do("note_answered", (given.answer, given.at, *question))
    return Verdict(decided=True, answered=given.answer, answered_at=given.at)


def _chosen(given: Reply, now: Micros) -> Steps[_Awaited | None]:
    """The plan of an answer, if it counts: then nothing else of its question waits any more."""
    plans = yield from _awaited(given.planner, given.key, given.event_id)
    chosen = next((each for each in reversed(plans) if each.answer == given.answer), None)
    if chosen is None:
        return None
    waiting = [each for each in plans if each.event_id == chosen.event_id and each.answer is None]
    # The last comes where nobody answers. Once it is due, nobody knows whether it has been made.
    if not waiting or waiting[-1].due_at <= now:
        return None
    question = given.planner, given.key, chosen.event_id
    ended = {name for (name,) in (yield Do("end_waiting", (*question, now)))}
    if waiting[-1].id not in ended:
        return None  # a node whose clock is ahead is making it
    return chosen


def _awaited(planner: str, key: str, event_id: EventId | None = None) -> Steps[list[_Awaited]]:
    """The plans of the questions about a key, or of that which an event put, the first due first."""
    found = [_Awaited._make(row) for row in (yield Do("read_awaited", (planner, key)))]
    return [each for each in found if event_id in (None, each.event_id)]


def _before(given: Reply) -> Steps[Verdict]:
    """What was answered before, if anything was."""
    for event_id, answered, answered_at in (
        yield Do("read_planned_for", (given.planner, given.key))
    ):
        if given.event_id in (None, event_id):
            return Verdict(decided=False, answered=answered, answered_at=answered_at)
    return Verdict(decided=False, asked=False)


def _unlock(vault: Vault, data_keys: Sequence[int | None]) -> Steps[None]:
    """Know the keys of what is to be opened."""
    if not vault.knows(*data_keys):
        vault.unlock((yield Do("read_data_keys")))


def erase_plans_of(subject: str) -> Steps[int]:
    """Nothing is made any more that would tell of *subject*; how many would have."""
    gone = yield Do("erase_plans_of", (subject,))
    yield from _end_answers(gone)
    return len(gone)


def _sealed(name: str, made: bytes, vault: Vault) -> bytes:
    return made if vault.current is None else vault.seal(_place_of(name), made)


def _place_of(name: str) -> str:
    """To what the sealed bytes of one are bound."""
    return f"plans.says:{name}"


class PlanQuestions(Questions):
    """What is asked of planned events."""

    async def plans(self, query: Mapping[str, Any]) -> Listed:
        """A page of planned events, the next first."""
        conditions, given = ["for_answer IS NULL"], []
        for column in ("planner", "key", "event_id", "type", "id"):
            if (value := query.get(column)) is not None:
                conditions.append(f"{column} = ?")
                given.append(value)
        if (until := query.get("until")) is not None:
            conditions.append("due_at < ?")
            given.append(until)
        if (cursor := query.get("cursor")) is not None:
            due_at, _, name = cursor.partition("/")
            conditions.append("(due_at, id) > (?, ?)")
            given += [int(due_at), name]
        where = f" WHERE {' AND '.join(conditions)}"
        limit = limit_of(query)
        rows = await self.rows(f"{PLANS}{where} ORDER BY due_at, id LIMIT {limit}", given)
        items = [dict(zip(PLAN_COLUMNS, row, strict=True)) for row in rows]
        following = f"{items[-1]['due_at']}/{items[-1]['id']}" if len(items) == limit else None
        return Listed([with_times(item) for item in items], following)

    async def asked(self, planner: str, key: str, event_id: EventId) -> Asked:
        """What may be answered to an event, or was."""
        found = map(_Awaited._make, await self.run("read_awaited", (planner, key)))
        plans = [each for each in found if each.event_id == event_id]
        answers = [each.answer for each in plans if each.answer is not None]
        waiting = [each for each in plans if each.answer is None]
        if answers and waiting:
            return Asked(waiting[-1].subject, waiting[-1].due_at, answers)
        for cause, answered, answered_at in await self.run("read_planned_for", (planner, key)):
            if cause == event_id:
                return Asked(None, None, (), answered, answered_at)
        return Asked(None, None)

    async def next_plan(self) -> Micros | None:
        """When the next planned event is due."""
        ((due_at,),) = await self.run("next_plan")
        return None if due_at is None else int(due_at)
