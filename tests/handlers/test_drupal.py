"""Drupal: media under a UUID of our own, and pages whose status is written."""

from uuid import NAMESPACE_URL, uuid5

import pytest

from gateway.core.model import Accepted, Hopeless, Refused, Skipped
from handlers.drupal import import_asset, republish, unpublish
from tests.handlers.conftest import PICTURE, shown_at

SITE = "https://www.example.com/jsonapi"
MEDIA = f"{SITE}/media/image"
UUID = str(uuid5(NAMESPACE_URL, "getty-847116840"))
PAGE = "11111111-2222-4333-8444-555555555555"
ARTICLE = f"{SITE}/node/article/{PAGE}"
JSON_API = "application/vnd.api+json"
NAMED = {"type": "media--image", "id": UUID, "attributes": {"name": "A French bulldog"}}


def fault(status: int, title: str, detail: str) -> dict[str, object]:
    return {"errors": [{"status": str(status), "title": title, "detail": detail}]}


def article(vendor, status: bool, code: int = 200) -> None:
    page = {"type": "node--article", "id": PAGE, "attributes": {"status": status}}
    query = {"fields[node--article]": "status"}
    vendor.answers("GET", ARTICLE, code, json={"data": page}, query=query)


async def test_a_file_is_uploaded_and_a_media_entity_made_of_it(run, vendor, acquired):
    vendor.answers("GET", f"{MEDIA}/{UUID}", 404, json=fault(404, "Not Found", "none"))
    vendor.delivers()
    vendor.answers("POST", f"{MEDIA}/field_media_image", 201, json={"data": {"id": "file-uuid"}})
    vendor.answers("POST", MEDIA, 201, json={"data": NAMED})
    assert isinstance(await run(import_asset, acquired, SITE), Accepted)
    upload, made = vendor.asked[2:]
    assert (upload.body, upload.headers["content-type"]) == (PICTURE, "application/octet-stream")
    assert upload.headers["content-disposition"] == 'file; filename="getty-847116840.jpg"'
    shown = {"field_media_image": {"data": {"type": "file--file", "id": "file-uuid"}}}
    assert made.body == {"data": {**NAMED, "relationships": shown}}
    assert made.headers["content-type"] == made.headers["accept"] == JSON_API


async def test_an_entity_that_is_there_is_only_named(run, vendor, acquired):
    vendor.answers("GET", f"{MEDIA}/{UUID}", json={"data": NAMED})
    vendor.answers("PATCH", f"{MEDIA}/{UUID}", json={"data": NAMED})
    assert isinstance(await run(import_asset, acquired, SITE), Accepted)
    assert vendor.bodies == [{"data": NAMED}]


async def test_one_that_came_meanwhile_is_found_by_the_next_attempt(run, vendor, acquired):
    vendor.answers("GET", f"{MEDIA}/{UUID}", 404, json=fault(404, "Not Found", "none"))
    vendor.delivers()
    vendor.answers("POST", f"{MEDIA}/field_media_image", 201, json={"data": {"id": "f"}})
    vendor.answers("POST", MEDIA, 409, json=fault(409, "Conflict", "Entity already exists"))
    assert isinstance(await run(import_asset, acquired, SITE), Refused)


async def test_what_drupal_calls_invalid_is_dead_at_once(run, vendor, acquired):
    vendor.answers("GET", f"{MEDIA}/{UUID}", json={"data": NAMED})
    told = fault(422, "Unprocessable Content", "name: may not be longer than 255 characters.")
    vendor.answers("PATCH", f"{MEDIA}/{UUID}", 422, json=told)
    outcome = await run(import_asset, acquired, SITE)
    assert outcome == Hopeless(
        "Drupal answers 422 Unprocessable Content: name: may not be longer than 255 characters."
    )


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_what_may_pass_is_retried(run, vendor, status):
    article(vendor, True, status)
    outcome = await run(unpublish, shown_at("drupal", f"node/article/{PAGE}"), SITE)
    assert isinstance(outcome, Refused)
    assert outcome.response.status == status


@pytest.mark.parametrize(("handler", "online"), [(unpublish, False), (republish, True)])
async def test_a_page_is_taken_offline_and_brought_back(run, vendor, handler, online):
    article(vendor, not online)
    vendor.answers("PATCH", ARTICLE, json={})
    event = shown_at("drupal", f"node/article/{PAGE}")
    assert isinstance(await run(handler, event, SITE), Accepted)
    changed = {"type": "node--article", "id": PAGE, "attributes": {"status": online}}
    assert vendor.bodies == [{"data": changed}]


@pytest.mark.parametrize("code", [200, 404])
async def test_a_page_that_is_offline_or_gone_is_left_alone(run, vendor, code):
    article(vendor, False, code)
    event = shown_at("drupal", f"node/article/{PAGE}")
    assert isinstance(await run(unpublish, event, SITE), Skipped)
