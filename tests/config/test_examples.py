"""The tests beside routes: read, and tried."""

import pytest

from gateway.config.evidence import Evidence, Kind
from gateway.config.examples import read_examples
from gateway.config.lint import lint
from gateway.examples import add_evidence, tried

NOW = 1_795_000_000_000_000
HEAD = """\
version: 1
sources:
  getty: {verify: none}
  dam:
    verify: {scheme: hmac, secrets: [{env: DAM}], signature: {header: X-Sig}, id: {header: X-Id}}
    event:
      - {when: 'headers["x-kind"] == "ping"', ignore: true}
      - {when: 'headers["x-kind"] == "many"', each: "${body.assets}", type: asset.updated, id: "${item.id}", subject: "asset/${item.id}"}
      - {when: 'headers["x-kind"] == "one"', type: asset.updated, data: {asset: "${body.asset}"}}
    dedupe: {key: "${headers['x-id']}"}
endpoints:
  cms: {url: "https://cms.example.com/", sign: none, groups: [all]}
  pager: {url: "https://pager.example.com/", sign: none, groups: [all]}
  search: {url: "https://search.example.com/", sign: none}
routes:
  - {name: expiring, match: {type: license.expiring, data: {days_left: {lte: 14}}}, to: [cms, pager]}
  - name: updated
    match: {type: asset.updated}
    when: event.?subject.orValue("") != "asset/0"
    to:
      - search
      - {endpoint: cms, when: event.data.asset.live}
  - {name: once, match: {type: seen}, once: "${event.data.n}", to: [{group: all}]}
  - {name: shadow, match: {type: seen}, mode: shadow, to: [search]}
  - {name: each, match: {type: placed}, to: [{endpoint: cms, each: "${event.data.at}", call: {path: "/${item}"}}]}
  - {name: lenient, match: {type: lenient}, when: event.data.gone, on_error: skip, to: [cms]}
  - name: used
    match: {type: withdrawn}
    remember: {collection: gone, key: "${event.data.id}"}
    known:
      asset: ${event.data.id}
      places: {collection: place, where: {asset: "${event.data.id}"}}
    to:
      - {endpoint: cms, each: "${known.places}", call: {path: "/${item.ref}"}}
      - {endpoint: pager, when: "has(known.asset) && known.asset.family == 'editorial'"}
    emit: {type: told, when: "!has(known.gone)"}
schedules:
  expiry: {match: {type: withdrawn}, key: "${event.data.id}", at: '${"2099-12-31"}', before: [0s, 1d], emit: {type: late}}
"""


@pytest.fixture
def examples(load, tmp_path):
    """The examples of a file that has these `tests:`, and its routes."""

    def examples(tests: str, **files: str):
        for name, text in files.items():
            (tmp_path / f"{name}.routes-test.yaml").write_text(text)
        loaded = load(f"{HEAD}{tests}", DAM="x")
        assert loaded.routes is not None, list(map(str, loaded.errors))
        return read_examples(loaded.files), loaded

    return examples


@pytest.fixture
def result(examples):
    """What comes of one test."""

    def result(fields: str):
        found, loaded = examples(f"tests: [{{name: x, {fields}}}]\n")
        assert found.problems == []
        (only,) = tried(found.found, loaded.routes, NOW)
        return only

    return result


@pytest.mark.parametrize(
    "fields",
    [
        "event: {type: license.expiring, data: {days_left: 14}}, expect: [cms, pager]",
        "event: {type: license.expiring, data: {days_left: 14}}, expect: [pager, cms]",
        "event: {type: license.expiring, data: {days_left: 15}}, expect: []",
        "event: {type: license.expiring}, expect: []",
        "event: {type: license.expiring, data: {days_left: 14}}, routes: [updated], expect: []",
        "event: {type: license.expiring, data: {days_left: 14}}, routes: [expiring, once], expect: [cms, pager]",
        "event: {type: asset.updated, data: {asset: {live: true}}}, source: dam, expect: [cms, search]",
        "event: {type: seen, data: {n: 1}}, expect: [cms, pager]",
        "event: {type: placed, data: {at: [1, 2, 3]}}, expect: [cms, cms, cms]",
        "event: {type: lenient}, expect: []",
        "source: dam, request: {headers: {X-Kind: one, X-Id: d-1}, body: {asset: {live: true}}}, expect: [cms, search]",
        "source: dam, request: {headers: {X-Kind: ping}, body: {}}, expect: []",
        "source: dam, request: {headers: {X-Kind: other}, body: {}}, expect: []",
        "request: {body: {type: placed, data: {at: [1]}}}, expect: [cms]",
        "request: {headers: {Content-Type: application/cloudevents+json}, body: {specversion: '1.0', id: a, source: /x, type: placed, data: {at: [1]}}}, expect: [cms]",
    ],
)
def test_what_goes_where_it_is_expected_passes(result, fields):
    found = result(fields)
    assert found.passed, found


