"""What a licence allows stands in the brand portal; a page that it does not allow goes offline."""

import pytest

from examples.flows.kit.events import acquired, published
from examples.flows.kit.running import Gateway, signing_secret
from examples.flows.servers import plone as of_plone
from examples.flows.servers import roundup as of_roundup
from examples.flows.servers.getty import an_image

ENDS = "2030-12-31T23:59:59Z"


@pytest.fixture
def jira(prism):
    return prism("atlassian.com/jira")


@pytest.fixture
def flow(gateway, plone, roundup, jira) -> Gateway:
    if not plone.has("/brand"):
        plone.ask("POST", "", {"@type": "Folder", "id": "brand", "title": "Brand portal"})
    return gateway.start(
        PLONE_URL=plone.url, PLONE_PASSWORD=of_plone.PASSWORD,
        ROUNDUP_URL=roundup.url, ROUNDUP_PASSWORD=of_roundup.PASSWORD,
        JIRA_URL=jira.url, JIRA_TOKEN="a-token-of-jira",
        CONTRACTS_WEBHOOK_SECRET=signing_secret(), CMS_WEBHOOK_SECRET=signing_secret(),
    )  # fmt: skip


def test_what_a_licence_allows_stands_in_the_brand_portal_and_in_the_records(
    flow, plone, jira, getty
):
    getty.fake.images["847116840"] = an_image()
    more = {"asset": {"id": "847116840", **an_image()}, "download": getty.license("847116840")}
    event = acquired("847116840", ENDS, more=more)
    flow.post("contracts", event)
    flow.delivered("brand-portal")
    flow.delivered("records")
    image = plone.ask("GET", "/brand/getty-847116840")
    assert (image["title"], image["rights"]) == ("A French bulldog", "pascal kiszon")
    assert image["expires"].startswith("2030-12-31T23:59")

    flow.post("contracts", event)  # told twice, and recorded once
    flow.delivered("brand-portal", 2)
    (record,) = jira.calls
    assert (record.status, record.violations) == (201, [])
    assert record.json["fields"]["duedate"] == "2030-12-31"


@pytest.mark.parametrize(
    ("asset", "placement", "rule"),
    [("11", {"territory": "US"}, "territory"), ("12", {"channel": "print"}, "channel")],
)
def test_a_page_that_no_licence_allows_goes_offline(flow, plone, roundup, asset, placement, rule):
    allowed, other = (
        plone.publish_page(f"{name}-{asset}", "A dog") for name in ("allowed", "other")
    )
    flow.post("contracts", acquired(asset, ENDS))
    flow.post("cms", published(asset, allowed, territory="DE"))
    flow.post("cms", published(asset, other, **placement))
    flow.delivered("site-offline")
    flow.delivered("compliance")
    assert (plone.state(allowed), plone.state(other)) == ("published", "private")
    (issue,) = roundup.issues(f"asset/{asset}")
    assert issue["priority"]["name"] == "critical"
    flow.seen(what="event", type="asset.unpublished", subject=f"asset/{asset}")
    (violation,) = flow.seen(what="event", type="usage.violation")
    assert flow.data_of(violation)["rule"] == rule


def test_without_a_licence_or_after_its_end_nothing_is_allowed(flow, plone):
    page = plone.publish_page("without-13", "A cat")
    flow.post("cms", published("13", page))
    flow.delivered("site-offline", subject="asset/13")
    assert plone.state(page) == "private"
    flow.post("contracts", acquired("14", "2020-12-31T23:59:59Z"))
    page = plone.publish_page("ended-14", "A bird")
    flow.post("cms", published("14", page))
    flow.delivered("site-offline", subject="asset/14")
    assert plone.state(page) == "private"
    rules = [
        flow.data_of(each)["rule"] for each in flow.seen(2, type="usage.violation", what="event")
    ]
    assert rules == ["no licence", "ended"]
