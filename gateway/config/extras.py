"""Libraries that come with an extra of this package."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.core.errors import ConfigError, Problem


@contextmanager
def postgres_extra(flag: str) -> Iterator[None]:
    """Import what speaks with PostgreSQL. Raises ConfigError, naming *flag*, where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        problem = Problem(
            file=flag,
            line=0,
            column=0,
            code="extra-missing",
            what="what speaks with PostgreSQL is not installed",
            cure="install it: pip install 'rights-gateway[postgres]'",
        )
        raise ConfigError([problem]) from None
