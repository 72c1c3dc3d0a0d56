"""Planned events, on every engine: kept with what they follow from, replaced, taken, let go of."""

import asyncio
import json

from gateway.core.access import AuditEntry
from gateway.core.awaits import Asked, Reply, Verdict
from gateway.core.model import (
    FOREVER,
    SECOND,
    InboxEntry,
    Routed,
    inbox_id,
    rfc3339,
    rfc3339_moment,
)
from gateway.core.plans import Plan, Planned
from gateway.core.retention import Retention, horizon
from gateway.core.retry import Finish
from gateway.core.schedules import DAY
from tests.kit.build import NOW, an_arrival, an_event
from tests.store.test_contract import an_attempt

UNTIL = NOW + 60 * SECOND


def says(kind: str = "license.expiring", subject: str | None = "license/1") -> bytes:
    told = {"type": kind, "subject": subject, "hopcount": 1, "data": {"odd": "a\0b ü"}}
    return json.dumps({name: value for name, value in told.items() if value is not None}).encode()


def a_plan(*due: int, key: str = "lic_1", as_of: int | None = NOW, **more) -> Plan:
    given = {"planner": "schedules/expiry", "nearest": True, **more}
    return Plan(key=key, events=tuple(Planned(at, says()) for at in due), as_of=as_of, **given)


async def plan(store, *plans: Plan, **more):
    """Append an event that plans these."""
    arrival = an_arrival(an_event(**more), to=(), plans=plans)
    await store.append([arrival])
    return arrival.event


async def dues(store, **query) -> list[int]:
    """How long after NOW what is planned is due."""
    page = await store.plans(query)
    return [rfc3339_moment(each["due_at"]) - NOW for each in page.items]


async def test_what_is_planned_is_listed_by_the_moment_it_is_due(store):
    event = await plan(store, a_plan(NOW + 2 * DAY, NOW + DAY), a_plan(NOW + DAY, key="\0"))
    page = await store.plans({"limit": 2})
    assert [each["key"] for each in page.items] == ["lic_1", "\0"]
    assert page.items[0] == {
        "id": page.items[0]["id"],
        "planner": "schedules/expiry",
        "key": "lic_1",
        "due_at": page.items[0]["due_at"],
        "type": "license.expiring",
        "subject": "license/1",
        "event_id": event.event_id,
    }
    rest = await store.plans({"limit": 2, "cursor": page.next})
    assert (len(rest.items), rest.next) == (1, None)
    assert await dues(store, key="lic_1", until=NOW + 2 * DAY) == [DAY]
    assert await dues(store, planner="schedules/other") == []
    assert await store.next_plan() == NOW + DAY


async def test_the_plan_of_a_newer_event_replaces_that_of_an_older(store):
    await plan(store, a_plan(NOW + DAY, NOW + 2 * DAY))
    await plan(store, a_plan(NOW + 9 * DAY, as_of=NOW + 2))
    assert await dues(store) == [9 * DAY]
    await plan(store, a_plan(NOW + 3 * DAY, as_of=NOW + 1))
    assert await dues(store) == [9 * DAY]
    await plan(store, a_plan(as_of=NOW + 3))
    assert await dues(store) == []
    await plan(store, a_plan(NOW + 3 * DAY, as_of=NOW + 2))
    assert await dues(store) == []
    await plan(store, a_plan(NOW + 3 * DAY, as_of=NOW + 3))
    assert await dues(store) == [3 * DAY]


async def test_of_two_events_in_one_commit_the_newer_counts(store):
    newer, older = (
        an_arrival(to=(), plans=[a_plan(NOW + days * DAY, as_of=NOW + as_of)])
        for days, as_of in ((5, 2), (9, 1))
    )
    await store.append([newer, older])
    assert await dues(store) == [5 * DAY]


async def test_a_duplicate_plans_nothing_nor_does_a_route_that_has_fired(store):
    await plan(store, key="same")
    await plan(store, a_plan(NOW + DAY), key="same")
    first, again = (
        an_arrival(
            to=(), firings={"r": "v"}, plans=[a_plan(NOW + DAY, key=str(n), as_of=None, route="r")]
        )
        for n in range(2)
    )
    await store.append([first])
    (receipt,) = await store.append([again])
    assert receipt.fired_before == {"r"}
    assert [each["key"] for each in (await store.plans({})).items] == ["0"]


