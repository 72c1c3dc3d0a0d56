"""Options that several commands share, and the settings that they make."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.config.settings import Settings, read_settings


def setting(name: str, metavar: str | None = None) -> Any:
    """The option for a setting; its help is the setting's own."""
    field = Settings.model_fields[name]
    return typer.Option(f"--{name.replace('_', '-')}", help=field.description, metavar=metavar)


Routes = Annotated[Path | None, setting("routes", "FILE")]
Database = Annotated[Path | None, setting("database", "FILE")]

__all__ = ["Database", "Routes", "read_settings", "setting"]
