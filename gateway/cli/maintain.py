"""Commands that look after what is stored: back it up, let go of it, erase it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import Database, read_settings
from gateway.cli.output import AsJson, console, print_json
from gateway.core.errors import NotFound

if TYPE_CHECKING:
    from gateway.store.sqlite.backup import Progress


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (backup,):
        app.command()(command)


# -- backup --------------------------------------------------------------------------------------------


def backup(
    file: Annotated[Path, typer.Argument(help="The copy; it must not be there yet.")],
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Copy the database, also while a gateway works on it, and check the copy."""
    from gateway.store.sqlite.backup import back_up

    source = read_settings({"database": database}).database
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
