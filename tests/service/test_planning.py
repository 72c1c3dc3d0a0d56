"""Two routes files compared by what they make of the same events."""

import itertools

import pytest

from gateway.config.changes import alike
from gateway.config.lenient import load_given
from gateway.core.extraction import WIDEST
from gateway.planning import Backtest, Evidence, Example, Findings
from tests.kit.build import an_event

HEAD = """\
version: 1
sources:
  getty: {verify: none}
  dam: {verify: none}
endpoints:
  cms: {url: https://cms.example.com/, sign: none}
  pager: {url: https://pager.example.com/, sign: none}
  own: {url: https://own.example.com/, sign: none, body: {days: "${event.data.days_left}"}}
routes:
"""
EXPIRING = "  - {name: expiring, match: {type: license.expiring}, to: [cms]}\n"
DELETE = """\
  - name: delete
    match: {type: asset.deleted}
    to:
      - endpoint: cms
        each: ${event.data.posts}
        call: {method: DELETE, path: "/posts/${item}"}
"""


def loaded(routes: str, head: str = HEAD):
    found = load_given([("routes.yaml", (head + routes).encode())])
    assert found.errors == []
    return found


def compared(old, new, *events, examples: int = 3, all_run: bool = False) -> Findings:
    """What came of it; *old* and *new* are routes, or loaded files."""
    one, two = (each if not isinstance(each, str) else loaded(each) for each in (old, new))
    known = () if all_run else alike(one, two)
    backtest = Backtest(one.routes, two.routes, alike=known, examples=examples)
    for event in events:
        backtest.add(event)
    return backtest.findings


def counts(findings: Findings) -> dict[tuple[str, str], dict[str, int]]:
    """What is not zero, by route and endpoint; `same` only where something differs."""
    kinds = ("added", "dropped", "changed", "moved")
    told = {
        place: {kind: count for kind in kinds if (count := getattr(tally, kind))}
        for place, tally in findings.tallies.items()
    }
    return {place: kinds for place, kinds in told.items() if kinds}


def expiring(days: int = 14, **more):
    return an_event(event_type="license.expiring", data={"days_left": days}, **more)


def deleted(*posts: str):
    return an_event(event_type="asset.deleted", data={"posts": list(posts)})


# -- deliveries ------------------------------------------------------------------------------------


def test_an_unchanged_file_comes_to_nothing():
    findings = compared(EXPIRING + DELETE, EXPIRING + DELETE, expiring(), deleted("1"))
    assert counts(findings) == {}
    assert (findings.evidence, findings.examples, findings.events) == ({}, {}, 2)


def test_nothing_can_differ_where_all_routes_are_alike():
    one, other = loaded(EXPIRING), loaded("# a comment\n" + EXPIRING)
    assert not Backtest(one.routes, other.routes, alike=alike(one, other)).can_differ
    more = loaded(EXPIRING + DELETE)
    assert Backtest(one.routes, more.routes, alike=alike(one, more)).can_differ
    assert Backtest(more.routes, one.routes, alike=alike(more, one)).can_differ
    deaf = loaded(EXPIRING, HEAD.replace("  dam: {verify: none}\n", ""))
    assert Backtest(one.routes, deaf.routes, alike=alike(one, deaf)).can_differ


def test_a_new_route_adds_and_a_removed_one_drops():
    events = [expiring(), expiring(), deleted("1", "2")]
    added = compared(EXPIRING, EXPIRING + DELETE, *events)
    assert counts(added) == {("delete", "cms"): {"added": 2}}
    dropped = compared(EXPIRING + DELETE, EXPIRING, *events)
    assert counts(dropped) == {("delete", "cms"): {"dropped": 2}}
    assert (dropped.total("dropped"), dropped.total("added")) == (2, 0)


def test_a_narrower_match_drops_and_keeps():
    narrower = EXPIRING.replace(
        "license.expiring}", "license.expiring, data: {days_left: {lte: 7}}}"
    )
    findings = compared(EXPIRING, narrower, expiring(14), expiring(7), expiring(3))
    assert counts(findings) == {("expiring", "cms"): {"dropped": 1}}
    assert findings.tallies["expiring", "cms"].same == 2


def test_an_endpoint_more_or_less_is_counted_by_itself():
    other = EXPIRING.replace("[cms]", "[pager]")
    assert counts(compared(EXPIRING, other, expiring())) == {
        ("expiring", "cms"): {"dropped": 1},
        ("expiring", "pager"): {"added": 1},
    }


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("DELETE,", "POST,", ("method",)),
        ('"/posts/', '"/pages/', ("path",)),
        ('${item}"}', '${item}", query: {force: "1"}}', ("query",)),
        ('${item}"}', '${item}", headers: {X-A: b}}', ("headers",)),
        ('${item}"}', '${item}", json: 1}', ("headers", "body")),
    ],
)
def test_a_call_that_differs_is_changed_and_says_in_what(old, new, differs):
    assert old in DELETE
    findings = compared(DELETE, DELETE.replace(old, new), deleted("1"))
    assert counts(findings) == {("delete", "cms"): {"changed": 1}}
    ((example,),) = findings.examples.values()
    assert example.differs == differs


