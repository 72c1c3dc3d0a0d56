"""Commands for operators: what is there, what is wrong, and once more."""

from typing import Annotated, Literal

import typer
from rich.markup import escape

from gateway.cli.bulk import counted_groups, print_groups
from gateway.cli.client import At, Client, TokenFile, connect, segment
from gateway.cli.completion import endpoint_names
from gateway.cli.exits import NO
from gateway.cli.options import Database, Since, Until
from gateway.cli.output import AsJson, ago, console, print_json, print_table, printable
from gateway.cli.polls import print_polls
from gateway.core.attention import is_left_alone
from gateway.core.model import Json
from gateway.core.words import WITHHELD, counted, waits_for

Limit = Annotated[int, typer.Option(min=1, max=500, help="At most so many.")]
Endpoint = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only to this endpoint.", autocompletion=endpoint_names),
]
Source = Annotated[str | None, typer.Option(metavar="NAME", help="Only from this source.")]
Type = Annotated[str | None, typer.Option("--type", help="Only of events of this type.")]
Subject = Annotated[str | None, typer.Option(help="Only of events about this.")]
Route = Annotated[str | None, typer.Option(metavar="NAME", help="Only by this route.")]
Event = Annotated[str | None, typer.Option("--event", metavar="ID", help="Only of this event.")]
Reason = Annotated[
    str | None, typer.Option(help="Only where the last reason begins so: http-503, egress-denied.")
]
Text = Annotated[
    str | None,
    typer.Option(
        help="Only with this in an id: how one of ours begins, or any part of the sender's."
    ),
]
Key = Annotated[str | None, typer.Option(help="Only of this key of `order`.")]
State = Annotated[
    str | None,
    typer.Option(metavar="STATE", help="Only in this state: scheduled, dead, delivered …"),
]

MOST_ENDPOINTS, MOST_TROUBLES = 6, 6
"""So many `status` shows: it is to be read at a glance."""
MOST_PLANNED = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (
        status, events, deliveries, dead, cancel, pause, resume, audit,
    ):  # fmt: skip
        app.command()(command)


def status(
    at: At = None, token_file: TokenFile = None, database: Database = None, as_json: AsJson = False
) -> None:
    """What runs, what waits, and what needs attention. Exit 1 when something does."""
    client = connect(at, token_file, database)
    state = client.get("/api/v1/status")
    print_json(state) if as_json else _print_status(client, state)
    if state["attention"]:
        raise typer.Exit(NO)


def _print_status(client: Client, state: dict[str, Json]) -> None:
    routes, stats = state["routes"], state["stats"]
    console().print(
        f"rights-gateway {state['version']} at {client.url}, {'ready' if state['ready'] else 'NOT READY'};"
        f" {routes['file']} {routes['fingerprint']}; {counted(stats['unmatched'], 'unmatched event')};"
        f" {stats['inbox']} in the inbox, and {counted(stats['refused'], 'refused request')}"
    )
    shown, others = _shown_endpoints(state)
    print_table(
        ("endpoint", "state", "running", "scheduled", "late", "dead", "owner"),
        (
            (
                each["name"],
                f"breaker {each['breaker']}" if is_left_alone(each) else each["state"],
                each["running"],
                _waiting(state, each),
                _late_or_dead(state, each)[0] or "",
                _late_or_dead(state, each)[1] or "",
                each["owner"],
            )
            for each in shown
        ),
        empty="no endpoints",
    )
    if others:
        console().print(f"and {counted(others, 'other')}: see `gateway endpoints`")
    for node in state["nodes"] if len(state["nodes"]) > 1 else ():
        this = ", which tells this" if node["this"] else ""
        console().print(
            f"node {node['name']} ({node['id']}), {node['version']}, {node['routes']},"
            f" started {ago(node['started_at'])}, seen {ago(node['seen_at'])}{this}"
            f"{', [red]lost[/]' if node['lost'] else ''}"
        )
    print_polls(state["polls"])
    if routes["unverified"]:
        names = ", ".join(routes["unverified"])
        console().print(f"[red]not verified: anyone who reaches it can post to {names}[/]")
    troubles = state["attention"]
    for trouble in troubles[:MOST_TROUBLES]:
        console().print(f"[bold red]![/] {escape(printable(trouble))}")
    if len(troubles) > MOST_TROUBLES:
        console().print(
            f"[bold red]![/] and {len(troubles) - MOST_TROUBLES} more: see `gateway status --json`"
        )


