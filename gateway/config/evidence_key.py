"""The key that signs evidence: made at first use, and kept from then on."""

import secrets
from pathlib import Path

from gateway.config.private import write_private
from gateway.core.ed25519 import format_private, parse_seed
from gateway.core.errors import ConfigError, Problem
from gateway.core.evidence_key import EvidenceKey

SEED_BYTES = 32


def evidence_key(path: Path) -> EvidenceKey:
    """The key in a file, which is made where there is none. Raises ConfigError."""
    if not path.exists():
        try:
            key = format_private(secrets.token_bytes(SEED_BYTES))
            write_private(path, f"{key}\n".encode())
        except OSError as error:
            raise _faulty(f"{path} cannot be written: {error.strerror}") from error
    return read_evidence_key(path)


def read_evidence_key(path: Path) -> EvidenceKey:
    """The key in a file that is there. Raises ConfigError."""
    try:
        return EvidenceKey(parse_seed(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise _faulty(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _faulty(f"{path} holds no ed25519 key: {error}") from None


def _faulty(what: str) -> ConfigError:
    cure = "name a file with a whsk_… key, or one that is not there and can be made"
    return ConfigError(
        [
            Problem(
                file="--evidence-key", line=0, column=0, code="evidence-key", what=what, cure=cure
            )
        ]
    )
