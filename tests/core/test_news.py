"""What the gateway tells of itself: as docs/news.md says."""

import json
import re
from pathlib import Path

import pytest

from gateway.core.derived import derived, is_news
from gateway.core.model import SECOND, DeliveryId, event_id
from gateway.core.news import (
    MOST_NAMED,
    TYPES,
    Deaths,
    Lateness,
    Stop,
    code_of,
    rejection,
    silence,
)
from tests.kit.build import NOW, an_event

PAGE = (Path(__file__).parents[2] / "docs/news.md").read_text()


def deaths(*reasons: str) -> Deaths:
    made = Deaths()
    for i, reason in enumerate(reasons):
        made.add(DeliveryId(f"dlv_{i}"), "a-route", reason, NOW + i)
    return made


def all_news():
    late, stop = Lateness(), Stop("breaker", "5 failures in a row", NOW)
    late.add(1, NOW, event_id(NOW, 1))
    return [
        deaths("http-500").news("cms", "web-team"),
        late.news("cms", None, NOW),
        stop.news("cms", None),
        stop.recovery("cms", None, NOW),
        silence("getty", NOW, 60 * SECOND, NOW),
        rejection(["x"], "f1"),
    ]


@pytest.mark.parametrize("news", all_news(), ids=lambda news: news.type)
def test_the_page_shows_a_sample_of_each_with_all_its_fields(news):
    section = PAGE.partition(f"\n## {news.type}\n")[2].partition("\n## ")[0]
    (sample,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    assert list(json.loads(sample)) == list(news.data)
    assert f"[`{news.type}`](#{news.type.replace('.', '')})" in PAGE
    assert news.type in TYPES


def test_what_dies_again_after_it_was_sent_again_is_other_news():
    first, again = Deaths(), Deaths()
    for made, now in ((first, NOW), (again, NOW + 1)):
        made.add(DeliveryId("dlv_1"), "a-route", "http-500", now)
    assert first.news("cms", None).key != again.news("cms", None).key


def test_every_type_is_one_that_is_made():
    assert {news.type for news in all_news()} == set(TYPES)


def test_of_very_many_reasons_and_deliveries_some_are_named_and_the_rest_is_counted():
    told = deaths(*(f"code-{i}: detail" for i in range(100))).news("cms", None).data
    assert told["count"] == sum(told["reasons"].values()) == 100
    assert len(told["reasons"]) == MOST_NAMED + 1
    assert told["reasons"]["others"] == 90
    assert len(told["deliveries"]) == MOST_NAMED


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("http-500 (after 9 attempts)", "http-500"),
        ("raised: ValueError: x", "raised"),
        ("gone", "gone"),
    ],
)
def test_a_reason_counts_by_what_it_begins_with(reason, code):
    assert code_of(reason) == code


def test_what_follows_from_news_is_news_and_a_sender_can_make_none():
    news = rejection(["x"], "f1").event(event_id(NOW, 1), NOW)
    more = derived(
        news, event_id=event_id(NOW, 2), event_type="alarm.unconfirmed", origin="/routes/alarm",
        data={}, now=NOW, key="k",
    )  # fmt: skip
    claimed = an_event(news=True, event_type="gateway.config.rejected")
    follows = derived(
        claimed, event_id=event_id(NOW, 3), event_type="x", origin="/routes/x", data={}, now=NOW,
        key="k",
    )  # fmt: skip
    assert [is_news(each) for each in (news, more, claimed, follows)] == [True, True, False, False]
