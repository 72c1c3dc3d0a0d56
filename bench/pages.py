"""How long pages and listings take on a large database: `python -m bench.pages`.

A database is filled with events and two deliveries of each, in all states or waiting, and with everything that pages
show, and served; every page and every listing of the API is asked for in several ways, those that find nothing among them.
Beside it, the same of a database with a hundred events: what a page takes anyway. Nobody else asks meanwhile, and
nothing is sent.
"""

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
from rich.console import Console

from bench.fill import fill
from bench.gateway import database, gateway

ENDPOINTS = ("cms", "workflow")
NOBODY = {name: f"http://127.0.0.1:9/{name}" for name in ENDPOINTS}
"""The gateway is paused: nothing is sent there."""
FEW = 100
LONGEST_MS = 300
"""No page is to take longer."""

ENDED = """
UPDATE deliveries SET state = 'delivered', finished_at = created_at, attempts = 1;
INSERT INTO attempts (event_id, n, number, started_at, duration, outcome, status)
    SELECT event_id, n, 1, created_at, 20000, 'accepted', 200 FROM deliveries;
UPDATE deliveries SET state = 'dead', reason = 'http-503 (after 9 attempts)'
    WHERE n = 1 AND event_id IN (SELECT id FROM events WHERE rowid % 100 = 1);
UPDATE deliveries SET state = 'cancelled', reason = 'by hand'
    WHERE n = 1 AND event_id IN (SELECT id FROM events WHERE rowid % 100 = 7);
UPDATE deliveries SET state = 'scheduled', finished_at = NULL
    WHERE n = 0 AND event_id IN (SELECT id FROM events WHERE rowid % 20 = 11);
"""
"""What time makes of deliveries: almost all are delivered, some are dead, some wait."""

VARIED = """
UPDATE events SET matched = rowid % 1000 <> 3;
UPDATE events SET source = 'rare' WHERE rowid % 5000 = 50;
UPDATE events SET type = 'rare.type' WHERE rowid % 20000 = 7;
INSERT INTO inbox (id, source, code, detail, received_at, content_type, body, refused, outcome,
                   peer, method, headers, body_bytes, kept_bytes)
    SELECT 'inb_' || substr(id, 5), source, 'signature-invalid', 'it does not match', received_at, content_type, x'7b7d',
           rowid % 50 = 1, 'mismatch', '192.0.2.1', 'POST', '[]', 2, 2
    FROM events WHERE rowid % 25 = 1;
INSERT INTO audit SELECT 'aud_' || substr(id, 5), received_at, 'local', '', 'pause', 'cms', 'done'
    FROM events WHERE rowid % 50 = 1;
INSERT INTO register SELECT 'asset', id, CAST('{"n": 1}' AS BLOB), received_at, id, received_at, NULL FROM events WHERE rowid % 5 = 1;
INSERT INTO register_fields SELECT 'asset', 'n', '1', id, 1 FROM events WHERE rowid % 5 = 1;
INSERT INTO plans (id, planner, key, due_at, nearest, event_id, type, subject, says, data_key, taken_until)
SELECT 'pln_' || substr(id, 5) || '_0', 'schedules/expiry', id, 4000000000000000 + rowid, 1, id, 'late', NULL,
        CAST('{}' AS BLOB), NULL, 0
    FROM events WHERE rowid % 5 = 1;
INSERT INTO operations SELECT 'op_00000000', 'redeliver', '{"until": 0}', '[10, 1000000]', 0, 1, 0, NULL, 1, 0, 0, 0;
"""
"""What else pages show."""

