"""Node-RED: a question that a flow can prove, and that says where its answer goes."""

import shutil
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from gateway.core.model import Accepted, Hopeless, Refused
from gateway.testing import Gateway
from handlers.node_red import request_decision
from tests.kit.build import an_event

HANDLERS = Path(__file__).parents[2] / "handlers"
FLOW = "https://flows.example.com/approvals"
ANSWER_TO = "https://gateway.example.com/in/approvals"
SECRET = "whsec_" + "YWJj" * 11
ROUTES = """\
version: 1
sources: {portal: {verify: none}}
endpoints:
  approvals:
    url: https://flows.example.com/approvals
    sign: {secrets: [{env: FLOW_SECRET}]}
    handler: handlers.node_red:request_decision
routes:
  - {name: ask, match: {type: license.requested}, to: [approvals]}
"""


def a_request(**data):
    return an_event(
        event_type="license.requested",
        subject="asset/847116840",
        data={"request_id": "req_1", "asset_id": "847116840", **data},
    )


async def test_the_question_says_where_the_answer_goes(run, vendor):
    vendor.answers("POST", FLOW, 202, json={}, repeat=True)
    event = a_request(callback_url="https://portal.example.com/in")
    assert isinstance(await run(request_decision, event, FLOW), Accepted)
    assert isinstance(await run(request_decision, event, FLOW, callback_url=ANSWER_TO), Accepted)
    own, named = vendor.bodies
    assert own["callback_url"] == "https://portal.example.com/in"
    assert named["callback_url"] == ANSWER_TO
    assert (named["request_id"], named["subject"]) == ("req_1", "asset/847116840")
    assert named["data"] == event.data


async def test_a_question_without_a_place_for_the_answer_is_not_asked(run, vendor):
    assert isinstance(await run(request_decision, a_request(), FLOW), Hopeless)
    assert vendor.asked == []


async def test_what_the_flow_calls_wrong_is_dead_at_once(run, vendor):
    vendor.answers("POST", FLOW, 400, json={"message": "no amount"})
    outcome = await run(request_decision, a_request(), FLOW, callback_url=ANSWER_TO)
    assert outcome == Hopeless("Node-RED answers 400: no amount")


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
async def test_what_may_pass_is_retried(run, vendor, status):
    vendor.answers("POST", FLOW, status)
    outcome = await run(request_decision, a_request(), FLOW, callback_url=ANSWER_TO)
    assert isinstance(outcome, Refused)


async def test_each_attempt_is_signed_and_has_the_same_id(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOW_SECRET", SECRET)
    shutil.copytree(HANDLERS, tmp_path / "handlers")
    (tmp_path / "routes.yaml").write_text(ROUTES)
    async with Gateway(tmp_path / "routes.yaml") as gateway:
        flow = gateway.endpoint("approvals").reply(503).reply(202)
        await gateway.send(
            "portal", {"type": "license.requested", "data": {"callback_url": ANSWER_TO}}
        )
        await gateway.settled()
        first, second = flow.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    Webhook(SECRET).verify(first.body, first.headers)
