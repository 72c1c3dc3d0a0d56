"""`gateway send` and `gateway ping`: an event in, as its source would send it; a test event out."""

import asyncio
import os
import secrets as entropy
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
import typer
from rich.text import Text

from gateway.catalogue import sample
from gateway.cli.client import At, TokenFile, connect, post, running, segment
from gateway.cli.completion import endpoint_names, type_names
from gateway.cli.exits import LATER, NO
from gateway.cli.operate import print_event
from gateway.cli.options import Database, Headers, Routes, content_of, parsed_headers
from gateway.cli.output import AsJson, console, own_command, print_json
from gateway.clock import SystemClock
from gateway.config.settings import Settings, read_settings
from gateway.core.errors import ConfigError, NotFound
from gateway.core.model import Json

WAIT_SECONDS = 10
ALLOWED_BY = (
    "That flag is one of `gateway serve`. A gateway that runs with it makes this call; ping does once it"
    " is in gateway.toml or in GATEWAY_EGRESS_ALLOW or GATEWAY_EGRESS_PORT, which both of them read."
)
FINAL = frozenset({"delivered", "dead", "cancelled", "superseded"})


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(send)
    app.command()(ping)


def send(
    bodies: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="What to post; - is standard input.", show_default=False
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="As which source; default: the first.", metavar="NAME")
    ] = None,
    sample_type: Annotated[
        str,
        typer.Option(
            "--sample",
            metavar="TYPE",
            autocompletion=type_names,
            help="Without a file: the sample of this type. `gateway types` has them.",
        ),
    ] = "license.expiring",
    header: Headers = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The gateway; default: the one that runs here."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for its deliveries, and show them.")
    ] = False,
    at: At = None,
    token_file: TokenFile = None,
    routes: Routes = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Post events to the gateway, signed as their source would sign them."""
    place = url or running(database)["public"]
    settings = read_settings({"routes": routes, "database": database})
    sender = _source(settings, source)
    headers = {**({} if url else _host(settings)), **parsed_headers(header)}
    now = SystemClock().now()
    if bodies:
        texts = [content_of(body) for body in bodies]
    else:
        texts = [orjson.dumps(sample(sample_type, now))]
    accepted = True
    for text in texts:
        answer = _post_as(sender, place, text, headers)
        accepted = accepted and answer["status"] < 300
        if as_json and not wait:
            print_json(answer)
        elif not as_json:
            _print_answer(answer, sender.name, hint=not wait)
        for one in _kept(answer) if wait else ():
            if _is_event(one):
                event = _settled(connect(at, token_file, database), one["id"])
                _print_settled(event, as_json=as_json)
    if not accepted:
        raise typer.Exit(NO)


def _host(settings: Settings) -> dict[str, str]:
    """The Host by which senders know the gateway that runs here, for one that takes no other."""
    if settings.public_url is not None:
        return {"host": urlsplit(settings.public_url).netloc}
    return {"host": settings.allowed_host[0]} if settings.allowed_host else {}


def _source(settings: Settings, name: str | None) -> Any:
    """The source to send as."""
    known = _routes(settings).sources
    if not known:
        raise NotFound("the routes file has no sources", cure="add one under `sources:`")
    found = known.get(name or next(iter(known)))
    if found is None:
        raise NotFound(f"there is no source {name}", cure=f"known: {', '.join(known)}")
    return found


def _routes(settings: Settings) -> Any:
    from gateway.loading import check

    checked = check(settings, os.environ, keep=False)
    if checked.routes is None:
        raise ConfigError(checked.problems)
    return checked.routes


def _post_as(source: Any, place: str, body: bytes, more: dict[str, str]) -> dict[str, Json]:
    """Post *body* as its source would, and what the gateway answered."""
    from gateway.core.verifying import Sending
    from gateway.explaining import looks_like_cloudevent

    cloudevent = looks_like_cloudevent(body)
    path = f"/in/{segment(source.name)}"
    request_id = f"msg_{entropy.token_hex(12)}"
    headers = source.verifier.sign(
        Sending(body, SystemClock().now(), request_id=request_id, target=path.encode())
    )
    headers["content-type"] = "application/cloudevents+json" if cloudevent else "application/json"
    headers.update(more)
    status, answer = post(f"{place}{path}", headers, body)
    try:
        fields = orjson.loads(answer) if answer else {}
    except orjson.JSONDecodeError:
        fields = {"detail": answer.decode("utf-8", "replace")}
    return {"status": status, **fields, **({} if status >= 300 else {"source": source.name})}


def _print_answer(answer: dict[str, Json], source: str, *, hint: bool) -> None:
    if answer["status"] >= 300:
        text = f"{answer['status']} {answer.get('title', '')}: {answer.get('detail', '')}"
        console().print(Text(text, style="bold red"))
        return
    status = (f"{answer['status']} ", "green")
    if answer.get("ignored"):
        why = f"ignored: the `event:` of {source} says so, and nothing is kept"
        console().print(Text.assemble(status, why))
    for one in _kept(answer):
        if not _is_event(one):
            console().print(Text.assemble(status, f"kept in the inbox as {one['id']}: no event"))
            console().print(f"see why: [bold]{own_command()} inbox[/]")
            continue
        kept = "a duplicate of" if one["duplicate"] else "kept as"
        console().print(Text.assemble(status, f"{kept} {one['id']}"))
        if hint:
            console().print(f"see what becomes of it: [bold]{own_command()} events {one['id']}[/]")


def _kept(answer: dict[str, Json]) -> list[dict[str, Json]]:
    """What the gateway kept of one request: nothing where it refused it, or tells nothing (204)."""
    several: list[dict[str, Json]] = answer.get("events", [])
    return several or ([answer] if "id" in answer else [])


def _is_event(kept: dict[str, Json]) -> bool:
    return not kept["id"].startswith("inb_")


def _settled(client: Any, event_id: str) -> dict[str, Json]:
    """The event once all its deliveries have ended, or as it is after a while."""
    path = f"/api/v1/events/{segment(event_id)}"
    deadline = time.monotonic() + WAIT_SECONDS
    event: dict[str, Json] = client.get(path)
    while time.monotonic() < deadline and any(d["state"] not in FINAL for d in event["deliveries"]):
        time.sleep(0.05)  # noqa: TID251  # a command that polls
        event = client.get(path)
    return event


def _print_settled(event: dict[str, Json], *, as_json: bool) -> None:
    if as_json:
        print_json(event)
    else:
        print_event(event)


def ping(
    endpoint: Annotated[str, typer.Argument(show_default=False, autocompletion=endpoint_names)],
    routes: Routes = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Send an endpoint a signed test event, now, past the queue.

    Exit 1 when it is refused: answered, but not with 2xx, or with what its `success` calls none. Exit 75
    when no answer comes.
    """
    from gateway.core.model import Accepted, Refused
    from gateway.core.retry import EGRESS_DENIED, TOKEN_DENIED

    settings = read_settings({"routes": routes, "database": database})
    known = _routes(settings).endpoints
    if endpoint not in known:
        raise NotFound(f"there is no endpoint {endpoint}", cure=f"known: {', '.join(known)}")
    outcome, call = asyncio.run(_ping(settings, known[endpoint]))
    taken = isinstance(outcome, Accepted)
    result: dict[str, Json] = {
        "endpoint": endpoint,
        "method": call.method,
        "url": call.url,
        "taken": taken,
    }
    if isinstance(outcome, (Accepted, Refused)):
        result["status"] = outcome.response.status
        result["body"] = outcome.response.text[:2000]
        if isinstance(outcome, Refused) and outcome.reason:
            result["reason"] = outcome.reason
    else:
        result["reason"], result["detail"] = outcome.reason, outcome.detail
    if as_json:
        print_json(result)
    else:
        said = ": ".join(
            str(result[key]) for key in ("status", "reason", "detail") if key in result
        )
        console().print(Text(f"--> {call.method} {call.url}", style="bold"))
        console().print(Text(f"<-- {said}", style="green" if taken else "bold red"))
        if (
            result.get("reason") in {EGRESS_DENIED, TOKEN_DENIED}
            and "; allow it with " in result["detail"]
        ):
            console().print(ALLOWED_BY, markup=False, soft_wrap=True)
    if not taken:
        raise typer.Exit(NO if "status" in result else LATER)


