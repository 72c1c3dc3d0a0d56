"""Commands about configuration: make one, check it, explain it, and what an editor needs."""

import os
import re
import secrets as entropy
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.text import Text

from gateway.cli.exits import FIX, NO
from gateway.cli.options import (
    Database,
    Headers,
    content_of,
    parsed_headers,
    read_settings,
    setting,
)
from gateway.cli.output import (
    AsJson,
    console,
    contents,
    counted,
    own_command,
    print_json,
    printable,
)
from gateway.core.model import Json

RoutesFile = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="The routes file.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (init, check, explain, schema):
        app.command()(command)
    keys = typer.Typer(help="Secrets to sign with.", no_args_is_help=True)
    keys.command("new")(new_key)
    app.add_typer(keys, name="keys")


# -- init ----------------------------------------------------------------------------------------------

IGNORED = "/data/\n/secrets/\n__pycache__/\n"
SETTINGS = (
    '# Settings of `gateway serve`: docs/settings.md lists them.\n# listen = "127.0.0.1:8080"\n'
)


def init(
    folder: Annotated[Path, typer.Argument(help="Where; made if it is not there.")] = Path(),
) -> None:
    """Make a folder of one's own: routes, handlers and fresh secrets."""
    present = [name for name in ("routes.yaml", "handlers", "secrets") if (folder / name).exists()]
    if present:
        print(
            f"gateway: {folder} already has {', '.join(present)}: name another folder",
            file=sys.stderr,
        )
        raise typer.Exit(FIX)
    from gateway.starter import starter_folder

    starter = starter_folder()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(
        starter / "handlers", folder / "handlers", ignore=shutil.ignore_patterns("__pycache__")
    )
    text = (starter / "routes.yaml").read_text(encoding="utf-8")
    text, made = _with_secret_files(text, folder)
    (folder / "routes.yaml").write_text(text, encoding="utf-8")
    (folder / "routes.schema.json").write_bytes(_schema())
    for name, content in ((".gitignore", IGNORED), ("gateway.toml", SETTINGS)):
        if not (folder / name).exists():
            (folder / name).write_text(content, encoding="utf-8")
    out = console()
    out.print(f"[bold]{folder}/[/] has now")
    out.print("  routes.yaml    which events go where; `gateway check` after each edit")
    out.print(
        "  handlers/      coroutines that speak the APIs of a CMS, a tracker, an alerting system"
    )
    out.print(f"  secrets/       {len(made)} fresh secrets, mode 600: {', '.join(made)}")
    out.print("  gateway.toml   settings")
    move = "" if folder == Path() else f"cd {folder} && "
    serve = f"{move}{own_command(folder)} serve --sample-receiver 127.0.0.1:8090"
    out.print(f"\nNow start it:\n\n  [bold]{serve}[/]\n", soft_wrap=True)


def _with_secret_files(text: str, folder: Path) -> tuple[str, list[str]]:
    """The starter's routes with each secret in a file of its own, made on the way."""
    from gateway.config.private import write_private
    from gateway.core.signing import format_key

    made = []

    def into_file(match: re.Match[str]) -> str:
        name = match[1].lower().replace("_", "-")
        write_private(
            folder / "secrets" / name, format_key(entropy.token_bytes(32)).encode() + b"\n"
        )
        made.append(name)
        return f"{{file: secrets/{name}}}"

    text = re.sub(r"\{env: ([A-Z_]+_SECRET)\}", into_file, text)
    return text.replace("./gateway/config/routes.schema.json", "./routes.schema.json"), made


# -- check ---------------------------------------------------------------------------------------------


def check(
    file: RoutesFile = None,
    database: Database = None,
    production: Annotated[bool | None, setting("production")] = None,
    egress_allow: Annotated[list[str] | None, setting("egress_allow", "CIDR")] = None,
    egress_port: Annotated[list[str] | None, setting("egress_port", "PORT")] = None,
    as_json: AsJson = False,
) -> None:
    """Say everything that is wrong with a routes file, and how to mend it. Exit 2 on errors."""
    flags = {
        "routes": file, "database": database, "production": production,
        "egress_allow": egress_allow or None, "egress_port": egress_port or None,
    }  # fmt: skip
    settings = read_settings(flags)
    checked = _checked(settings)
    if as_json:
        fields = ("file", "line", "column", "severity", "code", "what", "cure")
        found = [{name: getattr(p, name) for name in fields} for p in checked.problems]
        print_json({"ok": checked.routes is not None, "problems": found})
    else:
        for problem in checked.problems:
            style = "bold red" if problem.severity == "error" else "yellow"
            place, _, rest = str(problem).partition(": ")
            console().print(Text.assemble((f"{place}: ", style), printable(rest)), soft_wrap=True)
        _print_summary(settings, checked)
    if checked.routes is None:
        raise typer.Exit(FIX)


