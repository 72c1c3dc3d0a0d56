"""What is made of answers that are no success, and when a token is renewed."""

import json

import pytest

from gateway.core.errors import PollFailed
from gateway.core.model import SECOND, Accepted, Refused, Response
from gateway.core.oauth2 import token_of
from gateway.core.polling import LONGEST_ANSWER, LONGEST_WAIT, answer_of, wait_after


def test_both_forms_of_an_error_are_told():
    cases = {
        '{"ErrorCode":"InvalidPage","ErrorMessage":"no"}': "it answered 400, InvalidPage",
        '{"message":"Forbidden"}': "it answered 400, Forbidden",
        "<html>": "it answered 400",
        '["message"]': "it answered 400",
    }
    for body, what in cases.items():
        with pytest.raises(PollFailed) as raised:
            answer_of(Refused(Response(status=400, body=body.encode())))
        assert raised.value.what == what


def test_an_answer_that_is_too_long_is_none():
    with pytest.raises(PollFailed, match="lower `batch`"):
        answer_of(Accepted(Response(status=200, body=b" " * LONGEST_ANSWER)))


def test_each_failure_doubles_the_wait_half_of_which_is_chance():
    assert [wait_after(n, 0) for n in (1, 2, 3)] == [SECOND, 2 * SECOND, 4 * SECOND]
    assert [wait_after(n, 1) for n in (1, 2, 3)] == [2 * SECOND, 4 * SECOND, 8 * SECOND]
    assert wait_after(1000, 1) == LONGEST_WAIT


def test_a_token_is_renewed_so_early_but_used_for_half_of_its_life():
    def lifetime(seconds: int | str) -> int:
        answer = {"access_token": "t", "token_type": "Bearer", "expires_in": seconds}
        body = json.dumps(answer).encode()
        return token_of(Accepted(Response(status=200, body=body)), 300 * SECOND).lifetime // SECOND

    assert [lifetime(1800), lifetime("1800"), lifetime(60)] == [1500, 1500, 30]
