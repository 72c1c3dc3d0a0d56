"""The whole program: which commands there are, and what each has to import before it can begin."""

import subprocess
import sys

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from gateway import __version__
from gateway.cli.main import COMMANDS, app_of, modules_for
from tests.kit.cli import app

HEAVY = {
    "aiohttp", "asyncio", "cel_expr_python", "cryptography", "gateway.config.settings",
    "gateway.core.routes", "gateway.core.routing", "gateway.store.sqlite", "sqlite3", "starlette", "structlog", "uvicorn", "yaml",
}  # fmt: skip
"""What a command that only asks a gateway does without: it would begin twice as late, or later."""

IMPORTED = """
import atexit, sys
atexit.register(lambda: print(*sys.modules))
from gateway.cli import main
main()
"""


def imported_by(folder, *arguments: str) -> set[str]:
    """The modules that a command has imported by its end."""
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr == ""
    return set(ended.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["status"],
        ["events"],
        ["dead", "--json"],
        ["endpoints", "--help"],
        ["pause", "cms"],
        ["replay", "--type", "x", "--dry-run"],
        ["prune", "--dry-run"],
    ],
    ids=" ".join,
)
def test_a_command_that_asks_a_gateway_imports_nothing_heavy(running, arguments):
    imported = imported_by(running.folder, *arguments)
    assert "gateway.cli.main" in imported
    assert imported & HEAVY == set()


def test_a_check_without_a_database_imports_no_store(folder):
    imported = imported_by(folder, "check", "--json")
    assert "gateway.loading" in imported
    assert imported & {"aiohttp", "gateway.service", "gateway.store.sqlite", "sqlite3"} == set()


@pytest.mark.parametrize("module", COMMANDS)
def test_each_module_has_the_commands_that_are_listed_for_it(module):
    assert set(get_group(app_of([module])).commands) == set(COMMANDS[module])


def test_a_command_has_only_its_own_module_imported():
    assert list(modules_for(["--json", "tokens", "list", "serve"])) == ["tokens"]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["stats"]])
def test_help_and_a_word_that_is_no_command_have_all(arguments):
    assert list(modules_for(arguments)) == list(COMMANDS)


def test_it_tells_its_version():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"{__version__}\n"