def test_a_body_that_differs_is_changed_though_the_route_reads_the_same():
    route = EXPIRING.replace("[cms]", "[own]")
    for body, differs in (('{n: "${event.data.days_left}"}', "body"), ("raw", "form")):
        head = HEAD.replace('{days: "${event.data.days_left}"}', body)
        findings = compared(loaded(route), loaded(route, head), expiring())
        assert counts(findings) == {("expiring", "own"): {"changed": 1}}
        ((example,),) = findings.examples.values()
        assert example.differs == (differs,)


def test_of_several_items_only_those_that_differ_count():
    fewer = DELETE.replace(
        "${event.data.posts}\n", '${event.data.posts}\n        when: item != "1"\n'
    )
    findings = compared(DELETE, fewer, deleted("1", "2", "3"))
    assert counts(findings) == {("delete", "cms"): {"dropped": 1}}
    assert findings.tallies["delete", "cms"].same == 2


def test_the_same_items_in_another_order_are_the_same():
    old, new = (DELETE.replace("${event.data.posts}", f"${{event.data.{name}}}") for name in "ab")
    event = an_event(event_type="asset.deleted", data={"a": ["1", "2", "2"], "b": ["2", "1", "2"]})
    assert counts(compared(old, new, event)) == {}


def test_a_route_with_another_name_has_moved_its_deliveries():
    findings = compared(EXPIRING, EXPIRING.replace("name: expiring", "name: ends"), expiring())
    assert counts(findings) == {("ends", "cms"): {"moved": 1}}
    assert findings.moved == {("expiring", "ends", "cms"): 1}
    ((example,),) = findings.examples.values()
    assert (example.kind, example.before, example.route) == ("moved", "expiring", "ends")


def test_a_target_that_gets_a_name_sends_the_same():
    named = DELETE.replace("endpoint: cms", "name: pages\n        endpoint: cms")
    findings = compared(DELETE, named, deleted("1"))
    assert counts(findings) == {}
    assert findings.tallies["delete", "cms"].same == 1


def test_a_target_that_gets_a_name_and_another_content_is_changed():
    named = DELETE.replace("endpoint: cms", "name: pages\n        endpoint: cms")
    findings = compared(DELETE, named.replace("/posts/", "/pages/"), deleted("1"))
    assert counts(findings) == {("delete", "cms"): {"changed": 1}}


def test_another_content_by_another_route_is_dropped_and_added():
    other = DELETE.replace("name: delete", "name: erase").replace("/posts/", "/pages/")
    assert counts(compared(DELETE, other, deleted("1"))) == {
        ("delete", "cms"): {"dropped": 1},
        ("erase", "cms"): {"added": 1},
    }


def test_examples_name_the_event_and_are_few_for_each_kind_route_and_endpoint():
    events = [expiring(subject=f"license/{i}") for i in range(5)]
    both = EXPIRING.replace("[cms]", "[cms, pager]")
    findings = compared(EXPIRING, both + DELETE, *events, deleted("1"), examples=2)
    assert {place: len(kept) for place, kept in findings.examples.items()} == {
        ("added", ("expiring", "pager")): 2,
        ("added", ("delete", "cms")): 1,
    }
    assert findings.examples["added", ("expiring", "pager")][0] == Example(
        kind="added", event=events[0].event_id, type="license.expiring", subject="license/0",
        route="expiring", endpoint="pager",
    )  # fmt: skip
    assert findings.total("added") == 6
    assert compared(EXPIRING, both, *events, examples=0).total("added") == 5


# -- what makes no delivery ------------------------------------------------------------------------


def test_a_route_put_into_shadow_drops_and_is_counted_apart():
    shadow = EXPIRING.replace("to:", "mode: shadow, to:")
    findings = compared(EXPIRING, shadow, expiring(), expiring())
    assert counts(findings) == {("expiring", "cms"): {"dropped": 2}}
    assert findings.withheld == {("expiring", "shadow"): [0, 2]}
    assert counts(compared("  []", shadow, expiring())) == {}


def test_once_is_played_through_the_events_for_both_files():
    once = EXPIRING.replace("to:", 'once: "${event.subject}", to:')
    events = [expiring(subject=f"license/{i % 2}") for i in range(6)]
    findings = compared(EXPIRING, once, *events)
    assert counts(findings) == {("expiring", "cms"): {"dropped": 4}}
    assert findings.withheld == {("expiring", "once"): [0, 4]}
    assert counts(compared(once, once.replace("[cms]", "[cms, pager]"), *events)) == {
        ("expiring", "pager"): {"added": 2}
    }