PAGES = (
    "/",
    "/events", "/events?state=dead", "/events?state=scheduled", "/events?state=delivered&source=nobody",
    "/events?unmatched=true", "/events?source=rare", "/events?type=nothing", "/events?subject=nobody",
    "/events?text=nowhere", "/events?text={event}", "/events?cursor={event}",
    "/events/{event}", "/events/{event}/body",
    "/deliveries", "/deliveries?state=dead", "/deliveries?state=scheduled", "/deliveries?state=delivered&endpoint=nobody",
    "/deliveries?route=nothing", "/deliveries?reason=nothing", "/deliveries?text=nowhere", "/deliveries?cursor={delivery}",
    "/deliveries/{delivery}",
    "/endpoints", "/endpoints/cms",
    "/dead", "/dead?endpoint=workflow", "/dead/redeliver?endpoint=workflow", "/operations/{operation}",
    "/inbox", "/inbox?source=nobody", "/inbox/{entry}",
    "/events/replay?source=nobody", "/register", "/register/asset", "/register/asset?where=n>=0;rare=yes",
    "/planned", "/planned?key=nobody", "/routes", "/audit", "/audit?who=nobody",
    "/readyz", "/version", "/metrics", "/api/v1/openapi.json", "/api/v1/status", "/api/v1/stats",
    "/api/v1/evidence?event={event}",
    "/api/v1/events", "/api/v1/events?limit=500", "/api/v1/events?state=dead&type=rare.type", "/api/v1/events?state=leased",
    "/api/v1/events?state=superseded", "/api/v1/events?unmatched=true&source=rare", "/api/v1/events?subject=nobody",
    "/api/v1/events?text=nowhere", "/api/v1/events?since={moment}", "/api/v1/events?until={moment}&source=nobody",
    "/api/v1/events?cursor={event}&limit=500",
    "/api/v1/events/recorded", "/api/v1/events/recorded?since={moment}", "/api/v1/events/{event}",
    "/api/v1/deliveries", "/api/v1/deliveries?limit=500", "/api/v1/deliveries?state=dead&reason=http-503",
    "/api/v1/deliveries?state=dead&type=nothing", "/api/v1/deliveries?state=scheduled&endpoint=workflow",
    "/api/v1/deliveries?source=nobody", "/api/v1/deliveries?subject=nobody", "/api/v1/deliveries?key=nothing",
    "/api/v1/deliveries?event={event}", "/api/v1/deliveries?text=nowhere", "/api/v1/deliveries?since={moment}",
    "/api/v1/deliveries?cursor={delivery}&limit=500",
    "/api/v1/deliveries/groups", "/api/v1/deliveries/groups?state=cancelled&endpoint=workflow&type=nothing",
    "/api/v1/deliveries/{delivery}",
    "/api/v1/operations", "/api/v1/operations/{operation}",
    "/api/v1/inbox", "/api/v1/inbox?refused=true&limit=500", "/api/v1/inbox?text=nowhere", "/api/v1/inbox/{entry}",
    "/api/v1/routes", "/api/v1/routes/files", "/api/v1/endpoints", "/api/v1/endpoints/cms",
    "/api/v1/audit?limit=500", "/api/v1/audit?object=nothing",
    "/api/v1/register", "/api/v1/register/asset?limit=500", "/api/v1/register/asset?where=n>=0;rare=yes",
    "/api/v1/plans?limit=500", "/api/v1/plans?key=nobody",
)  # fmt: skip
"""What is got."""

POSTED: Mapping[str, object] = {
    "/api/v1/deliveries/redeliver": {"filter": {}, "dry_run": True},
    "/api/v1/events/replay": {"filter": {"source": "bench"}, "dry_run": True},
    "/api/v1/prune?dry_run=true": None,
    "/api/v1/erase?dry_run=true&subject=nobody": None,
}
"""What only says what would be done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    events: int
    times: int
    """So often each page is asked for."""
    waiting: bool = False
    """Whether all deliveries still wait, as after an outage."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How long a page took, each time that it was asked for, in milliseconds."""

    page: str
    large: Sequence[float]
    small: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.large)

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return self.median / statistics.median(self.small)


