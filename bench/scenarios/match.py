"""Matching alone, in a process of its own: many patterns against few."""

import json
import subprocess
import sys

from bench.match import WORKLOADS
from bench.measure import Figure, Result, Run
from bench.processes import GATEWAY_CORE, process

FIGURES = (
    Figure(label="keyed patterns, 100,000 / 10", name="keyed_growth", at_most=1.2),
    Figure(label="tenants' patterns, 100,000 / 1,000", name="tenant_growth", at_most=2),
    Figure(label="mixed patterns, 100,000 / 1,000", name="mixed_growth", at_most=2.5),
    Figure(label="one by one / index, 100,000", name="one_by_one_ratio", at_least=500),
    Figure(label="memory a pattern, KiB", name="kib_a_pattern", at_most=1.5),
)
CROWDED = tuple(name for name in WORKLOADS if name != "keyed")
"""Of these, many are about any one event."""
PATTERNS = 100_000


def match(run: Run) -> Result:
    """Patterns against decoded events, by an index of 10, 1,000 and 100,000 of them."""
    found = {}
    for name in WORKLOADS:
        run.say(name)
        found[name] = _matching(name, str(run.rounds), str(run.scaled(PATTERNS)))
    rounds = []
    for number in range(run.rounds):
        us = {name: each["rounds"][number] for name, each in found.items()}
        ones = [found[name]["once"]["us_one_by_one"] / us[name]["us_most"] for name in CROWDED]
        rounds.append({
            "keyed_growth": us["keyed"]["us_most"] / us["keyed"]["us_few"],
            "tenant_growth": us["tenant"]["us_most"] / us["tenant"]["us_many"],
            "mixed_growth": us["mixed"]["us_most"] / us["mixed"]["us_many"],
            "one_by_one_ratio": min(ones),
            **_named(us),
        })  # fmt: skip
    once = {name: each["once"] for name, each in found.items()}
    run.say("adversity")
    once["adversity"] = _matching("adversity")
    kib = max(once[name]["bytes_a_pattern"] for name in WORKLOADS) / 1024
    return Result("match", FIGURES, rounds, _named(once) | {"kib_a_pattern": kib})


def _named(by_workload: dict[str, dict[str, float]]) -> dict[str, float]:
    """The figures of all workloads, each with its workload in its name."""
    return {
        f"{workload}_{name}": value
        for workload, figures in by_workload.items()
        for name, value in figures.items()
    }


def _matching(*arguments: str) -> dict:
    """What a process of its own measured."""
    command = (sys.executable, "-m", "bench.match", *arguments)
    with process(*command, core=GATEWAY_CORE, stdout=subprocess.PIPE, text=True) as child:
        answer, _ = child.communicate()
    return json.loads(answer)
