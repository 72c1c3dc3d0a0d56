"""`gateway explain`: what the routes make of an event, and why."""

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.text import Text

from gateway.cli.client import At, Client, NotRunning, Refused, TokenFile, connect, segment
from gateway.cli.encrypted import key_from_settings
from gateway.cli.exits import NO
from gateway.cli.options import (
    Database,
    Headers,
    Routes,
    content_of,
    parsed_headers,
)
from gateway.cli.output import AsJson, console, print_json, printable, shortened
from gateway.config.settings import Settings, read_settings
from gateway.core.errors import BodyCorrupt, ConfigError, EventErased, NotFound
from gateway.core.model import Event, EventId, Json, rfc3339_moment
from gateway.core.register import Answer, Entry, Knowledge, Look, Supposed, Wondering
from gateway.core.words import counted

RECORDED = re.compile(r"evt_\w+")
LONGEST_BODY = 2000
MOST_REQUESTS = 10
MOST_EVENTS = 5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE | EVENT",
            help="The routes file; or the id of a recorded event, evt_…",
            show_default=False,
        ),
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The body that the source would post, or the id of a recorded event;"
            " default: standard input (-).",
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="The source it comes in by; default: the first.")
    ] = None,
    header: Headers = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Tell of all routes that do not match, and of all requests."),
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What the register is supposed to know, as JSON: {collection: {key: value}}."
            " Default: what the running gateway's knows.",
        ),
    ] = None,
    routes: Routes = None,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say which routes match an event, why others do not, and what would be sent. Exit 1: none."""
    from gateway.clock import SystemClock
    from gateway.explaining import NEAREST, explained, explained_again

    file, event = _file_and_event(what, event, routes)
    in_force = _checked_routes(file, database)
    nearest = None if everything else NEAREST
    now = SystemClock().now()
    if RECORDED.fullmatch(event):
        if source is not None or header:
            raise typer.BadParameter("a recorded event has been read: no --source, no --header")
        found = _recorded(EventId(event), at, token_file, database)
        ask = partial(explained_again, in_force, found, now, nearest=nearest)
    else:
        given = parsed_headers(header)
        ask = partial(explained, in_force, source, _body(event), given, now, nearest=nearest)
    result = _informed(ask, known, partial(connect, at, token_file, database))
    if as_json:
        print_json(result)
    else:
        Printing(console(), everything=everything).result(result)
    if not any(route["fires"] for each in result["events"] for route in each["routes"]):
        raise typer.Exit(NO)


def _informed(
    ask: Callable[..., dict[str, Json]], known: Path | None, client: Callable[[], Client]
) -> dict[str, Json]:
    """The explanation, given what the register knows, or is supposed to, of what it asks about."""
    if known is not None:
        return ask(knowledge=Supposed(_supposed(known)))
    wondering = Wondering()
    told = ask(knowledge=wondering)
    if not wondering.looks:
        return told
    try:
        register = client()
    except NotRunning:
        print("gateway: none runs here, so the register counts as empty: --known FILE says what it knows",
              file=sys.stderr)  # fmt: skip
        return told
    return ask(knowledge=Knowledge({look: _answer_of(register, look) for look in wondering.looks}))


def _supposed(file: Path) -> dict[str, dict[str, Json]]:
    try:
        known = orjson.loads(content_of(file))
    except orjson.JSONDecodeError:
        known = None
    if not isinstance(known, dict) or not all(isinstance(each, dict) for each in known.values()):
        raise typer.BadParameter(f'{file} is no JSON such as {{"asset": {{"847116840": {{…}}}}}}')
    return known


def _answer_of(register: Client, look: Look) -> Answer:
    """What a gateway's register answers."""
    query: dict[str, Any] = {"key": look.key, "limit": 1}
    if look.key is None:
        query = {"where": ";".join(f"{name}={value}" for name, value in look.where), "limit": 500}
    found = register.get(f"/api/v1/register/{segment(look.collection)}", query)["items"]
    if look.key is None:
        return [each["value"] for each in found]
    return next((Entry(each["value"], rfc3339_moment(each["as_of"]) or 0) for each in found), None)


def _file_and_event(
    what: str | None, event: str | None, routes: Path | None
) -> tuple[Path | None, str]:
    """The routes file and the event that arguments and options name."""
    if what is None:
        return routes, event or "-"
    if RECORDED.fullmatch(what):
        if event is not None:
            raise typer.BadParameter(f"{what} and --event {event} are two events")
        return routes, what
    if routes is not None:
        raise typer.BadParameter(f"{what} and --routes {routes} are two routes files")
    return Path(what), event or "-"


def _checked_routes(file: Path | None, database: str | None) -> Any:
    from gateway.loading import check

    settings = read_settings({"routes": file, "database": database})
    checked = check(settings, os.environ, keep=False)
    if checked.routes is None:
        if file is not None and _is_event(file):
            raise typer.BadParameter(f"{file} is no routes file; is this an event? --event {file}")
        raise ConfigError(checked.loaded.errors)
    return checked.routes