def measured(plan: Plan, progress: Callable[[str], None]) -> list[Taken]:
    """What every page takes with so many events, and with a few."""
    with tempfile.TemporaryDirectory() as name:
        small = _asked(Path(name, "small"), replace(plan, events=FEW), progress)
        large = _asked(Path(name, "large"), plan, progress)
    return [Taken(page, taken, small[page]) for page, taken in large.items()]


def _asked(home: Path, plan: Plan, progress: Callable[[str], None]) -> dict[str, list[float]]:
    file, events = database(home), plan.events
    fill(file, events, ENDPOINTS, lambda done: progress(f"{done:,} of {events:,} events are kept"))
    names = _varied(file, VARIED if plan.waiting else ENDED + VARIED)
    progress("asking")
    with gateway(NOBODY, home=home, flags=("--paused",)) as serving:
        return asyncio.run(_ask(serving.admin, names, plan.times))


def _varied(file: Path, script: str) -> dict[str, str]:
    """Make of a database what time makes of it; names of what is in the middle of it, for pages to show."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)
        select = "SELECT {} FROM {} LIMIT 1 OFFSET (SELECT count(*) / 2 FROM {})"
        ((event, moment),) = connection.execute(
            select.format("id, strftime('%Y-%m-%dT%H:%M:%SZ', received_at / 1000000, 'unixepoch')", "events", "events")
        )  # fmt: skip
        ((entry,),) = connection.execute(select.format("id", "inbox", "inbox"))
    return {
        "event": event,
        "delivery": f"{event.replace('evt', 'dlv', 1)}_1",
        "entry": entry,
        "moment": moment,
        "operation": "op_00000000",
    }


async def _ask(admin: str, names: Mapping[str, str], times: int) -> dict[str, list[float]]:
    """Ask for everything, one after the other."""
    found: dict[str, list[float]] = {}
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(admin, cookie_jar=jar) as session:
        for page in PAGES:
            found[page] = [await _taken(session, "GET", page.format(**names)) for _ in range(times)]
        for page, body in POSTED.items():
            found[f"POST {page}"] = [
                await _taken(session, "POST", page, body) for _ in range(times)
            ]
    return found


async def _taken(
    session: aiohttp.ClientSession, method: str, path: str, body: object = None
) -> float:
    began = time.perf_counter()
    async with session.request(method, path, json=body) as answer:
        await answer.read()
    if answer.status != 200 or answer.url.path == "/login":
        raise SystemExit(f"{method} {path} answered {answer.status}")
    return (time.perf_counter() - began) * 1e3


def show(found: Sequence[Taken], events: int) -> None:
    """The slowest first; yellow is what takes too long."""
    width = max(len(each.page) for each in found)
    head = f"{f'ms, with {events:,} events':{width}}{'least':>9}{'median':>9}{'most':>9}{f'÷ {FEW} events':>15}"
    out = Console(highlight=False, soft_wrap=True)
    out.print(head, style="bold")
    for each in sorted(found, key=lambda each: -each.median):
        figures = (
            f"{min(each.large):9.1f}{each.median:9.1f}{max(each.large):9.1f}{each.ratio:15.1f}"
        )
        style = "yellow" if each.median > LONGEST_MS else None
        out.print(f"{each.page:{width}}{figures}", style=style, markup=False)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--events", type=int, default=500_000, help="500,000 by default")
    parser.add_argument("--times", type=int, default=7, help="ask for each so often (7 by default)")
    parser.add_argument(
        "--waiting", action="store_true", help="with all deliveries still to be made"
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each page")
    options = parser.parse_args(arguments)
    told = Console(stderr=True, highlight=False, soft_wrap=True)
    plan = Plan(options.events, options.times, options.waiting)
    found = measured(plan, lambda text: told.print(text, style="dim"))
    if options.json:
        for each in found:
            print(json.dumps({"page": each.page, "large": each.large, "small": each.small}))
    else:
        show(found, options.events)


if __name__ == "__main__":
    main()
