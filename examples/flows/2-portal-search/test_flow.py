"""Somebody searches in a portal, picks an image, and asks for a licence; Getty's key stays where it is."""

import pytest

from examples.flows.kit.running import Gateway, signing_secret
from examples.flows.servers import roundup as of_roundup
from examples.flows.servers.getty import KEY, an_image, too_many

TOKEN = "a-token-of-the-portal"


@pytest.fixture
def start(gateway, roundup):
    def start(getty: str) -> Gateway:
        return gateway.start(
            GETTY_URL=getty, GETTY_API_KEY=KEY, PORTAL_TOKEN=TOKEN, ROUNDUP_URL=roundup.url,
            ROUNDUP_PASSWORD=of_roundup.PASSWORD, PORTAL_WEBHOOK_SECRET=signing_secret(),
        )  # fmt: skip

    return start


def test_an_image_is_found_and_asked_for(start, getty, roundup):
    getty.fake.images["847116840"] = an_image()
    getty.fake.images["1167612765"] = an_image(asset_family="editorial", title="A match")
    flow = start(getty.url)

    answer = flow.query("creative?phrase=french%20bulldog&page_size=10", TOKEN).expect()
    (found,) = answer.json()["images"]
    assert found["id"] == "847116840"
    again = flow.query("creative?page_size=10&phrase=french%20bulldog", TOKEN)
    assert "hit" in again.headers["cache-status"]
    assert getty.fake.asked["GET /v3/search/images/creative"] == 1
    assert flow.query("editorial?phrase=match", TOKEN).json()["result_count"] == 1

    picked = {
        "type": "license.requested", "subject": "request/req_8812",
        "data": {
            "request_id": "req_8812", "asset_id": found["id"], "product_type": "premiumaccess",
            "requested_by": {"id": "u-17", "name": "J. Doe", "email": "jdoe@example.com"},
            "intended_use": {"channels": ["web"], "territories": ["DE"], "duration_days": 365},
        },
    }  # fmt: skip
    flow.post("portal", picked)
    flow.delivered("licensing-desk")
    flow.post("portal", picked)  # the button was pressed twice
    flow.delivered("licensing-desk", 2)
    assert len(roundup.issues("req_8812")) == 1
    flow.seen(what="event", type="review.opened", subject="request/req_8812")
    assert flow.known("request", "req_8812")["asset_id"] == "847116840"


def test_who_may_not_ask_is_refused_and_what_getty_refuses_says_nothing_of_the_key(start, getty):
    flow = start(getty.url)
    assert flow.query("creative?phrase=dog", "another token").status == 401
    assert flow.query("creative?phrase=dog&product_id=1", TOKEN).status == 400
    assert getty.fake.asked.total() == 0
    getty.fake.failing.append(too_many())
    refused = flow.query("creative?phrase=dog", TOKEN)
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert flow.query("editorial?phrase=dog", TOKEN).status in (429, 503)  # the key is one for both
    assert getty.fake.asked.total() == 1
    assert KEY not in f"{refused.headers} {refused.body!r}"


def test_a_search_is_as_gettys_own_document_wants_it(start, prism):
    mock = prism("gettyimages.com")
    flow = start(mock.url)
    query = "phrase=dog&page=2&page_size=10&sort_order=newest"
    flow.query(f"creative?{query}&orientations=horizontal,vertical", TOKEN).expect()
    flow.query(f"editorial?{query}&editorial_segments=news,sport", TOKEN).expect()
    assert [call.status for call in mock.calls] == [200, 200]
    assert [call.violations for call in mock.calls] == [[], []]
