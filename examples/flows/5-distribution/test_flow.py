"""One licence goes to four systems, each on its own; what one of them has not got is seen, by its name."""

from pathlib import Path

import pytest

from examples.flows.kit.events import acquired
from examples.flows.kit.running import Gateway, signing_secret
from examples.flows.servers import plone as of_plone
from examples.flows.servers.getty import an_image
from examples.flows.servers.node_red import NodeRed
from examples.flows.servers.prism import Prism

ENDS = "2030-12-31T23:59:59Z"
EVERYWHERE = {"channels": ["web", "email", "social", "print"]}


@pytest.fixture
def social(tmp_path, stopped) -> NodeRed:
    """A flow of Node-RED that posts to social media, or would."""
    secret = signing_secret()
    drawn = Path(__file__).parent / "node-red.json"
    started = stopped(NodeRed(tmp_path, drawn, SOCIAL_WEBHOOK_SECRET=secret))
    started.secret = secret
    return started


@pytest.fixture
def mailchimp(prism) -> Prism:
    return prism("mailchimp.com")


@pytest.fixture
def asana(prism) -> Prism:
    return prism("asana.com")


@pytest.fixture
def flow(gateway, plone, social, mailchimp, asana, alertmanager) -> Gateway:
    if not plone.has("/campaign"):
        plone.ask("POST", "", {"@type": "Folder", "id": "campaign", "title": "Campaign"})
    gateway.edit("within: 15m", "within: 5s")
    return gateway.start(
        PLONE_URL=plone.url, PLONE_PASSWORD=of_plone.PASSWORD,
        MAILCHIMP_URL=mailchimp.url, MAILCHIMP_KEY="a-key-of-mailchimp",
        SOCIAL_URL=f"{social.url}/social", SOCIAL_WEBHOOK_SECRET=social.secret,
        ASANA_URL=asana.url, ASANA_TOKEN="a-token-of-asana",
        ALERTMANAGER_URL=alertmanager.url, LICENSING_WEBHOOK_SECRET=signing_secret(),
    )  # fmt: skip


def licensed(getty, asset: str) -> dict:
    getty.fake.images[asset] = an_image()
    more = {"download": getty.license(asset), "asset": {"id": asset, **an_image()}}
    return acquired(asset, ENDS, more=more, **EVERYWHERE)


def test_each_channel_gets_it_in_its_own_way(flow, plone, getty, social, mailchimp, asana):
    flow.post("licensing", licensed(getty, "847116840"))
    for endpoint in ("web", "newsletter", "social", "print"):
        flow.delivered(endpoint)
    assert plone.ask("GET", "/campaign/getty-847116840")["title"] == "A French bulldog"
    (post,) = social.ask("GET", "/social")
    assert (post["type"], post["data"]["license"]["id"]) == ("license.acquired", "lic_847116840")
    upload, task = mailchimp.calls[-1], asana.calls[-1]
    assert (upload.method, upload.path) == ("POST", "/file-manager/files")
    assert upload.json["name"] == "getty-847116840.jpg"
    assert (task.method, task.path) == ("POST", "/tasks")
    assert task.json["data"]["due_on"] == "2030-12-31"
    for call in (*mailchimp.calls, *asana.calls):
        assert (call.status // 100, call.violations) == (2, [])
    flow.seen(3, what="event", type="asset.published", subject="asset/847116840")
    assert {each["channel"] for each in flow.all_known("placement")} == {"web", "email", "social"}


def test_what_one_of_them_has_not_got_is_seen(flow, getty, social, alertmanager):
    social.stop()
    flow.post("licensing", licensed(getty, "1167612765"))
    for endpoint in ("web", "newsletter", "print"):
        flow.delivered(endpoint)  # nobody waits for social media
    flow.seen(what="event", type="distribution.incomplete", subject="license/lic_1167612765")
    (missing,) = flow.all_known("incomplete")
    assert [each["endpoint"] for each in missing["pending"]] == ["social"]
    flow.delivered("alerting")
    assert len(alertmanager.alerts("license/lic_1167612765")) == 1

    social.start()
    flow.delivered("social")
    assert len(social.ask("GET", "/social")) == 1
