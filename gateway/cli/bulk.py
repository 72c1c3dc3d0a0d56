"""Send again: one delivery or event by its id, or all that fit a filter, page by page."""

import contextlib
import secrets
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NoReturn

import typer

from gateway.cli.client import At, Client, TokenFile, connect, segment
from gateway.cli.completion import endpoint_names
from gateway.cli.exits import INTERRUPTED, NO
from gateway.cli.options import Database, Since, Until
from gateway.cli.output import AsJson, console, print_json, print_table, printable
from gateway.core.bulk import DEFAULT_RATE, add_events, add_groups
from gateway.core.errors import StoreUnavailable
from gateway.core.model import Json
from gateway.core.words import counted

SHOWN_FAILURES = 20
SHOWN_GROUPS = 40
USUAL_RATE = f"{DEFAULT_RATE[0]}/s"

Show = Callable[[int], None]
"""Shows that so many are done."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Rate = Annotated[
    str | None,
    typer.Option(metavar="RATE", help=f"At most so many: 50/s, 100/m. Default: {USUAL_RATE}."),
]
Resume = Annotated[
    str | None, typer.Option(metavar="OPERATION", help="Go on with one that was interrupted.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(redeliver)
    app.command()(replay)


def redeliver(
    delivery: Annotated[
        str | None, typer.Argument(metavar="ID", help="This one alone.", show_default=False)
    ] = None,
    state: Annotated[
        Literal["dead", "cancelled"] | None,
        typer.Option(
            help="Those that are dead (so it is where nothing else is said), or cancelled."
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="To this endpoint.", autocompletion=endpoint_names),
    ] = None,
    route: Annotated[str | None, typer.Option(help="By this route.")] = None,
    reason: Annotated[
        str | None, typer.Option(help="Of this reason, as `gateway dead --by reason` shows it.")
    ] = None,
    event: Annotated[str | None, typer.Option(metavar="ID", help="Of this event.")] = None,
    event_type: Annotated[
        str | None, typer.Option("--type", help="Of events of this type.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Of events about this.")] = None,
    since: Since = None,
    until: Until = None,
    act_again: Annotated[
        bool,
        typer.Option(
            "--act-again",
            help="Of one ID: its handler may do once more what was begun, and of which nobody knows what came of it.",
        ),
    ] = False,
    rate: Rate = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    resume: Resume = None,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Put dead or cancelled deliveries back on schedule, under the same ids.

    One by its ID, or all that fit the options. They come back over time, at the rate, so that what
    else is on its way to the endpoint goes on. Ctrl-C stops it; to run it again does what is left.
    """
    client = connect(at, token_file, database)
    sought = said(
        state=state, endpoint=endpoint, route=route, reason=reason, event=event, type=event_type,
        subject=subject, since=since, until=until,
    )  # fmt: skip
    _check_alone(delivery, sought, resume, begins=dry_run or rate is not None)
    if act_again and delivery is None:
        raise typer.BadParameter("--act-again is for one delivery: name its ID")
    if delivery is not None:
        query = {"act_again": "true" if act_again else None}
        answer = client.post(f"/api/v1/deliveries/{segment(delivery)}/redeliver", query=query)
        _done(answer, f"{delivery} is back on schedule", as_json=as_json)
        return
    bulk = _Bulk(client, "redeliver", "/api/v1/deliveries/redeliver", rate, as_json)
    if resume is not None:
        bulk.go_on(resume, None, None)
        return
    check_consent(dry_run=dry_run, yes=yes, as_json=as_json)
    found = counted_groups(lambda more: client.post(bulk.path, {"filter": sought, **more}))
    total = found["deliveries"]
    if as_json and (dry_run or not total):
        print_json(found)
    elif not as_json:
        print_groups(found, empty="no such deliveries")
    if dry_run or not total:
        return
    what = counted(total, "delivery", "deliveries")
    consent(f"Put {what} back on schedule, {rate or USUAL_RATE}?", yes=yes)
    bulk.begin({**sought, "until": found["until"]}, total)


