"""Many patterns at once: exactly those that match, whatever they have in common, and at a bounded cost."""

import random
import time
import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import candidates, extraction, index
from gateway.core.errors import EventTooWide
from gateway.core.extraction import WIDEST
from gateway.core.grammar import PatternCompiler, PatternInvalid, compile_pattern
from gateway.core.index import FULL, REPORT_EVERY, Index
from tests.kit import patterns as some


def compiled(*patterns):
    compiler = PatternCompiler(some.LISTS)
    return [compiler.compile(pattern) for pattern in patterns]


def one_by_one(patterns, event):
    return [number for number, pattern in enumerate(patterns) if pattern.matches(event)]


def check(*patterns, events):
    """The index finds what each pattern by itself matches."""
    many = compiled(*patterns)
    built = Index(many)
    for event in events:
        assert built.match(event) == one_by_one(many, event)


# -- the same as one by one -------------------------------------------------------------------------------


def agrees(patterns, events, full):
    many = []
    for pattern in patterns:
        try:
            many += compiled(pattern)
        except PatternInvalid:  # a range that is empty
            continue
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "FULL", full)
        built = Index(many)
    for event in events:
        assert built.match(event) == one_by_one(many, event)


@given(
    patterns=st.lists(some.patterns(), min_size=1, max_size=15),
    events=st.lists(some.EVENTS, min_size=1, max_size=4),
    full=st.sampled_from([0, 1, 2, FULL]),
)
@pytest.mark.timeout(60)
@settings(max_examples=60)
def test_an_index_finds_what_each_pattern_matches(patterns, events, full):
    agrees(patterns, events, full)


@given(
    pairs=st.lists(some.one_field(), min_size=1, max_size=60), full=st.sampled_from([0, 1, 2, FULL])
)
@settings(max_examples=60)
def test_an_index_of_many_operators_on_one_field_finds_all(pairs, full):
    agrees([pattern for pattern, _ in pairs], [event for _, event in pairs[:5]], full)


@given(
    pairs=st.lists(some.in_arrays(), min_size=1, max_size=15), full=st.sampled_from([0, 1, 2, FULL])
)
@settings(max_examples=60)
def test_an_index_finds_what_is_true_of_elements_of_arrays(pairs, full):
    agrees([pattern for pattern, _ in pairs], [event for _, event in pairs[:5]], full)


def crowded_patterns(count, chance):
    """Patterns that share most of what they want, of every kind that can be filed."""
    wanted = {
        "type": [lambda: chance.choice(["a", "b"]), lambda: ["a", "b"]],
        "tenant": [
            lambda: f"t{chance.randrange(5)}",
            lambda: [f"t{chance.randrange(5)}" for _ in range(3)],
            lambda: {"equals-ignore-case": f"T{chance.randrange(5)}"},
        ],
        "amount": [
            lambda: {"gte": chance.randrange(20)},
            lambda: {"gte": chance.randrange(10), "lt": chance.randrange(10, 20)},
            lambda: {"gt": chance.randrange(10), "anything-but": 15},
        ],
        "text": [
            lambda: {"prefix": f"p{chance.randrange(9)}"},
            lambda: {"suffix": {"equals-ignore-case": f"S{chance.randrange(9)}"}},
            lambda: {"contains": f"inner{chance.randrange(9)}"},
            lambda: {"wildcard": {"equals-ignore-case": f"*I{chance.randrange(9)}*"}},
            lambda: {"anything-but": f"p{chance.randrange(9)}"},
        ],
        "price": [lambda: {"decimal": {"lte": chance.randrange(20)}}],
        "ip": [lambda: {"cidr": f"10.{chance.randrange(4)}.0.0/{chance.choice([8, 14, 16])}"}],
        "flag": [lambda: chance.choice([True, False, None]), lambda: {"exists": chance.random() < 0.5}],
        "items": [lambda: {"kind": chance.choice("ab"), "n": {"gt": chance.randrange(9)}},
                  lambda: {"kind": chance.choice("ab"), "gone": {"exists": False}}],
    }  # fmt: skip
    for _ in range(count):
        names = chance.sample(sorted(wanted), chance.randrange(1, 5))
        yield {name: chance.choice(wanted[name])() for name in names}


