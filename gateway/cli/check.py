"""`gateway check`: what is wrong with a routes file, what is doubtful about it, and what its tests say."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from gateway.cli.encrypted import key_from_settings
from gateway.cli.exits import FIX, NO
from gateway.cli.options import Database, Routes, setting
from gateway.cli.output import (
    AsJson,
    console,
    contents,
    loading_progress,
    print_json,
    printable,
)
from gateway.config.settings import Settings, read_settings
from gateway.core.model import Json
from gateway.core.words import counted

if TYPE_CHECKING:
    from gateway.config.evidence import Evidence
    from gateway.core.errors import Problem
    from gateway.examples import Result
    from gateway.loading import Checked

RoutesFile = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="The routes file.", show_default=False)
]

MOST_EVENTS = 1_000
"""So many of the newest recorded events are looked at."""
MOST_BYTES = 16 * 1024 * 1024
LONGEST_EVENT = 64 * 1024
"""Larger ones are passed over: they take long to look through, and say little more."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(  # flags
    file: RoutesFile = None,
    routes: Routes = None,
    database: Database = None,
    public_url: Annotated[str | None, setting("public_url", "URL")] = None,
    production: Annotated[bool | None, setting("production")] = None,
    egress_allow: Annotated[list[str] | None, setting("egress_allow", "CIDR")] = None,
    egress_port: Annotated[list[str] | None, setting("egress_port", "PORT")] = None,
    tests: Annotated[
        bool, typer.Option("--tests", help="Try the tests, too. Exit 1 where one fails.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 where there are warnings.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say everything that is wrong with a routes file, and how to mend it. Exit 2 on errors."""
    if file is not None and routes is not None:
        raise typer.BadParameter(f"{file} and --routes {routes} are two routes files")
    flags = {
        "routes": file or routes, "database": database, "public_url": public_url,
        "production": production, "egress_allow": egress_allow or None,
        "egress_port": egress_port or None,
    }  # fmt: skip
    settings = read_settings(flags)
    checked = _checked(settings)
    found = [*checked.problems, *checked.examples.problems]
    problems = checked.loaded.files.in_order(found)
    results = _results(checked) if tests and not checked.examples.problems else []
    if as_json:
        print_json(_as_json(checked, problems, results if tests else None))
    else:
        _print_problems(problems)
        _print_summary(settings, checked, problems)
        if results:
            _print_results(results)
        elif tests:
            _print_no_results(checked)
        elif checked.routes is not None:
            _print_hint(checked)
    raise typer.Exit(_code(checked, problems, results, tests=tests, strict=strict))


def _code(
    checked: "Checked",
    problems: "Sequence[Problem]",
    results: "Sequence[Result]",
    *,
    tests: bool,
    strict: bool,
) -> int:
    if any(problem.severity == "error" for problem in problems) or (
        tests and not checked.examples.found
    ):
        return FIX
    failed = any(not result.passed for result in results)
    return NO if failed or (strict and problems) else 0


# -- checking ------------------------------------------------------------------------------------------


def _checked(settings: Settings) -> "Checked":
    from gateway.loading import check as check_routes

    evidence = _evidence(settings)
    with loading_progress() as progress:
        return check_routes(settings, os.environ, keep=False, progress=progress, evidence=evidence)


def _evidence(settings: Settings) -> "Evidence | None":
    """None: there is no database file that can be read."""
    file = settings.database_file
    if file is None or not file.is_file():
        return None
    return asyncio.run(_recorded(settings, file))


async def _recorded(settings: Settings, file: Path) -> "Evidence":
    """What the newest recorded events hold; nothing where the database cannot be read."""
    from gateway.config.encryption import read_keys
    from gateway.config.evidence import Evidence
    from gateway.core.errors import ConfigError, GatewayError
    from gateway.store.sqlite.read import reading

    evidence = Evidence()
    try:
        with key_from_settings():
            async with reading(file, read_keys(settings.encryption_key)) as reader:
                await _look_at_newest(reader, evidence)
    except ConfigError as error:
        for problem in error.problems:
            told = f"recorded events are left aside: {problem.what}; {problem.cure}"
            console(to_stderr=True).print(told, style="yellow", markup=False, soft_wrap=True)
    except GatewayError:  # it is of another version, or busy: evidence is a help, and no more
        pass
    return evidence


async def _look_at_newest(reader: Any, evidence: "Evidence") -> None:
    """Add the newest events, one by one: nothing is held open for long."""
    from gateway.core.model import EventId
    from gateway.store.rows import event_of

    query: dict[str, Any] = {"limit": MOST_EVENTS // 2}
    events = size = 0
    while events < MOST_EVENTS and size < MOST_BYTES:
        page = await reader.events(query)
        for listed in page:
            row = await reader.event_row(EventId(listed["id"])) if size < MOST_BYTES else None
            if row is None:
                continue
            size += len(row.body) + len(row.head)
            event = event_of(row) if len(row.body) <= LONGEST_EVENT else None
            if event is not None:
                evidence.add(event.fields)
        if not page:
            return
        events += len(page)
        query["cursor"] = page[-1]["id"]


def _results(checked: "Checked") -> "list[Result]":
    from gateway.clock import SystemClock
    from gateway.examples import tried

    if checked.routes is None:
        return []
    return tried(checked.examples.found, checked.routes, SystemClock().now())


# -- telling -------------------------------------------------------------------------------------------


def _print_problems(problems: "Sequence[Problem]") -> None:
    for problem in problems:
        style = "bold red" if problem.severity == "error" else "yellow"
        place, _, rest = str(problem).partition(": ")
        console().print(Text.assemble((f"{place}: ", style), printable(rest)), soft_wrap=True)


def _print_summary(settings: Settings, checked: "Checked", problems: "Sequence[Problem]") -> None:
    counts = Counter(problem.severity for problem in problems)
    told = ", ".join(counted(counts[kind], kind) for kind in ("error", "warning") if counts[kind])
    if counts["error"]:
        console().print(f"{settings.routes}: {told}", style="bold red")
    elif checked.routes is not None:
        if checked.made_secrets:
            names = ", ".join(checked.made_secrets)
            what = f"not in the environment: {names} (made up in development)"
            console().print(what, style="yellow")
        warned = f" ({told})" if told else ""
        console().print(f"{settings.routes}: ok: {contents(checked.routes)}{warned}", style="green")


def _print_hint(checked: "Checked") -> None:
    found = len(checked.examples.found)
    if found and not checked.examples.problems:
        console().print(f"{counted(found, 'test')}: try with --tests", style="dim")


def _print_no_results(checked: "Checked") -> None:
    why = "there are none: write some under `tests:`, or in NAME.routes-test.yaml beside the file"
    if checked.routes is None or checked.examples.problems:
        why = "mend the errors first"
    console().print(f"no test was tried; {why}", style="yellow", markup=False)


def _print_results(results: "Sequence[Result]") -> None:
    for result in results:
        _print_result(result)
    failed = sum(not result.passed for result in results)
    told = f"{counted(len(results), 'test')}: {len(results) - failed} passed"
    style = "bold red" if failed else "green"
    console().print(f"{told}, {failed} failed" if failed else told, style=style)


def _print_result(result: "Result") -> None:
    example = result.example
    mark = ("✓ ", "green") if result.passed else ("✗ ", "bold red")
    line = Text.assemble(mark, printable(example.name))
    if not result.passed:
        place = example.part.place()
        line.append(f"  {example.part.document.name}:{place.line}:{place.column}", style="dim")
    console().print(line, soft_wrap=True)
    for name, text in [] if result.passed else _differences(result):
        row = Text.assemble((f"    {name:<10}", "dim"), printable(text))
        console().print(row, soft_wrap=True)
    for note in result.notes:
        console().print(Text.assemble(("    note      ", "dim"), printable(note)), soft_wrap=True)


def _differences(result: "Result") -> list[tuple[str, str]]:
    """The lines that say how a test failed."""
    expected = ", ".join(sorted(result.example.expect)) or "nothing"
    got = ", ".join(sorted(endpoint for endpoint, _ in result.sent)) or "nothing"
    lines = [("expected", expected), ("got", got)]
    for missing in result.missing:
        nearest = f"{missing.route}: " if missing.route else ""
        lines.append(("missing", f"{missing.endpoint} ({nearest}{missing.why})"))
    lines += [("too much", f"{endpoint} (by {route})") for endpoint, route in result.unexpected]
    lines += [("plans", difference) for difference in result.plans]
    return lines + [("failed", failure) for failure in result.failures]


def _as_json(
    checked: "Checked", problems: "Sequence[Problem]", results: "Sequence[Result] | None"
) -> dict[str, Json]:
    fields = ("file", "line", "column", "severity", "code", "what", "cure")
    errors = any(problem.severity == "error" for problem in problems)
    told: dict[str, Json] = {
        "ok": checked.routes is not None and not errors,
        "problems": [{name: getattr(p, name) for name in fields} for p in problems],
    }
    if results is not None:
        told["tests"] = [_result_as_json(result) for result in results]
        told["passed"] = sum(result.passed for result in results)
        told["failed"] = sum(not result.passed for result in results)
    return told


def _result_as_json(result: "Result") -> dict[str, Json]:
    place = result.example.part.place()
    return {
        "name": result.example.name,
        "file": result.example.part.document.name,
        "line": place.line,
        "column": place.column,
        "passed": result.passed,
        "expected": sorted(result.example.expect),
        "got": sorted(endpoint for endpoint, _ in result.sent),
        "missing": [
            {"endpoint": each.endpoint, "route": each.route, "why": each.why}
            for each in result.missing
        ],
        "unexpected": [
            {"endpoint": endpoint, "route": route} for endpoint, route in result.unexpected
        ],
        "plans": list(result.plans),
        "failures": list(result.failures),
        "notes": list(result.notes),
    }