def replay(
    event: Annotated[
        str | None, typer.Argument(metavar="ID", help="This one alone.", show_default=False)
    ] = None,
    source: Annotated[str | None, typer.Option(help="From this source.")] = None,
    event_type: Annotated[str | None, typer.Option("--type", help="Of this type.")] = None,
    subject: Annotated[str | None, typer.Option(help="About this.")] = None,
    unmatched: Annotated[
        bool, typer.Option("--unmatched", help="That no route took when they came.")
    ] = False,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only what goes to this endpoint is sent.",
            autocompletion=endpoint_names,
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    rate: Rate = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    resume: Resume = None,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Route stored events again, by today's routes: new deliveries.

    One by its ID, or all that fit the options, at the rate. Ctrl-C stops it; --resume goes on where
    it was, and routes no event twice.
    """
    client = connect(at, token_file, database)
    sought = said(
        source=source, type=event_type, subject=subject, unmatched=unmatched or None,
        endpoint=endpoint, since=since, until=until,
    )  # fmt: skip
    _check_alone(event, sought, resume, begins=dry_run or rate is not None)
    if event is not None:
        answer = client.post(f"/api/v1/events/{segment(event)}/replay")
        made = answer["deliveries"]
        text = f"{counted(len(made), 'new delivery', 'new deliveries')}: {', '.join(made) or 'no route matches'}"
        _done(answer, text, as_json=as_json)
        return
    bulk = _Bulk(client, "replay", "/api/v1/events/replay", rate, as_json)
    if resume is not None:
        bulk.go_on(resume, None, None)
        return
    check_consent(dry_run=dry_run, yes=yes, as_json=as_json)
    found = _counted_events(client, bulk.path, sought)
    total = found["events"]
    if as_json and (dry_run or not total):
        print_json(found)
    elif not as_json:
        _print_events(found)
    if dry_run or not total:
        return
    consent(f"Route {counted(total, 'event')} again, {rate or USUAL_RATE}?", yes=yes)
    bulk.begin({**sought, "until": found["until"]}, total)


# -- what would be done --------------------------------------------------------------------------------


def print_groups(found: dict[str, Json], *, empty: str, commands: bool = False) -> None:
    """Dead or cancelled deliveries by endpoint and reason; with the commands that redeliver each group."""
    print_table(
        ("endpoint", "state", "reason", "deliveries", "oldest", "redeliver them"),
        (
            (
                group["endpoint"],
                "" if group["endpoint_state"] == "open" else group["endpoint_state"],
                group["reason"],
                group["deliveries"],
                group["sample"],
                _redelivers(group) if commands else "",
            )
            for group in found["groups"][:SHOWN_GROUPS]
        ),
        empty=empty,
    )
    more = max(len(found["groups"]) - SHOWN_GROUPS, 0) + found["more_groups"]
    if more:
        console().print(f"and {counted(more, 'smaller group')}")


def _redelivers(group: dict[str, Json]) -> str:
    endpoint, reason = shlex.quote(group["endpoint"]), shlex.quote(group["reason"])
    return f"gateway redeliver --endpoint {endpoint} --reason {reason}"


def counted_groups(ask: Callable[[dict[str, Json]], dict[str, Json]]) -> dict[str, Json]:
    """The groups that *ask* tells of, added up over its pages, the largest first."""
    found = ask({})
    while found["next"] is not None:
        add_groups(found, ask({"cursor": found["next"]}))
    return found


def _counted_events(client: Client, path: str, sought: dict[str, Json]) -> dict[str, Json]:
    """What a dry run finds, added up over its pages."""
    found: dict[str, Json] = client.post(path, {"filter": sought})
    sought = {**sought, "until": found["until"]}
    while found["next"] is not None:
        add_events(found, client.post(path, {"filter": sought, "cursor": found["next"]}))
    del found["next"]
    found["groups"].sort(key=lambda group: (group["source"], group["type"]))
    return found


def _print_events(found: dict[str, Json]) -> None:
    print_table(
        ("source", "type", "events"),
        ((group["source"], group["type"], group["events"]) for group in found["groups"]),
        empty="no such events",
    )
    sample = found["sample"]
    if sample["events"]:
        made = [
            f"{each['deliveries']} to {each['endpoint']} by {each['route']}"
            for each in sample["deliveries"]
        ]
        first = "It" if sample["events"] == 1 else f"The first {sample['events']}"
        text = f"{first} would make, by today's routes: {', '.join(made) or 'no deliveries'}"
        console().print(printable(text), markup=False)
        print_failures(sample["failures"])


def print_failures(failures: Sequence[dict[str, Json]]) -> None:
    """The first of them, on standard error: which `event` it was, by which `route`, and why."""
    for each in failures[:SHOWN_FAILURES]:
        route = f" {each['route']}" if each["route"] else ""
        print(printable(f"{each['event']}{route}: {each['detail']}"), file=sys.stderr)
    if len(failures) > SHOWN_FAILURES:
        print(f"and {len(failures) - SHOWN_FAILURES} more like these", file=sys.stderr)


# -- doing it ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Bulk:
    """An operation, driven from here: the gateway does a page each time it is asked."""

    client: Client
    command: Literal["redeliver", "replay"]
    path: str
    rate: str | None
    as_json: bool

    def begin(self, sought: dict[str, Json], total: int) -> None:
        """Begin one, and see it through."""
        name = f"op_{secrets.token_hex(8)}"
        print(f"operation {name}", file=sys.stderr, flush=True)
        self.go_on(name, sought, total)

    def go_on(self, name: str, sought: dict[str, Json] | None, total: int | None) -> None:
        """See an operation through; interrupted, say how to go on with it."""
        try:
            with progress_bar(self.command, total) as show:
                operation = self._pages(name, sought, show)
        except KeyboardInterrupt:
            self._interrupted(name)
        except StoreUnavailable:
            print(self._how_to_go_on(name), file=sys.stderr)
            raise
        print_json(operation) if self.as_json else console().print(_told(operation))
        if operation["failed"]:
            raise typer.Exit(NO)

    def _pages(self, name: str, sought: dict[str, Json] | None, show: Show) -> dict[str, Json]:
        never = threading.Event()
        body = {"operation": name, "dry_run": False, "rate": self.rate, "filter": sought}
        while True:
            given = {key: value for key, value in body.items() if value is not None}
            answer = self.client.post(self.path, given)
            operation: dict[str, Json] = answer["operation"]
            body["filter"] = body["rate"] = None  # it knows
            show(operation["done"])
            print_failures(answer["failures"])
            if answer["finished"]:
                return operation
            never.wait(answer["wait_ms"] / 1000)

    def _interrupted(self, name: str) -> NoReturn:
        operation = self.client.get(f"/api/v1/operations/{segment(name)}")
        text = f"stopped: so far {_told(operation)}; {self._how_to_go_on(name)}"
        print(text, file=sys.stderr)
        raise typer.Exit(INTERRUPTED)

    def _how_to_go_on(self, name: str) -> str:
        return f"go on with `gateway {self.command} --resume {name}`"


def _told(operation: dict[str, Json]) -> str:
    """What an operation has done, in words."""
    done = operation["done"]
    if operation["action"] == "redeliver":
        return f"{counted(done, 'delivery is', 'deliveries are')} back on schedule"
    made = counted(operation["made"], "new delivery", "new deliveries")
    failed = f"; {counted(operation['failed'], 'event')} failed" if operation["failed"] else ""
    return f"{counted(done, 'event')} routed again: {made}{failed}"


@contextlib.contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[Show]:
    """A bar on a terminal, nothing elsewhere."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console(to_stderr=True),
    )  # fmt: skip
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


