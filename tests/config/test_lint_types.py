"""Fields that no event of a type has, and values that none has there."""

import json

import pytest

from gateway.config.evidence import Evidence
from gateway.config.lint import CODES, lint

HEAD = """\
version: 1
sources:
  getty: {verify: none}
endpoints:
  cms: {url: "https://cms.example.com/", sign: none}
"""
TOLD = 'unknown-type: there is no type "{}", as far as is known; did you mean "{}"?'
NEW = {
    "unknown-field",
    "value-impossible",
    "number-as-text",
    "truth-as-text",
    "unknown-type",
    "each-no-list",
}


@pytest.fixture
def warned(load):
    """What is warned of in a file, by `line:column code: what; cure`."""

    def warned(text: str, evidence: Evidence | None = None) -> list[str]:
        loaded = load(text if text.startswith("version:") else HEAD + text)
        assert loaded.routes is not None, list(map(str, loaded.errors))
        found = [problem for problem in lint(loaded, evidence) if problem.code in NEW]
        assert all(p.cure and p.severity == "warning" and p.code in CODES for p in found)
        return [f"{p.line}:{p.column} {p.code}: {p.what}; {p.cure}" for p in found]

    return warned


@pytest.fixture
def of_match(warned):
    return lambda match: warned(f"routes: [{{name: a, match: {match}, to: [cms]}}]")


@pytest.fixture
def of_when(warned):
    """What is warned of in a condition about events of some types."""

    def of_when(when: str, types: str = "license.expiring") -> list[str]:
        written = json.dumps(when)
        return warned(
            f"routes: [{{name: a, match: {{type: [{types}]}}, when: {written}, to: [cms]}}]"
        )

    return of_when


# -- patterns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "at", "told"),
    [
        ("{type: license.expiring, data: {licence: {id: x}}}", "licence", 'unknown-field: no license.expiring has data.licence; did you mean "license"?'),
        ("{type: license.expiring, data: {license: {expire_at: x}}}", "expire_at", 'did you mean "expires_at"?'),
        ("{type: license.expiring, data.license.expire_at: x}", "data.license", "no license.expiring has data.license.expire_at; did"),
        ("{type: license.expiring, data: {placements: {sytem: wp}}}", "sytem", 'has data.placements.sytem; did you mean "system"?'),
        ("{type: license.expiring, $not: {data: {dayleft: 3}}}", "dayleft", 'has data.dayleft; did you mean "days_left"?'),
        ("{type: license.expiring, $or: [{data: {x: 1}}, {data: {days_left: 1}}]}", "x", "has data.x; known: asset, days_left"),
        ("{type: [license.expired, license.revoked], data: {days_left: 3}}", "days_left", "none of license.expired, license.revoked has data.days_left"),
        ("{type: license.expiring, data: {days_left: {unit: 3}}}", "unit", "data.days_left has no fields"),
        ("{type: license.expiring, data: {license: lic_1}}", "lic_1", 'value-impossible: no license.expiring has "lic_1" as data.license; match its fields: id,'),
        ("{type: license.expiring, data: {license: {id: {gt: 5}}}}", "5", "number-as-text: data.license.id is text in license.expiring, and {gt: 5} is about numbers"),
        ('{type: license.expiring, data: {days_left: "14"}}', '"14"', "number-as-text: data.days_left is a number in license.expiring"),
        ("{type: license.requested, data: {estimated_cost: {amount: {gt: 5}}}}", "5", "write `{decimal: {gt: 5}}`"),
        ('{type: license.acquire_failed, data: {retryable: "true"}}', '"true"', "truth-as-text: data.retryable is true or false in license.acquire_failed"),
        ("{type: terms.changed, data: {severity: [tightened, losened]}}", "losened", 'value-impossible: no terms.changed has "losened" as data.severity; did you mean "loosened"?'),
        ("{type: terms.changed, data: {severity: {anything-but: tight}}}", "tight", 'has "tight" as data.severity'),
        ("{type: license.expiring, data: {license: {channels: [web, moon]}}}", "moon", 'has "moon" as data.license.channels'),
        ("{type: asset.updated, data: {asset: {asset_type: {prefix: vid}}}}", "vid", 'value-impossible: no asset.updated has {prefix: "vid"} as data.asset.asset_type'),
    ],
)  # fmt: skip
def test_a_pattern_that_no_event_of_its_types_can_satisfy_is_warned_of(of_match, match, at, told):
    (problem,) = of_match(match)
    place, _, rest = problem.partition(" ")
    assert told in rest
    line = f"routes: [{{name: a, match: {match}"
    assert line[int(place.partition(":")[2]) - 1 :].startswith(at)


