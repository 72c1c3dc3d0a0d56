"""The stream of what happens."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from gateway.flows import live
from gateway.testing import Gateway, ManualClock
from gateway.web import live as web_live

EXPIRED = {"type": "license.expired", "subject": "license/1", "data": {"a": 1}}


@asynccontextmanager
async def watching(gateway, query=""):
    """The next item of a stream that has begun."""
    async with (
        aiohttp.ClientSession(gateway.service.admin_url) as session,
        session.get(f"/api/v1/live{query}") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert await answer.content.readline() == b": from now on\n"

        async def following():
            async for line in answer.content:
                if line.startswith(b"data: "):
                    return json.loads(line[6:])
            return None

        yield following


async def test_events_attempts_and_refusals_are_told_as_they_happen(gateway):
    gateway.endpoint("pager").reply(500)
    async with watching(gateway) as following:
        sent = await gateway.send("getty", EXPIRED)
        await gateway.settled()
        await gateway.post("getty", b"{}", {"content-type": "application/json"})
        event, *attempts, refused = [await following() for _ in range(4)]
    assert (event["what"], event["id"], event["outcome"], event["deliveries"]) == (
        "event", sent["id"], "accepted", 2,
    )  # fmt: skip
    by_endpoint = {each["endpoint"]: each for each in attempts}
    cms, pager = by_endpoint["cms"], by_endpoint["pager"]
    assert (cms["what"], cms["outcome"], cms["status"], cms["then"]) == (
        "attempt", "accepted", 200, "delivered",
    )  # fmt: skip
    assert (cms["event"], cms["subject"], cms["failed"]) == (sent["id"], "license/1", False)
    assert (pager["status"], pager["failed"]) == (500, True)
    assert pager["then"].startswith("dead: http-500")
    assert (refused["what"], refused["source"], refused["outcome"]) == (
        "request", "getty", "verification-failed",
    )  # fmt: skip


async def test_only_what_is_asked_for_is_told(gateway):
    gateway.endpoint("pager").reply(500)
    async with watching(gateway, "?what=attempt&failed=true") as following:
        await gateway.send("getty", EXPIRED)
        assert (await following())["endpoint"] == "pager"
    async with watching(gateway, "?endpoint=cms") as following:
        await gateway.send("getty", EXPIRED)
        assert (await following())["endpoint"] == "cms"


@pytest.mark.parametrize("query", ["?colour=red", "?failed=perhaps"])
async def test_a_parameter_that_there_is_not_is_refused(gateway, query):
    async with (
        aiohttp.ClientSession(gateway.service.admin_url) as session,
        session.get(f"/api/v1/live{query}") as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (400, "parameter-invalid")


async def test_who_reads_too_slowly_is_told_how_much_is_missing(monkeypatch):
    monkeypatch.setattr(live, "KEPT", 2)
    watcher = live.Watcher({})
    for number in range(5):
        watcher.tell({"what": "event", "number": number})
    assert [(await watcher.next())["number"] for _ in range(2)] == [0, 1]
    assert await watcher.next() == {"what": "missed", "count": 3}
    watcher.tell({"what": "event", "number": 5})
    assert (await watcher.next())["number"] == 5


async def test_where_nothing_happens_the_connection_is_kept(gateway, monkeypatch):
    monkeypatch.setattr(web_live, "STILL_THERE_SECONDS", 0.01)
    async with (
        aiohttp.ClientSession(gateway.service.admin_url) as session,
        session.get("/api/v1/live") as answer,
    ):
        lines = [await answer.content.readline() for _ in range(3)]
    assert lines == [b": from now on\n", b"\n", b": nothing yet\n"]


async def test_a_gateway_that_stops_waits_for_nobody_who_watches(routes_file):
    async with AsyncExitStack() as watch, asyncio.timeout(5):
        async with Gateway(routes_file) as gateway:
            following = await watch.enter_async_context(watching(gateway))
        assert await following() is None


async def test_who_comes_when_it_is_over_is_told_so():
    over = live.Live(ManualClock())
    over.close()
    with over.watch({}) as watcher:
        assert await watcher.next() is None


async def test_who_has_gone_is_told_nothing_more(gateway):
    async with watching(gateway):
        assert len(gateway.service._live._watchers) == 1
    while gateway.service._live._watchers:
        await gateway.send("getty", EXPIRED)  # it is noticed meanwhile