def crowded_event(chance):
    event = {
        "type": chance.choice("abc"),
        "tenant": f"t{chance.randrange(6)}",
        "amount": chance.randrange(25),
        "text": f"p{chance.randrange(9)}-inner{chance.randrange(9)}-I{chance.randrange(9)}s{chance.randrange(9)}",
        "price": f"{chance.randrange(25)}.5",
        "ip": f"10.{chance.randrange(4)}.1.1",
        "flag": chance.choice([True, False, None, 1]),
        "items": [
            {
                "kind": chance.choice("ab"),
                "n": chance.randrange(12),
                chance.choice(["gone", "x"]): 1,
            }
            for _ in range(chance.randrange(4))
        ],
    }
    return dict(chance.sample(sorted(event.items()), 6))


@pytest.mark.parametrize("full", [0, 3, FULL])
@pytest.mark.parametrize("seed", range(3))
def test_crowded_buckets_lose_and_invent_nothing(seed, full, monkeypatch):
    monkeypatch.setattr(index, "FULL", full)
    chance = random.Random(seed)
    patterns = list(crowded_patterns(500, chance))
    check(*patterns, events=[crowded_event(chance) for _ in range(20)])


def test_no_pattern_is_lost_in_a_bucket_of_the_same():
    patterns = [{"a": "x"}] * (5 * FULL)
    check(*patterns, events=[{"a": "x"}, {"a": "y"}])
    assert len(Index(compiled(*patterns)).match({"a": "x"})) == 5 * FULL


def test_no_pattern_is_lost_where_only_some_of_a_crowd_can_be_filed_again():
    patterns = [{"a": "x", "b": i} for i in range(FULL)]
    patterns += [{"a": "x", "b": {"anything-but": i}} for i in range(FULL)]
    patterns += [{"a": "x"}] * FULL
    check(*patterns, events=[{"a": "x", "b": 3}, {"a": "x"}, {"b": 3}])


def test_a_crowd_is_told_apart_by_its_ranges():
    patterns = [{"a": "x", "n": {"gte": i}} for i in range(10 * FULL)]
    check(*patterns, events=[{"a": "x", "n": i} for i in (-1, 5, 1_000)])


def test_what_is_filed_in_two_places_is_proven_in_neither_by_the_other():
    # Among the many that want a, it is told apart by its tenant; of b, it is the only one.
    patterns = [{"type": ["a", "b"], "tenant": "t"}]
    patterns += [{"type": "a", "x": {"anything-but": i}} for i in range(2 * FULL)]
    patterns += [{"tenant": "t", "y": {"anything-but": i}} for i in range(6 * FULL)]
    check(*patterns, events=[{"type": t, "tenant": u} for t in "abc" for u in "tu"])


def test_one_pattern_with_many_rules_is_found_once():
    pattern = {"$or": [{"a": {"prefix": p}} for p in ("", "x", "xy", "xyz")]}
    assert Index(compiled(pattern)).match({"a": "xyz"}) == [0]


def test_an_empty_index_finds_nothing():
    assert Index([]).match({"a": 1}) == []


def test_what_wants_everything_is_found_always():
    assert Index(compiled({"a": 1}, {})).match({}) == [1]


def test_long_values_cost_an_index_no_candidates():
    patterns = [{"a": {"wildcard": f"*needle{i}*"}} for i in range(100)]
    check(*patterns, events=[{"a": "x" * 5_000 + "needle42" + "y" * 5_000}, {"a": "need"}])


def test_intervals_are_found_by_both_of_their_ends():
    ranges = [{"gte": 0, "lt": 10}, {"gt": 5, "lte": 15}, {"gte": 20}, {"lt": 3}, {"gt": -5, "lt": -1},
              {"gte": 7, "lte": 7}, {"gte": 100, "lt": 200}, {"gte": 6.5, "lte": 8}]  # fmt: skip
    patterns = [{"n": each} for each in ranges]
    check(*patterns, events=[{"n": n / 2} for n in range(-20, 420)])


