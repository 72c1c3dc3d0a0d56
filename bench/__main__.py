"""`python -m bench [SCENARIO…] [--rounds N] [--json]`: a table of ratios, or one JSON line a scenario."""

import argparse
import json
import os
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from bench.scenarios import SCENARIOS, Result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "scenario", nargs="*", help=", ".join(SCENARIOS) + "; all of them by default"
    )
    parser.add_argument("--rounds", type=int, default=3, help="measure so often (3 by default)")
    parser.add_argument("--json", action="store_true", help="print JSON lines, for programs")
    options = parser.parse_args()
    if unknown := set(options.scenario) - SCENARIOS.keys():
        parser.error(f"there is no scenario {min(unknown)!r}: choose from {', '.join(SCENARIOS)}")
    if (os.cpu_count() or 1) < 2:
        parser.error("the gateway and its load need a core each, and this machine has one")
    progress = Console(stderr=True)
    for name in options.scenario or SCENARIOS:
        with progress.status(f"{name}: {SCENARIOS[name].__doc__}"):
            result = SCENARIOS[name](options.rounds)
        print(json.dumps(asdict(result)), flush=True) if options.json else show(result)


def show(result: Result) -> None:
    """The figures that have goals, then what they come from."""
    table = Table("", result.scenario, "goal", box=None, pad_edge=False, header_style="bold")
    for figure in result.figures:
        goal = f"≥ {figure.at_least:g}" if figure.at_most is None else f"≤ {figure.at_most:g}"
        verdict = "[green]met[/]" if figure.met else "[yellow]not met[/]"
        table.add_row(figure.name, f"{figure.value:.2f}", f"{goal}, {verdict}")
    out = Console(highlight=False)
    out.print(table)
    details = ", ".join(f"{name} {value:g}" for name, value in result.measured.items())
    out.print(f"[dim]{details}[/]\n", soft_wrap=True)


if __name__ == "__main__":
    main()
