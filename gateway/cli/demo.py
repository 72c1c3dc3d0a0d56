"""`gateway demo`: all of it on this machine, in one terminal."""

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo() -> None:
    """Show it."""
