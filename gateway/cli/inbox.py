"""`gateway inbox`: what was refused or could not be read, and reading that again."""

import sys
from typing import Annotated

import typer

from gateway.cli.bulk import (
    DryRun,
    Yes,
    check_consent,
    consent,
    print_failures,
    progress_bar,
    said,
)
from gateway.cli.client import At, Client, TokenFile, connect, segment
from gateway.cli.exits import NO
from gateway.cli.operate import Limit, says_more
from gateway.cli.options import Database, Since, Until
from gateway.cli.output import AsJson, ago, console, print_json, print_table, printable
from gateway.config.nearest import nearest
from gateway.core.errors import Conflict, NotFound
from gateway.core.listing import LARGEST_LIMIT
from gateway.core.model import Json
from gateway.core.verifying import OUTCOMES
from gateway.core.words import became, counted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(inbox)


def inbox(
    entry: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One entry, whole.", show_default=False)
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only from this source.")] = None,
    code: Annotated[str | None, typer.Option(help="Only for this reason.")] = None,
    outcome: Annotated[
        str | None, typer.Option(help="Only where verification failed so: bad_signature, …")
    ] = None,
    refused: Annotated[
        bool | None,
        typer.Option("--refused/--not-refused", help="Only requests that were refused, or none."),
    ] = None,
    unread: Annotated[
        bool | None,
        typer.Option(
            "--unread/--not-unread", help="Only what made no event, or what is about one."
        ),
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="ID", help="Only about this event.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Only with this in its id, or in that of its event.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    read_again: Annotated[
        bool,
        typer.Option(
            "--read-again", help="Read what was unreadable once more, by its source's `event:` now."
        ),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="With --read-again: all that fit; it asks first.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Requests that were refused, made no event, or not all that they should have, and why.

    With --read-again, what could not be read is read once more, after its source has been mended.
    """
    if outcome is not None and outcome not in OUTCOMES:
        cure = nearest(outcome, OUTCOMES)
        raise typer.BadParameter(f'verification has no outcome "{outcome}"; {cure}')
    query = {
        "source": source, "code": code, "outcome": outcome, "refused": _truth(refused),
        "unread": _truth(unread), "event": event, "text": text, "since": since, "until": until,
    }  # fmt: skip
    if not read_again and (everything or dry_run or yes):
        raise typer.BadParameter("--all, --dry-run and --yes go with --read-again")
    client = connect(at, token_file, database)
    if read_again:
        if everything == (entry is not None):
            raise typer.BadParameter("name an entry to read again, or say --all")
        if entry is not None:
            if dry_run or said(**query):
                raise typer.BadParameter("--dry-run and options that say which go with --all")
            _read_one(client, entry, as_json=as_json)
            return
        if refused or unread is False:
            raise typer.BadParameter("only what is unread and was not refused is read again")
        check_consent(dry_run=dry_run, yes=yes, as_json=as_json)
        _read_all(client, query, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    if entry is not None:
        found = client.get(f"/api/v1/inbox/{segment(entry)}")
        print_json(found) if as_json else _print_entry(found)
        return
    page = client.listing("/api/v1/inbox", {**query, "limit": limit})
    if as_json:
        print_json(page)
        return
    _print_inbox(page, "no entry fits" if says_more(query) else "the inbox is empty")


def _truth(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


# -- reading again -------------------------------------------------------------------------------------


def _read_one(client: Client, entry: str, *, as_json: bool) -> None:
    answer = _again(client, entry)
    if as_json:
        print_json(answer)
        return
    for event in answer["events"]:
        known = ", which had come before" if event["duplicate"] else ""
        console().print(f"{entry} is {event['id']}{known}")


def _read_all(
    client: Client, query: dict[str, Json], *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Read all that fit again, the oldest first, once somebody has agreed to their number."""
    names = _unread(client, query)
    what = counted(len(names), "entry", "entries")
    if dry_run or not names:
        print_json({"entries": len(names)}) if as_json else console().print(f"{what} would be read")
        return
    consent(f"Read {what} again?", yes=yes)
    made, failures = 0, []
    with progress_bar("read again", len(names)) as show:
        for done, name in enumerate(names, 1):
            try:
                made += sum(not each["duplicate"] for each in _again(client, name)["events"])
            except (Conflict, NotFound) as error:
                failures.append({"event": name, "route": None, "detail": str(error)})
            show(done)
    print_failures(failures)
    told = {"read": len(names) - len(failures), "made": made, "failed": len(failures)}
    if as_json:
        print_json(told)
    else:
        console().print(
            f"{counted(told['read'], 'entry', 'entries')} read: {counted(made, 'event')}"
        )
    if failures:
        print(f"{counted(len(failures), 'entry', 'entries')} could not be read", file=sys.stderr)
        raise typer.Exit(NO)


def _again(client: Client, entry: str) -> dict[str, Json]:
    answer: dict[str, Json] = client.post(f"/api/v1/inbox/{segment(entry)}/read-again")
    return answer


def _unread(client: Client, query: dict[str, Json]) -> list[str]:
    """The entries that fit and can be read again, oldest first: so their events come in order."""
    wanted = {**query, "refused": "false", "unread": "true", "limit": LARGEST_LIMIT}
    page = client.get("/api/v1/inbox", wanted)
    names = [each["id"] for each in page["items"]]
    while page["next"] is not None:
        page = client.get("/api/v1/inbox", {**wanted, "cursor": page["next"]})
        names += [each["id"] for each in page["items"]]
    return names[::-1]


# -- looking -------------------------------------------------------------------------------------------


def _print_inbox(page: dict[str, Json], empty: str) -> None:
    print_table(
        ("id", "what", "source", "code", "received", "detail"),
        (
            (e["id"], became(e), e["source"], e["code"], ago(e["received_at"]), e["detail"])
            for e in page["items"]
        ),
        empty=empty,
    )


def _print_entry(entry: dict[str, Json]) -> None:
    """One entry, whole. What strangers sent is text: none of it is taken for markup or a control."""
    lines = [f"{entry['id']}  {entry['code']}: {entry['detail']}"]
    lines += [f"source {entry['source']}, received {entry['received_at']}"]
    if entry["event_id"]:
        lines.append(f"about the event {entry['event_id']}")
    if entry["refused"]:
        lines += [f"refused; from {entry['peer']}", "", entry["method"]]
        headers = entry["headers"]  # text, where they are not what was stored
        lines += [headers] if isinstance(headers, str) else [": ".join(each) for each in headers]
        size, digest = entry["body_bytes"], entry["sha256"]
        read = f"a body of {size} bytes, sha256 {digest}; its start:"
        lines += ["", "its body was not read" if size is None else read]
    lines += ["", *_body_lines(entry)]
    for line in lines:
        console().print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _body_lines(entry: dict[str, Json]) -> list[str]:
    if "left_out" in entry:
        return [
            f"its body is left out: a token with the scope {entry['left_out']['scope']} shows it"
        ]
    return str(entry["body"]).splitlines()
