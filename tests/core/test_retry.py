"""What follows an attempt."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.model import (
    SECOND,
    Accepted,
    Hopeless,
    Postponed,
    Raised,
    Refused,
    Response,
    Skipped,
    Unreachable,
)
from gateway.core.retry import (
    EGRESS_DENIED,
    HOUR,
    LONGEST_HINT,
    NO_ANSWER,
    REASONS,
    STANDARD_SCHEDULE,
    TOKEN_DENIED,
    Exponential,
    Failures,
    Finish,
    GiveUp,
    Park,
    RetryAt,
    RetryPolicy,
    decide,
    retry_after,
)

NOW = 1_795_000_000 * SECOND
POLICY = RetryPolicy((5 * SECOND, 60 * SECOND))


def refused(status: int, **headers: str) -> Refused:
    return Refused(Response(status=status, headers=headers))


def decided(  # all that `decide` depends on
    outcome, *, attempt=1, jitter=0.0, posted=True, by_handler=False, policy=POLICY, since=NOW
):
    return decide(
        outcome,
        attempt=attempt,
        policy=policy,
        since=since,
        now=NOW,
        jitter=jitter,
        posted=posted,
        by_handler=by_handler,
    )


def test_success_finishes():
    assert decided(Accepted(Response(status=204))) == Finish()


def test_a_skip_finishes_with_its_reason():
    assert decided(Skipped("no page")) == Finish("no page")


@pytest.mark.parametrize("status", [301, 308, 400, 401, 404, 409, 429, 500, 503])
def test_every_other_answer_is_retried_on_the_schedule(status):
    assert decided(refused(status)) == RetryAt(NOW + 5 * SECOND, f"http-{status}")
    assert decided(refused(status), attempt=2) == RetryAt(NOW + 60 * SECOND, f"http-{status}")


def test_the_schedule_bounds_the_attempts():
    assert decided(refused(500), attempt=3) == GiveUp("http-500 (after 3 attempts)")


def test_the_default_schedule_makes_ten_attempts():
    policy = RetryPolicy()
    assert isinstance(decided(refused(500), attempt=9, policy=policy), RetryAt)
    assert isinstance(decided(refused(500), attempt=10, policy=policy), GiveUp)


def test_an_empty_schedule_makes_one_attempt():
    assert isinstance(decided(refused(500), policy=RetryPolicy(())), GiveUp)


def test_no_answer_is_retried():
    outcome = Unreachable("timeout", "no answer within 20 s")
    assert decided(outcome) == RetryAt(NOW + 5 * SECOND, "timeout")


def test_gone_disables_the_endpoint_and_keeps_the_delivery():
    assert decided(refused(410)) == Park("disabled", "http-410: the endpoint says that it is gone")


def test_gone_to_a_handlers_call_is_an_ordinary_failure():
    assert decided(refused(410), posted=False) == RetryAt(NOW + 5 * SECOND, "http-410")


def test_a_denied_url_blocks_its_endpoint():
    outcome = Unreachable(EGRESS_DENIED, "10.0.0.1 port 443")
    assert decided(outcome) == Park("blocked", "egress-denied: 10.0.0.1 port 443")


def test_a_denied_url_blocks_its_endpoint_whatever_a_route_calls_below_it():
    outcome = Unreachable(EGRESS_DENIED, "10.0.0.1 port 443")
    assert isinstance(decided(outcome, posted=False), Park)


def test_a_denied_address_out_of_a_handler_is_hopeless_for_its_delivery_alone():
    outcome = Unreachable(EGRESS_DENIED, "10.0.0.1 port 443")
    assert decided(outcome, by_handler=True) == GiveUp("egress-denied: 10.0.0.1 port 443")


@pytest.mark.parametrize("by_handler", [False, True])
def test_a_denied_token_url_blocks_its_endpoint_whoever_makes_the_calls(by_handler):
    outcome = Unreachable(
        TOKEN_DENIED, "10.0.0.1 port 443; allow it with --egress-allow 10.0.0.1/32"
    )
    decision = decided(outcome, by_handler=by_handler, posted=not by_handler)
    assert decision == Park("blocked", f"{TOKEN_DENIED}: {outcome.detail}")


def test_what_is_hopeless_is_given_up_at_once():
    assert decided(Hopeless("the licence is unknown")) == GiveUp("the licence is unknown")


def test_a_handler_that_raised_is_retried():
    assert decided(Raised("ValueError: x", "…")) == RetryAt(NOW + 5 * SECOND, "ValueError: x")


def test_a_handlers_own_delay_counts_alone():
    assert decided(Postponed("processing", SECOND)) == RetryAt(NOW + SECOND, "processing")


def test_a_handler_without_a_delay_takes_the_schedules():
    assert decided(Postponed("processing", None)) == RetryAt(NOW + 5 * SECOND, "processing")


def test_a_delivery_that_is_put_off_for_ever_dies():
    assert isinstance(decided(Postponed("processing", SECOND), attempt=3), GiveUp)


def test_a_longer_hint_moves_the_next_attempt():
    assert decided(refused(429, **{"retry-after": "120"})) == RetryAt(
        NOW + 120 * SECOND, "http-429"
    )


def test_a_shorter_hint_does_not():
    assert decided(refused(429, **{"retry-after": "1"})) == RetryAt(NOW + 5 * SECOND, "http-429")


def test_a_hint_of_a_year_counts_as_a_day():
    hint = {"retry-after": str(365 * 86400)}
    assert decided(refused(503, **hint)) == RetryAt(NOW + 24 * HOUR, "http-503")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        (" 90 ", 90),
        ("99999999999999999999", 999_999_999),
        ("Wed, 18 Nov 2026 11:08:20 GMT", 100),
        ("Wed, 18 Nov 2026 11:08:20 -0000", 100),
        ("Wed, 18 Nov 2020 11:08:20 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("1.5", 0),
        ("٣", 0),
        ("", 0),
        ("Mon, 99 Foo 2026 99:99:99 GMT", 0),
        (f"Wed, 18 Nov {'9' * 20} 11:08:20 GMT", 0),
        (f"Wed, 18 Nov 2026 11:08:20 +{'9' * 20}", 0),
    ],
)
def test_retry_after_is_read_in_both_forms_and_garbage_is_none(text, seconds):
    now = 1_795_000_000 * SECOND  # 2026-11-18T11:06:40Z
    response = Response(status=503, headers={"retry-after": text})
    assert retry_after(response, now) == seconds * SECOND


# -- which failures --------------------------------------------------------------------------------


SERVER_FAULTS = Failures(((500, 599),))


def some(*statuses: int, reasons: tuple[str, ...] = ()) -> Failures:
    return Failures(tuple((status, status) for status in statuses), frozenset(reasons))


def test_only_what_is_named_is_attempted_again():
    policy = RetryPolicy((SECOND,), on=SERVER_FAULTS)
    assert isinstance(decided(refused(599), policy=policy), RetryAt)
    assert decided(refused(404), policy=policy) == GiveUp(
        "http-404 (after 1 attempt: `retry` says that there is no other)"
    )


def test_what_is_never_attempted_again_is_not_although_it_is_named():
    policy = RetryPolicy((SECOND,), on=SERVER_FAULTS, never=some(501))
    assert isinstance(decided(refused(501), policy=policy), GiveUp)
    assert isinstance(decided(refused(502), policy=policy), RetryAt)


def test_a_reason_is_known_by_how_it_begins():
    policy = RetryPolicy((SECOND,), never=some(reasons=("handler-raised", "not-successful")))
    assert isinstance(decided(Raised("handler-raised: ValueError: x", ""), policy=policy), GiveUp)
    failed = Refused(Response(status=200), "not-successful: no such key")
    assert isinstance(decided(failed, policy=policy), GiveUp)
    assert isinstance(decided(Unreachable("timeout", ""), policy=policy), RetryAt)


def test_a_refusal_with_a_reason_is_not_known_by_its_status():
    policy = RetryPolicy((SECOND,), on=some(*range(200, 300)))
    assert isinstance(
        decided(Refused(Response(status=200), "not-successful"), policy=policy), GiveUp
    )


def test_a_handler_that_asks_to_try_later_is_asked_again_whatever_the_policy_names():
    policy = RetryPolicy((SECOND,), on=some(503), never=some(reasons=tuple(REASONS)))
    assert isinstance(decided(Postponed("handler-raised", None), policy=policy), RetryAt)


@pytest.mark.parametrize("policy", [RetryPolicy(on=some(500)), RetryPolicy(never=some(410))])
def test_a_policy_does_not_keep_an_endpoint_that_is_gone_from_being_disabled(policy):
    assert isinstance(decided(refused(410), policy=policy), Park)


statuses = st.integers(300, 599)
ranges = st.tuples(statuses, statuses).map(lambda pair: (min(pair), max(pair)))
failures = st.builds(
    Failures,
    st.lists(ranges, max_size=3).map(tuple),
    st.frozensets(st.sampled_from(sorted(REASONS)), max_size=3),
)
failed = st.one_of(
    statuses.map(refused),
    st.sampled_from(sorted(NO_ANSWER)).map(lambda reason: Unreachable(f"{reason}: x", "")),
    st.just(Raised("handler-raised: x", "")),
    st.just(Refused(Response(status=200), "not-successful")),
)


@given(a=failures, b=failures, outcome=failed)
def test_failures_together_have_what_each_has(a, b, outcome):
    assert (a | b).have(outcome) == (a.have(outcome) or b.have(outcome))


@given(a=failures, b=failures, outcome=failed)
def test_failures_have_what_those_have_that_they_cover(a, b, outcome):
    if a.cover(b):
        assert a.have(outcome) or not b.have(outcome)


@given(on=st.none() | failures, never=failures, outcome=failed)
def test_never_beats_on(on, never, outcome):
    forgiven = RetryPolicy(on=on, never=never).forgives(outcome)
    assert forgiven == ((on is None or on.have(outcome)) and not never.have(outcome))
    assert RetryPolicy(on=on).forgives(outcome) >= forgiven


# -- until when ------------------------------------------------------------------------------------


def test_no_attempt_is_scheduled_past_the_time_that_there_is():
    policy = RetryPolicy((60 * SECOND,), within=90 * SECOND)
    assert isinstance(decided(refused(500), policy=policy, since=NOW - 30 * SECOND), RetryAt)
    assert decided(refused(500), policy=policy, since=NOW - 31 * SECOND) == GiveUp(
        "http-500 (after 1 attempt: no time is left for another)"
    )


def test_a_hint_that_is_longer_than_the_time_that_is_left_ends_a_delivery():
    policy = RetryPolicy((SECOND,), within=HOUR)
    assert isinstance(decided(refused(429, **{"retry-after": "3601"}), policy=policy), GiveUp)


def test_a_handlers_delay_that_is_longer_than_the_time_that_is_left_ends_a_delivery():
    policy = RetryPolicy((SECOND,), within=HOUR)
    assert isinstance(decided(Postponed("later", HOUR + 1), policy=policy), GiveUp)


# -- delays that grow ------------------------------------------------------------------------------


def test_delays_grow_by_their_factor_up_to_the_longest():
    grown = Exponential(first=5 * SECOND, factor=3, longest=60 * SECOND, attempts=6)
    delays = [grown.delay(attempt) for attempt in range(1, 7)]
    assert delays == [5 * SECOND, 15 * SECOND, 45 * SECOND, 60 * SECOND, 60 * SECOND, None]


growing = st.builds(
    Exponential,
    first=st.integers(1, 10**17),
    factor=st.floats(1, 100) | st.integers(1, 100),
    longest=st.integers(1, 10**17),
    attempts=st.none() | st.integers(1, 10_000),
)


@given(grown=growing, attempt=st.integers(1, 10**9))
def test_growing_delays_never_overflow_shrink_or_pass_the_longest(grown, attempt):
    delay, following = grown.delay(attempt), grown.delay(attempt + 1)
    if delay is None or following is None:
        assert grown.attempts is not None
        return
    assert 0 < delay <= following <= grown.longest


@given(grown=growing, attempt=st.integers(1, 20_000))
def test_there_are_no_more_attempts_than_were_asked_for(grown, attempt):
    last = grown.attempts is not None and attempt >= grown.attempts
    assert (grown.delay(attempt) is None) == last


# -- whatever comes --------------------------------------------------------------------------------


policies = st.builds(
    RetryPolicy,
    st.lists(st.integers(0, 10**12), max_size=12).map(tuple) | growing,
    st.none() | failures,
    failures,
    st.none() | st.integers(SECOND, 10**13),
)
anything = failed | st.builds(Postponed, st.text(), st.none() | st.integers(-(10**9), 10**12))


@given(
    outcome=anything, attempt=st.integers(1, 12), policy=policies, jitter=st.floats(-1, 1),
    passed=st.integers(0, 10**12), hint=st.text("0123456789 -.,:GMTWedJan", max_size=31),
)  # fmt: skip
def test_what_is_attempted_again_has_attempts_and_time_left(
    outcome, attempt, policy, jitter, passed, hint
):
    if isinstance(outcome, Refused):
        outcome = replace(
            outcome, response=replace(outcome.response, headers={"retry-after": hint})
        )
    since = NOW - passed
    decision = decided(outcome, attempt=attempt, policy=policy, jitter=jitter, since=since)
    again = decided(outcome, attempt=attempt, policy=policy, jitter=jitter, since=since)
    assert decision == again
    if isinstance(decision, (GiveUp, Park)):
        return
    assert isinstance(decision, RetryAt)
    assert policy.delay(attempt) is not None
    assert decision.due_at >= NOW
    if policy.within is not None:
        assert decision.due_at <= since + policy.within


@given(
    policy=policies, attempt=st.integers(1, 12), hints=st.tuples(*[st.integers(0, 10**6)] * 2),
    jitter=st.floats(-1, 1),
)  # fmt: skip
def test_a_longer_hint_never_brings_an_attempt_forward(policy, attempt, hints, jitter):
    shorter, longer = (
        decided(
            refused(503, **{"retry-after": str(hint)}),
            attempt=attempt,
            policy=policy,
            jitter=jitter,
        )
        for hint in sorted(hints)
    )
    if isinstance(longer, RetryAt):
        assert isinstance(shorter, RetryAt)
        assert shorter.due_at <= longer.due_at


outcomes = st.one_of(
    st.integers(300, 599).filter(lambda s: s != 410).map(refused),
    st.just(Unreachable("timeout", "")),
    st.just(Raised("x", "")),
)


@given(outcome=outcomes, attempt=st.integers(1, 9), jitter=st.floats(-1, 1))
def test_delays_keep_within_a_fifth_of_the_schedule(outcome, attempt, jitter):
    decision = decided(outcome, attempt=attempt, jitter=jitter, policy=RetryPolicy())
    assert isinstance(decision, RetryAt)
    delay = STANDARD_SCHEDULE[attempt - 1]
    assert 0.8 * delay - 1 <= decision.due_at - NOW <= 1.2 * delay + 1


@given(
    outcome=outcomes, attempt=st.integers(1, 50), jitter=st.floats(-1, 1), hint=st.text(max_size=30)
)
def test_asking_twice_gives_the_same_answer_and_never_looks_back(outcome, attempt, jitter, hint):
    if isinstance(outcome, Refused):
        outcome = refused(outcome.response.status, **{"retry-after": hint})
    first = decided(outcome, attempt=attempt, jitter=jitter)
    assert first == decided(outcome, attempt=attempt, jitter=jitter)
    if isinstance(first, RetryAt):
        assert NOW <= first.due_at <= NOW + max(LONGEST_HINT, 72 * HOUR)
