"""WordPress: pages go offline and come back, and a repeated attempt does no harm."""

import pytest

from gateway import Skip
from handlers.cms import republish, unpublish
from tests.kit.build import an_event

SITE = "https://www.example.com/wp-json/wp/v2"
READ = "?context=edit&_fields=id%2Cstatus"


def an_expired_licence(*refs: str, system: str = "wordpress"):
    placements = [{"system": system, "ref": ref} for ref in refs]
    return an_event(event_type="license.expired", data={"placements": placements})


def page(vendor, number: int, status: str) -> None:
    vendor.answers("GET", f"{SITE}/posts/{number}{READ}", json={"id": number, "status": status})


async def test_a_published_page_becomes_a_draft(run, vendor):
    page(vendor, 5, "publish")
    vendor.answers("POST", f"{SITE}/posts/5", json={"id": 5, "status": "draft"})
    answer = await run(unpublish, an_expired_licence("post/5"), SITE)
    assert answer.status == 200
    assert vendor.asked[-1] == ("POST", f"{SITE}/posts/5", {"status": "draft"})


async def test_a_page_that_is_a_draft_already_is_left_alone(run, vendor):
    page(vendor, 5, "draft")
    with pytest.raises(Skip):
        await run(unpublish, an_expired_licence("5"), SITE)
    assert [m for m, _, _ in vendor.asked] == ["GET"]


async def test_every_page_is_taken_and_a_deleted_one_does_not_stop_the_rest(run, vendor):
    vendor.answers("GET", f"{SITE}/posts/4{READ}", 404, json={"code": "rest_post_invalid_id"})
    page(vendor, 5, "publish")
    vendor.answers("POST", f"{SITE}/posts/5", json={})
    await run(unpublish, an_expired_licence("post/4", "post/5"), SITE)
    assert vendor.asked[-1][0] == "POST"


@pytest.mark.parametrize("status", [401, 500, 503])
async def test_a_failure_to_read_or_to_write_is_the_outcome(run, vendor, status):
    vendor.answers("GET", f"{SITE}/posts/5{READ}", status, json={"code": "rest_cannot_view"})
    assert (await run(unpublish, an_expired_licence("5"), SITE)).status == status
    page(vendor, 6, "publish")
    vendor.answers("POST", f"{SITE}/posts/6", status, json={"code": "rest_cannot_edit"})
    assert (await run(unpublish, an_expired_licence("6", "7"), SITE)).status == status


async def test_a_draft_is_published_again(run, vendor):
    page(vendor, 5, "draft")
    vendor.answers("POST", f"{SITE}/posts/5", json={})
    await run(republish, an_expired_licence("5"), SITE)
    assert vendor.asked[-1][2] == {"status": "publish"}


@pytest.mark.parametrize("refs", [(), ("5?force=true",), ("",), ("\u0665",)])
async def test_what_is_no_post_of_this_site_is_left_alone(run, vendor, refs):
    with pytest.raises(Skip):
        await run(unpublish, an_expired_licence(*refs), SITE)
    assert vendor.asked == []


async def test_other_systems_placements_are_left_alone(run, vendor):
    with pytest.raises(Skip):
        await run(unpublish, an_expired_licence("5", system="plone"), SITE)
