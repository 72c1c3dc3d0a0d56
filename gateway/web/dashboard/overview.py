"""The first page: what needs attention, and how the last hour was."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from gateway.core.words import polled
from gateway.flows.history import Minute, percentile
from gateway.web.dashboard.charts import Series, bars, lines
from gateway.web.dashboard.visit import Visit


async def show(visit: Visit) -> Response:
    """What is wrong first, then the hour, then every endpoint."""
    around = visit.desk.around
    told, troubles = await around.shown.overview()
    hour = around.history.overall()
    return visit.page(
        "overview.html",
        told=told,
        troubles=troubles,
        sums=sums(hour),
        drawn=drawn(hour),
        rows=await rows(visit),
    )


async def rows(visit: Visit) -> list[dict[str, Any]]:
    """Every endpoint, with its hour."""
    around = visit.desk.around
    found = []
    for each in await around.shown.endpoints():
        hour = around.history.of(each["name"])
        attempts = [minute.delivered + minute.failed for minute in hour]
        found.append({**each, **sums(hour), "attempts": attempts})
    return found


async def resume(visit: Visit) -> Response:
    """End the pause that the gateway was started with."""
    await visit.desk.around.operate.resume_all(visit.caller)
    return visit.done("Deliveries begin.")


async def poll(visit: Visit) -> Response:
    """Ask for a source at once."""
    name = visit.part("name")
    told = await visit.desk.around.pollers.now(name, visit.caller)
    return visit.done(f"{name}: {polled(told)}.")


def sums(hour: Sequence[Minute]) -> dict[str, Any]:
    """What an hour comes to."""
    return {
        "received": sum(each.received for each in hour),
        "delivered": sum(each.delivered for each in hour),
        "failed": sum(each.failed for each in hour),
        "died": sum(each.dead for each in hour),
        "p50": percentile(hour, 0.5),
        "p99": percentile(hour, 0.99),
    }


def drawn(hour: Sequence[Minute]) -> list[Any]:
    """An hour as charts: throughput, how many succeed, how long attempts take, and what waits."""
    received = Series("events received", "c-received", [each.received for each in hour])
    delivered = Series("delivered", "c-good", [each.delivered for each in hour])
    failed = Series("attempts that failed", "c-bad", [each.failed for each in hour])
    share = [_share(each) for each in hour]
    times = [
        Series(name, look, [_milliseconds(each, part) for each in hour])
        for name, look, part in (("p50", "c-good", 0.5), ("p99", "c-warn", 0.99))
    ]
    waiting = Series("deliveries", "c-received", [each.waiting for each in hour])
    charts = [
        bars("Attempts", [delivered, failed]),
        lines("Success", [Series("share of attempts", "c-good", share)], unit=" %"),
        lines("Duration of attempts", times, unit=" ms"),
        lines("Waiting", [waiting]),
    ]
    if any(received.values):
        charts.insert(0, bars("Events", [received]))
    return charts


def _share(minute: Minute) -> float | None:
    attempts = minute.delivered + minute.failed
    return 100 * minute.delivered / attempts if attempts else None


def _milliseconds(minute: Minute, part: float) -> float | None:
    seconds = percentile([minute], part)
    return None if seconds is None else seconds * 1000
