"""WordPress: assets come once, pages go offline and come back, and a repeated attempt does no harm."""

import pytest

from gateway.core.model import Accepted, Hopeless, Postponed, Refused, Skipped
from handlers.wordpress import import_asset, republish, unpublish
from tests.handlers.conftest import PICTURE, shown_at

SITE = "https://www.example.com/wp-json/wp/v2"
READ = {"context": "edit", "_fields": "id,status"}
LOOK = {"slug": "getty-847116840", "context": "edit", "_fields": "id,slug"}
DESCRIBED = {
    "slug": "getty-847116840",
    "title": "A French bulldog",
    "caption": "An old dog smiling / Getty Images",
    "alt_text": "A French bulldog",
    "description": "An old dog smiling",
}


def library_has(vendor, *media) -> None:
    vendor.answers("GET", f"{SITE}/media", json=list(media), query=LOOK)


def page(vendor, number: int, status: str) -> None:
    at = f"{SITE}/posts/{number}"
    vendor.answers("GET", at, json={"id": number, "status": status}, query=READ)


def fault(code: str, status: int) -> dict[str, object]:
    return {"code": code, "message": f"Sorry, {code}.", "data": {"status": status}}


async def test_an_asset_is_uploaded_and_described(run, vendor, acquired):
    library_has(vendor)
    vendor.delivers()
    vendor.answers("POST", f"{SITE}/media", 201, json={"id": 4, "slug": "getty-847116840"})
    vendor.answers("POST", f"{SITE}/media/4", json={"id": 4})
    assert isinstance(await run(import_asset, acquired, SITE), Accepted)
    upload, described = vendor.asked[2:]
    assert upload.body == PICTURE
    assert upload.headers["content-type"] == "image/jpeg"
    assert upload.headers["content-disposition"] == 'attachment; filename="getty-847116840.jpg"'
    assert described.body == DESCRIBED


async def test_what_was_uploaded_before_is_only_described(run, vendor, acquired):
    library_has(vendor, {"id": 4, "slug": "getty-847116840"})
    vendor.answers("POST", f"{SITE}/media/4", json={"id": 4})
    assert isinstance(await run(import_asset, acquired, SITE), Accepted)
    assert vendor.bodies == [DESCRIBED]


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "rest_upload_sideload_error"), (501, "rest_x"), (400, "rest_upload_no_data")],
)
async def test_what_wordpress_will_never_take_is_dead_at_once(run, vendor, acquired, status, code):
    library_has(vendor)
    vendor.delivers()
    vendor.answers("POST", f"{SITE}/media", status, json=fault(code, status))
    outcome = await run(import_asset, acquired, SITE)
    assert outcome == Hopeless(f"WordPress answers {status} {code}: Sorry, {code}.")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_what_may_pass_is_retried(run, vendor, acquired, status):
    vendor.answers("GET", f"{SITE}/media", status, json=fault("rest_x", status), query=LOOK)
    outcome = await run(import_asset, acquired, SITE)
    assert isinstance(outcome, Refused)
    assert outcome.response.status == status


@pytest.mark.parametrize(("status", "kind"), [(403, Hopeless), (404, Hopeless), (503, Postponed)])
async def test_a_file_that_cannot_be_had_is_no_fault_of_wordpress(
    run, vendor, acquired, status, kind
):
    library_has(vendor)
    vendor.delivers(status)
    assert isinstance(await run(import_asset, acquired, SITE), kind)


async def test_a_licence_without_its_file_or_its_asset_cannot_be_imported(run, vendor):
    library_has(vendor)
    outcome = await run(import_asset, shown_at("wordpress"), SITE)
    assert "has no `download.uri`" in outcome.reason
    event = shown_at("wordpress")
    event.data["license"]["asset_id"] = "../users"
    assert "names no asset" in (await run(import_asset, event, SITE)).reason


async def test_a_published_page_becomes_a_draft(run, vendor):
    page(vendor, 5, "publish")
    vendor.answers("POST", f"{SITE}/posts/5", json={"id": 5, "status": "draft"})
    assert isinstance(await run(unpublish, shown_at("wordpress", "post/5"), SITE), Accepted)
    assert vendor.bodies == [{"status": "draft"}]


async def test_a_page_that_is_a_draft_already_is_left_alone(run, vendor):
    page(vendor, 5, "draft")
    assert isinstance(await run(unpublish, shown_at("wordpress", "5"), SITE), Skipped)
    assert vendor.bodies == []


async def test_every_page_is_taken_and_a_deleted_one_does_not_stop_the_rest(run, vendor):
    missing = fault("rest_post_invalid_id", 404)
    vendor.answers("GET", f"{SITE}/posts/4", 404, json=missing, query=READ)
    page(vendor, 5, "publish")
    vendor.answers("POST", f"{SITE}/posts/5", json={})
    await run(unpublish, shown_at("wordpress", "post/4", "post/5"), SITE)
    assert vendor.bodies == [{"status": "draft"}]


@pytest.mark.parametrize("status", [401, 500, 503])
async def test_a_failure_to_read_or_to_write_is_the_outcome(run, vendor, status):
    vendor.answers("GET", f"{SITE}/posts/5", status, json=fault("rest_x", status), query=READ)
    outcome = await run(unpublish, shown_at("wordpress", "5"), SITE)
    assert outcome.response.status == status
    page(vendor, 6, "publish")
    vendor.answers("POST", f"{SITE}/posts/6", status, json=fault("rest_x", status))
    outcome = await run(unpublish, shown_at("wordpress", "6", "7"), SITE)
    assert outcome.response.status == status


async def test_a_draft_is_published_again(run, vendor):
    page(vendor, 5, "draft")
    vendor.answers("POST", f"{SITE}/posts/5", json={})
    await run(republish, shown_at("wordpress", "5"), SITE)
    assert vendor.bodies == [{"status": "publish"}]


@pytest.mark.parametrize("refs", [(), ("5?force=true",), ("",), ("\u0665",)])
async def test_what_is_no_post_of_this_site_is_left_alone(run, vendor, refs):
    assert isinstance(await run(unpublish, shown_at("wordpress", *refs), SITE), Skipped)
    assert vendor.asked == []


async def test_other_systems_placements_are_left_alone(run, vendor):
    assert isinstance(await run(unpublish, shown_at("plone", "5"), SITE), Skipped)