def test_decimals_are_found_as_intervals():
    patterns = [{"n": {"decimal": {"gte": i, "lt": i + 1.5}}} for i in range(50)]
    check(*patterns, events=[{"n": f"{n}.50"} for n in range(60)] + [{"n": "x"}, {"n": 5}])


def test_networks_are_found_by_every_mask():
    patterns = [{"ip": {"cidr": f"{net}/{bits}"}} for net in ("10.1.2.3", "10.1.9.9") for bits in (0, 8, 24, 32)]  # fmt: skip
    patterns += [{"ip": {"cidr": f"fe80::1/{bits}"}} for bits in (0, 10, 128)]
    check(*patterns, events=[{"ip": ip} for ip in ("10.1.2.3", "10.1.9.1", "1.1.1.1", "fe80::1", "::2", "x")])  # fmt: skip


def test_an_index_tells_who_is_looked_at_for_every_event():
    patterns = [
        {"a": 1}, {"a": {"anything-but": 1}}, {"a": {"exists": False}}, {"$not": {"a": 1}},
        {"a": {"contains": "xy"}}, {"a": {"contains": "xyz"}}, {"a": 1, "$not": {"b": 1}}, {},
        {"a": [1, {"anything-but": 2}]}, {"a": {"present": True}}, {"a": {"exists": True}},
        {"a": {"prefix": "x", "anything-but": "xy"}}, {"a": {"prefix": ""}},
    ]  # fmt: skip
    assert Index(compiled(*patterns)).scanned == [1, 2, 3, 4, 7, 8, 9]
    check(*patterns, events=[{}, {"a": 1}, {"a": "xyz"}, {"a": 1, "b": 1}, {"a": []}])


def test_an_index_tells_its_progress():
    told = []
    Index(
        compiled(*[{"a": i} for i in range(2 * REPORT_EVERY + 1)]), lambda *each: told.append(each)
    )
    assert told == [(n * REPORT_EVERY, 2 * REPORT_EVERY + 1) for n in range(3)]


def test_keys_with_dots_are_read_only_where_patterns_look():
    patterns = compiled({"a": {"b": {"c": 1}}}, {"x": {"present": True}})
    check({"a": {"b": {"c": 1}}}, {"x": {"present": True}, "a.b": {"exists": False}},
          events=[{"a.b.c": 1}, {"a": {"b.c": 1}}, {"a.b": {"c": 1}}, {"x.y": 1}, {"y.x": 1}])  # fmt: skip
    assert Index(patterns[:1]).match({"unread.key": 1, "a": {"b": {"c": 1}}}) == [0]


# -- what adversaries send ----------------------------------------------------------------------------------

ELEMENTS = 2_000