async def _ping(settings: Settings, endpoint: Any) -> tuple[Any, Any]:
    """One attempt with a test event; for a handler's endpoint a GET, which changes nothing."""
    from gateway.cli.own import own_addresses
    from gateway.core.model import Call, Delivery, event_id
    from gateway.core.routes import Source
    from gateway.core.success import judged
    from gateway.core.verifying import Inbound, NoVerifier
    from gateway.flows.deliver import request_of
    from gateway.flows.reading import read
    from gateway.flows.tokens import Tokens
    from gateway.sender.senders import make_senders

    clock = SystemClock()
    now = clock.now()
    if endpoint.handler is None:
        body = orjson.dumps({"type": "gateway.ping", "data": {"endpoint": endpoint.name}})
        request = Inbound("POST", {}, frozenset(), body, now)
        source = Source(name="gateway", verifier=NoVerifier())
        (event,) = read(source, request, None, lambda: event_id(now, entropy.randbits(48))).events
        call = request_of(endpoint, Delivery(event, 0, "ping", endpoint.name), now)
    else:
        call = Call(
            method="GET",
            url=endpoint.url,
            headers=endpoint.headers,
            body=b"",
            timeout=endpoint.timeout,
            tls=endpoint.tls,
        )
    senders = make_senders(
        settings.egress,
        own_addresses(settings),
        user_agent="rights-gateway-ping",
        only_aiohttp=settings.sender == "aiohttp",
    )
    sender = (
        senders.post if endpoint.posts_plainly else Tokens(senders.call, clock).sender(endpoint)
    )
    try:
        outcome = await sender.send(call)
    finally:
        await senders.close()
    if endpoint.success is not None and endpoint.handler is None:
        outcome = judged(outcome, endpoint.success, posted=True)
    return outcome, call
