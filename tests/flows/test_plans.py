"""Events that rules have the gateway make: at once, of an answer, and at moments that an event tells."""

import json

from gateway.core.model import SECOND, Accepted, Response, rfc3339, rfc3339_moment
from gateway.core.plans import event_of
from gateway.core.schedules import DAY
from tests.kit.build import NOW, an_event

HOUR = 3600 * SECOND

EXPIRY = """
schedules:
  expiry:
    match: {type: [license.acquired, license.renewed]}
    key: ${event.data.id}
    at: ${event.data.expires_at}
    before: [30d, 14d, 7d, 1d]
    cancel: {type: license.revoked}
    emit: {type: license.expiring, data: {id: "${event.data.id}", days_left: "${plan.days}"}}
routes:
  - {name: expiring, match: {type: license.expiring, source: gateway}, to: [cms]}
"""


async def arrive(flows, *events):
    return await flows.keep.keep(list(events), 72 * HOUR)


def sent(flows, endpoint: str) -> list[dict]:
    return [json.loads(c.body) for c in flows.sender.calls if c.url.endswith(endpoint)]


def a_licence(days: int, event_type: str = "license.acquired", **more):
    """A licence that ends so many days after NOW."""
    at = more.get("received_at", NOW)
    data = {"id": "lic_1", "expires_at": rfc3339(NOW + days * DAY)}
    return an_event(event_type=event_type, data=data, **{"time": rfc3339(at), **more})


async def planned(flows) -> list[dict]:
    return (await flows.store.plans({})).items


async def due_days(flows) -> list[float]:
    """In how many days after NOW what is still planned is due."""
    return [(rfc3339_moment(each["due_at"]) - NOW) / DAY for each in await planned(flows)]


# -- at once -------------------------------------------------------------------------------------------


async def test_a_route_makes_an_event_that_takes_the_way_of_any_other(flows_of):
    flows = flows_of("""
routes:
  - name: tightened
    match: {type: terms.changed}
    when: event.data.severity == "tightened"
    emit: {type: usage.restricted, subject: "asset/${event.data.asset}", data: {asset: "${event.data.asset}"}}
  - {name: restricted, match: {type: usage.restricted}, to: [cms]}
""")
    cause = an_event(
        event_type="terms.changed", data={"asset": "a1", "severity": "tightened"}, correlationid="c"
    )
    loose = an_event(event_type="terms.changed", data={"asset": "a2", "severity": "loosened"})
    await arrive(flows, cause, loose)
    await flows.seen("attempt.recorded", 1)
    (made,) = sent(flows, "cms")
    assert (made["type"], made["subject"], made["source"], made["data"]) == (
        "usage.restricted",
        "asset/a1",
        "/routes/tightened",
        {"asset": "a1"},
    )
    assert (made["correlationid"], made["causationid"], made["hopcount"]) == ("c", cause.id, 1)


async def test_a_duplicate_makes_no_event_nor_does_a_route_that_has_fired(flows_of):
    flows = flows_of("""
routes:
  - {name: once, match: {type: a}, once: "${event.data.n}", emit: {type: b}}
  - {name: end, match: {type: b}, to: [cms]}
""")
    await arrive(flows, an_event(event_type="a", data={"n": "1"}, key="same"))
    await arrive(flows, an_event(event_type="a", data={"n": "1"}, key="same"))
    await arrive(flows, an_event(event_type="a", data={"n": "1"}))
    await arrive(flows, an_event(event_type="a", data={"n": "2"}))
    await flows.seen("attempt.recorded", 2)
    assert await planned(flows) == []
    assert [each["data"]["n"] for each in sent(flows, "cms")] == ["1", "2"]


async def test_events_that_lead_to_themselves_come_to_an_end(flows_of):
    flows = flows_of("""
routes:
  - {name: circle, match: {type: a}, emit: {type: a}, to: [cms]}
""")
    await arrive(flows, an_event(event_type="a"))
    await flows.seen("attempt.recorded", 17)
    (entry,) = await flows.store.inbox({"unread": False})
    assert entry["code"] == "hop-limit"
    assert "route circle" in entry["detail"]


