"""What differs between two routes files."""

import pytest

from gateway.config.changes import Change, alike, changes
from gateway.config.lenient import load_given

BASE = """\
version: 1
lists:
  EU: [DE, FR]
  US: [US]
sources:
  getty: {verify: none}
  dam: {verify: none, event: {type: "a.b"}}
endpoints:
  cms: {url: https://cms.example.com/, sign: none, groups: [publishers]}
  blog: {url: https://blog.example.com/, sign: none}
routes:
  - {name: eu, match: {data: {country: {in: EU}}}, to: [cms]}
  - {name: us, match: {data: {country: {in: US}}}, to: [blog]}
  - {name: all, match: {}, to: [{group: publishers}]}
"""


def loaded(text: str):
    found = load_given([("routes.yaml", text.encode())])
    assert found.errors == []
    return found


def changed(*replacements: tuple[str, str]) -> list[Change]:
    text = BASE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return changes(loaded(BASE), loaded(text))


def same(*replacements: tuple[str, str]) -> set[str]:
    text = BASE
    for old, new in replacements:
        text = text.replace(old, new)
    return set(alike(loaded(BASE), loaded(text)))


def told(found: list[Change]) -> list[tuple]:
    return [(c.kind, c.name, c.change, *c.keys) for c in found]


def test_comments_the_order_of_parts_and_files_are_no_change():
    routes = BASE.splitlines()[11:]
    text = "\n".join(["# why", *BASE.splitlines()[:11], *reversed(routes)])
    one = loaded(BASE)
    assert changes(one, loaded(text)) == []
    head, _, rest = BASE.partition("endpoints:")
    two = load_given([
        ("routes.yaml", (head + "include: [more.yaml]\n").encode()),
        ("more.yaml", ("version: 1\nendpoints:" + rest).encode()),
    ])  # fmt: skip
    assert two.errors == []
    assert changes(one, two) == []
    assert alike(one, two) == {"eu", "us", "all"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  dam: {verify: none, ev", "  dam: {verify: none, ack: 200, ev", ("source", "dam", "changed", "ack")),
        ('type: "a.b"', 'type: "a.c"', ("source", "dam", "changed", "event")),
        ("https://blog", "https://www", ("endpoint", "blog", "changed", "url")),
        ("  US: [US]", "  US: [US]\n  X: [1]", ("list", "X", "added")),
        ("{name: us, ", "{name: us, owner: me, ", ("route", "us", "changed", "owner")),
        ("to: [blog]}", "to: [blog], mode: shadow}", ("route", "us", "changed", "mode")),
    ],
)  # fmt: skip
def test_each_part_that_differs_is_told_with_its_keys(old, new, expected):
    assert told(changed((old, new))) == [expected]


def test_a_removed_part_is_told():
    assert told(changed(("  - {name: all, match: {}, to: [{group: publishers}]}\n", ""))) == [
        ("route", "all", "removed")
    ]


def test_a_part_that_only_has_another_name_is_renamed():
    assert changed(("{name: us,", "{name: usa,")) == [
        Change(kind="route", name="usa", change="renamed", before="us")
    ]


def test_numbers_text_and_truth_are_told_apart():
    one = loaded(BASE.replace("[US]", "[1]"))
    two = loaded(BASE.replace("[US]", "[true]"))
    assert told(changes(one, two)) == [
        ("list", "US", "changed", "values"),
        ("route", "us", "changed", "list US"),
    ]
    assert alike(one, two) == {"eu", "all"}


def test_a_route_differs_with_the_list_it_refers_to():
    assert told(changed(("EU: [DE", "EU: [AT, DE"))) == [
        ("list", "EU", "changed", "values"),
        ("route", "eu", "changed", "list EU"),
    ]
    assert same(("EU: [DE", "EU: [AT, DE")) == {"us", "all"}


def test_a_route_differs_with_the_group_it_sends_to():
    joined = (
        "blog.example.com/, sign: none",
        "blog.example.com/, sign: none, groups: [publishers]",
    )
    assert ("route", "all", "changed", "the endpoints of a group") in told(changed(joined))
    assert same(joined) == {"eu", "us"}


def test_a_route_differs_with_the_body_of_its_endpoint_and_not_with_its_limits():
    templated = ("blog.example.com/, sign: none", "blog.example.com/, sign: none, body: raw")
    assert told(changed(templated)) == [
        ("endpoint", "blog", "changed", "body"),
        ("route", "us", "changed", "body of blog"),
    ]
    assert same(templated) == {"eu", "all"}
    slower = ("blog.example.com/, sign: none", "blog.example.com/, sign: none, timeout: 9s")
    assert same(slower) == {"eu", "us", "all"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("match: {data: {country: {in: US}}}", "match: {data: {country: US}}"),
        ("to: [blog]}", "to: [blog, cms]}"),
        ("to: [blog]}", "to: [blog], when: event.id == ''}"),
        ("to: [blog]}", "to: [blog], once: '${event.id}'}"),
        ("to: [blog]}", "to: [blog], on_error: skip}"),
        ("to: [blog]}", "to: [blog], mode: shadow}"),
    ],
)
def test_whatever_decides_on_deliveries_makes_a_route_differ(old, new):
    assert same((old, new)) == {"eu", "all"}


def test_who_owns_a_route_decides_on_nothing():
    assert same(("{name: us, ", "{name: us, owner: me, ")) == {"eu", "us", "all"}


QUERY = "queries: {{images: {{endpoint: blog, callers: {}, parameters: [phrase]}}}}\n"


def test_queries_are_parts_too_and_their_tokens_need_not_be_at_hand():
    before = loaded(BASE + QUERY.format("anyone"))
    after = loaded(BASE + QUERY.format("[{env: PORTAL_TOKEN}]"))
    assert changes(before, after) == [
        Change(kind="query", name="images", change="changed", keys=("callers",))
    ]