async def test_what_is_due_is_taken_by_one_and_is_due_again_where_it_is_not_ended(store):
    await plan(store, a_plan(NOW + 2, key="b"), a_plan(NOW + 1, key="a"), a_plan(NOW + DAY))
    due = await store.take_plans(NOW + 2, UNTIL, 10)
    assert [(each.key, each.due_at - NOW, each.missed) for each in due] == [
        ("a", 1, False),
        ("b", 2, False),
    ]
    assert json.loads(due[0].made or b"")["data"] == {"odd": "a\0b ü"}
    assert await store.take_plans(NOW + 2, UNTIL, 10) == []
    await store.end_plans([due[0].id])
    (again,) = await store.take_plans(UNTIL, UNTIL + 1, 10)
    assert again.id == due[1].id
    assert await store.take_plans(UNTIL + 2, UNTIL + 9, 0) == []


async def test_of_several_of_a_key_that_are_due_the_latest_is_meant(store):
    await plan(
        store,
        a_plan(NOW + 1, NOW + 2, NOW + DAY),
        a_plan(NOW + 1, NOW + 2, key="all", nearest=False),
    )
    due = await store.take_plans(NOW + 2, UNTIL, 10)
    assert sorted((each.key, each.due_at - NOW, each.missed) for each in due) == [
        ("all", 1, False),
        ("all", 2, False),
        ("lic_1", 1, True),
        ("lic_1", 2, False),
    ]


async def test_what_was_missed_is_known_also_where_it_is_taken_by_itself(store):
    await plan(store, a_plan(NOW + 1, NOW + 2))
    (first,) = await store.take_plans(NOW + 2, UNTIL, 1)
    assert first.missed


async def test_what_follows_from_an_answer_is_kept_with_it(store):
    arrival = an_arrival(leased=True)
    await store.append([arrival])
    (delivery,) = arrival.deliveries
    attempt = an_attempt()
    attempt.plans = [a_plan(NOW, as_of=None, key=delivery.id)]
    event_id = arrival.event.event_id
    attempt.noted = [
        InboxEntry(
            id=f"{inbox_id(event_id)}_d0", source="getty", code="expression-failed", detail="x",
            received_at=NOW, content_type="", body=b"", event_id=event_id,
        )
    ]  # fmt: skip
    await store.record(delivery, attempt, Finish())
    (planned,) = (await store.plans({"event_id": event_id})).items
    assert planned["key"] == delivery.id
    (entry,) = await store.inbox({})
    assert entry["event_id"] == event_id


async def test_an_operator_can_keep_one_from_being_made(store):
    await plan(store, a_plan(NOW + DAY))
    (planned,) = (await store.plans({})).items
    entry = AuditEntry(
        id="aud_1", at=NOW, who="me", address="", action="cancel_plan", object=planned["id"]
    )
    assert await store.drop_plan(planned["id"], entry)
    assert not await store.drop_plan(planned["id"], entry)
    assert await dues(store) == []
    assert [each["action"] for each in await store.audit({})] == ["cancel_plan"]


async def test_what_would_tell_of_a_subject_is_erased_by_its_event_and_by_itself(store):
    event = await plan(store, a_plan(NOW + DAY), subject="person/1")
    await store.erase([event.event_id], NOW)
    assert await dues(store) == []
    await plan(store, a_plan(NOW + DAY, key="other"))
    assert await store.erase_plans_of("person/1") == 0
    assert await store.erase_plans_of("license/1") == 1
    assert await dues(store) == []


async def test_that_something_was_planned_is_forgotten_when_nothing_older_can_come(store):
    await plan(store, a_plan(key="over"), a_plan(NOW + DAY, key="planned"))
    await store.prune_others(horizon(Retention(once=0), {}, NOW + 1, too_large=False), 10)
    await plan(store, a_plan(NOW + DAY, key="over", as_of=1), a_plan(key="planned", as_of=1))
    assert await dues(store) == [DAY, DAY]


# -- answers -------------------------------------------------------------------------------------------


def a_question(until: int = NOW + DAY, as_of: int = NOW, *, key: str = "req_1", **more) -> Plan:
    """What may come of asking: `license.approved`, or what comes in a day, or on the way there."""
    events = (
        Planned(until, says("license.rejected")),
        Planned(until - SECOND, says("license.overdue")),
        Planned(FOREVER, says("license.approved"), "approve"),
        Planned(FOREVER, says("license.rejected"), "reject"),
    )
    return Plan(planner="awaits/review", key=key, events=events, as_of=as_of, nearest=True, **more)


