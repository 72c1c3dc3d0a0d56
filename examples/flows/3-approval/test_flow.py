"""What is approved is licensed once: whoever answers twice, whatever Getty's answer comes to."""

from pathlib import Path

import pytest

from examples.flows.kit.http import ask
from examples.flows.kit.running import Gateway, signing_secret
from examples.flows.servers import roundup as of_roundup
from examples.flows.servers.getty import KEY, SECRET, an_image, too_many
from examples.flows.servers.node_red import NodeRed

ASSET = "847116840"
LICENSING = f"POST /v3/downloads/images/{ASSET}"
APPROVALS_SECRET = signing_secret()


@pytest.fixture
def approvals(tmp_path, stopped) -> NodeRed:
    """A flow of Node-RED in which somebody decides."""
    drawn = Path(__file__).parent / "node-red.json"
    return stopped(NodeRed(tmp_path, drawn, APPROVALS_SECRET=APPROVALS_SECRET))


@pytest.fixture
def jira(prism):
    return prism("atlassian.com/jira")


@pytest.fixture
def start(gateway, approvals, roundup, getty, jira, alertmanager):
    getty.fake.images[ASSET] = an_image()
    gateway.edit("https://authentication.gettyimages.com", getty.url)

    def start() -> Gateway:
        return gateway.start(
            APPROVALS_URL=f"{approvals.url}/approvals", APPROVALS_SECRET=APPROVALS_SECRET,
            ROUNDUP_URL=roundup.url, ROUNDUP_PASSWORD=of_roundup.PASSWORD,
            GETTY_URL=getty.url, GETTY_API_KEY=KEY, GETTY_API_SECRET=SECRET,
            JIRA_URL=jira.url, JIRA_TOKEN="a-token-of-jira", ALERTMANAGER_URL=alertmanager.url,
            PORTAL_WEBHOOK_SECRET=signing_secret(), GATEWAY_PUBLIC_URL=gateway.url,
        )  # fmt: skip

    return start


def requested(request: str, amount: str) -> dict:
    return {
        "type": "license.requested", "subject": f"request/{request}",
        "data": {
            "request_id": request, "asset_id": ASSET, "requested_by": {"id": "u-17", "name": "J. Doe"},
            "estimated_cost": {"amount": amount, "currency": "EUR"},
            "intended_use": {"channels": ["web"], "territories": ["DE"], "duration_days": 365},
        },
    }  # fmt: skip


def test_what_is_approved_is_licensed_once_though_it_is_answered_twice(
    start, approvals, roundup, getty, jira
):
    flow = start()
    flow.post("portal", requested("req_8812", "740.00"))
    flow.delivered("approvals")
    flow.delivered("tracker")
    (question,) = approvals.ask("GET", "/approvals")
    assert roundup.issues("req_8812")[0]["status"]["name"] == "unread"
    assert getty.fake.downloads == []

    yes = {"answer": "approve", "by": "m.boss", "reason": "for the spring campaign"}
    approvals.ask("POST", "/approvals/req_8812", yes)
    flow.delivered("getty")
    flow.delivered("procurement")
    flow.delivered("tracker-resolved")
    (download,) = getty.fake.downloads
    assert download["download_details"]["download_notes"] == "approved by m.boss gw:req_8812"
    assert roundup.issues("req_8812")[0]["status"]["name"] == "resolved"
    (bought,) = jira.calls
    assert (bought.status, bought.violations) == (201, [])
    (licence,) = flow.all_known("license")
    assert licence["asset_id"] == ASSET

    again = ask("POST", question["callback_url"], json=yes)
    changed = ask("POST", question["callback_url"], json={"answer": "reject", "by": "c.doubt"})
    assert (again.status, changed.status) == (200, 409)
    flow.post("portal", requested("req_8813", "20.00"))  # comes after both
    flow.delivered("getty", 2)
    assert flow.happened(what="event", type="license.rejected") == []
    assert getty.fake.asked[LICENSING] == 2  # one for each request


def test_small_amounts_are_licensed_at_once_also_while_getty_is_busy(start, approvals, getty):
    getty.fake.failing.append(too_many())
    flow = start()
    flow.post("portal", requested("req_1", "19.90"))
    flow.delivered("getty")
    flow.delivered("procurement")
    assert approvals.ask("GET", "/approvals") == []
    assert len(getty.fake.downloads) == 1


def test_a_download_that_was_answered_too_late_is_not_made_again(
    start, gateway, getty, alertmanager
):
    gateway.edit("timeout: 60s", "timeout: 1s")
    getty.answer_downloads(in_time=False)
    flow = start()
    flow.post("portal", requested("req_2", "19.90"))
    flow.seen(what="attempt", endpoint="getty", outcome="unreachable")
    flow.delivered("getty")
    flow.delivered("alerting")  # the licence is ours, and nobody knows the URL of the file
    (licence,) = flow.all_known("license")
    (alert,) = alertmanager.alerts(f"license/{licence['id']}")
    assert alert["annotations"]["type"] == "license.acquired"
    assert getty.fake.asked[LICENSING] == len(getty.fake.downloads) == 1


def test_where_nobody_answers_it_is_no(start, gateway, roundup, getty):
    gateway.edit("within: 2d", "within: 4s")
    gateway.edit("after: 1d", "after: 2s")
    flow = start()
    flow.post("portal", requested("req_3", "740.00"))
    flow.seen(what="event", type="license.approval_overdue", subject="request/req_3")
    flow.seen(what="event", type="license.rejected", subject="request/req_3")
    flow.delivered("tracker-resolved")
    assert roundup.issues("req_3")[0]["status"]["name"] == "resolved"
    assert getty.fake.asked.total() == 0
