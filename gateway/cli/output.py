"""How commands speak: tables for people, JSON for programs; colours only on a terminal."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from gateway.core import words
from gateway.core.words import counted
from gateway.exact import dumps

if TYPE_CHECKING:
    from gateway.core.routes import Routes

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
    "breaker open": "bold red",
    "breaker probing": "yellow",
    "cancelled": "dim",
    "superseded": "dim",
}

LONGEST_SHOWN = 120


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


def print_json(value: Any, *, on_one_line: bool = False) -> None:
    """One JSON document: indented on a terminal unless it is to be *on_one_line*, as in a pipe."""
    indented = sys.stdout.isatty() and not on_one_line
    sys.stdout.buffer.write(dumps(value, indented=indented) + b"\n")
    sys.stdout.buffer.flush()


WHOLE = frozenset({"id", "delivery", "state", "attempts", "due", "received", "last", "when"})
"""Columns whose words are copied, or short: they stand beside each other before all others."""
NAMES = frozenset({"endpoint", "route", "source", "owner", "who"})
"""Columns whose words are cut where there is no room; `--json` has them whole."""
SHORTEST_NAME = 16
"""They are cut to no less."""
SHORT = 12
"""Text that is no longer is not folded, and not cut: `5m ago`."""
LONGEST_WORD = 24
"""Longer words of a text are folded where there is no room."""
WIDEST_IN_A_PIPE = 40
"""What is wider there moves the rest of its own row to the right, and that of no other."""
GAP = "  "


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Rows under their columns; *empty* where there are none.

    In a pipe each row is one line. On a terminal, text goes on below its own column, and names are
    cut; what finds no room beside ids and states, stands below the row; so do states, where there is no
    room for them.
    """
    out = console()
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        out.print(Text(empty, style="dim"))
        return
    for line in _table(columns, cells, out):
        out.print(line, soft_wrap=True)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Text]], out: Console) -> Iterator[Text]:
    """The lines of a table, without the columns that are empty in every row."""
    beside = [i for i in range(len(columns)) if any(row[i].plain for row in rows)]
    below: list[int] = []
    widths = {i: max(len(columns[i]), *(row[i].cell_len for row in rows)) for i in beside}
    if out.is_terminal:
        least = {i: _least(columns[i], [row[i] for row in rows], widths[i]) for i in beside}
        while _width(beside, least) > out.width and len(beside) > 1:
            last = next((i for i in reversed(beside) if columns[i] not in WHOLE), beside[-1])
            beside.remove(last)
            below = sorted([last, *below])
        while _width(beside, widths) > out.width:
            wide = [i for i in beside if widths[i] > least[i]]
            if not wide:
                break
            widths[max(wide, key=widths.__getitem__)] -= 1
    else:
        widths = {i: min(width, WIDEST_IN_A_PIPE) for i, width in widths.items()}
    yield _row([[Text(columns[i], style="bold")] for i in beside], [widths[i] for i in beside], 0)
    for row in rows:
        lines = [
            _fitted(columns[i], row[i], widths[i], out) if out.is_terminal else [row[i]]
            for i in beside
        ]
        for number in range(max(map(len, lines), default=0)):
            yield _row(lines, [widths[i] for i in beside], number)
        told = [Text.assemble((f"{columns[i]} ", "dim"), row[i]) for i in below if row[i].plain]
        if told:
            for line in Text(", ").join(told).wrap(out, max(LONGEST_WORD, out.width - len(GAP))):
                line.rstrip()
                yield Text(GAP) + line


def _width(columns: Sequence[int], widths: Mapping[int, int]) -> int:
    return sum(widths[i] for i in columns) + len(GAP) * (len(columns) - 1)


def _least(column: str, cells: Sequence[Text], width: int) -> int:
    """How narrow a column may become before it goes below."""
    if column in NAMES:
        return min(width, max(len(column), SHORTEST_NAME))
    if column in WHOLE or width <= SHORT or not any(" " in cell.plain for cell in cells):
        return width
    words = (word for cell in cells for word in cell.plain.split())
    return max(len(column), min(LONGEST_WORD, max(map(cell_len, words), default=0)))


def _fitted(column: str, cell: Text, width: int, out: Console) -> Sequence[Text]:
    if cell.cell_len <= width:
        return [cell]
    if column in NAMES:
        cut = cell.copy()
        cut.truncate(width, overflow="ellipsis")
        return [cut]
    return list(cell.wrap(out, width))


def _row(cells: Sequence[Sequence[Text]], widths: Sequence[int], number: int) -> Text:
    """One line of a row: each cell's line of that number, padded to its column."""
    line = Text()
    for lines, width in zip(cells, widths, strict=True):
        cell = lines[number] if number < len(lines) else Text()
        line.append_text(cell)
        line.append(" " * (width - cell.cell_len) + GAP)
    line.rstrip()
    return line


def _cell(value: Any) -> Text:
    text = "" if value is None else str(value)
    return Text(printable(text), style=STYLES.get(text, ""))


def contents(routes: "Routes") -> str:
    """What a routes file holds, in numbers."""
    parts = {"route": routes.routes, "endpoint": routes.endpoints, "source": routes.sources}
    numbers = [counted(len(some), one) for one, some in parts.items()]
    if routes.schedules:
        numbers.append(counted(len(routes.schedules.all), "schedule"))
    if routes.queries:
        numbers.append(counted(len(routes.queries), "query", "queries"))
    return ", ".join(numbers)


def shortened(text: str) -> str:
    """A text as far as it fits on a line beside others."""
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def printable(text: str) -> str:
    """Text without what would move a terminal's cursor."""
    return "".join(char if char.isprintable() else "�" for char in text)


def ago(moment: str | None) -> str:
    """An RFC 3339 moment as the time since then, or until then."""
    return words.ago(moment, time.time_ns() // 1000)  # a command has no other clock


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
