"""How commands speak: tables for people, JSON for programs; colours only on a terminal."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.core.routing import Routes

WIDTH_OF_A_PIPE = 200

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

STYLES = {
    "delivered": "green",
    "open": "green",
    "accepted": "green",
    "scheduled": "yellow",
    "leased": "yellow",
    "paused": "yellow",
    "dead": "bold red",
    "disabled": "bold red",
    "blocked": "bold red",
    "cancelled": "dim",
    "superseded": "dim",
}


def console(*, to_stderr: bool = False) -> Console:
    """Standard output (or error), as wide as the terminal; wide enough where it is none."""
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() else WIDTH_OF_A_PIPE
    return Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


PATIENCE_SECONDS = 1
"""What takes longer than this shows how far it has come."""


@contextmanager
def loading_progress() -> Iterator[Callable[[str, int, int], None]]:
    """What to tell how far loading has come: a bar on a terminal, if it takes long."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        console=console(to_stderr=True), transient=True,
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}
    began = time.monotonic()

    def progress(what: str, done: int, total: int) -> None:
        if not sys.stderr.isatty() or time.monotonic() - began < PATIENCE_SECONDS:
            return
        if what not in tasks:
            bar.start()
            for finished in tasks.values():
                bar.remove_task(finished)
            tasks.clear()
            tasks[what] = bar.add_task(what, total=total)
        bar.update(tasks[what], completed=done)

    try:
        yield progress
    finally:
        if tasks:
            bar.stop()


def print_json(value: Any) -> None:
    """One JSON document, indented on a terminal and on one line in a pipe."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0)
    sys.stdout.buffer.write(orjson.dumps(value, option=option))
    sys.stdout.buffer.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Rows under their columns; *empty* where there are none."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    count = 0
    for row in rows:
        table.add_row(*map(_cell, row))
        count += 1
    if count:
        console().print(table)
    else:
        console().print(Text(empty, style="dim"))


def _cell(value: Any) -> Text:
    text = "" if value is None else str(value)
    return Text(printable(text), style=STYLES.get(text, ""))


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 route`, `2 routes`, `2 deliveries`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def contents(routes: Routes) -> str:
    """What a routes file holds, in numbers."""
    parts = {"route": routes.routes, "endpoint": routes.endpoints, "source": routes.sources}
    return ", ".join(counted(len(some), one) for one, some in parts.items())


def printable(text: str) -> str:
    """Text without what would move a terminal's cursor."""
    return "".join(char if char.isprintable() else "�" for char in text)


def ago(moment: str | None) -> str:
    """An RFC 3339 moment as the time since then, or until then."""
    if moment is None:
        return ""
    seconds = (datetime.fromisoformat(moment) - _now()).total_seconds()
    size = abs(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if size >= length or unit == "s":
            text = f"{round(size / length)}{unit}"
            break
    return f"in {text}" if seconds > 0 else f"{text} ago"


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  # a command shows how long ago something was


def own_command(folder: Path = Path()) -> str:
    """How the user runs this program in *folder*: what to type for the next command."""
    called = Path(sys.argv[0])
    if called.name != "gateway":
        return f"{sys.executable} -m gateway"
    for on_path in os.get_exec_path():
        if (Path(on_path) / "gateway").is_file():
            if (Path(on_path) / "gateway").samefile(called):
                return "gateway"
            break
    absolute = str(called.absolute())
    return min(os.path.relpath(absolute, folder), absolute, key=len)
