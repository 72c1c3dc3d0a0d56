"""Options that several commands share, and the settings that they make."""

import sys
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

Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header", "-H", metavar="NAME:VALUE", help="A header that the source would send."
    ),
]


def content_of(path: Path) -> bytes:
    """What a file holds; `-` is standard input."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None


def parsed_headers(given: list[str] | None) -> dict[str, str]:
    """`Name: value` texts as a dict, names in lower case."""
    headers = {}
    for text in given or []:
        name, found, value = text.partition(":")
        if not found:
            raise typer.BadParameter(f"{text!r} is no NAME:VALUE")
        headers[name.strip().lower()] = value.strip()
    return headers


__all__ = [
    "Database",
    "Headers",
    "Routes",
    "content_of",
    "parsed_headers",
    "read_settings",
    "setting",
]