def _is_event(file: Path) -> bool:
    """Whether a file looks like what a source would post: JSON, and not a routes file written so."""
    try:
        content = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return isinstance(content, (dict, list)) and "version" not in content


def _body(place: str) -> bytes:
    if place == "-" and sys.stdin.isatty():
        print(
            "gateway: type the event's body, then Ctrl-D; or name it with --event", file=sys.stderr
        )
    return content_of(Path(place))


# -- a recorded event ----------------------------------------------------------------------------------


def _recorded(
    name: EventId, at: str | None, token_file: Path | None, database: str | None
) -> Event:
    """The event of that name, from the gateway that has it, or out of the database where none runs."""
    from gateway.explaining import rebuilt

    try:
        client = connect(at, token_file, database)
    except NotRunning:
        settings = read_settings({"database": database})
        file = settings.database_file
        if file is None or not file.exists():
            raise
        return asyncio.run(_read_event(settings, file, name))
    shown = client.get(f"/api/v1/events/{segment(name)}")
    if shown["erased_at"] is not None:
        raise EventErased(name)
    if "left_out" in shown:
        raise Refused(
            f"the gateway at {client.url} leaves out what {name} holds",
            cure="use a token that has the scope payload too",
        )
    return rebuilt(shown)


async def _read_event(settings: Settings, path: Path, name: EventId) -> Event:
    from gateway.config.encryption import read_keys
    from gateway.store.rows import event_of
    from gateway.store.sqlite.read import reading

    with key_from_settings():
        async with reading(path, read_keys(settings.encryption_key)) as reader:
            row = await reader.event_row(name)
    if row is None:
        raise NotFound(f"there is no event {name} in {path}", cure="see `gateway events`")
    if row.is_erased:
        raise EventErased(name)
    event = event_of(row)
    if event is None:
        raise BodyCorrupt(f"the bytes of {name} in {path} have changed", cure="restore a backup")
    return event


# -- for people ----------------------------------------------------------------------------------------


