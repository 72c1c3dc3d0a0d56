"""What was set, and where: flags, then the environment, then gateway.toml. What it means is not asked here.

Each layer says only what was set in it. Whether the values are good is for settings.py; commands that
only have to find a gateway need nothing of it but the place of the database.
"""

import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gateway.core.errors import ConfigError, Problem
from gateway.core.postgres_url import PostgresUrl

FILE = "gateway.toml"

ROUTES = Path("routes.yaml")
ROUTES_ARE = "The routes file; handlers are imported from its folder."

DATABASE = Path("data/gateway.db")
DATABASE_IS = (
    "What holds everything: a SQLite file, made where there is none, or a postgresql:// URL."
)


def what_was_set(flags: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Settings, each as the first layer has it that says something; of the environment, *names* only.

    Raises ConfigError where gateway.toml cannot be read.
    """
    variables = {name: variable(name) for name in names}
    return {
        **_in_file(),
        **{name: os.environ[key] for name, key in variables.items() if key in os.environ},
        **{name: value for name, value in flags.items() if value is not None},
    }


def variable(name: str) -> str:
    """The environment's variable for a setting."""
    return f"GATEWAY_{name.upper()}"


def database_place(flag: str | None) -> Path | PostgresUrl:
    """Where the database is, whatever else is set, and be it wrong. Raises ConfigError."""
    given = what_was_set({"database": flag}, ("database",)).get("database", DATABASE)
    try:
        return place_of_database(given)
    except ValueError as error:
        problem = Problem(
            file="--database", line=0, column=0, code="setting", what=str(error),
            cure="see docs/settings.md",
        )  # fmt: skip
        raise ConfigError([problem]) from None


def place_of_database(value: Any) -> Path | PostgresUrl:
    """A file, or the URL of a PostgreSQL database.

    Raises ValueError; what is wrong with a URL is told without it, as it may hold a password.
    """
    if isinstance(value, PostgresUrl):
        return value
    if not str(value).strip():
        raise ValueError("it is empty: name a file, or a postgresql:// URL")
    if "://" not in str(value):
        return Path(str(value))
    try:
        return PostgresUrl(str(value))
    except ValueError:
        raise ValueError(
            "that is no URL of a database, such as postgresql://user@host/gateway"
        ) from None


def _in_file() -> dict[str, Any]:
    try:
        return tomllib.loads(Path(FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # ValueError: it is no TOML, or no text
        what = getattr(error, "strerror", None) or str(error)
        problem = Problem(
            file=FILE, line=0, column=0, code="toml", what=what, cure="see docs/settings.md"
        )
        raise ConfigError([problem]) from None
