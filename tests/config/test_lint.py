"""What a routes file may say, and yet can hardly mean."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given

from gateway.config.document import Document, read_document
from gateway.config.evidence import Evidence, Kind
from gateway.config.lint import CODES, MOST_ALIKE, lint
from gateway.config.lint_rules import RuleChecks
from gateway.config.part import Part
from gateway.core.grammar import PatternInvalid, compile_pattern
from gateway.core.pattern import Pattern
from tests.kit.patterns import EVENTS, LISTS, patterns

ROOT = Path(__file__).parents[2]
HEAD = """\
version: 1
sources:
  getty: {verify: none}
  dam: {verify: none}
endpoints:
  cms: {url: "https://cms.example.com/", sign: none, groups: [publishers]}
  pager: {url: "https://pager.example.com/", sign: none, groups: [publishers]}
routes:
"""
LINE = HEAD.count("\n") + 1
"""Where the first route stands."""


def seen(*events: dict) -> Evidence:
    evidence = Evidence()
    for event in events:
        evidence.add({"type": "t", **event})
    return evidence


@pytest.fixture
def warnings(load):
    """The warnings of routes; of whole files, where the text begins with `version:`."""

    def warnings(text: str, evidence: Evidence | None = None):
        whole = text if text.startswith("version:") else HEAD + text
        loaded = load(whole)
        assert loaded.routes is not None, list(map(str, loaded.errors))
        problems = lint(loaded, evidence)
        assert all(p.severity == "warning" and p.what and p.cure for p in problems)
        return problems

    return warnings


@pytest.fixture
def of_match(warnings):
    """The warnings of one pattern; both endpoints are used, and both sources matched."""

    def of_match(match: str, evidence: Evidence | None = None):
        return warnings(f"  - {{name: a, match: {match}, to: [cms, pager]}}\n", evidence)

    return of_match


def codes(problems) -> list[str]:
    return [problem.code for problem in problems]


def working(problem) -> str:
    """What a cure says to write."""
    return problem.cure.split("`")[1]


def test_a_route_that_is_meant_is_not_warned_of(of_match):
    match = "{type: [license.expiring, {prefix: asset.}], data: {days_left: {gte: 0, lt: 14}, to: [{in: [DE]}]}}"
    assert of_match(match) == []


def test_a_faulty_file_is_not_looked_at(load):
    loaded = load("version: 1\nroutes: [{name: a, match: {type: []}, to: [x]}]")
    assert lint(loaded) == []


# -- what can never hold -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "at", "words"),
    [
        ("{source: gety}", "gety", 'no source is called "gety"; did you mean "getty"?'),
        ("{source: [{prefix: x}]}", "x", 'no source\'s name is {prefix: "x"}'),
        ("{type: 5}", "5", "type is always text, and 5 is none; quote it"),
        ("{subject: null}", "null", "subject is always text"),
        ("{id: {gt: 5}}", "5", "id is always text"),
        ("{time: {exists: false}}", "false", "every event has a time; remove it"),
        ("{$and: [{type: a}, {type: b}]}", "a}", 'type cannot be both "a" and "b"'),
        ("{type: {all: [a, b]}}", "a,", 'type cannot be both "a" and "b"'),
        ("{$and: [{type: {prefix: asset.}}, {type: {prefix: license.}}]}", "", "cannot be both"),
        ("{$and: [{subject: {exists: false}}, {subject: a}]}", "", "missing and be there"),
        ("{$and: [{data.x: {exists: false}}, {data.x: a}]}", "", "missing and be there"),
        ("{type: {prefix: a, suffix: b, exactly: c}}", "a,", "nothing is all of this at once"),
        ("{data: {n: {gte: 5, lt: 3}}}", "5,", "no number is within {gte: 5, lt: 3}"),
        ("{data: {n: {gt: 5, lte: 5}}}", "5,", "no number is within {gt: 5, lte: 5}"),
        ("{data: {n: {decimal: {gt: 5, lte: 5}}}}", "{", "within {decimal: {gt: 5, lte: 5}}"),
        ("{data: {n: {decimal: {gt: 5, lt: 1}, prefix: a}}}", "{", "nothing is all of this"),
        ("{event.type: x}", "x", 'did you mean "type"?'),
        ("{data: {n: {prefix: a, gt: 5}}}", "a,", "nothing is all of this at once"),
        ("{type: a, $not: {type: [a, b]}}", "", "its $not excludes what it wants"),
        ("{type: a, data: {x: 1, $not: {x: {lte: 1}}}}", "", "its $not excludes what it wants"),
        ('{"type.name": a}', "", 'did you mean "data.name"?'),
    ],
)
def test_what_can_never_hold_is_unreachable(of_match, match, at, words):
    problem, *rest = of_match(match)
    assert problem.code == "route-unreachable"
    assert set(codes(rest)) <= {"source-unmatched"}
    assert words in f"{problem.what}; {problem.cure}"
    route = f"  - {{name: a, match: {match}"
    assert route[problem.column - 1 :].startswith(at)


@pytest.mark.parametrize(
    "match",
    [
        "{source: getty}",
        "{source: {prefix: get}}",
        "{source: {anything-but: dmm}, type: a}",
        "{type: {prefix: asset., suffix: .updated}}",
        "{$and: [{type: {prefix: asset.}}, {type: asset.updated}]}",
        "{$and: [{data.tags: a}, {data.tags: b}]}",
        "{data: {tags: {all: [a, b]}}}",
        "{subject: [{exists: false}, a]}",
        "{type: a, $not: {type: a, subject: x}}",
        "{type: [a, b], $not: {type: a}}",
        "{data: {items: {kind: x, $not: {kind: x, ref: y}}}}",
        "{type: a, subject: {exists: false}}",
        '{id: "5"}',
    ],
)
def test_what_may_hold_is_not_unreachable(of_match, match):
    assert [p for p in of_match(match) if p.code.endswith("unreachable")] == []


def test_an_alternative_that_can_never_hold_is_told_with_its_place(of_match):
    (problem,) = of_match("{type: a, source: [getty, dmm, dam]}")
    assert (problem.code, problem.cure) == ("alternative-unreachable", 'did you mean "dam"?')
    assert (
        problem.column == ("  - {name: a, match: {type: a, source: [getty, dmm").rindex("dmm") + 1
    )
    (problem,) = of_match("{$or: [{type: a, source: dmm}, {type: b}]}")
    assert problem.code == "alternative-unreachable"


def test_names_of_sources_are_not_asked_for_where_a_file_has_none(warnings):
    text = HEAD.replace("  getty: {verify: none}\n  dam: {verify: none}\n", "").replace(
        "sources:\n", ""
    )
    assert codes(warnings(text + "  - {name: a, match: {source: x}, to: [cms, pager]}\n")) == []


@pytest.mark.parametrize(
    ("match", "what"),
    [
        (
            "{type: [asset.updated, {prefix: asset.}]}",
            '{prefix: "asset."} includes "asset.updated"',
        ),
        ("{type: [a, b, a]}", '"a" stands there already'),
        ("{data: {n: [{lte: 5}, {lte: 9}]}}", "{lte: 9} includes {lte: 5}"),
        ("{data: {n: [{exists: true}, x]}}", '{exists: true} includes "x"'),
    ],
)
def test_an_alternative_that_another_includes_is_redundant(of_match, match, what):
    (problem,) = of_match(match)
    assert (problem.code, problem.what) == ("alternative-redundant", what)


@pytest.mark.parametrize(
    "match", ["{type: [a, b]}", "{type: [{prefix: a}, {suffix: a}]}", "{data: {n: [5, '5']}}"]
)
def test_alternatives_that_differ_are_not_redundant(of_match, match):
    assert of_match(match) == []


@given(patterns(), EVENTS)
def test_what_is_told_to_match_nothing_matches_nothing(match, event):
    told = []
    checks = RuleChecks(["getty"], Evidence(), lambda *_, **__: told.append(1))
    try:
        pattern = compile_pattern({"data": match}, LISTS)
    except PatternInvalid:
        return
    part = Part(Document("x"), Path(), None)
    if not checks.check(pattern, {"data": match}, part):
        assert told
        assert not pattern.matches({"type": "a", "data": event})


# -- routes beside each other ------------------------------------------------------------------------------


def pair(
    wide: str, narrow: str, wide_more: str = "to: [cms, pager]", more: str = "to: [cms, pager]"
):
    return f"  - {{name: one, match: {wide}, {wide_more}}}\n  - {{name: two, match: {narrow}, {more}}}\n"


def beside_others(problems):
    return [p for p in problems if p.code in ("route-shadowed", "route-duplicate")]


def test_the_same_route_twice_is_a_duplicate_of_the_first(warnings):
    (problem,) = warnings(pair("{type: [a, b], data.x: 1}", "{data: {x: 1}, type: [a, b]}"))
    assert (problem.code, problem.line) == ("route-duplicate", LINE + 1)
    assert (
        problem.what
        == f'"one" (line {LINE}) is the same route: cms and pager would get each event twice'
    )


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("{type: a}", "{type: a, data: {x: 1}}"),
        ("{}", "{type: a}"),
        ("{type: [a, b]}", "{type: b}"),
        ("{type: {prefix: asset.}}", "{type: asset.updated}"),
        ("{type: {wildcard: 'a.*.c'}}", "{type: a.b.c}"),
        ("{data: {n: {lte: 14}}}", "{data: {n: {lte: 7}}}"),
        ("{data: {n: {gte: 0, lt: 9}}}", "{data: {n: [3, 4]}}"),
        ("{$or: [{type: a}, {type: b}]}", "{type: b, subject: x}"),
        ("{type: {anything-but: test}}", "{type: [a, b]}"),
        ("{data: {ip: {cidr: 10.0.0.0/8}}}", "{data: {ip: {cidr: 10.1.0.0/16}}}"),
        ("{data: {to: {exists: true}}}", "{data: {to: DE}}"),
        ("{data: {p: {decimal: {gt: 5}}}}", "{data: {p: {decimal: {gt: 50}}}}"),
    ],
)
def test_a_route_within_another_is_shadowed_wherever_they_stand(warnings, wide, narrow):
    (problem,) = beside_others(warnings(pair(wide, narrow, more="to: [cms]")))
    assert (problem.code, problem.line) == ("route-shadowed", LINE + 1)
    assert f'"one" (line {LINE}) sends all that it matches to cms too' in problem.what
    (problem,) = beside_others(warnings(pair(narrow, wide, wide_more="to: [cms]")))
    assert (problem.code, problem.line) == ("route-shadowed", LINE)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("{type: a}", "{type: b}"),
        ("{type: a, subject: x}", "{type: a, data: {x: 1}}"),
        ("{type: {prefix: asset.}}", "{type: {suffix: .updated}}"),
        ("{data: {n: {lt: 14}}}", "{data: {n: {gt: 10}}}"),
        ("{type: {equals-ignore-case: a}}", "{type: {prefix: a}}"),
        ("{data: {n: 5}}", "{data: {n: '5'}}"),
        ("{data: {items: {b: {exists: false}}}}", "{data: {items: {a: 1, b: {exists: false}}}}"),
    ],
)
def test_routes_that_only_overlap_are_not_shadowed(warnings, wide, narrow):
    found = codes(warnings(pair(wide, narrow)))
    assert [
        code for code in found if code.startswith("route-sh") or code == "route-duplicate"
    ] == []


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("to: [cms]", "to: [pager]"),
        ('to: [cms], when: "event.data.x == 1"', "to: [cms, pager]"),
        ("to: [cms, pager], mode: shadow", "to: [cms, pager]"),
        ("to: [cms, pager]", "to: [cms, pager], mode: shadow"),
        ('to: [cms, pager], once: "${event.id}"', "to: [cms, pager]"),
        (
            "to: [{endpoint: cms, call: {path: /a}}]",
            "to: [{endpoint: cms, call: {path: /b}}, pager]",
        ),
        ('to: [{endpoint: cms, when: "event.data.x == 1"}]', "to: [cms, pager]"),
    ],
)
def test_routes_that_send_other_things_are_not_shadowed(warnings, wide, narrow):
    text = (
        pair("{type: a}", "{type: a}", wide, narrow)
        + "  - {name: z, match: {type: z}, to: [{group: publishers}]}\n"
    )
    assert codes(warnings(text)) == []


def test_one_of_several_routes_with_one_pattern_is_shadowed_as_well(warnings):
    text = pair("{type: a}", "{type: a, subject: x}", "to: [cms]", "to: [pager]")
    text += "  - {name: three, match: {subject: x, type: a}, to: [cms]}\n"
    (problem,) = beside_others(warnings(text))
    assert (problem.code, problem.line) == ("route-shadowed", LINE + 2)


def test_what_is_the_same_is_so_in_arrays_too(warnings):
    match = "{data: {items: {b: {exists: false}}}}"
    assert [p.code for p in beside_others(warnings(pair(match, match)))] == ["route-duplicate"]


def test_conditions_that_are_the_same_shadow_too(warnings):
    one = 'to: [{endpoint: cms, call: {path: /a}}, pager], when: "event.data.x == 1"'
    assert codes(warnings(pair("{type: a}", "{type: a}", one, one))) == ["route-duplicate"]
    (problem,) = warnings(pair("{type: a}", "{type: a}", "to: [{group: publishers}]", "to: [cms]"))
    assert (problem.code, "to cms too" in problem.what) == ("route-shadowed", True)


# -- routes that only scan -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "match",
    [
        "{type: {anything-but: a}}",
        "{subject: {exists: false}}",
        "{$not: {type: a}}",
        "{$or: [{type: a}, {subject: {exists: false}}]}",
        "{type: {wildcard: '*ab*'}}",
    ],
)
def test_a_route_that_nothing_finds_scans(of_match, match):
    (problem,) = of_match(match)
    assert (problem.code, problem.column) == ("route-scans", 15)


@pytest.mark.parametrize(
    "match", ["{}", "{type: a, subject: {exists: false}}", "{data: {n: {gt: 5}}}"]
)
def test_a_route_for_everything_or_with_a_value_does_not_scan(of_match, match):
    assert of_match(match) == []


def test_a_condition_of_every_event_scans_and_what_a_pattern_says_better_is_shown(warnings):
    text = "  - {{name: a, match: {{}}, when: '{}', to: [cms, pager]}}\n"
    (problem,) = warnings(text.format('event.type == "license.expired" && event.data.x == 1'))
    assert (problem.code, working(problem)) == ("route-scans", "match: {type: license.expired}")
    (problem,) = warnings(text.format("event.data.x == event.data.y"))
    assert (problem.code, "`" in problem.cure) == ("route-scans", False)


# -- what nobody uses ----------------------------------------------------------------------------------------


def test_an_endpoint_that_no_route_sends_to_is_unused(warnings):
    (problem,) = warnings("  - {name: a, match: {type: a}, to: [cms]}\n")
    assert (problem.code, problem.line, problem.column) == ("endpoint-unused", 7, 3)


def test_an_endpoint_is_used_by_its_group_and_by_shadows(warnings):
    assert (
        warnings("  - {name: a, match: {type: a}, to: [{group: publishers}], mode: shadow}\n") == []
    )


def test_a_source_that_no_route_matches_is_told(warnings):
    (problem,) = warnings("  - {name: a, match: {source: getty}, to: [cms, pager]}\n")
    assert (problem.code, problem.line) == ("source-unmatched", 4)
    assert (
        warnings("  - {name: a, match: {source: [getty, {prefix: d}]}, to: [cms, pager]}\n") == []
    )


def test_a_fixed_type_that_no_route_matches_is_told(warnings):
    text = HEAD.replace("dam: {verify: none}", "dam: {verify: none, event: {type: asset.updated}}")
    (problem,) = warnings(text + "  - {name: a, match: {type: asset.change}, to: [cms, pager]}\n")
    assert (problem.code, problem.line) == ("source-unmatched", 4)
    assert 'of "dam" of type "asset.updated"' in problem.what
    assert (
        warnings(text + "  - {name: a, match: {type: {prefix: asset.}}, to: [cms, pager]}\n") == []
    )
    dynamic = text.replace("type: asset.updated", "type: '${body.kind}'")
    assert (
        warnings(dynamic + "  - {name: a, match: {type: asset.change}, to: [cms, pager]}\n") == []
    )


def test_nothing_is_unused_where_there_are_no_routes(warnings):
    assert warnings(HEAD.replace("routes:\n", "routes: []\n")) == []


def test_a_list_that_no_pattern_names_is_unused(warnings):
    text = "  - {name: a, match: {data: {to: {in: EU}}}, to: [cms, pager]}\nlists: {EU: [DE], US: [CA]}\n"
    (problem,) = warnings(text)
    assert (problem.code, '"US"' in problem.what) == ("list-unused", True)


# -- words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "meant"),
    [
        ("{prefx: a}", "{prefix: a}"),
        ("{Prefix: a}", "{prefix: a}"),
        ("{startsWith: a}", "{prefix: a}"),
        ("{starts_with: a}", "{prefix: a}"),
        ("{anything_but: a}", "{anything-but: a}"),
        ("{equalsIgnoreCase: a}", "{equals-ignore-case: a}"),
        ('{">=": 5}', "{gte: 5}"),
        ("{$gte: 5}", "{gte: 5}"),
        ("{GTE: 5, LT: 8}", "{gte: 5}"),
        ("{min: 5}", "{gte: 5}"),
        ("{min: 5, max: 9}", "{gte: 5}"),
        ("{exist: true}", "{exists: true}"),
        ("{$in: [a, b]}", "{in: [a, b]}"),
        ("{not: [a, b]}", "{anything-but: [a, b]}"),
        ("{equals: a}", "a"),
        ("{regex: '^a.*'}", "{prefix: a}"),
        ("{regex: 'a$'}", "{suffix: a}"),
        ("{matches: abc}", "{contains: abc}"),
        (r"{$regex: '^a\.b.*c$'}", '{wildcard: "a.b*c"}'),
        ("{regexp: '^abc$'}", "abc"),
        ("{regex: a.b}", 'when: event.data.x.matches("a.b")'),
        (r"{matches: '^\d+$'}", r'when: event.data.x.matches(r"^\d+$")'),
        ("{pattern: 'a*'}", '{wildcard: "a*"}'),
        ("{like: '%a%'}", '{wildcard: "*a*"}'),
        ("{less: 5}", "{lt: 5}"),
        ("{greater: 5}", "{gt: 5}"),
        ("{not_in: [a, b]}", "{anything-but: [a, b]}"),
        ("{notIn: [a, b]}", "{anything-but: [a, b]}"),
        ("{not-in: [a, b]}", "{anything-but: [a, b]}"),
        ("{not_in: EU}", "$not: {x: {in: EU}}"),
        ("{not: {prefix: a}}", "{anything-but: {prefix: a}}"),
        ("{between: [1, 5]}", "{gte: 1, lte: 5}"),
        ("{or: [a, b]}", "[a, b]"),
        ("{missing: true}", "{exists: false}"),
        ("{missing: false}", "{exists: true}"),
        ("{contain: a}", "{contains: a}"),
    ],
)
def test_a_word_that_can_hardly_be_a_field_is_misspelt(of_match, condition, meant):
    found = [p for p in of_match(f"{{data: {{x: {condition}}}}}") if p.code == "operator-misspelt"]
    assert working(found[0]) == meant


@pytest.mark.parametrize(
    "condition",
    [
        "{min: a}",
        "{min: 5, currency: EUR}",
        "{max: {value: 5}}",
        "{before: 2026-01-01}",
        "{gate: 5}",
        "{alt: 5}",
        "{late: 5}",
        "{container: a}",
        "{parent: true}",
        "{pattern: striped}",
        "{matches: 5}",
        "{missing: [a]}",
        "{between: [a, b]}",
        "{has: a}",
        "{name: a}",
        "{prefix: {a: 1}, x: {b: 2}}",
    ],
)
def test_a_word_that_may_be_a_field_is_left_alone(of_match, condition):
    assert codes(of_match(f"{{data: {{x: {condition}}}}}")) == []


def test_a_not_within_data_that_lacks_its_sign_is_told(of_match):
    (problem,) = of_match("{type: t, data: {not: {kind: page}}}")
    assert (problem.code, working(problem)) == ("operator-misspelt", "$not: {kind: page}")
    assert of_match("{type: t, data.not: {kind: page}}") == []


def test_an_alternative_with_an_empty_range_is_told(of_match):
    (problem,) = of_match("{data: {n: [{gte: 5, lt: 3}, 7]}}")
    assert problem.code == "alternative-unreachable"
    assert of_match("{data: {n: {gte: 5, lte: 5}}}") == []


def test_what_stands_within_a_misspelt_operator_is_not_told_of_as_well(of_match):
    assert codes(of_match("{type: t, data: {x: {regex: '^a.*b.*'}}}")) == ["operator-misspelt"]


def test_a_word_that_events_have_as_a_field_is_one(of_match):
    assert codes(of_match("{data: {price: {min: 5}}}", seen({"data": {"price": {"min": 3}}}))) == []
    assert codes(of_match("{data: {min: 5}}")) == []
    assert codes(of_match("{data.price.min: 5}")) == []


@pytest.mark.parametrize(
    ("match", "cure"),
    [
        ("{tpye: a}", 'did you mean "type"?'),
        ("{days_left: 5}", 'did you mean "data.days_left"?'),
        ("{severity: high}", 'did you mean "data.severity"?'),
        ("{$or: [{type: a}, {$not: {Type: a}}, {type: b}]}", 'did you mean "type"?'),
        ("{specversion: '1.0'}", "patterns and expressions do not see it"),
    ],
)
def test_an_attribute_that_events_hardly_have_is_told(of_match, match, cure):
    evidence = seen({"data": {"severity": "high"}})
    found = [p for p in of_match(match, evidence) if p.code == "attribute-unknown"]
    assert [cure in p.cure for p in found] == [True]


@pytest.mark.parametrize(
    ("keys", "cure"),
    [
        ("when: event.typ == 'x', to: [cms]", 'did you mean "event.type"?'),
        ("when: event.?Subject.orValue('') == 'x', to: [cms]", 'did you mean "event.subject"?'),
        ("once: '${event.days_left}', to: [cms]", 'did you mean "event.data.days_left"?'),
        ("to: [{endpoint: cms, when: event.severity == 1}]", 'did you mean "event.data.severity"?'),
        (
            "to: [{endpoint: cms, call: {json: [{a: '${event.tiem}'}]}}]",
            'did you mean "event.time"?',
        ),
        ("to: [{endpoint: cms, when: event.specversion == '1.0'}]", "do not see it"),
    ],
)
def test_an_attribute_that_an_expression_asks_for_in_vain_is_told(warnings, keys, cure):
    text = f"  - {{name: a, match: {{type: t}}, {keys}}}\n"
    found = warnings(text, seen({"data": {"severity": 1}}))
    assert [cure in p.cure for p in found if p.code == "attribute-unknown"] == [True]


@pytest.mark.parametrize(
    "when",
    [
        "event.data.typ == 'x'",
        "event.traceparent == 'x'",
        "event.type == 'event.typ'",
        "event.source.contains('x')",
    ],
)
def test_what_an_expression_may_ask_for_is_not_told_of(warnings, when):
    text = f'  - {{name: a, match: {{type: t}}, when: "{when}", to: [cms]}}\n'
    assert "attribute-unknown" not in codes(warnings(text))


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("$(event.type)", "${event.type}"),
        ("about {{ event.data.x }}", "${event.data.x}"),
        ("{event.type}", "${event.type}"),
    ],
)
def test_an_expression_in_the_manner_of_others_is_told(warnings, written, form):
    call = f'{{endpoint: cms, call: {{json: {{a: ["{written}"]}}}}}}'
    found = warnings(f"  - {{name: a, match: {{type: t}}, to: [{call}, pager]}}\n")
    assert [(p.code, working(p)) for p in found] == [("literal-expression", form)]
    body = HEAD.replace("sign: none,", f"sign: none, body: {{a: '{written}'}},", 1)
    found = warnings(body + "  - {name: a, match: {type: t}, to: [cms, pager]}\n")
    assert [(p.code, p.line) for p in found] == [("literal-expression", 6)]


def test_an_expression_as_it_is_written_here_is_not_told_of(warnings):
    call = "{endpoint: cms, call: {json: {a: '${event.type} costs $(5) {x}, $${event.type}'}}}"
    assert warnings(f"  - {{name: a, match: {{type: t}}, to: [{call}, pager]}}\n") == []


@pytest.mark.parametrize(
    "match",
    ["{traceparent: a}", "{origin: /x}", "{dataschema: x}", "{typo: a}", "{severity: high}"],
)
def test_an_extension_is_an_attribute(of_match, match):
    evidence = seen({"severity": "high", "data": {"severity": "high"}})
    assert [p.code for p in of_match(match, evidence) if p.code == "attribute-unknown"] == []


@pytest.mark.parametrize(
    ("condition", "form"),
    [
        ("license.*", "{prefix: license.}"),
        ("'*.jpg'", '{suffix: ".jpg"}'),
        ("'*urgent*'", "{contains: urgent}"),
        ("a.*.c", '{wildcard: "a.*.c"}'),
        ("a.**.c", '{wildcard: "a.*.c"}'),
        ("{anything-but: test.*}", "{anything-but: {prefix: test.}}"),
        (
            "{anything-but: [a, test.*]}",
            "{all: [{anything-but: [a]}, {anything-but: {prefix: test.}}]}",
        ),
        ("{in: [a, test.*]}", "[{prefix: test.}, {in: [a]}]"),
        ("[x, license.*]", "{prefix: license.}"),
    ],
)
def test_a_star_that_stands_for_itself_is_told_with_the_form_that_works(of_match, condition, form):
    found = of_match(f"{{data: {{x: {condition}}}}}")
    assert set(codes(found)) <= {"literal-wildcard", "route-scans"}
    assert working(found[0]) == form
    assert isinstance(compile_pattern(read_document(f"x: {form}".encode(), "x").value), Pattern)


@pytest.mark.parametrize(
    ("condition", "form"),
    [
        ("{prefix: license.*}", "prefix: license."),
        ("{suffix: '*.jpg'}", 'suffix: ".jpg"'),
        ("{contains: '*a*'}", "contains: a"),
        ("{prefix: 'a*b*'}", 'wildcard: "a*b*"'),
        ("{equals-ignore-case: 'a*'}", 'wildcard: {equals-ignore-case: "a*"}'),
    ],
)
def test_so_is_a_star_in_an_operator_that_knows_none(of_match, condition, form):
    (problem,) = of_match(f"{{data: {{x: {condition}}}}}")
    assert (problem.code, working(problem)) == ("literal-wildcard", form)
    compile_pattern(read_document(f"x: {{{form}}}".encode(), "x").value)


@pytest.mark.parametrize(
    "condition", ["{wildcard: 'a*b*'}", "{exactly: license.*}", "['*', DE]", "{in: ['*']}"]
)
def test_a_star_that_is_meant_is_left_alone(of_match, condition):
    assert of_match(f"{{data: {{x: {condition}}}}}") == []


def test_a_star_alone_on_an_attribute_is_told(of_match):
    (problem,) = of_match("{type: '*'}")
    assert (problem.code, problem.cure) == ("literal-wildcard", "leave `type` out to match any")


def test_a_star_in_a_list_is_told_once_where_it_stands(warnings):
    text = "lists: {X: [a, 'b*']}\n" + "".join(
        f"  - {{name: {n}, match: {{type: {n}, data: {{x: {{in: X}}}}}}, to: [cms, pager]}}\n"
        for n in "ab"
    )
    head, _, routes = text.partition("\n")
    (problem,) = warnings(f"version: 1\n{head}\n{HEAD.removeprefix('version: 1')}{routes}")
    assert (problem.code, problem.line) == ("literal-wildcard", 2)


# -- what does not fit the data --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    ["{anything-but: web}", "[{anything-but: [web, app]}]", "{anything-but: {prefix: w}}"],
)
def test_anything_but_of_a_list_is_told_with_what_means_none_of_them(of_match, condition):
    evidence = seen({"data": {"channels": ["web", "print"]}})
    (problem,) = of_match(f"{{type: t, data: {{channels: {condition}}}}}", evidence)
    assert problem.code == "anything-but-array"
    form = read_document(f"data: {{{working(problem)}}}".encode(), "x").value
    pattern = compile_pattern(form)
    assert not pattern.matches({"data": {"channels": ["web", "print"]}})
    assert pattern.matches({"data": {"channels": ["print"]}})
    assert not pattern.matches({"data": {}})


def test_anything_but_of_what_was_never_a_list_is_no_trap(of_match):
    match = "{type: t, data: {channels: {anything-but: web}}}"
    assert of_match(match) == []
    assert of_match(match, seen({"data": {"channels": "web"}})) == []
    assert of_match(match, seen({"type": "other", "data": {"channels": ["web"]}})) == []
    evidence = seen({"data": {"items": [{"channel": "web"}]}})
    assert of_match("{type: t, data: {items: {channel: {anything-but: web}}}}", evidence) == []


def test_an_expression_that_goes_through_a_field_makes_it_a_list(warnings):
    match = "match: {type: t, data: {at: {anything-but: x}}}"
    each = "{endpoint: cms, each: '${event.data.at}', call: {path: '/${item}'}}"
    evidence = seen({"data": {}})
    assert codes(warnings(f"  - {{name: a, {match}, to: [{each}, pager]}}\n", evidence)) == [
        "anything-but-array"
    ]
    when = """when: 'event.data.at.exists(a, a == "y")'"""
    assert codes(warnings(f"  - {{name: a, {match}, {when}, to: [cms, pager]}}\n", evidence)) == [
        "anything-but-array"
    ]


@pytest.mark.parametrize(
    ("value", "condition", "code", "form"),
    [
        ("14", "{lte: 14}", "number-as-text", "{decimal: {lte: 14}}"),
        ("14", "{gte: 1, lt: 14}", "number-as-text", "{decimal: {gte: 1, lt: 14}}"),
        ("14", "14", "number-as-text", '"14"'),
        ("14", '{numeric: ["=", 14]}', "number-as-text", '"14"'),
        ("soon", "{lte: 14}", "number-as-text", None),
        (14, '"14"', "number-as-text", "14"),
        (14, "{decimal: {gt: 5}}", "number-as-text", "{gt: 5}"),
        (14, "{prefix: a}", "number-as-text", None),
        (True, '"true"', "truth-as-text", "true"),
        (["1", "2"], "[1, 2]", "number-as-text", '"1"'),
    ],
)
def test_what_compares_other_kinds_than_events_have_is_told(of_match, value, condition, code, form):
    found = of_match(f"{{type: t, data: {{x: {condition}}}}}", seen({"data": {"x": value}}))
    assert set(codes(found)) == {code}
    assert form is None or working(found[0]) == form


@pytest.mark.parametrize(
    ("value", "condition"),
    [
        (14, "{lte: 14}"),
        ("14", '["14", 14]'),
        ("14", "{anything-but: 14}"),
        (None, "14"),
        ("14", "{exists: true}"),
        ({"a": 1}, "14"),
        (True, "true"),
        ("14", "[{decimal: {lt: 5}}, {lt: 5}]"),
    ],
)
def test_what_fits_the_events_seen_is_no_trap(of_match, value, condition):
    assert of_match(f"{{type: t, data: {{x: {condition}}}}}", seen({"data": {"x": value}})) == []


def test_events_of_other_types_say_nothing(of_match):
    evidence = seen({"type": "other", "data": {"x": "14"}})
    assert of_match("{type: t, data: {x: {lte: 14}}}", evidence) == []
    mixed = seen({"data": {"x": "14"}}, {"data": {"x": 14}})
    assert of_match("{type: t, data: {x: {lte: 14}}}", mixed) == []


def test_evidence_is_bounded():
    evidence = seen({"data": {f"k{i}": i for i in range(50_000)}})
    assert len(evidence.types["t"]) <= 20_000
    deep: dict = {}
    for _ in range(100):
        deep = {"a": deep}
    assert max(map(len, seen({"data": deep}).types["t"])) <= 16
    assert seen({"data": {"a.b": [1]}}).seen(("data", "a", "b"), ["t"]) == {Kind.LIST, Kind.NUMBER}


# -- how they are told -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        ("  # lint: allow route-scans", []),
        ("  # lint: allow route-shadowed, route-scans", []),
        ("  # lint: allow route-shadowed", ["route-scans"]),
        ("  # route-scans", ["route-scans"]),
    ],
)
def test_a_comment_silences_a_warning(warnings, comment, told):
    route = "  - {name: a, match: {type: {anything-but: x}}, to: [cms, pager]}"
    assert codes(warnings(f"{route}{comment}\n")) == told
    assert codes(warnings(f"{comment}\n{route}\n")) == told


def test_a_comment_that_silences_nothing_there_is_is_told(warnings):
    route = (
        "  - {name: a, match: {type: t}, to: [cms, pager]}  # lint: allow unverified, route-scan\n"
    )
    (problem,) = warnings(route)
    assert (problem.code, problem.cure) == ("allow-unknown", 'did you mean "route-scans"?')
    assert (problem.line, problem.column) == (LINE, route.index("route-scan") + 1)


def test_every_code_of_a_warning_is_known():
    whole = (ROOT / "docs/errors.md").read_text()
    page = whole.partition("### Warnings")[2].partition("### ")[0]
    told = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    elsewhere = set(re.findall(r"^\| `([a-z-]+)` \| .*?\bwarning:", whole, re.MULTILINE))
    assert told | elsewhere | {"include"} == CODES


def test_a_comment_behind_a_line_is_not_about_the_next(warnings):
    other = "  - {name: b, match: {type: y}, to: [cms]}  # lint: allow route-scans\n"
    route = "  - {name: a, match: {type: {anything-but: x}}, to: [pager]}\n"
    assert codes(warnings(other + route)) == ["route-scans"]


def test_of_many_alike_the_first_are_told_and_the_rest_counted(warnings):
    routes = "".join(
        f"  - {{name: r{i}, match: {{subject: {{anything-but: s{i}}}}}, to: [cms]}}\n"
        for i in range(80)
    )
    found = [p for p in warnings(routes) if p.code == "route-scans"]
    assert len(found) == MOST_ALIKE + 1
    assert found[-1].what == "there are 30 more of these"


@pytest.mark.parametrize("match", ["{type: a}", "{subject: {anything-but: x}}"])
def test_many_routes_that_all_match_alike_take_no_time(load, match):
    routes = "".join(f"  - {{name: r{i}, match: {match}, to: [cms]}}\n" for i in range(5_000))
    loaded = load(HEAD + routes)
    began = time.process_time()
    assert lint(loaded)
    assert time.process_time() - began < 5
