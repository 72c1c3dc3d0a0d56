"""What a run found, kept as a file of JSON in bench/results."""

import json
import os
import platform
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from bench.measure import Result

FOLDER = Path(__file__).parent / "results"
LIBRARIES = ("aiohttp", "httptools", "msgspec", "orjson", "starlette", "uvicorn", "uvloop")
UNNAMED = "run-"
"""Files that begin so are ignored by git: who wants to keep one gives it a name."""


def save(results: Iterable[Result], *, name: str | None, rounds: int, quick: bool) -> Path:
    """Keep the results of a run; the file, which is named by moment and commit where it has no *name*."""
    commit = _commit()
    now = time.gmtime()
    run = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
        "commit": commit,
        "rounds": rounds,
        "quick": quick,
        "machine": machine(),
        "results": [asdict(result) for result in results],
    }
    FOLDER.mkdir(exist_ok=True)
    name = name or f"{UNNAMED}{time.strftime('%Y%m%d-%H%M%S', now)}-{commit}"
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    return path


@dataclass(frozen=True)
class Kept:
    """A run that was kept."""

    date: str
    commit: str
    quick: bool
    machine: dict
    results: list[Result]


def load(name: str) -> Kept:
    """The run in that file, or of that name."""
    path = Path(name) if Path(name).exists() else FOLDER / f"{name}.json"
    run = json.loads(path.read_text())
    results = [
        Result(each["scenario"], (), each["rounds"], each["once"]) for each in run["results"]
    ]
    return Kept(run["date"], run["commit"], run["quick"], run["machine"], results)


def machine() -> dict:
    """What it ran on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{library: version(library) for library in LIBRARIES},
    }


def _commit() -> str:
    """The commit of this checkout, `-dirty` where it was changed since; `unknown` in none."""
    command = ("git", "describe", "--always", "--dirty", "--exclude=*")
    found = subprocess.run(command, check=False, cwd=FOLDER.parent, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
