"""What the gateway itself makes of the catalogue's types fits them, and has no field that they do not name."""

import json
from collections.abc import Iterator

import pytest

from gateway.catalogue import schema_of
from gateway.config.conformance import conformance
from gateway.core.awaits import Reply, with_more
from gateway.core.getty import change_set_of
from gateway.core.getty_downloads import downloads_of
from gateway.core.getty_images import FIELDS, detailed, images_of
from gateway.core.getty_products import DAY, notices_of
from gateway.core.model import rfc3339
from gateway.core.register import Knowledge
from gateway.core.terms import compared
from handlers.getty_answers import licence
from tests.kit.build import NOW, an_event
from tests.kit.getty import FakeGetty, a_product

misfit = conformance("warn", schema_of).misfit
IMAGE = {
    "id": "847116840", "title": "A dog", "asset_family": "creative", "license_model": "royaltyfree",
    "allowed_use": {"how_can_i_use_it": "All of it.", "release_info": None, "usage_restrictions": []},
    "max_dimensions": {"height": 4000, "width": 6000}, "collection_id": 348, "product_types": ["premiumaccess"],
    "call_for_image": False, "keywords": [{"text": "Dog"}], "date_created": "2017-09-12T00:00:00Z",
    "referral_destinations": [{"site_name": "gettyimages", "uri": "http://www.gettyimages.com/detail/1"}],
}  # fmt: skip


def of_changes() -> Iterator[dict]:
    """An image that is known, gets tighter terms, and goes; and one of which nothing is said."""
    getty = FakeGetty()
    for lifecycle in ("New", "Update", "Delete"):
        getty.change("847116840", lifecycle)
    getty.change("2", asset_type=None)
    pending = getty.channels["1"].pending
    changes = change_set_of("1", {"change_set_id": "5", "changed_assets": pending})
    tight = {
        **IMAGE,
        "allowed_use": {"usage_restrictions": ["NO USE IN FRANCE"]},
        "max_dimensions": None,
    }
    events = []
    for event, image in zip(changes.events, (IMAGE, tight, tight, tight), strict=True):
        answer = {"images": [image], "images_not_found": []}
        events.append(detailed(event, images_of(["847116840"], answer, FIELDS)))
    yield from compared(events, "asset", Knowledge())


def of_lists() -> Iterator[dict]:
    """A download, an agreement that ends, and one of which little is left."""
    getty = FakeGetty()
    getty.take_download("847116840", a_product(), rfc3339(NOW), "gw:req_1")
    yield from downloads_of({"result_count": 1, "downloads": getty.downloads}).events
    product = a_product(downloads_remaining=3, expiration_utc_date=rfc3339(NOW + 5 * DAY))
    for notice in notices_of({"products": [product]}, NOW, (7,), 10):
        yield notice.event


def of_decisions() -> Iterator[dict]:
    """What an answer adds to a request."""
    request = {"request_id": "req_1", "asset_id": "847116840"}
    told = Reply("awaits/x", "req_1", "yes", NOW, {"id": "ann"}, "fine").told
    for kind in ("license.approved", "license.rejected"):
        yield json.loads(with_more(json.dumps({"type": kind, "data": request}).encode(), told))


def of_licensing() -> Iterator[dict]:
    """What Getty's handler answers, of a download that was made just now, and of one that was lost."""
    event = an_event(event_type="license.approved", data={"request_id": "req_1", "asset_id": "1"})
    told = {"product_id": 12345, "product_type": "premiumaccess", "project_code": None}
    yield {"type": "license.acquired", "data": licence(event, "1", "gw:req_1", told).json()}


MADE = [*of_changes(), *of_lists(), *of_decisions(), *of_licensing()]


@pytest.mark.parametrize("event", MADE, ids=lambda event: event["type"])
def test_it_fits_and_says_nothing_else(event):
    assert misfit(event["type"], event["data"]) is None
    assert list(_unnamed(schema_of(event["type"]), event["data"], "data")) == []


def test_all_that_the_gateway_makes_is_here():
    assert {event["type"] for event in MADE} == {
        "agreement.expiring", "agreement.quota_low", "asset.updated", "asset.withdrawn", "license.acquired",
        "license.approved", "license.rejected", "terms.changed", "usage.restricted",
    }  # fmt: skip


def _unnamed(schema: dict, data: object, place: str, whole: dict | None = None) -> Iterator[str]:
    """The fields that a schema does not name."""
    whole = schema if whole is None else whole
    if reference := schema.get("$ref"):
        schema = whole["$defs"][reference.rpartition("/")[2]]
    for branch in schema.get("anyOf", ()):
        if "$ref" in branch and isinstance(data, dict):
            yield from _unnamed(branch, data, place, whole)
    if isinstance(data, list):
        for each in data:
            yield from _unnamed(schema.get("items", {}), each, f"{place}[]", whole)
    elif (
        isinstance(data, dict) and "properties" in schema and not schema.get("additionalProperties")
    ):
        for name, value in data.items():
            if name in schema["properties"]:
                yield from _unnamed(schema["properties"][name], value, f"{place}.{name}", whole)
            else:
                yield f"{place}.{name}"
