"""Every command, and what its end tells the shell.

Errors come here from every command; exits.py has the codes.
"""

import sys
from typing import NoReturn

import typer

from gateway.cli import (
    bulk,
    check,
    configure,
    demo,
    endpoints,
    explain,
    keys,
    maintain,
    operate,
    plan,
    receive,
    send,
    serve,
    tokens,
)
from gateway.cli.exits import DONE, FIX, INTERRUPTED, LATER, NO
from gateway.core.errors import Conflict, GatewayError, NotFound, StoreUnavailable

app = typer.Typer(
    name="gateway",
    help="A durable webhook gateway and event router for licensed images.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (
    serve, check, configure, keys, explain, plan, send, receive, demo, operate, bulk, endpoints,
    tokens, maintain,
):  # fmt: skip
    commands.register(app)


def main() -> NoReturn:
    """Run the command that the arguments name, and exit."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        sys.exit(code_of(error))
    sys.exit(DONE)


def code_of(error: GatewayError) -> int:
    """The exit code for an error that ended a command."""
    match error:
        case StoreUnavailable():
            return LATER
        case NotFound() | Conflict():
            return NO
        case _:
            return FIX