@pytest.mark.parametrize(
    "match",
    [
        "{type: license.expiring, data: {days_left: {lte: 14}, license: {territories: [DE, '*']}}}",
        "{type: [license.expired, license.expiring], data: {days_left: 3}}",
        "{type: license.requested, data: {estimated_cost: {amount: {decimal: {gt: 5}}}}}",
        "{type: license.expiring, data: {licence: {exists: true}, more: {present: false}}}",
        "{type: license.expiring, data: {license: {channels: {prefix: we}, expires_at: null}}}",
        "{type: license.expiring, data: {license: {channels: {anything-but: web}}}}",
        "{type: license.approved, data: {decided_by: jdoe}}",
        "{type: license.approved, data: {decided_by: {id: jdoe}, conditions: {any: thing}}}",
        "{type: gateway.delivery.dead, data: {reasons: {http-500: {gt: 5}}}}",
        "{type: asset.updated, data: {asset: {keywords: dog, event_ids: 5}}}",
        "{type: asset.updated, data: {asset: {keywords: {text: dog}}}}",
        "{type: license.noted, data: {x: 1}}",
        "{type: [license.expiring, license.noted], data: {x: 1}}",
        "{type: {prefix: license.}, data: {x: 1}}",
        "{type: [license.expiring, {prefix: license.}], data: {x: 1}}",
        "{type: {exists: true}, data: {x: 1}}",
        "{data: {x: 1}}",
        "{type: license.expiring, more: 1}",
    ],
)
def test_what_an_event_may_have_is_not_warned_of(of_match, match):
    assert of_match(match) == []


def test_types_of_a_list_with_a_name_are_known_too(warned):
    text = "lists: {ENDS: [license.expired]}\nroutes: [{name: a, match: {type: {in: ENDS}, data: {x: 1}}, to: [cms]}]"
    assert "no license.expired has data.x" in warned(HEAD + text)[0]


# -- expressions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("event.data.licence.id == 'x'", 'unknown-field: no license.expiring has event.data.licence; did you mean "license"?'),
        ("event['data'].license['expire_at'] == 'x'", 'event.data.license.expire_at; did you mean "expires_at"?'),
        ("event.data.placements.exists(p, p.sytem == 'wp')", 'event.data.placements[].sytem; did you mean "system"?'),
        ("event.data.placements[0].sytem == 'wp'", "event.data.placements[].sytem"),
        ("event.data.placements.filter(p, p.ref != '').all(q, q.sytem == 'wp')", "event.data.placements[].sytem"),
        ("event.data.placements.system == 'wp'", "event.data.placements is a list, and has no field system; ask its elements"),
        ("event.data.days_left.unit == 'd'", "has event.data.days_left.unit; event.data.days_left has no fields"),
        ("event.data.nope.startsWith('x')", "has event.data.nope; known: asset, days_left"),
        ("has(event.data.asset) && event.data.nope", "has event.data.nope"),
        ("event.data.license.id > 5", "number-as-text: event.data.license.id is text in license.expiring, and 5 is a number; make it"),
        ("5 < event.data.license.id", "number-as-text: event.data.license.id is text"),
        ("event.data.license.id == 5", 'write `"5"`'),
        ("event.data.days_left == '14'", 'number-as-text: event.data.days_left is a number in license.expiring, and "14" is text; write `14` without quotes'),
        ("event.data.days_left < event.data.license.id", "and event.data.license.id is text; compare it with what it is"),
        ("event.data.days_left in ['14', '7']", "number-as-text"),
        ("event.data.license.status == 'activ'", 'value-impossible: no license.expiring has "activ" as event.data.license.status; did you mean "active"?'),
        ("event.data.license.status in ['active', 'gone']", 'has "gone" as event.data.license.status'),
        ("'moon' in event.data.license.channels", 'has "moon" as event.data.license.channels[]'),
        ("event.data.license.channels.exists(c, c == 'moon')", 'has "moon" as event.data.license.channels[]'),
        ("event.data.?days_left.orValue('0') == true", "truth-as-text"),
    ],
)  # fmt: skip
def test_an_expression_about_what_no_event_has_is_warned_of(of_when, when, told):
    found = of_when(when)
    assert told in found[0]
    assert found[0].startswith("6:61 ")
    assert {each.partition("; ")[0] for each in found} == {found[0].partition("; ")[0]} or (
        "in [" in when
    )


