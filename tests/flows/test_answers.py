"""What routes ask, and how it is answered: by a link, by an event, by an operator, or by nobody in time."""

from urllib.parse import urlsplit

import pytest

from gateway.core.errors import (
    NotFound,
    ParameterInvalid,
    PathUnknown,
    QuestionAnswered,
    QuestionOver,
)
from gateway.core.model import SECOND, rfc3339
from gateway.flows.answers import Given
from tests.flows.test_plans import NOW, arrive, planned, sent
from tests.kit.build import an_event

ROUTES = """
routes:
  - name: review
    match: {type: license.requested, source: getty}
    to:
      - endpoint: tracker
        call: {path: /issues, json: "${callback}"}
    await:
      key: ${event.data.request_id}
      answers:
        approve: license.approved
        reject: {type: license.rejected, data: {request_id: "${event.data.request_id}"}}
      within: 2d
      else: license.rejected
      escalate: [{after: 1d, emit: {type: license.overdue, data: "${callback}"}}]
      decide:
        match: {type: review.closed}
        key: ${event.data.ref}
        answer: "${event.data.outcome == 'open' ? null : event.data.outcome}"
        by: ${event.data.who}
        reason: ${event.data.why}
  - {name: outcome, match: {type: [license.approved, license.rejected, license.overdue], source: gateway}, to: [cms]}
"""
REQUEST = {"request_id": "req_1", "asset_id": "a1"}


def a_request(**more):
    return an_event(event_type="license.requested", data=REQUEST, time=rfc3339(NOW), **more)


def closed(outcome: str, **more):
    data = {"ref": "req_1", "outcome": outcome, "who": "ann", "why": "fine", **more}
    return an_event(event_type="review.closed", data=data)


def links(flows) -> dict[str, str]:
    """The tokens of the links that the tracker was sent last."""
    *_, body = sent(flows, "issues")
    return {name: urlsplit(url).path.removeprefix("/callback/") for name, url in body.items()}


async def ask(flows, **more):
    event = a_request(**more)
    before = len(sent(flows, "issues"))
    await arrive(flows, event)
    while len(sent(flows, "issues")) == before:
        await flows.seen("attempt.recorded", len(flows.sender.calls) + 1)
    return event


async def outcomes(flows, count: int) -> list[dict]:
    """What came of it, once so many events did."""
    while len(found := sent(flows, "cms")) < count:
        await flows.sender.called(len(flows.sender.calls) + 1)
    return found


async def nothing_planned(flows) -> None:
    """Wait until what was being made is over."""
    while await planned(flows):
        pass


async def test_a_link_decides_and_the_event_says_who_did_and_why(flows_of):
    flows = flows_of(ROUTES)
    event = await ask(flows)
    assert set(links(flows)) == {"url", "approve", "reject"}
    verdict = await flows.answers.by_link(links(flows)["approve"], Given("", "Ann", "we need it"))
    assert (verdict.decided, verdict.answered) == (True, "approve")
    (noted,) = await flows.store.audit({})
    assert (noted["who"], noted["action"], noted["object"]) == (
        "link",
        "answer",
        "review/req_1 approve by Ann",
    )
    (made,) = await outcomes(flows, 1)
    assert (made["type"], made["source"], made["causationid"]) == (
        "license.approved",
        "/awaits/review",
        event.id,
    )
    assert made["data"] == {
        **REQUEST,
        "decided_by": {"id": "Ann"},
        "decided_at": rfc3339(NOW),
        "reason": "we need it",
    }
    await nothing_planned(flows)


