"""The command that asks a source at once, and how `status` shows those that are asked."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from gateway.cli.client import At, TokenFile, connect, segment
from gateway.cli.exits import NO
from gateway.cli.options import Database
from gateway.cli.output import AsJson, ago, console, print_json, printable
from gateway.core.words import counted, polled

TIMEOUT_SECONDS = 300
"""A poll takes as long as its rate and whom it asks make it."""
MOST = 4
"""So many `status` shows; those that fail first."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(poll)


def poll(
    name: Annotated[str, typer.Argument(help="A source with `poll`.")],
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a source at once, whatever it waits for. Exit 1 where that fails."""
    client = connect(at, token_file, database)
    client.timeout_seconds = TIMEOUT_SECONDS
    told = client.post(f"/api/v1/sources/{segment(name)}/poll")
    print_json(told) if as_json else print_polls([told])
    if told["reason"] is not None:
        raise typer.Exit(NO)


def print_polls(polls: Sequence[Mapping[str, Any]]) -> None:
    """A line for each source that is asked, or for the first of many."""
    order = sorted(polls, key=lambda each: -each["failures"])
    for each in order[:MOST]:
        when = f", {ago(each['asked_at'])}" if each["asked_at"] else ""
        following = f"; next {_next(each)}" if each["next_at"] else ""
        what = f"[red]{polled(each)}[/]" if each["failures"] else polled(each)
        reason = f": {escape(printable(each['reason']))}" if each["reason"] else ""
        console().print(f"{each['source']} ({each['preset']}): {what}{when}{following}{reason}")
    if len(order) > MOST:
        console().print(f"and {counted(len(order) - MOST, 'other')} that are asked")


def _next(each: Mapping[str, Any]) -> str:
    text = ago(each["next_at"])
    return text if text.startswith("in ") else "now"
