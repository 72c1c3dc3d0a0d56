"""Tokens and scopes."""

import pytest

from gateway.core.access import (
    LOCAL,
    Access,
    Caller,
    Scope,
    Token,
    TokensInvalid,
    digest_of,
    parse_scopes,
    parse_tokens,
)

READER = Token("grafana", frozenset({Scope.READ}), digest_of("one"))
ADMIN = Token("ops", frozenset({Scope.ADMIN}), digest_of("two"))


def test_a_line_is_read_back_as_it_was_written():
    assert parse_tokens(f"# ours\n\n{READER}\n  {ADMIN}\n") == (READER, ADMIN)


def test_a_line_names_scopes_in_one_order():
    token = Token("x", frozenset({Scope.OPERATE, Scope.READ}), bytes(32))
    assert str(token) == f"x read,operate sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("s3cr3t-t0ken\n", 1, "earlier versions"),
        (f"# x\n{READER}\n{READER}", 3, "before this one"),
        ("a read sha256:00", 1, "64 hex digits"),
        ("a read md5:" + "0" * 64, 1, "64 hex digits"),
        ("a write sha256:" + "0" * 64, 1, "'write' is no scope"),
        ("a read payload sha256:" + "0" * 64, 1, "4 words"),
        ("local read sha256:" + "0" * 64, 1, "needs no token"),
        ("a/b read sha256:" + "0" * 64, 1, "letters"),
        ("# nothing\n", 0, "no token"),
        ("", 0, "no token"),
    ],
)
def test_what_is_no_list_of_tokens_is_refused_with_its_line(text, line, word):
    with pytest.raises(TokensInvalid) as caught:
        parse_tokens(text)
    assert (caught.value.line, word in caught.value.what) == (line, True)
    assert "s3cr3t" not in caught.value.what + caught.value.cure


def test_scopes_are_read_strictly():
    assert parse_scopes("read, payload") == {Scope.READ, Scope.PAYLOAD}
    with pytest.raises(ValueError, match="use read, payload, operate, admin"):
        parse_scopes("read,")


def test_only_the_token_itself_is_recognised():
    access = Access([READER, ADMIN])
    assert access.recognise("one") == Caller("grafana", frozenset({Scope.READ}))
    assert access.recognise("two") == Caller("ops", frozenset({Scope.ADMIN}))
    for other in (None, "", "One", "one ", READER.digest.hex(), "sha256:" + READER.digest.hex()):
        assert access.recognise(other) is None


def test_without_tokens_everyone_is_of_this_machine():
    assert Access(None).recognise(None) == Access(None).recognise("any") == LOCAL


def test_the_token_beside_the_database_is_that_of_this_machine():
    access = Access([READER], "beside")
    assert access.recognise("beside") == LOCAL
    access.use([ADMIN])
    assert access.recognise("beside") == LOCAL


def test_a_token_that_is_taken_away_is_recognised_no_more():
    access = Access([READER, ADMIN])
    assert access.use([ADMIN])
    assert access.recognise("one") is None
    assert not access.use([ADMIN])


def test_admin_may_everything_and_others_what_they_were_given():
    assert all(LOCAL.may(scope) for scope in Scope)
    reader = Access([READER]).recognise("one")
    assert [scope for scope in Scope if reader.may(scope)] == [Scope.READ]