@pytest.mark.parametrize(
    "when",
    [
        "event.data.license.channels.exists(c, c == 'web')",
        "has(event.data.more) && event.data.more > 3",
        "has(event.data.more.still) && event.data.more.still.x == 'y'",
        "'more' in event.data && event.data.more == 1",
        "event.data.?more.still.orValue(3) > 2",
        "event.data[?'more'].orValue('') == ''",
        "event.data.?more.optMap(x, x.y).orValue('') == ''",
        "event.data.license.?renewal.orValue('none') != 'ordered'",
        "event.data.?days_left.orValue('none') == 'none'",
        "timestamp(event.data.license.expires_at) < timestamp(event.time)",
        "event.data.license.expires_at == null",
        "event.data.license == {}",
        "event.data[event.subject] == 1",
        "event.data.asset.max_dimensions.exists(k, k == 'height')",
        "event.data.placements.map(p, p.ref).exists(r, r.x == 1)",
        "event.data.asset.keywords.exists(k, k.text == 'dog')",
        "event.tenant == 5 && event.dataschema == 'x'",
        "size(event.data.placements) > 3",
        "event.data.days_left + 1 > 3",
        "event.data.days_left == 14.0",
        "double(event.data.license.id) > 5.0",
        "{'a': event.data.days_left} == {'a': 5}",
        "[event.data.days_left, 5].exists(x, x == 5)",
        "(event.data.days_left > 3 ? event.data.asset : event.data.asset).id == 'x'",
    ],
)
def test_an_expression_about_what_may_be_there_is_not_warned_of(of_when, when):
    assert of_when(when) == []


def test_what_one_of_several_types_has_is_there(of_when):
    assert of_when("event.data.days_left == 1", "license.expiring, license.revoked") == []
    assert of_when("event.data.days_left == 'x'", "license.expiring, license.revoked") != []
    (problem,) = of_when("event.data.x == 1", "license.expiring, license.revoked")
    assert "none of license.expiring, license.revoked has event.data.x" in problem
    many = "license.expiring, license.expired, license.renewed, license.revoked, license.noted"
    assert of_when("event.data.x == 1", many) == []
    (problem,) = of_when("event.data.x == 1", many.removesuffix(", license.noted"))
    assert "license.renewed and 1 more has" in problem


def test_all_that_a_route_computes_is_looked_at(warned):
    found = warned("""\
routes:
  - name: a
    match: {type: license.expiring}
    known: {asset: "${event.data.a1}", placement: {collection: placement, where: {asset_id: "${event.data.a2}"}}}
    remember: {collection: asset, key: "${event.data.a3}", value: {x: "${event.data.a4}"}}
    once: ${event.data.a5}
    emit:
      - {when: event.data.a6, type: "x.${event.data.a7}", subject: "${event.data.a8}", data: {x: ["${event.data.a9}"]}}
    to:
      - endpoint: cms
        each: ${event.data.placements}
        when: item.b1
        key: ${item.b2}
        at: ${item.b3}
        call: {path: "/${item.b4}", query: {q: "${item.b5}"}, json: {when: "${item.b6}", x: "${event.data.b7}"}}
        emit: {type: y, data: "${event.data.b8}"}
""")
    assert all("unknown-field" in each for each in found)
    told = [each.split("; ")[0].rpartition(".")[2] for each in found]
    assert sorted(told) == [*(f"a{n}" for n in range(1, 10)), *(f"b{n}" for n in range(1, 9))]


