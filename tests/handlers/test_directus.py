"""Directus: an item of our own key for each asset, created or written."""

import pytest

from gateway.core.model import Accepted, Hopeless, Refused
from handlers.directus import upsert_item

SITE = "https://directus.example.com"
ITEMS = f"{SITE}/items/assets"
ITEM = f"{ITEMS}/getty-847116840"
TERMS = {
    "title": "A French bulldog",
    "caption": "An old dog smiling",
    "artist": "P. Kiszon",
    "credit_line": "Getty Images",
    "copyright": "pascal kiszon",
    "license_id": "lic_1",
    "expires_at": "2026-12-31T23:59:59Z",
    "territories": ["DE", "FR"],
    "channels": ["web"],
}


def fault(code: str, message: str = "It is not so.") -> dict[str, object]:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


async def test_an_item_is_created(run, vendor, acquired):
    vendor.answers("POST", ITEMS, json={"data": {}})
    assert isinstance(await run(upsert_item, acquired, SITE), Accepted)
    assert vendor.bodies == [{**TERMS, "id": "getty-847116840"}]


async def test_an_item_that_is_there_is_written(run, vendor, acquired):
    vendor.answers("POST", ITEMS, 400, json=fault("RECORD_NOT_UNIQUE"))
    vendor.answers("PATCH", ITEM, json={"data": {}})
    assert isinstance(await run(upsert_item, acquired, SITE, fields={"ends": "2027"}), Accepted)
    assert vendor.bodies == [{"ends": "2027", "id": "getty-847116840"}, {"ends": "2027"}]


async def test_a_204_for_an_item_that_is_gone_is_no_success(run, vendor, acquired):
    vendor.answers("POST", ITEMS, 400, json=fault("RECORD_NOT_UNIQUE"))
    vendor.answers("PATCH", ITEM, 204)
    outcome = await run(upsert_item, acquired, SITE)
    assert isinstance(outcome, Refused)
    assert outcome.response.status == 204


async def test_what_directus_calls_invalid_is_dead_at_once(run, vendor, acquired):
    told = 'Validation failed for field "title".'
    vendor.answers("POST", ITEMS, 400, json=fault("FAILED_VALIDATION", told))
    outcome = await run(upsert_item, acquired, SITE)
    assert outcome == Hopeless(f"Directus answers 400 FAILED_VALIDATION: {told}")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_what_may_pass_is_retried(run, vendor, acquired, status):
    vendor.answers("POST", ITEMS, status, json=fault("FORBIDDEN"))
    outcome = await run(upsert_item, acquired, SITE)
    assert isinstance(outcome, Refused)
    assert outcome.response.status == status