class Printing:
    """Prints an explanation: lines that wrap within the terminal, whole in a pipe."""

    def __init__(self, out: Console, *, everything: bool) -> None:
        self._out = out
        self._everything = everything
        self._last_body = ""

    def result(self, result: dict[str, Json]) -> None:
        """All of it."""
        source, events = result["source"], result["events"]
        match result["outcome"]:
            case "ignored":
                self._line(f"{source} ignores it: its `event:` says so, and nothing is kept")
            case "inbox" | "refused" as outcome:
                self._problem(outcome, result["problem"])
        if len(events) > 1:
            self._line(f"{source} makes {counted(len(events), 'event')} of it", style="bold")
        told = events if self._everything else events[:MOST_EVENTS]
        for i, event in enumerate(told):
            if len(events) > 1:
                self._line("")
            self._event(event, f"{i + 1}. " if len(events) > 1 else "")
        if len(told) < len(events):
            self._line("")
            self._line(f"{len(events) - len(told)} more events: --all shows them", style="dim")

    def _problem(self, outcome: str, problem: dict[str, Json]) -> None:
        what = "goes to the inbox" if outcome == "inbox" else "is refused"
        self._line(f"it makes no event, and {what} ({problem['code']})", style="bold red")
        self._line(problem["what"], 2)
        self._line(f"what to do: {problem['cure']}", 2)

    def _event(self, told: dict[str, Json], number: str) -> None:
        event = told["event"]
        about = [event["type"], event.get("subject"), f"from {event['source']}", told.get("id")]
        self._line(number + "  ".join(str(each) for each in about if each), style="bold")
        firing = Counter((r["route"], r["endpoint"]) for r in told["requests"])
        for route in told["routes"]:
            self._route(route, firing)
        if told["left_out"]:
            more = counted(told["left_out"], "more route does", "more routes do")
            self._line(f"{more} not match: --all shows why", 2, style="dim")
        if not told["routes"] and not told["left_out"]:
            self._line("there are no routes", 2)
        if not any(route["matches"] for route in told["routes"]):
            for failure in told["failures"]:
                self._line(f"! {failure}", 2, style="bold red")
        self._requests(told["requests"])
        for each in told["planned"]:
            when = each["due_at"] or f"when the answer is {each['answer']}"
            self._line(f"{when}  {each['type']}, by {each['by']}: {_compact(each['data'])}", 2)

    # -- routes --------------------------------------------------------------------------------------

    def _route(self, route: dict[str, Json], firing: Counter[tuple[str, str]]) -> None:
        counts = {e: n for (name, e), n in firing.items() if name == route["name"]}
        mark = ("✗ ", "red")
        if route["fires"]:
            mark = ("✓ ", "green") if counts else ("○ ", "yellow")
        line = Text.assemble(mark, (route["name"], "bold" if route["fires"] else ""))
        notes = [route["owner"], "shadow: sends nothing" if route["mode"] == "shadow" else None]
        if any(notes):
            line.append(f" ({', '.join(filter(None, notes))})", "dim")
        if route["fires"]:
            places = [e if n == 1 else f"{e} ({n})" for e, n in counts.items()]
            line.append(f" → {', '.join(places)}" if places else ": matches, and sends nothing")
            if route["remembers"]:
                line.append(f"; tells the register of {', '.join(route['remembers'])}")
        elif not route["matches"]:
            line.append(
                f": {len(route['misses'])} of {counted(route['parts'], 'part')} failed", "dim"
            )
        self._line(line, 2)
        if not route["matches"]:
            for miss in route["misses"]:
                self._line(_why(miss), 6)
            return
        self._said("when", route["when"])
        self._said("once", route["once"], "; whether it has fired for it before is not looked up")
        for target in route["to"]:
            self._target(target)
        for failure in route["failures"]:
            detail = failure["detail"].removeprefix(f"route {route['name']}, ")
            self._line(f"! {detail}", 6, style="red")
            self._line(THEN[failure["then"]], 8)

    def _said(self, name: str, answer: dict[str, Json] | None, more: str = "") -> None:
        """What an expression of a route said; that it failed is told below."""
        if answer is not None and "value" in answer:
            value = answer["value"]
            shown = ("false" if value is False else "true") if isinstance(value, bool) else value
            self._line(f"{name} {answer['expression']} is {shown}{more}", 6)

    def _target(self, target: dict[str, Json]) -> None:
        name = f"{target['name']}, {target['endpoint']}" if target["name"] else target["endpoint"]
        each, when = target.get("each"), target.get("when")
        if each is not None and "items" in each:
            self._line(f"{name}: each {each['expression']} has {counted(each['items'], 'item')}", 6)
        if when is None:
            return
        true, asked = when["true"], when["true"] + when["false"]
        if each is not None and asked:
            self._line(f"{name}: when {when['expression']} is true for {true} of {asked}", 6)
        elif asked:
            self._line(f"{name}: when {when['expression']} is {'true' if true else 'false'}", 6)

    # -- requests ------------------------------------------------------------------------------------

    def _requests(self, requests: list[dict[str, Json]]) -> None:
        told = requests if self._everything else requests[:MOST_REQUESTS]
        for request in told:
            self._line("")
            shadow = " (shadow: not sent)" if request["mode"] == "shadow" else ""
            target = f"/{request['target']}" if request["target"] else ""
            self._line(f"{request['route']}{target} → {request['endpoint']}{shadow}", style="dim")
            for name, value in request["turn"].items():
                said = "; ".join(value) if isinstance(value, list) else value
                self._line(f"{name.replace('_', ' ')}: {said}", 2)
            self._handling(request) if "handler" in request else self._request(request)
        if len(told) < len(requests):
            more = counted(len(requests) - len(told), "more request")
            self._line("")
            self._line(f"{more}: --all shows them", style="dim")

    def _handling(self, request: dict[str, Json]) -> None:
        self._line(f"{request['handler']} would call {request['url']}", style="bold")
        for name, value in request["with"].items():
            self._line(f"{name}: {orjson.dumps(value).decode()}", 2)

    def _request(self, request: dict[str, Json]) -> None:
        self._line(f"{request['method']} {request['url']}", style="bold")
        for name, value in request["headers"].items():
            self._line(f"{name}: {value}", 2, style="dim")
        body = request["body"]
        if body and body == self._last_body:
            self._line("the same body", 2)
        elif body:
            self._body(_pretty(body))
        self._last_body = body

    def _body(self, text: str) -> None:
        for line in text[:LONGEST_BODY].splitlines():
            self._out.print(Text(printable(f"  {line}")), soft_wrap=True)
        if len(text) > LONGEST_BODY:
            more = len(text) - LONGEST_BODY
            self._line(f"… {more:,} more characters: --json has them", 2, style="dim")

    def _line(self, content: str | Text, indent: int = 0, *, style: str = "") -> None:
        """A line; on a terminal, one that is too long goes on below its own start."""
        text = content if isinstance(content, Text) else Text(content, style)
        text.plain = printable(text.plain.replace("\n", " "))
        margin = Text(" " * indent)
        if not self._out.is_terminal:
            self._out.print(margin + text, soft_wrap=True)
            return
        for line in text.wrap(self._out, max(20, self._out.width - indent)):
            self._out.print(margin + line, soft_wrap=True)


THEN = {
    "inbox": "so this is not sent, and the inbox says why",
    "match": "so it counts as true (on_error: match)",
    "skip": "so this is not sent, and only counted (on_error: skip)",
}
"""What `on_error` makes of an expression that failed."""


def _why(miss: dict[str, Json]) -> str:
    """What one part of a pattern wanted, and what there was; a `$not` wants that something is not so."""
    field, wanted = miss["field"], miss["wanted"]
    if wanted.startswith("not "):
        return f"{field}: {wanted.removeprefix('not ')} holds, and must not"
    return f"{field} is {miss['seen']}, wanted {wanted}"


def _pretty(body: str) -> str:
    """JSON as one reads it, other text as it is."""
    if len(body) > LONGEST_BODY:
        return body
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return body


def _compact(value: Json) -> str:
    """A value on one line."""
    return shortened(orjson.dumps(value).decode())
