"""Two kept runs side by side: `python -m bench compare A B`.

A change means something where it is larger than what the rounds of either run differ among themselves, and
even then only on one machine; ratios travel best.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.measure import Result
from bench.results import Kept, load


@dataclass(frozen=True)
class Change:
    """A figure in two runs."""

    scenario: str
    name: str
    old: float
    new: float
    spread: float | None
    """How far the rounds of either run lie apart at most; None: not both have several."""

    @property
    def share(self) -> float | None:
        """How much more it is than it was; 0.1 is a tenth. None: it was 0."""
        return (self.new - self.old) / abs(self.old) if self.old else None

    @property
    def exceeds_spread(self) -> bool | None:
        """Whether it is larger than the rounds differ; None: nobody knows."""
        return None if self.spread is None else abs(self.new - self.old) > self.spread


def changes(old: Sequence[Result], new: Sequence[Result]) -> Iterator[Change]:
    """Every figure that is in both runs."""
    before = {result.scenario: result for result in old}
    for result in new:
        earlier = before.get(result.scenario)
        for name, value in result.measured.items() if earlier else ():
            if name in earlier.measured:
                spread = _spread(name, earlier, result)
                yield Change(result.scenario, name, earlier.measured[name], value, spread)


def _spread(name: str, *results: Result) -> float | None:
    """The largest distance between two rounds of one run; None: one of them has no two to compare."""
    by_run = [[each[name] for each in result.rounds if name in each] for result in results]
    if min(map(len, by_run)) < 2:
        return None
    return max(max(each) - min(each) for each in by_run)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench compare",
        description="Show two runs side by side; each is a file, or its name in bench/results.",
    )
    parser.add_argument("old")
    parser.add_argument("new")
    options = parser.parse_args(arguments)
    try:
        old, new = load(options.old), load(options.new)
    except FileNotFoundError as error:
        parser.error(f"there is no {error.filename}")
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"old: {old.date}, {old.commit}\nnew: {new.date}, {new.commit}")
    for warning in _doubts(old, new):
        out.print(f"[yellow]{warning}[/]")
    out.print(_table(list(changes(old.results, new.results))))


def _doubts(old: Kept, new: Kept) -> Iterator[str]:
    """Why figures of the two can hardly be compared."""
    for each, name in ((old, "old"), (new, "new")):
        if each.quick:
            yield f"the {name} one was a smoke run: its figures mean nothing"
    for what in old.machine.keys() | new.machine.keys():
        before, now = old.machine.get(what), new.machine.get(what)
        if before != now:
            yield f"they had another {what}: {before}, {now}"


def _table(found: list[Change]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for head in ("old", "new", "change", "rounds differ less"):
        table.add_column(head, justify="right", no_wrap=True)
    scenario = ""
    for change in found:
        if change.scenario != scenario:
            scenario = change.scenario
            table.add_row(f"[bold]{scenario}[/]")
        share = "" if change.share is None else f"{change.share:+.1%}"
        exceeds = {None: "cannot tell", True: "yes", False: "no"}[change.exceeds_spread]
        table.add_row(f"  {change.name}", f"{change.old:.4g}", f"{change.new:.4g}", share, exceeds)
    return table