def a_reply(answer: str = "approve", **more) -> Reply:
    given = {"by": {"id": "ann"}, "reason": "fine", "at": NOW + 5, **more}
    return Reply(planner="awaits/review", key="req_1", answer=answer, **given)


def decided(answer: str = "approve") -> Verdict:
    return Verdict(decided=True, answered=answer, answered_at=NOW + 5)


async def test_an_answer_has_its_event_come_and_no_other(store):
    event = await plan(store, a_question(), subject="license/1")
    assert [each["type"] for each in (await store.plans({})).items] == [
        "license.overdue",
        "license.rejected",
    ]
    asked = await store.asked("awaits/review", "req_1", event.event_id)
    assert asked == Asked("license/1", NOW + DAY, ["approve", "reject"])
    assert await store.decide(a_reply(event_id=event.event_id), NOW + 6) == decided()
    (due,) = await store.take_plans(FOREVER, FOREVER, 10)
    told = json.loads(due.made or b"")
    assert (told["type"], told["subject"], due.due_at) == ("license.approved", "license/1", NOW + 6)
    assert told["data"] == {
        "odd": "a\0b ü",
        "decided_by": {"id": "ann"},
        "decided_at": rfc3339(NOW + 5),
        "reason": "fine",
    }
    answered = await store.asked("awaits/review", "req_1", event.event_id)
    assert (answered.until, answered.answered, answered.answered_at) == (None, "approve", NOW + 5)


async def test_the_first_answer_counts(store):
    await plan(store, a_question())
    assert (await store.decide(a_reply(), NOW)).decided
    for later in ("approve", "reject"):
        verdict = await store.decide(a_reply(later, at=NOW + 9), NOW)
        assert verdict == Verdict(decided=False, answered="approve", answered_at=NOW + 5)
        assert verdict.contradicts(a_reply(later)) == (later == "reject")
    assert len(await store.take_plans(FOREVER, FOREVER, 10)) == 1


async def test_when_time_is_up_nobody_can_answer_also_while_what_then_comes_is_being_made(store):
    event = await plan(store, a_question())
    due = await store.take_plans(NOW + DAY, NOW + DAY + 60 * SECOND, 10)
    assert [each.missed for each in due] == [True, False]
    over = Verdict(decided=False)
    assert await store.decide(a_reply(), NOW + DAY) == over
    await store.end_plans([each.id for each in due])
    assert await store.decide(a_reply(), NOW + DAY) == over
    assert over.contradicts(a_reply())
    asked = await store.asked("awaits/review", "req_1", event.event_id)
    assert asked == Asked(None, None)
    assert await store.take_plans(FOREVER, FOREVER, 10) == []


async def test_what_escalates_does_not_end_the_waiting(store):
    await plan(store, a_question())
    (overdue,) = await store.take_plans(NOW + DAY - SECOND, UNTIL + DAY, 10)
    assert (await store.decide(a_reply(), NOW + DAY - SECOND)).decided
    await store.end_plans([overdue.id])
    (due,) = await store.take_plans(FOREVER, FOREVER, 10)
    assert json.loads(due.made or b"")["type"] == "license.approved"


async def test_a_newer_question_takes_the_place_of_an_older_and_the_same_is_not_asked_again(store):
    first = await plan(store, a_question())
    second = await plan(store, a_question(as_of=NOW + 1))
    late = a_reply(event_id=first.event_id)
    assert await store.decide(late, NOW) == Verdict(decided=False, asked=False)
    assert await store.asked("awaits/review", "req_1", first.event_id) == Asked(None, None)
    assert (await store.decide(a_reply(event_id=second.event_id), NOW)).decided
    routed = Routed(plans=[a_question(as_of=NOW + 1, route="review")])
    await store.replay(second.event_id, routed, NOW)
    assert not (await store.decide(a_reply("reject"), NOW)).decided


async def test_a_newer_question_takes_nothing_back_of_what_was_decided(store):
    for newer in range(2):
        await plan(store, a_question(as_of=NOW + newer))
        assert (await store.decide(a_reply(), NOW)).decided
    last = await plan(store, a_question(as_of=NOW + 2))
    due = await store.take_plans(NOW + 2 * DAY, FOREVER, 10)
    assert [(json.loads(each.made or b"")["type"], each.missed) for each in due] == [
        ("license.approved", False),
        ("license.approved", False),
        ("license.overdue", True),
        ("license.rejected", False),
    ]
    asked = await store.asked("awaits/review", "req_1", last.event_id)
    assert asked.answers == ["approve", "reject"]
    await store.end_plans([each.id for each in due])
    assert await store.plans({}) == ([], None)


