"""Options that several commands share."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.clock import SystemClock
from gateway.config.layers import DATABASE_IS, ROUTES_ARE
from gateway.core.model import Micros, rfc3339, rfc3339_moment


def setting(name: str, metavar: str | None = None) -> Any:
    """The option for a setting; its help is the setting's own."""
    from gateway.config.meanings import meanings
    from gateway.config.settings import Settings

    return typer.Option(
        f"--{name.replace('_', '-')}", help=meanings(Settings)[name], metavar=metavar
    )


Routes = Annotated[Path | None, typer.Option("--routes", metavar="FILE", help=ROUTES_ARE)]
Database = Annotated[str | None, typer.Option("--database", metavar="PLACE", help=DATABASE_IS)]

Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header", "-H", metavar="NAME:VALUE", help="A header that the source would send."
    ),
]


def parsed_moment(option: str, text: str, now: Micros) -> Micros:
    """So long ago, or a moment."""
    from gateway.config.quantities import parse_duration

    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    moment = rfc3339_moment(text)
    if moment is None:
        raise typer.BadParameter(f"{option} {text!r} is neither 7d nor 2026-12-01T00:00:00Z")
    return moment


def _as_moment(parameter: typer.CallbackParam, text: str | None) -> str | None:
    """A moment as the admin API reads it."""
    if text is None:
        return None
    return rfc3339(parsed_moment(parameter.opts[0], text, SystemClock().now()))


Since = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Not before: 2h ago, or RFC 3339.", callback=_as_moment),
]
Until = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Before; likewise.", callback=_as_moment),
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