def growth(adversity):
    """How much longer an event takes that is twice as large, among twice as many patterns."""
    times = {}
    for n in (ELEMENTS // 2, ELEMENTS):
        patterns, event = adversity(n)
        built = Index(compiled(*patterns))
        times[n] = (lambda built=built, event=event: built.match(event)), []
    for _ in range(7):  # by turns: what disturbs one disturbs the other
        for do, taken in times.values():
            taken.append(timeit.timeit(do, number=1, timer=time.thread_time))
    half, whole = (min(taken) for _, taken in times.values())
    return whole / half


ADVERSITIES = {
    "each names one element, and a field that it does not have": lambda n: (
        [{"items": {"id": i, "other": 1}} for i in range(n)],
        {"items": [{"id": i, "other": 0} for i in range(n)] + [{"other": 1}]},
    ),
    "each names one element, and what another has": lambda n: (
        [{"items": {"id": i, "other": i + 1}} for i in range(n)],
        {"items": [{"id": i, "other": i} for i in range(n)]},
    ),
    "one element is named by all its fields": lambda n: (
        [{"items": {"a": 1, "b": 1, "c": 1}}],
        {"items": [{"a": i % 2, "b": (i + 1) % 2, "c": 1} for i in range(n)]},
    ),
    "a crowd is told apart by a field of the same element": lambda n: (
        [{"items": {"kind": "a", "id": i}} for i in range(n)],
        {"items": [{"kind": "a", "id": -i} for i in range(1, n)] + [{"kind": "b", "id": i} for i in range(n)]},
    ),
    "a crowd is told apart by a range in the same element": lambda n: (
        [{"items": {"kind": "a", "n": {"gte": i}}} for i in range(n)],
        {"items": [{"kind": "a", "n": -1}] * n + [{"kind": "b", "n": n}]},
    ),
    "each names one element that lacks something": lambda n: (
        [{"items": {"id": i, "gone": {"exists": False}}} for i in range(n)],
        {"items": [{"id": i, "gone": 1} for i in range(n)]},
    ),
    "each names one element that is not so": lambda n: (
        [{"items": {"id": i, "$not": {"x": 1}}} for i in range(n)],
        {"items": [{"id": i, "x": 1} for i in range(n)]},
    ),
    "arrays in arrays": lambda n: (
        [{"a": {"b": {"id": i, "x": 1}, "y": 1}} for i in range(n)],
        {"a": [{"b": [{"id": i * 50 + j, "x": 1} for j in range(50)], "y": 0} for i in range(n // 50)]
              + [{"y": 1}]},
    ),
    "two arrays": lambda n: (
        [{"a": {"id": i, "x": 1}, "b": {"id": i, "x": 1}} for i in range(n)],
        {"a": [{"id": i, "x": 1} for i in range(n)], "b": [{"id": i, "x": 0} for i in range(n)] + [{"x": 1}]},
    ),
    "the same value over and over": lambda n: (
        [{"tags": "a", "x": {"anything-but": i}} for i in range(FULL)],
        {"tags": ["a"] * n},
    ),
    "as many keys with dots": lambda n: (
        [{"a.b": 1}],
        {**{f"k{i}": i for i in range(n)}, **{f"a.c{i}": 1 for i in range(n)}, "a": [{}] * n},
    ),
    "no end of overlapping ranges": lambda n: (
        [{"n": {"gte": i, "lt": 2 * n}} for i in range(n)],
        {"n": [-1] * n + [n]},
    ),
    "text that begins alike": lambda n: (
        [{"a": {"wildcard": "*" + "a" * 100 + f"{i:06}*b"}} for i in range(n)],
        {"a": "a" * 10 * n},
    ),
}  # fmt: skip


@pytest.mark.parametrize("adversity", ADVERSITIES.values(), ids=ADVERSITIES.keys())
def test_adversity_costs_no_more_than_its_size(adversity):
    # Twice as much takes twice as long; were it quadratic, four times. Others use the machine, too.
    assert any(growth(adversity) < 3.2 for _ in range(3))
    patterns, event = adversity(60)
    check(*patterns, events=[event])


def test_an_element_is_verified_only_for_those_who_name_it(monkeypatch):
    judged = []
    holds = candidates.holds
    monkeypatch.setattr(candidates, "holds", lambda *each: judged.append(1) or holds(*each))
    patterns = [{"items": {"id": i, "other": 1}} for i in range(ELEMENTS)]
    event = {"items": [{"id": i, "other": 0} for i in range(ELEMENTS)] + [{"other": 1}]}
    assert Index(compiled(*patterns)).match(event) == []
    assert len(judged) == ELEMENTS


def test_an_event_that_is_too_wide_is_refused_where_patterns_look():
    built = Index(compiled({"a": 1}, {"b": {"c": 1}}))
    assert built.match({"a": [1] * WIDEST}) == [0]
    assert built.match({"unread": [1] * (2 * WIDEST)}) == []
    with pytest.raises(EventTooWide, match="100,000 elements") as caught:
        built.match({"a": [[1] * 10] * (WIDEST // 10), "b": [{"c": 2}]})
    assert caught.value.cure


def test_a_value_that_several_elements_have_is_looked_for_in_each_of_them():
    pattern = {"a": {"id": 1, "x": 1}, "b": {"id": 1, "y": 1}}
    event = {"a": [{"id": 1, "x": 1}], "b": [{"id": i % 7, "y": i // 10} for i in range(20)]}
    check(
        pattern, events=[event, {**event, "b": event["b"][:10]}, {**event, "b": event["b"][::-1]}]
    )
    assert Index(compiled(pattern)).match(event) == [0]


def test_an_event_whose_elements_no_value_tells_apart_is_refused_in_time(monkeypatch):
    monkeypatch.setattr(extraction, "MOST_LOOKED_AT", 10_000)
    patterns = [{"items": {"a": 1, "b": 1}, "x": {"anything-but": i}} for i in range(200)]
    built = Index(compiled(*patterns))
    few = [{"a": 1}, {"b": 1}]
    assert built.match({"x": "x", "items": few * 10}) == []
    with pytest.raises(EventTooWide, match="more than 10,000 times") as caught:
        built.match({"x": "x", "items": few * 100})
    assert caught.value.cure


def test_many_leaves_are_not_looked_at_by_each_of_many_conditions(monkeypatch):
    monkeypatch.setattr(extraction, "MOST_LOOKED_AT", 10_000)
    patterns = [{"a": "x", "tags": {"wildcard": f"*{'*'.join(f'{i:03}')}*"}} for i in range(1000)]
    built = Index(compiled(*patterns))
    assert built.match({"a": "x", "tags": ["4-2-1"] * 20}) == [421]
    with pytest.raises(EventTooWide):
        built.match({"a": "x", "tags": ["-"] * 1000})


def test_among_many_leaves_truth_is_no_number_either():
    wanted = [1, True, 0, False, None, "1", {"gte": 1}, {"gt": 1}, {"lt": 1}, {"in": [1, "x"]}]
    patterns = [{"a": f"name {i}", "n": each} for i, each in enumerate(wanted)]
    names = [pattern["a"] for pattern in patterns]
    leaves = [True, False, None, 1, 0.0, "1", [True, 0.5, 2]]
    check(*patterns, events=[{"a": names, "n": [leaf] * 20} for leaf in leaves])


def test_arrays_that_only_a_negation_reads_are_counted_as_well():
    with pytest.raises(EventTooWide):
        Index(compiled({"$not": {"a": {"b": 1}}})).match({"a": [{}] * (WIDEST + 1)})


def test_paths_as_deep_as_can_be_are_found():
    pattern: object = "x"
    event: object = ["x"]
    for _ in range(64):
        pattern, event = {"a": pattern}, {"a": [event, {}]}
    check(pattern, events=[event, {}])


def test_a_pattern_is_compiled_alone_as_it_is_among_others():
    pattern = {"a": {"prefix": "x"}}
    assert compiled({"b": 1}, pattern)[1] == compile_pattern(pattern)


@pytest.mark.parametrize(
    "wanted", [{"gt": 5, "lt": 3}, {"gt": 5, "lte": 5}, {"decimal": {"gt": 1, "lt": "1.0"}}]
)
def test_bounds_that_no_number_is_within_match_nothing(wanted):
    compiled = [compile_pattern({"a": wanted}) for _ in range(40)]
    for value in (3, 4, 5, "1", "1.0", "0.5"):
        assert Index(compiled).match({"a": value}) == []
        assert not compiled[0].matches({"a": value})


def test_what_many_rules_refuse_is_looked_up_and_not_looked_for(monkeypatch):
    monkeypatch.setattr(extraction, "MOST_LOOKED_AT", 10_000)
    some = [{"type": "order", "$not": {"items": {"kind": f"k{i}"}}} for i in range(1_000)]
    found = Index([compile_pattern(each) for each in some])
    event = {"type": "order", "items": [{"kind": f"k{i}"} for i in range(500, 2_500)]}
    assert found.match(event) == list(range(500))


def test_what_is_refused_in_one_element_only_is_judged_in_that_element():
    pattern = {"items": {"kind": "image", "$not": {"id": 2}}}
    found = Index([compile_pattern(pattern)])
    for items, expected in (
        ([{"kind": "image", "id": 2}, {"kind": "film", "id": 3}], []),
        ([{"kind": "image", "id": 3}, {"kind": "film", "id": 2}], [0]),
        ([{"kind": "image"}], [0]),
    ):
        assert found.match({"items": items}) == expected
