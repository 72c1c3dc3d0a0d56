"""Commands about configuration: make one, and what an editor needs. `check` has a file of its own."""

import re
import secrets as entropy
import shutil
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.cli.exits import FIX
from gateway.cli.output import console, own_command


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (init, schema):
        app.command()(command)


# -- init ----------------------------------------------------------------------------------------------

IGNORED = "/data/\nsecrets/\n__pycache__/\n"
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


# -- schema --------------------------------------------------------------------------------------


def schema() -> None:
    """Print the JSON Schema of routes.yaml, for editors."""
    sys.stdout.buffer.write(_schema())


def _schema() -> bytes:
    from gateway.config.shapes import json_schema

    return orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
