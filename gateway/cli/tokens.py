"""`gateway tokens`: who may use the admin API. Commands about its file, whether or not a gateway runs."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import AsJson, console, print_json, print_table
from gateway.core.access import Scope, check_name, parse_scopes
from gateway.core.errors import ConfigError, NotFound, Problem

File = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="The file; default: that of `admin_token_file`."),
]
Name = Annotated[str, typer.Argument(show_default=False, help="Whose it is, or what it is for.")]

TAKEN_OVER = "a gateway that runs takes it over within moments"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    tokens = typer.Typer(help="Who may use the admin API.", no_args_is_help=True)
    tokens.command("new")(new)
    tokens.command("list")(list_)
    tokens.command("remove")(remove)
    app.add_typer(tokens, name="tokens")


def new(
    name: Name,
    scope: Annotated[
        str, typer.Option(metavar="SCOPES", help="read, payload, operate, admin; with commas.")
    ] = "read",
    file: File = None,
) -> None:
    """Add a token, and print it: once, for only its digest is kept."""
    from gateway.config.tokens import add_token

    fault = check_name(name)
    if fault:
        raise typer.BadParameter(fault)
    try:
        scopes = parse_scopes(scope)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    path = _file(file)
    print(add_token(path, name, scopes))
    text = f"{path} has its digest; the token is shown this once; {TAKEN_OVER}"
    console(to_stderr=True).print(text, markup=False)
    if not scopes & {Scope.READ, Scope.ADMIN}:
        text = (
            f"it shows no lists and no states: these need the scope read too, --scope read,{scope}"
        )
        console(to_stderr=True).print(text, markup=False)


def list_(file: File = None, as_json: AsJson = False) -> None:
    """The tokens there are, by name, with their scopes."""
    from gateway.config.tokens import read_tokens

    tokens = read_tokens(_file(file))
    shown = [{"name": each.name, "scopes": sorted(each.scopes)} for each in tokens]
    if as_json:
        print_json({"items": shown})
        return
    rows = ((each["name"], ", ".join(each["scopes"])) for each in shown)
    print_table(("token", "scopes"), rows, empty="no tokens")


def remove(name: Name, file: File = None) -> None:
    """Take a token away: who has it is refused from then on."""
    from gateway.config.tokens import remove_token

    path = _file(file)
    if not remove_token(path, name):
        raise NotFound(f"{path} has no token {name}", cure="see `gateway tokens list`")
    console().print(f"{name} is removed; {TAKEN_OVER}", markup=False)


def _file(given: Path | None) -> Path:
    from gateway.config.settings import read_settings

    path = given or read_settings({}).admin_token_file
    if path is None:
        problem = Problem(
            file="--file",
            line=0,
            column=0,
            code="admin-token",
            what="no file of tokens is named, here or in the settings",
            cure="add --file FILE, and give `gateway serve` the same one as --admin-token-file",
        )
        raise ConfigError([problem])
    return path
