"""Keys for encryption at rest: files that hold 32 random bytes each, in base64."""

import secrets as entropy
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

from gateway.core.errors import ConfigError, Problem

KEY_BYTES = 32


def fresh_key() -> str:
    """A key that never was, as its file holds it."""
    return b64encode(entropy.token_bytes(KEY_BYTES)).decode("ascii")


def read_keys(files: Sequence[Path]) -> list[bytes]:
    """The keys in *files*. Raises ConfigError with every problem."""
    keys, problems = [], []
    for file in files:
        try:
            key = b64decode(file.read_bytes().strip(), validate=True)
        except OSError as error:
            problems.append(_problem(f"{file} cannot be read: {error.strerror}"))
        except ValueError:
            problems.append(_problem(f"{file} holds no base64"))
        else:
            if len(key) == KEY_BYTES:
                keys.append(key)
            else:
                problems.append(_problem(f"{file} holds {len(key)} bytes instead of {KEY_BYTES}"))
    if problems:
        raise ConfigError(problems)
    return keys


def _problem(what: str) -> Problem:
    cure = "`gateway keys encryption --out FILE` makes a key"
    flag = "--encryption-key"
    return Problem(file=flag, line=0, column=0, code="encryption-key", what=what, cure=cure)
