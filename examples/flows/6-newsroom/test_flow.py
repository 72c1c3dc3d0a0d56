"""A newsroom that somebody drew in Node-RED gets pictures to choose from, a caption, and a credit."""

from pathlib import Path

import pytest

from examples.flows.kit.running import Gateway, signing_secret
from examples.flows.servers.getty import KEY, an_image, too_many
from examples.flows.servers.node_red import NodeRed

TOKEN = "a-token-of-the-newsroom"
SECRET = signing_secret()


@pytest.fixture
def newsroom(tmp_path, stopped, gateway) -> NodeRed:
    """The newsroom, which signs what it posts to the gateway."""
    variables = {
        "NEWSROOM_TOKEN": TOKEN,
        "NEWSROOM_WEBHOOK_SECRET": SECRET,
        "GATEWAY_URL": gateway.url,
    }
    return stopped(NodeRed(tmp_path, Path(__file__).parent / "node-red.json", **variables))


@pytest.fixture
def start(gateway, newsroom):
    def start(getty: str) -> Gateway:
        return gateway.start(
            GETTY_URL=getty, GETTY_API_KEY=KEY, NEWSROOM_URL=newsroom.url, NEWSROOM_TOKEN=TOKEN,
            NEWSROOM_WEBHOOK_SECRET=SECRET,
        )  # fmt: skip

    return start


def an_article(**more) -> dict:
    return {"headline": "Berlin has voted", "keywords": ["election", "berlin"], **more}


def test_an_article_is_offered_pictures_and_the_picked_one_brings_its_credit(
    start, getty, newsroom
):
    editorial = {"asset_family": "editorial", "title": "Election night in Berlin"}
    getty.fake.images["1"] = an_image(**editorial, date_created="2026-09-20T18:00:00Z")
    getty.fake.images["2"] = an_image(
        **editorial,
        date_created="2026-09-20T20:00:00Z",
        caption="A candidate",
        credit_line="Getty Images/S. Doe",
    )
    getty.fake.images["3"] = an_image(title="Berlin, an election poster, creative")
    getty.fake.failing.append(too_many())  # Getty is busy when the article comes
    flow = start(getty.url)

    article = newsroom.ask("POST", "/articles", an_article())
    (refused,) = flow.seen(what="attempt", endpoint="getty", outcome="refused")
    assert refused["status"] == 429
    assert refused["then"].startswith("again in ")
    flow.delivered("newsroom", type="editorial.matched")
    offered = newsroom.ask("GET", f"/articles/{article['id']}")["candidates"]
    assert [each["id"] for each in offered] == ["2", "1"]  # the newest first

    newsroom.ask("POST", f"/articles/{article['id']}/pick", {"asset_id": "2", "editor": "u-17"})
    flow.delivered("newsroom", type="asset.described")
    picture = newsroom.ask("GET", f"/articles/{article['id']}")["picture"]
    assert picture == {"asset_id": "2", "caption": "A candidate", "credit": "Getty Images/S. Doe"}
    flow.seen(what="event", type="license.requested", source="gateway")


def test_what_getty_is_asked_is_as_its_own_document_wants_it(start, prism, newsroom):
    mock = prism("gettyimages.com")
    flow = start(mock.url)
    article = newsroom.ask("POST", "/articles", an_article(event_ids=[775, 776]))
    flow.delivered("newsroom", type="editorial.matched")
    newsroom.ask("POST", f"/articles/{article['id']}/pick", {"asset_id": "2", "editor": "u-17"})
    flow.delivered("getty", type="asset.selected")
    assert [(call.status, call.violations) for call in mock.calls] == [(200, [])] * 2
