"""What was licensed is in the CMS: once, with its texts and its end; and what cannot be is told of."""

import pytest

from examples.flows.kit.events import acquired, renewed
from examples.flows.kit.running import Gateway, signing_secret
from examples.flows.servers import plone as of_plone
from examples.flows.servers.getty import an_image

ASSET = "847116840"
IMAGE = f"/pictures/getty-{ASSET}"
ENDS, LATER = "2030-12-31T23:59:59Z", "2032-12-31T23:59:59Z"


@pytest.fixture
def flow(gateway, plone, alertmanager) -> Gateway:
    if not plone.has("/pictures"):
        plone.ask("POST", "", {"@type": "Folder", "id": "pictures", "title": "Pictures"})
    return gateway.start(
        PLONE_URL=plone.url, PLONE_PASSWORD=of_plone.PASSWORD,
        ALERTMANAGER_URL=alertmanager.url, LICENSING_WEBHOOK_SECRET=signing_secret(),
    )  # fmt: skip


def licensed(getty, asset: str) -> dict:
    """What a purchasing system tells when it has licensed an asset."""
    getty.fake.images[asset] = an_image(credit_line="Getty Images/Moment")
    image = {"id": asset, "provider": "gettyimages", "asset_type": "image", **an_image()}
    return acquired(asset, ENDS, more={"download": getty.license(asset), "asset": image})


def test_a_licensed_image_is_in_the_cms_and_the_register_knows_where(flow, plone, getty):
    event = licensed(getty, ASSET)
    flow.post("licensing", event)
    flow.delivered("pictures")
    image = plone.ask("GET", IMAGE)
    assert image["title"] == "A French bulldog"
    assert image["rights"] == "pascal kiszon"
    assert image["expires"].startswith("2030-12-31T23:59")
    assert (image["image"]["width"], image["image"]["height"]) == (48, 32)
    flow.seen(what="event", type="asset.imported", subject=f"asset/{ASSET}")
    placement = flow.known("placement", f"{ASSET}/plone{IMAGE}")
    assert placement["license_id"] == f"lic_{ASSET}"

    flow.post("licensing", event)  # another event of the same fact
    flow.post("licensing", renewed(ASSET, LATER, before=ENDS))
    flow.delivered("pictures", 3)
    found = plone.ask("GET", f"/pictures/@search?portal_type=Image&id=getty-{ASSET}")
    assert found["items_total"] == 1
    assert plone.ask("GET", IMAGE)["expires"].startswith("2032-12-31T23:59")


def test_an_import_whose_file_is_gone_is_told_of(flow, plone, getty, alertmanager):
    event = licensed(getty, "1167612765")
    getty.fake.gone.add("1167612765")
    flow.post("licensing", event)
    (dead,) = flow.seen(what="attempt", endpoint="pictures", outcome="hopeless")
    assert "is gone (403)" in dead["then"]
    flow.delivered("alerting")
    (alert,) = alertmanager.alerts("endpoint/pictures")
    assert alert["annotations"]["type"] == "gateway.delivery.dead"
    assert not plone.has("/pictures/getty-1167612765")