def _shown_endpoints(state: dict[str, Json]) -> tuple[list[dict[str, Json]], int]:
    """Those to show, in the order of the file, and how many others there are: what is well is the last to be shown."""
    endpoints = state["endpoints"]

    def urgency(each: dict[str, Json]) -> tuple[bool, int, int, int]:
        held = each["state"] != "open" or is_left_alone(each)
        return (held, *_late_or_dead(state, each), _waiting(state, each))

    first = sorted(endpoints, key=urgency, reverse=True)[:MOST_ENDPOINTS]
    names = {each["name"] for each in first}
    return [each for each in endpoints if each["name"] in names], len(endpoints) - len(first)


def _waiting(state: dict[str, Json], endpoint: dict[str, Json]) -> int:
    return int(state["stats"]["scheduled"].get(endpoint["name"], {}).get("count", 0))


def _late_or_dead(state: dict[str, Json], endpoint: dict[str, Json]) -> tuple[int, int]:
    name = endpoint["name"]
    return state["late"].get(name, 0), state["stats"]["dead"].get(name, {}).get("count", 0)


def events(
    event: Annotated[str | None, typer.Argument(help="Show this one, with its deliveries.")] = None,
    source: Source = None,
    event_type: Type = None,
    subject: Subject = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only with a delivery in this state.")
    ] = None,
    unmatched: Annotated[
        bool, typer.Option("--unmatched", help="Only what no route took.")
    ] = False,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """The latest events; or one, with all that became of it."""
    client = connect(at, token_file, database)
    if event is not None:
        shown = client.get(f"/api/v1/events/{segment(event)}")
        if as_json:
            print_json(shown)
            return
        print_event(shown)
        _print_planned(client, shown["id"])
        return
    query = {
        "source": source, "type": event_type, "subject": subject, "state": state, "text": text,
        "unmatched": "true" if unmatched else None, "since": since, "until": until, "limit": limit,
    }  # fmt: skip
    page = client.listing("/api/v1/events", query)
    if as_json:
        print_json(page)
        return
    empty = "no events: send one with `gateway send`"
    if unmatched:
        empty = "no unmatched events: routes took every one"
    elif says_more(query):
        empty = "no such events"
    print_table(
        ("id", "type", "subject", "source", "deliveries", "received"),
        (
            (e["id"], e["type"], e["subject"], e["source"], e["deliveries"], ago(e["received_at"]))
            for e in page["items"]
        ),
        empty=empty,
    )


def print_event(event: dict[str, Json]) -> None:
    """An event and what became of it."""
    attributes = event["attributes"]
    erased = f", erased {ago(event['erased_at'])}" if event["erased_at"] else ""
    console().print(
        f"{event['id']}  {attributes['type']}  {attributes.get('subject', '')}"
        f"  from {event['source']}, {ago(event['received_at'])}{erased}"
    )
    print_table(
        ("delivery", "endpoint", "route", "state", "attempts", "last", "owner", "reason"),
        (
            (
                d["id"],
                d["endpoint"],
                _route_and_target(d),
                d["state"],
                len(d["attempts"]),
                _last(d["attempts"]),
                d["owner"],
                _reason(d),
            )
            for d in event["deliveries"]
        ),
        empty="" if event["withheld"] else "no route took it",
    )
    if event["deliveries_next"] is not None:
        console().print(f"these are the latest: `gateway deliveries --event {event['id']}` has all")
    for withheld in event["withheld"]:
        why = WITHHELD[withheld["reason"]]
        text = f"  {withheld['route']} {why} {withheld['detail']}"
        console().print(printable(text), markup=False)


