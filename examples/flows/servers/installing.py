"""What installing has in common: once for each version of what is installed, and a plain word where a tool is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

INSTALLED = Path(__file__).parents[3] / ".flows"
"""Where servers are installed: git ignores it, and it may be removed at any time."""


class Missing(Exception):
    """A tool that the servers need is not there; what to do."""


def once(name: str, version: str, install: Callable[[Path], None]) -> Path:
    """The folder of that name, with *version* installed in it; from nothing where it has another one."""
    folder, stamp = INSTALLED / name, INSTALLED / name / "installed"
    if not stamp.exists() or stamp.read_text() != version:
        print(f"installing {name} into {folder.relative_to(INSTALLED.parent)} …", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        stamp.write_text(version)
    return folder


def environment_of(folder: Path, *packages: str) -> None:
    """Make a virtual environment `venv` in *folder*, with these packages."""
    run([sys.executable, "-m", "venv", folder / "venv"], folder)
    pip = [folder / "venv/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run([*pip, "install", *packages], folder)


def tool(name: str, cure: str) -> str:
    """Where a program is. Raises Missing with what brings it."""
    found = shutil.which(name)
    if found is None:
        raise Missing(f"the flows need {name}, and it is not there. {cure}")
    return found


def run(
    command: list[str | Path], folder: Path, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command to its end. Raises CalledProcessError with what it printed."""
    ended = subprocess.run(
        command, cwd=folder, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if ended.returncode != 0:
        print(ended.stdout[-4000:], file=sys.stderr)
        ended.check_returncode()
