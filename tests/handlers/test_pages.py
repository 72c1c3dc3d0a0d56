"""The pages that a handler acts on: the event's, or those that the route hands on."""

from collections.abc import Callable

import pytest

from gateway.core.model import Skipped
from handlers import contentful, drupal, plone, wordpress
from handlers.pages import refs
from tests.handlers.conftest import an_expiring_licence, shown_at

PAGES: list[tuple[str, Callable]] = [
    ("wordpress", wordpress.unpublish), ("wordpress", wordpress.republish),
    ("plone", plone.retract), ("plone", plone.publish),
    ("contentful", contentful.unpublish), ("contentful", contentful.republish),
    ("drupal", drupal.unpublish), ("drupal", drupal.republish),
]  # fmt: skip


def test_the_pages_are_those_of_the_system():
    event = shown_at("plone", "/news/story-1/", "")
    assert refs(event, "plone") == ["news/story-1"]
    assert refs(event, "wordpress") == []


def test_the_pages_that_the_route_hands_on_take_the_place_of_the_events():
    handed_on = [{"system": "plone", "ref": "known"}, {"system": "wordpress", "ref": "5"}]
    assert refs(an_expiring_licence(), "plone", handed_on) == ["known"]
    assert refs(shown_at("plone", "news/story-1"), "plone", []) == []


@pytest.mark.parametrize(("system", "handler"), PAGES)
async def test_a_handler_acts_on_the_pages_that_the_route_hands_on(run, vendor, system, handler):
    event = shown_at(system, "node/article/5")
    outcome = await run(handler, event, "https://www.example.com", placements=[])
    assert isinstance(outcome, Skipped)
    assert vendor.asked == []
