"""Expiring licences: told of, reviewed and taken offline in time; and nothing of it after a renewal."""

import pytest

from examples.flows.kit.events import acquired, published, renewed
from examples.flows.kit.running import Gateway, moment, signing_secret
from examples.flows.servers import plone as of_plone
from examples.flows.servers import roundup as of_roundup
from examples.flows.servers.alertmanager import Alertmanager

SOON = {"days": 1, "seconds": 2}
"""The last reminder, a day before the end, is due in two seconds."""


TOKEN = "a-token-of-alertmanager"


@pytest.fixture
def alertmanager(tmp_path, stopped, gateway) -> Alertmanager:
    """An Alertmanager that tells the gateway."""
    return stopped(Alertmanager(tmp_path, f"{gateway.url}/in/alertmanager", TOKEN))


@pytest.fixture
def flow(gateway, plone, roundup, alertmanager) -> Gateway:
    return gateway.start(
        PLONE_URL=plone.url, PLONE_PASSWORD=of_plone.PASSWORD,
        ROUNDUP_URL=roundup.url, ROUNDUP_PASSWORD=of_roundup.PASSWORD,
        ALERTMANAGER_URL=alertmanager.url, ALERTMANAGER_TOKEN=TOKEN,
        CONTRACTS_WEBHOOK_SECRET=signing_secret(), CMS_WEBHOOK_SECRET=signing_secret(),
    )  # fmt: skip


def test_an_expiring_licence_is_told_of_and_its_page_comes_back_when_it_is_renewed(
    flow, plone, roundup, alertmanager
):
    asset, about, ends = "847116840", "license/lic_847116840", moment(**SOON)
    page = plone.publish_page("a-dog", "A dog, and why it smiles")
    flow.post("cms", published(asset, page))
    flow.post("contracts", acquired(asset, ends))

    flow.seen(what="event", type="license.expiring", subject=about)
    for endpoint in ("alerting", "tracker", "site"):
        flow.delivered(endpoint)
    (alert,) = alertmanager.alerts(about)
    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["days_left"] == "1"
    (issue,) = roundup.issues(about)
    assert issue["status"]["name"] == "unread"
    assert plone.state(page) == "private"
    # What came of it are events too; and Alertmanager tells by itself that it has told of the alert.
    flow.seen(what="event", type="asset.unpublished", subject=f"asset/{asset}")
    flow.seen(what="event", type="review.opened", subject=about)
    flow.seen(what="event", type="alert.firing", subject=about, source="alertmanager")
    assert flow.known("alert", about)["status"] == "firing"

    flow.post("contracts", renewed(asset, moment(days=400), before=ends))
    for endpoint in ("alerting", "tracker", "site"):
        flow.delivered(endpoint, 2)
    assert alertmanager.alerts(about) == []
    (issue,) = roundup.issues(about)
    assert issue["status"]["name"] == "resolved"
    assert plone.state(page) == "published"
    flow.seen(what="event", type="alert.resolved", subject=about)
    assert flow.known("alert", about)["status"] == "resolved"


def test_a_tracker_that_is_down_gets_its_issue_once_it_is_back(flow, roundup, alertmanager):
    about = "license/lic_1167612765"
    roundup.stop()
    flow.post("contracts", acquired("1167612765", moment(**SOON)))
    flow.delivered("alerting")  # nobody waits for the tracker
    assert len(alertmanager.alerts(about)) == 1
    (failed, *_) = flow.seen(what="attempt", endpoint="tracker", outcome="unreachable")
    assert failed["then"].startswith("again in ")

    roundup.start()
    flow.delivered("tracker")
    (issue,) = roundup.issues(about)
    assert issue["status"]["name"] == "unread"


def test_what_was_renewed_while_the_tracker_was_down_is_resolved_when_it_is_back(flow, roundup):
    about, ends = "license/lic_3", moment(**SOON)
    roundup.stop()
    flow.post("contracts", acquired("3", ends))
    flow.seen(what="attempt", endpoint="tracker", outcome="unreachable")
    flow.post("contracts", renewed("3", moment(days=400), before=ends))
    roundup.start()
    flow.delivered("tracker", 2)
    (issue,) = roundup.issues(about)
    assert issue["status"]["name"] == "resolved"


def test_of_a_licence_that_was_renewed_no_reminder_comes(flow, roundup, alertmanager):
    ends = moment(days=7, seconds=3)
    flow.post("contracts", acquired("1", ends))
    before = flow.planned("lic_1")
    assert [each["type"] for each in before] == ["license.expiring"] * 2 + ["license.expired"]

    flow.post("contracts", renewed("1", moment(days=400), before=ends))
    assert {each["id"] for each in flow.planned("lic_1")}.isdisjoint(each["id"] for each in before)
    flow.post(
        "contracts", acquired("2", moment(days=7, seconds=4))
    )  # whose reminder comes after that one's moment
    flow.delivered("tracker", subject="license/lic_2")
    assert flow.happened(what="event", type="license.expiring", subject="license/lic_1") == []
    assert alertmanager.alerts("license/lic_1") == []
    assert roundup.issues("license/lic_1") == []
