"""Commands that read an encrypted database, and have no flag for its key: how it is given to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.core.errors import ConfigError, Problem

CURE = (
    "set GATEWAY_ENCRYPTION_KEY, or `encryption_key` in gateway.toml, to the file of its key;"
    " without it nobody can read the database"
)


@contextmanager
def key_from_settings() -> Iterator[None]:
    """Errors with a key name the variable that gives it, and not the flag of `gateway serve`."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError([_problem(each) for each in error.problems]) from None


def _problem(problem: Problem) -> Problem:
    if problem.code != "encryption-key":
        return problem
    return replace(problem, file="GATEWAY_ENCRYPTION_KEY", cure=CURE)
