"""`gateway plan`: what a new routes file would make of the events that were recorded."""

import contextlib
import os
import re
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.client import At, TokenFile
from gateway.cli.exits import FIX, NO
from gateway.cli.options import Database, Routes, parsed_moment
from gateway.cli.output import AsJson, console, loading_progress, print_json
from gateway.core.model import Micros

if TYPE_CHECKING:
    from rich.progress import Progress

    from gateway.cli.planned import Read
    from gateway.cli.recorded import Recorded
    from gateway.planning import Backtest

NICE = 10
"""Beside a gateway on the same machine, this is the one to wait."""
UNITS = {"ms": "millisecond", "s": "second", "m": "minute", "h": "hour", "d": "day"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)


def plan(
    file: Annotated[
        Path, typer.Argument(metavar="NEW", help="The routes file that is to be put in force.")
    ],
    since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="The first events: 7d, 12h ago, or a moment (RFC 3339)."),
    ] = "7d",
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Up to when; likewise. Default: now.")
    ] = None,
    max_added: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Exit 1 if more deliveries are added.")
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, metavar="N", help="So many of each kind, route and endpoint.")
    ] = 3,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    routes: Routes = None,
    as_json: AsJson = False,
) -> None:
    """Say what a routes file would change, by the events that were recorded, and send nothing.

    It is compared with the routes in force: those of the gateway at --gateway, or of the one that
    serves the database; where none runs, with the file that --routes names. Exit 1 if a delivery
    would be dropped, if more than --max-added would be added, or if an endpoint is gone that has work
    waiting.
    """
    from gateway.cli.planned import print_told, told
    from gateway.cli.recorded import recorded
    from gateway.clock import SystemClock
    from gateway.config.changes import alike, changes
    from gateway.config.lenient import load_leniently
    from gateway.planning import Backtest

    read = _span(since, until, SystemClock().now())
    with loading_progress() as progress:
        new = load_leniently(file, progress)
    if new.routes is None:
        absent = [e for e in new.errors if e.code == "no-file" and e.file == str(file)]
        errors = [replace(each, cure="mend the path") for each in absent] or new.errors
        _print_problems(errors, as_json=as_json)
        raise typer.Exit(FIX)
    with contextlib.suppress(OSError):
        os.nice(NICE)
    with closing(recorded(at, token_file, database, routes)) as source:
        with loading_progress() as progress:
            old = source.in_force(progress)
        backtest = Backtest(old.routes, new.routes, alike=alike(old.loaded, new), examples=examples)
        read.read = backtest.can_differ
        if read.read:
            _backtest(source, backtest, read)
        stats = source.stats()
    result = told(backtest, changes(old.loaded, new), read, stats, max_added, new)
    result |= {
        "in_force": {"where": old.where, "fingerprint": old.routes.fingerprint},
        "new": {"file": str(file), "fingerprint": new.routes.fingerprint},
    }
    if as_json:
        print_json(result)
    else:
        now, then = old.routes.fingerprint, new.routes.fingerprint
        print_told(result, read, f"{file} ({then}) in place of {old.where} ({now})")
    if not result["ok"]:
        raise typer.Exit(NO)


def _backtest(source: "Recorded", backtest: "Backtest", read: "Read") -> None:
    """Go through the events, page by page."""
    from gateway.store.rows import event_of

    after: str | None = None
    with _progress() as progress:
        bar = progress.add_task("reading events", total=None, events=0)
        while page := source.page(read.since, read.until, after):
            if after is None:
                first = page[0].received_at
                progress.update(bar, total=max(read.until - first, 1))
            for row in page:
                event = event_of(row)
                if event is not None:
                    backtest.add(event)
                    continue
                read.corrupt += 1
                read.first_corrupt = read.first_corrupt or row.id
            after = page[-1].id
            progress.update(
                bar, completed=page[-1].received_at - first, events=backtest.findings.events
            )


def _progress() -> "Progress":
    """A bar on standard error, while that is a terminal; it goes when the work is done or broken off.

    How far the reading has come in time is known without counting what there is to read.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[events]:,}"),
        TimeRemainingColumn(),
        console=console(to_stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def _print_problems(problems: Any, *, as_json: bool) -> None:
    if as_json:
        fields = ("file", "line", "column", "severity", "code", "what", "cure")
        found = [{name: getattr(problem, name) for name in fields} for problem in problems]
        print_json({"ok": False, "problems": found})
        return
    for problem in problems:
        print(problem, file=sys.stderr)


def _span(since: str, until: str | None, now: Micros) -> "Read":
    """From when to when, and how to say so."""
    from gateway.cli.planned import Read

    first = parsed_moment("--since", since, now)
    last = now if until is None else parsed_moment("--until", until, now)
    if first >= last:
        raise typer.BadParameter("--since is not before --until")
    words = f"since {since}"
    if found := re.fullmatch(r"0*([0-9]+)([a-z]+)", since):
        number, unit = int(found[1]), UNITS[found[2]]
        words = f"in {number} {unit}{'' if number == 1 else 's'}"
    if until is not None:
        words = f"from {since} to {until}"
    return Read(since=first, until=last, words=words)
