"""Libraries that come with an extra of this package."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from gateway.core.errors import ConfigError, Problem


@contextmanager
def extra(name: str, library: str, what: str, flag: str) -> Iterator[None]:
    """Import a *library* that does *what*. Raises ConfigError, naming *flag*, where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:
            raise
        problem = Problem(
            file=flag,
            line=0,
            column=0,
            code="extra-missing",
            what=f"what {what} is not installed",
            cure=f"install it: pip install 'rights-gateway[{name}]'",
        )
        raise ConfigError([problem]) from None


def postgres_extra(flag: str) -> AbstractContextManager[None]:
    """Import what speaks with PostgreSQL."""
    return extra("postgres", "asyncpg", "speaks with PostgreSQL", flag)