def test_each_item_of_a_request_is_an_event(result):
    headers = "{X-Kind: many, X-Id: d-1}"
    items = "[{id: '1', asset: {live: false}}, {id: '2', asset: {live: true}}]"
    found = result(
        f"source: dam, request: {{headers: {headers}, body: {{assets: {items}}}}}, expect: [search]"
    )
    assert not found.passed
    assert sorted(found.sent) == [("cms", "updated"), ("search", "updated"), ("search", "updated")]
    assert found.unexpected == (("search", "updated"), ("cms", "updated"))


def test_a_once_fires_once_in_a_request(result):
    batch = ", ".join(
        f"{{specversion: '1.0', id: '{i}', source: /x, type: seen, data: {{n: {n}}}}}"
        for i, n in ((1, 7), (2, 7), (3, 8))
    )
    headers = "{Content-Type: application/cloudevents-batch+json}"
    found = result(
        f"request: {{headers: {headers}, body: [{batch}]}}, expect: [cms, cms, pager, pager]"
    )
    assert found.passed


KNOWN = "known: {asset: {a1: {family: editorial}}, place: {p: {asset: a1, ref: x}, q: {asset: a2}}}"
GONE = "event: {type: withdrawn, data: {id: a1}}"


def test_what_is_known_is_what_the_test_says(result):
    assert result(f"{GONE}, {KNOWN}, expect: [cms, pager]").passed
    assert result(f"{GONE}, expect: []").passed
    assert not result(f"{GONE}, expect: [cms]").passed


def test_what_one_event_tells_the_next_of_a_request_knows(result):
    batch = ", ".join(
        f"{{specversion: '1.0', id: '{i}', source: /x, type: withdrawn, data: {{id: a1}}}}"
        for i in range(2)
    )
    headers = "{Content-Type: application/cloudevents-batch+json}"
    found = result(
        f"request: {{headers: {headers}, body: [{batch}]}}, expect: [], plans: [told, late, late, late, late]"
    )
    assert found.passed


def test_what_is_planned_is_compared_where_a_test_says_what_it_expects(result):
    assert result(f"{GONE}, expect: [], plans: [late, told, late]").passed
    found = result(f"{GONE}, expect: [], plans: [late, late, late]")
    assert found.plans == ("late is not planned", "told is planned")
    assert not found.passed


@pytest.mark.parametrize(
    ("fields", "endpoint", "route", "why"),
    [
        ("event: {type: license.expiring, data: {days_left: 15}}, expect: [pager]", "pager", "expiring",
         "data.days_left is 15, wanted {lte: 14}"),
        ("event: {type: asset.updated, subject: asset/0}, expect: [search]", "search", "updated",
         'its `when` is not true: event.?subject.orValue("") != "asset/0"'),
        ("event: {type: asset.updated, subject: a, data: {asset: {live: false}}}, expect: [search, cms]", "cms", "updated",
         "its target sends nothing by `when: event.data.asset.live`"),
        ("event: {type: seen, data: {n: 1}}, expect: [cms, pager, search]", "search", "shadow",
         "it is a shadow, which sends nothing"),
        ("event: {type: placed, data: {at: []}}, expect: [cms]", "cms", "each",
         "its target sends nothing by `each: ${event.data.at}`"),
        ("event: {type: lenient}, expect: [cms]", "cms", "lenient", "an expression failed"),
        ("source: dam, request: {headers: {X-Kind: ping}, body: {}}, expect: [cms]", "cms", None, "there is no event"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_with_the_nearest_route_and_why(
    result, fields, endpoint, route, why
):
    found = result(fields)
    assert [(m.endpoint, m.route, m.why) for m in found.missing] == [(endpoint, route, why)]


def test_too_few_deliveries_of_the_only_route_are_counted(examples):
    found, loaded = examples(
        "tests: [{name: x, event: {type: placed, data: {at: [1]}}, expect: [search]}]\n"
    )
    (only,) = tried(found.found, loaded.routes, NOW)
    assert only.unexpected == (("cms", "each"),)
    routes = loaded.routes
    (again,) = tried(found.found, type(routes)(
        sources=routes.sources, endpoints=routes.endpoints, routes=(), index=type(routes.index)([])), NOW)  # fmt: skip
    assert [m.why for m in again.missing] == ["no route sends there"]


def test_a_test_whose_expressions_fail_does_not_pass_although_nothing_was_expected(result):
    found = result("event: {type: seen}, expect: []")
    assert not found.passed
    assert "route once, once: " in found.failures[0]
    assert result("event: {type: lenient}, expect: []").notes


@pytest.mark.parametrize(
    "fields",
    [
        "source: dam, request: {headers: {X-Kind: many}, body: {}}, expect: []",
        "request: {body: []}, expect: [cms]",
        "request: {headers: {Content-Type: text/plain}, body: x}, expect: []",
        "event: {type: a, time: yesterday}, expect: []",
        "event: {type: a, data: 99999999999999999999999999}, expect: []",
    ],
)
def test_what_makes_no_event_fails_and_says_why(result, fields):
    found = result(fields)
    assert (found.passed, found.sent) == (False, ())
    assert found.failures[0].startswith("it makes no event: ")


# -- what is wrong with them -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code", "cure"),
    [
        ("event: {type: a}, expect: [cmz]", "unknown-endpoint", 'did you mean "cms"?'),
        ("event: {type: a}, source: damn, expect: []", "unknown-source", 'did you mean "dam"?'),
        ("event: {data: 1}, expect: []", "missing-key", "add `type: …`"),
        (
            "event: {type: a, source: dam}, expect: []",
            "test-input",
            "write `source: dam` beside `event:`",
        ),
        ("event: {type: a, origin: /x}, expect: []", "test-input", "patterns see that as `origin`"),
        ("expect: []", "test-input", "write `event:"),
        ("event: {type: a}, request: {body: 1}, expect: []", "test-input", "write `event:"),
        ("event: {type: a}", "missing-key", "add `expect: …`"),
        ("event: {type: a}, expect: [], sorce: dam", "unknown-key", 'did you mean "source"?'),
    ],
)
def test_a_fault_is_told_with_place_and_cure_and_is_none_of_the_routes(
    examples, fields, code, cure
):
    found, loaded = examples(f"tests:\n  - {{name: x, {fields}}}\n")
    (problem,) = found.problems
    assert (problem.code, problem.line) == (code, HEAD.count("\n") + 2)
    assert cure in problem.cure
    assert [p for p in loaded.problems if p.severity == "error"] == []


def test_a_fault_in_one_hides_none_in_another(examples):
    tests = "tests: [{name: a, event: {type: a}, expect: [x]}, {name: b, expect: []}, {nam: c}]\n"
    found, _ = examples(tests)
    assert {p.code for p in found.problems} == {
        "unknown-endpoint",
        "test-input",
        "unknown-key",
        "missing-key",
    }


def test_files_of_tests_beside_the_routes_are_read(examples, tmp_path):
    one = "tests: [{name: one, event: {type: seen, data: {n: 1}}, expect: [cms, pager]}]\n"
    found, loaded = examples("", more=one)
    assert [example.name for example in found.found] == ["one"]
    assert str(found.found[0].part.document.name).endswith("more.routes-test.yaml")
    assert tried(found.found, loaded.routes, NOW)[0].passed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("tests: []\n", "too-short"),
        ("test: []\n", "unknown-key"),
        ("tests: [{name: a, event: {type: a}, expect: [x]}]\n", "unknown-endpoint"),
        ("tests: [{name: a\n", "yaml-syntax"),
        ("", "missing-key"),
        ("[]", "wrong-type"),
        ("tests: 5", "wrong-type"),
    ],
)
def test_faults_of_such_a_file_are_told_with_its_name(examples, text, code):
    found, _ = examples("", bad=text)
    assert [p.code for p in found.problems] == [code]
    assert found.problems[0].file.endswith("bad.routes-test.yaml")


