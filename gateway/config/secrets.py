"""Secrets by reference: out of the environment or a file; in development, made where they are missing.

Development secrets are kept in one file, mode 600, beside the database, so that a restart and the
other commands see the same ones. In production a missing secret is an error.
"""

import secrets as entropy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import orjson

from gateway.config.private import write_private
from gateway.config.shape import SecretReference
from gateway.core.signing import format_key

Kind = Literal["signing-key", "text", "basic", "given"]
"""`given`: only someone else has it, so that none can be made up: a sender's public key, say."""


class SecretMissing(Exception):  # becomes a Problem of the file it stands in
    """A reference leads to no secret."""

    def __init__(self, code: str, what: str, cure: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.cure = cure


@dataclass(slots=True)
class SecretBook:
    """Looks secrets up."""

    at_hand: ClassVar[bool] = True
    """Whether files that the routes refer to can be expected to be there."""
    environment: Mapping[str, str]
    development: Path | None = None
    """Where made-up secrets are kept; None: in production none is made up."""
    keep: bool = True
    """Whether to write down there what is made up: not where a file is only checked."""
    made: list[str] = field(default_factory=list)
    """The names of the secrets that came out of that file."""
    files: set[Path] = field(default_factory=set)
    """The files that were looked into, whether they are there or not."""

    def look_up(self, reference: SecretReference, base: Path, kind: Kind) -> str:
        """The secret's text. Raises SecretMissing, whose message does not hold it."""
        if reference.file is not None:
            return self._from_file(base / reference.file, kind)
        name = reference.env or ""
        value = self.environment.get(name, "").strip()
        return value or self._made_up(name, kind)

    def _from_file(self, path: Path, kind: Kind) -> str:
        self.files.add(path)
        try:
            text = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            make = "gateway keys new" if kind == "signing-key" else "your secret"
            cure = f"put it there, readable for the gateway alone: {make} --out {path}"
            if kind != "signing-key":
                cure = "put it there, readable for the gateway alone (mode 600)"
            raise SecretMissing("secret-missing", f"there is no file {path}", cure) from None
        except (OSError, UnicodeDecodeError) as error:
            what = f"the file {path} cannot be read: {error}"
            raise SecretMissing("secret-unreadable", what, "make it a readable text file") from None
        if not text:
            what = f"the file {path} is empty"
            raise SecretMissing("secret-missing", what, "put the secret into it")
        return text

    def _made_up(self, name: str, kind: Kind) -> str:
        if self.development is None or kind == "given":
            what = f"the environment variable {name} is not set"
            why = (
                "this is the sender's to give"
                if kind == "given"
                else "production makes no secrets up"
            )
            raise SecretMissing("secret-missing", what, f"set it; {why}")
        try:
            known = read_development_secrets(self.development)
        except (OSError, orjson.JSONDecodeError) as error:
            what = f"{self.development} cannot be read: {error}"
            cure = "remove it: then secrets are made anew"
            raise SecretMissing("secret-unreadable", what, cure) from None
        if name not in known:
            known[name] = _made_up_secret(kind)
            if self.keep:
                text = orjson.dumps(known, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
                self._write(self.development, text)
        if name not in self.made:
            self.made.append(name)
        return known[name]

    def _write(self, path: Path, text: bytes) -> None:
        try:
            write_private(path, text)
        except OSError as error:
            what = f"made-up secrets cannot be kept in {path}: {error.strerror}"
            cure = "make that folder writable, or name another with --database"
            raise SecretMissing("secret-unwritable", what, cure) from None


def _made_up_secret(kind: Kind) -> str:
    if kind == "signing-key":
        return format_key(entropy.token_bytes(32))
    text = entropy.token_hex(24)
    return f"gateway:{text}" if kind == "basic" else text


def read_development_secrets(path: Path) -> dict[str, str]:
    """The made-up secrets in *path*; none when it is not there. Raises OSError, JSONDecodeError."""
    try:
        known: dict[str, str] = orjson.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return known
