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

FILE = "gateway.toml"

ROUTES = Path("routes.yaml")
ROUTES_ARE = "The routes file; handlers are imported from its folder."

DATABASE = Path("data/gateway.db")
DATABASE_IS = "The SQLite file that holds everything; made where there is none."


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


def database_place(flag: Path | None) -> Path:
    """Where the database is, whatever else is set, and be it wrong. Raises ConfigError."""
    return Path(str(what_was_set({"database": flag}, ("database",)).get("database", DATABASE)))


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
