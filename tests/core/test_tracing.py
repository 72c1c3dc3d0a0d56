"""Trace context, in and out."""

import pytest

from gateway.core.tracing import Context, arriving, attempted, combined, departing, parsed, received
from tests.kit.build import a_delivery, an_event

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "flags", "sampled"),
    [
        (GOOD, 1, True),
        (f"00-{TRACE}-{SPAN}-00", 0, False),
        (f"00-{TRACE}-{SPAN}-03", 3, True),
        (f"00-{TRACE}-{SPAN}-fe", 2, False),
        (f"cc-{TRACE}-{SPAN}-01-what-will-be", 1, True),
        (f"cc-{TRACE}-{SPAN}-ff", 1, True),
        (f"01-{TRACE}-{SPAN}-fe", 0, False),
    ],
)
def test_a_context_is_read_without_the_flags_that_nobody_knows(text, flags, sampled):
    context = parsed(text)
    assert context == Context(TRACE, SPAN, flags)
    assert context.sampled is sampled
    assert departing({"traceparent": text}) == {"traceparent": f"00-{TRACE}-{SPAN}-{flags:02x}"}


@pytest.mark.parametrize(
    "text",
    [
        "", None, 7, "00", GOOD.upper(), GOOD + "-", GOOD + "-more", GOOD + "\n", f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1", f"00-{TRACE}-{SPAN}", f"00{TRACE}{SPAN}01", f"cc-{TRACE}-{SPAN}-01.more",
    ],
)  # fmt: skip
def test_what_is_no_context_is_none(text):
    assert parsed(text) is None
    given = {b"traceparent": str(text).encode()}
    assert arriving(given, ()) == {}


def test_a_request_has_one_context_or_none():
    state = {b"tracestate": b"vendor=abc"}
    headers = {b"traceparent": GOOD.encode(), **state}
    assert arriving(headers, ()) == {"traceparent": GOOD, "tracestate": "vendor=abc"}
    assert arriving(headers, {b"traceparent"}) == {}
    assert arriving({**headers, b"tracestate": b"a" * 513}, ()) == {"traceparent": GOOD}
    assert arriving({**headers, b"tracestate": b"\xff"}, ()) == {"traceparent": GOOD}
    assert arriving(state, ()) == {}


def test_a_state_in_several_headers_is_one_list_in_their_order():
    headers = [(b"tracestate", b"b=1,c=2"), (b"x-other", b"d=3"), (b"tracestate", b"a=4")]
    assert combined(headers) == b"b=1,c=2,a=4"


def test_each_attempt_is_a_span_of_its_own_in_the_same_trace():
    attributes = {"traceparent": GOOD, "tracestate": "vendor=abc"}
    delivery = a_delivery(an_event(**attributes))
    first, second = (attempted(delivery, number, sampled=True) for number in (1, 2))
    assert departing(attributes, first) == {
        "traceparent": f"00-{TRACE}-{first.span}-01",
        "tracestate": "vendor=abc",
    }
    assert first.span != second.span
    assert first.trace == second.trace == received(delivery.event, sampled=True).trace
    assert departing(attributes) == attributes
    assert departing({}, first) == {}
    assert departing({"traceparent": "made up\r\nx: y"}, first) == {}
    assert "tracestate" not in departing({**attributes, "tracestate": "a\r\nx: y"}, first)


def test_what_is_not_sampled_here_is_told_so_and_other_flags_stay():
    attributes = {"traceparent": f"00-{TRACE}-{SPAN}-03"}
    delivery = a_delivery(an_event(**attributes))
    span = attempted(delivery, 1, sampled=False)
    assert departing(attributes, span) == {"traceparent": f"00-{TRACE}-{span.span}-02"}


def test_a_replay_is_a_trace_of_its_own_to_which_the_state_of_another_says_nothing():
    attributes = {"traceparent": GOOD, "tracestate": "vendor=abc"}
    delivery, other = (a_delivery(an_event(**attributes), n=n) for n in (1, 2))
    delivery.replayed_at = other.replayed_at = 7
    other.event = delivery.event
    span = attempted(delivery, 1, sampled=True)
    assert span.trace == attempted(other, 1, sampled=True).trace != TRACE
    assert departing(attributes, span) == {"traceparent": f"00-{span.trace}-{span.span}-01"}
    other.replayed_at = 8
    assert attempted(other, 1, sampled=True).trace != span.trace
