"""What changes at Getty changes in the catalogue, in whatever order it is told; who has to know is told."""

import pytest

from examples.flows.kit.running import Gateway, moment
from examples.flows.servers import plone as of_plone
from examples.flows.servers.getty import KEY, SECRET, a_product, an_image, too_many

ASSET = "847116840"
IMAGE = f"/catalogue/getty-{ASSET}"


@pytest.fixture
def start(gateway, plone, getty, alertmanager):
    if not plone.has("/catalogue"):
        plone.ask("POST", "", {"@type": "Folder", "id": "catalogue", "title": "Catalogue"})
    tokens = f"token_url: {getty.url}/oauth2/token\n      preset: getty-"
    for written, instead in {
        "every: 60s": "every: 1s", "every: 15m": "every: 1s", "every: 1h": "every: 1s",
        "preset: getty-": tokens,
    }.items():  # fmt: skip
        gateway.edit(written, instead)

    def start() -> Gateway:
        return gateway.start(
            GETTY_URL=getty.url, GETTY_API_KEY=KEY, GETTY_API_SECRET=SECRET,
            PLONE_URL=plone.url, PLONE_PASSWORD=of_plone.PASSWORD, ALERTMANAGER_URL=alertmanager.url,
        )  # fmt: skip

    return start


def has_image(getty, asset: str, **more) -> None:
    preview = {
        "name": "preview",
        "is_watermarked": True,
        "uri": f"{getty.url}/delivery/{asset}.jpg",
    }
    getty.fake.images[asset] = an_image(display_sizes=[preview], **more)


def test_the_catalogue_follows_what_getty_tells(start, plone, getty, alertmanager):
    flow = start()
    has_image(getty, ASSET)
    getty.fake.change(ASSET, "Update", at=moment(seconds=-30))  # an update may come before the news
    getty.fake.change(ASSET, "New", at=moment(seconds=-40))
    flow.delivered("catalogue", type="asset.described")
    assert plone.ask("GET", IMAGE)["title"] == "A French bulldog"

    restricted = {**an_image()["allowed_use"], "usage_restrictions": ["NO USE IN FRANCE"]}
    has_image(getty, ASSET, title="An old French bulldog", allowed_use=restricted)
    getty.fake.change(ASSET, "Update", at=moment(seconds=-20))
    flow.delivered("alerting", type="usage.restricted")
    (alert,) = alertmanager.alerts(f"asset/{ASSET}")
    assert alert["annotations"]["restrictions"] == "NO USE IN FRANCE"
    flow.delivered("catalogue", 3, type="asset.described")
    assert plone.ask("GET", IMAGE)["title"] == "An old French bulldog"

    for channel in "12":  # the channels of images and of films both tell of a deletion
        getty.fake.change(ASSET, "Delete", channel=channel, asset_type=None, at=moment(seconds=-10))
    flow.delivered("catalogue", 2, type="asset.withdrawn")
    assert not plone.has(IMAGE)
    assert flow.known("asset", ASSET) is None
    getty.until(lambda: not any(each.unconfirmed for each in getty.fake.channels.values()))


def test_while_getty_refuses_nothing_is_lost(start, plone, getty):
    has_image(getty, "1167612765")
    getty.fake.failing.extend([too_many(), too_many()])
    getty.fake.change("1167612765", "New", at=moment(seconds=-30))
    flow = start()
    flow.delivered("catalogue", type="asset.described")
    assert getty.fake.failing == []
    assert plone.has("/catalogue/getty-1167612765")


def test_what_was_licensed_twice_and_what_ends_is_told_of(start, getty, alertmanager):
    product = a_product(expiration_utc_date=moment(days=20), downloads_remaining=12)
    getty.fake.products[:] = [product]
    getty.fake.take_download(ASSET, product, moment(minutes=-50))
    flow = start()
    flow.seen(what="event", type="license.acquired", source="getty-downloads")
    getty.fake.take_download(ASSET, product, moment(minutes=-20))
    (twice,) = flow.delivered("alerting", type="license.acquired")
    assert len(alertmanager.alerts(twice["subject"])) == 1
    flow.delivered("alerting", type="agreement.expiring")
    flow.delivered("alerting", type="agreement.quota_low")
