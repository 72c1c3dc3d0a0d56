"""The event catalogue: its schemas, its samples, and what the gateway itself makes of these types."""

import jsonschema_rs
import pytest

from gateway.catalogue import catalogue_types, sample, sample_of, schema_of
from gateway.catalogue.described import kind, rows
from gateway.config.conformance import conformance
from gateway.core.errors import NotFound
from gateway.core.getty import change_set_of
from gateway.core.news import TYPES, Deaths, Lateness, Stop, rejection, silence
from tests.kit.build import NOW

misfit = conformance("warn", schema_of).misfit
DOMAIN = [
    "asset.updated",
    "asset.withdrawn",
    "asset.imported",
    "asset.published",
    "asset.unpublished",
    "terms.changed",
    "usage.restricted",
    "usage.reported",
    "usage.violation",
    "license.requested",
    "license.approved",
    "license.rejected",
    "license.acquired",
    "license.acquire_failed",
    "license.expiring",
    "license.expired",
    "license.renewed",
    "license.revoked",
    "agreement.expiring",
    "agreement.quota_low",
    "review.opened",
    "review.closed",
    "editorial.matched",
]


def test_it_has_the_types_of_the_domain_and_the_gateways_own_news():
    assert catalogue_types() == tuple(sorted([*DOMAIN, *TYPES]))


@pytest.mark.parametrize("event_type", catalogue_types())
def test_a_schema_is_whole_and_its_sample_fits_it(event_type):
    schema = schema_of(event_type)
    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == event_type
    assert schema["description"]
    event = sample_of(event_type)
    assert event["type"] == event_type
    assert misfit(event_type, event["data"]) is None
    known = {row.name for row in rows(schema)}
    assert {name for name in event["data"] if name not in known} == set()


@pytest.mark.parametrize("event_type", catalogue_types())
def test_more_may_be_said_than_the_catalogue_knows_but_nothing_that_is_required_left_out(
    event_type,
):
    data = sample_of(event_type)["data"]
    assert misfit(event_type, {**data, "more": {"of": "it"}}) is None
    for name in schema_of(event_type)["required"]:
        less = {key: value for key, value in data.items() if key != name}
        assert misfit(event_type, less) == (event_type, f"data.{name}", "is missing")


@pytest.mark.parametrize(
    ("path", "value", "field", "what"),
    [
        (["license", "id"], 5, "data.license.id", "is a number, and has to be text"),
        (["license", "expires_at"], "soon", "data.license.expires_at", "is no date-time"),
        (["license", "channels"], ["web", "moon"], "data.license.channels[1]", "is none of web, social"),
        (["days_left"], -1, "data.days_left", "is not as it has to be: it is less than the minimum"),
        (["license"], None, "data.license", "is null, and has to be an object"),
        (["placements"], [{"ref": "5"}], "data.placements[0].system", "is missing"),
        (["asset", "id"], "a secret!", "data.asset.id", "is not as it has to be: it does not match"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_by_its_path_and_not_shown(path, value, field, what):
    data = sample_of("license.expiring")["data"]
    at = data
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    found = misfit("license.expiring", data)
    assert found.field == field
    assert found.what.startswith(what)
    assert "secret" not in str(found)


def test_of_a_type_that_it_does_not_know_it_says_nothing():
    assert conformance("warn", lambda _: True).misfit("article.created", 5) is None
    with pytest.raises(NotFound, match="gateway types"):
        sample("article.created", NOW)


def test_a_sample_is_fresh_each_time():
    one, other = sample("license.expiring", NOW), sample("license.expiring", NOW)
    assert one["id"] != other["id"]
    assert one["time"] == "2026-11-18T11:06:40.000Z"


def test_the_gateways_own_news_fits_it():
    deaths, lateness = Deaths(), Lateness()
    deaths.add("dlv_1", "route", "http-500: no", NOW)
    lateness.add(3, NOW, "evt_1")
    stop = Stop("breaker", "5 failures", None)
    told = [
        deaths.news("cms", None), lateness.news("cms", "web", NOW), stop.news("cms", None),
        stop.recovery("cms", None, NOW), silence("dam", NOW, 60_000_000, NOW), rejection(["a"], "f"),
    ]  # fmt: skip
    assert [news.type for news in told if misfit(news.type, news.data)] == []
    assert len({news.type for news in told}) == len(TYPES)


def test_what_getty_tells_fits_it():
    change = {
        "id": "1",
        "asset_type": "Image",
        "asset_changed_utc_datetime": "2026-11-20T09:14:03Z",
    }
    changed = [
        {**change, "asset_lifecycle": "Update"},
        {**change, "asset_lifecycle": "Delete", "asset_type": None},
    ]
    events = change_set_of("12", {"change_set_id": 1, "changed_assets": changed}).events
    assert [misfit(event["type"], event["data"]) for event in events] == [None, None]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (True, "anything"),
        ({}, "anything"),
        ({"type": "integer"}, "whole number"),
        ({"type": ["string", "null"], "format": "date-time"}, "moment or null"),
        ({"enum": ["a", "b", None]}, "`a`, `b` or null"),
        ({"type": "array", "items": {"$ref": "#/$defs/Asset"}}, "list of Asset"),
        ({"type": "array"}, "list of anything"),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            "object of whole numbers",
        ),
        ({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Actor"}]}, "text or Actor"),
    ],
)
def test_what_a_field_is_is_said_in_words(schema, words):
    assert kind(schema) == words