def test_items_of_what_is_filtered_are_items_of_it(warned):
    text = """\
routes:
  - name: a
    match: {type: license.expiring}
    to:
      - {endpoint: cms, each: "${event.data.placements.filter(p, p.system == 'wp')}", call: {path: "/${item.reff}"}}
      - {endpoint: cms, name: b, each: "${event.data.placements.map(p, p.ref)}", call: {path: "/${item.x}"}}
      - {endpoint: cms, name: c, each: "x-${event.subject}", call: {path: "/${item.x}"}}
"""
    (problem,) = warned(text)
    assert "event.data.placements[].reff" in problem


def test_schedules_are_looked_at_by_what_plans_them_and_what_cancels_them(warned):
    found = warned("""\
schedules:
  expiry:
    match: {type: license.acquired, data: {x1: 1}}
    cancel: {type: license.revoked, data: {x2: 1}}
    key: ${event.data.?license.?id.orValue(event.data.license_id)}${event.data.x3}
    at: ${event.data.license_id}
    emit: {type: license.expiring, data: {a: "${event.data.x4}", days: "${plan.days}"}}
""")
    told = [each.split("; ")[0].split(" has ")[1] for each in found]
    assert sorted(told) == [
        "data.x1", "data.x2", "event.data.license_id", "event.data.x3", "event.data.x4",
    ]  # fmt: skip


def test_what_cancels_has_to_have_the_key_itself(warned):
    text = """\
schedules:
  expiry:
    match: {type: [license.acquired, license.renewed]}
    cancel: {type: license.revoked}
    key: KEY
    at: ${event.data.license.expires_at}
    emit: {type: license.expiring, data: "${event.data}"}
"""
    (found,) = warned(text.replace("KEY", "${event.data.license.id}"))
    assert "no license.revoked has event.data.license" in found
    careful = '${event.data.?license.?id.orValue(event.data.?license_id.orValue(""))}'
    assert warned(text.replace("KEY", careful)) == []


@pytest.mark.parametrize(
    "rule",
    [
        "emit: {type: license.expirng}",
        "emit: [{type: x}, {type: license.expirng}]",
        "to: [{endpoint: cms, emit: {type: license.expirng}}]",
        "to: [cms], confirm: {within: 1h, else: license.expirng}",
        "to: [{endpoint: cms, call: {json: '${callback}'}}], await: {key: '${event.id}', answers: {yes: license.expirng}, within: 1d, else: x}",
        "to: [{endpoint: cms, call: {json: '${callback}'}}], await: {key: '${event.id}', answers: {yes: {type: license.expirng}}, within: 1d, else: x}",
        "to: [{endpoint: cms, call: {json: '${callback}'}}], await: {key: '${event.id}', answers: {yes: y}, within: 1d, else: license.expirng}",
        "to: [{endpoint: cms, call: {json: '${callback}'}}], await: {key: '${event.id}', answers: {yes: y}, within: 1d, else: x, escalate: [{after: 1h, emit: license.expirng}]}",
    ],
)  # fmt: skip
def test_a_type_that_is_made_and_nearly_a_known_one_is_doubtful(warned, rule):
    text = f"routes: [{{name: a, match: {{type: license.noted}}, {rule}}}]"
    (found,) = warned(text)
    assert found.split(" ", 1)[1] == TOLD.format("license.expirng", "license.expiring")
    assert found.startswith("6:")
    heard = text.replace("license.noted", "[license.noted, license.expirng]")
    assert warned(heard) == []


def test_so_is_one_of_a_schedule(warned):
    (found,) = warned("""\
schedules:
  expiry: {match: {type: license.acquired}, key: "${event.id}", at: "${event.time}", emit: {type: license.expirng}}
""")
    assert found.startswith("7:")


# -- what is known besides ----------------------------------------------------------------------------------

MADE = """\
version: 1
types: {article.created: {schema: article.json}}
sources:
  dam:
    verify: none
    SOURCE
endpoints:
  cms: {url: "https://cms.example.com/", sign: none}
routes:
  - {name: a, match: {type: asset.updated, data: {shelf: 5}}, when: "event.data.shelf == 5", to: [cms]}
"""


