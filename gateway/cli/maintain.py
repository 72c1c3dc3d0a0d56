"""Commands that look after what is stored: back it up, let go of it, erase it."""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.client import At, Client, TokenFile, connect
from gateway.cli.exits import FIX, LATER
from gateway.cli.options import Database
from gateway.cli.output import AsJson, console, print_json
from gateway.config.layers import database_place
from gateway.core.errors import ConfigError, NotFound, Problem
from gateway.core.model import Json, received_at
from gateway.core.postgres_url import PostgresUrl
from gateway.core.words import counted

if TYPE_CHECKING:
    from gateway.store.sqlite.backup import Progress

MOST_TIMES, PAUSE_SECONDS = 20, 2
"""So often erasing is tried, with pauses: for longer than most attempts last."""

EVIDENCE = "evidence"
"""What goes only where `retention_evidence` says so."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (backup, prune, erase):
        app.command()(command)


# -- backup --------------------------------------------------------------------------------------------


def backup(
    file: Annotated[Path, typer.Argument(help="The copy; it must not be there yet.")],
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Copy a database file, also while a gateway works on it, and check the copy."""
    from gateway.store.sqlite.backup import back_up

    source = database_place(database)
    if isinstance(source, PostgresUrl):
        problem = Problem(
            file="--database",
            line=0,
            column=0,
            code="no-file",
            what=f"{source} is PostgreSQL's to back up",
            cure="use pg_dump, or a base backup and its log: docs/postgres.md tells which",
        )
        raise ConfigError([problem])
    if not source.is_file():
        raise NotFound(f"there is no database {source}", cure="name it with --database")
    with _progress("copying") as progress:
        copied = back_up(source, file, progress=progress)
    if as_json:
        print_json({"file": str(file), "bytes": copied.size_bytes, "schema": copied.schema})
    else:
        console().print(
            f"{file} has all of {source}, {copied.size_bytes:,} bytes; its integrity is checked",
            markup=False,
        )


# -- prune ---------------------------------------------------------------------------------------------


def prune(
    dry_run: DryRun = False,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Delete what retention keeps no longer, now. A gateway that runs does so by itself, little by little."""
    client = connect(at, token_file, database)
    gone = _in_slices(client, "/api/v1/prune", {"dry_run": str(dry_run).lower()})
    kinds = ("events", "inbox", "once", "audit", "operations")
    told = {kind: gone[kind] for kind in kinds} | {
        kind: gone[kind] for kind in gone if kind == EVIDENCE
    }
    if as_json:
        print_json({**told, "dry_run": dry_run})
        return
    parts = (
        counted(told["events"], "event"),
        counted(told["inbox"], "entry of the inbox", "entries of the inbox"),
        counted(told["once"], "value of `once`", "values of `once`"),
        counted(told["audit"], "entry of the audit log", "entries of the audit log"),
        counted(told["operations"], "operation"),
        *(
            [counted(told[EVIDENCE], "link of evidence", "links of evidence")]
            if EVIDENCE in told
            else []
        ),
    )
    console().print(f"{', '.join(parts)} {'would go' if dry_run else 'are gone'}")


# -- erase ---------------------------------------------------------------------------------------------


def erase(
    subject: Annotated[
        str, typer.Option(metavar="SUBJECT", help="Whose: the events' subject, exactly.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Erase for good what events about a subject say: a person's right to be forgotten.

    Bodies, data and excerpts go; the record stays that the events were there.
    """
    client = connect(at, token_file, database)
    found = _in_slices(client, "/api/v1/erase", {"subject": subject, "dry_run": "true"})
    if dry_run:
        _tell_erased(found, dry_run=True, as_json=as_json)
        return
    if (found["events"] or found["under_way"]) and not yes:
        _ask(found)
    done = erase_all(client, subject)
    _tell_erased(done, dry_run=False, as_json=as_json)
    if done["under_way"] or done["log_busy"]:
        raise typer.Exit(LATER)


def erase_all(client: Client, subject: str) -> Counter[str]:
    """What came of erasing, once no attempt under way and no reader has left anything to erase.

    Neither lasts long; whatever is left in spite of that is in `under_way` and `log_busy`.
    """
    total: Counter[str] = Counter()
    for _ in range(MOST_TIMES):
        done = _in_slices(client, "/api/v1/erase", {"subject": subject})
        total.update(events=done["events"], cancelled=done["cancelled"])
        if not (done["under_way"] or done["log_busy"]):
            break
        threading.Event().wait(PAUSE_SECONDS)
    return total + Counter(under_way=done["under_way"], log_busy=done["log_busy"])


def _ask(found: Counter[str]) -> None:
    """Have a person at a terminal confirm it."""
    what = (
        f"What {counted(found['events'] + found['under_way'], 'event')} said is erased for good,"
        f" and {counted(found['cancelled'], 'delivery is', 'deliveries are')} cancelled."
    )
    if not sys.stdin.isatty():
        print(f"gateway: {what} To do it without being asked, add --yes", file=sys.stderr)
        raise typer.Exit(FIX)
    typer.confirm(f"{what} Go on?", abort=True)


def _tell_erased(done: Counter[str], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        names = ("events", "cancelled", "under_way")
        print_json({name: done[name] for name in names} | {"log_emptied": not done["log_busy"]})
        return
    out = console()
    are = ("event would be", "events would be") if dry_run else ("event is", "events are")
    out.print(
        f"{counted(done['events'], *are)} erased,"
        f" {counted(done['cancelled'], 'delivery', 'deliveries')} cancelled"
    )
    if done["under_way"]:
        count = counted(done["under_way"], "more event is", "more events are")
        out.print(f"[bold red]{count} being sent: run this again in a minute[/]")
    if done["log_busy"]:
        out.print(
            "[bold red]something reads the database, and its log still holds bytes:"
            " run this again in a minute[/]"
        )


# -- long work -----------------------------------------------------------------------------------------


def _in_slices(client: Client, path: str, query: dict[str, str]) -> Counter[str]:
    """What long work came to, done slice by slice: each is one call, and none takes long."""
    total: Counter[str] = Counter()
    cursor: str | None = ""
    with _progress("working") as progress:
        far = _how_far(progress)
        while cursor is not None:
            done: dict[str, Json] = client.post(path, query={**query, "cursor": cursor})
            cursor = done.pop("next")
            total["log_busy"] += not done.pop("log_emptied", True)
            total.update(done)
            far(cursor)
    return total


def _how_far(progress: "Progress") -> Callable[[str | None], None]:
    """Tell, by the moment that is reached, how far a walk from the oldest event to now has come."""
    first: list[int] = []

    def tell(cursor: str | None) -> None:
        from gateway.clock import SystemClock

        if cursor is not None and cursor[4:16].isalnum():
            moment = received_at(cursor)
            first.append(moment)
            progress(moment - first[0], SystemClock().now() - first[0])

    return tell


@contextmanager
def _progress(what: str) -> Iterator["Progress"]:
    """What to tell how far it is: a bar, on a terminal."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        console=console(to_stderr=True), transient=True, disable=not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
