"""Trace context, in and out."""

import pytest

from gateway.core.tracing import arriving, departing, parsed, span_of_attempt

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (GOOD, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01-what-will-be", True),
    ],
)
def test_a_context_is_read(text, sampled):
    context = parsed(text)
    assert (context.trace, context.span, context.sampled) == (TRACE, SPAN, sampled)


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
    assert arriving(headers, {b"tracestate"}) == {"traceparent": GOOD}
    assert arriving({**headers, b"tracestate": b"a" * 513}, ()) == {"traceparent": GOOD}
    assert arriving({**headers, b"tracestate": b"\xff"}, ()) == {"traceparent": GOOD}
    assert arriving(state, ()) == {}


def test_each_attempt_is_a_span_of_its_own_in_the_same_trace():
    attributes = {"traceparent": GOOD, "tracestate": "vendor=abc"}
    span = span_of_attempt("dlv_1_0", 1)
    assert departing(attributes, span) == {
        "traceparent": f"00-{TRACE}-{span}-01",
        "tracestate": "vendor=abc",
    }
    assert span != span_of_attempt("dlv_1_0", 2)
    assert departing(attributes, None) == attributes
    assert departing({}, span) == {}
    assert departing({"traceparent": "made up\r\nx: y"}, span) == {}
    assert "tracestate" not in departing({**attributes, "tracestate": "a\r\nx: y"}, span)
