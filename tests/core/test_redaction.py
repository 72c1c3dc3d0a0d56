"""Taking out what must not be shown; and secrets that do not print."""

import json
from urllib.parse import quote, quote_plus

import pytest

from gateway.core.model import Attempt, Call, CallRecord, Hopeless, Raised, Unreachable
from gateway.core.redaction import Redaction, without_credentials
from gateway.core.routes import EndpointConfig
from gateway.core.secret import Key, Secret

SECRET = 'p&ss "wörd"/1'


@pytest.fixture
def redaction():
    known = Redaction()
    known.know([SECRET, "whsec_YWJjZGVmZ2g=", "Basic dXNlcjpwYXNz"])
    return known


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        repr(SECRET)[1:-1],
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        "whsec_YWJjZGVmZ2g=",
        "YWJjZGVmZ2g=",
        "Basic dXNlcjpwYXNz",
        "dXNlcjpwYXNz",
    ],
)
def test_a_known_secret_is_taken_out_however_it_is_written(redaction, form):
    assert redaction.redact(f"before {form} after") == "before <secret> after"
    assert redaction.redact_line(f"before {form} after") == "before <secret> after"


def test_a_secret_that_holds_another_leaves_no_part_of_itself():
    redaction = Redaction()
    redaction.know(["abcdef", "abcdefgh"])
    assert redaction.redact("x abcdefgh y abcdef") == "x <secret> y <secret>"


def test_one_of_thousands_is_taken_out_as_well(redaction):
    redaction.know(f"{n:04}-secret" for n in range(3000))
    assert (
        redaction.redact(f"a {SECRET} 0042-secret, 2999-secret") == "a <secret> <secret>, <secret>"
    )
    assert redaction.redact("abc") == "abc"


def test_a_short_secret_does_not_make_texts_unreadable(redaction):
    redaction.know(["a", ""])
    assert redaction.redact("an answer") == "an answer"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x/?access_token=s3cret&a=1", "https://x/?access_token=<secret>&a=1"),
        ("/x?a=1&X-Amz-Signature=00ff#f", "/x?a=1&X-Amz-Signature=<secret>#f"),
        ("/x?API_KEY=1", "/x?API_KEY=<secret>"),
        ("/x?page=2&q=a%20b", "/x?page=2&q=a%20b"),
    ],
)
def test_what_looks_like_a_credential_in_a_query_is_taken_out(url, shown):
    assert without_credentials(url) == shown


def test_a_line_of_the_log_has_no_query_at_all():
    line = Redaction().redact_line('{"url": "https://x.example/y?q=someone", "n": 1}')
    assert line == '{"url": "https://x.example/y?<secret>", "n": 1}'


def test_what_is_kept_of_a_failed_attempt_has_no_secrets(redaction):
    for outcome in (
        Raised(f"handler-raised: {SECRET}", f"Traceback … {SECRET}"),
        Unreachable("failed", f"https://x?key={SECRET}"),
        Hopeless(f"no {SECRET}"),
    ):
        assert SECRET not in repr(redaction.of_outcome(outcome))


def test_an_answer_is_cleaned_of_what_its_endpoint_was_sent(redaction):
    sent = EndpointConfig(
        name="x", url="", headers={"authorization": "Bearer t0p-s3cret"},
        secrets={"a": Secret("an0ther-one")},
    ).sent_secrets()  # fmt: skip
    call = CallRecord(
        method="GET", url=f"https://x/{quote(SECRET, safe='')}?token=1", status=200, reason=None,
        duration=1,
    )  # fmt: skip
    attempt = Attempt(
        number=1, started_at=0, duration=1, outcome="refused",
        excerpt="you sent Bearer t0p-s3cret, t0p-s3cret, an0ther-one", calls=[call],
    )  # fmt: skip
    redaction.clean(attempt, sent)
    assert attempt.excerpt == "you sent <secret>, <secret>, <secret>"
    assert call.url == "https://x/<secret>?token=<secret>"


def test_secrets_do_not_print():
    secret = Secret(SECRET)
    endpoint = EndpointConfig(
        name="x", url="", headers={"authorization": SECRET}, secrets={"a": secret},
        keys=(Key(SECRET.encode()),),
    )  # fmt: skip
    call = Call(method="GET", url="", headers={"a": SECRET}, body=SECRET.encode(), timeout=1)
    redaction = Redaction()
    redaction.know([SECRET])
    for thing in (secret, [secret], endpoint, call, redaction):
        assert SECRET not in f"{thing} {thing!r} {thing!s:>20}"
    assert f"{secret:>10}" == "  <secret>"
    assert (secret.reveal(), secret == Secret(SECRET), secret == SECRET) == (SECRET, True, False)
    assert len({secret, Secret(SECRET)}) == 1
