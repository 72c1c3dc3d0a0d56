"""`gateway register`: what is known of things, looked up, told and copied."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

import typer

from gateway.cli.client import At, Client, TokenFile, connect, segment
from gateway.cli.exits import FIX
from gateway.cli.options import Database
from gateway.cli.output import AsJson, ago, console, print_json, print_table, shortened
from gateway.core.model import Json

PAGE = 500
MOST_TOLD, MOST_BYTES = 100, 512 * 1024
"""So many entries, and so large ones, are sent at once."""

Collection = Annotated[str, typer.Argument(show_default=False, help="Such as asset, or license.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Only where a field fits: 'asset_id=7', 'expires_at<2027-01-01'. All of several.",
    ),
]
Form = Literal["jsonl", "csv"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="What is known of things: assets, licences, where an image is used.")
    group.callback(invoke_without_command=True)(collections)
    group.command("find")(find)
    group.command("export")(export)
    group.command("import")(import_)
    app.add_typer(group, name="register")


def collections(
    context: typer.Context,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """What is known of things; without a command, how many there are of each kind."""
    if context.invoked_subcommand is not None:
        return
    found = connect(at, token_file, database).get("/api/v1/register")
    if as_json:
        print_json(found)
        return
    print_table(
        ("collection", "entries"),
        ((each["collection"], each["entries"]) for each in found["items"]),
        empty="nothing is known: routes tell the register by `remember:`",
    )


def find(
    collection: Collection,
    key: Annotated[
        str | None, typer.Argument(help="Only this one, with all that is known.")
    ] = None,
    where: Where = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="At most so many.")] = 20,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Find things of a collection by key or by their fields."""
    query = {"key": key, "where": ";".join(where or ()), "limit": limit}
    admin = connect(at, token_file, database)
    page = admin.get(_path(collection), query)
    if as_json:
        print_json(page)
    elif key is not None and page["items"]:
        print_json(page["items"][0])
    else:
        print_table(
            ("key", "as of", "event", "value"),
            ((e["key"], ago(e["as_of"]), e["event_id"], _short(e["value"])) for e in page["items"]),
            empty=_nothing(admin, collection) if not page["items"] else "",
        )
        if page["next"]:
            console().print("and more: see --limit, or `gateway register export`")


def export(
    collection: Collection,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put it there; default: standard output.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="JSON lines, or CSV.")] = "jsonl",
    where: Where = None,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
) -> None:
    """Write what is known of all things of a collection, so that `import` can read it."""
    entries = _pages(connect(at, token_file, database), collection, where)
    if out is None:
        _write(sys.stdout, form, entries)
        return
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            count = _write(file, form, entries)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    console(to_stderr=True).print(f"{count:,} entries are in {out}")


def import_(
    collection: Collection,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, show_default=False)],
    form: Annotated[
        Form | None, typer.Option("--format", help="Default: by the name of the file.")
    ] = None,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Tell the register of things. What is known of one by a newer event stays; to import twice does no harm.

    Each line has `key`, `value` and, if it has one, `as_of`; a CSV file has columns of these names, or any columns,
    which then are the fields of the value, with `key` among them.
    """
    form = form or ("csv" if file.suffix.lower() == ".csv" else "jsonl")
    client = connect(at, token_file, database)
    told = kept = 0
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for items in _batches(_read(lines, form)):
            answer = client.post(_path(collection), {"items": items})
            told, kept = told + len(items), kept + answer["kept"]
    if as_json:
        print_json({"told": told, "kept": kept})
        return
    newer = f"; of {told - kept:,} something newer is known" if kept < told else ""
    console().print(f"{kept:,} of {told:,} entries were taken{newer}")


def _path(collection: str) -> str:
    return f"/api/v1/register/{segment(collection)}"


def _nothing(admin: Client, collection: str) -> str:
    """Why nothing was found: nothing fits, or there is no such collection."""
    known = [each["collection"] for each in admin.get("/api/v1/register")["items"]]
    if collection in known:
        return f"nothing of {collection} fits"
    return f"nothing is known of {collection}; the register has: {', '.join(known) or '(nothing)'}"


def _short(value: Json) -> str:
    return shortened(json.dumps(value, ensure_ascii=False))


# -- files ---------------------------------------------------------------------------------------------


def _pages(client: Client, collection: str, where: list[str] | None) -> Iterator[dict[str, Json]]:
    query: dict[str, Any] = {"where": ";".join(where or ()), "limit": PAGE, "cursor": None}
    while True:
        page = client.get(_path(collection), query)
        yield from page["items"]
        if page["next"] is None:
            return
        query["cursor"] = page["next"]


def _write(file: TextIO, form: Form, entries: Iterable[dict[str, Json]]) -> int:
    count = 0
    rows = csv.writer(file)
    if form == "csv":
        rows.writerow(("key", "as_of", "value"))
    for count, each in enumerate(entries, start=1):  # noqa: B007  # it is the answer
        told = {name: each[name] for name in ("key", "as_of", "value")}
        if form == "csv":
            rows.writerow(
                (told["key"], told["as_of"], json.dumps(told["value"], ensure_ascii=False))
            )
        else:
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
    return count


def _read(file: TextIO, form: Form) -> Iterator[dict[str, Json]]:
    """The things that a file tells of; exits where a line is none."""
    rows: Iterable[tuple[int, Any]]
    if form == "csv":
        reader = csv.DictReader(file)
        rows = ((reader.line_num, row) for row in reader)
    else:
        rows = ((n, line) for n, line in enumerate(file, start=1) if line.strip())
    for number, row in rows:
        try:
            yield _of_row(row) if form == "csv" else _of_line(row)
        except (ValueError, KeyError, TypeError) as error:
            console(to_stderr=True).print(
                f"line {number} is no entry: {error}; it needs `key` and `value`", markup=False
            )
            raise typer.Exit(FIX) from None


def _of_line(line: str) -> dict[str, Json]:
    told = json.loads(line)
    if not isinstance(told["key"], str):
        raise ValueError("its key is no text")  # noqa: TRY004  # as all that is wrong with a line
    return {name: told[name] for name in ("key", "value", "as_of") if told.get(name) is not None}


def _of_row(row: dict[str, str]) -> dict[str, Json]:
    if None in row:
        raise ValueError("it has more cells than there are columns")
    as_of = {"as_of": row["as_of"]} if row.get("as_of") else {}
    if "value" in row:
        return {"key": row["key"], "value": json.loads(row["value"]), **as_of}
    value = {name: text for name, text in row.items() if name != "as_of" and text}
    return {"key": row["key"], "value": value, **as_of}


def _batches(entries: Iterable[dict[str, Json]]) -> Iterator[list[dict[str, Json]]]:
    batch: list[dict[str, Json]] = []
    size = 0
    for each in entries:
        batch.append(each)
        size += len(json.dumps(each))
        if len(batch) == MOST_TOLD or size > MOST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
