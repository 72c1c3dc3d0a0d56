"""`gateway migrate`: from a SQLite file to PostgreSQL, with all that it holds."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import INTERRUPTED, NO
from gateway.cli.output import AsJson, console, print_json, print_table
from gateway.config.extras import postgres_extra
from gateway.core.errors import NotFound
from gateway.core.postgres_url import SCHEMES, PostgresUrl
from gateway.core.words import counted

if TYPE_CHECKING:
    from gateway.store.moving.digest import Digest
    from gateway.store.moving.move import Moved, Progress

SQLITE = "sqlite:///"
LINE_SECONDS = 5
"""So often a line tells how far it is, where there is no terminal for a bar."""
SHOWN_DIGITS = 16


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(migrate)


def migrate(
    source: Annotated[
        str,
        typer.Option("--from", metavar="SQLITE", help="sqlite:///data/gateway.db, or the file."),
    ],
    target: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="POSTGRESQL",
            help="postgresql://user@host/database.",
        ),
    ],
    verify_only: Annotated[
        bool,
        typer.Option("--verify-only", help="Compare what was moved before, and write nothing."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Move everything from a SQLite file into an empty PostgreSQL database, and compare.

    No gateway may run on either. The file is only read. Whatever cuts it off, the same command goes on.
    """
    file, url = _file(source), _url(target)
    if not file.is_file():
        raise NotFound(
            f"there is no database {file}",
            cure="name it with --from; an absolute path has four slashes",
        )
    try:
        with _progress() as progress:
            moved = asyncio.run(_moved(file, url, progress, verify_only=verify_only))
    except KeyboardInterrupt:
        print(
            "\ngateway: interrupted; the same command goes on where this one stopped",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED) from None
    _tell(moved, file, url, as_json=as_json)
    if moved.differing:
        raise typer.Exit(NO)


def _file(text: str) -> Path:
    if text.startswith(SCHEMES):
        raise typer.BadParameter(
            "--from: what is in PostgreSQL stays there; only a SQLite file is moved"
        )
    return Path(text.removeprefix(SQLITE))


def _url(text: str) -> PostgresUrl:
    try:
        return PostgresUrl(text)
    except ValueError:
        raise typer.BadParameter(
            "--to: that is no URL of a PostgreSQL database, such as postgresql://user@host/gateway"
        ) from None


async def _moved(
    file: Path, url: PostgresUrl, progress: "Progress", *, verify_only: bool
) -> "Moved":
    with postgres_extra("--to"):
        from gateway.store.moving.move import compare, move
    return await (compare if verify_only else move)(file, url, progress)


def _tell(moved: "Moved", file: Path, url: PostgresUrl, *, as_json: bool) -> None:
    target = moved.source if moved.target is None else moved.target
    if as_json:
        tables = {
            name: {
                "rows": of_it.rows,
                "sha256": of_it.hex,
                "moved_rows": target[name].rows,
                "moved_sha256": target[name].hex,
            }
            for name, of_it in moved.source.items()
        }
        compared = moved.target is not None
        print_json({"tables": tables, "compared": compared, "differing": moved.differing})
        return
    if moved.target is None:
        console().print(
            f"{url} has had all of {file} before; --verify-only compares them", markup=False
        )
        return
    rows = [
        (name, f"{of_it.rows:,}", _short(of_it), f"{target[name].rows:,}", _short(target[name]))
        for name, of_it in moved.source.items()
    ]
    print_table(("table", "rows", "sha256", "moved rows", "moved sha256"), rows, empty="")
    if moved.differing:
        _tell_differing(moved.differing)
    else:
        _tell_done(sum(of_it.rows for of_it in moved.source.values()), file, url)


def _short(digest: "Digest") -> str:
    return digest.hex[:SHOWN_DIGITS] if digest.rows else ""


def _tell_differing(names: list[str]) -> None:
    out = console()
    for name in names:
        out.print(f"[bold red]{name} differs[/]")
    out.print(
        "Where no gateway has worked on either since: drop the database, make it anew, and move again"
    )


def _tell_done(rows: int, file: Path, url: PostgresUrl) -> None:
    console().print(
        f"{counted(rows, 'row')} of {file} are in {url}, and the same. From now on: gateway serve"
        f" --database {url}\nStart no gateway on {file} any more: it would deliver once more what is left",
        markup=False,
    )


@contextmanager
def _progress() -> Iterator["Progress"]:
    """What to tell how far it is: a bar on a terminal, else now and then a line."""
    if not sys.stderr.isatty():
        yield _Lines().tell
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console(to_stderr=True), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        yield lambda what, table, done, total: bar.update(
            task, description=f"{what} {table}", completed=done, total=total
        )


class _Lines:
    """A line when a table is done, and every few seconds meanwhile."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def tell(self, what: str, table: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._told > LINE_SECONDS:
            self._told = now
            print(f"{what} {table}: {done:,} of {total:,}", file=sys.stderr, flush=True)
