"""Numbers and moments in words."""

import pytest

from gateway.core.model import rfc3339_moment
from gateway.core.words import ago


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
