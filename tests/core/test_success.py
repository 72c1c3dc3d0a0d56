"""What an endpoint calls a success."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.endpoints import response_expressions
from gateway.core.errors import ExpressionFailed
from gateway.core.model import (
    Accepted,
    Hopeless,
    Postponed,
    Raised,
    Refused,
    Response,
    Skipped,
    Unreachable,
)
from gateway.core.success import FIELDS, judged, seen


def answer(status: int, body: bytes = b"") -> Accepted | Refused:
    response = Response(status=status, body=body)
    return Accepted(response) if response.ok else Refused(response)


def by(value):
    """A condition that is *value*, or raises it."""

    def condition(_variables):
        if isinstance(value, Exception):
            raise value
        return value

    return condition


YES, NO = by(value=True), by(value=False)


def test_what_the_condition_holds_for_is_accepted_whatever_its_status():
    conflict = answer(409)
    assert judged(conflict, YES, posted=True) == Accepted(conflict.response)


def test_a_2xx_that_the_condition_does_not_hold_for_is_refused_with_a_reason_of_its_own():
    done = answer(200)
    assert judged(done, NO, posted=True) == Refused(done.response, "not-successful")


def test_a_status_that_tells_of_a_failure_stays_the_reason():
    assert judged(answer(503), NO, posted=True) == answer(503)
    assert judged(answer(503), by(ExpressionFailed("no such key")), posted=True) == answer(503)


def test_where_the_condition_fails_the_answer_is_refused_and_the_reason_says_why():
    outcome = judged(answer(200), by(ExpressionFailed("`x`: no such key")), posted=True)
    assert outcome == Refused(answer(200).response, "not-successful: `x`: no such key")


def test_a_condition_that_is_neither_true_nor_false_is_a_failure():
    outcome = judged(answer(200), by("yes"), posted=True)
    assert outcome.reason == "not-successful: it is text, neither true nor false"


@pytest.mark.parametrize("status", [300, 303, 308, 399])
def test_a_redirect_is_a_failure_whatever_the_condition_says(status):
    assert judged(answer(status), YES, posted=False) == answer(status)


def test_410_to_a_post_speaks_of_the_endpoint_and_to_a_call_of_one_thing_there():
    assert judged(answer(410), YES, posted=True) == answer(410)
    assert judged(answer(410), YES, posted=False) == Accepted(answer(410).response)


@pytest.mark.parametrize(
    "outcome",
    [
        Unreachable("timeout", ""), Skipped("x"), Hopeless("x"), Postponed("x", None), Raised("x", ""),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_not_judged(outcome):
    assert judged(outcome, by(AssertionError("it was asked")), posted=True) is outcome


@pytest.mark.parametrize(
    ("body", "decoded", "text"),
    [
        (b'{"applied": true}', {"applied": True}, '{"applied": true}'),
        (b"", None, ""),
        (b"OK 17", None, "OK 17"),
        (b"\xff\xfe", None, "\ufffd\ufffd"),
        (b"GIF89a\0", None, "GIF89a\ufffd"),
        (b"[" * 60_000, None, "[" * 60_000),
    ],
    ids=["json", "empty", "text", "no UTF-8", "a NUL", "deeper than can be read"],
)
def test_a_condition_sees_the_body_decoded_and_as_text(body, decoded, text):
    variables = seen(Response(status=200, headers={"x-a": "1"}, body=body))
    assert variables == {"status": 200, "headers": {"x-a": "1"}, "body": decoded, "text": text}
    assert tuple(variables) == FIELDS


@pytest.mark.parametrize(
    ("text", "seen_as"),
    [
        (b"9223372036854775807", 9223372036854775807),
        (b"-9223372036854775809", -9223372036854775808.0),
        (b"9" * 30, 1e30),
        (b'"a\\u0000\\ud800b"', "a\ufffd\ufffdb"),
        (b"[" * 63 + b"]" * 63, ...),
        (b"[" * 65 + b"]" * 65, None),
    ],
)
def test_what_expressions_cannot_hold_does_not_make_those_fail_that_do_not_look_at_it(
    text, seen_as
):
    response = Response(status=200, headers={"x-a": "Z\udcfcrich"}, body=b'{"a": [%b]}' % text)
    body = seen(response)["body"]
    assert seen_as is ... or body == (None if seen_as is None else {"a": [seen_as]})
    condition = response_expressions().condition("response.status == 200")
    assert isinstance(judged(Accepted(response), condition, posted=True), Accepted)


@given(st.binary(max_size=200))
def test_no_body_keeps_a_condition_from_being_asked(body):
    assert isinstance(judged(answer(500, body), YES, posted=True), Accepted)
