"""What follows an attempt."""

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
    STANDARD_SCHEDULE,
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


def decided(outcome, *, attempt=1, jitter=0.0, posted=True, by_handler=False, policy=POLICY):
    return decide(
        outcome,
        attempt=attempt,
        policy=policy,
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
    ],
)
def test_retry_after_is_read_in_both_forms_and_garbage_is_none(text, seconds):
    now = 1_795_000_000 * SECOND  # 2026-11-18T11:06:40Z
    response = Response(status=503, headers={"retry-after": text})
    assert retry_after(response, now) == seconds * SECOND


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
