"""The breaker: when it opens, that it lets one probe through, and when it closes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, precondition, rule

from gateway.core.breaker import Breaker, BreakerPolicy, BreakerState, failure_of
from gateway.core.model import (
    SECOND,
    Accepted,
    Hopeless,
    LaneMark,
    Postponed,
    Raised,
    Refused,
    Response,
    Skipped,
    Unreachable,
)
from gateway.core.retry import EGRESS_DENIED, JITTER, REQUEST_INVALID

POLICY = BreakerPolicy(failures=3, share=50, of=10, within=60 * SECOND)


def attempts(breaker: Breaker, outcomes: str, now: int = 0) -> None:
    """Make attempts one after the other: `x` fails, `.` does not."""
    for outcome in outcomes:
        breaker.learn(breaker.begin(), "http-500" if outcome == "x" else "", now, 0)


def opened() -> Breaker:
    breaker = Breaker(POLICY)
    attempts(breaker, "xxx", now=SECOND)
    return breaker


# -- opening ---------------------------------------------------------------------------------------


def test_it_opens_after_so_many_failures_in_a_row():
    breaker = Breaker(POLICY)
    attempts(breaker, "xx.xx")
    assert breaker.is_closed
    attempts(breaker, "x")
    assert breaker.state is BreakerState.OPEN
    assert breaker.reason == "3 failures in a row, the last: http-500"
    assert breaker.wait(0) == POLICY.delay


def test_it_opens_when_too_great_a_share_of_the_last_attempts_failed():
    breaker = Breaker(POLICY)
    attempts(breaker, "x.x.xx.")
    assert breaker.is_closed
    attempts(breaker, "x")
    assert breaker.reason == "5 of the last 10 attempts failed, the last: http-500"


def test_failures_among_many_successes_do_not_open_it():
    breaker = Breaker(POLICY)
    attempts(breaker, "xx...." * 100)
    assert breaker.is_closed


def test_failures_that_are_too_old_do_not_count_for_the_share():
    breaker = Breaker(POLICY)
    attempts(breaker, "x.x.xx.", now=0)
    attempts(breaker, "x.", now=61 * SECOND)
    assert breaker.is_closed


def test_without_a_policy_it_stays_closed():
    breaker = Breaker(None)
    attempts(breaker, "x" * 1000)
    assert (breaker.is_closed, breaker.wait(0)) == (True, 0)


def test_a_policy_that_goes_closes_it_and_another_leaves_it_open():
    breaker = opened()
    breaker.use(BreakerPolicy(failures=99))
    assert not breaker.is_closed
    breaker.use(None)
    assert breaker.is_closed


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        (Accepted(Response(status=200)), ""),
        (Refused(Response(status=500)), "http-500"),
        (Refused(Response(status=599)), "http-599"),
        (Refused(Response(status=429)), "http-429"),
        (Refused(Response(status=404)), ""),
        (Refused(Response(status=410)), ""),
        (Refused(Response(status=302)), ""),
        (Unreachable("timeout", "20 s"), "timeout"),
        (Unreachable(EGRESS_DENIED, "10.0.0.1"), None),
        (Unreachable(REQUEST_INVALID, "a header"), None),
        (Skipped("nothing to do"), None),
        (Hopeless("no such licence"), None),
        (Postponed("later", None), None),
        (Raised("handler-raised", "Traceback"), None),
    ],
)
def test_only_what_says_something_of_the_endpoint_counts(outcome, failure):
    assert failure_of(outcome) == failure


# -- probing ---------------------------------------------------------------------------------------


def test_one_probe_is_let_through_and_its_success_closes_the_breaker():
    breaker = opened()
    now = breaker.probe_at
    assert (breaker.wait(now - 1), breaker.wait(now)) == (1, 0)
    probe = breaker.begin()
    assert breaker.wait(now + SECOND) > 0
    assert breaker.learn(probe, "", now, 0)
    assert breaker.is_closed
    assert (breaker.reason, breaker.since, breaker.probe_at) == ("", 0, 0)


def test_after_each_probe_that_fails_the_wait_is_twice_as_long_up_to_a_limit():
    breaker, waits = opened(), []
    for _ in range(8):
        now = breaker.probe_at
        breaker.learn(breaker.begin(), "timeout", now, 0)
        waits.append(breaker.wait(now) // SECOND)
    assert waits == [60, 120, 240, 480, 600, 600, 600, 600]
    assert breaker.reason == "a probe failed: timeout"


def test_it_has_been_open_since_it_opened_first():
    breaker = opened()
    breaker.learn(breaker.begin(), "timeout", breaker.probe_at, 0)
    assert breaker.since == SECOND


def test_what_began_before_it_opened_has_no_say_afterwards():
    breaker = Breaker(POLICY)
    old = breaker.begin()
    attempts(breaker, "xxx")
    assert not breaker.learn(old, "", 0, 0)
    probe = breaker.begin()
    assert not breaker.learn(old, "", 0, 0)
    assert breaker.state is BreakerState.PROBING
    breaker.learn(probe, "", 0, 0)
    assert not breaker.learn(probe, "http-500", 0, 0)


def test_a_probe_that_taught_nothing_is_followed_by_another_at_once():
    breaker = opened()
    now = breaker.probe_at + SECOND
    breaker.forget(breaker.begin(), now)
    assert (breaker.state, breaker.wait(now)) == (BreakerState.OPEN, 0)


def test_to_forget_an_attempt_that_was_no_probe_changes_nothing():
    breaker = Breaker(POLICY)
    old = breaker.begin()
    breaker.forget(old, 0)
    attempts(breaker, "xxx")
    breaker.begin()
    breaker.forget(old, 0)
    assert breaker.state is BreakerState.PROBING


def test_closed_by_hand_it_lets_everything_through_and_counts_anew():
    breaker = opened()
    breaker.close()
    attempts(breaker, "xx")
    assert (breaker.is_closed, breaker.wait(0)) == (True, 0)


def test_a_clock_that_was_set_back_keeps_no_probe_waiting_for_longer_than_ever():
    breaker = opened()
    breaker.restore(LaneMark(since=1, probe_at=10**15))
    assert breaker.wait(0) <= POLICY.delay * (1 + JITTER)


# -- after a restart -------------------------------------------------------------------------------


def mark_of(breaker: Breaker) -> LaneMark:
    return LaneMark(
        since=breaker.since,
        probe_at=breaker.probe_at,
        probes=breaker.probes,
        reason=breaker.reason,
    )


def test_an_open_breaker_is_restored_with_its_next_probe_and_its_delay():
    breaker = opened()
    breaker.learn(breaker.begin(), "timeout", breaker.probe_at, 0)
    restored = Breaker(POLICY)
    restored.restore(mark_of(breaker))
    assert mark_of(restored) == mark_of(breaker)
    restored.learn(restored.begin(), "timeout", restored.probe_at, 0)
    assert restored.probes == 2


def test_a_closed_one_is_restored_closed_and_so_is_one_without_a_policy():
    breaker = Breaker(POLICY)
    breaker.restore(LaneMark(begun_at=5))
    assert breaker.is_closed
    off = Breaker(None)
    off.restore(mark_of(opened()))
    assert off.is_closed


# -- properties ------------------------------------------------------------------------------------


@given(jitter=st.floats(-1, 1), probes=st.integers(0, 10_000))
def test_the_wait_stays_within_its_limits(jitter, probes):
    wait = POLICY.wait(probes, jitter)
    assert POLICY.delay * (1 - JITTER) <= wait <= POLICY.longest * (1 + JITTER)


@given(
    policy=st.builds(
        BreakerPolicy,
        failures=st.integers(1, 20),
        share=st.integers(1, 100),
        of=st.integers(2, 40),
        within=st.integers(0, 100),
    ),
    ends=st.lists(st.tuples(st.booleans(), st.integers(0, 10)), max_size=80),
)
def test_it_opens_exactly_when_a_naive_count_says_so(policy, ends):
    breaker, now, history = Breaker(policy), 0, []
    for failed, gap in ends:
        now += gap
        history.append((failed, now))
        last = history[-policy.of :]
        in_a_row = [failed for failed, _ in history[-policy.failures :]]
        recent = sum(failed for failed, at in last if at >= now - policy.within)
        opens = failed and (
            (all(in_a_row) and len(in_a_row) == policy.failures)
            or recent * 100 >= policy.share * policy.of
        )
        breaker.learn(breaker.begin(), "http-500" if failed else "", now, 0)
        assert breaker.is_closed is not opens
        if opens:
            return


class BreakerMachine(RuleBasedStateMachine):
    """Attempts begin wherever they may, and end, hang, are lost or outlive a restart, in any order."""

    under_way = Bundle("under_way")

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(POLICY)
        self.now = SECOND
        self.probe: int | None = None

    @rule(seconds=st.integers(0, 700))
    def pass_time(self, seconds):
        self.now += seconds * SECOND

    @precondition(lambda self: self.breaker.wait(self.now) == 0)
    @rule(target=under_way)
    def begin(self):
        assert self.probe is None, "while a probe is under way nothing begins"
        was_closed = self.breaker.is_closed
        number = self.breaker.begin()
        assert self.breaker.is_closed is was_closed, "to begin neither opens nor closes it"
        if not was_closed:
            self.probe = number
        return number

    @rule(number=consumes(under_way), failed=st.booleans(), jitter=st.floats(-1, 1))
    def end(self, number, failed, jitter):
        was_closed = self.breaker.is_closed
        moved = self.breaker.learn(number, "timeout" if failed else "", self.now, jitter)
        if not was_closed:
            assert moved is (number == self.probe), "only the probe moves an open breaker"
            if moved:
                assert self.breaker.is_closed is not failed
                self.probe = None
        if self.breaker.is_closed:
            assert self.breaker.wait(self.now) == 0

    @rule(number=consumes(under_way))
    def lose(self, number):
        self.breaker.forget(number, self.now)
        if number == self.probe:
            assert self.breaker.wait(self.now) == 0
            self.probe = None

    @rule()
    def resume(self):
        self.breaker.close()
        self.probe = None

    @rule()
    def restart(self):
        mark, was_closed = mark_of(self.breaker), self.breaker.is_closed
        number = self.breaker._number
        self.breaker = Breaker(POLICY)
        self.breaker.restore(mark)
        self.breaker._number += number  # none under way is of this process
        assert self.breaker.is_closed is was_closed
        self.probe = None


TestBreaker = BreakerMachine.TestCase