async def test_answered_twice_the_first_counts(flows_of):
    flows = flows_of(ROUTES)
    await ask(flows)
    tokens = links(flows)
    with pytest.raises(ParameterInvalid, match="this link says reject"):
        await flows.answers.by_link(tokens["reject"], Given("approve"))
    assert (await flows.answers.by_link(tokens["reject"], Given("reject"))).decided
    assert not (await flows.answers.by_link(tokens["reject"], Given(""))).decided
    with pytest.raises(ParameterInvalid, match="this link says approve"):
        await flows.answers.by_link(tokens["approve"], Given("reject"))
    assert not (await flows.answers.by_link(tokens["url"], Given("reject"))).decided
    with pytest.raises(QuestionAnswered, match="it was answered reject at"):
        await flows.answers.by_link(tokens["approve"], Given(""))
    await arrive(flows, closed("approve"))
    (made,) = await outcomes(flows, 1)
    assert (made["type"], made["data"]["request_id"]) == ("license.rejected", "req_1")
    (entry,) = await flows.store.inbox({})
    assert entry["code"] == "answer-late"


async def test_a_link_that_leaves_a_choice_takes_one_of_the_answers(flows_of):
    flows = flows_of(ROUTES)
    await ask(flows)
    place, asked = await flows.answers.question(links(flows)["url"])
    assert (place.key, place.answer, asked.answers) == ("req_1", "", ["approve", "reject"])
    with pytest.raises(ParameterInvalid, match="choose one of approve, reject"):
        await flows.answers.by_link(links(flows)["url"], Given("maybe"))
    assert (await flows.answers.by_link(links(flows)["url"], Given("approve"))).decided


async def test_the_tracker_decides_by_its_own_event(flows_of):
    flows = flows_of(ROUTES)
    await ask(flows)
    await arrive(flows, closed("open"))
    assert len(await planned(flows)) == 2
    await arrive(flows, closed("approve"), closed("approve"))
    (made,) = await outcomes(flows, 1)
    assert (made["type"], made["data"]["decided_by"], made["data"]["reason"]) == (
        "license.approved",
        {"id": "ann"},
        "fine",
    )
    assert await flows.store.inbox({}) == []


async def test_who_decided_is_always_said(flows_of):
    flows = flows_of(ROUTES.replace("        by: ${event.data.who}\n", ""))
    await ask(flows)
    await arrive(flows, closed("approve"))
    (made,) = await outcomes(flows, 1)
    assert made["data"]["decided_by"] == {"id": "getty"}
    await ask(flows, received_at=NOW + SECOND)
    await flows.answers.by_link(links(flows)["approve"], Given(""))
    *_, made = await outcomes(flows, 2)
    assert made["data"]["decided_by"] == {"id": "unnamed"}
    assert "reason" not in made["data"]


async def test_an_empty_name_is_none(flows_of):
    flows = flows_of(ROUTES)
    await ask(flows)
    await arrive(flows, closed("approve", who=""))
    (made,) = await outcomes(flows, 1)
    assert made["data"]["decided_by"] == {"id": "getty"}


@pytest.mark.parametrize("outcome", ["maybe", ["approve"], {"approve": True}, 5])
async def test_an_answer_that_there_is_not_is_told_in_the_inbox(flows_of, outcome):
    flows = flows_of(ROUTES)
    await ask(flows)
    await arrive(flows, closed(outcome))
    (entry,) = await flows.store.inbox({})
    assert (entry["code"], "not one of approve, reject" in entry["detail"]) == (
        "expression-failed",
        True,
    )
    assert len(await planned(flows)) == 2


async def test_nobody_answers_in_time(flows_of, clock):
    flows = flows_of(ROUTES)
    await ask(flows)
    clock.advance(86_400 + 1)
    (overdue,) = await outcomes(flows, 1)
    assert overdue["type"] == "license.overdue"
    assert overdue["data"] == sent(flows, "issues")[0]
    clock.advance(86_400)
    _, made = await outcomes(flows, 2)
    assert made["type"] == "license.rejected"
    assert made["data"]["decided_by"] == {"id": "gateway"}
    assert made["data"]["reason"] == "timeout"
    with pytest.raises(QuestionOver):
        await flows.answers.by_link(links(flows)["approve"], Given(""))


