"""`gateway serve`: run the gateway until a signal ends it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.table import Table
from rich.text import Text

from gateway import __version__
from gateway.cli.exits import BAD_CONFIGURATION, FAILED
from gateway.cli.options import Database, Routes, setting
from gateway.cli.output import console, contents, loading_progress, own_command
from gateway.config.settings import Settings, read_settings
from gateway.core.egress import canonical
from gateway.core.errors import (
    BackupFailed,
    ConfigError,
    Problem,
    SchemaTooNew,
    StoreBroken,
    StoreUnusable,
)
from gateway.core.redaction import Redaction


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    routes: Routes = None,
    database: Database = None,
    listen: Annotated[str | None, setting("listen", "HOST:PORT")] = None,
    public_url: Annotated[str | None, setting("public_url", "URL")] = None,
    allowed_host: Annotated[list[str] | None, setting("allowed_host", "HOST")] = None,
    trusted_proxy: Annotated[list[str] | None, setting("trusted_proxy", "CIDR")] = None,
    max_connections: Annotated[str | None, setting("max_connections", "COUNT")] = None,
    max_in_flight: Annotated[str | None, setting("max_in_flight", "SIZE")] = None,
    ballast: Annotated[str | None, setting("ballast", "SIZE")] = None,
    disk_reserve: Annotated[str | None, setting("disk_reserve", "SIZE")] = None,
    address_rate: Annotated[str | None, setting("address_rate", "RATE")] = None,
    admin: Annotated[str | None, setting("admin", "HOST:PORT")] = None,
    admin_token_file: Annotated[Path | None, setting("admin_token_file", "FILE")] = None,
    admin_host: Annotated[list[str] | None, setting("admin_host", "NAME")] = None,
    encryption_key: Annotated[list[str] | None, setting("encryption_key", "FILE")] = None,
    traces: Annotated[str | None, setting("traces", "off|otlp")] = None,
    evidence: Annotated[str | None, setting("evidence", "on|off")] = None,
    evidence_key: Annotated[Path | None, setting("evidence_key", "FILE")] = None,
    retention: Annotated[str | None, setting("retention", "DURATION")] = None,
    retention_dead: Annotated[str | None, setting("retention_dead", "DURATION")] = None,
    retention_inbox: Annotated[str | None, setting("retention_inbox", "DURATION")] = None,
    retention_once: Annotated[str | None, setting("retention_once", "DURATION")] = None,
    retention_audit: Annotated[str | None, setting("retention_audit", "DURATION")] = None,
    retention_evidence: Annotated[str | None, setting("retention_evidence", "DURATION")] = None,
    retention_size: Annotated[str | None, setting("retention_size", "SIZE")] = None,
    retention_events: Annotated[str | None, setting("retention_events", "COUNT")] = None,
    egress_allow: Annotated[list[str] | None, setting("egress_allow", "CIDR")] = None,
    egress_port: Annotated[list[str] | None, setting("egress_port", "PORT")] = None,
    sender: Annotated[str | None, setting("sender", "KIND")] = None,
    production: Annotated[bool | None, setting("production")] = None,
    skip_backup: Annotated[bool | None, setting("skip_backup")] = None,
    paused: Annotated[bool | None, setting("paused")] = None,
    grace: Annotated[str | None, setting("grace", "DURATION")] = None,
    drain: Annotated[str | None, setting("drain", "DURATION")] = None,
    log: Annotated[str | None, setting("log", "FORM")] = None,
    log_level: Annotated[str | None, setting("log_level", "LEVEL")] = None,
    sample_receiver: Annotated[str | None, setting("sample_receiver", "HOST:PORT")] = None,
) -> None:
    """Receive webhooks, and deliver them, until SIGTERM or Ctrl-C.

    SIGHUP reloads the routes file; so does every change to it.
    """
    flags = {name: value for name, value in locals().items() if value not in (None, [])}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it would end us, and nothing has been read yet
    import uvloop

    try:
        settings = read_settings(flags)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except (ConfigError, SchemaTooNew, BackupFailed, StoreUnusable, StoreBroken) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(BAD_CONFIGURATION) from None


async def _serve(settings: Settings) -> None:
    from gateway.logs import set_up_logging
    from gateway.service import Service

    reload_early = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload_early.set)
    redaction = Redaction()
    set_up_logging(settings.log, settings.log_level, redaction.redact_line)
    with loading_progress() as progress:
        service = await Service.open(settings, progress=progress, redaction=redaction)
    try:
        receiver = await _sample_receiver(service)
    except BaseException:
        await service.close()
        raise
    asyncio.get_running_loop().set_exception_handler(service.loop_failed)
    try:
        await service.start()
        tell = partial(_print_start, service, receiver.url if receiver else None)
        await _until_told(service, reload_early, tell)
    finally:
        if receiver is not None:
            await receiver.stop()


async def _until_told(service: Any, reload_early: asyncio.Event, tell: Callable[[], None]) -> None:
    """*tell* that it serves, once signals are heard; until SIGTERM or SIGINT. A second one hurries the end.

    *reload_early* is set where SIGHUP came while it started, so that what was read may be outdated.
    """
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    received: list[signal.Signals] = []
    reloads: set[asyncio.Task[Any]] = set()

    def end(number: signal.Signals) -> None:
        received.append(number)
        if told.is_set():
            service.hurry()
        told.set()

    def reload() -> None:
        task = loop.create_task(service.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGHUP, reload)
    if reload_early.is_set():
        reload()
    tell()
    broken = loop.create_task(service.broken.wait())
    broken.add_done_callback(lambda _: told.set())
    await told.wait()
    # Not only unheard: the loop, as it closes, would let it end the process.
    loop.remove_signal_handler(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if service.broken.is_set():
        try:
            await service.break_off()
        finally:
            # Not even to close the database: SQLite would write to it, and remove its log.
            os._exit(FAILED)
    broken.cancel()
    # A person at the terminal waits for us; a load balancer has to be told first.
    moment = service.settings.drain if received[0] == signal.SIGTERM else 0
    await service.stop(moment=moment)


async def _sample_receiver(service: Any) -> Any:
    """The receiver that was asked for, if one was."""
    if service.settings.sample_receiver is None:
        return None
    from gateway.cli.receive import shown
    from gateway.clock import SystemClock
    from gateway.receiver import Receiver, keys_of
    from gateway.web.server import listen as listen_at

    if service.settings.production:
        what = "a sample receiver answers for nobody"
        cure = "leave it out in production"
        flag = "--sample-receiver"
        raise ConfigError(
            [Problem(file=flag, line=0, column=0, code="sample-receiver", what=what, cure=cure)]
        )
    receiver = Receiver(
        listen_at(service.settings.sample_receiver, "sample-receiver"),
        keys_of(service.routes.endpoints.values()),
        lambda arrived: shown(arrived, whole=False),
        lambda _arrived: 200,
        SystemClock().now,
    )
    await receiver.start()
    return receiver


PAUSED = "events are taken, and nothing is delivered until `gateway resume --all`"


def _print_start(service: Any, receiver: str | None) -> None:
    """What runs where, and the one command to type next."""
    out = console(to_stderr=True)
    out.print(f"[bold]rights-gateway {__version__}[/]")
    facts = Table.grid(padding=(0, 1))
    for label, text in _facts(service, receiver):
        facts.add_row(f"  {label:<9}", Text(text))
    out.print(facts)
    if receiver is not None:
        out.print(
            f"\nNow send it an event, from another terminal:\n\n  [bold]{_send_command()}[/]\n"
        )


def _facts(service: Any, receiver: str | None) -> list[tuple[str, str]]:
    settings, routes = service.settings, service.routes
    public_url = settings.public_url or service.public_url
    facts = [("PAUSED", PAUSED)] if settings.paused else []
    posting = {name: source for name, source in routes.sources.items() if source.poll is None}
    facts += [
        ("webhooks" if i == 0 else "", f"{public_url}/in/{name}{_open(source)}")
        for i, (name, source) in enumerate(posting.items())
    ]
    facts += [
        ("asks", f"{source.poll.url} for {name}")
        for name, source in routes.sources.items()
        if source.poll is not None
    ]
    facts += _reached(settings, service.public_url)
    everywhere = " and at all other addresses" if _at_all_addresses(settings.admin) else ""
    facts.append(("admin", f"{service.admin_url}{everywhere}"))
    if service.new_token:
        facts.append(("token", service.new_token))
        facts.append(
            ("", f"for the admin API; shown this once: {settings.admin_token_file} has its digest")
        )
    sealed = " (what comes is encrypted)" if settings.encryption_key else ""
    facts.append(("database", f"{settings.database}{sealed}"))
    facts.append(("routes", f"{settings.routes} ({contents(routes)})"))
    if service.made_secrets:
        facts.append(
            (
                "secrets",
                f"made up for development, kept in {settings.development_secrets} (mode 600):",
            )
        )
        facts.append(("", ", ".join(service.made_secrets)))
    facts.append(("calls", _calls(settings)))
    if receiver is not None:
        facts.append(("receiver", f"{receiver} shows what the endpoints are sent"))
    return facts


def _reached(settings: Settings, local_url: str) -> list[tuple[str, str]]:
    """How senders reach it, where that is not plain from the URLs of the sources."""
    facts = []
    if _at_all_addresses(settings.listen):
        facts.append(
            ("listens", f"at all addresses of this machine, port {urlsplit(local_url).port}")
        )
    elif settings.public_url is not None:
        facts.append(("listens", local_url))
    if settings.hosts:
        facts.append(("hosts", f"{', '.join(sorted(settings.hosts))}: requests name no other"))
    if settings.trusted_proxy:
        proxies = ", ".join(map(str, settings.trusted_proxy))
        facts.append(("proxies", f"{proxies}: their X-Forwarded-For is believed"))
    return facts


def _at_all_addresses(place: tuple[str, int]) -> bool:
    address = canonical(place[0])
    return address is not None and address.is_unspecified


def _open(source: Any) -> str:
    return "" if source.verified else "  (not verified: anyone may post)"


def _calls(settings: Settings) -> str:
    ports = ", ".join(map(str, sorted(settings.egress.ports)))
    text = f"go to public addresses, https on port {ports}"
    if settings.egress_allow:
        text += f"; to {', '.join(map(str, settings.egress_allow))}"
    return text if settings.production else f"{text}; and, in development, to this machine"


def _send_command() -> str:
    """`gateway send`, as it is typed where the user is: in a container, from outside of it."""
    if os.environ.get("RIGHTS_GATEWAY_IMAGE"):  # the Dockerfile sets it
        return f"docker exec {socket.gethostname()} gateway send"
    return f"{own_command()} send"
