"""Who may do what at the admin API: tokens, known by their digests, and the scopes that each carries.

A token is 32 random bytes, so a plain SHA-256 of it cannot be turned back: what slow password hashes
guard against, guessing, finds nothing to guess. The file that lists tokens has one line for each,
`name scopes sha256:<hex>`; nobody who reads it can use it.
"""

import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from gateway.core.model import Micros


class Scope(StrEnum):
    """A part of the admin API."""

    READ = "read"
    """Lists, states and metrics, without what senders sent and endpoints answered."""
    PAYLOAD = "payload"
    """Bodies, data, excerpts of answers, tracebacks."""
    OPERATE = "operate"
    """Pause, resume, redeliver, cancel, replay."""
    ADMIN = "admin"
    """All of it, and who did what."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: by whose token, and from where."""

    name: str
    scopes: frozenset[Scope]
    address: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether a token of this scope, or of `admin`, was shown."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def at(self, address: str) -> "Caller":
        """The same one, from there."""
        return replace(self, address=address)


LOCAL_NAME = "local"
LOCAL = Caller(LOCAL_NAME, frozenset({Scope.ADMIN}))
"""Someone on this machine: where the admin API wants no token, or by the token beside the database."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token."""

    name: str
    scopes: frozenset[Scope]
    digest: bytes

    def __str__(self) -> str:
        scopes = ",".join(scope for scope in Scope if scope in self.scopes)
        return f"{self.name} {scopes} sha256:{self.digest.hex()}"


class TokensInvalid(ValueError):
    """A text lists no tokens: at which line, why not, and what to do."""

    def __init__(self, line: int, what: str, cure: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what
        self.cure = cure


DONE = "done"
ALL = "(all)"
"""What the audit log has as the object of what was done to everything; nothing is named so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change, or the attempt at one: who asked for what, when, and what came of it."""

    id: str
    at: Micros
    who: str
    """The name of a token, or `local`."""
    address: str
    """Where the request came from; empty: it was a signal, or a file that changed."""
    action: str
    """`pause`, `resume`, `redeliver`, `act_again`, `cancel`, `answer`, `replay`, `prune`, `erase`, `reload`, or `tokens`."""
    object: str
    """The name of what was to be changed; of an operation also its filter, or its counts; of a subject that is
    erased, a digest."""
    outcome: str = DONE
    """Or the code of the error; then nothing has changed."""


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
FORM = "a line is `name scopes sha256:<hex>`; `gateway tokens new NAME` writes one"


def digest_of(token: str) -> bytes:
    """What is kept of a token's text."""
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def parse_scopes(text: str) -> frozenset[Scope]:
    """Scopes with commas between them. Raises ValueError."""
    known = ", ".join(Scope)
    scopes = set()
    for name in text.split(","):
        try:
            scopes.add(Scope(name.strip()))
        except ValueError:
            raise ValueError(f"{name.strip()!r} is no scope; use {known}") from None
    return frozenset(scopes)


def check_name(name: str) -> str:
    """What is wrong with the name of a token, or nothing."""
    if not NAME.fullmatch(name):
        return "a token's name is letters, digits, `.`, `_` and `-`"
    return f"{LOCAL_NAME} names who needs no token" if name == LOCAL_NAME else ""


def parse_tokens(text: str) -> tuple[Token, ...]:
    """The tokens that a file lists; empty lines and those that begin with `#` say nothing.

    Raises TokensInvalid, whose message repeats nothing of the line: it may be a token itself.
    """
    tokens: dict[str, Token] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.split()
        if parts and not parts[0].startswith("#"):
            token = _parse_token(number, parts)
            if token.name in tokens:
                cure = "remove one of the two lines"
                raise TokensInvalid(number, f"{token.name} has a line before this one", cure)
            tokens[token.name] = token
    if not tokens:
        raise TokensInvalid(0, "it lists no token", f"{FORM}; or remove it: then it is made")
    return tuple(tokens.values())


def _parse_token(number: int, parts: Sequence[str]) -> Token:
    if len(parts) == 1:
        cure = (
            "remove the file: then a token is made; or keep yours, as"
            ' `admin admin sha256:$(printf %s "$TOKEN" | sha256sum | cut -c -64)`'
        )
        raise TokensInvalid(number, "it holds a token itself, as earlier versions did", cure)
    if len(parts) != 3:
        raise TokensInvalid(number, f"the line has {len(parts)} words", FORM)
    name, scopes, digest = parts
    fault = check_name(name)
    if fault:
        raise TokensInvalid(number, fault, FORM)
    found = DIGEST.fullmatch(digest)
    if found is None:
        raise TokensInvalid(number, f"the digest of {name} is no `sha256:` and 64 hex digits", FORM)
    try:
        return Token(name, parse_scopes(scopes), bytes.fromhex(found[1]))
    except ValueError as error:
        raise TokensInvalid(number, f"{name}: {error}", FORM) from None


class Access:
    """Whom the admin API knows. `use` swaps the tokens while it runs."""

    def __init__(self, tokens: Iterable[Token] | None, local_token: str | None = None) -> None:
        self._tokens: tuple[Token, ...] | None = None if tokens is None else tuple(tokens)
        """None: who reaches the API may use it."""
        self._local = None if local_token is None else digest_of(local_token)

    def use(self, tokens: Iterable[Token]) -> bool:
        """Know these from now on; whether they are others than before."""
        before, self._tokens = self._tokens, tuple(tokens)
        return before != self._tokens

    def recognise(self, token: str | None) -> Caller | None:
        """Whose *token* it is; None: nobody's."""
        return self.recognise_digest(None if token is None else digest_of(token))

    def recognise_digest(self, given: bytes | None) -> Caller | None:
        """The same, by the digest of a token."""
        if self._tokens is None:
            return LOCAL
        if given is None:
            return None
        found = None
        for each in self._tokens:  # all of them: how long it takes tells nothing
            if hmac.compare_digest(given, each.digest):
                found = Caller(each.name, each.scopes)
        if self._local is not None and hmac.compare_digest(given, self._local):
            found = LOCAL
        return found
