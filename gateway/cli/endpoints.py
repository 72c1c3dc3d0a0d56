"""`gateway endpoints`: every lane, and what keeps it from sending."""

from typing import Annotated

import typer

from gateway.cli.client import At, TokenFile, connect, segment
from gateway.cli.completion import endpoint_names
from gateway.cli.options import Database
from gateway.cli.output import AsJson, ago, print_json, print_table
from gateway.core.breaker import BreakerState
from gateway.core.model import Json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(endpoints)


def endpoints(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Only this one.",
            show_default=False,
            autocompletion=endpoint_names,
        ),
    ] = None,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Each endpoint: whether attempts at it begin, else why not, and what is under way and waits."""
    client = connect(at, token_file, database)
    if name is None:
        page = client.get("/api/v1/endpoints")
        items = page["items"]
    else:
        page = client.get(f"/api/v1/endpoints/{segment(name)}")
        items = [page]
    if as_json:
        print_json(page)
        return
    print_table(
        ("endpoint", "state", "breaker", "running", "waiting", "behind", "due", "dead", "rate", "since",
         "reason"),
        (
            (
                each["name"],
                each["state"],
                _breaker(each),
                f"{each['running']}/{each['concurrency']}",
                each["waiting"],
                each["behind"] or "",
                ago(each["due_at"]),
                each["dead"] or "",
                each["rate"],
                ago(each["since"]),
                _reason(each),
            )
            for each in items
        ),
        empty="no endpoints",
    )  # fmt: skip


def _breaker(endpoint: dict[str, Json]) -> str:
    """The breaker's state; of an open one, when it is to let a probe through."""
    state: str = endpoint["breaker"]
    return f"open, probe {ago(endpoint['probe_at'])}" if state == BreakerState.OPEN else state


def _reason(endpoint: dict[str, Json]) -> str:
    """Why nothing begins, where nothing does."""
    held = endpoint["held_until"]
    asked = f"it asked to be left alone, ends {ago(held)}" if held else ""
    return "; ".join(filter(None, (endpoint["reason"], asked)))
