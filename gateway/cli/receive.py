"""`gateway listen`: receive, verify, show."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.text import Text

from gateway.cli.options import Database, Routes, content_of
from gateway.cli.output import AsJson, console, print_json, printable
from gateway.config.settings import host_and_port
from gateway.core.model import Json
from gateway.core.words import counted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(listen)


def listen(
    routes: Routes = None,
    database: Database = None,
    at: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where.")
    ] = "127.0.0.1:8090",
    status: Annotated[int, typer.Option(help="What to answer.", min=200, max=599)] = 200,
    secret_file: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A file with a whsec_… or whsk_… secret to verify with."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Receive what endpoints are sent, verify its signature, and show it, until Ctrl-C.

    Knows the signing secrets of the endpoints in the routes file, where there is one.
    """
    from gateway.core.signing import parse_signing_key

    try:
        address = host_and_port(at)
        keys: list[Any] = [
            parse_signing_key(content_of(path).decode()) for path in secret_file or []
        ]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    keys += _endpoint_keys(routes, database)
    show = (lambda arrived: print_json(_as_dict(arrived))) if as_json else shown
    asyncio.run(_listen(address, keys, show, status))


def _endpoint_keys(routes: Path | None, database: str | None) -> list[Any]:
    import os

    from gateway.config.settings import read_settings
    from gateway.core.errors import ConfigError
    from gateway.loading import check
    from gateway.receiver import keys_of

    settings = read_settings({"routes": routes, "database": database})
    if not settings.routes.exists():
        return []
    checked = check(settings, os.environ)
    if checked.routes is None:
        raise ConfigError(checked.problems)
    return keys_of(checked.routes.endpoints.values())


async def _listen(address: tuple[str, int], keys: list[Any], show: Any, status: int) -> None:
    from gateway.clock import SystemClock
    from gateway.receiver import Receiver
    from gateway.web.server import listen as listen_at

    receiver = Receiver(
        listen_at(address, "listen"), keys, show, lambda _arrived: status, SystemClock().now
    )
    await receiver.start()
    console(to_stderr=True).print(
        f"listening at {receiver.url}, with {counted(len(keys), 'secret')} to verify signatures; Ctrl-C ends it"
    )
    try:
        await asyncio.Event().wait()
    finally:
        await receiver.stop()


def shown(arrived: Any, *, whole: bool = True) -> None:
    """Print a request and its answer, for a person; its whole body, or what it is about."""
    out = console()
    verdict = {"ok": ("signature ok", "green"), "unsigned": ("unsigned", "yellow")}
    text, style = verdict.get(arrived.verdict, (f"signature wrong ({arrived.verdict})", "bold red"))
    event = _decoded(arrived.body)
    about = ""
    if isinstance(event, dict) and "type" in event:
        about = f"  {event['type']} {event.get('subject', '')}"
    request = (f"--> {arrived.method} {printable(arrived.path)}  ", "bold")
    out.print(Text.assemble(request, (text, style), printable(about)), soft_wrap=True)
    if whole:
        for name, value in arrived.headers.items():
            out.print(Text(f"    {printable(name)}: {printable(value)}", style="dim"))
        body = arrived.body.decode("utf-8", "replace")
        if event is not None:
            body = orjson.dumps(event, option=orjson.OPT_INDENT_2).decode()
        out.print(Text("\n".join(f"    {printable(line)}" for line in body.splitlines())))
    answer = (f"<-- {arrived.status}  ", "green" if arrived.status < 300 else "bold red")
    name = (printable(arrived.headers.get("webhook-id", "")), "dim")
    out.print(Text.assemble(answer, name), soft_wrap=True)


def _decoded(body: bytes) -> Json:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _as_dict(arrived: Any) -> dict[str, Json]:
    return {
        "at": datetime.now().astimezone().isoformat(),  # noqa: TID251  # when it was shown
        "method": arrived.method,
        "path": arrived.path,
        "headers": arrived.headers,
        "body": arrived.body.decode("utf-8", "replace"),
        "verdict": arrived.verdict,
        "status": arrived.status,
    }