def _print_planned(client: Client, event: str) -> None:
    """The next of what an event has planned, or asked."""
    page = client.get("/api/v1/plans", {"event": event, "limit": MOST_PLANNED})
    for each in page["items"]:
        told = f"  {each['planner']} planned {each['type']} {ago(each['due_at'])}, key {each['key']}, as {each['id']}"
        console().print(printable(told), markup=False)
    if page["next"]:
        console().print(f"and more: `gateway planned --event {event}` has all")


def _route_and_target(delivery: dict[str, Json]) -> str:
    """The route, with the name of its target where it has one."""
    target = delivery["target"]
    return f"{delivery['route']}/{target}" if target else str(delivery["route"])


def _reason(delivery: dict[str, Json]) -> str:
    """Of its last failure, its end or its waiting; and which others it waits for, if it does."""
    return "; ".join(filter(None, (delivery["reason"], waits_for(delivery))))


def _last(attempts: list[dict[str, Json]]) -> str:
    """The latest attempt, in a word or two."""
    if not attempts:
        return ""
    last = attempts[-1]
    return f"{last['status'] or last['outcome']} in {last['duration_ms']:.0f} ms"


def deliveries(
    delivery: Annotated[
        str | None, typer.Argument(help="Show this one, with its attempts.")
    ] = None,
    state: State = None,
    endpoint: Endpoint = None,
    route: Route = None,
    event: Event = None,
    key: Key = None,
    reason: Reason = None,
    source: Source = None,
    event_type: Type = None,
    subject: Subject = None,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """The latest deliveries; or one, with its attempts."""
    client = connect(at, token_file, database)
    if delivery is not None:
        shown = client.get(f"/api/v1/deliveries/{segment(delivery)}")
        print_json(shown) if as_json else _print_delivery(shown)
        return
    query = {
        "state": state, "endpoint": endpoint, "route": route, "event": event, "key": key,
        "reason": reason, "source": source, "type": event_type, "subject": subject, "text": text,
        "since": since, "until": until, "limit": limit,
    }  # fmt: skip
    page = client.listing("/api/v1/deliveries", query)
    empty = "no such deliveries" if says_more(query) else "no deliveries"
    print_json(page) if as_json else _print_deliveries(page, empty)


def _print_deliveries(page: dict[str, Json], empty: str) -> None:
    print_table(
        ("id", "endpoint", "route", "state", "attempts", "due", "owner", "reason"),
        (
            (
                d["id"],
                d["endpoint"],
                _route_and_target(d),
                d["state"],
                d["attempts"],
                ago(d["due_at"]) if d["state"] == "scheduled" and not d["waits_for"] else "",
                d["owner"],
                _reason(d),
            )
            for d in page["items"]
        ),
        empty=empty,
    )


def _print_delivery(delivery: dict[str, Json]) -> None:
    waiting = waits_for(delivery)
    console().print(
        f"{delivery['id']}  {delivery['state']}  to {delivery['endpoint']} by {delivery['route']}"
        f"{waiting and f', {waiting}'}"
    )
    for attempt in delivery["attempts"]:
        told = [attempt["outcome"], attempt["status"], attempt["reason"]]
        what = " ".join(str(each) for each in told if each is not None)
        console().print(
            f"  {attempt['number']}. {ago(attempt['started_at'])}: {what}"
            f" in {attempt['duration_ms']:.0f} ms",
            markup=False,
        )
        for call in attempt["calls"]:
            console().print(f"     {call['method']} {call['url']} {call['status']}", markup=False)
        if attempt.get("excerpt") and attempt["outcome"] != "accepted":
            console().print(f"     {attempt['excerpt'][:2000]}", markup=False, style="dim")


def dead(
    endpoint: Endpoint = None,
    route: Route = None,
    reason: Reason = None,
    event: Event = None,
    key: Key = None,
    source: Source = None,
    event_type: Type = None,
    subject: Subject = None,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    by: Annotated[
        Literal["reason"] | None,
        typer.Option(help="Count them by endpoint and reason, with what redelivers each group."),
    ] = None,
    limit: Limit = 20,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Deliveries that will not be attempted again, and why. Exit 1 when there are some."""
    client = connect(at, token_file, database)
    query = {
        "state": "dead", "endpoint": endpoint, "route": route, "reason": reason, "event": event,
        "type": event_type, "subject": subject, "since": since, "until": until,
    }  # fmt: skip
    more = {"key": key, "source": source, "text": text}
    if by == "reason":
        if says_more(more):
            raise typer.BadParameter("--by reason goes without --key, --source and --text")
        found = counted_groups(lambda page: client.get(GROUPS, {**query, **page}))
        print_json(found) if as_json else print_groups(found, empty=NO_DEAD_LETTERS, commands=True)
        some = found["groups"]
    else:
        page = client.listing("/api/v1/deliveries", {**query, **more, "limit": limit})
        print_json(page) if as_json else _print_deliveries(page, NO_DEAD_LETTERS)
        some = page["items"]
    if some:
        raise typer.Exit(NO)


GROUPS = "/api/v1/deliveries/groups"
NO_DEAD_LETTERS = "no dead letters"


def says_more(query: dict[str, Json]) -> bool:
    """Whether a listing was asked for more than its beginning."""
    return any(value is not None for name, value in query.items() if name != "limit")


Name = Annotated[str, typer.Argument(show_default=False)]


def cancel(
    name: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Cancel a delivery that is scheduled, or a planned event (`gateway planned` lists them)."""
    kind = "plans" if name.startswith("pln_") else "deliveries"
    answer = connect(at, token_file, database).post(f"/api/v1/{kind}/{segment(name)}/cancel")
    _done(answer, f"{name} is cancelled", as_json=as_json)


def pause(
    endpoint: Annotated[str, typer.Argument(show_default=False, autocompletion=endpoint_names)],
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why: `gateway endpoints` shows it.")
    ] = None,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Begin no attempt at an endpoint until it is resumed; its work waits."""
    path = f"/api/v1/endpoints/{segment(endpoint)}/pause"
    answer = connect(at, token_file, database).post(path, query={"reason": reason})
    _done(answer, f"{endpoint} is paused", as_json=as_json)


def resume(
    endpoint: Annotated[
        str | None,
        typer.Argument(metavar="[ENDPOINT]", show_default=False, autocompletion=endpoint_names),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="End the pause of a gateway that was started --paused.")
    ] = False,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Let attempts at an endpoint begin again, now: paused, disabled, blocked, its breaker open; or end a whole pause."""
    if everything == (endpoint is not None):
        raise typer.BadParameter("name an endpoint, or say --all")
    if endpoint is None:
        answer = connect(at, token_file, database).post("/api/v1/resume")
        _done(answer, "deliveries begin", as_json=as_json)
        return
    answer = connect(at, token_file, database).post(f"/api/v1/endpoints/{segment(endpoint)}/resume")
    _done(answer, f"{endpoint} is open", as_json=as_json)


def audit(
    who: Annotated[str | None, typer.Option(metavar="NAME", help="Only by this token.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this: pause, replay …")] = None,
    changed: Annotated[
        str | None,
        typer.Option("--object", metavar="NAME", help="Only of this: an endpoint, a delivery …"),
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Who changed what, and what came of it."""
    query = {
        "who": who, "action": action, "object": changed, "since": since, "until": until, "limit": limit,
    }  # fmt: skip
    page = connect(at, token_file, database).listing("/api/v1/audit", query)
    if as_json:
        print_json(page)
        return
    print_table(
        ("when", "who", "from", "action", "outcome", "on"),
        (
            (ago(e["at"]), e["who"], e["address"], e["action"], e["outcome"], e["object"])
            for e in page["items"]
        ),
        empty="no such changes" if says_more(query) else "nobody has changed anything",
    )


def _done(answer: Json, text: str, *, as_json: bool) -> None:
    print_json(answer) if as_json else console().print(text)
