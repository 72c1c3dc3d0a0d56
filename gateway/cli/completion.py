"""What a shell is told that a word could become.

Whoever presses a key waits for it, and wants no errors: where nothing can be learned at once, there is nothing.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from gateway.catalogue import catalogue_types
from gateway.cli.client import connect
from gateway.core.errors import GatewayError

PATIENCE_SECONDS = 1


def endpoint_names(context: typer.Context, incomplete: str) -> list[str]:
    """Those that begin so: of the gateway that the command would talk to; where none is named or runs, of the routes file."""
    given = context.params
    names = _of_the_gateway(given)
    if not names and given.get("at") is None:
        names = _of_the_file(given)
    return sorted(name for name in names if name.startswith(incomplete))


def type_names(incomplete: str) -> list[str]:
    """The types of the catalogue that begin so."""
    return [name for name in catalogue_types() if name.startswith(incomplete)]


def _of_the_gateway(given: Mapping[str, Any]) -> Iterable[str]:
    with suppress(GatewayError, KeyError, TypeError):  # nobody is there, or somebody else
        client = connect(given.get("at"), given.get("token_file"), given.get("database"))
        client.timeout_seconds = PATIENCE_SECONDS
        return [each["name"] for each in client.get("/api/v1/endpoints")["items"]]
    return ()


def _of_the_file(given: Mapping[str, Any]) -> Iterable[str]:
    from gateway.config.document import read_document
    from gateway.config.layers import ROUTES, what_was_set

    with suppress(GatewayError, OSError):
        file = what_was_set({"routes": given.get("routes")}, ("routes",)).get("routes", ROUTES)
        routes = read_document(Path(file).read_bytes(), str(file)).value
        if isinstance(routes, dict) and isinstance(routes.get("endpoints"), dict):
            return list(map(str, routes["endpoints"]))
    return ()
