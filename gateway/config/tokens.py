"""The file of `--admin-token-file`: who may use the admin API. It holds digests; no token is kept."""

import secrets as entropy
from pathlib import Path

from gateway.config.private import write_private
from gateway.core.access import Scope, Token, TokensInvalid, digest_of, parse_tokens
from gateway.core.errors import ConfigError, Problem

FLAG = "--admin-token-file"
FIRST = "admin"
"""The name of the token that is made with the file."""
PREFIX = "rgw_"
"""By which scanners of repositories and logs can tell what they have found."""
HEAD = "# Tokens of the admin API, one a line: name scopes digest. `gateway tokens` adds and removes.\n"


def fresh_token(name: str, scopes: frozenset[Scope]) -> tuple[str, Token]:
    """A token that never was, and what is to be kept of it."""
    text = PREFIX + entropy.token_urlsafe(32)
    return text, Token(name, scopes, digest_of(text))


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens that *path* lists. Raises ConfigError."""
    return _parsed(path, _text(path))


def make_tokens(path: Path) -> str:
    """Make the file, with one token that may do everything: its text, which is nowhere else."""
    text, token = fresh_token(FIRST, frozenset({Scope.ADMIN}))
    _write(path, f"{HEAD}{token}\n")
    return text


def add_token(path: Path, name: str, scopes: frozenset[Scope]) -> str:
    """Add a line for a new token, in a file that need not be there: the token's text.

    Raises ConfigError; then the file is as it was.
    """
    before = _text(path) if path.exists() else HEAD
    present = [] if before == HEAD else [token.name for token in _parsed(path, before)]
    if name in present:
        raise _fault(f"{path} has a token {name}", "remove it first, or choose another name")
    text, token = fresh_token(name, scopes)
    _write(path, f"{before.rstrip()}\n{token}\n")
    return text


def remove_token(path: Path, name: str) -> bool:
    """Take a token's line out; whether there was one. Raises ConfigError."""
    before = _text(path)
    tokens = _parsed(path, before)
    kept = [line for line in before.splitlines() if line.split()[:1] != [name]]
    if all(token.name != name for token in tokens):
        return False
    if len(tokens) == 1:
        what = f"{name} is the last token of {path}"
        raise _fault(what, "add another one first: without any the gateway does not start")
    _write(path, "\n".join(kept) + "\n")
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise _fault(f"{path} cannot be read: {why}", "make it a readable text file") from None


def _parsed(path: Path, text: str) -> tuple[Token, ...]:
    try:
        return parse_tokens(text)
    except TokensInvalid as error:
        place = f"{path}:{error.line}" if error.line else str(path)
        raise _fault(f"{place}: {error.what}", error.cure) from None


def _write(path: Path, text: str) -> None:
    try:
        write_private(path, text.encode())
    except OSError as error:
        cure = "make its folder writable, or name another file"
        raise _fault(f"{path} cannot be written: {error.strerror}", cure) from None


def _fault(what: str, cure: str) -> ConfigError:
    problem = Problem(file=FLAG, line=0, column=0, code="admin-token", what=what, cure=cure)
    return ConfigError([problem])