async def test_what_cannot_be_computed_is_in_the_inbox_and_the_rest_goes_on(flows_of):
    flows = flows_of("""
routes:
  - {name: bad, match: {type: a}, emit: {type: b, data: "${event.data.nope}"}, to: [cms]}
""")
    await arrive(flows, an_event(event_type="a"))
    await flows.seen("attempt.recorded", 1)
    (entry,) = await flows.store.inbox({})
    assert entry["code"] == "expression-failed"
    assert "route bad, emit, data" in entry["detail"]


# -- of an answer --------------------------------------------------------------------------------------

REVIEW = """
routes:
  - name: review
    match: {type: license.expiring}
    to:
      - endpoint: tracker
        call: {path: /issues, json: {title: "${event.data.id}"}}
        emit:
          when: response.status == 201
          type: review.opened
          data: {task: "${response.body.key}", title: "${sent.title}", licence: "${event.data.id}"}
  - {name: opened, match: {type: review.opened}, to: [cms]}
"""


def answered(status: int, body: dict) -> Accepted:
    return Accepted(Response(status=status, body=json.dumps(body).encode()))


async def test_an_answer_leads_to_an_event(flows_of):
    flows = flows_of(REVIEW)
    flows.sender.script.append(answered(201, {"key": "LIC-7"}))
    cause = an_event(event_type="license.expiring", data={"id": "lic_1"})
    await arrive(flows, cause)
    await flows.seen("attempt.recorded", 2)
    (made,) = sent(flows, "cms")
    assert made["data"] == {"task": "LIC-7", "title": "lic_1", "licence": "lic_1"}
    assert made["causationid"] == cause.id


async def test_an_answer_that_the_condition_does_not_want_leads_to_none(flows_of):
    flows = flows_of(REVIEW)
    flows.sender.script.append(answered(200, {"key": "LIC-7"}))
    await arrive(flows, an_event(event_type="license.expiring", data={"id": "lic_1"}))
    await flows.seen("attempt.recorded", 1)
    assert await planned(flows) == []
    assert len(await flows.store.events({})) == 1


async def test_only_success_leads_to_an_event_and_only_once(flows_of, clock):
    flows = flows_of(REVIEW)
    flows.sender.answers(500)
    flows.sender.script.append(answered(201, {"key": "LIC-7"}))
    await arrive(flows, an_event(event_type="license.expiring", data={"id": "lic_1"}))
    await flows.seen("attempt.recorded", 1)
    assert await planned(flows) == []
    clock.advance(10)
    await flows.seen("attempt.recorded", 3)
    assert len(sent(flows, "cms")) == 1


async def test_an_answer_that_lacks_what_is_asked_of_it_is_told_in_the_inbox(flows_of):
    flows = flows_of(REVIEW)
    flows.sender.script.append(answered(201, {}))
    cause = an_event(event_type="license.expiring", data={"id": "lic_1"})
    await arrive(flows, cause)
    await flows.seen("attempt.recorded", 1)
    (entry,) = await flows.store.inbox({})
    assert (entry["event_id"], entry["code"]) == (cause.event_id, "expression-failed")
    assert "route review, endpoint tracker, emit, data" in entry["detail"]
    assert (await flows.states())["tracker"] == "delivered"


# -- at moments ----------------------------------------------------------------------------------------


async def test_reminders_come_when_they_are_due(flows_of, clock):
    flows = flows_of(EXPIRY)
    await arrive(flows, a_licence(20))
    assert await due_days(flows) == [6, 13, 19]
    clock.advance(6 * 86_400)
    await flows.seen("attempt.recorded", 1)
    (made,) = sent(flows, "cms")
    assert made["data"] == {"id": "lic_1", "days_left": 14}
    assert (made["source"], made["time"]) == ("/schedules/expiry", rfc3339(NOW + 6 * DAY))
    assert await due_days(flows) == [13, 19]


