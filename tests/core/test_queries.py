"""What callers may ask, what is kept of answers, and how long an endpoint is left alone."""

import pytest

from gateway.core.access import digest_of
from gateway.core.errors import ParameterInvalid
from gateway.core.model import SECOND
from gateway.core.queries import (
    BESIDE_BODY,
    LONGEST_HINT,
    LONGEST_WAIT,
    Answer,
    Answers,
    BackOff,
    Query,
)
from gateway.core.redaction import bytes_without
from gateway.core.secret import Key


def a_query(**more) -> Query:
    given = {"parameters": frozenset({"phrase", "page", "o"}), "repeated": frozenset({"o"})}
    return Query(**{"name": "images", "endpoint": "getty", **given, **more})


def an_answer(body: bytes = b"a", **more) -> Answer:
    return Answer(**{"status": 200, "content_type": "text/plain", "body": body, "at": 0, **more})


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (b"", "fields=id"),
        (b"phrase=a&page=2", "fields=id&page=2&phrase=a"),
        (b"page=2&phrase=a", "fields=id&page=2&phrase=a"),
        (b"o=b&phrase=&o=a", "fields=id&o=b&o=a&phrase="),
        (b"phrase=a%26fields%3Dall", "fields=id&phrase=a%26fields%3Dall"),
        (b"phrase=a%0d%0aX%3a+1%00", "fields=id&phrase=a%0D%0AX%3A+1%00"),
        (b"phrase=%C3%A9", "fields=id&phrase=%C3%A9"),
    ],
)
def test_what_is_asked_has_one_form_and_nothing_gets_out_of_a_value(asked, sent):
    assert a_query(fixed={"fields": "id"}).asked(asked) == sent


@pytest.mark.parametrize(
    "asked",
    [
        b"q=1",
        b"fields=all",
        b"phrase=a&phrase=b",
        b"o[]=1",
        b"Phrase=a",
        b"phrase=%ff",
        b"phrase=\xc3\xa9",
        b"phrase=" + b"a" * 1025,
        b"&".join([b"o=1"] * 101),
    ],
)
def test_what_is_not_allowed_is_refused(asked):
    with pytest.raises(ParameterInvalid):
        a_query(fixed={"fields": "id"}).asked(asked)


def test_any_valid_token_admits_and_an_old_one_no_longer():
    query = a_query(callers=(Key(digest_of("old"), until=5), Key(digest_of("new"))))
    assert [query.admits("old", now) for now in (4, 5)] == [True, False]
    assert query.admits("new", 5)
    assert not any(query.admits(token, 0) for token in ("", "other", None))


def test_no_caller_is_not_anyone():
    assert not a_query(callers=()).admits("x", 0)
    assert a_query(callers=None).admits(None, 0)


def test_the_tag_tells_answers_apart():
    tags = {an_answer().tag, an_answer(b"b").tag, an_answer(status=203).tag}
    assert len(tags | {an_answer(content_type="text/html").tag}) == 4
    assert an_answer(at=7).tag == an_answer().tag


def test_what_was_asked_least_lately_goes_first():
    answers = Answers(most=2)
    answers.put((0, "a"), an_answer())
    answers.put((0, "b"), an_answer())
    answers.get((0, "a"))
    answers.put((0, "c"), an_answer())
    assert [answers.get((0, key)) is not None for key in "abc"] == [True, False, True]


def test_what_is_kept_is_bounded_in_bytes_and_replacing_takes_no_more():
    answers = Answers(most_bytes=2 * (BESIDE_BODY + 101))
    for _ in range(5):
        answers.put((0, "a"), an_answer(b"a" * 100))
        answers.put((0, "b"), an_answer(b"a" * 100))
    assert len(answers) == 2
    answers.put((0, "c"), an_answer())
    assert len(answers) == 2
    answers.put((0, "d"), an_answer(b"a" * 5000))
    assert len(answers) == 0


def test_each_refusal_in_a_row_doubles_the_wait_up_to_a_limit():
    back_off, now, waits = BackOff(), 0, []
    for _ in range(8):
        back_off.refused(now, 0, -1.0)
        waits.append(back_off.wait(now) // SECOND)
        now += back_off.wait(now)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    back_off.answered(now)
    back_off.refused(now, 0, -1.0)
    assert back_off.wait(now) == SECOND


def test_chance_makes_the_wait_longer_and_never_shorter_than_the_hint():
    for chance, wait in [(-1.0, 40), (0.0, 45), (1.0, 50)]:
        back_off = BackOff()
        back_off.refused(0, 40 * SECOND, chance)
        assert back_off.wait(0) == wait * SECOND


def test_of_refusals_at_once_the_first_counts():
    back_off = BackOff()
    for _ in range(8):
        back_off.refused(0, 0, -1.0)
    assert back_off.wait(0) == SECOND


def test_an_answer_that_was_under_way_does_not_end_the_wait():
    back_off = BackOff()
    back_off.refused(0, 10 * SECOND, -1.0)
    back_off.answered(SECOND)
    assert back_off.wait(SECOND) == 9 * SECOND


def test_a_hint_without_end_is_not_believed():
    back_off = BackOff()
    back_off.refused(0, 10**15, -1.0)
    assert back_off.wait(0) == LONGEST_HINT
    assert LONGEST_WAIT < LONGEST_HINT


def test_bytes_lose_secrets_however_they_are_escaped():
    secret = 'key"of/getty'
    body = b'raw key"of/getty, json key\\"of/getty, url key%22of%2Fgetty, short abc'
    found = bytes_without(body, [secret, "abc"])
    assert found == b"raw <secret>, json <secret>, url <secret>, short abc"