def test_a_route_in_shadow_fires_for_nothing():
    once = EXPIRING.replace("to:", 'once: "${event.subject}", mode: shadow, to:')
    findings = compared("  []", once, expiring(), expiring())
    assert findings.withheld == {("expiring", "shadow"): [0, 2]}


def test_expressions_that_begin_to_fail_are_counted_with_the_first():
    failing = EXPIRING.replace("to:", "when: event.data.gone > 1, to:")
    events = [expiring(), expiring(), deleted()]
    findings = compared(EXPIRING, failing, *events)
    assert counts(findings) == {("expiring", "cms"): {"dropped": 2}}
    (name, found) = next(iter(findings.failing.items()))
    assert (name, found.before, found.after, found.event) == ("expiring", 0, 2, events[0].event_id)
    assert "when" in found.detail
    mended = compared(failing, EXPIRING, *events).failing["expiring"]
    assert (mended.before, mended.after, mended.detail) == (2, 0, "")


def test_an_event_that_becomes_too_wide_is_lost_to_the_routes_that_are_the_same_too():
    wide = an_event(event_type="license.expiring", data={"rows": list(range(WIDEST + 1))})
    looks = "  - {name: looks, match: {data: {rows: 1}}, to: [pager]}\n"
    findings = compared(EXPIRING, EXPIRING + looks, wide, expiring())
    assert counts(findings) == {("expiring", "cms"): {"dropped": 1}}
    assert findings.failing["(all)"].after == 1


# -- sources ---------------------------------------------------------------------------------------


def test_events_of_a_source_that_is_gone_would_be_refused():
    deaf = loaded(EXPIRING, HEAD.replace("  dam: {verify: none}\n", ""))
    events = [expiring(source="dam"), expiring(), expiring(source="dam")]
    findings = compared(loaded(EXPIRING), deaf, *events)
    assert counts(findings) == {("expiring", "cms"): {"dropped": 2}}
    assert findings.unheard == {"dam": 2}


def test_events_of_a_source_that_neither_has_are_nobodys():
    findings = compared(EXPIRING, EXPIRING + DELETE, expiring(source="gone"))
    assert (counts(findings), findings.unheard) == ({}, {})


def test_a_route_that_is_the_same_remembers_what_the_other_source_fired():
    once = EXPIRING.replace("to:", 'once: "${event.subject}", to:')
    deaf = loaded(once, HEAD.replace("  dam: {verify: none}\n", ""))
    findings = compared(loaded(once), deaf, expiring(source="dam"), expiring())
    assert counts(findings) == {("expiring", "cms"): {"added": 1, "dropped": 1}}


# -- evidence --------------------------------------------------------------------------------------


def test_evidence_is_told_of_routes_that_are_new_or_changed_only():
    judged = DELETE.replace("    to:", "    when: size(event.data.posts) > 1\n    to:")
    never = "  - {name: never, match: {type: order.placed}, to: [cms]}\n"
    events = [expiring(), deleted("1"), deleted("1", "2"), deleted("1", "2", "3")]
    findings = compared(EXPIRING + DELETE, EXPIRING + judged + never, *events)
    assert findings.evidence == {"delete": Evidence(3, 2), "never": Evidence(0, 0)}


# -- shortcuts -------------------------------------------------------------------------------------

EDITS = {
    "nothing": lambda text: text,
    "narrower": lambda text: text.replace("{type: license.expiring}", "{data: {days_left: {lt: 9}}}"),
    "renamed": lambda text: text.replace("name: delete", "name: erase"),
    "retargeted": lambda text: text.replace("[cms]", "[pager, own]"),
    "fewer": lambda text: text.replace("${event.data.posts}", "${event.data.posts.filter(p, p > '3')}"),
    "failing": lambda text: text.replace("to: [own]", "when: event.nope, to: [own]"),
    "shadow": lambda text: text.replace("to: [own]", "mode: shadow, to: [own]"),
    "once": lambda text: text.replace("to: [own]", 'once: "${event.subject}", to: [own]'),
}  # fmt: skip
THREE = EXPIRING + DELETE + "  - {name: own, match: {}, to: [own]}\n"


@pytest.mark.parametrize(("one", "other"), list(itertools.product(EDITS, EDITS)))
def test_routes_that_are_alike_need_not_be_run(one, other):
    events = [expiring(day, subject=f"license/{day % 3}") for day in range(5, 13)]
    events += [deleted(*"123456"[: i % 6]) for i in range(8)] + [expiring(source="gone")]
    old, new = EDITS[one](THREE), EDITS[other](THREE)
    short, whole = (compared(old, new, *events, all_run=all_run) for all_run in (False, True))
    assert counts(short) == counts(whole)
    assert (short.moved, short.examples) == (whole.moved, whole.examples)
    assert {n: f for n, f in short.failing.items() if f.before != f.after} == {
        n: f for n, f in whole.failing.items() if f.before != f.after
    }
