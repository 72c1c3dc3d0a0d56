"""`gateway tail`: what happens in a gateway, as it happens."""

from collections.abc import Mapping
from typing import Annotated, Literal

import typer
from rich.text import Text

from gateway.cli.client import At, TokenFile, connect
from gateway.cli.completion import endpoint_names
from gateway.cli.options import Database
from gateway.cli.output import AsJson, console, print_json, printable
from gateway.core.model import Json
from gateway.core.words import counted

STYLES = {True: "red", False: "green"}
"""Of what failed, and of what did not."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tail)


def tail(
    what: Annotated[
        Literal["event", "request", "attempt"] | None,
        typer.Option(help="Only events, requests that made none, or attempts."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what comes from this source.")
    ] = None,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only events of this type.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="SUBJECT", help="Only of this subject.")
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Only attempts at this endpoint.", autocompletion=endpoint_names
        ),
    ] = None,
    route: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only attempts by this route.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(metavar="OUTCOME", help="Only with this outcome.")
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what was refused, or has failed.")
    ] = False,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show events, refused requests and attempts as they happen, until Ctrl-C.

    Of several nodes on one database, those of the one that is asked.
    """
    wanted = {
        "what": what, "source": source, "type": type_, "subject": subject, "endpoint": endpoint,
        "route": route, "outcome": outcome, "failed": "true" if failed else None,
    }  # fmt: skip
    out = console()
    for item in connect(at, token_file, database).watch("/api/v1/live", wanted):
        if as_json:
            print_json(item, on_one_line=True)
        else:
            out.print(_shown(item), soft_wrap=True)


def _shown(item: Mapping[str, Json]) -> Text:
    """One line for a person."""
    if item["what"] == "missed":
        return Text(
            f"… {counted(item['count'], 'more')} came faster than they could be shown", style="dim"
        )
    told = _TELL[item["what"]](item)
    failed = bool(item["failed"])
    return Text.assemble(
        (f"{item['at'][11:23]} ", "dim"),
        f"{item['what']:<8}",
        (f"{printable(told[0])}  ", STYLES[failed]),
        printable("  ".join(str(each) for each in told[1:] if each)),
    )


def _event(item: Mapping[str, Json]) -> tuple[Json, ...]:
    outcome = item["outcome"]
    if item["deliveries"]:
        outcome += f", {counted(item['deliveries'], 'delivery', 'deliveries')}"
    return outcome, item["source"], item["type"], item["subject"], item["id"]


def _request(item: Mapping[str, Json]) -> tuple[Json, ...]:
    return item["outcome"], item["source"], item["entry"]


def _attempt(item: Mapping[str, Json]) -> tuple[Json, ...]:
    status = "" if item["status"] is None else f" {item['status']}"
    took = f"attempt {item['number']} took {item['duration_ms']:.0f} ms, {item['then']}"
    return (
        f"{item['outcome']}{status}",
        item["endpoint"],
        item["type"],
        item["subject"],
        took,
        item["id"],
    )


_TELL = {"event": _event, "request": _request, "attempt": _attempt}