def test_no_pattern_includes_a_file_of_tests(load, tmp_path):
    folder = tmp_path / "routes.d"
    folder.mkdir()
    (folder / "a.yaml").write_text("version: 1\nsources: {getty: {verify: none}}\n")
    test = "tests: [{name: one, event: {type: a}, expect: []}]\n"
    (folder / "a.routes-test.yaml").write_text(test)
    loaded = load("version: 1\ninclude: [routes.d/*.yaml]\n")
    assert loaded.errors == []
    assert [example.name for example in read_examples(loaded.files).found] == ["one"]


def test_a_file_that_cannot_be_read_is_told(examples, tmp_path):
    (tmp_path / "dir.routes-test.yaml").mkdir()
    found, _ = examples("")
    assert [p.code for p in found.problems] == ["no-file"]


def test_without_a_source_no_event_can_come(load):
    loaded = load("version: 1\ntests: [{name: a, event: {type: a}, expect: []}]\n")
    assert [p.code for p in read_examples(loaded.files).problems] == ["unknown-source"]


# -- what they show of the data ----------------------------------------------------------------------------


def test_the_events_of_tests_are_evidence(examples):
    tests = """\
tests:
  - {name: a, event: {type: license.expiring, data: {days_left: "14"}}, expect: []}
  - {name: b, source: dam, request: {headers: {X-Kind: one, X-Id: a}, body: {asset: [1]}}, expect: []}
  - {name: c, request: {body: []}, expect: []}
"""
    found, loaded = examples(tests)
    evidence = Evidence()
    add_evidence(evidence, found.found, loaded.routes)
    assert evidence.seen(("data", "asset"), ["asset.updated"]) == {Kind.LIST, Kind.NUMBER}
    told = [p for p in lint(loaded, evidence) if p.code == "number-as-text"]
    assert [p.cure for p in told] == ["write `{decimal: {lte: 14}}`"]


def test_a_test_of_a_route_that_is_not_there_names_the_nearest(examples):
    found, _ = examples("tests: [{name: x, event: {type: a}, routes: [expirin], expect: []}]\n")
    (problem,) = found.problems
    assert (problem.code, problem.cure) == ("unknown-route", 'did you mean "expiring"?')