def _checked(settings: Any) -> Any:
    from gateway.loading import check as check_routes

    return check_routes(settings, os.environ, keep=False)


def _print_summary(settings: Any, checked: Any) -> None:
    if checked.routes is None:
        console().print(
            f"{settings.routes}: {counted(len(checked.loaded.errors), 'error')}", style="bold red"
        )
        return
    if checked.made_secrets:
        names = ", ".join(checked.made_secrets)
        console().print(f"not in the environment: {names} (made up in development)", style="yellow")
    console().print(f"{settings.routes}: ok: {contents(checked.routes)}", style="green")


# -- explain -------------------------------------------------------------------------------------------


def explain(
    file: RoutesFile = None,
    event: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="The body that the source would post; - is standard input."
        ),
    ] = Path("-"),
    source: Annotated[
        str | None, typer.Option(help="The source it comes in by; default: the first.")
    ] = None,
    header: Headers = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say which routes match an event, why the others do not, and what would be sent. Exit 1: none."""
    from gateway.clock import SystemClock
    from gateway.explaining import explained

    settings = read_settings({"routes": file, "database": database})
    checked = _checked(settings)
    if checked.routes is None:
        for problem in checked.problems:
            print(problem, file=sys.stderr)
        raise typer.Exit(FIX)
    body = content_of(event)
    result = explained(checked.routes, source, body, parsed_headers(header), SystemClock().now())
    if as_json:
        print_json(result)
    else:
        _print_explained(result)
    if not any(route["matches"] for route in result["routes"]):
        raise typer.Exit(NO)


def _print_explained(result: dict[str, Json]) -> None:
    out = console()
    event = result["event"]
    out.print(
        Text(
            printable(f"{event['type']}  {event.get('subject', '')}  from {event['source']}"),
            style="bold",
        )
    )
    for route in result["routes"]:
        if route["matches"]:
            out.print(
                Text.assemble(("  ✓ ", "green"), f"{route['name']} → {', '.join(route['to'])}")
            )
        else:
            why = "; ".join(
                f"{m['field']} is {m['seen']}, wanted {m['wanted']}" for m in route["misses"]
            )
            out.print(Text.assemble(("  ✗ ", "red"), f"{route['name']}: {printable(why)}"))
    for failure in result["failures"]:
        out.print(Text.assemble(("  ! ", "bold red"), printable(failure)))
    for request in result["requests"]:
        if "handler" in request:
            out.print(
                f"\n{request['endpoint']}: {request['handler']} would call {request['url']}",
                markup=False,
            )
            continue
        out.print(Text(f"\n{request['method']} {request['url']}", style="bold"))
        for name, value in request["headers"].items():
            out.print(Text(printable(f"  {name}: {value}"), style="dim"))
        for line in request["body"].splitlines():
            out.print(Text(printable(f"  {line}")), soft_wrap=True)


# -- schema, keys --------------------------------------------------------------------------------------


def schema() -> None:
    """Print the JSON Schema of routes.yaml, for editors."""
    sys.stdout.buffer.write(_schema())


def _schema() -> bytes:
    from gateway.config.shapes import json_schema

    return orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def new_key(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put it there, mode 600.")
    ] = None,
) -> None:
    """Make a signing secret, whsec_…, of 32 random bytes."""
    from gateway.config.private import write_private
    from gateway.core.signing import format_key

    key = format_key(entropy.token_bytes(32))
    if out is None:
        print(key)
    elif out.exists():
        print(f"gateway: {out} is there already: name another file", file=sys.stderr)
        raise typer.Exit(FIX)
    else:
        write_private(out, f"{key}\n".encode())
        console().print(f"a new secret is in {out}: refer to it as {{file: {out}}}", markup=False)
