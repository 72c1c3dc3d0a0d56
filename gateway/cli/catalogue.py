"""`gateway types`: the types of events that are known, what their data hold, and a sample of each."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.text import Text

from gateway.cli.completion import type_names
from gateway.cli.options import Routes
from gateway.cli.output import AsJson, console, print_json, print_table
from gateway.core.errors import NotFound
from gateway.core.model import Json

if TYPE_CHECKING:
    from gateway.config.event_types import Types


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(types)


def types(
    event_type: Annotated[
        str | None,
        typer.Argument(
            metavar="[TYPE]", help="Only this one, with its fields and a sample.",
            show_default=False, autocompletion=type_names,
        ),
    ] = None,
    only_sample: Annotated[
        bool, typer.Option("--sample", help="Only its sample: an event, as JSON.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The catalogue as a page, as in docs/catalogue.md.")
    ] = False,
    routes: Routes = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show the types of events that are known: those of the catalogue, and those under `types:` in the routes file.

    Of one type, --json prints the JSON Schema of its data.
    """
    from gateway.catalogue import sample_of
    from gateway.catalogue.described import page

    if markdown:
        sys.stdout.write(page())
        return
    known = _known(routes)
    if event_type is None:
        if only_sample:
            raise typer.BadParameter("--sample wants the name of a type")
        _print_all(known, as_json=as_json)
        return
    if event_type not in known:
        from gateway.config.nearest import nearest

        raise NotFound(f"there is no type {event_type}", cure=nearest(event_type, list(known)))
    if only_sample:
        _print_indented(sample_of(event_type))
    elif as_json:
        print_json(known.schema(event_type))
    else:
        _print_one(event_type, known)


def _known(routes: Path | None) -> "Types":
    """The types, those of the routes file included as far as it can be read: what is wrong with it says `check`."""
    from gateway.config.files import read_files
    from gateway.config.part import Surroundings
    from gateway.config.routes import types_in
    from gateway.config.secrets import SecretBook
    from gateway.config.settings import read_settings

    settings = read_settings({"routes": routes})
    around = Surroundings(
        secrets=SecretBook(os.environ), egress=settings.egress, find_handler=lambda *_: ""
    )
    return types_in(read_files(settings.routes, around))


def _print_all(known: "Types", *, as_json: bool) -> None:
    told = [
        {"type": name, "what": _said(known.schema(name)), "of": _where(name, known)}
        for name in known
    ]
    if as_json:
        print_json(told)
    else:
        print_table(("type", "what", "of"), [tuple(each.values()) for each in told], empty="")


def _where(name: str, known: "Types") -> str:
    return "routes file" if name in known.own else "catalogue"


def _said(schema: Json) -> str:
    return str(schema.get("description", "")) if isinstance(schema, dict) else ""


def _print_one(event_type: str, known: "Types") -> None:
    from gateway.catalogue import sample_of

    schema = known.schema(event_type)
    console().print(Text.assemble((event_type, "bold"), f": {_said(schema)}"), soft_wrap=True)
    _print_fields("data", schema)
    shared = schema.get("$defs", {}) if isinstance(schema, dict) else {}
    for name, each in shared.items():
        _print_fields(name, each)
    if event_type not in known.own:
        console().print(Text("\nsample", style="bold"))
        _print_indented(sample_of(event_type))


def _print_fields(name: str, schema: Json) -> None:
    from gateway.catalogue.described import rows

    told = Text.assemble("\n", (name, "bold"))
    if name != "data" and (said := _said(schema)):
        told.append(f": {said}")
    console().print(told, soft_wrap=True)
    found = [
        (row.name, row.kind.replace("`", ""), "always" if row.required else "", row.meaning)
        for row in rows(schema)
    ]
    print_table(("field", "what it is", "there", "meaning"), found, empty="anything")


def _print_indented(event: Json) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(event, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()
