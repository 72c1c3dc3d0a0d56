"""Numbers and moments in words."""

import pytest

from gateway.core.model import failure_id, inbox_id, rfc3339_moment
from gateway.core.words import ago, became


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-11-18T11:06:35.000Z", "5s ago"),
        ("2026-11-18T11:16:40.000Z", "in 10m"),
        ("2026-11-18T09:06:40.000Z", "2h ago"),
        ("2026-11-15T11:06:40.000Z", "3d ago"),
        (None, ""),
    ],
)
def test_moments_are_told_from_now(moment, text):
    now = rfc3339_moment("2026-11-18T11:06:40.000Z")
    assert ago(moment, now) == text


@pytest.mark.parametrize(
    ("name", "code", "event", "what"),
    [
        (inbox_id("evt_1"), "expression-failed", None, "unreadable"),
        (inbox_id("evt_1"), "expression-failed", "evt_2", "read again"),
        (failure_id("evt_1", 0), "expression-failed", "evt_1", "partly routed"),
        (inbox_id("evt_2"), "hop-limit", "evt_1", "partly routed"),
        (inbox_id("evt_2"), "duplicate-differs", "evt_1", "duplicate"),
    ],
)
def test_an_entry_of_the_inbox_tells_what_became_of_its_request(name, code, event, what):
    assert became({"id": name, "refused": False, "code": code, "event_id": event}) == what
