"""Plone: an image by its own id, and pages moved by their workflow."""

import pytest

from gateway.core.model import Accepted, Hopeless, Refused, Skipped
from handlers.plone import import_asset, publish, retract
from tests.handlers.conftest import shown_at

SITE = "https://www.example.com/Plone"
IMAGE = f"{SITE}/images/getty-847116840"
METADATA = {
    "title": "A French bulldog",
    "description": "An old dog smiling",
    "rights": "pascal kiszon",
    "expires": "2026-12-31T23:59:59+00:00",
}
IN_USE = {"type": "BadRequest", "message": 'The id "getty-847116840" is already in use.'}


@pytest.fixture(autouse=True)
def _each_request_asks_for_json(vendor):
    """What does not is none of Plone's REST API."""
    yield
    assert {each.headers["accept"] for each in vendor.asked if "/Plone" in each.url} <= {
        "application/json"
    }


def workflow(vendor, at: str, *transitions: str, status: int = 200) -> None:
    found = [{"@id": f"{at}/@workflow/{each}", "title": each.title()} for each in transitions]
    vendor.answers("GET", f"{at}/@workflow", status, json={"history": [], "transitions": found})


async def test_an_image_is_made_of_the_file(run, vendor, acquired):
    workflow(vendor, IMAGE, status=404)
    vendor.delivers()
    vendor.answers("POST", f"{SITE}/images", 201, json={"@id": IMAGE, "UID": "f00"})
    assert isinstance(await run(import_asset, acquired, SITE, folder="images"), Accepted)
    (made,) = vendor.bodies
    image = made.pop("image")
    assert made == {"@type": "Image", "id": "getty-847116840", **METADATA}
    assert image == {
        "data": "/9hhIHBpY3R1cmU=",
        "encoding": "base64",
        "filename": "getty-847116840.jpg",
        "content-type": "image/jpeg",
    }


async def test_an_image_that_is_there_is_described_anew(run, vendor, acquired):
    workflow(vendor, IMAGE)
    vendor.answers("PATCH", IMAGE, 204)
    assert isinstance(await run(import_asset, acquired, SITE, folder="images"), Accepted)
    assert vendor.bodies == [METADATA]


async def test_an_id_that_came_into_use_meanwhile_is_no_failure(run, vendor, acquired):
    workflow(vendor, f"{SITE}/getty-847116840", status=404)
    vendor.delivers()
    vendor.answers("POST", SITE, 400, json=IN_USE)
    vendor.answers("PATCH", f"{SITE}/getty-847116840", 204)
    assert isinstance(await run(import_asset, acquired, SITE), Accepted)
    assert vendor.bodies[-1] == METADATA


async def test_what_plone_calls_wrong_is_dead_at_once(run, vendor, acquired):
    workflow(vendor, f"{SITE}/getty-847116840", status=404)
    vendor.delivers()
    vendor.answers("POST", SITE, 400, json={"type": "BadRequest", "message": "No field 'x'"})
    outcome = await run(import_asset, acquired, SITE)
    assert outcome == Hopeless("Plone answers 400 BadRequest: No field 'x'")


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_what_may_pass_is_retried(run, vendor, status):
    workflow(vendor, f"{SITE}/news/story-1", status=status)
    outcome = await run(retract, shown_at("plone", "news/story-1"), SITE)
    assert isinstance(outcome, Refused)
    assert outcome.response.status == status


@pytest.mark.parametrize(("handler", "transition"), [(retract, "retract"), (publish, "publish")])
async def test_a_page_makes_the_transition_that_it_has(run, vendor, handler, transition):
    at = f"{SITE}/news/story-1"
    workflow(vendor, at, "submit", transition)
    vendor.answers("POST", f"{at}/@workflow/{transition}", json={"action": transition})
    event = shown_at("plone", "/news/story-1")
    assert isinstance(await run(handler, event, SITE), Accepted)
    assert vendor.bodies == [{"comment": f"license.expired {event.id}"}]


async def test_a_page_that_is_retracted_or_gone_is_left_alone(run, vendor):
    workflow(vendor, f"{SITE}/news/story-1", "publish")
    workflow(vendor, f"{SITE}/news/story-2", status=404)
    event = shown_at("plone", "news/story-1", "news/story-2")
    assert isinstance(await run(retract, event, SITE), Skipped)
    assert vendor.bodies == []


async def test_a_ref_does_not_lead_out_of_the_site(run, vendor):
    outcome = await run(retract, shown_at("plone", "../@users"), SITE)
    assert isinstance(outcome, Hopeless)
    assert vendor.asked == []
