"""The command that shows what the gateway itself is to make, and when."""

from typing import Annotated

import typer

from gateway.cli.client import At, TokenFile, connect, segment
from gateway.cli.options import Database, Until
from gateway.cli.output import AsJson, ago, console, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(planned)
    app.command()(answer)


def planned(  # its options
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only by this schedule.")
    ] = None,
    route: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what this route waits for.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Only for this: the value of the rule's `key`.")
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
    """Events that are planned, the next first. `gateway cancel ID` keeps one from being made.

    What a route waits for stands there with what comes where nobody answers: `gateway answer ID ANSWER`.
    """
    query = {
        "schedule": schedule, "route": route, "key": key, "type": event_type, "event": event, "until": until,
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


def answer(
    name: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    given: Annotated[str, typer.Argument(metavar="ANSWER", show_default=False)],
    by: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who decided. Default: the name of the token."),
    ] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why.")] = None,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Answer what a route has asked (`await`), as its link would: `gateway planned` lists what waits."""
    told = {"answer": given, "by": by, "reason": reason}
    path = f"/api/v1/plans/{segment(name)}/answer"
    body = {field: value for field, value in told.items() if value is not None}
    answered = connect(at, token_file, database).post(path, body)
    if as_json:
        print_json(answered)
    else:
        console().print(f"{name} is answered: {given}")