# -- what is asked for ---------------------------------------------------------------------------------


def said(**options: Json) -> dict[str, Json]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _check_alone(
    name: str | None, sought: dict[str, Json], resume: str | None, *, begins: bool
) -> None:
    """Whether one thing is asked for: an ID, a filter, or to go on.

    *begins*: an option was given that counts only where an operation is to begin.
    """
    asked = sum((name is not None, bool(sought), resume is not None))
    if asked > 1:
        raise typer.BadParameter("give an ID, or options that say which, or --resume")
    if asked == 0:
        raise typer.BadParameter("give an ID, or say which: `--since 2h`, for instance")
    if begins and not sought:
        raise typer.BadParameter("--dry-run and --rate go with options that say which")


def check_consent(*, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Whether someone has agreed, or can be asked."""
    if dry_run or yes or (sys.stdin.isatty() and sys.stdout.isatty() and not as_json):
        return
    raise typer.BadParameter("nobody can be asked here: add --dry-run first, then --yes")


def consent(question: str, *, yes: bool) -> None:
    """Ask, unless that was answered before; a no ends the command."""
    if not yes and not typer.confirm(question):
        raise typer.Exit(NO)


def _done(answer: Json, text: str, *, as_json: bool) -> None:
    print_json(answer) if as_json else console().print(text)
