"""The process that matches: `python -m bench.match WORKLOAD ROUNDS MOST`, one JSON line as its answer.

An index of few patterns, one of many and one of most take turns within each round, so that what
else the machine does harms all of them. Patterns and events are made with a seed, patterns one at a
time, so that memory is that of the index alone.
"""

import contextlib
import gc
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gateway.core.errors import EventTooWide
from gateway.core.grammar import PatternCompiler
from gateway.core.index import Index
from gateway.core.pattern import Pattern, holds, undotted

FEW, MANY = 10, 1_000
EVENTS = 1_000
EVENTS_ONE_BY_ONE = 3
EVENT_BYTES = 1_470
COUNTRIES = ("DE", "FR", "US", "GB", "IT", "ES", "PL", "NL")
STATUSES = ("new", "open", "paid", "done")
ELEMENTS = 2_000
TENANT_HAS = 8
TURNS = 20
"""Within a round: they are so short that what else the machine does would harm some more than others."""


def event(patterns: int, tenants: int, chance: random.Random) -> dict:
    """An event that some of so many patterns are about."""
    fields = {
        "specversion": "1.0",
        "id": f"evt-{chance.getrandbits(64):x}",
        "source": "/shop",
        "type": f"type{chance.randrange(20)}",
        "tenant": f"t{chance.randrange(tenants)}",
        "status": chance.choice(STATUSES),
        "time": "2026-11-18T11:06:40Z",
        "data": {
            "country": chance.choice(COUNTRIES),
            "amount": chance.randrange(1_000),
            "path": f"/a/{chance.randrange(patterns)}/-{chance.randrange(patterns):06}-/x",
            "file": f"img-{chance.randrange(patterns)}.jpg",
            "ip": f"10.{chance.randrange(256)}.{chance.randrange(256)}.7",
            "customer": {"id": chance.getrandbits(32), "name": "Ada", "tags": ["vip", "b2b"]},
            "items": [{"sku": f"s{chance.randrange(1_000)}", "n": i} for i in range(5)],
            "text": "",
        },
    }
    fields["data"]["text"] = "x" * (EVENT_BYTES - len(json.dumps(fields)))  # type: ignore[index]
    return fields


def keyed(number: int, _of: int, _chance: random.Random) -> dict:
    return {"status": "new", "tenant": f"t{number}"}


def tenant(_number: int, of: int, chance: random.Random) -> dict:
    """A tenant, and one to three common things besides."""
    others = {
        "type": f"type{chance.randrange(20)}",
        "status": [chance.choice(STATUSES), chance.choice(STATUSES)],
        "data.country": chance.sample(COUNTRIES, 4),
        "data.amount": {"gte": chance.randrange(1_000)},
    }
    names = chance.sample(sorted(others), chance.randrange(1, 4))
    name = f"t{chance.randrange(of // TENANT_HAS or 1)}"
    return {"tenant": name, **{name: others[name] for name in names}}


def text(of: int, chance: random.Random) -> dict:
    """A piece of text that hardly any event has."""
    kind, number = chance.randrange(3), chance.randrange(of)
    if kind == 0:
        return {"data.path": {"prefix": f"/a/{number}/"}}
    if kind == 1:
        return {"data.file": {"suffix": f"-{number}.jpg"}}
    return {"data.path": {"wildcard": f"*-{number:06}-*"}}


def mixed(number: int, of: int, chance: random.Random) -> dict:
    """Of five, three about a tenant; a fourth about a type and text, or text alone."""
    share = chance.random()
    if share < 0.6:
        return tenant(number, of, chance)
    if share < 0.85:
        return {"type": f"type{chance.randrange(20)}", **text(of, chance)}
    return text(of, chance)


def noexact(_number: int, of: int, chance: random.Random) -> dict:
    """No value that is told: text, numbers and networks."""
    low = chance.randrange(1_000)
    others = {
        "data.amount": {"gte": low, "lt": low + 100},
        "data.ip": {"cidr": f"10.{chance.randrange(256)}.0.0/12"},
        "status": {"anything-but": chance.choice(STATUSES)},
    }
    names = chance.sample(sorted(others), chance.randrange(1, 3))
    return {**text(of, chance), **{name: others[name] for name in names}}


WORKLOADS: dict[str, Callable[[int, int, random.Random], dict]] = {
    "keyed": keyed,
    "tenant": tenant,
    "mixed": mixed,
    "noexact": noexact,
}


