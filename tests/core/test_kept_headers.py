"""What of a stranger's headers is kept."""

import pytest

from gateway.core.kept_headers import SHOWN, redacted


@pytest.mark.parametrize(
    "name",
    ["authorization", "cookie", "proxy-authorization", "webhook-signature", "x-hub-signature-256",
     "stripe-signature", "x-gitlab-token", "x-api-key", "x-forwarded-client-cert", "x-anything"],
)  # fmt: skip
def test_of_what_may_prove_something_only_the_length_is_kept(name):
    assert redacted([(name.encode(), b"s3cret")]) == [(name, "<redacted, 6 bytes>")]


def test_what_says_who_what_and_when_is_shown_in_its_order_with_repetitions():
    headers = [(b"user-agent", b"GitHub-Hookshot/1"), (b"webhook-id", b"1"), (b"webhook-id", b"2")]
    assert redacted(headers) == [(n.decode(), v.decode()) for n, v in headers]


def test_no_name_that_is_shown_speaks_of_a_secret():
    words = ("auth", "cookie", "key", "secret", "sig", "token", "cert", "password")
    doubtful = {name for name in SHOWN if any(word in name for word in words)}
    assert doubtful == {"x-event-key"}  # Bitbucket's name for the type of an event


def test_what_is_kept_of_headers_is_bounded():
    kept = redacted([(b"user-agent", b"x" * 5000), *[(b"n" * 5000, b"")] * 500])
    assert len(kept) == 100
    assert sum(len(name) + len(value) for name, value in kept) < 15_000
    assert kept[0][1].endswith("x…")


def test_bytes_that_are_no_text_are_still_shown():
    assert redacted([(b"user-agent", b"\xff\x00"), (b"x-\xff", b"")]) == [
        ("user-agent", "\ufffd\x00"),
        ("x-\xff", "<redacted, 0 bytes>"),
    ]