async def test_when_time_is_up_nobody_can_answer_though_nothing_has_come_of_it_yet(store):
    await plan(store, a_question())
    assert not (await store.decide(a_reply(), NOW + DAY)).decided
    await store.take_plans(NOW + DAY, NOW + DAY + SECOND, 10)  # and whoever took it is gone
    assert not (await store.decide(a_reply(), NOW + 2 * DAY)).decided
    *_, last = await store.take_plans(NOW + 2 * DAY, FOREVER, 10)
    assert json.loads(last.made or b"")["type"] == "license.rejected"


async def test_an_answer_that_meets_a_newer_question_leaves_that_as_it_is(store):
    made = 0
    for n in range(25):
        older = await plan(store, a_question(as_of=NOW + 2 * n))
        verdict, newer = await asyncio.gather(
            store.decide(a_reply(event_id=older.event_id), NOW),
            plan(store, a_question(as_of=NOW + 2 * n + 1)),
        )
        made += verdict.decided
        asked = await store.asked("awaits/review", "req_1", newer.event_id)
        assert (asked.answers, asked.answered) == (["approve", "reject"], None)
    assert len((await store.plans({"type": "license.approved"})).items) == made


async def test_whatever_a_question_is_about_it_can_be_answered(store):
    event = await plan(store, a_question(key="\0 ü"))
    reply = a_reply(event_id=event.event_id)._replace(key="\0 ü")
    assert (await store.decide(reply, NOW)).decided


async def test_several_questions_and_answers_of_one_commit_are_all_kept(store):
    await plan(store, a_question())
    asks = [an_arrival(to=(), plans=[a_question(key=key)]) for key in "ba"]
    answers = an_arrival(to=(), replies=[a_reply()])
    await store.append([*asks, answers])
    assert sorted(each["key"] for each in (await store.plans({})).items) == [
        "a",
        "a",
        "b",
        "b",
        "req_1",
    ]


async def test_an_event_tells_an_answer_in_its_own_commit(store):
    asked = await plan(store, a_question())
    for answer, code in (("approve", None), ("approve", None), ("reject", "answer-late")):
        arrival = an_arrival(to=(), replies=[a_reply(answer)])
        await store.append([arrival])
        about = [
            entry for entry in await store.inbox({}) if entry["event_id"] == arrival.event.event_id
        ]
        assert [entry["code"] for entry in about] == ([] if code is None else [code])
    (withheld,) = await store.withheld(arrival.event.event_id)
    assert (withheld["route"], withheld["reason"]) == ("review", "answer")
    assert "answered with approve before" in withheld["detail"]
    (due,) = await store.take_plans(FOREVER - 1, FOREVER, 10)
    assert due.id.startswith(f"pln_{asked.event_id[4:]}_")


async def test_nothing_waits_for_some_answers(store):
    arrival = an_arrival(to=(), replies=[a_reply()])
    await store.append([arrival])
    (withheld,) = await store.withheld(arrival.event.event_id)
    assert withheld["detail"] == "nothing waits for an answer to req_1"
    assert await store.inbox({}) == []


async def test_a_question_that_is_withdrawn_or_erased_cannot_be_answered(store):
    event = await plan(store, a_question(), subject="license/1")
    for planned in (await store.plans({})).items:
        assert await store.drop_plan(planned["id"])
    assert await store.asked("awaits/review", "req_1", event.event_id) == Asked(None, None)
    await plan(store, a_question(as_of=NOW + 1))
    assert await store.erase_plans_of("license/1") == 4
    assert not (await store.decide(a_reply(), NOW)).decided


async def test_who_answers_at_the_same_moment_does_not_answer_twice(store):
    await plan(store, a_question())
    verdicts = await asyncio.gather(
        *(store.decide(a_reply(answer), NOW) for answer in ("approve", "reject") * 5)
    )
    assert [verdict.decided for verdict in verdicts].count(True) == 1
    assert len({verdict.answered for verdict in verdicts}) == 1
    assert len(await store.take_plans(FOREVER, FOREVER, 10)) == 1


async def test_all_nodes_have_the_same_secret(store):
    assert await store.own_secret("callbacks", b"first") == b"first"
    assert await store.own_secret("callbacks", b"second") == b"first"
    assert await store.own_secret("other", b"third") == b"third"