async def test_it_can_still_be_answered_once_it_has_escalated(flows_of, clock):
    flows = flows_of(ROUTES)
    await ask(flows)
    clock.advance(86_400 + 1)
    await outcomes(flows, 1)
    while len(await planned(flows)) > 1:
        pass
    assert (await flows.answers.by_link(links(flows)["approve"], Given(""))).decided
    _, made = await outcomes(flows, 2)
    assert made["type"] == "license.approved"


async def test_a_question_that_is_withdrawn_neither_escalates_nor_can_be_answered(flows_of, clock):
    flows = flows_of(ROUTES)
    await ask(flows)
    _, rejected = await planned(flows)
    await flows.operate.cancel_plan(rejected["id"])
    assert await planned(flows) == []
    with pytest.raises(QuestionOver):
        await flows.answers.by_link(links(flows)["approve"], Given(""))
    await ask(flows, received_at=NOW + SECOND)
    await flows.operate.cancel_plan((await planned(flows))[0]["id"])
    assert [each["type"] for each in await planned(flows)] == ["license.rejected"]
    assert (await flows.answers.by_link(links(flows)["approve"], Given(""))).decided


async def test_what_was_answered_neither_escalates_nor_times_out(flows_of, clock):
    flows = flows_of(ROUTES)
    await ask(flows)
    await flows.answers.by_link(links(flows)["approve"], Given(""))
    clock.advance(3 * 86_400)
    await outcomes(flows, 1)
    await nothing_planned(flows)
    assert [each["type"] for each in sent(flows, "cms")] == ["license.approved"]


async def test_a_newer_request_ends_the_links_of_the_older(flows_of):
    flows = flows_of(ROUTES)
    await ask(flows)
    older = links(flows)
    await ask(flows, received_at=NOW + SECOND)
    with pytest.raises(QuestionOver):
        await flows.answers.by_link(older["approve"], Given(""))
    assert (await flows.answers.by_link(links(flows)["approve"], Given(""))).decided


async def test_a_replay_sends_links_that_work_and_does_not_ask_again_what_was_decided(flows_of):
    flows = flows_of(ROUTES)
    event = await ask(flows)
    await flows.operate.replay(event.event_id)
    await flows.sender.called(2)
    assert (await flows.answers.by_link(links(flows)["approve"], Given(""))).decided
    await flows.operate.replay(event.event_id)
    with pytest.raises(QuestionAnswered):
        await flows.answers.by_link(links(flows)["reject"], Given(""))


@pytest.mark.parametrize("change", ["x", "..", "A" * 20, "=", "\u00e9"])
async def test_a_link_that_was_changed_leads_nowhere(flows_of, change):
    flows = flows_of(ROUTES)
    await ask(flows)
    token = links(flows)["reject"]
    for wrong in (
        token + change,
        change + token,
        token[:-1],
        token.replace(".", change),
        change,
        "",
    ):
        with pytest.raises(PathUnknown):
            await flows.answers.by_link(wrong, Given("approve"))


async def test_an_operator_answers_by_the_name_of_what_is_planned(flows_of):
    flows = flows_of(ROUTES)
    await ask(flows)
    *_, last = await planned(flows)
    with pytest.raises(ParameterInvalid):
        await flows.operate.answer_plan(last["id"], Given("maybe"))
    await flows.operate.answer_plan(last["id"], Given("approve"))
    (made,) = await outcomes(flows, 1)
    assert made["data"]["decided_by"] == {"id": "local"}
    with pytest.raises(NotFound):
        await flows.operate.answer_plan(last["id"], Given("approve"))


async def test_nobody_is_waited_for_where_nobody_was_asked(flows_of):
    flows = flows_of(
        ROUTES.replace("call: {path", "when: event.data.asset_id == 'b'\n        call: {path")
    )
    await arrive(flows, a_request())
    assert await planned(flows) == []


async def test_without_its_key_nothing_is_sent(flows_of):
    flows = flows_of(ROUTES)
    await arrive(flows, an_event(event_type="license.requested", data={}))
    (entry,) = await flows.store.inbox({})
    assert "route review, await, key" in entry["detail"]
    assert (flows.sender.calls, await planned(flows)) == ([], [])
