"""`gateway demo`: all of it on this machine, in one terminal."""

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.cli.exits import INTERRUPTED, NO
from gateway.cli.output import AsJson, console, print_json
from gateway.core.model import Json
from gateway.core.words import counted

if TYPE_CHECKING:
    from gateway.demo import Scene

FRAMES_A_SECOND = 8
LINES_EVERY_SECONDS = 2.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    to: Annotated[
        str | None, typer.Option(metavar="URL", help="End with a delivery to this URL of yours.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long events are sent.")] = 20,
    rate: Annotated[float, typer.Option(min=0.5, max=200, help="Events a second.")] = 6,
    as_json: AsJson = False,
) -> None:
    """Run a gateway with three receivers and a stream of events; one receiver fails for a while.

    Nothing is kept: the database is in a temporary folder. Ctrl-C ends it.
    """
    from gateway.logs import set_up_logging

    set_up_logging("auto", "error")
    try:
        result = asyncio.run(_demo(seconds, rate, to, as_json=as_json))
    except KeyboardInterrupt:
        console(to_stderr=as_json).print("\nended; nothing is left behind")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(result)
    else:
        _print_result(result)
    if not _went_well(result):
        raise typer.Exit(NO)


def _went_well(result: dict[str, Json]) -> bool:
    """Whether all that was kept arrived, verified; and the user's own delivery, if there was one."""
    arrived = result["delivered"] == result["deliveries"] and not result["signatures_wrong"]
    return bool(arrived) and bool(result.get("yours", {"delivered": True})["delivered"])


async def _demo(seconds: float, rate: float, to: str | None, *, as_json: bool) -> dict[str, Json]:
    from gateway.demo import Demo

    if sys.stdout.isatty() and not as_json:
        with Live(console=console(), auto_refresh=False) as live:
            shown = _Shown(
                lambda scene: live.update(_picture(scene), refresh=True), 1 / FRAMES_A_SECOND
            )
            result = await Demo(seconds=seconds, rate=rate, changed=shown).run(to)
            shown.last()
            return result
    lines = _Shown(_print_nothing if as_json else _print_line, LINES_EVERY_SECONDS)
    return await Demo(seconds=seconds, rate=rate, changed=lines).run(to)


class _Shown:
    """Shows the scene when it has changed, but only so often."""

    def __init__(self, show: Callable[["Scene"], None], every: float) -> None:
        self._show = show
        self._every = every
        self._shown_at = 0.0
        self._scene: Scene | None = None

    def __call__(self, scene: "Scene") -> None:
        now = asyncio.get_running_loop().time()
        self._scene = scene
        if now - self._shown_at >= self._every:
            self._shown_at = now
            self._show(scene)

    def last(self) -> None:
        """Show it as it is in the end."""
        if self._scene is not None:
            self._show(self._scene)


def _print_nothing(_scene: "Scene") -> None:
    pass


def _picture(scene: "Scene") -> Group:
    """The scene as a table, with what arrived last below it."""
    from gateway.demo import FAILING, RECEIVERS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("receiver", "arrived", "signature ok", "refused", ""):
        table.add_column(column, justify="left" if column in {"receiver", ""} else "right")
    for name in RECEIVERS:
        failing = scene.failing and name == FAILING
        table.add_row(
            name,
            str(scene.arrived[name]),
            str(scene.verified[name]),
            str(scene.refused[name]),
            Text("answers 503: its deliveries wait and are retried", style="bold red")
            if failing
            else Text("ok", style="green"),
        )
    gateway = Text.assemble(
        ("gateway  ", "bold"),
        f"{counted(scene.kept, 'event')} kept, {scene.unmatched} of them unmatched;"
        f" {counted(scene.promised, 'delivery', 'deliveries')}: ",
        (f"{scene.ended['delivered']} delivered", "green"),
        f", {scene.waiting} waiting, ",
        (f"{scene.ended['dead']} dead", "bold red" if scene.ended["dead"] else ""),
        f"; {counted(scene.retried, 'retry', 'retries')}",
    )
    recent = [Text(line, style="dim") for line in scene.recent]
    return Group(gateway, Text(), table, Text(), *recent)


def _print_line(scene: "Scene") -> None:
    state = ", alerting answers 503" if scene.failing else ""
    console().print(
        f"{counted(scene.kept, 'event')} kept, {scene.ended['delivered']} of"
        f" {counted(scene.promised, 'delivery', 'deliveries')} made,"
        f" {counted(scene.retried, 'retry', 'retries')}{state}"
    )


def _print_result(result: dict[str, Json]) -> None:
    out = console()
    out.print()
    out.print(
        f"{counted(result['events_kept'], 'event was', 'events were')} kept and made"
        f" {counted(result['deliveries'], 'delivery', 'deliveries')}"
        f" ({counted(result['events_unmatched'], 'event')} matched no route; all are kept all the same)."
    )
    out.print(
        f"All {result['delivered']} arrived; answers 503 on the way, each followed by another"
        f" attempt: {result['attempts_refused']}; signatures that verified:"
        f" {result['signatures_verified']}, that did not: {result['signatures_wrong']}."
        if result["delivered"] == result["deliveries"]
        else f"Only {result['delivered']} arrived; {counted(result['dead'], 'is', 'are')} dead."
    )
    yours = result.get("yours")
    if yours is None:
        out.print("\nNow to a URL of yours: [bold]gateway demo --to https://…[/]", soft_wrap=True)
    elif yours["delivered"]:
        out.print(f"\n{yours['url']} took it, with {yours['status']}.", style="green", markup=False)
        out.print(f"Its signature verifies with {yours['secret']}", markup=False)
    else:
        out.print(
            f"\n{yours['url']} did not take it: {yours['reason']}", style="bold red", markup=False
        )
