"""`python -m bench [SCENARIO…]` measures; `python -m bench compare A B` shows two runs side by side."""

import argparse
import json
import sys
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from bench import compare, results
from bench.measure import QUICK, Result, Run
from bench.processes import CORES
from bench.scenarios import BY_NAME_ONLY, SCENARIOS

BUSY = 0.85
"""With a larger share of its core, the load or the receiver may be what limits a figure."""


def main() -> None:
    if sys.argv[1:2] == ["compare"]:
        compare.main(sys.argv[2:])
        return
    options = _options()
    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    found = []
    for name in options.scenario or (each for each in SCENARIOS if each not in BY_NAME_ONLY):
        progress.print(f"{name}: {_summary(name)}")
        run = Run(
            1 if options.quick else options.rounds,
            QUICK if options.quick else 1,
            lambda text: progress.print(f"  {text}", style="dim"),
            minutes=options.minutes,
            per_second=options.per_second,
        )
        result = SCENARIOS[name](run)
        found.append(result)
        print(json.dumps(asdict(result)), flush=True) if options.json else show(result)
        if result.once.get("peer_share", 0) > BUSY:
            progress.print(f"  the load used {result.once['peer_share']:.0%} of its core: it may be the limit", style="yellow")  # fmt: skip
    if options.quick:
        progress.print("a smoke run: its figures mean nothing", style="yellow")
    path = results.save(found, name=options.name, rounds=run.rounds, quick=options.quick)
    progress.print(f"kept as {path}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="\n".join(["scenarios:", *(f"  {n:<16}{_summary(n)}" for n in SCENARIOS)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scenario", nargs="*", help=f"all of them by default, but {', '.join(BY_NAME_ONLY)}"
    )
    parser.add_argument("--rounds", type=int, default=3, help="measure so often (3 by default)")
    parser.add_argument(
        "--minutes", type=float, default=10, help="soak for so long (10 by default)"
    )
    parser.add_argument(
        "--per-second",
        type=float,
        default=100,
        help="soak with so many events a second (100 by default)",
    )
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    parser.add_argument(
        "--name", help="keep the results as bench/results/NAME.json, for git to see"
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines, for programs")
    options = parser.parse_args()
    if unknown := set(options.scenario) - SCENARIOS.keys():
        parser.error(f"there is no scenario {min(unknown)!r}: choose from {', '.join(SCENARIOS)}")
    if len(CORES) < 2:
        parser.error("the gateway and its load need a core each, and there is only one")
    return options


def _summary(name: str) -> str:
    return (SCENARIOS[name].__doc__ or "").partition("\n")[0]


def show(result: Result) -> None:
    """The figures that have goals, then what they come from."""
    table = Table("", result.scenario, "goal", box=None, pad_edge=False, header_style="bold")
    for figure in result.figures:
        value = result.measured[figure.name]
        verdict = "[green]met[/]" if figure.met(value) else "[yellow]not met[/]"
        goal = f"{figure.goal}, {verdict}" if figure.goal else ""
        table.add_row(figure.label, f"{value:.2f}", goal)
    out = Console(highlight=False)
    out.print(table)
    details = ", ".join(f"{name} {value:.4g}" for name, value in result.measured.items())
    out.print(f"[dim]{details}[/]\n", soft_wrap=True)


if __name__ == "__main__":
    main()
