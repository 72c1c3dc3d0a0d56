"""Names beside the event that nothing has: `known`, `plan`, `stale`."""

import pytest

from gateway.config.lint import CODES, lint

HEAD = """\
version: 1
sources: {dam: {verify: none}}
endpoints: {cms: {url: "https://cms.example.com/", sign: none}}
"""


@pytest.fixture
def warned(load):
    """What is warned of by the name of `unknown-name`, by `line: what; cure`."""

    def warned(text: str) -> list[str]:
        loaded = load(HEAD + text)
        assert loaded.routes is not None, list(map(str, loaded.errors))
        found = [problem for problem in lint(loaded) if problem.code == "unknown-name"]
        assert all(p.code in CODES and p.severity == "warning" for p in found)
        return [f"{p.line}: {p.what}; {p.cure}" for p in found]

    return warned


def test_what_a_route_does_not_know_is_told_wherever_it_is_written(warned):
    found = warned("""\
routes:
  - name: a
    match: {type: x}
    known: {same: {collection: asset, where: {id: "${event.subject}"}}}
    remember: {collection: asset, key: "${event.subject}"}
    when: '!stale && has(known.aset) && known.?same[?0].hasValue()'
    once: ${known.asset.id}/${known.?sume.orValue(1)}
    emit: [{when: known.one.x == 1, type: y, data: {x: "${known.two}"}}]
    to:
      - {endpoint: cms, each: "${known.sam}", call: {path: /x, json: {a: ["${item}", "known.x", "${'known.x'} ${event.known.x}"]}}}
""")
    assert [each.partition(" by the name ")[::2] for each in found] == [
        (f"{line}: this route knows nothing", f'"{name}"; {cure}')
        for line, name, cure in (
            (9, "aset", 'did you mean "asset"?'),
            (10, "sume", 'did you mean "same"?'),
            (11, "one", "known: asset, same"),
            (11, "two", "known: asset, same"),
            (13, "sam", 'did you mean "same"?'),
        )
    ]


def test_what_is_remembered_by_several_is_known(warned):
    text = """\
routes:
  - name: a
    match: {type: x}
    remember: [{collection: asset, key: "${event.subject}"}, {collection: use, key: "${event.id}"}]
    when: has(known.asset) && has(known.use)
    to: [cms]
"""
    assert warned(text) == []


def test_stale_is_about_what_is_remembered(warned):
    text = """\
routes:
  - {name: a, match: {type: x}, known: {asset: "${event.subject}"}, when: '!stale', to: [cms]}
"""
    (found,) = warned(text)
    assert found.startswith("5: `stale` is never true")
    assert warned(text.replace("!stale", 'event.data.x == "stale"')) == []


def test_a_collection_that_is_nearly_one_that_is_filled_is_a_slip(warned):
    text = """\
routes:
  - {name: a, match: {type: x}, remember: {collection: license, key: "${event.subject}"}}
  - {name: b, match: {type: y}, known: {NAME}, to: [cms]}
"""
    for known in ('licence: "${event.id}"', "same: {collection: licence, where: {id: x}}"):
        (found,) = warned(text.replace("NAME", known))
        assert found == '6: no route remembers anything in "licence"; did you mean "license"?'
    for known in ('license: "${event.id}"', 'placement: "${event.id}"'):
        assert warned(text.replace("NAME", known)) == []


def test_a_plan_has_three_things(warned):
    text = """\
schedules:
  expiry:
    match: {type: x}
    key: ${event.id}
    at: ${event.time}
    emit: {type: "late.${plan.days}", data: {at: "${plan.at}", due: "${plan.due}", day: "${plan.DAY}"}}
"""
    assert warned(text.replace("DAY", "days")) == []
    (found,) = warned(text.replace("DAY", "day"))
    assert found == '9: a plan has no "day"; did you mean "days"?'