def built(workload: str, count: int) -> tuple[list[Pattern], Index]:
    """So many patterns, and the index of them."""
    chance = random.Random(count)
    compile_one = PatternCompiler().compile
    patterns = [compile_one(WORKLOADS[workload](n, count, chance)) for n in range(count)]
    del compile_one
    return patterns, Index(patterns)


def measure(workload: str, rounds: int, most: int) -> dict:
    """Microseconds an event by index, each round; and one by one, bytes a pattern, seconds to build."""
    gc.disable()
    indexes = {}
    for name, count in (("few", FEW), ("many", MANY), ("most", most)):
        before, began = resident_bytes(), time.perf_counter()
        patterns, index = built(workload, count)
        seconds, used = time.perf_counter() - began, resident_bytes() - before
        chance = random.Random(0)
        tenants = count if workload == "keyed" else count // TENANT_HAS or 1
        indexes[name] = (index, [event(count, tenants, chance) for _ in range(EVENTS)])
    gc.freeze()
    gc.enable()
    index, events = indexes["most"]
    return {
        "rounds": [one_round(indexes) for _ in range(rounds)],
        "once": {
            "us_one_by_one": one_by_one(patterns, index, events),
            "bytes_a_pattern": used / most,
            "build_seconds": seconds,
            "matches_an_event": sum(len(index.match(each)) for each in events) / EVENTS,
        },
    }


def one_round(indexes: dict[str, tuple[Index, list[dict]]]) -> dict[str, float]:
    """Microseconds an event by each index: the shortest of its turns."""
    took = dict.fromkeys(indexes, 1e9)
    for _ in range(TURNS):
        for name, (index, events) in indexes.items():
            began = time.perf_counter()
            for each in events:
                index.match(each)
            took[name] = min(took[name], (time.perf_counter() - began) / EVENTS * 1e6)
    return {f"us_{name}": each for name, each in took.items()}


def one_by_one(patterns: list[Pattern], index: Index, events: list[dict]) -> float:
    """Microseconds an event where each pattern is tried; what is found has to be the same."""
    began = time.perf_counter()
    for each in events[:EVENTS_ONE_BY_ONE]:
        fields = undotted(each)
        found = [n for n, p in enumerate(patterns) if any(holds(rule, fields) for rule in p.rules)]
        if found != index.match(each):
            raise SystemExit("the index finds other patterns than there are")
    return (time.perf_counter() - began) / EVENTS_ONE_BY_ONE * 1e6


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def adversity() -> dict[str, float]:
    """Milliseconds for one event that is made to be slow."""
    numbers = range(ELEMENTS)
    items = [{"id": i, "other": 0} for i in numbers]
    deep: object = "x"
    wanted: object = "x"
    for _ in range(64):
        deep, wanted = {"a": [deep, {}]}, {"a": wanted}
    cases = {
        "elements": (
            [{"items": {"id": i, "other": 1}} for i in numbers],
            {"items": [*items, {"other": 1}]},
        ),
        "two_arrays": (
            [{"a": {"id": i, "other": 0}, "b": {"id": i, "other": 1}} for i in numbers],
            {"a": items, "b": [*items, {"other": 1}]},
        ),
        "ranges": (
            [{"items": {"other": 0, "id": {"gte": i}}} for i in numbers],
            {"items": [{"id": -1, "other": 0}] * ELEMENTS + [{"id": ELEMENTS, "other": 1}]},
        ),
        "refused": (
            [{"items": {"other": 1, "id": {"gte": i}}} for i in numbers],
            {"items": [*items, {"id": -1, "other": 1}]},
        ),
        "deep": ([wanted] * ELEMENTS, deep),
        "dots": ([{"a.b": i} for i in numbers], {f"a.{name}": 1 for name in ("b", *numbers)}),
        "long_text": (
            [{"a": {"contains": f"aaaaaa{i:04}"}} for i in numbers],
            {"a": "a" * 100_000},
        ),
    }
    took = {}
    for name, (patterns, slow) in cases.items():
        compiler = PatternCompiler()
        index = Index([compiler.compile(each) for each in patterns])
        gc.freeze()
        began = time.perf_counter()
        with contextlib.suppress(EventTooWide):
            index.match(slow)  # type: ignore[arg-type]
        took[f"ms_{name}"] = (time.perf_counter() - began) * 1e3
    return took


if __name__ == "__main__":
    asked, *numbers = sys.argv[1:]
    measured = adversity() if asked == "adversity" else measure(asked, *map(int, numbers))
    print(json.dumps(measured))
