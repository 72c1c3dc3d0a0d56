"""Every command, and what its end tells the shell.

Errors come here from every command; exits.py has the codes.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from gateway import __version__
from gateway.cli.exits import DONE, FIX, INTERRUPTED, LATER, NO
from gateway.core.errors import Conflict, GatewayError, NotFound, StoreUnavailable

COMMANDS = {
    "serve": ("serve",),
    "check": ("check",),
    "configure": ("init", "schema"),
    "catalogue": ("types",),
    "keys": ("keys",),
    "explain": ("explain",),
    "plan": ("plan",),
    "send": ("send", "ping"),
    "receive": ("listen",),
    "demo": ("demo",),
    "operate": (
        "status", "events", "deliveries", "dead", "cancel", "pause", "resume", "audit",
    ),
    "inbox": ("inbox",),
    "bulk": ("redeliver", "replay"),
    "endpoints": ("endpoints",),
    "planned_events": ("planned", "answer"),
    "polls": ("poll",),
    "register": ("register",),
    "tail": ("tail",),
    "tokens": ("tokens",),
    "evidence": ("evidence",),
    "maintain": ("backup", "prune", "erase"),
    "migrate": ("migrate",),
}  # fmt: skip
"""The modules beside this one, in the order of `gateway --help`, with the commands of each."""

VERSION = "--version"


def main() -> NoReturn:
    """Run the command that the arguments name, and exit."""
    try:
        app_of(modules_for(asked_about(sys.argv[1:])))()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        sys.exit(code_of(error))
    sys.exit(DONE)


def asked_about(arguments: Sequence[str]) -> Sequence[str]:
    """The words of the command, or of the one about which a shell asks what it could become."""
    if "_GATEWAY_COMPLETE" not in os.environ:
        return arguments
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    return line.split()[1:]


def modules_for(arguments: Sequence[str]) -> Iterable[str]:
    """The module with the command that they name, so that the imports of the others cost it nothing.

    All of them for help, and for a word that is no command.
    """
    if arguments[:1] == [VERSION]:
        return ()
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    return [module for module, commands in COMMANDS.items() if named in commands] or COMMANDS


def app_of(modules: Iterable[str]) -> typer.Typer:
    """The program, with the commands of these modules."""
    app = typer.Typer(
        name="gateway",
        help="A durable webhook gateway and event router for licensed images.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for module in modules:
        import_module(f"gateway.cli.{module}").register(app)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option(
            VERSION, callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


def code_of(error: GatewayError) -> int:
    """The exit code for an error that ended a command."""
    match error:
        case StoreUnavailable():
            return LATER
        case NotFound() | Conflict():
            return NO
        case _:
            return FIX
