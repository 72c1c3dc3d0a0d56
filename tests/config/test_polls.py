"""`poll:` of a source."""

import pytest

from gateway.core.getty_images import FIELDS
from gateway.core.model import SECOND

FILE = """\
version: 1
sources:
  getty: {{poll: {}}}
endpoints: {{cms: {{url: "http://127.0.0.1:9/cms", sign: none}}}}
routes:
  - {{name: all, match: {{}}, to: [cms]}}
  - {{name: keep, match: {{type: asset.updated}}, remember: {{collection: asset, key: "${{event.data.asset.id}}"}}}}
"""
CHANGES, DOWNLOADS, PRODUCTS = (
    "preset: getty-asset-changes", "preset: getty-downloads", "preset: getty-products",
)  # fmt: skip
HTTP = "preset: http, url: 'http://127.0.0.1/feed'"


def of(load, rest: str):
    loaded = load(FILE.format("{" + rest + "}"), GETTY_API_KEY="key", GETTY_API_SECRET="secret")
    return loaded, None if loaded.routes is None else loaded.routes.sources["getty"].poll


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("preset: http", "missing-key"),
        (DOWNLOADS + ", batch: 5", "poll-forms"),
        (PRODUCTS + ", enrich: {}", "poll-forms"),
        (CHANGES + ", thresholds: [1]", "poll-forms"),
        (CHANGES + ", company: true", "poll-forms"),
        (CHANGES + ", cursor: '${body.next}'", "poll-forms"),
        (HTTP + ", quota_percent: 5", "poll-forms"),
        (HTTP + ", key: {env: KEY}", "poll-forms"),
        (HTTP + ", cursor: next", "string-pattern-mismatch"),
        (HTTP + ", cursor: '${bdy.next}'", "expression"),
        (HTTP + ", cursor: {value: '${body.next}', parameter: 'a b'}", "string-pattern-mismatch"),
        (HTTP + ", cursor: {value: '${body..next}'}", "expression"),
        (CHANGES + ", enrich: {policy: always}", "unknown-value"),
        (CHANGES + ", enrich: {fields: []}", "too-short"),
        (CHANGES + ", enrich: {fields: ['a,b']}", "string-pattern-mismatch"),
        (PRODUCTS + ", thresholds: []", "too-short"),
    ],
)
def test_what_makes_no_sense_is_an_error_with_its_place(load, rest, code):
    problems = of(load, rest)[0].errors
    assert [problem.code for problem in problems] == [code]
    assert problems[0].line == 3
    assert problems[0].cure


def test_each_preset_is_asked_as_often_as_it_makes_sense(load):
    every = {
        rest: of(load, rest)[1].every // SECOND for rest in (CHANGES, DOWNLOADS, PRODUCTS, HTTP)
    }
    assert list(every.values()) == [60, 900, 3600, 60]
    assert of(load, DOWNLOADS + ", every: 1h")[1].every == 3600 * SECOND


def test_what_is_asked_about_assets_is_what_the_file_says(load):
    enrich = of(load, CHANGES + ", enrich: {}")[1].enrich
    assert (enrich.required, enrich.fields, enrich.collection) == (True, FIELDS, None)
    rest = ", enrich: {policy: optional, fields: [title, title], collection: asset}"
    enrich = of(load, CHANGES + rest)[1].enrich
    assert (enrich.required, enrich.fields, enrich.collection) == (False, ("id", "title"), "asset")


def test_what_is_told_of_agreements_is_what_the_file_says(load):
    poll = of(load, PRODUCTS + ", thresholds: [30, 60, 30], quota_percent: 5")[1]
    assert (poll.thresholds, poll.quota_percent) == ((30, 60), 5)


def test_a_cursor_is_a_value_and_a_parameter(load):
    cursor = of(load, HTTP + ", cursor: '${body.next}'")[1].cursor
    assert (cursor.parameter, cursor.value({"body": {"next": 5}, "headers": {}})) == ("cursor", 5)
    assert (
        of(load, HTTP + ", cursor: {value: '${body.next}', parameter: after}")[1].cursor.parameter
        == "after"
    )


def test_a_poll_read_again_is_the_same(load):
    rest = HTTP + ", cursor: '${body.next}'"
    assert of(load, rest)[1] == of(load, rest)[1]
    assert of(load, rest)[1] != of(load, HTTP + ", cursor: '${body.after}'")[1]


def test_a_collection_that_no_route_fills_is_told(load):
    loaded, poll = of(load, CHANGES + ", enrich: {collection: assets}")
    assert [problem.code for problem in loaded.problems] == ["nothing-remembered"]
    assert poll is not None
    assert of(load, CHANGES + ", enrich: {collection: asset}")[0].problems == []
