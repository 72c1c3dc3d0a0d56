"""Whether any secret that a test run used has come out: in the log, on standard error, in an answer.

Everything that this process logs and all problem bodies that it writes are kept, and whatever child
gateways print. In the end each process of the run looks through what it has heard for every secret that
it knows: those that a gateway in it looked up, and those of the folders and environments of its
children. `tests/conftest.py` asks for the fixture; tests/test_leaks.py proves that it bites.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import orjson
import pytest

from gateway.core.redaction import Redaction
from gateway.web import errors

SHORTEST = 8
"""What is shorter may be a word of any text."""


class Leaks(logging.Handler):
    """What was said, and what must not be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.secrets: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record as the log would have it, with all of its fields, before anything is redacted."""
        self.said.append(f"{self.format(record)} {vars(record)}")

    def know(self, secrets: Iterable[str]) -> None:
        """Look for these."""
        self.secrets.update(each for each in secrets if len(each) >= SHORTEST)

    def know_child(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Look for the secrets of a gateway that ran there."""
        self.know(
            v for k, v in environment.items() if k.endswith(("_SECRET", "_TOKEN", "_PASSWORD"))
        )
        made = folder / "data" / "development-secrets.json"
        if made.exists():
            self.know(orjson.loads(made.read_bytes()).values())
        for file in folder.glob("secrets/*"):
            self.know([file.read_text().strip()])

    def found(self) -> list[str]:
        """The texts with a secret in them."""
        return [text for text in self.said if any(secret in text for secret in self.secrets)]


HEARD = Leaks()


@pytest.fixture(scope="session", autouse=True)
def nothing_leaks() -> Iterator[None]:
    """Hear everything, and fail the last test of this process where a secret was in it."""
    written, know = errors._problem, Redaction.know

    def problem(*arguments):
        body = written(*arguments)
        HEARD.said.append(body.decode())
        return body

    def known(self, secrets):
        secrets = list(secrets)
        HEARD.know(secrets)
        know(self, secrets)

    errors._problem, Redaction.know = problem, known
    logging.getLogger().addHandler(HEARD)
    yield
    logging.getLogger().removeHandler(HEARD)
    errors._problem, Redaction.know = written, know
    leaks = HEARD.found()
    which = [each for each in HEARD.secrets if leaks and each in leaks[0]]
    assert leaks == [], f"{len(leaks)} texts hold a secret; the first {which}: {leaks[0][:2000]}"