async def test_a_renewal_replaces_what_is_planned_and_an_older_event_does_not(flows_of):
    flows = flows_of(EXPIRY)
    await arrive(flows, a_licence(20))
    await arrive(flows, a_licence(100, "license.renewed", received_at=NOW + HOUR))
    assert await due_days(flows) == [70, 86, 93, 99]
    late = a_licence(50, received_at=NOW + 2 * HOUR, time=rfc3339(NOW + HOUR // 2))
    await arrive(flows, late)
    assert await due_days(flows) == [70, 86, 93, 99]


async def test_what_is_revoked_has_no_reminders_also_where_the_revocation_comes_first(flows_of):
    flows = flows_of(EXPIRY)
    await arrive(flows, a_licence(20))
    await arrive(flows, a_licence(20, "license.revoked", received_at=NOW + HOUR))
    assert await due_days(flows) == []
    await arrive(flows, a_licence(20, received_at=NOW + 2 * HOUR, time=rfc3339(NOW)))
    assert await due_days(flows) == []


async def test_after_a_time_of_being_down_only_the_nearest_comes(flows_of, clock):
    flows = flows_of(EXPIRY)
    await flows.make_planned.loop.stop()
    await arrive(flows, a_licence(40))
    clock.advance(34 * 86_400)
    flows.make_planned.loop.start()
    await flows.seen("attempt.recorded", 1)
    assert [each["data"]["days_left"] for each in sent(flows, "cms")] == [7]
    assert len(await flows.seen("plan.missed", 2)) == 2
    assert await due_days(flows) == [39]


async def test_all_of_them_come_where_the_schedule_says_so(flows_of, clock):
    flows = flows_of(EXPIRY.replace("cancel:", "missed: all\n    cancel:"))
    await flows.make_planned.loop.stop()
    await arrive(flows, a_licence(40))
    clock.advance(34 * 86_400)
    flows.make_planned.loop.start()
    await flows.seen("attempt.recorded", 3)
    assert sorted(each["data"]["days_left"] for each in sent(flows, "cms")) == [7, 14, 30]


async def test_what_a_crash_left_half_done_is_not_made_twice(flows_of, clock):
    flows = flows_of(EXPIRY)
    await flows.make_planned.loop.stop()
    await arrive(flows, a_licence(2))
    later = NOW + DAY + SECOND
    (due,) = await flows.store.take_plans(later, later + 60 * SECOND, 10)
    assert await flows.store.take_plans(later, later + 60 * SECOND, 10) == []
    # It was kept, and the gateway was killed before it was let go of.
    await arrive(flows, event_of(due, event_id=flows.keep.new_id(), now=later))
    clock.advance(86_400 + 62)
    flows.make_planned.loop.start()
    while await planned(flows):
        await flows.seen("events.kept", 3)
    types = [event["type"] for event in await flows.store.events({})]
    assert types == ["license.expiring", "license.acquired"]


async def test_what_is_being_made_elsewhere_is_looked_for_again_and_not_at_once(flows_of, clock):
    flows = flows_of(EXPIRY)
    await flows.make_planned.loop.stop()
    await arrive(flows, a_licence(2))
    clock.advance(86_400 + 1)
    await flows.store.take_plans(clock.now(), clock.now() + 60 * SECOND, 10)
    assert await flows.make_planned._step() == clock.now() + SECOND


async def test_an_event_that_is_routed_again_is_planned_again_but_makes_nothing_twice(flows_of):
    flows = flows_of(
        EXPIRY + "  - {name: told, match: {type: license.acquired}, emit: {type: b}}\n"
    )
    cause = a_licence(20)
    await arrive(flows, cause)
    while len(await planned(flows)) > 3:
        await flows.seen("events.kept", 2)
    assert await flows.store.drop_plan((await planned(flows))[0]["id"])
    await flows.operate.replay(cause.event_id)
    assert await due_days(flows) == [6, 13, 19]
    assert len(await flows.store.events({})) == 2


async def test_what_cannot_be_read_back_is_told_in_the_inbox(flows_of, clock):
    flows = flows_of(EXPIRY)
    await flows.make_planned.loop.stop()
    await arrive(flows, a_licence(2))
    (due,) = await flows.store.take_plans(NOW + DAY, NOW + DAY, 10)
    await flows.make_planned._make([due._replace(made=None)], NOW)
    (entry,) = await flows.store.inbox({})
    assert (entry["code"], "schedules/expiry planned for lic_1" in entry["detail"]) == (
        "body-corrupt",
        True,
    )
    assert await planned(flows) == []