@pytest.mark.parametrize(
    ("source", "is_known"),
    [
        ("event: {type: asset.updated}", True),
        ('event: {type: asset.updated, data: "${body.asset}"}', True),
        ('event: [{when: "true", ignore: true}, {type: "asset.${body.kind}"}]', True),
        ('event: {type: "${body.kind}", data: "${body}"}', True),
        ('event: {type: asset.updated, data: {shelf: "${body.shelf}"}}', True),
        ("event: {type: asset.updated, data: {shelf: 5}}", True),
        ('event: {type: asset.updated, data: {asset: "${body}"}}', False),
        ('event: {type: "asset.w${body.kind}"}', False),
        ("event: {type: asset.withdrawn}", False),
        ("event: {type: asset.updated}\n    validate: warn", False),
        ("event: {type: asset.updated, data: {shelf: 5}}\n    validate: warn", True),
        ("ack: 200", False),
    ],
)
def test_what_a_source_makes_is_known(warned, tmp_path, source, is_known):
    (tmp_path / "article.json").write_text("{}")
    found = warned(MADE.replace("SOURCE", source))
    assert (found == []) is is_known
    of_another = MADE.replace("match: {", "match: {source: gateway, ").replace("SOURCE", source)
    assert len(warned(of_another)) == 2


@pytest.mark.parametrize(
    ("emit", "is_known"),
    [
        ("emit: {type: asset.updated}", True),
        ('emit: [{type: x}, {type: asset.updated, data: {shelf: "${event.id}"}}]', True),
        ("emit: {type: asset.updated, data: {asset: {id: x}}}", False),
        ("confirm: {within: 1h, else: asset.updated}, to: [cms]", True),
        ('to: [{endpoint: cms, emit: {type: asset.updated, data: "${response.body}"}}]', True),
    ],
)
def test_what_the_gateway_makes_is_known(warned, emit, is_known):
    text = f"""\
routes:
  - {{name: a, match: {{type: asset.updated}}, when: event.data.shelf.x, to: [cms]}}
  - {{name: b, match: {{type: x}}, {emit}}}
"""
    assert (warned(text) == []) is is_known


def test_what_events_have_been_seen_to_have_is_known(warned):
    text = "routes: [{name: a, match: {type: asset.updated, data: {shelf: {no: x}}}, when: 'event.data.shelf.no == \"x\" && event.data.tags.exists(t, t.x == 1)', to: [cms]}]"
    evidence = Evidence()
    evidence.add({"type": "asset.updated", "data": {"shelf": {"no": "x"}, "tags": [{"x": 1}]}})
    assert len(warned(HEAD + text)) == 3
    assert warned(HEAD + text, evidence) == []


def test_a_type_of_ones_own_is_known_by_its_schema(warned, tmp_path):
    schema = {"type": "object", "properties": {"headline": {"type": "string"}}}
    (tmp_path / "article.json").write_text(json.dumps(schema))
    text = MADE.replace("SOURCE", "ack: 200").replace("asset.updated", "article.created")
    assert len(warned(text)) == 2
    assert (
        warned(text.replace("shelf", "headline").replace("5", "x").replace("== x", "== 'x'")) == []
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("license.expring", "license.expiring"),
        ("license.expirring", "license.expiring"),
        ("licence.expired", "license.expired"),
        ("asset.update", "asset.updated"),
        ("review.opend", "review.opened"),
    ],
)
def test_a_type_that_is_a_letter_away_from_a_known_one_is_doubtful(warned, written, meant):
    made = (
        "routes: [{name: b, match: {type: license.noted}, emit: {type: review.opened}, to: [cms]}, "
    )
    for match in (written, f"[asset.imported, {written}]"):
        (found,) = warned(f"{made}{{name: a, match: {{type: {match}}}, to: [cms]}}]")
        assert found.split(" ", 1)[1] == TOLD.format(written, meant)


@pytest.mark.parametrize(
    "fine", ["license.noted", "license.expiringly", "order.placed", "order.placedd"]
)
def test_other_types_are_ones_own(warned, fine):
    orders = "{name: b, match: {type: x}, emit: [{type: order.placed}, {type: order.placedd}], to: [cms]}"
    assert warned(f"routes: [{{name: a, match: {{type: {fine}}}, to: [cms]}}, {orders}]") == []


