"""What every scenario does alike: rounds in pairs, and figures with goals.

Each round takes the baseline and the gateway right after each other, so that a noisy machine harms
both; who goes first alternates. The ratio of a round says more than either figure, and what a scenario
reports is the median of its rounds. Figures are compared within a run, or as ratios between runs.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bench.traffic import Traffic

QUICK = 0.02
"""A smoke run is so much of a whole one."""


@dataclass(frozen=True)
class Run:
    """How often and how much is measured."""

    rounds: int
    scale: float
    """1, or less for a smoke run."""
    say: Callable[[str], None]
    """Tells how far it has come."""
    minutes: float = 10
    """For so long a soak goes on."""
    per_second: float = 100
    """So many events come, meanwhile."""

    def scaled(self, count: int) -> int:
        """So many, in this run."""
        return max(1, int(count * self.scale))

    def pairs(
        self, baseline: Callable[[], dict], gateway: Callable[[], dict], *, each_round: int = 1
    ) -> Iterator[tuple[dict, dict]]:
        """What both measured, right after each other; so many pairs in each round."""
        yield from self.turns(baseline, gateway, each_round=each_round)  # type: ignore[misc]

    def turns(
        self, *measures: Callable[[], dict], each_round: int = 1
    ) -> Iterator[tuple[dict, ...]]:
        """What each measured, in their order, though every other time the last one went first."""
        for number in range(self.rounds * each_round):
            self.say(f"{number + 1} of {self.rounds * each_round}")
            if number % 2:
                yield tuple(measure() for measure in reversed(measures))[::-1]
            else:
                yield tuple(measure() for measure in measures)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a scenario that is shown, with its goal if it has one (docs/speed.md)."""

    label: str
    name: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def goal(self) -> str:
        """The goal as it is written; empty where there is none."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "" if self.at_most is None else f"≤ {self.at_most:g}"

    def met(self, value: float) -> bool:
        """Whether *value* meets the goal."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


@dataclass(frozen=True)
class Result:
    """What a scenario found: every round's figures, what was measured once, and which are shown."""

    scenario: str
    figures: tuple[Figure, ...]
    rounds: list[dict[str, float]]
    once: dict[str, float] = field(default_factory=dict)

    @property
    def measured(self) -> dict[str, float]:
        """The median of the rounds, and what was measured once."""
        return medians(self.rounds) | self.once


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Of every figure, the median of the rounds that have it."""
    names = dict.fromkeys(name for each in rounds for name in each)
    return {
        name: statistics.median(each[name] for each in rounds if name in each) for name in names
    }


class Works(Protocol):
    """What does the work: a gateway, or several."""

    def cpu_seconds(self) -> float:
        """What it has used so far."""


def posted(gateway: Works, traffic: Traffic, count: int, fan_out: int = 0, **how) -> dict:
    """What `Traffic.post` measures, and what it cost what does the work."""
    used = gateway.cpu_seconds()
    got = traffic.post(count, fan_out, **how)
    used = gateway.cpu_seconds() - used
    return got | {
        "events_per_second": count / got["seconds_answered"],
        "deliveries_per_second": count * fan_out / got["seconds"],
        "cpu_ms_per_event": used / count * 1e3,
    }


def chosen(measured: Mapping[str, float], *names: str, prefix: str = "") -> dict[str, float]:
    """Those of the figures, under names with a prefix."""
    return {prefix + name: measured[name] for name in names}
