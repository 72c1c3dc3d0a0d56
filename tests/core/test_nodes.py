"""Sharing what endpoints allow among nodes."""

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core.model import SECOND
from gateway.core.nodes import IN_TOUCH, Held, LaneNeed, share_of, shares

TIMEOUT = 20 * SECOND
NAMES = [f"node{i}" for i in range(5)]


def a_need(concurrency: int, *, whole: bool = False, using: int = 0) -> LaneNeed:
    return LaneNeed(concurrency, whole, using, IN_TOUCH + TIMEOUT, 0)


@given(st.integers(1, 100), st.integers(1, 9), st.booleans())
def test_the_shares_of_all_nodes_are_the_whole(concurrency, count, whole):
    nodes, need = [f"n{i}" for i in range(count)], a_need(concurrency, whole=whole)
    parts = [share_of("cms", need, node, nodes) for node in nodes]
    assert sum(parts) == concurrency
    assert max(parts) == concurrency if whole else max(parts) - min(parts) <= 1


def test_what_does_not_divide_goes_to_other_nodes_at_each_endpoint():
    owners = {
        node
        for endpoint in map(str, range(50))
        for node in NAMES
        if share_of(endpoint, a_need(1), node, NAMES)
    }
    assert owners == set(NAMES)


def test_a_node_that_comes_waits_for_what_the_others_give_up():
    held = [Held("cms", "a", 8)]
    assert shares("b", {"cms": a_need(8)}, ["a", "b"], held) == {"cms": 0}
    assert shares("a", {"cms": a_need(8, using=8)}, ["a", "b"], [Held("cms", "b", 0)]) == {"cms": 4}
    assert shares("b", {"cms": a_need(8)}, ["a", "b"], [Held("cms", "a", 6)]) == {"cms": 2}


def test_what_only_some_nodes_have_is_shared_among_those():
    need = {"cms": a_need(1), "pager": a_need(1, whole=True)}
    for name in NAMES:
        assert shares(name, need, NAMES, []) == {"cms": 1, "pager": 1}


def test_an_endpoint_with_a_rate_is_never_shared():
    need = {"cms": a_need(8, whole=True)}
    assert shares("b", need, ["b"], [Held("cms", "a", 1)]) == {"cms": 0}
    assert shares("b", need, ["b"], []) == {"cms": 8}
    granted = [
        shares(n, need, ["a", "b"], [Held("cms", "b" if n == "a" else "a", 0)]) for n in "ab"
    ]
    assert sorted(each["cms"] for each in granted) == [0, 8]


class Together(RuleBasedStateMachine):
    """Nodes come, tell, hear, begin, end, die and wake up late; time passes for all of them alike."""

    concurrency = 5
    whole = False

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.seen: dict[str, int] = {}
        self.held: dict[str, tuple[Held, int]] = {}
        """With the moment from which it is free, unless its node tells of itself."""
        self.answers: dict[str, tuple[int, int]] = {}
        """What a node has not heard yet: its share, and when it had told of itself."""
        self.share: dict[str, tuple[int, int]] = {}
        """What it has heard."""
        self.running: dict[str, list[int]] = {name: [] for name in NAMES}

    def _width(self, name: str) -> int:
        share, told_at = self.share.get(name, (0, 0))
        return share if self.now - told_at < IN_TOUCH else 0

    @rule(name=st.sampled_from(NAMES))
    def tell(self, name):
        """As a store does it: in one transaction."""
        self.seen[name] = self.now
        here = [n for n, at in self.seen.items() if self.now - at <= IN_TOUCH]
        held = [each for each, until in self.held.values() if until > self.now]
        using = max(len(self.running[name]), self._width(name))
        need = a_need(self.concurrency, whole=self.whole, using=using)
        share = shares(name, {"cms": need}, here, held)["cms"]
        self.held[name] = Held("cms", name, max(using, share)), self.now + need.holds
        self.answers[name] = share, self.now

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def hear(self, data):
        name = data.draw(st.sampled_from(sorted(self.answers)))
        self.share[name] = self.answers.pop(name)

    @rule(name=st.sampled_from(NAMES))
    def begin(self, name):
        if len(self.running[name]) < self._width(name):
            self.running[name].append(self.now + TIMEOUT)

    @precondition(lambda self: any(self.running.values()))
    @rule(data=st.data())
    def end(self, data):
        name = data.draw(st.sampled_from([n for n in NAMES if self.running[n]]))
        self.running[name].pop()

    @rule(seconds=st.integers(1, 15))
    def pass_time(self, seconds):
        self.now += seconds * SECOND
        for running in self.running.values():
            running[:] = [ends_at for ends_at in running if ends_at > self.now]

    @invariant()
    def no_more_than_the_endpoint_allows(self):
        assert sum(map(len, self.running.values())) <= self.concurrency

    @invariant()
    def one_pace_at_a_time(self):
        assert not self.whole or sum(map(bool, self.running.values())) <= 1


class TogetherAtARate(Together):
    whole = True


TestTogether = Together.TestCase
TestTogetherAtARate = TogetherAtARate.TestCase
TestTogether.settings = TestTogetherAtARate.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None
)