def test_a_type_that_has_been_seen_is_known(warned):
    evidence = Evidence()
    evidence.add({"type": "asset.update"})
    routes = "routes: [{name: a, match: {type: asset.update}, to: [cms]}]"
    assert warned(routes, evidence) == []
    assert warned(routes) != []


def test_a_misspelt_type_of_a_schedule_is_doubtful(warned):
    (found,) = warned("""\
schedules:
  expiry: {match: {type: license.aquired}, key: "${event.id}", at: "${event.time}", emit: {type: x}}
""")
    assert "license.acquired" in found


@pytest.mark.parametrize(
    ("each", "told"),
    [
        ("event.data.license", "event.data.license is no list in license.expiring"),
        ("event.data.license.id", "event.data.license.id is no list in license.expiring"),
        ("event.data.placements", None),
        ("event.data.placements.filter(p, p.system == 'wp')", None),
        ("event.data.unheard_of", "no license.expiring has event.data.unheard_of"),
        ("event.data.placements.map(p, p.ref)", None),
        ("[event.data.license]", None),
    ],
)
def test_what_an_each_goes_through_is_a_list(warned, each, told):
    target = f"endpoint: cms, each: '${{{each.replace(chr(39), chr(39) * 2)}}}', call: {{json: '${{item}}'}}"
    found = warned(f"routes: [{{name: a, match: {{type: license.expiring}}, to: [{{{target}}}]}}]")
    assert [told in each for each in found] == ([] if told is None else [True])


def test_a_comment_silences_it(warned):
    text = """\
routes:
  - name: a
    match: {type: license.expiring}
    when: event.data.nope == 1  # lint: allow unknown-field
    to: [cms]
"""
    assert warned(text) == []


def test_what_tells_an_answer_is_looked_at_too(warned):
    found = warned("""\
routes:
  - name: ask
    match: {type: license.requested}
    to: [cms]
    await:
      key: ${event.data.request_id}
      answers: {yes: license.approved}
      within: 1d
      else: license.rejected
      decide:
        match: {type: asset.published, data: {nope: 1}}
        key: ${event.data.zop}
        answer: "${event.data.status}"
        by: ${event.data.who}
""")
    assert [line.split(":")[0] for line in found] == ["16", "17", "18", "19"]


def test_what_an_answer_says_is_known_by_what_the_question_says(warned, tmp_path):
    text = """\
version: 1
types: {image.chosen: {schema: chosen.json}}
endpoints: {cms: {url: "https://cms.example.com/", sign: none}}
routes:
  - name: ask
    match: {type: image.asked}
    to: [{endpoint: cms, call: {json: "${callback}"}}]
    await: {key: "${event.id}", answers: {yes: ANSWER}, within: 1d, else: image.left}
  - name: hear
    match: {type: image.chosen, data: {shelf: 5}}
    when: event.data.decided_by.id == "ann"
    to: [cms]
"""
    schema = {"type": "object", "properties": {"headline": {"type": "string"}}}
    (tmp_path / "chosen.json").write_text(json.dumps(schema))
    assert warned(text.replace("ANSWER", "image.chosen")) == []
    own = "{type: image.chosen, data: {shelf: 5}}"
    assert warned(text.replace("ANSWER", own)) == []
    assert warned(text.replace("ANSWER", own.replace("shelf", "rack"))) != []
    nobody = text.replace("ANSWER", "image.left").replace("else: image.left", f"else: {own}")
    assert warned(nobody) == []


def test_what_people_are_asked_is_looked_at_too(warned):
    found = warned("""\
routes:
  - name: ask
    match: {type: license.requested}
    to: [{endpoint: cms, call: {json: "${callback.yes}"}}]
    await:
      key: ${event.data.request_idd}
      answers: {yes: {type: license.approved, data: {id: "${event.data.assett_id}"}}}
      within: 1d
      else: license.rejected
      escalate: [{after: 1h, emit: {type: late, data: "${event.data.zop}"}}]
""")
    assert [line.split(":")[0] for line in found] == ["11", "12", "15"]
