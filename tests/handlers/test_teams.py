"""Teams: a card for each event."""

import orjson
import pytest

from gateway.core.model import Accepted, Hopeless, Refused
from handlers.teams import notify
from tests.handlers.conftest import an_expiring_licence

FLOW = (
    "https://x.api.powerplatform.com/workflows/1/triggers/manual/paths/invoke?api-version=1&sig=s"
)


async def test_what_happened_is_told(run, vendor):
    vendor.answers("POST", FLOW, 202)
    link = "https://dam.example.com/847116840"
    event = an_expiring_licence(days_left=1)
    assert isinstance(await run(notify, event, FLOW, link=link), Accepted)
    ((attachment,),) = [body["attachments"] for body in vendor.bodies]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    title, table = card["body"]
    assert title["text"] == "license.expiring: license/lic_1, 1 day left"
    assert title["color"] == "Attention"
    assert {"title": "Ends", "value": "2026-12-31T23:59:59Z"} in table["facts"]
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open", "url": link}]


async def test_a_card_is_never_too_large_for_teams(run, vendor):
    vendor.answers("POST", FLOW, 202)
    asset = {"title": "t" * 9000, "credit_line": "c" * 9000}
    await run(notify, an_expiring_licence(asset=asset, restrictions=["r" * 9000] * 4), FLOW)
    assert len(orjson.dumps(vendor.bodies[0])) < 28 * 1024


async def test_what_the_workflow_will_not_take_is_dead_at_once(run, vendor):
    told = {"error": {"code": "WorkflowNotFound", "message": "The workflow was not found."}}
    vendor.answers("POST", FLOW, 404, json=told)
    outcome = await run(notify, an_expiring_licence(), FLOW)
    assert outcome == Hopeless("Teams answers 404 WorkflowNotFound: The workflow was not found.")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502])
async def test_what_may_pass_is_retried(run, vendor, status):
    vendor.answers("POST", FLOW, status)
    assert isinstance(await run(notify, an_expiring_licence(), FLOW), Refused)
