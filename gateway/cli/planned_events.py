"""The command that shows what the gateway itself is to make, and when."""

from typing import Annotated

import typer

from gateway.cli.client import At, TokenFile, connect
from gateway.cli.options import Database, Until
from gateway.cli.output import AsJson, ago, console, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(planned)


def planned(  # its options
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only by this schedule.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Only for this: the value of the schedule's `key`.")
    ] = None,
    event_type: Annotated[str | None, typer.Option("--type", help="Only of this type.")] = None,
    event: Annotated[
        str | None, typer.Option(metavar="ID", help="Only what follows from this event.")
    ] = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 20,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Events that are planned, the next first. `gateway cancel ID` keeps one from being made."""
    query = {
        "schedule": schedule, "key": key, "type": event_type, "event": event, "until": until,
        "limit": limit,
    }  # fmt: skip
    page = connect(at, token_file, database).get("/api/v1/plans", query)
    if as_json:
        print_json(page)
        return
    print_table(
        ("due", "type", "key", "subject", "by", "id", "event"),
        (
            (
                ago(e["due_at"]),
                e["type"],
                e["key"],
                e["subject"],
                e["planner"],
                e["id"],
                e["event_id"],
            )
            for e in page["items"]
        ),
        empty="nothing is planned",
    )
    if page["next"]:
        console().print(f"and more: --limit {min(limit * 5, 500)} shows them")
