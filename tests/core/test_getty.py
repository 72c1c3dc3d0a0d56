"""Answers of Getty's that are of no known form."""

import pytest

from gateway.core.errors import PollFailed
from gateway.core.getty import change_set_of, channels_of
from gateway.core.getty_downloads import downloads_of
from gateway.core.getty_products import notices_of
from gateway.core.spelling import utc


def test_an_answer_of_no_known_form_is_told():
    cases = {
        "lists no channels": lambda: channels_of({"channels": []}),
        "has no id": lambda: change_set_of("1", {"changed_assets": []}),
        "lists no downloads": lambda: downloads_of({"downloads": [], "result_count": "many"}),
        "lists no products": lambda: notices_of({"items": []}, 0, [1], 10),
    }
    for what, asked in cases.items():
        with pytest.raises(PollFailed, match=what):
            asked()


def test_a_time_without_a_zone_is_in_utc():
    assert utc("2026-11-20T09:14:03") == "2026-11-20T09:14:03Z"
    assert utc("2026-11-20T09:14:03+01:00") == "2026-11-20T09:14:03+01:00"
    assert utc("yesterday") is None
    assert utc(20261120) is None
